from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from tradekit import Bars, BarsRequest, ReplayClock, Signal, SignalDetector, SignalType
from tradekit.data import MemorySource, SimulatedSource

NOW = datetime(2024, 3, 8, 18, 7, tzinfo=UTC)  # a Friday, 13:07 in New York


class Provider:
    """A data manager over one source; it writes down what it is asked."""

    def __init__(self, source, clock=None):
        self.source, self.asked = source, []
        if clock is not None:
            self.clock = clock

    async def get_market_data(self, symbol, timeframe, limit):
        raise AssertionError("fetch_many comes first")

    async def fetch_many(self, symbols, timeframe, lookback, end=None):
        self.asked.append((str(timeframe), lookback))
        return await self.source.fetch(BarsRequest(symbols, timeframe, limit=lookback, end=end))


class Up(SignalDetector):
    """Bullish at every close above the one before, bearish below; ready from the second bar."""

    family, lookback, horizon, scans = "steps", 2, 3, 0

    def _scan(self, bars):
        type(self).scans += 1
        return np.sign(np.diff(bars.close, prepend=np.nan)) * 60.0

    def _levels(self, bars):
        return bars.close * 0.02, bars.close * 0.01


class Never(SignalDetector):
    """Has nothing to say."""

    family = "silence"
    lookback = 1

    def _scan(self, bars):
        return np.zeros(len(bars))

    def _levels(self, bars):
        return bars.close * 0.02, bars.close * 0.01


class Deep(Never):
    """Needs more bars than there are."""

    lookback = 10_000


def simulated(now=NOW, seed=0):
    clock = ReplayClock(now)
    return Provider(SimulatedSource(seed, clock=clock), clock)


def minutes(close, first="2024-03-08T14:30", symbol="X", timeframe="1Min", **facts):
    close = np.asarray(close, dtype=float)
    step = {"1Min": 60, "1Day": 86_400}[timeframe] * 10**9
    times = np.datetime64(first, "ns").astype("i8") + np.arange(len(close)) * step
    volume = np.full(len(close), 100.0)
    return Bars(symbol, timeframe, times, close, close, close, close, volume, **facts)


def held(*bars, now=NOW):
    clock = ReplayClock(now)
    return Provider(MemorySource(bars, clock=clock), clock)


def signal(direction="bullish", timeframe="5Min", family="trend", at=NOW, name="D/1"):
    return Signal("X", at, timeframe, SignalType.TREND, direction, 60.0, 100.0, name, family)


@pytest.fixture
def market():
    return simulated()
