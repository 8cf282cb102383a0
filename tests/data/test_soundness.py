from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from tradekit import Bars, Timeframe, calendar_for
from tradekit.data._soundness import (
    far_apart,
    impossible,
    off_grid,
    relabelled,
    shifted,
    startling,
)

OPEN = np.datetime64("2024-03-08T14:30", "ns")


def minutes(*closes, start=OPEN, width=0.001, volume=1000.0, **known):
    """Five-minute bars around these closes, each opening at its close."""
    close = np.array(closes, dtype=float)
    time = start + np.arange(len(close)) * np.timedelta64(5, "m")
    high, low = close * (1 + width), close * (1 - width)
    volume = np.broadcast_to(volume, close.shape)
    return Bars("SPY", "5Min", time, close, high, low, close, volume, **known)


def days(*closes, volume=1000.0, width=0.02, **known):
    sessions = calendar_for().sessions
    first = sessions.searchsorted(np.datetime64("2024-03-01"))
    time = calendar_for().labels(sessions[first : first + len(closes)])
    close = np.array(closes, dtype=float)
    high, low = close * (1 + width), close * (1 - width)
    volume = np.broadcast_to(volume, close.shape)
    return Bars("SPY", "1Day", time, close, high, low, close, volume, **known)


@pytest.mark.parametrize("factor", [100, 0.01, 6, 0.16])
def test_a_bar_far_from_both_its_neighbours_is_impossible(factor):
    assert impossible(days(10, 10, 10 * factor, 10, 10)) == 2


def test_a_bar_that_reaches_out_and_touches_its_neighbours_is_possible():
    # A flash crash: from 40 to 0.01 and back within one bar.
    bars = minutes(40, 40, 40, 40)
    low = bars.low.copy()
    low[2] = 0.01
    assert impossible(bars._replace(low=low)) is None


@pytest.mark.parametrize("factor", [4.9, 0.21])
def test_a_large_spike_is_possible(factor):
    assert impossible(minutes(10, 10 * factor, 10)) is None


@pytest.mark.parametrize(("row", "told"), [(0, 1), (5, 5)])
def test_at_an_end_a_leap_of_twenty_times_within_a_session_is_impossible(row, told):
    price = np.full(6, 10.0)
    price[row] = 250.0
    assert impossible(minutes(*price)) == told
    price[row] = 150.0
    assert impossible(minutes(*price)) is None


def test_overnight_prices_leap_where_splits_are_left_in_and_nowhere_else():
    # One new share for 25 old ones.
    merged = 0.4, 0.4, 0.4, 10.0, 10.0
    assert impossible(days(*merged, adjustment="raw")) is None
    assert impossible(days(*merged)) is None  # nobody says what they were adjusted for
    assert impossible(days(*merged, adjustment="split")) == 3


def test_after_a_time_without_bars_prices_may_be_anywhere():
    bars = days(0.4, 0.4, 0.4, 0.4, 10.0, 10.0, adjustment="all")
    kept = np.array([0, 1, 4, 5])
    columns = {name: getattr(bars, name)[kept] for name in ("time", "open", "high", "low", "close")}
    assert impossible(bars._replace(volume=bars.volume[kept], **columns)) is None


def test_one_bar_or_none_has_no_neighbours():
    assert impossible(days(10)) is impossible(days(10)[:0]) is None
    assert relabelled(days(10)) is relabelled(days(10)[:0]) is None


@pytest.mark.parametrize("ratio", [4, 1.5, 0.1])
@pytest.mark.parametrize("make", [days, minutes])
def test_a_price_in_other_shares_with_the_same_crowd_is_a_split_that_was_left_in(make, ratio):
    # A split of ratio:1 after five bars: as many dollars change hands in that many more shares.
    before = np.arange(10) < 5
    volume = np.where(before, 1000.0, 1000.0 * ratio)
    told = relabelled(make(*np.where(before, 100.0, 100.0 / ratio), volume=volume))
    assert told == (5, pytest.approx(1 / ratio))


def test_a_crash_brings_a_crowd_and_is_believed():
    # From 100 to 25 with 20 times the shares: 5 times the dollars.
    before = np.arange(6) < 5
    crash = np.where(before, 100.0, 25.0)
    assert relabelled(days(*crash, volume=np.where(before, 1000.0, 20_000.0))) is None


def test_a_crash_on_the_same_volume_shows_in_its_range():
    before = np.arange(6) < 5
    crash = np.where(before, 100.0, 25.0)
    volume, width = np.where(before, 1000.0, 4000.0), np.where(before, 0.02, 0.1)
    assert relabelled(days(*crash, volume=volume, width=width)) is None


def test_without_volume_the_ranges_tell():
    before = np.arange(6) < 5
    assert relabelled(days(*np.where(before, 100.0, 25.0), volume=np.nan)) == (5, 0.25)


def test_a_move_of_a_third_may_be_news():
    before = np.arange(6) < 5
    assert relabelled(days(*np.where(before, 100.0, 72.0))) is None


def single(dates, times, timeframe="5Min", zone="America/New_York"):
    """A bar on each of these dates, at these times of day in a zone."""
    moments = [pd.Timestamp(f"{d}T{t}", tz=zone) for d, t in zip(dates, times, strict=True)]
    time, one = pd.DatetimeIndex(moments).as_unit("ns").asi8, np.ones(len(moments))
    return Bars("THIN", timeframe, time, one, one, one, one, one)


# The clocks change on 10 March 2024; the 3rd of July closes at 13:00.
SPRING = "2024-03-07", "2024-03-08", "2024-03-11", "2024-03-12"
SUMMER = "2024-07-02", "2024-07-03", "2024-07-05", "2024-07-08"


@pytest.mark.parametrize("timeframe", ["1Min", "5Min", "1Hour", "2Hour"])
@pytest.mark.parametrize(
    ("dates", "times", "zone"),
    [
        (SPRING, ["00:00"] * 4, "America/New_York"),
        (SPRING, ["09:30"] * 4, "America/New_York"),
        (SPRING, ["16:00"] * 4, "America/New_York"),
        (SPRING, ["00:00"] * 4, "UTC"),
        (SPRING, ["21:00"] * 4, "UTC"),
        (SUMMER, ["16:00", "13:00", "16:00", "16:00"], "America/New_York"),
    ],
)
def test_days_that_are_told_as_minutes_share_the_open_or_a_time_out_of_hours(
    dates, times, zone, timeframe
):
    assert far_apart(single(dates, times, timeframe, zone))


@pytest.mark.parametrize("timeframe", ["1Min", "5Min", "1Hour"])
@pytest.mark.parametrize(
    ("dates", "times"),
    [
        (SPRING, ["10:30", "11:30", "10:30", "12:30"]),
        (SPRING, ["09:30", "09:30", "10:30", "09:30"]),
        (SPRING, ["11:30"] * 4),
        (SUMMER, ["15:59", "12:59", "15:59", "15:59"]),  # in the closing auction
    ],
)
def test_a_symbol_that_trades_once_a_day_within_the_session_is_thin(dates, times, timeframe):
    assert not far_apart(single(dates, times, timeframe))


def test_two_bars_are_too_few_and_two_on_one_day_are_minutes():
    assert not far_apart(single(SPRING[:2], ["09:30", "09:30"]))
    assert not far_apart(single(["2024-03-08", *SPRING[1:]], ["09:30", "09:35", "09:30", "09:30"]))


# Monday the 27th of May was a holiday, and so was Friday the 29th of March.
@pytest.mark.parametrize(
    "dates",
    [
        ["2024-05-13", "2024-05-20", "2024-05-27"],  # by the calendar's Monday
        ["2024-05-13", "2024-05-20", "2024-05-28"],  # by the first session
        ["2024-03-22", "2024-03-28", "2024-04-05"],  # by the last session
        ["2024-03-22", "2024-03-29", "2024-04-05"],  # by the calendar's Friday
    ],
)
def test_weeks_that_are_told_as_days_have_all_the_same_place_in_the_week(dates):
    assert far_apart(single(dates, ["00:00"] * 3, "1Day"))


def test_a_symbol_that_trades_once_a_week_on_any_day_is_thin():
    dates = ["2024-05-14", "2024-05-23", "2024-05-29"]
    assert not far_apart(single(dates, ["00:00"] * 3, "1Day"))


def on(*dates, timeframe="1Day"):
    """A bar of each of these days or weeks, by the dates of New York."""
    time = calendar_for().labels(np.array(dates, "M8[D]"))
    one = np.ones(len(dates))
    return Bars("SPY", timeframe, time, one, one, one, one, one)


def test_no_exchange_of_the_country_opens_at_a_weekend_and_some_do_on_a_holiday():
    assert off_grid(on("2024-03-01", "2024-03-02", "2024-03-04")).tolist() == [1]
    # The VIX has days on which New York was closed, as for President Reagan's funeral.
    assert len(off_grid(on("2004-06-10", "2004-06-11", "2004-06-14"))) == 0
    # Until 1952 New York met on Saturdays, which its calendar leaves out.
    assert len(off_grid(on("1950-03-03", "1950-03-04", "1950-03-06"))) == 0
    assert len(off_grid(on("2024-02-26", "2024-03-04", timeframe="1Week"))) == 0


def startled(bars):
    return np.flatnonzero(startling(bars)).tolist()


@pytest.mark.parametrize(
    ("column", "factor", "odd"),
    [
        ("high", 2.1, True),
        ("high", 1.9, False),
        ("low", 0.47, True),
        ("low", 0.53, False),
    ],
)
def test_a_bar_that_reaches_twice_as_far_as_it_opens_and_closes_is_startling(column, factor, odd):
    bars = minutes(10, 10, 10, 10, width=0.0)
    prices = getattr(bars, column).copy()
    prices[2] *= factor
    assert startled(bars._replace(**{column: prices})) == ([2] if odd else [])


@pytest.mark.parametrize(("factor", "odd"), [(2.1, True), (0.47, True), (1.9, False)])
def test_a_bar_that_closes_at_twice_or_half_of_what_it_opened_is_startling(factor, odd):
    bars = minutes(10, 10, 10, width=0.0)
    close = np.array([10, 10, 10 * factor])
    high, low = np.maximum(close, 10), np.minimum(close, 10)
    assert startled(bars._replace(close=close, high=high, low=low)) == ([2] if odd else [])


def test_three_times_from_bar_to_bar_is_startling_where_no_split_lies_between():
    assert startled(minutes(10, 10, 31, 31)) == [2]
    assert startled(minutes(10, 10, 29, 29)) == []
    assert startled(days(10, 10, 32, 32, 32, adjustment="split")) == [2]
    assert startled(days(10, 10, 32, 32, 32, adjustment="raw")) == []


def test_where_a_split_may_lie_between_twenty_times_is_startling_and_five_there_and_back():
    raw = {"adjustment": "raw"}
    assert startled(days(10, 10, 10, 210, 210, **raw)) == [3]
    assert startled(days(10, 10, 10, 190, 190, **raw)) == []
    assert startled(days(10, 60, 60, 10, 10, **raw)) == [1]
    assert startled(days(10, 40, 40, 10, 10, **raw)) == []
    assert startled(days(*[10] * 2, *[60] * 9, *[10] * 2, **raw)) == []


def test_after_a_hole_five_times_is_startling_at_an_end_of_adjusted_prices():
    def holed(*closes):
        bars = days(*closes, adjustment="all")
        kept = np.delete(np.arange(len(bars)), -2)
        prices = ("time", "open", "high", "low", "close", "volume")
        return bars._replace(**{name: getattr(bars, name)[kept] for name in prices})

    assert startled(holed(10, 10, 10, 10, 60)) == [3]
    assert startled(holed(10, 10, 10, 10, 40)) == []
    assert startled(days(10)) == startled(days(10)[:0]) == []


def sessions(*dates, first="09:30", last="15:55", timeframe="5Min", by="0min", step=None):
    """Bars of these days, from one time in New York to another, with labels that are off."""
    facts = {"freq": step or Timeframe(timeframe).delta, "tz": "America/New_York"}
    times = [pd.date_range(f"{day}T{first}", f"{day}T{last}", **facts) for day in dates]
    time = (times[0].append(times[1:]) + pd.Timedelta(by)).as_unit("ns").asi8
    one = np.ones(len(time))
    return Bars("SPY", timeframe, time, one, one, one, one, one)


@pytest.mark.parametrize("by", ["60min", "-60min", "5min"])
def test_labels_that_are_as_late_at_the_close_as_at_the_open_are_shifted(by):
    # The clocks change between the 8th and the 11th.
    late = sessions("2024-03-07", "2024-03-08", "2024-03-11", by=by)
    assert shifted(late) == pd.Timedelta(by).value


@pytest.mark.parametrize("by", ["60min", "-60min"])
def test_hours_are_shifted_too(by):
    late = sessions("2024-03-07", "2024-03-08", last="15:30", timeframe="1Hour", by=by)
    assert shifted(late) == pd.Timedelta(by).value


@pytest.mark.parametrize(
    "honest",
    [
        sessions("2024-03-07", "2024-03-08"),
        sessions("2024-03-07", "2024-03-08", first="04:00", last="19:55"),
        sessions("2024-03-07", "2024-03-08", first="10:00", last="15:00"),
        # By the clock, as much before the open as before the last bar of the session's own hours.
        sessions("2024-03-07", "2024-03-08", first="09:00", last="15:00", timeframe="1Hour"),
        sessions("2024-03-07", "2024-03-08", first="08:00", last="16:00", timeframe="4Hour"),
        sessions("2024-03-07", by="60min"),  # within a session nothing can be told
        sessions("2024-03-06", "2024-03-08", by="60min"),  # nor where one is missing
        # It trades seldom, by chance as late after the open as after the close.
        sessions("2024-03-07", "2024-03-08", first="09:50", last="16:15", step="35min"),
    ],
)
def test_honest_sessions_are_not_shifted(honest):
    assert shifted(honest) == 0


def test_half_a_day_ends_early_and_is_not_shifted():
    early = sessions("2024-07-03", last="12:55").time
    later = sessions("2024-07-05").time
    time, one = np.append(early, later), np.ones(len(early) + len(later))
    assert shifted(Bars("SPY", "5Min", time, one, one, one, one, one)) == 0


LENGTHS = {"1d": "1Day", "1h": "1Hour", "5m": "5Min", "1m": "1Min"}


@pytest.mark.slow
def test_no_real_bar_is_called_impossible(market_data):
    manifest = json.loads((market_data / "manifest.json").read_text("utf-8"))["bars"]
    for entry in manifest[::5]:
        folder = entry["file"].split("/")[1]
        if folder not in LENGTHS:
            continue
        frame = pd.read_parquet(market_data / entry["file"])
        facts = {"adjustment": entry["adjustment"], "bad": "drop"}
        bars = Bars.from_frame(frame, entry["symbol"], Timeframe(LENGTHS[folder]), **facts)
        assert impossible(bars) is None, entry["file"]
        assert len(off_grid(bars)) == 0, entry["file"]
        assert shifted(bars) == 0, entry["file"]
