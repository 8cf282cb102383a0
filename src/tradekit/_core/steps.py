"""From moments to labelled bars: how far apart rows stand, and what that makes them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from .calendar import Calendar
from .columns import Dates, Int
from .days import weekdays
from .errors import UsageError
from .timeframe import Timeframe

if TYPE_CHECKING:
    import pandas as pd

_NS = 1_000_000_000
_DAY = 86_400 * _NS
# A week with two holidays around a weekend leaves sessions four days apart, and never five.
_LONGEST_WEEKEND = 4
# Weeks labelled by their first session move by a day around holidays.
_LONGEST_WEEK = 8
# So many steps share a divisor by chance only once in thirteen times, and less with every further.
_ENOUGH = 4


def find_timeframe(
    moments: pd.DatetimeIndex,
    asked: str | None,
    stated: str | None,
    symbol: str,
    calendar: Calendar,
    freq: Any = None,
) -> Timeframe:
    """Take the asked timeframe, else the one that the frame states, else the usual step.

    Parameters
    ----------
    moments : DatetimeIndex
        UTC, or dates without a zone.
    asked, stated : str, optional
        What the caller and the frame's attrs say.
    symbol : str
        Named in errors.
    calendar : Calendar
        Whose local dates tell rows of one day apart.
    freq : DateOffset, optional
        Step of the frame's index, which pandas knows where it has just resampled.

    Returns
    -------
    Timeframe
        One that the moments do not contradict.

    Raises
    ------
    UsageError
        When they do, or when they tell no step.
    """
    steps = _Steps(moments, calendar, freq)
    if asked or stated:
        timeframe = Timeframe(asked or stated)
        if steps.contradict(timeframe):
            raise _contradiction(symbol, timeframe, steps, by_attrs=asked is None)
        return timeframe
    usual = steps.usual()
    if usual is None:
        raise UsageError(
            f"{symbol}: how long are these bars?",
            expected="timeframe=..., or rows at a regular step",
            got=str(steps),
            hint="Bars.from_frame(frame, symbol, '5Min')",
        )
    return usual


def to_labels(
    moments: pd.DatetimeIndex, timeframe: Timeframe, calendar: Calendar, label: str, symbol: str
) -> Int:
    """Turn moments into labels: opening times, or local midnights for days and weeks.

    Parameters
    ----------
    moments : DatetimeIndex
        UTC, or dates without a zone.
    timeframe : Timeframe
        Length of the bars.
    calendar : Calendar
        Whose midnights label daily bars.
    label : {"open", "close"}
        What the moments are.
    symbol : str
        Named in errors.

    Returns
    -------
    ndarray of int64
        Nanoseconds since 1970 UTC.

    Raises
    ------
    UsageError
        When intraday moments carry no zone.
    """
    if timeframe == "1Week":
        return calendar.labels(_mondays(moments, calendar, symbol))
    if not timeframe.is_intraday:
        return calendar.labels(session_dates(moments, calendar))
    if moments.tz is None:
        raise UsageError(
            f"{symbol}: times without a zone",
            expected="aware times, or tz= to say where they were written",
            got=f"{moments[0]} (naive)",
            hint=f"tz='UTC', or tz={calendar.tz!r} for exchange time",
        )
    ns = np.asarray(moments.asi8)
    return _starts(ns, timeframe, calendar) if label == "close" else ns


def _mondays(moments: pd.DatetimeIndex, calendar: Calendar, symbol: str) -> Dates:
    """Label weeks by their Monday, wherever in its week a vendor puts the label."""
    dates = session_dates(moments, calendar)
    weekday = weekdays(dates)
    if moments.tz is not None and (weekday == 6).any() and not _at_midnight(moments):
        raise UsageError(
            f"{symbol}: weeks that begin on a Sunday evening in {calendar.tz}",
            expected="labels of days in that zone",
            got=f"{moments[int(np.argmax(weekday == 6))]}",
            hint="calendar= of the exchange where it was midnight, such as 'XLON'",
        )
    return np.asarray(dates - weekday.astype("m8[D]"))


def _starts(ends: Int, timeframe: Timeframe, calendar: Calendar) -> Int:
    """Move labels back by one bar; a session's last bar may be shorter than the others."""
    row = calendar.locate(ends - 1)
    rest = (calendar.closes[row] - calendar.opens[row]) % timeframe.ns
    short = (row >= 0) & (rest > 0) & (ends == calendar.closes[row]) & np.isin(ends - rest, ends)
    return ends - np.where(short, rest, timeframe.ns)


def session_dates(moments: pd.DatetimeIndex, calendar: Calendar) -> Dates:
    """Tell which local date each row of daily bars is about.

    Vendors label a day by its local midnight, by midnight UTC of its date, by a bare date or by a
    moment within it.

    Parameters
    ----------
    moments : DatetimeIndex
        UTC, or dates without a zone.
    calendar : Calendar
        Whose local dates are meant.

    Returns
    -------
    ndarray of datetime64[D]
        Dates.
    """
    if moments.tz is None or _at_midnight(moments):
        return moments.tz_localize(None).to_numpy().astype("M8[D]")
    return calendar.dates(np.asarray(moments.asi8))


def _at_midnight(moments: pd.DatetimeIndex) -> bool:
    return bool((moments == moments.normalize()).all())


class _Steps:
    """The distances between rows: within one day, and from one day to the next."""

    def __init__(self, moments: pd.DatetimeIndex, calendar: Calendar, freq: Any) -> None:
        moments = moments.unique().sort_values()
        ns, dates = np.asarray(moments.asi8), session_dates(moments, calendar)
        self.rows = len(moments)
        self.stated = abs((moments[0] + freq - moments[0]).value) if freq is not None else None
        self.within = np.diff(ns)[np.diff(dates) == np.timedelta64(0, "D")]
        self.days = np.diff(np.unique(dates)).astype(np.int64)
        # A day that stands there twice, as yfinance's unfinished one may, makes no hours of days.
        self.intraday = len(self.within) > 0 and 2 * len(self.within) >= len(self.days)
        self.dated = _at_midnight(moments) or bool((calendar.labels(dates) == ns).all())

    def __str__(self) -> str:
        if self.usual() is not None:
            return f"rows mostly one {self.usual()} apart"
        return f"rows {self.days.min()} days apart" if len(self.days) else "1 row"

    def usual(self) -> Timeframe | None:
        if self.stated is not None:
            return _length(self.stated)
        if self.intraday:
            values, counts = np.unique(self.within, return_counts=True)
            return _length(int(values[counts.argmax()]))
        return _length(int(self.days.min()) * _DAY) if len(self.days) else None

    def contradict(self, timeframe: Timeframe) -> bool:
        if self.stated is not None or (not timeframe.is_intraday and len(self.days) > 1):
            return self.usual() != timeframe
        if not timeframe.is_intraday:
            return self.intraday
        if not len(self.within):
            return self.rows > 1 and self.dated
        # Sparse rows may skip bars, but then they do not all stand on a coarser grid.
        coarse = len(self.within) >= _ENOUGH and np.gcd.reduce(self.within) > timeframe.ns
        usual = self.usual()
        return bool(coarse or (usual is not None and usual < timeframe))


def _length(step: int) -> Timeframe | None:
    if step < _DAY:
        return Timeframe(timedelta(microseconds=step // 1_000))
    if step <= _LONGEST_WEEKEND * _DAY:
        return Timeframe("1Day")
    return Timeframe("1Week") if step <= _LONGEST_WEEK * _DAY else None


def _contradiction(
    symbol: str, timeframe: Timeframe, steps: _Steps, *, by_attrs: bool
) -> UsageError:
    speaker = "frame.attrs" if by_attrs else "the call"
    cure = "frame.attrs.clear() after frame.resample(...), and " if by_attrs else ""
    usual = steps.usual()
    return UsageError(
        f"{symbol}: {speaker} and the times contradict each other",
        expected=f"rows one {timeframe} apart",
        got=str(steps),
        hint=cure + (f"timeframe={str(usual)!r}" if usual else "bars of a week at most"),
    )
