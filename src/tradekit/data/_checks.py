"""Is an answer the one that was asked for? What a source's own door cannot see.

The door has already seen to the symbol, the timeframe that the bars state, prices that contradict
each other and bars that are not complete. What is left needs the calendar, or the neighbours of a
bar. An `objection` refuses an answer. A `doubt` leaves it for want of a better one: what looks odd
here happens on real markets.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np

from .._core.answers import source_name
from .._core.bars import Bars
from .._core.calendar import Calendar, calendar_for
from .._core.clock import from_ns, to_ns
from .._core.columns import Int
from .._core.errors import SourceError
from .._core.request import BarsRequest
from .._core.source import DataSource
from .._core.timeframe import Timeframe
from ._soundness import far_apart, impossible, off_grid, relabelled

# A new bar may be late by its own length; days and weeks are published in the course of an evening.
_EVENING = timedelta(hours=6)
# Where bars are missing anyway, so may the newest be: for half a session, or a week of days.
_PAUSE, _DAYS_OF_PAUSE = timedelta(hours=3), 5
SPARSE = ("iex",)
# After so many bars without a hole, the last one of a window that is over is no more likely to be
# missing than any of them: in one answer of a hundred and sixty at most.
_UNBROKEN, _MOMENT = 60, timedelta(microseconds=1)
# Vendors count their depth in calendar days, and begin with a session.
_DEPTH_SLACK = timedelta(days=7)


def unsuited(source: DataSource, request: BarsRequest, now: datetime) -> SourceError | None:
    """Say why a source need not be asked: by its own account it has no such bars.

    Parameters
    ----------
    source : DataSource
        Whom.
    request : BarsRequest
        What would be asked.
    now : datetime
        Aware.

    Returns
    -------
    SourceError or None
        Not its fault.
    """
    can = source.capabilities
    if can.timeframes is not None and request.timeframe not in can.timeframes:
        return _unable(source, "timeframe", can.timeframes, request.timeframe)
    if can.adjustments != ("unknown",) and request.adjustment not in can.adjustments:
        return _unable(source, "adjustment", can.adjustments, request.adjustment)
    reach = can.reach(request.timeframe)
    if reach is not None and (request.end or now) <= now - reach:
        since, asked = f"an end after {now - reach:%Y-%m-%d}", f"{request.end:%Y-%m-%d}"
        return _unable(source, "depth", (since,), asked)
    return None


def _unable(source: DataSource, what: str, has: tuple[str, ...], asked: str) -> SourceError:
    name = source_name(source)
    return SourceError(
        f"{name} has no such {what}",
        retryable=False,
        expected=" or ".join(has),
        got=asked,
        hint=f"{what}={has[-1]!r}",
        source=name,
    )


def objection(
    source: DataSource, request: BarsRequest, bars: Bars, now: datetime
) -> SourceError | None:
    """Say why an answer cannot be used.

    Parameters
    ----------
    source : DataSource
        Who answered.
    request : BarsRequest
        What was asked.
    bars : Bars
        The answer for one symbol, as the source's door let it through.
    now : datetime
        Aware moment of the question.

    Returns
    -------
    SourceError or None
        Carries ``fault="stale"`` where only the age is wrong, else ``fault="bad_data"``.
    """
    judges = _misfit, _misplaced, _unsound, _stale
    return next((error for judge in judges if (error := judge(source, request, bars, now))), None)


def _misfit(
    source: DataSource, request: BarsRequest, bars: Bars, _: datetime
) -> SourceError | None:
    if bars.adjustment not in (request.adjustment, "unknown"):
        return _bad(
            source,
            bars,
            f"answered {bars.adjustment} prices of {bars.symbol}",
            expected=f"adjustment {request.adjustment!r}",
            got=repr(bars.adjustment),
            hint=f"MultiSourceDataManager(..., adjustment={bars.adjustment!r})",
        )
    if far_apart(bars):
        return _bad(
            source,
            bars,
            f"answered longer bars of {bars.symbol} than it says",
            expected=f"{bars.timeframe} bars",
            got=f"one a {'day' if bars.timeframe.is_intraday else 'week'}",
        )
    return None


def _misplaced(
    source: DataSource, request: BarsRequest, bars: Bars, _: datetime
) -> SourceError | None:
    early = request.start is not None and bars.time[0] < to_ns(request.start)
    if early or (request.end is not None and bars.close_time[-1] > to_ns(request.end)):
        return _bad(
            source,
            bars,
            f"answered bars of {bars.symbol} outside the window",
            expected=f"{request.start or 'the beginning'} to {request.end or 'now'}",
            got=f"{_utc(bars.time[0])} to {_utc(bars.close_time[-1])} UTC",
        )
    if len(off := off_grid(bars)):
        return _bad(
            source,
            bars,
            f"labels {len(off)} of {len(bars)} bars of {bars.symbol} by odd times",
            expected=f"{bars.timeframe} bars that begin with the session or by the clock",
            got=f"{from_ns(bars.time[off[0]]):%Y-%m-%d %H:%M:%S} UTC",
        )
    return None


def _unsound(source: DataSource, _: BarsRequest, bars: Bars, __: datetime) -> SourceError | None:
    if (row := impossible(bars)) is None:
        return None
    return _bad(
        source,
        bars,
        f"has an impossible price of {bars.symbol}",
        expected="prices near those of the bar before",
        got=f"{bars.close[row]:g} after {bars.close[row - 1]:g} at {_utc(bars.time[row])} UTC",
        row=row,
    )


def _stale(
    source: DataSource, request: BarsRequest, bars: Bars, now: datetime
) -> SourceError | None:
    due = overdue(bars, now - source.capabilities.delay, request.end)
    if due is None:
        return None
    return _odd(
        source,
        bars,
        f"is behind with {bars.symbol} {bars.timeframe}",
        "stale",
        expected=f"the bar that was complete at {due:%Y-%m-%d %H:%M} UTC",
        got=f"{_utc(bars.close_time[-1])} UTC as the newest",
        hint="for the past, ask with end= or hand in clock=FixedClock(...)",
    )


def _bad(source: DataSource, bars: Bars, what: str, **facts: Any) -> SourceError:
    return _odd(source, bars, what, "bad_data", **facts)


def _odd(source: DataSource, bars: Bars, what: str, fault: str, **facts: Any) -> SourceError:
    name = source_name(source)
    return SourceError(f"{name} {what}", source=name, symbol=bars.symbol, fault=fault, **facts)


def _utc(ns: np.int64) -> str:
    return f"{from_ns(int(ns)):%Y-%m-%d %H:%M}"


def doubt(source: DataSource, request: BarsRequest, bars: Bars) -> SourceError | None:
    """Say what is odd about an answer that may still be right: ask another source if you can.

    Parameters
    ----------
    source : DataSource
        Who answered.
    request : BarsRequest
        What was asked.
    bars : Bars
        The answer for one symbol, to which there is no objection.

    Returns
    -------
    SourceError or None
        Carries ``fault="split"`` where prices look as if a split was left in, ``fault="short"``
        where bars are fewer than asked, ``fault="gaps"`` where some are missing in between on a
        tape that should have them all.
    """
    return (
        _split_left_in(source, request, bars)
        or shortage(source, request, bars)
        or _holes(source, bars)
    )


def _split_left_in(source: DataSource, request: BarsRequest, bars: Bars) -> SourceError | None:
    found = relabelled(bars) if request.adjustment != "raw" else None
    if found is None:
        return None
    row, times = found
    return _odd(
        source,
        bars,
        f"may have left a split in the prices of {bars.symbol}",
        "split",
        expected="more volume and wider ranges with such a move",
        got=f"{bars.open[row]:g} after {bars.close[row - 1]:g} at {_utc(bars.time[row])} UTC, "
        f"{times:.3g} times",
    )


def shortage(source: DataSource, request: BarsRequest, bars: Bars) -> SourceError | None:
    """Say that bars are fewer than asked: a young symbol, or a source that left some out.

    Parameters
    ----------
    source : DataSource
        Who answered.
    request : BarsRequest
        What was asked.
    bars : Bars
        The answer for one symbol.

    Returns
    -------
    SourceError or None
        Carries ``fault="short"``; whether it is one, only a longer answer can tell.
    """
    if request.limit is not None and len(bars) >= request.limit:
        return None
    if request.start is not None and _begins_late(bars, to_ns(request.start)):
        expected = f"{bars.timeframe} bars since {request.start:%Y-%m-%d %H:%M} UTC"
    elif request.start is None and request.limit is not None:
        expected = f"{request.limit} {bars.timeframe} bars"
    else:
        return None
    return _odd(
        source,
        bars,
        f"has too few bars of {bars.symbol}",
        "short",
        expected=expected,
        got=f"{len(bars)} since {_utc(bars.time[0])} UTC",
    )


def _holes(source: DataSource, bars: Bars) -> SourceError | None:
    if bars.feed in SPARSE or not bars.gap_before.any():
        return None
    rows = np.flatnonzero(bars.gap_before)
    return _odd(
        source,
        bars,
        f"leaves out bars of {bars.symbol}",
        "gaps",
        expected=f"every {bars.timeframe} bar of the sessions",
        got=f"{len(rows)} holes, the first before {_utc(bars.time[rows[0]])} UTC",
    )


def may_be_short(source: DataSource, bars: Bars, now: datetime) -> bool:
    """Tell whether a source has a good reason for fewer bars than another one.

    Parameters
    ----------
    source : DataSource
        Who answered.
    bars : Bars
        Its short answer.
    now : datetime
        Aware moment of the question.

    Returns
    -------
    bool
        True where its tape skips bars, or where the answer reaches back as far as it ever does.
    """
    depth = source.capabilities.reach(bars.timeframe)
    reaches = depth is not None and bars[0].time <= now - depth + _DEPTH_SLACK
    return reaches or bars.feed in SPARSE or bool(bars.gap_before.any())


def overdue(bars: Bars, asof: datetime, end: datetime | None = None) -> datetime | None:
    """Tell which bar should have come by a moment, and has not.

    A bar may be late by its own length, a day or a week by six hours. Where bars are missing
    anyway (the answer has gaps, or the feed is one exchange's), it may also be late by the longest
    pause that the answer shows, up to half a session. Time counts while the exchange is open: over
    a night, a weekend or a holiday nothing becomes due. Nothing is late any more in a window that
    is over: there an answer of sixty bars without a hole goes on to the end.

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
    late = min(bars.timeframe.delta, _EVENING)
    by = asof - late
    if end is not None:
        unbroken = len(bars) >= _UNBROKEN and not bars.gap_before.any()
        by = min(by, end + _MOMENT if unbroken else end - late)
    latest = to_ns(by)
    if next_close(bars) >= latest:
        return None
    pause = _pause(bars) + (bars.feed in SPARSE)
    due = next_close(bars, 1 + pause)
    return None if due >= latest else from_ns(due)


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


def _begins_late(bars: Bars, start: int) -> bool:
    """Whether bars are missing between a moment and the first one, more than the tape may skip."""
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


def _pause(bars: Bars) -> int:
    """The longest run of missing bars within the answer."""
    if not bars.gap_before.any() or bars.timeframe == "1Week":
        return 0
    if not bars.timeframe.is_intraday:
        return min(int(np.diff(bars.session).max()) - 1, _DAYS_OF_PAUSE)
    open_for = _open_for(calendar_for(bars.calendar), bars.close_time)
    steps = np.diff(open_for) / bars.timeframe.ns
    return min(int(np.ceil(steps.max())) - 1, _PAUSE // bars.timeframe.delta)


def _open_for(calendar: Calendar, moments: Int) -> Int:
    """How long the exchange had been open at each moment, since the first session of them."""
    row = np.searchsorted(calendar.opens, moments, side="left") - 1
    rows = slice(row[0], row[-1] + 1)
    length = calendar.closes[rows] - calendar.opens[rows]
    before = np.concatenate([[0], np.cumsum(length)])[row - row[0]]
    since = np.minimum(moments - calendar.opens[row], length[row - row[0]])
    return np.asarray(before + since)
