"""Do the times of bars look like this exchange's hours? Two common lies are told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .calendar import Calendar
from .errors import UsageError

if TYPE_CHECKING:
    from .bars import Bars

_HOUR = 3600 * 10**9
# Pre-market of US exchanges starts 5.5 hours before the open, after-hours end 4 after the close.
_BEFORE, _AFTER = int(5.5 * _HOUR), 4 * _HOUR
# Fewer sessions than this may be odd by chance.
_ENOUGH = 3


def check_hours(bars: Bars, calendar: Calendar) -> None:
    """Refuse intraday bars whose labels are their ends, or stand in the wrong zone.

    Three sessions are needed to tell; fewer pass. A lie of this kind is silent otherwise: bars
    labelled by their end are used a bar late, exchange times called UTC hours late.

    Parameters
    ----------
    bars : Bars
        As read, by their labels.
    calendar : Calendar
        Of their exchange.

    Raises
    ------
    UsageError
        Says which of the two it looks like, and what to pass.
    """
    if not bars.timeframe.is_intraday or calendar.code == "24/7" or not len(bars):
        return
    dates = calendar.dates(bars.time)
    day = np.searchsorted(calendar.sessions, np.unique(dates))
    day = day[np.isin(np.unique(dates), calendar.sessions)]
    start = np.searchsorted(dates, calendar.sessions[day])
    end = np.searchsorted(dates, calendar.sessions[day], side="right") - 1
    if len(day) < _ENOUGH:
        return
    first, last = bars.time[start], bars.time[end]
    opens, closes = calendar.opens[day], calendar.closes[day]
    noon = (opens + closes) // 2
    span = f"{len(day)} sessions of {bars.symbol}"
    if (last < noon).all() and (first < opens - 2 * _HOUR).all():
        raise _shifted(span, "end before the middle of the day", calendar)
    if (first > noon).all() and (last > closes + _HOUR).all():
        raise _shifted(span, "start after the middle of the day", calendar)
    for begin, finish in ((opens, closes), (opens - _BEFORE, closes + _AFTER)):
        on_end, on_begin = last == finish, first == begin + bars.timeframe.ns
        if on_end.mean() > 0.5 and on_begin.any() and (last <= finish).all() and (first > begin).all():
            raise _labelled_by_end(span)


def _shifted(span: str, what: str, calendar: Calendar) -> UsageError:
    return UsageError(
        f"all {span} {what} in {calendar.tz}: the zone of these times looks wrong",
        expected="rows in the exchange's hours",
        got="times that were probably written in another zone than they claim",
        hint=f"frame.index.tz_localize(None) and tz={calendar.tz!r}, or the right calendar=",
    )


def _labelled_by_end(span: str) -> UsageError:
    return UsageError(
        f"{span} have a bar at the close and none at the open: they look labelled by their end",
        expected="bars labelled by their opening time",
        got="a last label at the very end of the session",
        hint="label='close'",
    )
