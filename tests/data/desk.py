"""Four sessions of minutes that nobody traded, and a desk where they can be asked for."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import numpy as np

from tradekit import Bars, ReplayClock, SourceError, Timeframe
from tradekit._core.calendar import calendar_for
from tradekit._core.clock import to_ns
from tradekit.data import MemorySource
from tradekit.data._stream import follow

OPEN = datetime(2024, 7, 2, 13, 30, tzinfo=UTC)  # a Tuesday; the day after ends early
MONDAY = [datetime(2024, 7, 1, 19, minute, tzinfo=UTC) for minute in range(55, 60)]
MINUTE = timedelta(minutes=1)
COLUMNS = ("open", "high", "low", "close", "volume")


def labels(sessions=4):
    """Every minute of some sessions, from Tuesday on: 390 + 210 + 390 + 390."""
    nyse = calendar_for()
    first = int(nyse.opens.searchsorted(to_ns(OPEN)))
    days = zip(nyse.opens[first:], nyse.closes[first : first + sessions], strict=False)
    return np.concatenate([np.arange(opened, over, 60 * 10**9) for opened, over in days])


def minutes(symbol, seed=0, share=1.0, since=0):
    """A share of all minutes, from one of them on."""
    rng, time = np.random.default_rng(seed), labels()
    close = np.round(100 + np.cumsum(rng.normal(0, 0.05, len(time))), 2)
    open_ = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(open_, close) + 0.01, np.minimum(open_, close) - 0.01
    volume = rng.integers(1, 1_000, len(time)) * 100
    kept = np.flatnonzero((rng.random(len(time)) < share) & (np.arange(len(time)) >= since))
    columns = (column[kept] for column in (time, open_, high, low, close, volume))
    return Bars(symbol, "1Min", *columns)


def since_monday(bars):
    """The same minutes after Monday's last five."""
    prices = {n: np.concatenate([np.full(5, 100.0), getattr(bars, n)]) for n in COLUMNS}
    return bars._replace(time=np.concatenate([[*map(to_ns, MONDAY)], bars.time]), **prices)


def days(symbol="SPY"):
    """Monday, Tuesday, half of Wednesday, and Friday, labelled by midnight in New York."""
    time = [f"2024-07-0{day}T04:00" for day in (1, 2, 3, 5)]
    return Bars(symbol, "1Day", np.array(time, "M8[ns]"), *np.full((5, 4), 100.0))


class Desk:
    """Who is asked: it keeps the questions, and fails as often as it is told to."""

    def __init__(self, *bars, at=OPEN, timeframe="1Min"):
        self.clock, self.timeframe = ReplayClock(at), Timeframe(timeframe)
        known = [since_monday(each) if each.timeframe == "1Min" else each for each in bars]
        self.source = MemorySource(known, clock=self.clock)
        self.bars = {each.symbol: each for each in bars}
        self.questions = []
        self.answers = []  # instead of true ones: errors, or functions of the true one
        self.hear = None

    async def fetch(self, request):
        self.questions.append(request)
        fetched = await self.source.fetch(request)
        twist = self.answers.pop(0) if self.answers else None
        if isinstance(twist, SourceError):
            raise twist
        return twist(fetched) if twist else fetched

    async def line(self, hear):
        self.hear = hear
        await asyncio.Event().wait()

    def say(self, symbol, *numbers):
        """Let the line tell minutes of a symbol by their numbers."""
        bars = self.bars[symbol]
        for bar in (bars[int(np.flatnonzero(bars.time == labels()[n])[0])] for n in numbers):
            self.hear(bar)

    @asynccontextmanager
    async def stream(self, *symbols, **options):
        bars = follow(
            self.fetch,
            symbols or tuple(self.bars),
            self.timeframe,
            clock=self.clock,
            calendar=lambda symbol: "24/7" if "/" in symbol else "XNYS",
            **options,
        )
        listener = Listener(bars)
        try:
            await turns()
            self.questions.clear()
            yield listener
        finally:
            await listener.close()

    async def pass_on(self, minutes=0, seconds=0):
        """Move the clock to so long after the open, and let everybody act on it."""
        self.clock.move_to(OPEN + timedelta(minutes=minutes, seconds=seconds))
        await turns()


async def turns(count=20):
    """Let everybody act: no poll waits, and no answer takes more turns of the loop than this."""
    for _ in range(count):
        await asyncio.sleep(0)


class Listener:
    """Whoever listens to a stream."""

    def __init__(self, bars):
        self.bars = []
        self.task = asyncio.ensure_future(self._listen(bars))

    async def _listen(self, bars):
        async for bar in bars:
            self.bars.append(bar)

    def heard(self, symbol="SPY"):
        """The numbers of the minutes that have come."""
        return [int(labels().searchsorted(to_ns(b.time))) for b in self.bars if b.symbol == symbol]

    async def close(self):
        self.task.cancel()
        await asyncio.wait([self.task])
