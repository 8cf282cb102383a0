"""From moments to labelled bars: how far apart rows stand, and what that makes them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .calendar import Calendar
from .errors import UsageError
from .timeframe import Timeframe

if TYPE_CHECKING:
    import pandas as pd

Int = npt.NDArray[np.int64]

_NS = 1_000_000_000
_DAY = 86_400 * _NS
# A week with two holidays around a weekend leaves sessions four days apart, and never five.
_LONGEST_WEEKEND = 4


def find_timeframe(
    moments: pd.DatetimeIndex,
    asked: str | None,
    stated: str | None,
    symbol: str,
    calendar: Calendar,
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

    Returns
    -------
    Timeframe
        One that the moments do not contradict.

    Raises
    ------
    UsageError
        When they do, or when a single row tells no step.
    """
    steps = _Steps(moments, calendar)
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
            got=f"{len(moments)} rows",
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
    if not timeframe.is_intraday:
        return calendar.labels(session_dates(moments, calendar))
    if moments.tz is None:
        raise UsageError(
            f"{symbol}: times without a zone",
            expected="aware times, or tz= to say where they were written",
            got=f"{moments[0]} (naive)",
            hint=f"tz='UTC', or tz={calendar.tz!r} for exchange time",
        )
    return np.asarray(moments.asi8) - (timeframe.ns if label == "close" else 0)


def session_dates(moments: pd.DatetimeIndex, calendar: Calendar) -> npt.NDArray[np.datetime64]:
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
    ns = np.asarray(moments.asi8)
    if moments.tz is None or (ns % _DAY == 0).all():
        return ns.astype("M8[ns]").astype("M8[D]")
    return calendar.dates(ns)


class _Steps:
    """The distances between rows: within one day, and from one day to the next."""

    def __init__(self, moments: pd.DatetimeIndex, calendar: Calendar) -> None:
        moments = moments.unique().sort_values()
        dates = session_dates(moments, calendar).astype(np.int64)
        self.rows = len(moments)
        self.within = np.diff(np.asarray(moments.asi8))[np.diff(dates) == 0]
        self.days = np.diff(np.unique(dates))

    def usual(self) -> Timeframe | None:
        if len(self.within):
            values, counts = np.unique(self.within, return_counts=True)
            return Timeframe(timedelta(microseconds=int(values[counts.argmax()]) // 1_000))
        if len(self.days):
            return Timeframe("1Day" if self.days.min() <= _LONGEST_WEEKEND else "1Week")
        return None

    def contradict(self, timeframe: Timeframe) -> bool:
        if not timeframe.is_intraday:
            shortest = self.days.min() if len(self.days) > 1 else None
            if len(self.within) or shortest is None:
                return bool(len(self.within))
            return bool((shortest > _LONGEST_WEEKEND) == (timeframe == "1Day"))
        if not len(self.within):
            return self.rows > 2
        # Sparse rows may skip bars, but they stand on the grid, and some stand side by side.
        sparse = len(self.within) > 1 and self.within.min() > timeframe.ns
        usual = self.usual()
        return bool(sparse or (usual is not None and usual < timeframe))


def _contradiction(
    symbol: str, timeframe: Timeframe, steps: _Steps, *, by_attrs: bool
) -> UsageError:
    speaker = "frame.attrs" if by_attrs else "the call"
    cure = "frame.attrs.clear() after frame.resample(...), and " if by_attrs else ""
    usual = steps.usual()
    return UsageError(
        f"{symbol}: {speaker} and the times contradict each other",
        expected=f"rows one {timeframe} apart",
        got=f"rows mostly one {usual} apart",
        hint=f"{cure}timeframe={str(usual)!r}",
    )
