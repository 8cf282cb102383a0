from __future__ import annotations

import numpy as np
import pytest

from tradekit._core.bars import Bars
from tradekit._core.detector import SignalDetector


class Speaker(SignalDetector):
    """It says what it was told to say."""

    lookback = 1
    mirror, mirror_reason = None, "it does not look at prices"

    def __init__(self, name, newest, family, needs):
        self.name, self._newest, self.family, self.lookback = name, newest, family, needs

    def __repr__(self):
        return f"{self.name}()"

    def _scan(self, bars):
        score = np.zeros(len(bars))
        newest = self._newest[: len(bars)]
        score[len(bars) - len(newest) :] = newest[::-1]
        return score

    def _levels(self, bars):
        return 2.0, 1.5


@pytest.fixture(scope="session")
def speaker():
    """Make a detector that says given scores at the newest bars, the last bar's first."""

    def make(name, *newest, family=None, needs=1):
        return Speaker(name, newest, family or name.lower(), needs)

    return make


@pytest.fixture(scope="session")
def bars():
    """Make five-minute bars at 100 dollars of a market that never closes."""

    def make(n=78, symbol="X", gap_at=None):
        time = np.arange(n) * 300 * 10**9
        if gap_at is not None:
            time[gap_at:] += 300 * 10**9
        p = np.full(n, 100.0)
        return Bars(symbol, "5Min", time, p, p, p, p, p, calendar="24/7")

    return make


@pytest.fixture(scope="session")
def drawn():
    """Make bars of (open, high, low, close) after 30 quiet ones, so that the first is row 30.

    A lone number is a bar that opens and closes there and ranges from 1 below to 1 above. The
    quiet ones do so at 100: their usual range and their average true range are 2.
    """

    def make(*rows, timeframe="1Min", time=None, volume=100.0, calendar="24/7"):
        table = [(r, r + 1, r - 1, r) if np.isscalar(r) else r for r in [*[100.0] * 30, *rows]]
        columns = np.array(table, dtype=float).T
        time = np.arange(len(table)) * 60 * 10**9 if time is None else time
        volume = np.broadcast_to(np.asarray(volume, dtype=float), len(table))
        return Bars("X", timeframe, time, *columns, volume, calendar=calendar)

    return make


@pytest.fixture(scope="session")
def heard():
    """What a detector says at which rows."""

    def listen(detector, bars):
        said = detector.scan(bars)
        return {int(row): round(float(said.score[row]), 2) for row in np.flatnonzero(said.fired)}

    return listen
