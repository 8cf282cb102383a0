from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from tradekit import Bars, calendar_for
from tradekit.data._freshness import awaited, excused, holes, next_close, overdue


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def bars(*labels, timeframe="5Min", **known):
    time = np.array(labels, "M8[ns]")
    one = np.ones(len(labels))
    return Bars("SPY", timeframe, time, one, one, one, one, one, **known)


def days(*dates, **known):
    labels = calendar_for("XNYS").labels(np.array(dates, "M8[D]"))
    return bars(*labels.astype("M8[ns]"), timeframe="1Day", **known)


def run(count, *missing, **known):
    """So many five-minute bars until 16:00 UTC, but for those that are missing, from the end."""
    back = np.setdiff1d(np.arange(count), missing)[::-1]
    return bars(*np.datetime64("2024-03-08T15:55") - back * np.timedelta64(5, "m"), **known)


# Sessions run from 14:30 to 21:00 UTC until 10 March 2024, from then on from 13:30 to 20:00.
@pytest.mark.parametrize(
    ("newest", "on_time", "late", "due"),
    [
        # Within a session: the bar after 15:00-15:05 is complete at 15:10 and may come until 15:15.
        ("2024-03-08T15:00", "2024-03-08T15:15", "2024-03-08T15:15:01", "2024-03-08T15:10"),
        # The last bar of Thursday: nothing is due before Friday's first bar is.
        ("2024-03-07T20:55", "2024-03-08T14:40", "2024-03-08T14:40:01", "2024-03-08T14:35"),
        # Friday's last bar, over the weekend and the change of clocks.
        ("2024-03-08T20:55", "2024-03-11T13:40", "2024-03-11T13:40:01", "2024-03-11T13:35"),
        # The half day before Independence Day ends at 17:00, the next session is on the 5th.
        ("2024-07-03T16:55", "2024-07-05T13:40", "2024-07-05T13:40:01", "2024-07-05T13:35"),
        # The last bar of a session may not stay away for the night.
        ("2024-03-08T20:50", "2024-03-08T21:05", "2024-03-08T21:05:01", "2024-03-08T21:00"),
    ],
)
def test_a_bar_is_overdue_when_the_next_one_is_late_by_its_own_length(newest, on_time, late, due):
    assert overdue(bars(newest), at(on_time)) is None
    assert overdue(bars(newest), at(late)) == at(due)


def test_a_day_is_overdue_six_hours_after_its_close():
    friday = days("2024-03-08")
    # Monday closes at 20:00 UTC, in the new summer time.
    assert overdue(friday, at("2024-03-12T02:00")) is None
    assert overdue(friday, at("2024-03-12T02:00:01")) == at("2024-03-11T20:00")


def test_a_week_is_overdue_after_its_last_session():
    # Good Friday 2024-03-29 was a holiday: that week was complete on Thursday at 20:00 UTC.
    week = bars("2024-03-18T04:00", timeframe="1Week")
    assert overdue(week, at("2024-03-29T02:00")) is None
    assert overdue(week, at("2024-03-29T02:00:01")) == at("2024-03-28T20:00")


def test_an_unbroken_answer_of_a_window_that_is_over_goes_on_to_its_end():
    # 60 bars from 14:30 end at 19:30; the one to 19:35 is due exactly then, five minutes later
    # for who asks at once, and never late for an answer that may have holes.
    opening, end = np.datetime64("2024-03-08T14:30"), at("2024-03-08T19:35")
    unbroken = bars(*opening + np.arange(60) * np.timedelta64(5, "m"))
    month_later, at_once = at("2024-04-08T15:00"), at("2024-03-08T19:39")
    assert overdue(unbroken, month_later, end) == end
    assert overdue(unbroken, at_once, end) is None
    assert overdue(unbroken[1:], month_later, end) is None
    assert overdue(unbroken, month_later, at("2024-03-08T19:34")) is None


def test_bars_with_a_pause_may_pause_again_for_as_long():
    # 14:40 to 14:55 is missing, which is three bars, so three more may be: the fourth, complete at
    # 15:20, may be late by a bar.
    sparse = bars("2024-03-08T14:35", "2024-03-08T14:55")
    assert overdue(sparse, at("2024-03-08T15:25")) is None
    assert overdue(sparse, at("2024-03-08T15:25:01")) == at("2024-03-08T15:20")


def test_no_pause_excuses_more_than_half_a_session():
    # Thursday is missing: that does not make Friday's bars optional. 3 hours are 36 bars: the 37th
    # after 14:35 on Friday is complete at 14:35 + 185 minutes = 17:40.
    hole = bars("2024-03-06T20:55", "2024-03-08T14:30")
    assert overdue(hole, at("2024-03-08T17:45")) is None
    assert overdue(hole, at("2024-03-08T17:45:01")) == at("2024-03-08T17:40")


def test_days_with_a_hole_may_miss_as_many_days():
    # The 5th is missing, so the 7th may be: the 8th, complete at 21:00, is due six hours later.
    sparse = days("2024-03-04", "2024-03-06")
    assert overdue(sparse, at("2024-03-09T03:00")) is None
    assert overdue(sparse, at("2024-03-09T03:00:01")) == at("2024-03-08T21:00")


def test_the_feed_of_one_exchange_may_miss_a_bar():
    assert overdue(bars("2024-03-08T15:00", feed="iex"), at("2024-03-08T15:20")) is None
    assert overdue(bars("2024-03-08T15:00", feed="iex"), at("2024-03-08T15:20:01"))


def test_the_feed_of_one_exchange_may_pause_for_twice_as_long_and_a_bar():
    # Three bars are missing, so seven more may be: the eighth, complete at 15:40, is due at 15:45.
    sparse = bars("2024-03-08T14:35", "2024-03-08T14:55", feed="iex")
    assert overdue(sparse, at("2024-03-08T15:45")) is None
    assert overdue(sparse, at("2024-03-08T15:45:01")) == at("2024-03-08T15:40")


def test_days_when_the_exchange_is_closed_excuse_none_that_are_missing():
    # Some vendors tell Christmas. The 21st is missing, so the 27th may be, but not the 28th, which
    # is complete at 21:00 and due six hours later.
    odd = days("2023-12-20", "2023-12-22", "2023-12-25", "2023-12-26")
    assert holes(odd).tolist() == [1]
    assert overdue(odd, at("2023-12-29T03:00")) is None
    assert overdue(odd, at("2023-12-29T03:00:01")) == at("2023-12-28T21:00")


def test_holes_are_counted_in_bars():
    assert holes(run(20, 3, 7, 8, 9)).tolist() == [3, 1]
    # From Wednesday's close over a whole session to the third bar of Friday: 78 and two.
    over_night = bars("2024-03-06T20:55", "2024-03-08T14:40")
    assert holes(over_night).tolist() == [80]
    assert holes(days("2024-03-04", "2024-03-07", "2024-03-08")).tolist() == [2]
    assert holes(run(20)).tolist() == []


def test_on_a_full_tape_a_pause_must_be_a_habit_to_excuse_another_one():
    # The newest is complete at 16:00. Two bars late by their own length is who lacks 16:10 at 16:15
    # and a second; holes of two bars excuse it where there are three of them.
    moment = at("2024-03-08T16:15:01")
    twice, thrice = run(18, 3, 4, 8, 9), run(18, 3, 4, 8, 9, 13, 14)
    assert overdue(twice, moment) is overdue(thrice, moment) is None
    assert excused(twice, moment) == at("2024-03-08T16:05")
    assert excused(thrice, moment) is None
    assert excused(run(18, 3, 4, 8, 9, feed="iex"), moment) is None
    assert excused(twice, at("2024-03-08T16:10")) is None  # the bar is not late


def test_three_minutes_may_be_missing_without_a_habit():
    # 15:00 is complete at 15:01, then three are missing: the fourth, of 15:05, is late at 15:06.
    minutes = bars("2024-03-08T14:45", "2024-03-08T15:00", timeframe="1Min")
    assert excused(minutes, at("2024-03-08T15:06")) is None
    assert excused(minutes, at("2024-03-08T15:06:01")) == at("2024-03-08T15:05")


def test_of_an_unbroken_tape_the_newest_bar_is_awaited_soon():
    assert awaited(run(18), at("2024-03-08T16:05:15")) is None
    assert awaited(run(18), at("2024-03-08T16:05:16")) == at("2024-03-08T16:05")


def test_days_are_awaited_half_an_hour_after_the_close():
    week = days("2024-03-04", "2024-03-05", "2024-03-06", "2024-03-07", "2024-03-08")
    assert awaited(week, at("2024-03-11T20:30")) is None
    assert awaited(week, at("2024-03-11T20:30:01")) == at("2024-03-11T20:00")


def test_where_bars_are_missing_anyway_or_few_nothing_is_awaited():
    moment = at("2024-03-08T16:09")
    assert awaited(run(18, 3), moment) is None
    assert awaited(run(18, feed="iex"), moment) is None
    assert awaited(run(4), moment) is None


def test_twenty_bars_without_a_hole_are_enough_however_it_was_before():
    def late(*missing):
        labels = np.datetime64("2024-03-08T20:50") - np.arange(40)[::-1] * np.timedelta64(5, "m")
        return awaited(bars(*np.delete(labels, missing)), at("2024-03-08T21:03"))

    assert late(18) == at("2024-03-08T21:00")
    assert late(19) is None


def test_a_window_that_is_over_is_awaited_to_its_end():
    month_later, end = at("2024-04-08T15:00"), at("2024-03-08T16:05")
    assert awaited(run(18), month_later, end) == end
    assert awaited(run(18), month_later, at("2024-03-08T16:04")) is None


def test_the_next_close_is_the_calendars():
    # Hour bars end at 21:00 on Friday; the second one of Monday at 15:30 summer time.
    hours = bars("2024-03-08T20:30", timeframe="1Hour")
    assert next_close(hours, 2) == np.datetime64("2024-03-11T15:30", "ns").astype(np.int64)
