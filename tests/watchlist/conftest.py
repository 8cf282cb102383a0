"""Daily bars by their closes, and a data manager that answers with what it is given."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from tradekit import Bars, Fetched, NoDataError, calendar_for

FRIDAY = datetime(2024, 3, 8, 21, tzinfo=UTC)  # the close of a session in New York


@pytest.fixture
def friday():
    return FRIDAY


@pytest.fixture
def daily():
    """Bars of the sessions up to one day, each a dollar wide around its close."""

    def make(symbol, closes, volume=1e6, *, until="2024-03-08", half=0.5):
        nyse, close = calendar_for(), np.array(closes, dtype=float)
        last = int(nyse.sessions.searchsorted(np.datetime64(until), side="right"))
        time = nyse.midnights[last - len(close) : last]
        volumes = np.broadcast_to(np.asarray(volume, dtype=float), close.shape)
        return Bars(symbol, "1Day", time, close, close + half, close - half, close, volumes)

    return make


class Provider:
    """A data manager over bars in memory; ``down`` names an error for some symbols, or for all."""

    def __init__(self, *bars, down=()):
        self.bars = {each.symbol: each for each in bars}
        self.down, self.asked = dict(down), []

    async def get_market_data(self, symbol, timeframe, limit): ...

    async def fetch_many(self, symbols, timeframe, lookback, end=None):
        self.asked.append((tuple(symbols), timeframe, lookback))
        if "*" in self.down:
            raise self.down["*"]
        fetched = Fetched()
        for symbol in symbols:
            bars = self.bars[symbol].until(end)[-lookback:] if symbol in self.bars else ()
            if symbol in self.down or not len(bars):
                fetched.failures[symbol] = self.down.get(symbol, NoDataError(f"no {symbol}"))
            else:
                fetched.bars[symbol] = bars
        return fetched


@pytest.fixture
def provider():
    return Provider
