"""Bars as they complete, from whoever can be asked: polled when due, and sooner where a line tells.

Nothing here knows a vendor. Asking alone makes the stream correct; a line makes it fast.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeAlias

from .._core.bar import Bar
from .._core.calendar import calendar_for
from .._core.clock import NS, Clock, from_ns, to_ns
from .._core.errors import CredentialsError, NoDataError, SourceError
from .._core.request import BarsRequest, Fetched
from .._core.timeframe import Timeframe
from ._ledger import MINUTE, Ledger

Fetch: TypeAlias = Callable[[BarsRequest], Awaitable[Fetched]]
Hear: TypeAlias = Callable[[Bar], None]
Line: TypeAlias = Callable[[Hear], Awaitable[None]]

SETTLE = timedelta(seconds=5)
_AFTER_THE_AUCTION = timedelta(minutes=15)  # which ends a day, and is told later than minutes
_POLL = 0.02  # seconds between two looks at the clock
_GOODBYE = 1.0  # seconds for hanging up politely
_FAR = 20  # bars behind the others: who lacks more is asked for apart, lest all rows come again
_FAILURES = 6  # looks in a row that must fail before anything is given up
_HELD = 3  # bars that wait behind a hole before it is given up
_BLIND = 900 * NS  # how long nothing may be seen where there is something to see
_NAMED = 5  # symbols in a line of the log
_NOTHING, _NOBODY = ("no_data", "empty"), "unknown_symbol"  # answers, not failures to look

_log = logging.getLogger("tradekit.data")


async def follow(
    fetch: Fetch,
    symbols: Sequence[str],
    timeframe: Timeframe,
    *,
    clock: Clock,
    calendar: Callable[[str], str],
    line: Line | None = None,
    settle: timedelta = SETTLE,
) -> AsyncGenerator[Bar, None]:
    """Give every bar that completes from now on: each once, and each symbol's in time order.

    When a bar should be there and is not, one question for all that are missing fetches it, and
    again later, less and less often. That a bar does not exist (nobody traded) is believed when an
    answer shows a later one of its symbol and not this one. What a line tells is given at once if
    it is next, else it waits until the gap before it has been looked into.

    Parameters
    ----------
    fetch : callable
        Awaited with a `BarsRequest`, gives `Fetched`.
    symbols : sequence of str
        Whose bars.
    timeframe : Timeframe
        Length of the bars.
    clock : Clock
        Who says what time it is.
    calendar : callable
        Tells the code of the calendar that a symbol trades by.
    line : callable, optional
        Awaited with a function that it calls with each minute bar it hears, in this event loop,
        until it is cancelled. Longer bars are made up of their minutes if all are there.
    settle : timedelta
        How long after its close a bar is asked for: before that, an answer may lack some of it.
        Days and weeks are asked for a quarter of an hour after it at the soonest.

    Yields
    ------
    Bar
        The first is the first that closes after the first step.

    Raises
    ------
    CredentialsError
        When every symbol is refused.
    SourceError
        When it cannot be done at all, says the first answer.
    NoDataError
        When all sources refuse, or when bars were due for a quarter of an hour and neither a bar
        nor an answer came; its ``since`` is the first missing bar.

    Notes
    -----
    A line may be wrong in ways that nobody can see in one bar; its minutes are taken at their
    word if they are possible, and not far from the last close that is known. Where no answer can
    be had, three bars wait behind a hole at most: then they are given, and the log names the hole.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from tradekit import ReplayClock
    >>> from tradekit.data import SimulatedSource
    >>> clock = ReplayClock(datetime(2024, 3, 8, 20, 58, 30, tzinfo=UTC))
    >>> source = SimulatedSource(clock=clock)
    >>> async def first():
    ...     bars = follow(source.fetch, ["SPY"], Timeframe("1Min"), clock=clock,
    ...                   calendar=lambda symbol: "XNYS")
    ...     coming = asyncio.ensure_future(anext(bars))
    ...     await asyncio.sleep(0.01)
    ...     clock.move_to(datetime(2024, 3, 8, 21, 1, tzinfo=UTC))
    ...     try:
    ...         return await coming
    ...     finally:
    ...         await bars.aclose()
    >>> f"{asyncio.run(first()).time:%H:%M}"
    '20:58'
    """
    if not timeframe.is_intraday:
        settle = max(settle, _AFTER_THE_AUCTION)
    begin, wait = to_ns(clock.now()), settle // timedelta(microseconds=1) * 1_000
    ledgers = [Ledger(s, timeframe, calendar_for(calendar(s)), begin, wait) for s in symbols]
    follower = _Follower(fetch, timeframe, clock, wait, ledgers)
    await follower.try_it()
    possible = timeframe.is_intraday and timeframe.seconds % MINUTE.seconds == 0
    tasks = [asyncio.ensure_future(line(follower.hear))] if line and possible else []
    tasks.append(asyncio.ensure_future(follower.look()))
    try:
        while True:
            for bar in follower.take():
                yield bar
            for task in tasks:
                if task.done():
                    task.result()  # it ends in no other way than by an error
            await follower.rest()
    finally:
        await _end(tasks)


async def _end(tasks: Iterable[asyncio.Future[None]]) -> None:
    """Cancel, and again should that be lost: Python 3.11 forgets it where an answer just came."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=_GOODBYE)
    await asyncio.gather(*tasks, return_exceptions=True)


class _Follower:
    """The accounts of all symbols, and the looks that settle them."""

    def __init__(
        self,
        fetch: Fetch,
        timeframe: Timeframe,
        clock: Clock,
        settle: int,
        ledgers: Iterable[Ledger],
    ) -> None:
        self._fetch, self._timeframe, self._clock = fetch, timeframe, clock
        self._settle, self._ledgers = settle, {ledger.symbol: ledger for ledger in ledgers}
        self._ready: list[Bar] = []
        self._news = asyncio.Event()
        self._blind_since, self._looks_in_vain = 0, 0

    @property
    def _now(self) -> int:
        return to_ns(self._clock.now())

    async def try_it(self) -> None:
        """Ask for one bar of each symbol: to learn what could never be had, and what it costs."""
        fetched = await self._asked(BarsRequest(tuple(self._ledgers), self._timeframe, limit=1))
        failures = fetched.failures
        lasting = [error for error in failures.values() if _is_lasting(error)]
        if len(lasting) == len(self._ledgers):
            raise lasting[0]
        if unknown := [s for s, error in failures.items() if error.fault == _NOBODY]:
            _log.warning("stream: nobody knows %s yet; asking goes on", _names(unknown))
        for symbol, bars in fetched.bars.items():
            self._ledgers[symbol].close = float(bars.close[-1])

    def hear(self, minute: Bar) -> None:
        """Take what the line tells."""
        if ledger := self._ledgers.get(minute.symbol):
            ledger.hear(minute, self._now)
            self._news.set()

    def take(self) -> list[Bar]:
        """Give what can be given now, in time order as far as it has come."""
        self._settle_up()
        bars, self._ready = self._ready, []
        return sorted(bars, key=lambda bar: bar.close_time)

    async def rest(self) -> None:
        """Wait for news, or until the clock should be looked at again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_POLL):
                await self._news.wait()
        self._news.clear()

    async def look(self) -> None:
        """Ask for what is due and has not come, whenever it is time to, for ever."""
        while True:
            await asyncio.sleep(_POLL)
            self._settle_up()
            now = self._now
            if any(ledger.look_at <= now for ledger in self._ledgers.values()):
                await self._look()
                self._news.set()

    def _settle_up(self) -> None:
        now = self._now
        for ledger in self._due(now):
            self._ready += ledger.give(now)
        if self._ready:
            self._looks_in_vain = 0

    def _due(self, until: int) -> list[Ledger]:
        return [ledger for ledger in self._ledgers.values() if ledger.due <= until]

    async def _look(self) -> None:
        until = self._now - self._settle
        asked = self._due(until)
        far = max(ledger.next for ledger in asked) - _FAR * self._timeframe.ns
        parts = [[x for x in asked if x.next >= far], [x for x in asked if x.next < far]]
        answers = await asyncio.gather(*(self._ask_for(part, until) for part in parts if part))
        failures: dict[str, SourceError] = {}
        for fetched in answers:
            for symbol, bars in fetched.bars.items():
                self._ledgers[symbol].learn(bars)
            failures |= {
                symbol: error
                for symbol, error in fetched.failures.items()
                if error.fault not in (*_NOTHING, _NOBODY)
            }
        self._tell(asked, failures)
        self._settle_up()
        now = self._now
        for ledger in self._due(until):
            if (error := failures.get(ledger.symbol)) is None:
                ledger.looked(now, until)
            else:
                ledger.failed(now, int(NS * (error.context.get("retry_after") or 0)))
                self._give_up(ledger)
        self._see(asked, failures, now)

    async def _ask_for(self, ledgers: Iterable[Ledger], until: int) -> Fetched:
        """Ask for all bars that are missing, up to those that are settled, in one question."""
        symbols = tuple(ledger.symbol for ledger in ledgers)
        start = from_ns(min(ledger.next for ledger in ledgers))
        return await self._asked(
            BarsRequest(symbols, self._timeframe, start=start, end=from_ns(until))
        )

    async def _asked(self, request: BarsRequest) -> Fetched:
        try:
            return await self._fetch(request)
        except SourceError as error:
            return Fetched(failures=dict.fromkeys(request.symbols, error))

    def _tell(self, asked: Iterable[Ledger], failures: Mapping[str, SourceError]) -> None:
        """Write to the log whose bars cannot be looked at any more, and whose can be again."""
        lost = [x.symbol for x in asked if x.symbol in failures and not x.failures]
        back = [x.symbol for x in asked if x.symbol not in failures and x.failures]
        if lost:
            _log.warning("stream: %s cannot be asked for: %s", _names(lost), failures[lost[0]])
        if back:
            _log.info("stream: %s can be asked for again", _names(back))

    def _give_up(self, ledger: Ledger) -> None:
        if hole := ledger.give_up(_FAILURES, _HELD):
            first, behind = map(from_ns, hole)
            told = (ledger.symbol, self._timeframe, first, behind)
            _log.error("stream: %s %s bars from %s until %s are left out", *told)

    def _see(self, asked: Sequence[Ledger], failures: Mapping[str, SourceError], now: int) -> None:
        """Raise what will not pass, and what has lasted too long."""
        if len(failures) < len(asked):
            self._looks_in_vain = 0
            return
        error = failures[asked[0].symbol]
        since = from_ns(min(ledger.next for ledger in asked))
        if all(map(_is_refused, failures.values())):
            raise self._blind("any more", error, since, retryable=False)
        if not self._looks_in_vain:
            self._blind_since = now
        self._looks_in_vain += 1
        if self._looks_in_vain >= _FAILURES and now - self._blind_since >= _BLIND:
            raise self._blind("for a quarter of an hour", error, since, retryable=True) from error

    def _blind(
        self, how_long: str, error: SourceError, since: datetime, *, retryable: bool
    ) -> SourceError:
        if isinstance(error, CredentialsError):  # of the one source that there is
            return error
        return NoDataError(
            f"no {self._timeframe} bar could be looked at {how_long}",
            retryable=retryable,
            expected=f"bars from {since} on",
            got=f"{error}",
            hint="fetch from there, and stream again when the source answers",
            fault=error.fault,
            causes=_causes(error),
            since=since,
        )


def _causes(error: SourceError) -> Mapping[str, SourceError]:
    """What each source said, or the only one."""
    causes: Mapping[str, SourceError] = error.context.get("causes") or {}
    return causes or {error.context.get("source") or "the source": error}


def _is_refused(error: SourceError) -> bool:
    """Whether all who could ever answer refuse the keys."""
    able = [cause for cause in _causes(error).values() if cause.fault != "unable"]
    return bool(able) and all(isinstance(cause, CredentialsError) for cause in able)


def _is_lasting(error: SourceError) -> bool:
    """Whether waiting does not help: what has no bars may have some later, if anybody knows it."""
    unknown = any(cause.fault == _NOBODY for cause in _causes(error).values())
    return not error.retryable and (unknown or error.fault not in _NOTHING)


def _names(symbols: Sequence[str]) -> str:
    more = len(symbols) - _NAMED
    return ", ".join(symbols[:_NAMED]) + (f" and {more} more" if more > 0 else "")
