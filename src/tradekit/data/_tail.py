"""The end of a series that is known already: asked for alone, and joined where it agrees."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs
import numpy as np

from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.clock import from_ns, to_ns
from .._core.columns import Int
from .._core.errors import SourceError
from .._core.faults import COLUMNS
from .._core.request import BarsRequest
from .._core.timeframe import Timeframe
from ._window import begins

_OVERLAP = 3  # settled bars that are read again, to see whether history was rewritten
_DAY = timedelta(days=1)
_SAME = 1e-6  # relative: prices are told to so many digits
_FACTS = ("source", "feed", "adjustment", "calendar", "timeframe")


def unsettled(timeframe: Timeframe, settle: timedelta) -> timedelta:
    """Tell how long after its close a bar may still be corrected.

    Parameters
    ----------
    timeframe : Timeframe
        Its length.
    settle : timedelta
        What its source says.

    Returns
    -------
    timedelta
        A day at least for bars of days and weeks.
    """
    return settle if timeframe.is_intraday else max(settle, _DAY)


@attrs.frozen
class Known:
    """What a source has answered before.

    Parameters
    ----------
    giver : str
        The name of the source.
    bars : Bars
        Its answer.
    since : datetime
        Aware moment of that answer.
    """

    giver: str
    bars: Bars
    since: datetime

    def start(self, request: BarsRequest, now: datetime, settle: timedelta) -> datetime | None:
        """Tell from which bar on to ask.

        Parameters
        ----------
        request : BarsRequest
            What is asked.
        now : datetime
            Aware.
        settle : timedelta
            How long after its close a bar may still be corrected; a day for bars of days.

        Returns
        -------
        datetime or None
            The label of the first bar to read again; None where that is nearly all of them.
        """
        waits = unsettled(self.bars.timeframe, settle)
        settled = int(np.searchsorted(self.bars.close_time, to_ns(self.since - waits), "right"))
        first = min(settled - _OVERLAP, self._evening(now))
        if first <= 0:
            return None
        start, calendar = from_ns(self.bars.time[first]), calendar_for(self.bars.calendar)
        whole = begins(calendar, request, now)
        return start if start > whole else None

    def _evening(self, now: datetime) -> int:
        """Find the last bar of the session before the newest; none where a session has begun since.

        Splits and dividends change all prices of the sessions before them, some vendors' in the
        course of the day: one of those prices is read again, and after a night all of them.
        """
        if self.bars.adjustment == "raw" or not self.bars.timeframe.is_intraday:
            return len(self.bars)
        calendar = calendar_for(self.bars.calendar)
        begun = calendar.opens.searchsorted([to_ns(self.since), to_ns(now)], side="right")
        if begun[0] != begun[1]:
            return 0
        session = self.bars.session
        earlier = np.flatnonzero(session != session[-1])
        return int(earlier[-1]) if len(earlier) else len(self.bars)

    def joined(self, fresh: Bars) -> Bars:
        """Put the end of the series in place.

        Parameters
        ----------
        fresh : Bars
            From the label on that `start` names.

        Returns
        -------
        Bars
            Of one source, feed and adjustment.

        Raises
        ------
        SourceError
            When the two do not agree where they overlap: the whole series must be asked for.
        """
        rows = np.searchsorted(self.bars.time, fresh.time[:_OVERLAP])
        if any(getattr(self.bars, fact) != getattr(fresh, fact) for fact in _FACTS):
            raise _rewritten(fresh, "another source, feed or adjustment")
        if not self._agree(rows, fresh):
            raise _rewritten(fresh, "other prices of the same bars")
        old, new = self.bars[: int(rows[0])], fresh
        columns = {
            n: np.concatenate([getattr(old, n), getattr(new, n)]) for n in ("time", *COLUMNS)
        }
        return fresh._replace(**columns)

    def _agree(self, rows: Int, fresh: Bars) -> bool:
        known = rows[rows < len(self.bars)]
        if len(known) < _OVERLAP:
            return False
        return bool(np.array_equal(self.bars.time[known], fresh.time[:_OVERLAP])) and np.allclose(
            self.bars.close[known], fresh.close[:_OVERLAP], rtol=_SAME, atol=0
        )


def _rewritten(fresh: Bars, got: str) -> SourceError:
    return SourceError(
        f"{fresh.source} has rewritten the history of {fresh.symbol}",
        expected="the bars that it answered before",
        got=got,
        hint="the whole series is asked for anew",
        source=fresh.source,
        symbol=fresh.symbol,
        fault="rewritten",
    )
