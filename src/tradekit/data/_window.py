"""From which bar on to ask, so that no more rows travel than were asked for."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from .._core.calendar import ONE_DAY, Calendar
from .._core.clock import from_ns, to_ns
from .._core.columns import Int
from .._core.days import weekdays, weeks
from .._core.request import BarsRequest
from .._core.timeframe import Timeframe


def first_from(calendar: Calendar, timeframe: Timeframe, start: datetime) -> datetime:
    """Find the label of the first bar that opens at a moment or after it.

    Parameters
    ----------
    calendar : Calendar
        Of the exchange.
    timeframe : Timeframe
        Length of the bars.
    start : datetime
        Aware moment.

    Returns
    -------
    datetime
        On the session's grid, which counts from the open.

    Examples
    --------
    >>> from datetime import UTC
    >>> from tradekit._core.calendar import calendar_for
    >>> noon = datetime(2024, 3, 8, 17, 1, tzinfo=UTC)
    >>> f"{first_from(calendar_for(), Timeframe('1Hour'), noon):%H:%M}"
    '17:30'
    """
    moment = to_ns(start)
    if not timeframe.is_intraday:
        day = calendar.sessions[int(np.searchsorted(calendar.midnights, moment))]
        if timeframe == "1Week":
            monday = day - weekdays(day)
            day = (
                monday if calendar.labels(np.array([monday]))[0] >= moment else monday + 7 * ONE_DAY
            )
        return from_ns(calendar.labels(np.array([day]))[0])
    row = int(np.searchsorted(calendar.closes, moment, side="right"))
    opened = int(calendar.opens[row])
    steps = max(0, -(-(moment - opened) // timeframe.ns))
    label = opened + steps * timeframe.ns
    return from_ns(label if label < calendar.closes[row] else calendar.opens[row + 1])


def last_close(calendar: Calendar, timeframe: Timeframe, moment: datetime) -> datetime:
    """Find when what was complete at a moment became so: since then no bar has closed.

    Parameters
    ----------
    calendar : Calendar
        Of the exchange.
    timeframe : Timeframe
        Length of the bars.
    moment : datetime
        Aware.

    Returns
    -------
    datetime
        A close of the session's grid; the close of a session for bars of days and weeks. The moment
        itself where the calendar does not reach back so far.

    Examples
    --------
    >>> from datetime import UTC
    >>> from tradekit._core.calendar import calendar_for
    >>> for time in (datetime(2024, 3, 8, 15, 42, tzinfo=UTC), datetime(2024, 3, 11, tzinfo=UTC)):
    ...     print(f"{last_close(calendar_for(), Timeframe('5Min'), time):%a %H:%M}")
    Fri 15:40
    Fri 21:00
    """
    now = to_ns(moment)
    row = int(np.searchsorted(calendar.closes, now, side="right"))
    opened = int(calendar.opens[row])
    if timeframe.is_intraday and opened + timeframe.ns <= now:
        return from_ns(now - (now - opened) % timeframe.ns)
    return from_ns(calendar.closes[row - 1]) if row else moment


def newest_from(calendar: Calendar, timeframe: Timeframe, due: datetime, count: int) -> datetime:
    """Find the label of the oldest of the newest bars that are complete at a moment.

    Parameters
    ----------
    calendar : Calendar
        Of the exchange.
    timeframe : Timeframe
        Length of the bars.
    due : datetime
        Aware moment.
    count : int
        How many bars, where none is missing.

    Returns
    -------
    datetime
        Of the calendar's first session where it knows fewer.

    Examples
    --------
    >>> from datetime import UTC
    >>> from tradekit._core.calendar import calendar_for
    >>> monday = datetime(2024, 3, 11, 14, 31, tzinfo=UTC)  # an hour and a minute after the open
    >>> f"{newest_from(calendar_for(), Timeframe('30Min'), monday, 3):%a %H:%M}"
    'Fri 20:30'
    """
    moment = to_ns(due)
    if timeframe.is_intraday:
        return from_ns(_intraday(calendar, timeframe, moment, count))
    over = int(np.searchsorted(calendar.closes, moment, side="right"))  # sessions that have closed
    if timeframe == "1Day":
        return from_ns(calendar.midnights[max(0, over - count)])
    # The week that runs counts as one more: whether it is over depends on its last session.
    number = weeks(calendar.sessions)
    week = number[max(0, over - 1)] - count
    day = calendar.sessions[int(np.searchsorted(number, week))]
    return from_ns(calendar.labels(np.array([day - weekdays(day)]))[0])


def _intraday(calendar: Calendar, timeframe: Timeframe, moment: int, count: int) -> int:
    begun = int(np.searchsorted(calendar.opens, moment))
    rows = np.arange(max(0, begun - count - 1), begun)  # a session has one bar at least
    until = np.minimum(calendar.closes[rows], moment)
    bars: Int = (until - calendar.opens[rows]) // timeframe.ns
    # The last bar of a session that is over ends with it, however short.
    bars += (until == calendar.closes[rows]) & ((until - calendar.opens[rows]) % timeframe.ns > 0)
    from_the_end = np.cumsum(bars[::-1])
    back = min(int(np.searchsorted(from_the_end, count)), len(rows) - 1)
    row = rows[len(rows) - 1 - back]
    surplus = max(0, int(from_the_end[back]) - count)
    return int(calendar.opens[row] + surplus * timeframe.ns)


def begins(calendar: Calendar, request: BarsRequest, now: datetime) -> datetime:
    """Find the label of the first bar that a request asks for, where none is missing.

    Parameters
    ----------
    calendar : Calendar
        Of the exchange.
    request : BarsRequest
        With a start or a limit.
    now : datetime
        Aware.

    Returns
    -------
    datetime
        Of the newest bar where it has neither.

    Examples
    --------
    >>> from datetime import UTC
    >>> from tradekit._core.calendar import calendar_for
    >>> close = datetime(2024, 3, 8, 21, tzinfo=UTC)
    >>> f"{begins(calendar_for(), BarsRequest('SPY', '30Min', limit=2), close):%H:%M}"
    '20:00'
    """
    if request.start is not None:
        return first_from(calendar, request.timeframe, request.start)
    return newest_from(calendar, request.timeframe, request.end or now, request.limit or 1)
