"""The truth behind the fake providers: a source, asked for what their clients ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import attrs
import numpy as np

from .._core.bars import Bars
from .._core.calendar import Calendar
from .._core.clock import Clock, from_ns, to_ns
from .._core.errors import NoDataError
from .._core.request import Asked as Adjustment
from .._core.request import BarsRequest
from .._core.source import DataSource
from .._core.timeframe import Timeframe
from ._provider_rows import PAIR, PRICES, Rows, calendar_of

_MINUTE, _DAY = Timeframe("1Min"), Timeframe("1Day")
_MICROSECOND = 1_000  # the shortest window that can be asked for
_RECENT = 5  # sessions back in which a symbol that is quoted has traded twice


@attrs.frozen
class Today:
    """What the newest day of a symbol says: the figures that quotes and screens are made of."""

    symbol: str
    time: int
    open: float
    high: float
    low: float
    last: float
    volume: float
    before: float

    @property
    def change(self) -> float:
        """Dollars since the close before."""
        return self.last - self.before

    @property
    def percent(self) -> float:
        """Percent since the close before."""
        return 100 * (self.last / self.before - 1)

    @property
    def bid(self) -> float:
        """A basis point below the last price, in whole ticks."""
        ticks = 10.0**self._digits
        return float(np.floor(self.last * 0.9999 * ticks + 1e-6)) / ticks

    @property
    def ask(self) -> float:
        """A tick or more above the bid."""
        above = self.bid + 10.0**-self._digits
        return round(max(above, round(self.last * 1.0001, self._digits)), self._digits)

    @property
    def _digits(self) -> int:
        return 6 if PAIR in self.symbol else 2


@attrs.frozen
class Market:
    """A source behind the counter.

    Parameters
    ----------
    source : DataSource
        Where bars come from.
    clock : Clock
        Who says what time it is.
    symbols : tuple of str
        Whom screens rank.
    """

    source: DataSource
    clock: Clock
    symbols: tuple[str, ...]

    @property
    def now(self) -> int:
        """Nanoseconds since 1970 UTC."""
        return to_ns(self.clock.now())

    @property
    def calendar(self) -> Calendar:
        """The stock exchange's."""
        return calendar_of("")

    def midnight(self, back: int, calendar: Calendar | None = None) -> int:
        """When the day of the newest session, or of one so many sessions before, began."""
        days = calendar or self.calendar
        newest = int(days.opens.searchsorted(self.now, side="right")) - 1
        return int(days.midnights[max(0, newest - back)])

    async def window(
        self, symbols: Sequence[str], timeframe: str, first: int, last: int, adjustment: str
    ) -> dict[str, Rows]:
        """Give bars labelled from a moment to a moment, both included; who has none is left out.

        The symbols are all stocks, or all pairs. As from any vendor, the bar that is still
        running comes too, as far as it has come.
        """
        now, length = self.now, Timeframe(timeframe)  # one now for all: the clock may go on
        if first > (last := min(last, now)):
            return {}
        due = max(last, _end(calendar_of(symbols[0]), last, length))
        asked = BarsRequest(
            tuple(symbols),
            length,
            start=from_ns(first),
            end=from_ns(max(min(due, now), first + _MICROSECOND)),
            adjustment=cast("Adjustment", adjustment),
        )
        bars = await self._bars(asked)
        running = await self._running(asked, first, now) if due > now else {}
        found = {symbol: Rows.of(bars[symbol]) for symbol in symbols if symbol in bars}
        return {
            symbol: _joined(found.get(symbol), running.get(symbol))
            for symbol in symbols
            if symbol in found or symbol in running
        }

    async def today(self, symbols: Sequence[str]) -> dict[str, Today]:
        """Tell the newest day of each symbol, as far as it has come."""
        if not symbols:
            return {}
        first = self.midnight(_RECENT, calendar_of(symbols[0]))
        found = await self.window(symbols, _DAY, first, self.now, "split")
        return {s: _today(rows) for s, rows in found.items() if len(rows) > 1}

    async def knows(self, symbol: str) -> bool:
        """Tell an unknown symbol from one without bars in a window."""
        return bool(await self._bars(BarsRequest(symbol, _DAY, limit=1)))

    async def _bars(self, asked: BarsRequest) -> Mapping[str, Bars]:
        fetched = await self.source.fetch(asked)
        for failure in fetched.failures.values():
            if not isinstance(failure, NoDataError):
                raise failure
        return fetched.bars

    async def _running(self, asked: BarsRequest, first: int, now: int) -> dict[str, Rows]:
        """The bar that runs now, of its minutes; a minute is told when over, and so is a week."""
        calendar, length = calendar_of(asked.symbols[0]), asked.timeframe
        row = _session(calendar, now)
        if row < 0 or length == "1Week" or length.seconds <= 60:
            return {}
        label = start = int(calendar.opens[row])
        if length.is_intraday:
            label = start = start + (now - start) // length.ns * length.ns
        else:
            label = int(calendar.midnights[row])
        if start == now or label < first:
            return {}
        begun = attrs.evolve(asked, timeframe=_MINUTE, start=from_ns(start), end=from_ns(now))
        minutes = await self._bars(begun)
        return {symbol: _sum(bars, label) for symbol, bars in minutes.items()}


def _session(calendar: Calendar, moment: int) -> int:
    return int(calendar.locate(np.array([moment]))[0])


def _end(calendar: Calendar, moment: int, length: Timeframe) -> int:
    """When the bar that runs at a moment is over."""
    label = moment
    if length.is_intraday:
        row = _session(calendar, moment)
        if row < 0:
            return moment
        opened = int(calendar.opens[row])
        label = opened + (moment - opened) // length.ns * length.ns
    return int(calendar.close_time(np.array([label]), length)[0])


def _sum(bars: Bars, label: int) -> Rows:
    values = bars.open[0], bars.high.max(), bars.low.min(), bars.close[-1]
    columns = {name: np.array([value]) for name, value in zip(PRICES, values, strict=True)}
    volume = np.array([bars.volume.sum()])
    return Rows(bars.symbol, np.array([label]), {**columns, "volume": volume})


def _joined(rows: Rows | None, running: Rows | None) -> Rows:
    if rows is None or running is None:
        return cast("Rows", running if rows is None else rows)
    columns = {n: np.append(column, running.columns[n]) for n, column in rows.columns.items()}
    return Rows(rows.symbol, np.append(rows.time, running.time), columns)


def _today(rows: Rows) -> Today:
    open_, high, low, last = (float(rows.columns[name][-1]) for name in PRICES)
    volume, before = float(rows.columns["volume"][-1]), float(rows.columns["close"][-2])
    return Today(rows.symbol, int(rows.time[-1]), open_, high, low, last, volume, before)
