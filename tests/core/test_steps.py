from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit._core.bars import Bars
from tradekit._core.calendar import calendar_for
from tradekit._core.errors import UsageError
from tradekit._core.steps import find_timeframe, to_labels
from tradekit._core.timeframe import Timeframe

NYSE = calendar_for()
FOLD = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
WEEKDAYS = ["2024-03-04", "2024-03-05", "2024-03-06", "2024-03-07", "2024-03-08", "2024-03-11"]
AROUND_A_HOLIDAY = ["2024-06-28", "2024-07-01", "2024-07-02", "2024-07-03", "2024-07-05"]
MONDAYS = ["2024-03-04", "2024-03-11", "2024-03-18", "2024-03-25"]


def at(*texts, tz="UTC"):
    return pd.DatetimeIndex(list(texts)).tz_localize(tz).as_unit("ns")


def clock(*times, day="2024-03-08"):
    return at(*(f"{day} {time}" for time in times), tz="America/New_York")


def found(moments, asked=None, stated=None, freq=None, calendar=NYSE):
    return find_timeframe(moments, asked, stated, "SPY", calendar, freq)


def frame(index, **attrs):
    price = np.full(len(index), 10.0)
    made = pd.DataFrame(dict.fromkeys(FOLD, price), index=index)
    made.attrs = attrs
    return made


@pytest.mark.parametrize(
    ("moments", "usual"),
    [
        (clock("09:30", "09:31", "09:32"), "1Min"),
        (clock("09:30", "09:31", "09:40", "09:41"), "1Min"),
        (clock("09:30", "09:35", "09:40", "10:40"), "5Min"),
        (clock("09:30", "11:30", "13:30", "15:30"), "2Hour"),
        (at("2024-03-08 14:30:00", "2024-03-08 14:30:01"), "1Sec"),
        (clock("09:30", "13:30").append(clock("09:30", "13:30", day="2024-03-11")), "4Hour"),
        (at(*WEEKDAYS), "1Day"),
        (at(*WEEKDAYS, tz=None), "1Day"),
        (at(*AROUND_A_HOLIDAY, tz="America/New_York"), "1Day"),
        (at("2024-02-16", "2024-02-20"), "1Day"),  # a long weekend
        (at(*MONDAYS), "1Week"),
        (at("2024-05-20", "2024-05-28", "2024-06-03"), "1Week"),  # a Monday was a holiday
        (at("2024-05-20", "2024-05-28"), "1Week"),
    ],
)
def test_the_usual_step_is_the_timeframe(moments, usual):
    assert found(moments) == usual
    assert found(moments, asked=usual) == found(moments, stated=usual) == usual
    assert found(moments[::-1]) == usual


@pytest.mark.parametrize(
    ("moments", "got"),
    [
        (at("2024-03-08 14:30"), "1 row"),
        (at("2024-01-31", "2024-02-29", "2024-03-28"), "rows 28 days apart"),
        (at("2022-12-31", "2023-12-31"), "rows 365 days apart"),
        (at("2024-03-04", "2024-03-13"), "rows 9 days apart"),
    ],
)
def test_one_row_and_months_tell_no_timeframe(moments, got):
    with pytest.raises(UsageError) as caught:
        found(moments)
    assert str(caught.value) == (
        "SPY: how long are these bars?: expected timeframe=..., or rows at a regular step, got "
        f"{got}. Try: Bars.from_frame(frame, symbol, '5Min')"
    )


def test_what_is_asked_goes_before_what_is_stated_and_both_before_the_step():
    five = clock("09:30", "09:35")
    assert found(five, stated="1Min") == "1Min"  # two rows may have skipped the minutes between
    assert found(five, asked="5Min", stated="1Min") == "5Min"
    assert found(clock("09:30"), asked="5m") == "5Min"


@pytest.mark.parametrize(
    ("moments", "claimed", "got"),
    [
        (clock("09:30", "09:31", "09:32"), "5Min", "1Min"),
        (clock("09:30", "09:31", "09:32"), "1Day", "1Min"),
        (clock("09:30", "09:31", "09:32"), "1Week", "1Min"),
        (clock("09:30", "09:35", "09:40", "09:50", "10:00"), "1Min", "5Min"),
        (clock("09:30", "10:30", "11:30", "13:30", "14:30"), "30Min", "1Hour"),
        (at(*WEEKDAYS), "5Min", "1Day"),
        (at(*WEEKDAYS[:2]), "5Min", "1Day"),
        (at(*WEEKDAYS, tz="America/New_York"), "1Hour", "1Day"),
        (at(*WEEKDAYS), "1Week", "1Day"),
        (at(*MONDAYS), "1Day", "1Week"),
        (at(*MONDAYS), "1Hour", "1Week"),
    ],
)
def test_a_claim_that_the_times_contradict_is_refused(moments, claimed, got):
    with pytest.raises(UsageError) as asked:
        found(moments, asked=claimed)
    assert str(asked.value) == (
        f"SPY: the call and the times contradict each other: expected rows one {claimed} apart, "
        f"got rows mostly one {got} apart. Try: timeframe='{got}'"
    )
    with pytest.raises(UsageError) as stated:
        found(moments, stated=claimed)
    assert str(stated.value) == (
        f"SPY: frame.attrs and the times contradict each other: expected rows one {claimed} "
        f"apart, got rows mostly one {got} apart. "
        f"Try: frame.attrs.clear() after frame.resample(...), and timeframe='{got}'"
    )


@pytest.mark.parametrize("claimed", ["1Day", "1Week"])
def test_months_are_no_bars_whatever_is_claimed(claimed):
    with pytest.raises(UsageError, match=r"got rows 28 days apart\. Try: bars of a week"):
        found(at("2024-01-31", "2024-02-29", "2024-03-28"), asked=claimed)


@pytest.mark.parametrize(
    ("moments", "claimed"),
    [
        (clock("09:31", "10:07", "11:40", "15:02"), "1Min"),  # few trades, none side by side
        (clock("09:31", "10:01", "10:31"), "1Min"),
        (clock("09:30").append(clock("15:59", day="2024-03-11")), "1Min"),
        (
            clock("10:04")
            .append(clock("11:04", day="2024-03-11"))
            .append(clock("9:32", day="2024-03-12")),
            "1Min",
        ),
        (at("2024-03-04"), "1Hour"),
        (at("2024-03-04", "2024-03-18"), "1Day"),
        (at("2024-03-04", "2024-03-25"), "1Week"),
    ],
)
def test_sparse_rows_are_no_contradiction(moments, claimed):
    assert found(moments, asked=claimed) == found(moments, stated=claimed) == claimed


@given(st.sets(st.integers(0, 389), min_size=2, max_size=60))
def test_minutes_that_may_stand_side_by_side_are_minutes(chosen):
    start = NYSE.opens[NYSE.sessions.searchsorted(np.datetime64("2024-03-08"))]
    minutes = np.array(sorted(chosen))
    moments = pd.DatetimeIndex((start + minutes * 60 * 10**9).astype("M8[ns]"), tz="UTC")
    steps = np.diff(minutes)
    if len(steps) < 4 or np.gcd.reduce(steps) == 1:
        assert found(moments, stated="1Min") == "1Min"
    else:
        with pytest.raises(UsageError, match="contradict each other"):
            found(moments, stated="1Min")


@pytest.mark.parametrize("rule", ["1h", "2h", "1D"])
@pytest.mark.parametrize("rows", [1, 60, 300])
def test_resampled_frames_keep_their_attrs_and_are_caught_however_short(rows, rule):
    index = pd.date_range("2024-03-08 15:00", periods=rows, freq="5min", tz="UTC")
    five = frame(index, symbol="SPY", timeframe="5Min")
    assert Bars.from_frame(five).timeframe == "5Min"
    hours = five.resample(rule).agg(FOLD)
    assert hours.attrs["timeframe"] == "5Min"
    with pytest.raises(UsageError, match=r"frame\.attrs and the times contradict each other"):
        Bars.from_frame(hours)
    hours.attrs.clear()
    assert Bars.from_frame(hours, "SPY").timeframe == Timeframe(rule)


def test_a_day_that_stands_there_twice_makes_no_hours_of_days():
    days = at(*(f"{day} 05:00" for day in WEEKDAYS[:5]), "2024-03-08 19:42")
    assert found(days) == found(days, asked="1Day") == "1Day"
    with pytest.raises(UsageError, match="row 5, duplicate time"):
        Bars.from_frame(frame(days), "SPY")
    assert len(Bars.from_frame(frame(days), "SPY", bad="drop")) == 5


@pytest.mark.parametrize("tz", [None, "UTC", "America/New_York", "Europe/London", "Asia/Tokyo"])
def test_midnights_are_dates_in_the_zone_where_they_were_written(tz):
    labels = to_labels(at(*WEEKDAYS, tz=tz), Timeframe("1Day"), NYSE, "open", "SPY")
    assert NYSE.dates(labels).astype(str).tolist() == WEEKDAYS


def test_other_moments_of_a_day_are_dates_at_the_exchange():
    evening = at(
        "2024-03-08 01:00", "2024-03-09 02:00"
    )  # 20:00 and 21:00 in New York, the day before
    labels = to_labels(evening, Timeframe("1Day"), NYSE, "open", "SPY")
    assert NYSE.dates(labels).astype(str).tolist() == ["2024-03-07", "2024-03-08"]
    tokyo = calendar_for("XTKS")
    labels = to_labels(evening, Timeframe("1Day"), tokyo, "open", "SPY")
    assert tokyo.dates(labels).astype(str).tolist() == ["2024-03-08", "2024-03-09"]


@pytest.mark.parametrize(
    ("length", "ends", "starts"),
    [
        ("1Min", ["09:31", "09:32", "16:00"], ["09:30", "09:31", "15:59"]),
        ("1Hour", ["10:30", "11:30", "15:30", "16:00"], ["09:30", "10:30", "14:30", "15:30"]),
        ("2Hour", ["11:30", "13:30", "15:30", "16:00"], ["09:30", "11:30", "13:30", "15:30"]),
        ("4Hour", ["13:30", "16:00"], ["09:30", "13:30"]),
        ("1Hour", ["10:00", "11:00", "15:00", "16:00"], ["09:00", "10:00", "14:00", "15:00"]),
        ("1Hour", ["09:30", "17:00"], ["08:30", "16:00"]),
    ],
)
def test_labels_of_the_end_move_back_by_one_bar_and_the_last_may_be_short(length, ends, starts):
    labels = to_labels(clock(*ends), Timeframe(length), NYSE, "close", "SPY")
    assert labels.tolist() == clock(*starts).asi8.tolist()


def test_a_half_days_last_bar_ends_at_one():
    ends = clock("10:30", "11:30", "12:30", "13:00", day="2024-07-03")
    labels = to_labels(ends, Timeframe("1Hour"), NYSE, "close", "SPY")
    starts = clock("09:30", "10:30", "11:30", "12:30", day="2024-07-03")
    assert labels.tolist() == starts.asi8.tolist()


def test_the_first_minute_is_labelled_half_past_nine():
    bars = Bars.from_frame(frame(clock("09:31", "09:32", "09:33")), "SPY", label="close")
    assert bars[0].time == clock("09:30")[0]
    assert bars[0].close_time == clock("09:31")[0]


@pytest.mark.parametrize(
    "label",
    [
        "2024-05-27 00:00",  # its Monday, a holiday
        "2024-05-28 00:00",  # its first session
        "2024-05-31 00:00",  # its Friday, as pandas' W-FRI
        "2024-06-02 00:00",  # its Sunday, as pandas' W
    ],
)
@pytest.mark.parametrize("tz", [None, "UTC", "America/New_York"])
def test_a_week_is_labelled_by_its_monday_wherever_a_vendor_puts_its_label(label, tz):
    labels = to_labels(at(label, tz=tz), Timeframe("1Week"), NYSE, "open", "SPY")
    assert NYSE.dates(labels).astype(str).tolist() == ["2024-05-27"]


def test_a_week_that_began_at_midnight_elsewhere_is_refused():
    london = at("2024-05-20 23:00", "2024-05-26 23:00")  # Tuesday's and Monday's midnight there
    assert len(to_labels(london, Timeframe("1Week"), calendar_for("XLON"), "open", "VOD")) == 2
    with pytest.raises(UsageError) as caught:
        to_labels(london, Timeframe("1Week"), NYSE, "open", "VOD")
    assert str(caught.value) == (
        "VOD: weeks that begin on a Sunday evening in America/New_York: expected labels of days "
        "in that zone, got 2024-05-26 23:00:00+00:00. "
        "Try: calendar= of the exchange where it was midnight, such as 'XLON'"
    )
