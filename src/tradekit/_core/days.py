"""The days of a time zone: on which date a moment falls, and when a date begins."""

from __future__ import annotations

from datetime import datetime, time
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np

from .clock import NS, from_ns
from .columns import Dates, Int, readonly

# Looked up; what lies farther off is worked out one by one.
_FIRST, _LAST = np.datetime64("1900-01-01"), np.datetime64("2060-01-01")
_THURSDAY = 3  # on which 1970 began, counted from Monday


def dates_of(moments: Int, tz: str) -> Dates:
    """Tell the local date of each moment.

    Parameters
    ----------
    moments : ndarray of int64
        Nanoseconds since 1970 UTC.
    tz : str
        Time zone.

    Returns
    -------
    ndarray of datetime64[D]
        Dates.

    Examples
    --------
    >>> dates_of(np.array(["2024-03-09T03:00"], "M8[ns]").astype("i8"), "America/New_York")
    array(['2024-03-08'], dtype='datetime64[D]')
    """
    begins = _table(tz)
    day = np.searchsorted(begins, moments, side="right") - 1
    dates = _FIRST + day
    far = (day < 0) | (day == len(begins) - 1)
    if far.any():
        zone = ZoneInfo(tz)
        dates[far] = [from_ns(moment).astimezone(zone).date() for moment in moments[far]]
    return dates


def midnights(dates: Dates, tz: str) -> Int:
    """Tell when each date begins: its midnight, or the first moment after it that there is.

    Parameters
    ----------
    dates : ndarray of datetime64[D]
        Local dates.
    tz : str
        Time zone.

    Returns
    -------
    ndarray of int64
        Nanoseconds since 1970 UTC.

    Examples
    --------
    >>> midnights(np.array(["2024-07-03"], "M8[D]"), "America/New_York").astype("M8[ns]")
    array(['2024-07-03T04:00:00.000000000'], dtype='datetime64[ns]')
    """
    begins = _table(tz)
    day = (dates - _FIRST).astype(np.int64)
    begin = begins.take(day, mode="clip")
    far = (day < 0) | (day >= len(begins))
    if far.any():
        begin[far] = _begins(dates[far], tz)
    return begin


def weeks(dates: Dates) -> Int:
    """Number the week of each date, Monday to Sunday.

    Parameters
    ----------
    dates : ndarray of datetime64[D]
        Dates.

    Returns
    -------
    ndarray of int64
        0 for the week of 1970-01-01.

    Examples
    --------
    >>> weeks(np.array(["1970-01-04", "1970-01-05"], "M8[D]"))
    array([0, 1])
    """
    return np.asarray((dates.astype(np.int64) + _THURSDAY) // 7, dtype=np.int64)


def weekdays(dates: Dates) -> Int:
    """Number the day of each date in its week.

    Parameters
    ----------
    dates : ndarray of datetime64[D]
        Dates.

    Returns
    -------
    ndarray of int64
        0 for Monday to 6 for Sunday.

    Examples
    --------
    >>> weekdays(np.array(["1970-01-04", "1970-01-05"], "M8[D]"))
    array([6, 0])
    """
    return np.asarray((dates.astype(np.int64) + _THURSDAY) % 7, dtype=np.int64)


@cache
def _table(tz: str) -> Int:
    return readonly(_begins(np.arange(_FIRST, _LAST), tz))


def _begins(dates: Dates, tz: str) -> Int:
    zone = ZoneInfo(tz)
    seconds = [datetime.combine(date, time(), zone).timestamp() for date in dates.tolist()]
    return np.array(seconds).astype(np.int64) * NS
