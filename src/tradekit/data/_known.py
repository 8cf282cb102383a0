"""What is known of a series: which stretches are still to be asked for, and how they join."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import attrs
import numpy as np

from .._core.bars import Bars
from .._core.calendar import Calendar, calendar_for
from .._core.clock import from_ns, to_ns
from .._core.errors import SourceError
from .._core.faults import COLUMNS
from .._core.request import BarsRequest
from .._core.timeframe import Timeframe
from ._coverage import Interval
from ._freshness import next_close
from ._window import begins

_OVERLAP = 3  # settled bars that are read again, to see whether history was rewritten
_MOST = 3  # stretches that are asked for apart; beyond that all of it is
_DAY = timedelta(days=1)
_SAME = 1e-6  # relative: prices are told to so many digits
_FACTS = ("source", "feed", "adjustment", "calendar", "timeframe")

Rows = tuple[int, int]


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
class Stretch:
    """What is still to be asked for, with known bars at its ends that are read again.

    Parameters
    ----------
    start : datetime
        The label of its first bar.
    end : datetime, optional
        By when its last bar is complete; None where it goes on to the end of what is asked.
    after, before : bool
        Whether it begins, and ends, with known bars.
    is_sample : bool
        Whether it has no others: nothing of it is missing.
    """

    start: datetime
    end: datetime | None = None
    after: bool = True
    before: bool = False
    is_sample: bool = False


@attrs.frozen
class Known:
    """What a source has answered before.

    Parameters
    ----------
    giver : str
        The name of the source.
    bars : Bars
        Its answers, at least one bar.
    since : datetime
        Aware moment as of which they are known; of those on disk, the last one's close.
    covered : tuple of tuple of int, optional
        Stretches of which everything is known for good, nanoseconds since 1970 UTC, in order: each
        is of one answer, or of answers that bore each other out. Else the bars are of one.
    is_complete : bool
        Whether nothing was left out of them, so that more may be joined to them.
    """

    giver: str
    bars: Bars
    since: datetime
    covered: tuple[Interval, ...] = ()
    is_complete: bool = True

    def stretches(
        self, request: BarsRequest, now: datetime, settle: timedelta
    ) -> tuple[Stretch, ...] | None:
        """Tell what is still to be asked for.

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
        tuple of Stretch or None
            In order. None where all of it is to be asked for; nothing where that is known and
            cannot change: settled raw prices of the past.
        """
        pieces, calendar = self._pieces(settle), calendar_for(self.bars.calendar)
        is_renewed = not self.covered and self.may_be_adjusted_since(now)
        if not self.is_complete or not pieces or is_renewed:
            return None
        begin = begins(calendar, request, now)
        found = self._beginning(pieces[0], to_ns(begin))
        if (found or pieces[1:]) and any(end - first < 2 * _OVERLAP for first, end in pieces):
            return None  # too few bars to read again
        found += [self._seam(one, next_) for one, next_ in pairwise(pieces)]
        is_for_good = self.bars.adjustment == "raw"
        if self._goes_on(pieces[-1], request, now) or not (found or is_for_good):
            row = self._last_read_again(pieces[-1], calendar, now)
            found.append(Stretch(from_ns(self.bars.time[row])))
        is_all = bool(found) and found[0].end is None and found[0].start <= begin
        return None if is_all or len(found) > _MOST else tuple(found)

    def joined(self, answers: Sequence[tuple[Stretch, Bars]]) -> Bars:
        """Put what was asked for in place.

        Parameters
        ----------
        answers : sequence of (Stretch, Bars)
            To all stretches, in order.

        Returns
        -------
        Bars
            Of one source, feed and adjustment.

        Raises
        ------
        SourceError
            When answers do not agree with what is known: all of it must be asked for.
        """
        if not answers:
            return self.bars
        parts, row = [], 0
        for stretch, fresh in answers:
            mine = fresh if stretch.end is None else fresh.until(stretch.end)
            mine = mine[int(mine.time.searchsorted(to_ns(stretch.start))) :]
            first, end = self._agreed(stretch, mine)
            parts += [self.bars[row:first], mine]
            row = end
        parts.append(self.bars[row:])
        columns = {n: np.concatenate([getattr(p, n) for p in parts]) for n in ("time", *COLUMNS)}
        return parts[-2]._replace(**columns, dropped=sum(part.dropped for part in parts[1::2]))

    def may_be_adjusted_since(self, now: datetime) -> bool:
        """Tell whether a session has begun, with whose splits and dividends all prices change.

        Parameters
        ----------
        now : datetime
            Aware.
        """
        if self.bars.adjustment == "raw":
            return False
        opens = calendar_for(self.bars.calendar).opens
        begun = opens.searchsorted([to_ns(self.since), to_ns(now)], side="right")
        return bool(begun[0] != begun[1])

    def _pieces(self, settle: timedelta) -> list[Rows]:
        """Rows of settled bars that belong together."""
        bars, covered = self.bars, self.covered
        if not covered:
            settled = to_ns(self.since - unsettled(bars.timeframe, settle))
            last = int(bars.close_time.searchsorted(settled, "right"))
            return [(0, last)] if last >= _OVERLAP else []
        rows = [tuple(map(int, bars.time.searchsorted(stretch))) for stretch in covered]
        pieces = [(first, end) for first, end in rows if first < end]
        return pieces if pieces and pieces[-1][1] >= _OVERLAP else []

    def _beginning(self, piece: Rows, begin: int) -> list[Stretch]:
        """What is missing before the first piece; else what shows that all of it is as it was.

        Whatever is split or paid, and however late that is told, all prices before it change: those
        at the beginning always do.
        """
        if not self.covered:
            return []
        first, last = piece[0], min(piece[0] + _OVERLAP, piece[1]) - 1
        if self.covered[0][0] > begin:
            return [Stretch(from_ns(begin), self._close(last), after=False, before=True)]
        if self.bars.adjustment == "raw":
            return []
        start = from_ns(self.bars.time[first])
        return [Stretch(start, self._close(last), before=True, is_sample=True)]

    def _seam(self, one: Rows, other: Rows) -> Stretch:
        """What may be missing between two pieces, and what shows that they fit together."""
        start = from_ns(self.bars.time[one[1] - _OVERLAP])
        return Stretch(start, self._close(other[0] + _OVERLAP - 1), before=True)

    def _goes_on(self, piece: Rows, request: BarsRequest, now: datetime) -> bool:
        """Whether bars have come after the last piece, or may have been corrected."""
        due = to_ns(min(request.end or now, now))
        return request.end is None or next_close(self.bars[piece[0] : piece[1]]) <= due

    def _last_read_again(self, piece: Rows, calendar: Calendar, now: datetime) -> int:
        """The row from which on the end is asked for.

        Splits and dividends change all prices of the sessions before them, some vendors' in the
        course of that day: while it is the newest, the last bar of the one before is read again.
        """
        row = max(piece[0], piece[1] - _OVERLAP)
        bars, newest = self.bars, calendar.opens.searchsorted(to_ns(now), side="right") - 1
        is_over = int(bars.session[-1]) < newest or not bars.timeframe.is_intraday
        if is_over or self.covered or bars.adjustment == "raw":
            return row
        earlier = np.flatnonzero(bars.session != bars.session[-1])
        return min(row, int(earlier[-1])) if len(earlier) else row

    def _close(self, row: int) -> datetime:
        return from_ns(self.bars.close_time[row])

    def _agreed(self, stretch: Stretch, fresh: Bars) -> Rows:
        """Give the rows whose place an answer takes."""
        if any(getattr(self.bars, fact) != getattr(fresh, fact) for fact in _FACTS):
            raise rewritten(fresh, "another source, feed or adjustment")
        ends = [fresh[:_OVERLAP]] if stretch.after else []
        ends += [fresh[-_OVERLAP:]] if stretch.before else []
        if not all(map(self._has, ends)):
            raise rewritten(fresh, "other prices of the same bars")
        first, end = self.bars.time.searchsorted(fresh.time[[0, -1]])
        return int(first), int(end) + 1 if stretch.before else len(self.bars)

    def _has(self, bars: Bars) -> bool:
        row = int(self.bars.time.searchsorted(bars.time[0])) if len(bars) else 0
        known = self.bars[row : row + len(bars)]
        return (
            len(bars) == _OVERLAP
            and np.array_equal(known.time, bars.time)
            and np.allclose(known.close, bars.close, rtol=_SAME, atol=0)
        )


def rewritten(fresh: Bars, got: str) -> SourceError:
    """Say that a source tells another history than before.

    Parameters
    ----------
    fresh : Bars
        What it tells now.
    got : str
        How that differs.

    Returns
    -------
    SourceError
        Retryable: the whole series is to be asked for.
    """
    return SourceError(
        f"{fresh.source} has rewritten the history of {fresh.symbol}",
        expected="the bars that it answered before",
        got=got,
        hint="the whole series is asked for anew",
        source=fresh.source,
        symbol=fresh.symbol,
        fault="rewritten",
    )
