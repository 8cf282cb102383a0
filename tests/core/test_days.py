from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit._core.clock import to_ns
from tradekit._core.days import dates_of, midnights, weekdays, weeks

ZONES = st.sampled_from(
    ["America/New_York", "Europe/London", "Asia/Tokyo", "America/Sao_Paulo", "UTC"]
)
# 1680 to 2259, and twice as often where days are looked up.
DAYS = st.integers(-105_000, 105_000) | st.integers(-25_600, 33_000)


def day(text):
    return np.array([text], "M8[D]")


@given(ZONES, st.lists(DAYS, min_size=1, max_size=20))
def test_a_date_begins_in_itself_and_a_moment_before_it_is_the_day_before(tz, days):
    dates = np.array(days, "M8[D]")
    begins = midnights(dates, tz)
    assert dates_of(begins, tz).tolist() == dates.tolist()
    assert dates_of(begins - 1, tz).tolist() == (dates - np.timedelta64(1, "D")).tolist()


@given(ZONES, st.lists(DAYS, min_size=1, max_size=5), st.integers(0, 86_399))
def test_python_finds_the_same_date(tz, days, second):
    moments = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(day, second) for day in days]
    expected = [moment.astimezone(ZoneInfo(tz)).date() for moment in moments]
    assert dates_of(np.array([to_ns(m) for m in moments]), tz).tolist() == expected


@pytest.mark.parametrize(
    ("date", "midnight"),
    [
        ("2024-03-10", "2024-03-10T05:00"),  # the clocks go forward at two
        ("2024-03-11", "2024-03-11T04:00"),
        ("2024-11-03", "2024-11-03T04:00"),  # and back
        ("2024-11-04", "2024-11-04T05:00"),
        ("2055-07-01", "2055-07-01T04:00"),  # as the law stands, summer time goes on
        ("2150-07-01", "2150-07-01T04:00"),
        ("1880-01-01", "1880-01-01T04:56"),  # the sun's time, and two seconds
    ],
)
def test_midnights_of_new_york(date, midnight):
    begins = midnights(day(date), "America/New_York").astype("M8[ns]")
    assert str(begins[0])[:16] == midnight


def test_a_midnight_that_clocks_skip_is_the_first_moment_after_it():
    # Brazil moved from UTC-3 to UTC-2 at midnight of 2018-11-04: 03:00 UTC is 01:00 there.
    assert midnights(day("2018-11-04"), "America/Sao_Paulo").tolist() == [
        to_ns(datetime(2018, 11, 4, 3, tzinfo=UTC))
    ]


@pytest.mark.parametrize("date", ["1899-12-31", "1900-01-01", "2059-12-31", "2060-01-01"])
def test_there_is_no_seam_where_the_looked_up_days_end(date):
    noon = datetime.fromisoformat(f"{date}T12:00").replace(tzinfo=ZoneInfo("Asia/Tokyo"))
    assert dates_of(np.array([to_ns(noon)]), "Asia/Tokyo").tolist() == [noon.date()]
    begin = noon.replace(hour=0)
    assert midnights(day(date), "Asia/Tokyo").tolist() == [to_ns(begin)]
    assert dates_of(np.array([to_ns(begin) - 1]), "Asia/Tokyo").tolist() < [noon.date()]


def test_no_days_have_no_dates():
    assert len(dates_of(np.array([], dtype=np.int64), "UTC")) == 0
    assert len(midnights(np.array([], "M8[D]"), "UTC")) == 0


@given(DAYS)
def test_a_week_goes_from_monday_to_sunday_as_in_python(day):
    date = np.datetime64(day, "D")
    assert weekdays(np.array([date]))[0] == date.item().weekday()
    monday = np.array([date - date.item().weekday()])
    assert (weeks(monday) == weeks(np.array([date]))).all()
    assert weeks(monday)[0] - weeks(monday - 1)[0] == 1
