"""Labels and prices that cannot be, or hardly, or that look as if told in other shares.

What nothing here can see is an answer that is wrong as a whole: all prices a percent too high, or
another symbol's. That takes bars that are known, or another source.
"""

from __future__ import annotations

from math import gcd, log

import numpy as np

from .._core.bar import Bar
from .._core.bars import Bars
from .._core.calendar import Calendar, calendar_for
from .._core.columns import Bool, Dates, Float, Int
from .._core.days import weekdays, weeks
from .._core.hours import FIVE_DAYS
from .._core.timeframe import Timeframe

# Vendors label hours by the clock, which no session of theirs begins by.
_HOUR = 3600 * 10**9
_DAY, _WEEK = Timeframe("1Day"), Timeframe("1Week")
_SATURDAY = 5
# Fewer bars than this may lie far apart by chance, and so many tell; longer ones than this lie a
# day apart anyway.
_SEVERAL, _TELLING, _SEVERAL_A_DAY = 3, 10, Timeframe("2Hour")
# A bar that lies so far above (or below) both its neighbours, edge to edge, is none of theirs. Real
# bars that spike and come back reach twice; errors of unit are tens and hundreds.
_LONE = 5.0
# From one bar to the next no price goes so far within a session, nor overnight where splits are
# taken out: the largest real moves of a day are about tenfold.
_LEAP = 20.0
# Further than this bars hardly ever reach, and than that they hardly ever step.
_WIDE, _STEP, _BRIEF = 2.0, 3.0, 5
# A price that moves by less may be news; with more, news brings a crowd. Where dollar volume and
# ranges stay within this factor of what they were, it is the shares that changed, not the price.
_MOVED, _CALM = log(1.4), log(4.0)
_ASIDE = 20
_NO_SPLITS = "split", "all"


def off_grid(bars: Bars) -> Int:
    """Find bars that begin neither by the session's grid nor by the clock's, or on no day of it.

    Other exchanges of a country keep a holiday more or less; none of those whose week ends on
    Friday opens at a weekend.

    Parameters
    ----------
    bars : Bars
        An answer.

    Returns
    -------
    ndarray of int64
        Their rows.
    """
    if not bars.timeframe.is_intraday:
        return np.flatnonzero(_never(bars))
    opens, length = calendar_for(bars.calendar).opens, bars.timeframe.ns
    since = bars.time - opens[np.searchsorted(opens, bars.time, side="right") - 1]
    return np.flatnonzero((since % length != 0) & (bars.time % gcd(length, _HOUR) != 0))


def _never(bars: Bars) -> Bool:
    """Which days and weeks belong to no session, nor to one that is not known or kept elsewhere."""
    if bars.session.min(initial=0) >= 0:
        return np.zeros(len(bars), dtype=bool)
    dates = calendar_for(bars.calendar).dates(bars.time)
    weekend = (bars.timeframe == "1Week") | (weekdays(dates) >= _SATURDAY)
    return np.asarray((bars.session < 0) & weekend & (dates >= FIVE_DAYS))


def shifted(bars: Bars) -> int:
    """Tell by how much labels are off: another zone's, or those of the bars' ends.

    From one session to the next the last bar then begins as much after the last of that session as
    the first one after the open, or as much before both. Bars before the open and after the close
    differ from that, and so do holes; of a symbol that trades seldom nothing can be told, nor of
    bars longer than an hour, which vendors count by clocks of their own.

    Parameters
    ----------
    bars : Bars
        An answer, of a tape that skips no bars.

    Returns
    -------
    int
        Nanoseconds; 0 where they are not, or where that cannot be told.
    """
    length = bars.timeframe.ns
    if length > _HOUR or len(bars) < 2 or bars.time[-1] // _DAY.ns == bars.time[0] // _DAY.ns:
        return 0
    calendar, day = (
        calendar_for(bars.calendar),
        calendar_for(bars.calendar).session(bars.time, _DAY),
    )
    days = np.diff(day)
    row = np.flatnonzero((days == 1) & (day[:-1] >= 0))
    uneven = np.count_nonzero(np.diff(bars.time)[days == 0] != length)
    if not len(row) or uneven * _TELLING > len(bars):
        return 0
    opens, closes = calendar.opens[day[row]], calendar.closes[day[row]]
    last = opens + (closes - opens - 1) // length * length
    by = int(bars.time[row[0] + 1] - calendar.opens[day[row[0] + 1]])
    after_open = bars.time[row + 1] - calendar.opens[day[row + 1]]
    is_whole = by % length == 0  # hours of the clock begin before the open, or after it
    return (
        by if is_whole and (bars.time[row] - last == by).all() and (after_open == by).all() else 0
    )


def far_apart(bars: Bars) -> bool:
    """Tell whether bars of days are told as shorter ones, or bars of weeks as days.

    They come one a day, all at its open or all at one time out of hours; or one a week, all at one
    place in it. Where that varies, it is a symbol that hardly trades.

    Parameters
    ----------
    bars : Bars
        An answer.

    Returns
    -------
    bool
        False where there are too few to tell.
    """
    if len(bars) < _SEVERAL or not (bars.timeframe <= _SEVERAL_A_DAY or bars.timeframe == "1Day"):
        return False
    calendar, time = calendar_for(bars.calendar), bars.time[-_TELLING:]
    days = calendar.dates(time)
    if bars.timeframe.is_intraday:
        return _one_each(days.astype(np.int64)) and _at_one_time(calendar, time, days)
    return _one_each(weeks(days)) and _at_one_place(calendar, time, days)


def _one_each(period: Int) -> bool:
    return bool(np.diff(period).all())


def _at_one_time(calendar: Calendar, time: Int, days: Dates) -> bool:
    """By the clock of the exchange or that of UTC, or after the close, early on half days."""
    session = calendar.locate(time)
    if ((session >= 0) & (time != calendar.opens[session])).any():
        return False  # within the session nobody labels days by anything but its open
    midnights, closes = calendar.labels(days), calendar.close_time(time, _DAY)
    return not all(np.ptp(since) for since in (time - midnights, time % _DAY.ns, time - closes))


def _at_one_place(calendar: Calendar, time: Int, days: Dates) -> bool:
    """By the day of the week, or by its first or last session."""
    since_first = calendar.session(time, _DAY) - calendar.session(time, _WEEK)
    until_last = calendar.close_time(time, _WEEK) - calendar.close_time(time, _DAY)
    return not all(np.ptp(place) for place in (weekdays(days), since_first, until_last))


def impossible(bars: Bars) -> int | None:
    """Find a bar whose price cannot be.

    A bar five times above or below both its neighbours; or a leap of twenty times from one bar to
    the next, within a session or where prices are adjusted for splits. Bars are compared edge to
    edge: the low of the higher one with the high of the lower one.

    Parameters
    ----------
    bars : Bars
        An answer.

    Returns
    -------
    int or None
        Its row, or that of a neighbour where the two of them alone cannot tell.
    """
    up, down = _leaps(bars)
    far = np.maximum(up, down)
    if far.max(initial=0.0) < _LONE:
        return None
    above, below = up >= _LONE, down >= _LONE
    odd = np.zeros(len(far), dtype=bool)
    odd[:-1] = (above[:-1] & below[1:]) | (below[:-1] & above[1:])
    odd |= (far >= _LEAP) & _comparable(bars)
    return int(np.argmax(odd)) + 1 if odd.any() else None


def startling(bars: Bars) -> Bool:
    """Find bars whose prices go further than they hardly ever do.

    Of two million bars fifty reach twice as far as they open and close, or close at twice or half
    of what they opened. From one bar to the next three times is as rare where no split lies
    between; where one may, twenty times is, and five times there and back.

    Parameters
    ----------
    bars : Bars
        An answer.

    Returns
    -------
    ndarray of bool
        A value a bar.
    """
    top, bottom = np.maximum(bars.open, bars.close), np.minimum(bars.open, bars.close)
    odd = (bars.high > _WIDE * top) | (bars.low * _WIDE < bottom) | (top > _WIDE * bottom)
    up, down = _leaps(bars)
    far = np.maximum(up, down)
    if far.max(initial=0.0) > _STEP:
        odd[1:] |= (far > np.where(_comparable(bars), _STEP, _LEAP)) | _there_and_back(up, down)
        if bars.adjustment in _NO_SPLITS:  # at an end no other neighbour tells of it
            odd[[0, -1]] |= far[[0, -1]] > _LONE
    return np.asarray(odd)


def _there_and_back(up: Float, down: Float) -> Bool:
    """Where prices leap, and leap back within a few bars, which no split does."""
    found = np.zeros(len(up), dtype=bool)
    for bars in range(2, min(_BRIEF, len(up) - 1) + 1):
        there, back = slice(None, -bars), slice(bars, None)
        found[there] |= (up[there] > _LONE) & (down[back] > _LONE)
        found[there] |= (down[there] > _LONE) & (up[back] > _LONE)
    return found


def _leaps(bars: Bars) -> tuple[Float, Float]:
    """From each bar to the next, edge to edge: how many times up, and down."""
    return bars.low[1:] / bars.high[:-1], bars.low[:-1] / bars.high[1:]


def strays(bar: Bar, close: float) -> bool:
    """Tell whether a bar that comes alone reaches five times above or below the last close.

    Parameters
    ----------
    bar : Bar
        What was told.
    close : float
        Of a bar not long before.

    Returns
    -------
    bool
        Prices do move so far, though hardly ever: it is a reason to ask once more.
    """
    return max(bar.high / close, close / bar.low) >= _LONE


def _comparable(bars: Bars) -> Bool:
    """Whether no split can lie between each bar and the next, nor a time without trading."""
    adjusted = bars.adjustment in _NO_SPLITS
    session = bars.session
    together = (session[1:] == session[:-1]) & (session[1:] >= 0)
    return np.asarray((together | adjusted) & ~bars.gap_before[1:])


def relabelled(bars: Bars) -> tuple[int, float] | None:
    """Find where prices look as if they were told in other shares: a split that is left in.

    A real move of such a size brings a crowd: dollar volume and ranges several times what they
    were. Where both stay what they were, the price was relabelled. That is no proof: spin-offs
    look alike, and so do symbols that hardly trade.

    Parameters
    ----------
    bars : Bars
        An answer whose prices should be adjusted for splits.

    Returns
    -------
    tuple of int and float, or None
        The first row in other shares, and the price there as a multiple of the one before.
    """
    opening = bars.open[1:] / bars.close[:-1]
    moved = np.abs(np.log(opening))
    if moved.max(initial=0.0) < _MOVED:
        return None
    row = int(np.argmax(moved)) + 1
    before = slice(max(0, row - _ASIDE), row)
    # Days calm down soon after news: only the first one tells.
    after = slice(row, row + (_ASIDE if bars.timeframe.is_intraday else 1))
    if not all(
        abs(log(_middle(column[after]) / _middle(column[before]))) < _CALM
        for column in (bars.close * bars.volume, bars.high / bars.low - 1)
        if _middle(column[before]) > 0 < _middle(column[after])
    ):
        return None
    return row, float(opening[row - 1])


def _middle(column: Float) -> float:
    return float(np.median(column))
