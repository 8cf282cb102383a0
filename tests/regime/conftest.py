from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tradekit import Bars
from tradekit._core.calendar import calendar_for
from tradekit._core.clock import from_ns


@pytest.fixture
def daily() -> Callable[..., Bars]:
    """Daily bars of given closes, on the sessions from a day on."""

    def make(closes: object, symbol: str = "SPY", start: str = "2015-01-02") -> Bars:
        price = np.asarray(closes, float)
        calendar = calendar_for("XNYS")
        first = int(calendar.sessions.searchsorted(np.datetime64(start)))
        time = calendar.midnights[first : first + price.size]
        return Bars(symbol, "1Day", time, price, price, price, price, np.ones(price.size))

    return make


@pytest.fixture
def market(daily) -> Callable[..., Bars]:
    """A walk of daily bars from a seed, with a fall in its middle."""

    def make(seed: int, length: int = 600, symbol: str = "SPY") -> Bars:
        rng = np.random.default_rng(seed)
        steps = 0.01 * rng.standard_normal(length) + 0.001
        steps[length // 3 : length // 2] = steps[length // 3 : length // 2] * 2.5 - 0.004
        return daily(100 * np.exp(np.cumsum(steps)), symbol)

    return make


@pytest.fixture
def close_of() -> Callable[..., object]:
    """When a row of bars was known."""
    return lambda bars, row=-1: from_ns(bars.close_time[row])
