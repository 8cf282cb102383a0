"""Do the times of bars look like this exchange's? Common lies are told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from .calendar import Calendar
from .clock import from_ns
from .days import weekdays
from .errors import UsageError
from .timeframe import Timeframe

if TYPE_CHECKING:
    from .bars import Bars

_HOUR = 3600 * 10**9
# Pre-market of US exchanges starts 5.5 hours before the open, after-hours end 4 after the close.
_BEFORE, _AFTER = int(5.5 * _HOUR), 4 * _HOUR
# Fewer sessions than this may be odd by chance.
_ENOUGH = 3
# Until 1952 New York met on Saturdays too, which its calendar leaves out.
FIVE_DAYS = np.datetime64("1952-10-01")


def check_labels(bars: Bars, calendar: Calendar) -> None:
    """Refuse bars of days and weeks that are not labelled by their exchange's midnight.

    Midnight UTC of a date is the evening before in New York: such a bar would be known a day
    early.

    Parameters
    ----------
    bars : Bars
        Of days or weeks, at birth.
    calendar : Calendar
        Of their exchange.

    Raises
    ------
    UsageError
        Names the first such bar.
    """
    row = np.searchsorted(calendar.midnights, bars.time)
    odd = calendar.midnights.take(row, mode="clip") != bars.time
    if odd.any():  # no session's midnight, so it may be a holiday's
        odd[odd] = calendar.labels(calendar.dates(bars.time[odd])) != bars.time[odd]
    begin = "midnight"
    if bars.timeframe == "1Week":
        odd |= weekdays(calendar.dates(bars.time)) != 0
        begin = "its Monday's midnight"
    if odd.any():
        first = from_ns(bars.time[odd][0]).astimezone(ZoneInfo(calendar.tz))
        raise UsageError(
            f"{bars.symbol}: a {bars.timeframe} bar is labelled by {begin} in {calendar.tz}",
            expected=f"calendar_for({calendar.code!r}).labels(dates)",
            got=f"{first:%A %Y-%m-%d %H:%M %Z}",
            hint="Bars.from_frame(frame), which reads dates as providers write them",
        )


def check_hours(bars: Bars, calendar: Calendar) -> None:
    """Refuse bars whose labels are their ends, or that belong to another zone or exchange.

    Three sessions are needed to tell; fewer pass. A lie of this kind is silent otherwise: bars
    labelled by their end are used a bar late, exchange times called UTC hours late, and a day of
    crypto would be known at New York's close, hours before it is over.

    Parameters
    ----------
    bars : Bars
        As read, by their labels.
    calendar : Calendar
        Of their exchange.

    Raises
    ------
    UsageError
        Says what it looks like, and what to pass.
    """
    if calendar.code == "24/7":
        return
    if bars.timeframe.is_intraday:
        _check_clock(bars, calendar)
    elif bars.timeframe == "1Day":
        _check_days(bars, calendar)


def _check_days(bars: Bars, calendar: Calendar) -> None:
    dates = calendar.dates(bars.time)
    known = (dates >= max(FIVE_DAYS, calendar.sessions[0])) & (dates <= calendar.sessions[-1])
    closed = known & (bars.session < 0)
    # Exchanges that keep their hours differ in a few holidays; another zone or market in weekdays.
    if closed.sum() > 1 and closed.sum() > len(bars) / 10:
        raise UsageError(
            f"{closed.sum()} of {len(bars)} days of {bars.symbol} are none of {calendar.code}",
            expected=f"sessions of {calendar.code}",
            got=f"{dates[closed][0]}, when it was closed",
            hint="calendar='24/7' for crypto, or the code of the right exchange (XLON, XTKS, ...)",
        )


def _check_clock(bars: Bars, calendar: Calendar) -> None:
    dates = calendar.dates(bars.time)
    day = np.unique(calendar.session(bars.time, Timeframe("1Day")))
    day = day[day >= 0]
    if len(day) < _ENOUGH:
        return
    first = bars.time[np.searchsorted(dates, calendar.sessions[day])]
    last = bars.time[np.searchsorted(dates, calendar.sessions[day], side="right") - 1]
    opens, closes = calendar.opens[day], calendar.closes[day]
    noon = (opens + closes) // 2
    span = f"{len(day)} sessions of {bars.symbol}"
    # Bars that all lie before the open, or after the close, are chosen ones.
    if (last < noon).all() and (first < opens - 2 * _HOUR).all() and (last > opens).any():
        raise _shifted(span, "end before the middle of the day", calendar)
    if (first > noon).all() and (last > closes + _HOUR).all() and (first < closes).any():
        raise _shifted(span, "start after the middle of the day", calendar)
    for begin, finish in ((opens, closes), (opens - _BEFORE, closes + _AFTER)):
        on_end, on_begin = last == finish, first == begin + bars.timeframe.ns
        if (
            on_end.mean() > 0.5
            and on_begin.any()
            and (last <= finish).all()
            and (first > begin).all()
        ):
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
