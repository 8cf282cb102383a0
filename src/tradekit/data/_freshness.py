"""Is an answer as new as it should be, and does it begin in time? By the calendar alone.

A full tape has every bar of the sessions of a liquid symbol. Others skip bars, and so may their
newest be missing: how many they skip, an answer shows itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np

from .._core.bars import Bars
from .._core.calendar import Calendar, calendar_for
from .._core.clock import from_ns, to_ns
from .._core.columns import Int
from .._core.timeframe import Timeframe

SPARSE = ("iex",)  # the tapes of one exchange
# A new bar may be late by its own length; days and weeks are published in the course of an evening.
_EVENING = timedelta(hours=6)
# Where others are quicker: so late are the bars of most vendors, and their days.
_SOON, _SOON_OF_DAYS = timedelta(seconds=15), timedelta(minutes=30)
# Where bars are missing anyway, so may the newest be: for half a session, or a week of days.
_PAUSE, _DAYS_OF_PAUSE = timedelta(hours=3), 5
# Of holes as long as this there are several in a symbol that trades seldom; and who trades each
# minute may miss a few.
_HABIT, _MISSED = 3, timedelta(minutes=3)
# After so many bars without a hole, the last one of a window that is over is no more likely to be
# missing than any of them: in one answer of a hundred and sixty at most.
_UNBROKEN, _MOMENT = 60, timedelta(microseconds=1)
# So many tell that a symbol trades all the time, where asking once more is all that comes of it.
_STEADY, _FEW = 20, 5


def overdue(bars: Bars, asof: datetime, end: datetime | None = None) -> datetime | None:
    """Tell which bar should have come by a moment, and has not.

    A bar may be late by its own length, a day or a week by six hours. Where bars are missing
    anyway, it may also be late by the longest pause that the answer shows, up to half a session;
    by two of them and a bar where the feed is one exchange's. Time counts while the exchange is
    open: over a night, a weekend or a holiday nothing becomes due. Nothing is late any more in a
    window that is over: there an answer of sixty bars without a hole goes on to the end.

    Parameters
    ----------
    bars : Bars
        At least one.
    asof : datetime
        Aware; what the source can know by its delay.
    end : datetime, optional
        Aware; no bar is due that was complete later.

    Returns
    -------
    datetime or None
        When that bar was complete; None where nothing is overdue.
    """
    latest = _due_by(bars, asof, end)
    return _due(bars, latest, _pause(bars, 1)) if next_close(bars) < latest else None


def excused(bars: Bars, asof: datetime, end: datetime | None = None) -> datetime | None:
    """Tell which bar is missing that only one or two long holes excuse, on a full tape.

    A symbol that trades seldom shows at least three holes as long, or misses a few minutes.

    Parameters
    ----------
    bars : Bars
        At least one.
    asof : datetime
        Aware; what the source can know by its delay.
    end : datetime, optional
        Aware; no bar is due that was complete later.

    Returns
    -------
    datetime or None
        When that bar was complete; None where nothing needs an excuse.
    """
    latest = _due_by(bars, asof, end)
    if bars.feed in SPARSE or next_close(bars) >= latest:
        return None
    return _due(bars, latest, max(_pause(bars, _HABIT), _MISSED // bars.timeframe.delta))


def awaited(bars: Bars, asof: datetime, end: datetime | None = None) -> datetime | None:
    """Tell which bar others may have by now, of a symbol that trades all the time.

    Parameters
    ----------
    bars : Bars
        At least one.
    asof : datetime
        Aware; what the source can know by its delay.
    end : datetime, optional
        Aware; no bar is due that was complete later.

    Returns
    -------
    datetime or None
        When that bar was complete; None where there is none, or where bars are missing anyway.
    """
    if bars.feed in SPARSE or len(bars) < _FEW or bars.gap_before[-_STEADY:].any():
        return None
    by = asof - (_SOON if bars.timeframe.is_intraday else _SOON_OF_DAYS)
    return _due(bars, to_ns(by if end is None else min(by, end + _MOMENT)), 0)


def next_close(bars: Bars, count: int = 1) -> int:
    """Tell when the first bar (or a later one) after these will be complete.

    Parameters
    ----------
    bars : Bars
        At least one.
    count : int
        How many bars to wait for.

    Returns
    -------
    int
        Nanoseconds since 1970 UTC.
    """
    return _later(bars.calendar, bars.timeframe, int(bars.close_time[-1]), count)


@lru_cache(maxsize=4096)  # a watchlist asks the same for all its symbols
def _later(code: str, timeframe: Timeframe, close: int, count: int) -> int:
    return calendar_for(code).later(close, timeframe, count)


def _due_by(bars: Bars, asof: datetime, end: datetime | None) -> int:
    late = min(bars.timeframe.delta, _EVENING)
    by = asof - late
    if end is not None:
        unbroken = len(bars) >= _UNBROKEN and not bars.gap_before.any()
        by = min(by, end + _MOMENT if unbroken else end - late)
    return to_ns(by)


def _due(bars: Bars, latest: int, skipped: int) -> datetime | None:
    due = next_close(bars, 1 + skipped)
    return None if due >= latest else from_ns(due)


def begins_late(bars: Bars, start: int) -> bool:
    """Tell whether bars are missing between a moment and the first one, more than a tape may skip.

    Parameters
    ----------
    bars : Bars
        At least one.
    start : int
        Nanoseconds since 1970 UTC.

    Returns
    -------
    bool
        By the calendar.
    """
    calendar, timeframe, first = calendar_for(bars.calendar), bars.timeframe, int(bars.time[0])
    if timeframe == "1Day":
        return bool(bars.session[0] > np.searchsorted(calendar.midnights, start))
    if timeframe == "1Week":
        return first - start >= timeframe.ns
    begun, ended = _open_for(calendar, np.array([start, first]))
    skipped = _PAUSE // timeframe.delta if bars.feed in SPARSE else 0
    if (ended - begun) // timeframe.ns <= skipped:
        return False
    return bool(calendar.gap_before(np.array([start - timeframe.ns, first]), timeframe)[1])


def holes(bars: Bars) -> Int:
    """Count the bars (weeks: sessions) that are missing, hole by hole.

    Parameters
    ----------
    bars : Bars
        An answer.

    Returns
    -------
    ndarray of int64
        Of each hole, in order.
    """
    if not bars.gap_before.any():
        return np.empty(0, np.int64)
    if not bars.timeframe.is_intraday:
        # Some vendors tell days on which the exchange was closed.
        days = np.unique(bars.session[bars.session >= 0])
        missing: Int = days[1:] - days[:-1] - 1
        return missing[missing > 0]
    open_for = _open_for(calendar_for(bars.calendar), bars.close_time)
    steps = np.diff(open_for) / bars.timeframe.ns
    return np.asarray(np.ceil(steps[bars.gap_before[1:]]).astype(np.int64) - 1)


def _pause(bars: Bars, rank: int) -> int:
    """How many bars a hole excuses: the longest one, or the second or third longest."""
    is_sparse = bars.feed in SPARSE
    found = np.sort(holes(bars)) if bars.timeframe != "1Week" else ()
    longest = int(found[-rank]) if len(found) >= rank else 0
    if not bars.timeframe.is_intraday:
        return min(longest, _DAYS_OF_PAUSE) + is_sparse
    return min((1 + is_sparse) * longest, _PAUSE // bars.timeframe.delta) + is_sparse


def _open_for(calendar: Calendar, moments: Int) -> Int:
    """How long the exchange had been open at each moment, since the first session of them."""
    row = np.searchsorted(calendar.opens, moments, side="left") - 1
    rows = slice(row[0], row[-1] + 1)
    length = calendar.closes[rows] - calendar.opens[rows]
    before = np.concatenate([[0], np.cumsum(length)])[row - row[0]]
    since = np.minimum(moments - calendar.opens[row], length[row - row[0]])
    return np.asarray(before + since)
