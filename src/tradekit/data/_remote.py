"""What sources across the network share: what to ask for, how many at once, and how it failed."""

from __future__ import annotations

import asyncio
import re
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, datetime, timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar, Union

import attrs
import numpy as np

from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.clock import Clock, SystemClock, from_ns, to_ns
from .._core.days import weekdays
from .._core.errors import (
    CredentialsError,
    NoDataError,
    RateLimitError,
    SourceError,
    UsageError,
)
from .._core.figures import duration
from .._core.request import BarsRequest
from .._core.resample import resample
from .._core.source import DataSource
from .._core.timeframe import Timeframe
from ._crew import Crew

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
Answer: TypeAlias = Union["pd.DataFrame", SourceError, None]

TIMEOUT = timedelta(seconds=4)
_MINUTES = (1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240)
INTRADAY = tuple(Timeframe(f"{minutes}Min") for minutes in _MINUTES)
DAILY = (Timeframe("1Day"), Timeframe("1Week"))

_AT_ONCE = 4
_SESSION_MINUTES = 390
_CLASS_SHARE = re.compile(r"[A-Z]+\.[A-C]")


@attrs.frozen
class Query:
    """What a vendor is asked: bars as it serves them, from a moment to a moment."""

    symbols: tuple[str, ...]
    timeframe: Timeframe
    start: datetime
    end: datetime
    adjustment: str


def dashed(symbol: str) -> str:
    """Write a class share as most vendors do: ``BRK-B`` for ``BRK.B``."""
    return symbol.replace(".", "-") if _CLASS_SHARE.fullmatch(symbol) else symbol


class Remote(DataSource):
    """A source across the network: write ``_ask``, which fetches what a vendor serves as it is.

    Bars are those of regular hours, counted from the session's open whoever the vendor is: those
    that a vendor counts by clock hours (or weeks) are made of shorter ones. The newest so many are
    found through a start that lies far enough back in the exchange's calendar; where a symbol
    trades too seldom for that, it is asked for once more from farther back.
    """

    batch = True
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
        self._crew = Crew(_AT_ONCE, f"tradekit-{self.name}")

    @abstractmethod
    async def _ask(self, query: Query) -> Mapping[str, Answer]:
        """Answer with frames by symbol; what a symbol lacks is None, or says why."""

    def _first_day(self, timeframe: Timeframe) -> date:
        """Tell the first day whose bars are served."""
        return self._since

    async def _fetch(self, request: BarsRequest) -> dict[str, Bars | SourceError | None]:
        timeframe = self._native(request.timeframe)
        now = self.clock.now()
        due = min(request.end or now, now)
        start = self._start(request, timeframe, due)
        answers = await self._shaped(request, timeframe, start, due)
        if request.start is not None or request.limit is None:
            return answers
        short = tuple(s for s, answer in answers.items() if _seldom(answer, request.limit))
        farther = self._start(request, timeframe, due, times=5)
        if short and farther < start:
            rest = attrs.evolve(request, symbols=short)
            answers |= await self._shaped(rest, timeframe, farther, due)
        return answers

    async def _shaped(
        self, request: BarsRequest, timeframe: Timeframe, start: datetime, due: datetime
    ) -> dict[str, Bars | SourceError | None]:
        if start >= due:
            return dict.fromkeys(request.symbols)
        query = Query(request.symbols, timeframe, start, due, request.adjustment)
        answers = await self._ask(query)
        return {s: self._shape(s, answers.get(s), query, request.timeframe) for s in query.symbols}

    def _shape(
        self, symbol: str, answer: Answer, query: Query, timeframe: Timeframe
    ) -> Bars | SourceError | None:
        if answer is None or isinstance(answer, SourceError):
            return answer
        try:
            bars = Bars.from_frame(answer, symbol, query.timeframe, source=self.name)
            # What lies around the sessions was never asked for: nothing of it is dropped.
            return resample(bars.until(query.end), timeframe)._replace(dropped=bars.dropped)
        except UsageError as error:
            return self._failure(error, symbol)

    def _native(self, timeframe: Timeframe) -> Timeframe:
        """Give the longest bars that the vendor counts as we do, and that make up what is asked."""
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
        fitting = (
            native
            for native in map(Timeframe, self._natives)
            if native.is_intraday == timeframe.is_intraday
            and timeframe.seconds % native.seconds == 0
        )
        return max(fitting)

    def _start(
        self, request: BarsRequest, timeframe: Timeframe, due: datetime, times: int = 1
    ) -> datetime:
        """Give the midnight before the first bar: a session, or a week, is asked for as a whole."""
        calendar, first = calendar_for(), np.datetime64(self._first_day(timeframe), "D")
        if request.start is not None:
            day = calendar.dates(np.array([to_ns(request.start)]))[0]
        elif request.limit is not None:
            begun = int(np.searchsorted(calendar.opens, to_ns(due)))
            back = times * _sessions(request.limit, request.timeframe)
            day = max(calendar.sessions[max(0, begun - back)], first)
        else:
            day = first
        if day < first:
            raise self._too_early(timeframe, first, request.start)
        if request.timeframe == "1Week":
            day -= weekdays(day)
        return from_ns(calendar.labels(np.array([day]))[0])

    async def _beside(self, work: Callable[[], T]) -> T:
        """Let a thread of the crew do what blocks, and say what became of it in our words."""
        try:
            return await self._crew.run(work, patience=self._patience)
        except SourceError:
            raise
        except Exception as error:
            raise self._failure(error) from error

    async def _each(
        self, symbols: tuple[str, ...], ask: Callable[[str], Awaitable[Answer]]
    ) -> dict[str, Answer]:
        """Ask for symbols one by one, a few at once; stop when nobody could be served."""
        answers: dict[str, Answer] = {}
        waiting = iter(symbols)

        async def take_turns() -> None:
            for symbol in waiting:
                try:
                    answers[symbol] = await ask(symbol)
                except Exception as error:
                    failure = answers[symbol] = self._failure(error, symbol)
                    if self._hopeless(failure, answers):
                        answers.update(dict.fromkeys(waiting, failure))

        await asyncio.gather(*(take_turns() for _ in range(_AT_ONCE)))
        return answers

    @staticmethod
    def _hopeless(failure: SourceError, answers: Mapping[str, Answer]) -> bool:
        """Tell whether others would fail alike: refused keys, a used budget, a dead network."""
        if isinstance(failure, CredentialsError | RateLimitError):
            return True
        dead = (isinstance(a, SourceError) and "unreachable" in a.context for a in answers.values())
        return all(dead)

    def _failure(self, error: Exception, symbol: str | None = None) -> SourceError:
        """Say what a client raised in our words."""
        if isinstance(error, SourceError):
            return error
        if isinstance(error, ImportError):
            return self._absent(str(error))
        if isinstance(error, OSError) and not isinstance(error, ValueError):
            return self._unreachable(error)
        cause = self._plain(f"{type(error).__name__}: {error}")
        problem = f"{self.name} sent bad bars"
        return _chained(SourceError(problem, got=cause, source=self.name, symbol=symbol), error)

    def _unreachable(self, error: Exception) -> SourceError:
        root: BaseException = error
        while (deeper := root.__cause__ or root.__context__) is not None:
            root = deeper
        failure = SourceError(
            f"{self.name} cannot be reached",
            expected=f"an answer within {self._timeout:g} s",
            got=self._plain(f"{type(error).__name__}: {root}"),
            hint="look at the network and its proxy; SimulatedSource needs none",
            source=self.name,
            unreachable=True,
        )
        return _chained(failure, error)

    def _refusal(
        self, status: int, said: str, headers: Mapping[str, str], symbol: str | None = None
    ) -> SourceError:
        """Sort an answer that is none by its HTTP status."""
        said = self._plain(f"{status} {said}")
        facts: dict[str, Any] = {"got": said, "source": self.name}
        if status in (401, 403):
            hint = "check the keys, and what their plan includes"
            return CredentialsError(f"{self.name} refuses access", hint=hint, **facts)
        if status == 429:
            return self._limited(said, headers)
        facts["symbol"] = symbol
        if status == 404:
            hint = "check the symbol"
            return NoDataError(f"{self.name} does not know {symbol or 'this'}", hint=hint, **facts)
        return SourceError(
            f"{self.name} could not answer",
            retryable=status >= 500 or status == 408,
            hint="ask again later" if status >= 500 else "another window or timeframe",
            **facts,
        )

    def _limited(self, said: str, headers: Mapping[str, str]) -> RateLimitError:
        return RateLimitError(
            f"{self.name} has answered often enough for now",
            retry_after=_wait(headers, self.clock.now()),
            got=self._plain(said),
            hint="ask less often, or for many symbols at once",
            source=self.name,
        )

    def _too_early(
        self, timeframe: Timeframe, first: np.datetime64, start: datetime | None
    ) -> NoDataError:
        return NoDataError(
            f"{self.name} has no {timeframe} bars of so long ago",
            expected=f"a start from {first} on",
            got=f"{start}",
            hint="a later start, longer bars, or another source",
            source=self.name,
        )

    def _absent(self, cause: str) -> SourceError:
        return SourceError(
            f"{self.name} cannot be used without its client",
            retryable=False,
            got=cause.splitlines()[0],
            hint=f"pip install 'tradekit[{self.name}]'",
            source=self.name,
        )

    def _plain(self, text: str) -> str:
        """One short line without keys, whoever echoes them."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())[:200].rstrip(".")


def _chained(failure: SourceError, cause: Exception) -> SourceError:
    failure.__cause__ = cause
    return failure


def _seldom(answer: Bars | SourceError | None, limit: int) -> bool:
    return answer is None or (isinstance(answer, Bars) and len(answer) < limit)


def _sessions(limit: int, timeframe: Timeframe) -> int:
    """How many sessions hold so many bars, with room for half days and a few that are missing."""
    if timeframe.is_intraday:
        needed = -(-limit // -(-_SESSION_MINUTES * 60 // timeframe.seconds))
    else:
        needed = limit * (5 if timeframe == "1Week" else 1)
    return needed + needed // 10 + 3


def _wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait, as ``Retry-After`` gives them or as the moment of ``X-RateLimit-Reset``."""
    told = {name.lower(): value for name, value in headers.items()}
    try:
        if "retry-after" in told:
            return max(0.0, float(told["retry-after"]))
        if "x-ratelimit-reset" in told:
            return max(0.0, float(told["x-ratelimit-reset"]) - now.timestamp())
    except ValueError:
        pass  # a date, or nothing that can be read: then nobody knows how long
    return None
