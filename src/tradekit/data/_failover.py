"""One question on its way along the sources, each with its share of the time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import attrs

from .._core.answers import source_name
from .._core.bars import Bars
from .._core.clock import Clock
from .._core.errors import NoDataError, SourceError
from .._core.request import BarsRequest, Fetched
from .._core.source import DataSource
from ._checks import may_be_short, objection, shortage
from ._health import faults

T = TypeVar("T")


class Deadline:
    """The time that a call may take, shared out to those who are still to be asked.

    Parameters
    ----------
    timeout : timedelta
        From now on, by the running loop.
    """

    def __init__(self, timeout: timedelta) -> None:
        self._end = asyncio.get_running_loop().time() + timeout.total_seconds()

    def share(self, among: int) -> float:
        """Give one of so many the seconds that are due to it."""
        return max(0.0, self._end - asyncio.get_running_loop().time()) / among


async def within(
    seconds: float, source: DataSource, calls: Sequence[Coroutine[Any, Any, T]]
) -> list[T | SourceError]:
    """Wait for calls to a source side by side; what is not there in time is given up.

    Parameters
    ----------
    seconds : float
        How long to wait.
    source : DataSource
        Whom they ask.
    calls : sequence of coroutine
        Not yet started.

    Returns
    -------
    list
        What each gave, or why not, in the same order.
    """
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        # Not asyncio.timeout: it would throw away an answer that came while the loop was blocked.
        await asyncio.wait(tasks, timeout=seconds)
        return [_outcome(task, source, seconds) for task in tasks]
    finally:
        for task in tasks:
            if not task.done():
                task.add_done_callback(_forget)
                task.cancel()


def _outcome(task: asyncio.Task[T], source: DataSource, seconds: float) -> T | SourceError:
    name = source_name(source)
    if not task.done():
        late = f"nothing within {seconds:.1f} s"
        hint = "MultiSourceDataManager(..., timeout=...) for slow networks"
        return SourceError(f"{name} did not answer in time", got=late, hint=hint, source=name)
    if task.cancelled():
        return SourceError(f"{name} gave up", got="CancelledError", source=name)
    error = task.exception()
    if error is None:
        return task.result()
    if isinstance(error, SourceError):
        return error
    if not isinstance(error, Exception):
        raise error
    told = SourceError(f"{name} is broken", retryable=False, got=str(error), source=name)
    told.__cause__ = error
    return told


def _forget(task: asyncio.Task[Any]) -> None:
    """Nobody waits for it any more; asyncio need not complain that nobody looked."""
    if not task.cancelled():
        task.exception()


@attrs.define
class Heard:
    """What a call says of its source.

    Parameters
    ----------
    good : int
        How many symbols it answered well.
    bad : list of SourceError
        Its own faults.
    """

    good: int = 0
    bad: list[SourceError] = attrs.field(factory=list)


class Failover:
    """The bars that were found so far, and why the others were not.

    Parameters
    ----------
    request : BarsRequest
        What is asked.
    clock : Clock
        Who says what time it is.
    """

    def __init__(self, request: BarsRequest, clock: Clock) -> None:
        self.request, self.now = request, clock.now()
        self._clock = clock
        self.bars: dict[str, Bars] = {}
        self.answered_by: dict[str, DataSource] = {}
        self.blamed: dict[str, str] = {}
        self._causes: dict[str, dict[str, SourceError]] = {s: {} for s in request.symbols}
        self._short: dict[str, dict[str, tuple[DataSource, Bars]]] = {}

    @property
    def missing(self) -> tuple[str, ...]:
        """Who has no bars yet."""
        return tuple(symbol for symbol in self.request.symbols if symbol not in self.bars)

    def skip(self, name: str, why: SourceError, *, blame: bool = False) -> None:
        """Note why a source was not asked, and whether it is to blame."""
        for symbol in self.missing:
            self._causes[symbol][name] = why
        if blame:
            self.blamed[name] = str(why)

    async def ask(self, name: str, source: DataSource, seconds: float) -> Heard:
        """Ask a source for all that is missing.

        Parameters
        ----------
        name : str
            Under which it is known.
        source : DataSource
            Whom.
        seconds : float
            How long it may take.

        Returns
        -------
        Heard
            What that says of the source.
        """
        request = self._request(source)
        # One by one, what has come in time is kept although the rest is late.
        parts = [request] if source.batch else [_only(request, s) for s in request.symbols]
        answers = await within(seconds, source, [source.fetch(part) for part in parts])
        errors = [
            error
            for part, answer in zip(parts, answers, strict=True)
            for symbol in part.symbols
            if (error := self._take(name, source, symbol, answer))
        ]
        good = len(request.symbols) - len(errors)
        return self._judged(name, Heard(good, faults(errors, good)))

    def settle(self) -> dict[str, Heard]:
        """Take the longest of the short answers where there is no other.

        Returns
        -------
        dict of str to Heard
            What this says of those who gave them: who left bars out is known by now.
        """
        told: dict[str, Heard] = {}
        for symbol, answers in self._short.items():
            if symbol not in self.bars:
                longest = max(answers, key=lambda name: len(answers[name][1]))
                self._accept(*answers[longest])
            for name, (source, bars) in answers.items():
                heard = told.setdefault(name, Heard())
                if len(bars) == len(self.bars[symbol]):
                    heard.good += 1
                elif not may_be_short(source, bars, self.now):
                    heard.bad.append(self._causes[symbol][name])
        return {name: self._judged(name, heard) for name, heard in told.items()}

    def result(self) -> Fetched:
        """Give the bars by symbol, and what each source said of the symbols that have none."""
        failures: dict[str, SourceError] = {s: self._nobody(s) for s in self.missing}
        bars = {s: self.bars[s] for s in self.request.symbols if s in self.bars}
        return Fetched(bars, failures)

    def _request(self, source: DataSource) -> BarsRequest:
        # A source that lives in another time would tell bars that are not known yet.
        elsewhere = self.request.end is None and source.clock != self._clock
        end = self.now if elsewhere else self.request.end
        return attrs.evolve(self.request, symbols=self.missing, end=end)

    def _take(
        self, name: str, source: DataSource, symbol: str, answer: Fetched | SourceError
    ) -> SourceError | None:
        """Keep one symbol's answer, or say what is wrong with it."""
        failure = answer if isinstance(answer, SourceError) else answer.failures.get(symbol)
        if isinstance(answer, SourceError) or failure is not None:
            error = failure
        else:
            bars = answer.bars[symbol]
            error = objection(source, self.request, bars, self.now)
            if error is None and (error := shortage(source, self.request, bars)):
                self._short.setdefault(symbol, {})[name] = source, bars
            elif error is None:
                self._accept(source, bars)
        if error is not None:
            self._causes[symbol][name] = error
        return error

    def _accept(self, source: DataSource, bars: Bars) -> None:
        self.bars[bars.symbol], self.answered_by[bars.symbol] = bars, source

    def _judged(self, name: str, heard: Heard) -> Heard:
        if heard.bad and not heard.good:
            self.blamed[name] = str(heard.bad[0])
        return heard

    def _nobody(self, symbol: str) -> NoDataError:
        return nobody(
            f"has bars of {symbol} ({self.request.timeframe})", self._causes[symbol], symbol=symbol
        )


def _only(request: BarsRequest, symbol: str) -> BarsRequest:
    return attrs.evolve(request, symbols=symbol)


def nobody(what: str, causes: Mapping[str, SourceError], **facts: Any) -> NoDataError:
    """Say that no source could answer, and why none of them could.

    Parameters
    ----------
    what : str
        What was asked for.
    causes : mapping of str to SourceError
        By source.
    **facts : object
        What else the error should carry.

    Returns
    -------
    NoDataError
        It carries ``causes``.
    """
    return NoDataError(
        f"no source {what}",
        retryable=any(cause.retryable for cause in causes.values()),
        got="; ".join(f"{name}: {cause}" for name, cause in causes.items()) or "no source",
        causes=dict(causes),
        **facts,
    )
