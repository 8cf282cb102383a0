from __future__ import annotations

import copy
import math
import pickle
import threading
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit._core.bars import Bars
from tradekit._core.calendar import calendar_for
from tradekit._core.clock import from_ns, to_ns
from tradekit._core.columns import Extra
from tradekit._core.errors import UsageError
from tradekit.testing import any_bars

COLUMNS = ("open", "high", "low", "close", "volume")
KNOWN = ("close_time", "gap_before", "session")
OPENED = datetime(2024, 3, 8, 14, 30, tzinfo=UTC)
ANY = st.sampled_from(["1Min", "5Min", "1Hour", "4Hour", "1Day"]).flatmap(
    lambda length: any_bars(length, max_size=60)
)


def make(count=5, /, symbol="SPY", timeframe="1Min", **changes):
    """A few good minutes from 2024-03-08 09:30 in New York on, with changes."""
    close = np.arange(count) + 100.0
    good = dict.fromkeys(COLUMNS, close)
    good |= {"high": close + 1, "low": close - 1, "volume": np.full(count, 1_000.0)}
    time = to_ns(OPENED) + np.arange(count) * 60 * 10**9
    return Bars(symbol, timeframe, **{"time": time, **good, **changes})


def changed(name, row, value):
    column = getattr(make(), name).copy()
    column[row] = value
    return {name: column}


def rebuilt(bars):
    """The same bars, built anew from copies of their arrays."""
    columns = {name: np.array(getattr(bars, name)) for name in ("time", *COLUMNS)}
    extra = {k: Extra(v.values.copy(), v.known_at.copy()) for k, v in bars.extra.items()}
    facts = ("source", "feed", "adjustment", "calendar", "dropped", "stale_since")
    kept = {name: getattr(bars, name) for name in facts}
    return Bars(bars.symbol, bars.timeframe, **columns, **kept, extra=extra)


def test_bars_are_read_only_columns():
    bars = make()
    assert bars.time.dtype == np.int64
    for name in ("time", *COLUMNS, *KNOWN):
        column = getattr(bars, name)
        assert name in ("time", *KNOWN) or column.dtype == np.float64
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 1
    with pytest.raises(AttributeError):
        bars.close = bars.open


def test_a_bar_is_labelled_by_its_opening_and_known_at_its_close():
    bars = make(timeframe="1Min")
    assert from_ns(bars.time[0]) == OPENED
    assert from_ns(bars.close_time[0]) == OPENED + timedelta(minutes=1)
    assert not bars.gap_before.any()
    assert calendar_for().sessions[bars.session[0]] == np.datetime64("2024-03-08")


def test_a_gap_is_an_expected_bar_that_is_missing():
    whole = make()
    time = whole.time[[0, 1, 3, 4]]
    assert make(4, time=time).gap_before.tolist() == [False, False, True, False]


def test_a_row_is_one_bar():
    bars = make(3)
    assert [bar.close for bar in bars] == [100.0, 101.0, 102.0]
    last = bars[-1]
    assert last == bars[2] == bars[np.int64(2)]
    assert (last.symbol, last.timeframe, last.volume) == ("SPY", "1Min", 1_000.0)
    assert (last.time, last.close_time) == tuple(OPENED + timedelta(minutes=m) for m in (2, 3))
    with pytest.raises(IndexError):
        bars[3]


@given(ANY, st.data())
def test_slices_equal_bars_that_were_built_anew(bars, data):
    if data.draw(st.booleans(), label="asked before"):
        assert len(bars.close_time) == len(bars.gap_before) == len(bars.session)
    limits = st.none() | st.integers(-len(bars) - 1, len(bars) + 1)
    part = bars[data.draw(limits) : data.draw(limits)]
    part = part[data.draw(limits) : data.draw(limits)]
    anew = rebuilt(part)
    assert part == anew
    for name in KNOWN:
        assert getattr(part, name).tolist() == getattr(anew, name).tolist()
        assert not getattr(part, name).flags.writeable


def test_slices_are_views():
    bars = make()
    for name in ("time", *COLUMNS):
        assert np.shares_memory(getattr(bars[-2:], name), getattr(bars, name))
    assert bars[-2:].close.tolist() == [103.0, 104.0]
    assert len(bars[:0]) == len(bars[9:]) == 0


def test_nothing_is_missing_before_the_first_bar():
    bars = make(3, time=make(9).time[[0, 4, 8]])
    assert bars.gap_before.tolist() == [False, True, True]
    assert bars[1:].gap_before.tolist() == [False, True]


@pytest.mark.parametrize("step", [2, -1])
def test_bars_are_sliced_in_time_order(step):
    with pytest.raises(UsageError) as caught:
        make()[::step]
    assert str(caught.value) == (
        f"SPY: bars are sliced in time order: expected bars[start:stop], got a step of {step}. "
        "Try: resample(bars, timeframe) for longer bars"
    )
    assert make()[::1] == make()


@given(ANY, st.data())
def test_until_keeps_exactly_the_bars_whose_close_is_known(bars, data):
    moment = data.draw(st.sampled_from(bars.close_time.tolist())) + data.draw(st.integers(-1, 1))
    kept = bars.until(moment)
    assert kept.time.tolist() == bars.time[bars.close_time <= moment].tolist()
    rounded = from_ns(moment)  # cut to microseconds
    assert bars.until(rounded) == bars.until(to_ns(rounded))


@pytest.mark.parametrize(
    ("moment", "count"),
    [
        (datetime.min.replace(tzinfo=UTC), 0),
        (datetime.max.replace(tzinfo=UTC), 5),
        (OPENED.astimezone(timezone(timedelta(hours=-5))) + timedelta(minutes=3), 3),
        (np.int64(to_ns(OPENED)), 0),
    ],
)
def test_until_takes_any_moment(moment, count):
    assert len(make().until(moment)) == count


def test_until_needs_a_zone():
    with pytest.raises(UsageError, match="a time needs a zone"):
        make().until(OPENED.replace(tzinfo=None))


@given(ANY)
def test_bars_compare_by_value(bars):
    assert bars == rebuilt(bars)
    assert bars != rebuilt(bars).close.tolist()
    for change in ({"symbol": "QQQ"}, {"source": "b"}, {"feed": "b"}, {"dropped": 9}):
        assert bars != bars._replace(**change)
    lifted = bars._replace(high=bars.high + 1)
    assert (bars == lifted) is False
    assert bars != bars[1:]
    with pytest.raises(TypeError, match="unhashable"):
        hash(bars)


@pytest.mark.parametrize(
    "change",
    [
        {"timeframe": "5Min"},
        {"adjustment": "raw"},
        {"calendar": "24/7"},
        {"stale_since": OPENED},
        {"extra": {"mood": Extra(np.zeros(5), make().time)}},
    ],
)
def test_any_difference_makes_bars_differ(change):
    assert make() != make()._replace(**change)


@pytest.mark.parametrize("change", [{"timeframe": "2Min"}, {"calendar": "24/7"}, {"source": "b"}])
def test_what_the_calendar_says_is_that_of_the_bars_own_times(change):
    bars = make()
    assert len(bars.close_time) == len(bars.session) == len(bars.gap_before)  # it has been asked
    changed, anew = bars._replace(**change), make()._replace(**change)
    for name in ("close_time", "session", "gap_before"):
        np.testing.assert_array_equal(getattr(changed, name), getattr(anew, name))


def test_extras_are_compared_too():
    some, other = (make().with_extra("mood", [value], [to_ns(OPENED)]) for value in (1.0, 2.0))
    assert some == make().with_extra("mood", [1.0], [to_ns(OPENED)])
    assert some != other


@given(ANY)
def test_pickles_and_copies_are_equal_and_read_only(bars):
    bars = bars.with_extra("mood", [1.0], bars.close_time[:1])
    for again in (pickle.loads(pickle.dumps(bars)), copy.copy(bars), copy.deepcopy(bars)):
        assert again == bars
        assert not again.close.flags.writeable
        assert not again.extra["mood"].values.flags.writeable
        assert again.close_time.tolist() == bars.close_time.tolist()


def test_threads_see_equal_values():
    bars, start, seen = make(2_000, timeframe="1Min", calendar="24/7"), threading.Barrier(8), []

    def look():
        start.wait()
        seen.append([getattr(bars, name).tolist() for name in KNOWN])

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [seen[0]] * 8


def test_unknown_volume_stays_unknown():
    bars = make(**changed("volume", 2, np.nan))
    assert math.isnan(bars[2].volume)
    assert math.isnan(bars[1:].volume[1])
    assert np.isnan(pickle.loads(pickle.dumps(bars)).volume).nonzero()[0].tolist() == [2]
    assert bars == bars._replace()


@pytest.mark.parametrize(
    ("name", "row", "value", "fault"),
    [
        ("close", 3, np.nan, "price missing"),
        ("open", 3, np.inf, "price infinite"),
        ("low", 3, -np.inf, "price infinite"),
        ("low", 3, 0.0, "price not above zero"),
        ("low", 3, -1.0, "price not above zero"),
        ("high", 3, 101.0, "high below low"),
        ("high", 3, 102.5, "high below open or close"),
        ("low", 3, 103.5, "low above open or close"),
        ("volume", 3, -1.0, "negative volume"),
        ("volume", 3, np.inf, "infinite volume"),
        ("time", 3, make().time[2], "duplicate time"),
        ("time", 3, make().time[1], "time goes back"),
        ("time", 3, np.iinfo(np.int64).min, "time out of range"),
        ("time", 3, np.iinfo(np.int64).max, "time out of range"),
    ],
)
def test_impossible_bars_cannot_be_built(name, row, value, fault):
    with pytest.raises(UsageError, match=f"^SPY: impossible bar in row 3, {fault} ") as caught:
        make(**changed(name, row, value))
    assert "expected low <= open, close <= high, all above zero" in str(caught.value)
    assert (caught.value.symbol, caught.value.row, caught.value.fault) == ("SPY", 3, fault)
    if name != "time":
        assert caught.value.value[name] == value or math.isnan(caught.value.value[name])


def test_the_first_fault_is_told_and_the_others_are_counted():
    close = make().close.copy()
    close[[1, 3, 4]] = np.nan
    with pytest.raises(UsageError) as caught:
        make(close=close)
    assert str(caught.value) == (
        "SPY: impossible bar in row 1, price missing (3 of 5 rows are faulty): expected low <= "
        "open, close <= high, all above zero, volume >= 0, time going on, got "
        "2024-03-08T14:31:00Z {'open': 101.0, 'high': 102.0, 'low': 100.0, 'close': nan, "
        "'volume': 1000.0}. Try: Bars.from_frame(frame, bad=\"drop\"), which counts what it drops"
    )


def test_prices_that_were_stored_as_float32_are_no_fault():
    # float32 keeps 24 bits, so it moves a price by at most 6e-8 of itself.
    close = np.array([100.1, 512.33], "f4").astype("f8")
    exact = np.array([100.1, 512.33])
    assert abs(close / exact - 1).max() < 6e-8
    assert len(make(2, open=exact, high=np.minimum(close, exact), low=exact - 1, close=close)) == 2


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"close": np.ones(4)}, r"SPY: the columns of bars differ in shape: .* close \(4,\), vol"),
        ({"volume": 5.0}, r"SPY: the columns of bars differ in shape: .* volume \(\)"),
        ({"open": np.ones((5, 1))}, r"SPY: the columns of bars differ in shape: .* open \(5, 1\)"),
        ({"time": to_ns(OPENED)}, r"SPY: the columns of bars differ in shape: .* time \(\)"),
        ({"close": ["much"] * 5}, "bars need numbers: .* got an array of <U4"),
        ({"time": np.arange(5.0)}, "bars need times: .* got an array of float64"),
        ({"symbol": 5}, "bars need a symbol: expected a text, got 5"),
        ({"symbol": ""}, "bars need a symbol: expected a text, got ''"),
        ({"source": None}, "bars need a source: expected a text, got None"),
        ({"calendar": 24}, "bars need a calendar: expected a text, got 24"),
        ({"timeframe": "7 parsecs"}, "unknown timeframe: .* got '7 parsecs'"),
        ({"adjustment": "some"}, "unknown adjustment: expected 'raw' or 'split' or 'all' or"),
        ({"dropped": -1}, "how many rows were dropped.: expected a count of rows, from 0, got -1"),
        ({"dropped": "two"}, "how many rows were dropped.: .* got 'two'"),
        ({"stale_since": OPENED.replace(tzinfo=None)}, "a time needs a zone"),
    ],
)
def test_a_bad_call_is_refused_with_what_to_try(change, problem):
    with pytest.raises(UsageError, match=problem) as caught:
        make(**change)
    assert ". Try: " in str(caught.value)


@pytest.mark.parametrize(
    ("length", "label", "begin", "got"),
    [
        ("1Day", "2024-07-03T00:00", "midnight", "Tuesday 2024-07-02 20:00 EDT"),
        ("1Day", "2024-07-03T13:30", "midnight", "Wednesday 2024-07-03 09:30 EDT"),
        ("1Week", "2024-07-01T00:00", "its Monday's midnight", "Sunday 2024-06-30 20:00 EDT"),
        ("1Week", "2024-07-05T04:00", "its Monday's midnight", "Friday 2024-07-05 00:00 EDT"),
    ],
)
def test_days_begin_at_the_exchanges_midnight_lest_they_are_known_early(length, label, begin, got):
    with pytest.raises(UsageError) as caught:
        make(1, timeframe=length, time=np.array([label], "M8[ns]"))
    assert str(caught.value) == (
        f"SPY: a {length} bar is labelled by {begin} in America/New_York: expected "
        f"calendar_for('XNYS').labels(dates), got {got}. "
        "Try: Bars.from_frame(frame), which reads dates as providers write them"
    )


@pytest.mark.parametrize(
    ("label", "calendar"),
    [
        ("2024-07-03T04:00", "XNYS"),
        ("2024-12-25T05:00", "XNYS"),  # a holiday
        ("1999-12-31T05:00", "XNYS"),
        ("2055-07-01T04:00", "XNYS"),  # beyond the calendar
        ("2024-07-03T00:00", "24/7"),
        ("2024-07-02T23:00", "XLON"),
    ],
)
def test_every_midnight_of_the_exchange_is_a_label(label, calendar):
    day = make(1, timeframe="1Day", time=np.array([label], "M8[ns]"), calendar=calendar)
    assert day.close_time[0] > day.time[0]


def test_bars_tell_what_they_are():
    bars = make(2, source="files", dropped=3, stale_since=OPENED.astimezone(timezone.max))
    assert repr(bars) == (
        "<Bars SPY 1Min: 2 from 2024-03-08 14:30 to 2024-03-08 14:31 UTC (2024-03-08 09:30 to "
        "2024-03-08 09:31 America/New_York), source='files', feed='unknown', "
        "adjustment='unknown', dropped=3, stale since 2024-03-08 14:30 UTC>"
    )
    assert repr(bars[:0]).startswith("<Bars SPY 1Min: no bars, source='files'")


def test_there_may_be_no_bars():
    none = Bars("SPY", "1Min", [], [], [], [], [], [])
    assert len(none) == len(none.close_time) == len(none.gap_before) == len(none.until(OPENED)) == 0
    assert none == make()[:0]
    assert list(none) == []


def test_each_bar_says_whose_it_is_and_whether_trades_may_be_opened_on_it():
    bars = make(source="iex", trusted_for_entries=True)
    assert {(bar.source, bar.trusted_for_entries) for bar in [*bars, bars[-1]]} == {("iex", True)}
