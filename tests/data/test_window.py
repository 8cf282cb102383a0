from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import Timeframe
from tradekit._core.calendar import calendar_for
from tradekit._core.clock import from_ns, to_ns
from tradekit.data._window import first_from, last_close, newest_from

CODES = ("XNYS", "24/7")
LENGTHS = ("1Min", "7Min", "30Min", "2Hour", "4Hour")
# Over two half days (29 November and 24 December), Thanksgiving and the end of summer time.
MOMENTS = st.integers(0, 70 * 24 * 60).map(
    lambda minutes: datetime(2024, 10, 20, tzinfo=UTC) + timedelta(minutes=minutes)
)


def bars(code, length):
    """Label and close of every bar around those weeks, by a plain loop over sessions."""
    calendar = calendar_for(code)
    rows = np.flatnonzero(
        (calendar.sessions >= np.datetime64("2024-09-01"))
        & (calendar.sessions < np.datetime64("2025-02-01"))
    )
    for row in rows:
        label = int(calendar.opens[row])
        while label < calendar.closes[row]:
            yield label, min(label + length.ns, int(calendar.closes[row]))
            label += length.ns


@given(st.sampled_from(CODES), st.sampled_from(LENGTHS), MOMENTS, st.integers(1, 40))
def test_the_newest_so_many_begin_where_a_plain_loop_says(code, length, due, count):
    length = Timeframe(length)
    over = [label for label, close in bars(code, length) if close <= to_ns(due)]
    assert newest_from(calendar_for(code), length, due, count) == from_ns(over[-count])


@given(st.sampled_from(CODES), st.sampled_from(LENGTHS), MOMENTS)
def test_the_first_bar_from_a_moment_on_is_what_a_plain_loop_says(code, length, start):
    length = Timeframe(length)
    coming = next(label for label, _ in bars(code, length) if label >= to_ns(start))
    assert first_from(calendar_for(code), length, start) == from_ns(coming)


@pytest.mark.parametrize(
    ("timeframe", "due", "count", "label"),
    [
        ("1Day", "2024-07-03T17:00", 1, "2024-07-03T04:00"),  # the close of a half day
        ("1Day", "2024-07-03T16:59", 1, "2024-07-02T04:00"),
        ("1Day", "2024-07-06T12:00", 2, "2024-07-03T04:00"),  # the fourth is a holiday
        ("1Week", "2024-09-06T20:00", 1, "2024-08-26T04:00"),  # and the week that may be over
        ("1Week", "2024-09-10T12:00", 1, "2024-09-02T04:00"),  # whose Monday is Labor Day
    ],
)
def test_days_and_weeks_are_counted_by_sessions(timeframe, due, count, label):
    moment = datetime.fromisoformat(f"{due}+00:00")
    found = newest_from(calendar_for(), Timeframe(timeframe), moment, count)
    assert found == datetime.fromisoformat(f"{label}+00:00")


@pytest.mark.parametrize(
    ("timeframe", "start", "label"),
    [
        ("1Day", "2024-07-03T04:00", "2024-07-03T04:00"),
        ("1Day", "2024-07-03T04:01", "2024-07-05T04:00"),
        ("1Week", "2024-09-02T04:00", "2024-09-02T04:00"),  # Labor Day's midnight
        ("1Week", "2024-09-02T04:01", "2024-09-09T04:00"),
    ],
)
def test_a_day_or_a_week_begins_at_its_midnight(timeframe, start, label):
    moment = datetime.fromisoformat(f"{start}+00:00")
    found = first_from(calendar_for(), Timeframe(timeframe), moment)
    assert found == datetime.fromisoformat(f"{label}+00:00")


def test_more_bars_than_the_calendar_knows_begin_with_its_first():
    due = datetime(1928, 1, 5, tzinfo=UTC)
    for timeframe in ("1Day", "1Week", "1Min"):
        first = newest_from(calendar_for(), Timeframe(timeframe), due, 10_000)
        assert first.date() == datetime(1928, 1, 2, tzinfo=UTC).date()


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("timeframe", "moment", "closed"),
    [
        ("5Min", "2024-07-03T14:02", "2024-07-03T14:00"),
        ("5Min", "2024-07-03T14:00", "2024-07-03T14:00"),
        ("5Min", "2024-07-03T13:34:59", "2024-07-02T20:00"),  # the first bar still runs
        ("1Hour", "2024-07-03T16:59", "2024-07-03T16:30"),
        ("1Hour", "2024-07-04T15:00", "2024-07-03T17:00"),  # half a bar ended half a session
        ("1Day", "2024-07-05T19:59", "2024-07-03T17:00"),
        ("1Day", "2024-07-05T20:00", "2024-07-05T20:00"),
        ("1Week", "2024-07-08T12:00", "2024-07-05T20:00"),
    ],
)
def test_the_last_close_is_that_of_a_bar_of_the_grid(timeframe, moment, closed):
    assert last_close(calendar_for(), Timeframe(timeframe), utc(moment)) == utc(closed)


def test_before_the_calendar_begins_there_is_no_close():
    assert last_close(calendar_for(), Timeframe("5Min"), utc("1900-01-01")) == utc("1900-01-01")
