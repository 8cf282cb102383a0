"""Checks of sources: complete bars, the newest, the same every time, and never silence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from .._core.bars import Bars
from .._core.clock import from_ns
from .._core.errors import ContractError, NoDataError, SourceError, UsageError
from .._core.request import BarsRequest, Fetched
from .._core.source import DataSource
from ._check import Check, as_checks, fail
from ._quiet import side_by_side
from ._series import difference

_LIMIT = 20


def check_source(
    source: DataSource,
    request: BarsRequest,
    *,
    unknown: str = "NOSUCHSYMBOL",
    known_failures: Mapping[str, str] | None = None,
) -> tuple[Check, ...]:
    """Give the checks that every data source should pass, by name.

    Parameters
    ----------
    source : DataSource
        The one to try.
    request : BarsRequest
        What it can answer: a window with ``start`` and ``end`` that holds more than 20 bars of
        each of its symbols, and no ``limit``.
    unknown : str
        A symbol that it does not have.
    known_failures : mapping of str to str, optional
        Checks that are known to fail, each with the reason; one that passes is an error.

    Returns
    -------
    tuple of Check
        For ``@pytest.mark.parametrize("check", check_source(...))``.

    Raises
    ------
    UsageError
        When the request has no start, no end, or a limit.

    Notes
    -----
    - ``answers`` with enough bars, and ``says_where_from``: source, feed and adjustment.
    - ``stays_in_the_window``: a part of the window gives that part of the bars.
    - ``limit_is_the_newest``: a limit keeps the last bars, with a start or without.
    - ``complete_bars_only``: nothing of a bar is told before it is complete.
    - ``past_stays``: an earlier end gives the same bars, fewer (in raw prices where it has them).
    - ``same_every_time``, ``one_as_many`` (a symbol alone or among others) and
      ``loops_and_threads``: the same bars.
    - ``unknown_symbol`` and ``unknown_among_known``: a `NoDataError` for it alone.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from tradekit.data import SimulatedSource
    >>> start, end = datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC)
    >>> request = BarsRequest(("SPY", "QQQ"), "1Day", start=start, end=end)
    >>> for check in check_source(SimulatedSource(), request):
    ...     check()
    """
    if request.start is None or request.end is None or request.limit is not None:
        raise UsageError(
            "a request that pins nothing down",
            expected="start and end, and no limit",
            got=str(request),
            hint="a window that holds more than 20 bars, whenever it is asked for",
        )
    trial = _Trial(source, request, unknown)
    questions: dict[str, Callable[[], None]] = {
        "answers": trial.answers,
        "says_where_from": trial.says_where_from,
        "stays_in_the_window": trial.stays_in_the_window,
        "limit_is_the_newest": trial.limit_is_the_newest,
        "complete_bars_only": trial.complete_bars_only,
        "past_stays": trial.past_stays,
        "same_every_time": trial.same_every_time,
        "one_as_many": trial.one_as_many,
        "unknown_symbol": trial.unknown_symbol,
        "unknown_among_known": trial.unknown_among_known,
        "loops_and_threads": trial.loops_and_threads,
    }
    return as_checks(questions, known_failures)


class _Trial:
    def __init__(self, source: DataSource, request: BarsRequest, unknown: str) -> None:
        self.source, self.request, self.unknown = source, request, unknown
        self.who = repr(source)
        # Adjusted prices may know later splits; prices as they were must not depend on the end.
        able = source.capabilities.adjustments
        self.as_traded = {"adjustment": "raw" if "raw" in able else request.adjustment}

    def ask(self, **changes: Any) -> Fetched:
        facts = {
            name: getattr(self.request, name)
            for name in ("symbols", "timeframe", "start", "end", "limit", "adjustment")
        }
        return asyncio.run(self.source.fetch(BarsRequest(**{**facts, **changes})))

    def bars(self, **changes: Any) -> dict[str, Bars]:
        fetched = self.ask(**changes)
        for symbol, error in fetched.failures.items():
            self.no(f"has no bars of {symbol}", "bars", str(error), "ask for what it has")
        return fetched.bars

    def no(self, problem: str, expected: str, got: str, hint: str) -> None:
        fail(self.who, problem, expected=expected, got=got, hint=hint)

    def answers(self) -> None:
        for symbol, bars in self.bars().items():
            if len(bars) <= _LIMIT:
                self.no(
                    f"gives too few bars of {symbol} to tell anything",
                    f"more than {_LIMIT}",
                    str(len(bars)),
                    "a longer window",
                )

    def says_where_from(self) -> None:
        for bars in self.bars().values():
            facts = {name: getattr(bars, name) for name in ("source", "feed", "adjustment")}
            if "unknown" in facts.values():
                self.no(
                    "does not say where its bars come from",
                    "source, feed and adjustment",
                    str(facts),
                    "Bars.from_frame(frame, ..., source=, feed=, adjustment=)",
                )

    def stays_in_the_window(self) -> None:
        whole = self.bars(**self.as_traded)
        for symbol, bars in whole.items():
            third = len(bars) // 3
            start, end = from_ns(bars.time[third]), from_ns(bars.close_time[2 * third])
            self._same(
                bars[third : 2 * third + 1],
                self.bars(start=start, end=end, **self.as_traded)[symbol],
                "in a window cut out of the middle",
            )

    def limit_is_the_newest(self) -> None:
        newest = self.bars(limit=_LIMIT)
        for symbol, bars in self.bars().items():
            self._same(bars[-_LIMIT:], newest[symbol], "with a limit: the newest, not the oldest")
        ending = self.bars(limit=_LIMIT, start=None)
        for symbol, bars in newest.items():
            self._same(bars, ending[symbol], "with a limit and no start")

    def complete_bars_only(self) -> None:
        for symbol, bars in self.bars(**self.as_traded).items():
            within = from_ns((int(bars.time[-2]) + int(bars.close_time[-2])) // 2)
            early = self.bars(end=within, **self.as_traded)[symbol]
            self._same(bars.until(int(bars.close_time[-3])), early, "by the middle of a bar")

    def past_stays(self) -> None:
        for symbol, bars in self.bars(**self.as_traded).items():
            earlier = from_ns(bars.close_time[len(bars) // 2])
            then = self.bars(end=earlier, **self.as_traded)[symbol]
            self._same(bars[: len(then)], then, "when asked as of an earlier moment")

    def same_every_time(self) -> None:
        first, again = self.bars(), self.bars()
        for symbol, bars in first.items():
            self._same(bars, again[symbol], "the second time")

    def one_as_many(self) -> None:
        for symbol, bars in self.bars().items():
            self._same(bars, self.bars(symbols=(symbol,))[symbol], "when asked for alone")

    def unknown_symbol(self) -> None:
        self._refused(self.ask(symbols=(self.unknown,)))

    def unknown_among_known(self) -> None:
        fetched = self.ask(symbols=(*self.request.symbols, self.unknown))
        self._refused(fetched)
        if set(fetched.bars) != set(self.request.symbols):
            self.no(
                "loses known symbols beside an unknown one",
                ", ".join(self.request.symbols),
                ", ".join(fetched.bars) or "none",
                "answer with a dict: bars by symbol, a NoDataError for the unknown one",
            )

    def _refused(self, fetched: Fetched) -> None:
        error: SourceError | None = fetched.failures.get(self.unknown)
        if not isinstance(error, NoDataError):
            self.no(
                f"does not say that {self.unknown} is unknown",
                "a NoDataError for it",
                repr(error or fetched.bars.get(self.unknown)),
                "leave the symbol out of the answer, or raise NoDataError",
            )

    def loops_and_threads(self) -> None:
        try:
            answers = side_by_side([self.bars] * 3, type(self.source).__module__)
        except ContractError as error:
            self.no(
                "answers in one thread only",
                "the same bars in every thread and event loop",
                str(error.got),
                "open connections and locks within the call, or one for each thread",
            )
        for other in answers[1:]:
            for symbol, bars in answers[0].items():
                self._same(bars, other[symbol], "in another thread and event loop")

    def _same(self, wanted: Bars, got: Bars, when: str) -> None:
        if wanted != got:
            self.no(
                f"gives other bars of {wanted.symbol} {when}",
                repr(wanted),
                difference(wanted, got),
                "the same bars whatever else is asked",
            )
