"""Answers on disk: what a source has told for good need not travel again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from .._core.answers import source_name
from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.clock import to_ns
from .._core.request import BarsRequest
from .._core.source import DataSource
from ._shelf import Series
from ._store import BarsStore
from ._tail import Known, unsettled
from ._window import begins, calendar_of

_DAY = timedelta(days=1)


class Archive:
    """Keep settled answers on disk, and find those that a question begins with.

    Its calls block: run them beside the event loop.

    Parameters
    ----------
    path : path, optional
        The file; else one in the user's folder for caches.
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._store = BarsStore(path)

    @classmethod
    def of(cls, choice: bool | str | os.PathLike[str]) -> Archive | None:
        """Begin one where that is wanted.

        Parameters
        ----------
        choice : bool or path
            Whether, or in which file.
        """
        if choice is False:
            return None
        return cls(None if choice is True else choice)

    def keep(self, answers: Iterable[tuple[Bars, timedelta]], now: datetime) -> None:
        """Keep what can no longer be corrected.

        Parameters
        ----------
        answers : iterable of (Bars, timedelta)
            Sound ones, each with how long its bars take to settle.
        now : datetime
            Aware.
        """
        for bars, settle in answers:
            waits = unsettled(bars.timeframe, settle)
            if bars.adjustment != "raw":  # some vendors adjust in the course of the day
                waits = max(waits, _DAY)
            settled = bars.until(now - waits)
            if len(settled) and bars.stale_since is None and not bars.extra:
                begin, end = int(settled.time[0]), int(settled.close_time[-1])
                self._store.put(Series.of(settled), settled, begin, end)

    def known(
        self, sources: Mapping[str, DataSource], request: BarsRequest, now: datetime
    ) -> dict[str, Known]:
        """Find the beginnings of answers.

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
            By symbol, of the first source that has told the beginning before.
        """
        found = {symbol: self._first(sources, request, symbol, now) for symbol in request.symbols}
        return {symbol: known for symbol, known in found.items() if known}

    def _first(
        self, sources: Mapping[str, DataSource], request: BarsRequest, symbol: str, now: datetime
    ) -> Known | None:
        calendar, timeframe = calendar_for(calendar_of(symbol)), request.timeframe
        due = request.end or now
        begin = to_ns(begins(calendar, request, now))
        for name, source in sources.items():
            feed = source.capabilities.feed
            facts = (request.adjustment, feed, source_name(source), calendar.code)
            bars = self._from(Series(symbol, timeframe, *facts), begin, to_ns(due))
            if bars is not None:
                return Known(name, bars, now)
        return None

    def _from(self, series: Series, begin: int, end: int) -> Bars | None:
        """Give the bars from the beginning on, as far as they are covered without a gap."""
        kept = self._store.get(series, begin, end)
        if kept.bars is None or (kept.gaps and kept.gaps[0][0] <= begin):
            return None
        covered = kept.bars[
            : int(kept.bars.time.searchsorted(kept.gaps[0][0] if kept.gaps else end))
        ]
        return covered if len(covered) else None
