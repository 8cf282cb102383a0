"""Answers on disk: what a source has told for good need not travel again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import attrs

from .._core.answers import source_name
from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.clock import to_ns
from .._core.request import BarsRequest, calendar_of
from .._core.source import DataSource
from ._known import Known, unsettled
from ._shelf import Series
from ._store import BarsStore
from ._window import begins

_DAY = timedelta(days=1)
_FARTHER = 5  # times: how far to look back where bars are seldom


class Archive:
    """Keep settled answers on disk, and find what they tell of a question.

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
            # Of what was left out nobody knows where it was missing.
            if len(settled) and not (bars.dropped or bars.stale_since or bars.extra):
                begin, end = int(settled.time[0]), int(settled.close_time[-1])
                self._store.put(Series.of(settled), settled, begin, end)

    def renew(
        self,
        expelled: Iterable[str],
        answers: Iterable[tuple[Bars, timedelta]],
        now: datetime,
    ) -> None:
        """Forget all that some sources have answered, and keep what others answer now.

        Parameters
        ----------
        expelled : iterable of str
            Whose bars are wrong, as these call them.
        answers : iterable of (Bars, timedelta)
            As for `keep`.
        now : datetime
            Aware.
        """
        for source in expelled:
            self._store.forget(source)
        self.keep(answers, now)

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
        return Known(name, bars, now, covered) if len(bars) else None
