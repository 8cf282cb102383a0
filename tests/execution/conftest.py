from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tradekit import Bars, ReplayClock
from tradekit.execution import Order, PaperBroker

FIRST = datetime(2024, 3, 8, 14, 30, tzinfo=UTC)  # a Friday, at the open in New York
MINUTE = timedelta(minutes=1)


class Desk:
    """A paper broker beside minute bars of (open, high, low, close), from FIRST on."""

    def __init__(self, **options):
        self.clock = ReplayClock(FIRST)
        self.broker = PaperBroker(self.clock, **{"half_spread": 0.0, **options})
        self.rows = {}
        self.fills = []

    def submit(self, *given, **options):
        return asyncio.run(self.broker.submit(Order(*given, **options)))

    def show(self, *rows, symbol="X"):
        """Let time pass bar by bar, and feed all bars so far each time."""
        for row in rows:
            self.rows.setdefault(symbol, []).append(row)
            self.fills += self.feed({symbol: bars_of(self.rows[symbol], symbol)})
        return self.fills

    def feed(self, bars):
        last = max(int(each.close_time[-1]) for each in bars.values())
        seconds = last // 10**9 - int(self.clock.now().timestamp())
        self.clock.move_to(self.clock.now() + timedelta(seconds=max(seconds, 0)))
        return self.broker.advance(bars)

    @property
    def account(self):
        return asyncio.run(self.broker.account())

    def status(self, name):
        return asyncio.run(self.broker.status(name)).value

    def told(self):
        return [(f.order, f.side.value, f.quantity, f.price, f.reason.value) for f in self.fills]


def bars_of(rows, symbol="X", timeframe="1Min", first=FIRST):
    opens, highs, lows, closes = np.array(rows, dtype=float).reshape(-1, 4).T
    start = np.datetime64(first.replace(tzinfo=None), "ns")
    times = start + np.arange(len(rows)) * np.timedelta64(1, "m")
    return Bars(symbol, timeframe, times, opens, highs, lows, closes, np.ones(len(rows)))


@pytest.fixture
def desk():
    return Desk()
