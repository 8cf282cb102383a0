"""What sources across the network share: what to ask for, how many at once, and how it is read."""

from __future__ import annotations

import asyncio
import re
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import groupby
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar, Union

import attrs
import numpy as np

from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.clock import Clock, SystemClock, from_ns
from .._core.errors import CredentialsError, NoDataError, RateLimitError, SourceError, UsageError
from .._core.figures import duration
from .._core.request import BarsRequest
from .._core.resample import resample
from .._core.source import DataSource
from .._core.timeframe import Timeframe
from ._budget import Meter
from ._crew import Crew
from ._failures import Failures
from ._window import first_from, newest_from

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
Answer: TypeAlias = Union["pd.DataFrame", Bars, SourceError, None]

TIMEOUT = timedelta(seconds=4)
_MINUTES = (1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240)
INTRADAY = tuple(Timeframe(f"{minutes}Min") for minutes in _MINUTES)
DAILY = (Timeframe("1Day"), Timeframe("1Week"))

_AT_ONCE = 4
_FARTHER = 5
_CLASS_SHARE = re.compile(r"[A-Z]+\.[A-C]")


@attrs.frozen
class Query:
    """What a vendor is asked: bars as it serves them, from a moment to a moment."""

    symbols: tuple[str, ...]
    timeframe: Timeframe
    start: datetime
    end: datetime
    adjustment: str
    calendar: str
    ends: float | None = None  # by `time.monotonic`: what is not there then comes too late


def dashed(symbol: str) -> str:
    """Write a class share as most vendors do: ``BRK-B`` for ``BRK.B``."""
    return symbol.replace(".", "-") if _CLASS_SHARE.fullmatch(symbol) else symbol


def sides(said: Mapping[str, Any], names: Sequence[tuple[str, str, str]]) -> dict[str, float]:
    """Read a quote: each side, its price and its size by the vendor's names; 0 or null is none."""
    told: dict[str, float] = {}
    for side, price, size in names:
        if said[price]:
            told |= {side: float(said[price]), f"{side}_size": float(said[size])}
    return told


class Remote(Failures, DataSource):
    """A source across the network: write ``_ask``, which fetches what a vendor serves as it is.

    Bars are those of regular hours, counted from the session's open whoever the vendor is: those
    that a vendor counts by clock hours (or weeks) are made of shorter ones. The newest so many are
    found through a start that lies as far back in the exchange's calendar; where a symbol trades
    too seldom for that, it is asked for once more from farther back.
    """

    batch = True
    _divides = True
    _vendor: ClassVar[str | None] = None
    _since: ClassVar[date]
    _natives: ClassVar[tuple[str, ...]]

    def __init__(self, *secrets: str, timeout: timedelta, clock: Clock | None) -> None:
        duration(timeout, "a timeout is a duration", "timeout=timedelta(seconds=4)")
        if self._vendor is not None and find_spec(self._vendor) is None:
            raise self._absent(f"no module named {self._vendor}")
        self.clock = clock or SystemClock()
        self._timeout = timeout.total_seconds()
        # Beyond a socket's own timeout: names that resolve slowly, answers that drip.
        self._patience = 1.5 * self._timeout
        self._secrets = secrets
        self.meter = Meter()
        self._crew = Crew(_AT_ONCE, f"tradekit-{self.name}")

    @abstractmethod
    async def _ask(self, query: Query) -> Mapping[str, Answer]:
        """Answer with frames or bars by symbol; what a symbol lacks is None, or says why."""

    def _first_day(self, timeframe: Timeframe) -> date:
        """Tell the first day whose bars are served."""
        return self._since

    def _calendar(self, symbol: str) -> str:
        """Tell the code of the calendar that a symbol trades by."""
        return "XNYS"

    def _served(self, calendar: str) -> tuple[str, ...]:
        """Name the lengths of bars that the vendor counts as the calendar's sessions do."""
        return self._natives

    def _spare(self, request: BarsRequest, due: datetime) -> int:
        """Tell how many bars more to ask for, as some of the newest may be missing."""
        return -(-(request.limit or 0) // 10)

    async def _fetch(self, request: BarsRequest) -> dict[str, Answer]:
        self._check_length(request.timeframe)
        ends = monotonic() + request.timeout.total_seconds() if request.timeout else None
        answers: dict[str, Answer] = {}
        for code, symbols in groupby(sorted(request.symbols, key=self._calendar), self._calendar):
            part = attrs.evolve(request, symbols=tuple(symbols))
            answers |= await self._of_market(part, code, ends)
        return answers

    async def _of_market(
        self, request: BarsRequest, code: str, ends: float | None
    ) -> dict[str, Answer]:
        now, timeframe = self.clock.now(), request.timeframe
        due = min(request.end or now, now)
        start, native = self._start(request, code, due), self._native(timeframe, code)
        query = Query(request.symbols, native, start, due, request.adjustment, code, ends)
        answers = await self._shaped(query, timeframe)
        if request.start is not None or request.limit is None:
            return answers
        short = tuple(s for s, answer in answers.items() if _seldom(answer, request.limit))
        if short and (farther := self._start(request, code, due, times=_FARTHER)) < start:
            rest = attrs.evolve(query, symbols=short, start=farther)
            again = await self._shaped(rest, timeframe)
            # What there is, though little, is more than a failure.
            answers |= {s: a for s, a in again.items() if not answers[s] or isinstance(a, Bars)}
        return answers

    async def _shaped(self, query: Query, timeframe: Timeframe) -> dict[str, Answer]:
        if query.start >= query.end:
            return dict.fromkeys(query.symbols)
        try:
            answers = await self._ask(query)
        except Exception as error:  # of one market, or of the second question, alone
            return dict.fromkeys(query.symbols, self._failure(error))
        return {s: self._shape(s, answers.get(s), query, timeframe) for s in query.symbols}

    def _shape(self, symbol: str, answer: Answer, query: Query, timeframe: Timeframe) -> Answer:
        if answer is None or isinstance(answer, SourceError):
            return answer
        try:
            bars = answer if isinstance(answer, Bars) else self._as_bars(symbol, answer, query)
            bars = bars.until(query.end)
            if timeframe == query.timeframe and (bars.session >= 0).all():
                return bars  # as they came
            # What lies around the sessions was never asked for: nothing of it is dropped.
            return resample(bars, timeframe)._replace(dropped=bars.dropped)
        except UsageError as error:
            return self._failure(error, symbol)

    def _as_bars(self, symbol: str, frame: pd.DataFrame, query: Query) -> Bars:
        return Bars.from_frame(
            frame, symbol, query.timeframe, source=self.name, calendar=query.calendar
        )

    def _check_length(self, timeframe: Timeframe) -> None:
        served = self.capabilities.timeframes or ()
        if timeframe not in served:
            raise SourceError(
                f"{self.name} serves no {timeframe} bars",
                retryable=False,
                expected=f"one of {', '.join(served)}",
                got=timeframe,
                hint="another source",
                source=self.name,
            )

    def _native(self, timeframe: Timeframe, code: str) -> Timeframe:
        """Give the longest bars that the vendor counts as we do, and that make up what is asked."""
        return _longest(self._served(code), timeframe)

    def _start(self, request: BarsRequest, code: str, due: datetime, times: int = 1) -> datetime:
        """Give the label of the first bar to ask for."""
        calendar, timeframe = calendar_for(code), request.timeframe
        earliest = self._first_day(self._native(timeframe, code))
        first = _label(code, earliest)
        if request.start is not None:
            if request.start < first:
                raise self._too_early(timeframe, earliest, request.start)
            return first_from(calendar, timeframe, request.start)
        if request.limit is None:
            return first_from(calendar, timeframe, first)
        count = times * request.limit + self._spare(request, due)
        return max(newest_from(calendar, timeframe, due, count), first)

    def _check_screen(self, category: str) -> None:
        if category not in self.capabilities.screens:
            raise SourceError(
                f"{self.name} has no screen for {category!r}",
                retryable=False,
                expected=" or ".join(self.capabilities.screens),
                hint="a screen over bars, as DynamicWatchlistManager has them",
                source=self.name,
            )

    async def _beside(self, work: Callable[[], T]) -> T:
        """Let a thread of the crew do what blocks, and say what became of it in our words."""
        try:
            return await self._crew.run(work, patience=self._patience)
        except Exception as error:
            # Without the frames in which it worked, whose variables hold what the vendor said.
            failure = self._failure(error).with_traceback(None)
        raise failure from failure.__cause__

    async def _each(
        self, query: Query, ask: Callable[[str], Awaitable[Answer]]
    ) -> dict[str, Answer]:
        """Ask for symbols one by one, a few at once; stop when nobody could be served, or late."""
        answers: dict[str, Answer] = {}
        waiting = iter(query.symbols)

        async def take_turns() -> None:
            for symbol in waiting:
                try:
                    answers[symbol] = await ask(symbol)
                except Exception as error:
                    failure = answers[symbol] = self._failure(error, symbol)
                    if self._hopeless(failure, answers):
                        answers.update(dict.fromkeys(waiting, failure))

        others = [asyncio.ensure_future(take_turns()) for _ in query.symbols[1:_AT_ONCE]]
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(query.ends and max(0.0, query.ends - monotonic())):
                    await take_turns()
                    await asyncio.gather(*others)
        finally:
            for turn in others:
                turn.cancel()
        return {s: answers[s] if s in answers else self._too_late(s) for s in query.symbols}

    def _too_late(self, symbol: str) -> SourceError:
        return SourceError(
            f"{self.name} did not come to {symbol} in time",
            hint="more time, or fewer symbols at once",
            source=self.name,
            symbol=symbol,
            fault="late",
        )

    @staticmethod
    def _hopeless(failure: SourceError, answers: Mapping[str, Answer]) -> bool:
        """Tell whether others would fail alike: refused keys, a used budget, nobody served."""
        if isinstance(failure, CredentialsError | RateLimitError):
            return True
        failed = [a for a in answers.values() if isinstance(a, SourceError)]
        if len(failed) < len(answers) or any(isinstance(error, NoDataError) for error in failed):
            return False
        return len(failed) >= _AT_ONCE or all("unreachable" in error.context for error in failed)

    def _too_early(self, timeframe: Timeframe, first: date, start: datetime) -> NoDataError:
        return NoDataError(
            f"{self.name} has no {timeframe} bars of so long ago",
            expected=f"a start from {first} on",
            got=f"{start}",
            hint="a later start, longer bars, or another source",
            source=self.name,
        )


@cache
def _longest(served: tuple[str, ...], timeframe: Timeframe) -> Timeframe:
    lengths = tuple(map(Timeframe, served))
    alike = [length for length in lengths if length.is_intraday == timeframe.is_intraday]
    return max(n for n in alike or lengths if timeframe.seconds % n.seconds == 0)


@lru_cache(maxsize=64)
def _label(code: str, day: date) -> datetime:
    """The label of a day's first bar, session or not."""
    return from_ns(calendar_for(code).labels(np.array([day], dtype="M8[D]"))[0])


def _seldom(answer: Answer, limit: int) -> bool:
    return answer is None or (isinstance(answer, Bars) and len(answer) < limit)
