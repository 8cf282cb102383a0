"""Answers on disk: what a source has told for good need not travel again."""

from __future__ import annotations

import atexit
import logging
import os
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache

import attrs

from .._core.answers import source_name
from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.clock import from_ns, to_ns
from .._core.request import BarsRequest, calendar_of
from .._core.source import DataSource
from ._crew import Crew
from ._known import Known, unsettled
from ._shelf import Series
from ._store import BarsStore
from ._window import begins

log = logging.getLogger("tradekit.data")

# All that touches a disk is done by one, in the order in which it comes.
CREW = Crew(1, "tradekit-disk")
_LAST = 1.0  # seconds that the process waits at its end for what is not yet written
_AT_ONCE = 50  # steps to a transaction, lest other processes wait for long
_FARTHER = 5  # times: how far to look back where bars are seldom

# A source that is to be forgotten; or an answer, how long its bars take to settle, and as of when.
Step = str | tuple[Bars, timedelta, datetime]


class DiskCache:
    """Keep settled answers on disk, and find what they tell of a question.

    To look there blocks: let `CREW` do it.

    Parameters
    ----------
    path : path, optional
        The file; else one in the user's folder for caches.
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._store = BarsStore(path)
        self._steps: deque[Step] = deque()
        self._wrong: dict[str, None] = {}  # sources that could not be forgotten yet
        _finish_at_exit()  # which comes before the files are let go of, for they are open by now

    @classmethod
    def of(cls, choice: bool | str | os.PathLike[str]) -> DiskCache | None:
        """Begin one where that is wanted.

        Parameters
        ----------
        choice : bool or path
            Whether, or in which file.
        """
        if choice is False:
            return None
        return cls(None if choice is True else choice)

    def renew(
        self,
        expelled: Iterable[str],
        answers: Iterable[tuple[Bars, timedelta]],
        now: datetime,
    ) -> None:
        """Forget what some sources have answered, and keep what others answer now, in good time.

        Parameters
        ----------
        expelled : iterable of str
            Whose bars are wrong, as these call them.
        answers : iterable of (Bars, timedelta)
            Sound ones, each with how long its bars take to settle.
        now : datetime
            Aware.
        """
        self._steps.extend([*self._wrong, *expelled, *((*answer, now) for answer in answers)])
        if self._steps:
            CREW.send(self._write)

    def _write(self) -> None:
        """Write all that has come by now; where that cannot be, nobody waits for the rest of it."""
        try:
            while steps := self._taken(_AT_ONCE):
                ready = [step if isinstance(step, str) else _settled(*step) for step in steps]
                todo = [step for step in ready if step is not None]
                if not todo or self._store.change(todo):
                    self._wrong = {name: None for name in self._wrong if name not in todo}
                else:  # answers can be had again, but who was wrong is to be forgotten all the same
                    steps += self._taken(len(self._steps))
                    self._wrong |= {step: None for step in steps if isinstance(step, str)}
        except Exception:
            log.exception("bars were not written to %s", self._store.path)

    def _taken(self, most: int) -> list[Step]:
        return [self._steps.popleft() for _ in range(min(most, len(self._steps)))]

    def known(
        self, sources: Mapping[str, DataSource], request: BarsRequest, now: datetime
    ) -> dict[str, Known]:
        """Find what is known of answers.

        Parameters
        ----------
        sources : mapping of str to DataSource
            In the order in which they are asked.
        request : BarsRequest
            What is asked.
        now : datetime
            Aware.

        Returns
        -------
        dict of str to Known
            By symbol, of the first source that has told some of it before.
        """
        found = {symbol: self._first(sources, request, symbol, now) for symbol in request.symbols}
        return {symbol: known for symbol, known in found.items() if known}

    def _first(
        self, sources: Mapping[str, DataSource], request: BarsRequest, symbol: str, now: datetime
    ) -> Known | None:
        calendar = calendar_of(symbol)
        for name, source in sources.items():
            if not keeps(name, source):
                continue
            said = source_name(source), calendar
            feed = source.capabilities.feed
            series = Series(symbol, request.timeframe, request.adjustment, feed, *said)
            # A plan may grant another tape than the one that was asked for.
            for each in sorted(self._store.feeds(series), key=lambda tape: tape != feed):
                if known := self._known(name, attrs.evolve(series, feed=each), request, now):
                    return known
        return None

    def _known(
        self, name: str, series: Series, request: BarsRequest, now: datetime
    ) -> Known | None:
        calendar, due = calendar_for(series.calendar), to_ns(request.end or now)
        begin = to_ns(begins(calendar, request, now))
        kept = self._store.get(series, begin, due)
        if request.start is None and kept.bars is not None and kept.bars.gap_before.any():
            # It trades seldom: as many bars reach back farther.
            asked = attrs.evolve(request, limit=_FARTHER * (request.limit or 1))
            kept = self._store.get(series, to_ns(begins(calendar, asked, now)), due)
        covered = tuple(piece for piece in kept.pieces if piece[1] > begin)
        if kept.bars is None or not covered:
            return None
        bars = kept.bars.until(min(request.end or now, now))
        bars = bars[int(bars.time.searchsorted(covered[0][0])) :]
        if not len(bars):
            return None
        return Known(name, bars, from_ns(bars.close_time[-1]), covered)


def keeps(name: str, source: DataSource) -> bool:
    """Tell whether a source's answers may lie on disk.

    Parameters
    ----------
    name : str
        Under which it is asked.
    source : DataSource
        Whom.

    Returns
    -------
    bool
        False where another one has its name: nobody could tell their bars apart.
    """
    return name == source_name(source)


def _settled(bars: Bars, settle: timedelta, now: datetime) -> Bars | None:
    """What can no longer be corrected; None where nothing can be kept."""
    settled = bars.until(now - unsettled(bars.timeframe, settle))
    # Of what was left out nobody knows where it was missing.
    is_whole = len(settled) and not (bars.dropped or bars.stale_since or bars.extra)
    return settled if is_whole else None


@cache
def _finish_at_exit() -> None:
    atexit.register(_finish)


def _finish() -> None:
    with suppress(TimeoutError, RuntimeError):  # no new thread may begin so late
        CREW.send(int).result(_LAST)
