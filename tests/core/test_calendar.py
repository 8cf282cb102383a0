from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tradekit._core.calendar import calendar_for
from tradekit._core.errors import UsageError
from tradekit._core.timeframe import Timeframe

NS, NYSE = 10**9, calendar_for("XNYS")
LENGTHS = ["1Min", "5Min", "30Min", "1Hour", "90Min", "2Hour", "4Hour"]
# Holiday, half day and a weekend in New York; in Hong Kong the morning of 2024-12-24 alone.
FIRST, LAST = "2024-11-25", "2024-12-27"


def ns(*texts):
    return np.array(texts, "M8[ns]").astype(np.int64)


def utc(moments):
    return [str(moment)[:16] for moment in np.atleast_1d(moments).astype("M8[ns]")]


def row(day, calendar=NYSE):
    found = np.flatnonzero(calendar.sessions == np.datetime64(day))
    return int(found[0]) if len(found) else None


def grid(calendar, length, first=FIRST, last=LAST):
    """Labels and closes of all expected bars, counted from each open, by a plain loop."""
    step, bars = Timeframe(length).ns, []
    for r in range(row(first, calendar), row(last, calendar) + 1):
        for label in range(calendar.opens[r], calendar.closes[r], step):
            close = min(label + step, int(calendar.closes[r]))
            if label < calendar.break_starts[r] or close > calendar.break_ends[r]:
                bars.append((label, close, r))
    return [list(column) for column in zip(*bars, strict=True)]


GRIDS = {
    (code, length): grid(calendar_for(code), length)
    for code, length in itertools.product(["XNYS", "XHKG", "XLON"], LENGTHS)
}


@pytest.mark.parametrize(
    ("day", "midnight", "opened", "closed"),
    [
        # Eastern Standard Time is UTC-5, Daylight Time UTC-4: it began on Sunday 2024-03-10 and
        # ended on Sunday 2024-11-03. Regular hours are 09:30 to 16:00; half days end at 13:00.
        ("2024-03-08", "2024-03-08T05:00", "2024-03-08T14:30", "2024-03-08T21:00"),
        ("2024-03-11", "2024-03-11T04:00", "2024-03-11T13:30", "2024-03-11T20:00"),
        ("2024-11-01", "2024-11-01T04:00", "2024-11-01T13:30", "2024-11-01T20:00"),
        ("2024-11-04", "2024-11-04T05:00", "2024-11-04T14:30", "2024-11-04T21:00"),
        ("2024-07-03", "2024-07-03T04:00", "2024-07-03T13:30", "2024-07-03T17:00"),
        ("2024-11-29", "2024-11-29T05:00", "2024-11-29T14:30", "2024-11-29T18:00"),
    ],
)
def test_sessions_of_new_york_as_the_exchange_publishes_them(day, midnight, opened, closed):
    r = row(day)
    assert utc([NYSE.midnights[r], NYSE.opens[r], NYSE.closes[r]]) == [midnight, opened, closed]
    label = NYSE.midnights[r : r + 1]
    assert utc(NYSE.close_time(label, Timeframe("1Day"))) == [closed]


@pytest.mark.parametrize(
    "day",
    [
        *("2024-07-04", "2024-11-28", "2024-12-25", "2024-03-29", "2024-03-09", "2024-03-10"),
        *("2001-09-11", "2001-09-14", "2012-10-29", "2012-10-30", "2018-12-05", "2025-01-09"),
    ],
)
def test_holidays_weekends_storms_and_mournings_are_no_sessions(day):
    assert row(day) is None


# https://www.nyse.com/trade/hours-calendars; ten years of 252, 252, 252, 251, 251, 252, ...
@pytest.mark.parametrize(("year", "count"), [(2020, 253), (2022, 251), (2023, 250), (2024, 252)])
def test_a_year_has_as_many_sessions_as_new_york_counted(year, count):
    assert (NYSE.sessions.astype("M8[Y]") == np.datetime64(str(year))).sum() == count


@pytest.mark.parametrize(
    ("code", "day", "hours"),
    [
        # London 08:00 to 16:30, Christmas Eve to 12:30; summer time from 2024-03-31.
        ("XLON", "2024-03-28", ["2024-03-28T08:00", "2024-03-28T16:30"]),
        ("XLON", "2024-04-02", ["2024-04-02T07:00", "2024-04-02T15:30"]),
        ("XLON", "2024-12-24", ["2024-12-24T08:00", "2024-12-24T12:30"]),
        # Tokyo is UTC+9: 09:00 to 15:00, and to 15:30 since 2024-11-05. Lunch 11:30 to 12:30.
        ("XTKS", "2024-03-08", ["2024-03-08T00:00", "2024-03-08T06:00"]),
        ("XTKS", "2024-12-24", ["2024-12-24T00:00", "2024-12-24T06:30"]),
        ("XHKG", "2024-12-24", ["2024-12-24T01:30", "2024-12-24T04:00"]),
        ("24/7", "2024-12-25", ["2024-12-25T00:00", "2024-12-26T00:00"]),
    ],
)
def test_other_exchanges_keep_their_own_hours(code, day, hours):
    calendar = calendar_for(code)
    r = row(day, calendar)
    assert utc([calendar.opens[r], calendar.closes[r]]) == hours


def test_crypto_trades_every_day_and_its_days_are_utcs():
    calendar = calendar_for("24/7")
    assert (np.diff(calendar.sessions) == np.timedelta64(1, "D")).all()
    assert (calendar.midnights == calendar.opens).all()
    label = ns("2024-03-10")  # a Sunday
    assert utc(calendar.close_time(label, Timeframe("1Day"))) == ["2024-03-11T00:00"]
    assert utc(calendar.close_time(ns("2024-03-04"), Timeframe("1Week"))) == ["2024-03-11T00:00"]


@pytest.mark.parametrize(
    ("label", "length", "known"),
    [
        ("2024-03-08T14:30", "1Min", "2024-03-08T14:31"),
        ("2024-03-08T20:59", "1Min", "2024-03-08T21:00"),
        ("2024-03-08T20:30", "2Hour", "2024-03-08T21:00"),  # 15:30, cut at the close
        ("2024-03-08T18:30", "4Hour", "2024-03-08T21:00"),  # 13:30, cut at the close
        ("2024-07-03T16:30", "1Hour", "2024-07-03T17:00"),  # 12:30 on a half day
        ("2024-07-03T13:30", "4Hour", "2024-07-03T17:00"),
        ("2024-03-08T20:00", "2Hour", "2024-03-08T22:00"),  # clock hours run into the evening
        ("2024-03-08T21:00", "1Hour", "2024-03-08T22:00"),  # after hours
        ("2024-03-08T13:00", "1Min", "2024-03-08T13:01"),  # before the open
        ("2024-07-04T05:00", "1Day", "2024-07-05T04:00"),  # a holiday is over at midnight
        ("2024-11-25T05:00", "1Week", "2024-11-29T18:00"),  # its last session is a half day
        ("2024-03-25T04:00", "1Week", "2024-03-28T20:00"),  # its Friday is Good Friday
        ("1933-03-06T05:00", "1Week", "1933-03-13T05:00"),  # the bank holiday: no session at all
    ],
)
def test_a_bar_is_known_when_it_can_change_no_more(label, length, known):
    assert utc(NYSE.close_time(ns(label), Timeframe(length))) == [known]


@pytest.mark.parametrize(("code", "length"), GRIDS)
def test_expected_bars_belong_to_their_session_and_follow_each_other(code, length):
    calendar, tf, (labels, closes, rows) = (
        calendar_for(code),
        Timeframe(length),
        GRIDS[code, length],
    )
    time = np.array(labels)
    assert calendar.close_time(time, tf).tolist() == closes
    assert calendar.session(time, tf).tolist() == calendar.locate(time).tolist() == rows
    assert not calendar.gap_before(time, tf).any()


@pytest.mark.parametrize("label", ["2024-03-08T13:00", "2024-03-08T21:00", "2024-03-09T15:00"])
def test_bars_outside_regular_hours_belong_to_no_session(label):
    assert NYSE.session(ns(label), Timeframe("5Min")).tolist() == [-1]


@given(st.sampled_from(sorted(GRIDS)), st.data())
def test_a_gap_is_an_expected_bar_that_is_missing(key, data):
    calendar, tf, labels = calendar_for(key[0]), Timeframe(key[1]), GRIDS[key][0]
    start = data.draw(st.integers(0, len(labels) - 2))
    some = labels[start : start + 200]
    evening = [
        int(close) + k * tf.ns
        for close in calendar.closes[row(FIRST, calendar) :][:5]
        for k in (0, 1)
    ]
    chosen = data.draw(st.sets(st.sampled_from(some + evening), min_size=2))
    have, time = set(labels), np.array(sorted(chosen))
    expected = [False] + [
        any(before < each < after for each in have) for before, after in itertools.pairwise(time)
    ]
    assert calendar.gap_before(time, tf).tolist() == expected


@given(st.sampled_from(sorted(GRIDS)), st.integers(0, 40), st.integers(1, 60))
@example(("XHKG", "5Min"), 29, 1)  # the last bar before lunch
def test_later_counts_the_bars_that_are_to_come(key, start, count):
    _, closes, _ = GRIDS[key]
    count = min(count, len(closes) - start - 1)
    answer = calendar_for(key[0]).later(closes[start], Timeframe(key[1]), count)
    assert answer == closes[start + count]


@pytest.mark.parametrize(
    ("length", "count", "known"),
    [
        ("1Day", 1, "2024-11-27T21:00"),
        ("1Day", 2, "2024-11-29T18:00"),  # Thanksgiving between
        ("1Week", 1, "2024-11-29T18:00"),
        ("1Week", 2, "2024-12-06T21:00"),
    ],
)
def test_days_and_weeks_later_end_with_their_last_session(length, count, known):
    tuesday = int(ns("2024-11-26T21:00")[0])
    assert utc(NYSE.later(tuesday, Timeframe(length), count)) == [known]


def test_a_week_without_a_session_is_not_waited_for_nor_missed():
    # Roosevelt closed the banks from Monday 1933-03-06 to Tuesday 1933-03-14.
    friday = int(NYSE.closes[row("1933-03-03")])
    assert utc(NYSE.later(friday, Timeframe("1Week"), 1)) == ["1933-03-17T21:00"]
    weeks = NYSE.labels(np.array(["1933-02-27", "1933-03-13", "1933-03-27"], "M8[D]"))
    assert NYSE.gap_before(weeks, Timeframe("1Week")).tolist() == [False, False, True]


@pytest.mark.parametrize("moment", ["2049-12-30T22:00", "2055-01-01T00:00"])
@pytest.mark.parametrize("length", ["1Min", "1Day", "1Week"])
def test_nobody_knows_sessions_beyond_the_calendar(moment, length):
    with pytest.raises(UsageError) as caught:
        NYSE.later(int(ns(moment)[0]), Timeframe(length), 400)
    assert str(caught.value) == (
        "XNYS: no session is known that far ahead: expected a moment before the close of "
        f"2049-12-31, got {length} bar number 400 after {ns(moment).astype('M8[ns]')[0]}. "
        "Try: fewer bars, or a shorter timeframe"
    )


@pytest.mark.parametrize("label", ["1900-01-01T15:00", "1927-12-30T15:00", "2050-01-03T15:00"])
def test_outside_the_calendar_there_is_no_session_and_a_bar_ends_by_the_clock(label):
    time = ns(label)
    assert NYSE.locate(time).tolist() == [-1]
    assert (NYSE.close_time(time, Timeframe("5Min")) - time).tolist() == [300 * NS]
    day = NYSE.labels(NYSE.dates(time))
    assert NYSE.session(day, Timeframe("1Day")).tolist() == [-1]
    next_day = NYSE.labels(NYSE.dates(time) + np.timedelta64(1, "D"))
    assert NYSE.close_time(day, Timeframe("1Day")).tolist() == next_day.tolist()
    assert not NYSE.gap_before(np.append(time, time + 10 * 300 * NS), Timeframe("5Min")).any()


@given(
    st.sampled_from(["XNYS", "XLON", "XTKS", "24/7", "BVMF"]),
    st.lists(st.integers(-14_000, 29_000), min_size=1, max_size=20),
)
def test_a_dates_label_lies_in_that_date(code, days):
    calendar, dates = calendar_for(code), np.array(days, "M8[D]")
    assert calendar.dates(calendar.labels(dates)).tolist() == dates.tolist()


def test_a_midnight_that_clocks_skip_is_the_first_moment_of_its_day():
    # Sao Paulo moved from UTC-3 to UTC-2 at midnight of Sunday 2018-11-04: 03:00 UTC is 01:00.
    assert utc(calendar_for("BVMF").labels(np.array(["2018-11-04"], "M8[D]"))) == [
        "2018-11-04T03:00"
    ]


def test_the_calendar_is_one_object_from_1928_on_that_nobody_can_change():
    assert calendar_for() is calendar_for("XNYS")
    assert repr(NYSE) == "Calendar('XNYS', 1928-01-02 to 2049-12-31)"
    for column in (NYSE.sessions, NYSE.midnights, NYSE.opens, NYSE.closes, NYSE.break_ends):
        assert not column.flags.writeable
    assert (NYSE.midnights < NYSE.opens).all()
    assert (NYSE.opens < NYSE.closes).all()
    assert (np.diff(NYSE.closes) > 0).all()


def test_threads_that_ask_at_once_get_one_calendar():
    got = []
    threads = [threading.Thread(target=lambda: got.append(calendar_for("XPAR"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert len({id(calendar) for calendar in got}) == 1


@pytest.mark.parametrize("code", ["MARS", "xnys", "", None])
def test_an_unknown_exchange_is_refused_with_those_that_are_known(code):
    with pytest.raises(UsageError) as caught:
        calendar_for(code)
    assert str(caught.value).startswith(
        "unknown exchange: expected 'XNYS', '24/7' or another code of exchange_calendars, "
        f"got {code!r}. Try: one of 24/5, 24/7, "
    )
    assert "XNYS" in caught.value.hint
