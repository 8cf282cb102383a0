from __future__ import annotations

import numpy as np
import pytest

from tradekit._core.bars import Bars
from tradekit._core.calendar import calendar_for
from tradekit._core.errors import UsageError
from tradekit._core.hours import check_hours

NYSE, MINUTE, HOUR = calendar_for(), 60 * 10**9, 3600 * 10**9
# Wednesday 2024-07-03 is a half day, Thursday a holiday.
WEEK = np.flatnonzero(
    (NYSE.sessions >= np.datetime64("2024-07-01")) & (NYSE.sessions <= np.datetime64("2024-07-05"))
)
WHOLE = [*WEEK[:2], *WEEK[3:]]


def bars(time, length="5Min", calendar="XNYS"):
    price = np.full(len(time), 10.0)
    return Bars("SPY", length, time, price, price, price, price, price, calendar=calendar)


def labels(start="09:30", end="16:00", shift=0, rows=WEEK, step=5 * MINUTE):
    """Labels from start to before end in New York's time, on each session."""
    minutes = [60 * int(text[:2]) + int(text[3:]) for text in (start, end)]
    spans = [NYSE.midnights[row] + np.arange(*(m * MINUTE for m in minutes), step) for row in rows]
    return np.concatenate(spans) + shift


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("09:30", "16:00"),
        ("04:00", "20:00"),
        ("09:30", "16:05"),  # with the closing print
        ("10:00", "15:00"),  # chosen hours
        ("04:00", "09:30"),  # the early hours alone
        ("16:00", "20:00"),  # the evening alone
        ("07:00", "12:00"),
        ("08:00", "09:35"),
    ],
)
def test_true_hours_pass(start, end):
    check_hours(bars(labels(start, end)), NYSE)


@pytest.mark.parametrize("step", [MINUTE, 5 * MINUTE, HOUR])
def test_clock_hours_pass(step):
    length = {MINUTE: "1Min", 5 * MINUTE: "5Min", HOUR: "1Hour"}[step]
    check_hours(bars(labels("04:00", "20:00", step=step), length), NYSE)
    check_hours(bars(labels("10:00", "16:00", step=step), length), NYSE)


@pytest.mark.parametrize(("start", "end"), [("09:35", "16:05"), ("04:05", "20:05")])
def test_labels_of_the_end_are_told_by_a_bar_at_the_close_and_none_at_the_open(start, end):
    with pytest.raises(UsageError) as caught:
        check_hours(bars(labels(start, end, rows=WHOLE)), NYSE)
    assert str(caught.value) == (
        "3 sessions of SPY have a bar at the close and none at the open: they look labelled by "
        "their end: expected bars labelled by their opening time, got a last label at the very "
        "end of the session. Try: label='close'"
    )


def test_a_missing_first_bar_alone_is_no_lie():
    time = labels("09:35", "16:05", rows=WHOLE)
    check_hours(bars(np.append(time, time[-1] + 5 * MINUTE)), NYSE)  # after hours as well
    check_hours(bars(np.insert(time, 0, time[0] - 5 * MINUTE)), NYSE)  # one first bar


@pytest.mark.parametrize(("shift", "where"), [(-4, "end before"), (4, "start after")])
def test_hours_that_were_written_in_another_zone_are_told(shift, where):
    with pytest.raises(UsageError) as caught:
        check_hours(bars(labels(shift=shift * HOUR, rows=WHOLE)), NYSE)
    assert str(caught.value) == (
        f"all 3 sessions of SPY {where} the middle of the day in America/New_York: the zone of "
        "these times looks wrong: expected rows in the exchange's hours, got times that were "
        "probably written in another zone than they claim. Try: frame.index.tz_localize(None) "
        "and tz='America/New_York', or the right calendar="
    )


def test_two_sessions_are_too_few_to_tell():
    check_hours(bars(labels(shift=-4 * HOUR, rows=WEEK[:2])), NYSE)
    check_hours(bars(labels("09:35", "16:05", rows=WEEK[:2])), NYSE)


def test_crypto_keeps_no_hours():
    crypto = calendar_for("24/7")
    check_hours(bars(labels(shift=-4 * HOUR), calendar="24/7"), crypto)
    check_hours(bars(labels("09:35", "16:05"), calendar="24/7"), crypto)
    every_day = crypto.midnights[-40_000:-39_900]
    check_hours(bars(every_day, "1Day", "24/7"), crypto)


def days(first, count, keep):
    dates = np.datetime64(first) + np.arange(count)
    return NYSE.labels(dates[[date.item().isoweekday() in keep for date in dates]])


def test_days_of_crypto_are_not_new_yorks():
    with pytest.raises(UsageError) as caught:
        check_hours(bars(days("2024-06-24", 14, {1, 2, 3, 4, 5, 6, 7}), "1Day"), NYSE)
    assert str(caught.value) == (
        "5 of 14 days of SPY are none of XNYS: expected sessions of XNYS, got 2024-06-29, when "
        "it was closed. Try: calendar='24/7' for crypto, or the code of the right exchange "
        "(XLON, XTKS, ...)"
    )


def test_days_that_moved_by_one_are_not_new_yorks():
    with pytest.raises(UsageError, match="days of SPY are none of XNYS"):
        check_hours(bars(days("2024-06-03", 60, {7, 1, 2, 3, 4}), "1Day"), NYSE)


@pytest.mark.parametrize(
    ("first", "count", "keep"),
    [
        ("2024-06-03", 60, {1, 2, 3, 4, 5}),  # of another exchange, with other holidays
        ("1929-10-01", 300, {1, 2, 3, 4, 5, 6}),  # New York met on Saturdays until 1952
        ("2060-01-01", 60, {1, 2, 3, 4, 5, 6, 7}),  # beyond the calendar
        ("2024-07-06", 1, {6}),
    ],
)
def test_days_that_may_be_new_yorks_pass(first, count, keep):
    check_hours(bars(days(first, count, keep), "1Day"), NYSE)


def test_weeks_and_no_bars_pass():
    check_hours(bars(days("2024-06-03", 60, {1}), "1Week"), NYSE)
    check_hours(bars([], "5Min"), NYSE)
    check_hours(bars([], "1Day"), NYSE)
