"""Trading sessions: when an exchange is open, from its official calendar."""

from __future__ import annotations

import threading
import warnings
from functools import cache
from typing import Any

import attrs
import numpy as np

from .columns import Bool, Dates, Int, readonly
from .days import dates_of, midnights, weeks
from .errors import UsageError
from .timeframe import Timeframe

# Explicit, so that no answer depends on the day it is asked: NYSE's record starts in 1928.
FIRST, LAST, _KNOWN_TO_ALL = "1928-01-01", "2049-12-31", 2024
# numpy 2.5 adds no bare numbers to dates.
ONE_DAY = np.timedelta64(1, "D")
_BUILDING = threading.RLock()


@attrs.frozen(eq=False, repr=False)
class Calendar:
    """The sessions of one exchange, one row each, oldest first.

    Parameters
    ----------
    code : str
        Its ISO market code (``XNYS``), or ``24/7``, whose sessions are UTC days.
    tz : str
        Time zone of the exchange.
    sessions : ndarray of datetime64[D], shape (n,)
        The local date of each session.
    midnights, opens, closes : ndarray of int64, shape (n,)
        Nanoseconds since 1970 UTC of the session's local midnight (the label of its daily bar),
        its open and its close; half days close early.
    break_starts, break_ends : ndarray of int64, shape (n,)
        Nanoseconds since 1970 UTC of the lunch break; both are the close where there is none.

    Examples
    --------
    >>> nyse = calendar_for("XNYS")
    >>> day = nyse.sessions.searchsorted(np.datetime64("2024-07-03"))
    >>> (nyse.closes[day] - nyse.opens[day]) / 3.6e12  # hours, the day before Independence Day
    np.float64(3.5)
    """

    code: str
    tz: str
    sessions: Dates
    midnights: Int
    opens: Int
    closes: Int
    break_starts: Int
    break_ends: Int

    def __repr__(self) -> str:
        return f"Calendar({self.code!r}, {self.sessions[0]} to {self.sessions[-1]})"

    def locate(self, time: Int) -> Int:
        """Find the session in whose regular hours each moment lies.

        Parameters
        ----------
        time : ndarray of int64
            Nanoseconds since 1970 UTC.

        Returns
        -------
        ndarray of int64
            Row of the session, -1 outside regular hours.

        Examples
        --------
        >>> nyse = calendar_for("XNYS")
        >>> noon = np.array(["2024-03-08T17:00", "2024-03-09T17:00"], "M8[ns]").astype("i8")
        >>> nyse.sessions[nyse.locate(noon)[0]], nyse.locate(noon)[1]
        (np.datetime64('2024-03-08'), np.int64(-1))
        """
        row = np.asarray(np.searchsorted(self.opens, time, side="right") - 1, dtype=np.int64)
        inside = (row >= 0) & (time < self.closes[np.maximum(row, 0)])
        return np.where(inside, row, -1)

    def session(self, time: Int, timeframe: Timeframe) -> Int:
        """Find the session that each bar belongs to.

        Parameters
        ----------
        time : ndarray of int64
            Labels in nanoseconds since 1970 UTC.
        timeframe : Timeframe
            Length of the bars; a daily bar belongs to the session of its date, a weekly bar to
            the first session of its week.

        Returns
        -------
        ndarray of int64
            Row of the session, -1 where there is none.

        Examples
        --------
        >>> label = np.array(["2024-07-03T04:00"], "M8[ns]").astype("i8")
        >>> nyse = calendar_for("XNYS")
        >>> nyse.sessions[nyse.session(label, Timeframe("1Day"))]
        array(['2024-07-03'], dtype='datetime64[D]')
        """
        if timeframe.is_intraday:
            return self.locate(time)
        number = weeks if timeframe == "1Week" else _day
        wanted, have = number(self.dates(time)), number(self.sessions)
        row = np.minimum(np.searchsorted(have, wanted), len(have) - 1)
        return np.where(have[row] == wanted, row, -1)

    def dates(self, time: Int) -> Dates:
        """Tell the exchange-local date of each moment.

        Parameters
        ----------
        time : ndarray of int64
            Nanoseconds since 1970 UTC.

        Returns
        -------
        ndarray of datetime64[D]
            Local dates.

        Examples
        --------
        >>> calendar_for("XNYS").dates(np.array(["2024-03-09T03:00"], "M8[ns]").astype("i8"))
        array(['2024-03-08'], dtype='datetime64[D]')
        """
        return dates_of(time, self.tz)

    def labels(self, dates: Dates) -> Int:
        """Tell the label of the daily bar of each local date: its midnight there.

        Parameters
        ----------
        dates : ndarray of datetime64[D]
            Local dates, sessions or not.

        Returns
        -------
        ndarray of int64
            Nanoseconds since 1970 UTC.

        Examples
        --------
        >>> calendar_for("XNYS").labels(np.array(["2024-07-03"], "M8[D]")).astype("M8[ns]")
        array(['2024-07-03T04:00:00.000000000'], dtype='datetime64[ns]')
        """
        return midnights(dates, self.tz)

    def close_time(self, time: Int, timeframe: Timeframe) -> Int:
        """Tell when each bar is complete, so that it may be used.

        Intraday bars end after their length, or at the session's close if that comes first; a bar
        off the session's grid, as vendors' clock hours make them, may go on after the close, and
        is known when its length is over. A daily bar ends at the close of its session, a weekly
        bar at its last session's. A label that is no session's is known when its local day (or
        week) is over.

        Parameters
        ----------
        time : ndarray of int64
            Labels (opening times) in nanoseconds since 1970 UTC.
        timeframe : Timeframe
            Length of the bars.

        Returns
        -------
        ndarray of int64
            Nanoseconds since 1970 UTC.

        Examples
        --------
        >>> half_day = np.array(["2024-07-03T04:00"], "M8[ns]").astype("i8")
        >>> calendar_for("XNYS").close_time(half_day, Timeframe("1Day")).astype("M8[ns]")
        array(['2024-07-03T17:00:00.000000000'], dtype='datetime64[ns]')
        """
        if timeframe.is_intraday:
            row, end = self.locate(time), time + timeframe.ns
            cut = np.flatnonzero((row >= 0) & (end > self.closes[row]))
            cut = cut[(time[cut] - self.opens[row[cut]]) % timeframe.ns == 0]
            end[cut] = self.closes[row[cut]]
            return end
        dates = self.dates(time)
        if timeframe == "1Day":
            return self._period_close(_day(self.sessions), _day(dates), dates)
        last_day = ((weeks(dates) + 1) * 7 - 4).astype("M8[D]")
        return self._period_close(weeks(self.sessions), weeks(dates), last_day)

    def _period_close(self, periods: Int, wanted: Int, last_day: Dates) -> Int:
        """Close of the last session of each wanted period, else the end of its last day."""
        row = np.searchsorted(periods, wanted, side="right") - 1
        closes, absent = self.closes[row], (row < 0) | (periods[row] != wanted)
        closes[absent] = self.labels(last_day[absent] + ONE_DAY)
        return closes

    def later(self, moment: int, timeframe: Timeframe, count: int) -> int:
        """Tell when the ``count``-th bar after a moment will be complete.

        Parameters
        ----------
        moment : int
            Nanoseconds since 1970 UTC, as a rule the close of a bar.
        timeframe : Timeframe
            Length of the bars.
        count : int
            How many bars of regular hours to wait for, from 1.

        Returns
        -------
        int
            Nanoseconds since 1970 UTC.

        Raises
        ------
        UsageError
            When the calendar does not reach that far.

        Examples
        --------
        >>> close = int(np.datetime64("2024-03-08T21:00", "ns").astype("i8"))  # a Friday
        >>> np.datetime64(calendar_for("XNYS").later(close, Timeframe("1Hour"), 2), "ns")
        np.datetime64('2024-03-11T15:30:00.000000000')
        """
        row = int(np.searchsorted(self.closes, moment, side="right"))
        try:
            if timeframe.is_intraday:
                return self._intraday_later(row, moment, timeframe, count)
            # A week is complete at its last session's close.
            coming = self.sessions[row : row + 7 * (count + 1)]
            period = (weeks if timeframe == "1Week" else _day)(coming)
            last = np.flatnonzero(np.diff(period, append=period[-1:] + 1))
            return int(self.closes[row + last[count - 1]])
        except IndexError:
            raise UsageError(
                f"{self.code}: no session is known that far ahead",
                expected=f"a moment before the close of {self.sessions[-1]}",
                got=f"{timeframe} bar number {count} after {np.datetime64(moment, 'ns')}",
                hint="fewer bars, or a shorter timeframe",
            ) from None

    def _intraday_later(self, row: int, moment: int, timeframe: Timeframe, count: int) -> int:
        while True:
            start = np.arange(max(moment, int(self.opens[row])), self.closes[row], timeframe.ns)
            end = np.minimum(start + timeframe.ns, self.closes[row])
            end = end[(start < self.break_starts[row]) | (end > self.break_ends[row])]
            if count <= len(end):
                return int(end[count - 1])
            count, row = count - len(end), row + 1

    def gap_before(self, time: Int, timeframe: Timeframe) -> Bool:
        """Tell before which bars an expected bar is missing.

        Expected are the bars of regular hours, on the session's grid. Nothing is expected before
        the first bar, nor outside regular hours, nor in a lunch break.

        Parameters
        ----------
        time : ndarray of int64
            Labels of consecutive bars in nanoseconds since 1970 UTC.
        timeframe : Timeframe
            Length of the bars.

        Returns
        -------
        ndarray of bool
            True where a bar should have stood between this bar and the one before it.

        Examples
        --------
        >>> labels = np.array(["2024-03-08T14:30", "2024-03-08T14:32"], "M8[ns]").astype("i8")
        >>> calendar_for("XNYS").gap_before(labels, Timeframe("1Min"))
        array([False,  True])
        """
        gap = np.zeros(len(time), dtype=bool)
        if len(time) > 1:
            find = self._intraday_gap if timeframe.is_intraday else self._period_gap
            gap[1:] = find(time, timeframe)
        return gap

    def _period_gap(self, time: Int, timeframe: Timeframe) -> Bool:
        number = weeks if timeframe == "1Week" else _day
        have, wanted = number(self.sessions), number(self.dates(time))
        # Sessions strictly between two labels; a label on a holiday is no session itself.
        after = np.searchsorted(have, wanted[:-1], side="right")
        return np.asarray(np.searchsorted(have, wanted[1:], side="left") > after)

    def _intraday_gap(self, time: Int, timeframe: Timeframe) -> Bool:
        end, start = time[:-1] + timeframe.ns, time[1:]
        begun = np.searchsorted(self.opens, end, side="right") - 1
        ended = np.searchsorted(self.opens, start, side="right") - 1
        tail = np.maximum(self.closes[begun] - np.maximum(end, self.opens[begun]), 0)
        tail = np.where(begun >= 0, tail, 0)
        # Vendors that label by clock hours start at 10:00 with half an hour gone: that is no gap.
        head = np.minimum(start, self.closes[ended]) - self.opens[ended] >= timeframe.ns
        inner = start - end - self._pause(begun, end, start) > 0
        same = begun == ended
        within = inner & (end < self.closes[begun]) & (begun >= 0)
        return np.asarray(np.where(same, within, (tail > 0) | head | (ended - begun > 1)))

    def _pause(self, row: Int, start: Int, end: Int) -> Int:
        overlap = np.minimum(end, self.break_ends[row]) - np.maximum(start, self.break_starts[row])
        return np.asarray(np.maximum(overlap, 0))


def _day(dates: Dates) -> Int:
    return dates.astype(np.int64)


def calendar_for(code: str = "XNYS") -> Calendar:
    """Give the calendar of an exchange, from 1928 (or its first known session) to 2049.

    Parameters
    ----------
    code : str
        ``XNYS`` for US stocks, ``24/7`` for crypto, or any code that exchange_calendars knows
        (``XLON``, ``XTKS``, ...).

    Returns
    -------
    Calendar
        The same object for the same code.

    Raises
    ------
    UsageError
        When no exchange has that code.

    Examples
    --------
    >>> calendar_for()
    Calendar('XNYS', 1928-01-02 to 2049-12-31)
    """
    with _BUILDING:  # threads that ask at once share one calendar
        return _built(code)


@cache
def _built(code: str) -> Calendar:
    from exchange_calendars import errors, get_calendar_names

    try:
        with warnings.catch_warnings():
            # It calls pandas in ways that pandas will retire; a user cannot mend that.
            warnings.simplefilter("ignore", DeprecationWarning)
            exchange = _widest(code)
    except errors.InvalidCalendarName:
        raise UsageError(
            "unknown exchange",
            expected="'XNYS', '24/7' or another code of exchange_calendars",
            got=repr(code),
            hint=f"one of {', '.join(get_calendar_names(include_aliases=False))}",
        ) from None
    except (NotImplementedError, ValueError) as error:
        raise UsageError(
            f"exchange_calendars cannot build {code!r} with the pandas that is installed",
            got=f"{type(error).__name__}: {str(error)[:80]}",
            hint="another exchange, or another version of pandas",
        ) from error
    return _from_schedule(code, exchange.schedule, exchange.tz.key)


def _widest(code: str) -> Any:
    """Reach as far as the exchange's own record does: not all know 1928, or 2049."""
    from exchange_calendars import get_calendar

    kind = type(get_calendar(code, start=f"{_KNOWN_TO_ALL}-01-01", end=f"{_KNOWN_TO_ALL}-12-31"))
    first, last = kind.bound_min(), kind.bound_max()
    start = FIRST if first is None else max(FIRST, str(first.date()))
    return get_calendar(
        code, start=start, end=LAST if last is None else min(LAST, str(last.date()))
    )


def _from_schedule(code: str, schedule: Any, tz: str) -> Calendar:
    sessions = readonly(schedule.index.to_numpy().astype("M8[D]"))
    opens, closes, starts, ends = (
        readonly(times.fillna(schedule["close"]).dt.as_unit("ns").astype("int64").to_numpy())
        for times in map(schedule.get, ("open", "close", "break_start", "break_end"))
    )
    blank = Calendar(code, tz, sessions, opens, opens, closes, starts, ends)
    return attrs.evolve(blank, midnights=readonly(blank.labels(sessions)))
