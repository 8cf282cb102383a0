from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit._core.columns import column, times
from tradekit._core.errors import UsageError
from tradekit._core.faults import (
    COLUMNS,
    ROUNDING,
    check_adjustment,
    check_shapes,
    refuse_first,
    row_faults,
)

GOOD = {"open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 5.0}
NUMBERS = st.one_of(
    st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -1.0, 1.0, 2.0]), st.floats(0.5, 3.0)
)


def table(**changes):
    return {name: column([value]) for name, value in {**GOOD, **changes}.items()}


def told(**changes):
    return [fault for fault, rows in row_faults(table(**changes)).items() if rows.any()]


def test_a_good_row_has_no_fault():
    assert told() == []
    assert told(volume=np.nan) == told(volume=0.0) == []
    assert told(**dict.fromkeys(GOOD, 1e-4)) == []  # a penny is a price, and so is less
    assert told(open=9.0, close=12.0) == told(high=9.0, open=9.0, close=9.0) == []


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"close": np.nan}, ["price missing"]),
        ({"open": np.inf}, ["price infinite", "high below open or close"]),
        ({"low": 0.0}, ["price not above zero"]),
        ({"high": 8.0}, ["high below low", "high below open or close"]),
        ({"high": 10.5}, ["high below open or close"]),
        ({"low": 10.5}, ["low above open or close"]),
        ({"volume": -1.0}, ["negative volume"]),
        ({"volume": np.inf}, ["infinite volume"]),
        ({"volume": -np.inf}, ["negative volume", "infinite volume"]),
    ],
)
def test_every_fault_has_its_name(changes, faults):
    assert told(**changes) == faults


@given(st.tuples(*[NUMBERS] * 5))
def test_a_row_is_faulty_when_the_definition_of_a_bar_says_so(row):
    opened, high, low, close, volume = row
    prices = (opened, high, low, close)
    possible = (
        all(np.isfinite(price) and price > 0 for price in prices)
        and low <= high
        and low * (1 - ROUNDING) <= min(opened, close)
        and max(opened, close) <= high * (1 + ROUNDING)
        and (np.isnan(volume) or (np.isfinite(volume) and volume >= 0))
    )
    assert (told(**dict(zip(GOOD, row, strict=True))) == []) == possible


def test_a_rounded_price_is_forgiven_and_a_tick_is_not():
    assert told(high=11.0 * (1 - 1e-7)) == []
    assert told(high=11.0 - 1e-4) == ["high below open or close"]
    assert told(low=10.0 * (1 + 1e-7)) == []
    assert told(low=10.0 + 1e-4) == ["low above open or close"]
    assert told(high=9.0 - 1e-7, open=9.0, close=9.0) == ["high below low"]


def test_the_earliest_row_is_refused_whatever_its_fault():
    rows = {name: column([GOOD[name]] * 4) for name in COLUMNS}
    rows["close"] = column([11.0, 11.0, 11.0, np.nan])
    with pytest.raises(UsageError, match="row 2, time goes back") as caught:
        refuse_first("SPY", times([1, 5, 3, 4]), rows)
    assert "(2 of 4 rows are faulty)" in str(caught.value)
    assert caught.value.value == GOOD


@pytest.mark.parametrize(
    ("moments", "fault", "cure"),
    [
        ([1, 3, 2], "time goes back", "Try: frame.sort_index()"),
        ([1, 3, 3], "duplicate time", 'bad="drop"), which keeps the last of each'),
        ([0, 1, 2**63 - 1], "time out of range", 'bad="drop"), which counts what it drops'),
    ],
)
def test_faults_of_time_name_their_cure(moments, fault, cure):
    rows = {name: column([GOOD[name]] * 3) for name in COLUMNS}
    with pytest.raises(UsageError, match=f"row 2, {fault} ") as caught:
        refuse_first("SPY", times(moments), rows)
    assert str(caught.value).endswith(cure)
    assert (caught.value.symbol, caught.value.row) == ("SPY", 2)


def test_times_that_leave_room_for_closes_and_zones_are_in_range():
    years = np.array(["1681-01-01", "2259-01-01"], "M8[D]")
    rows = {name: column([GOOD[name]] * 2) for name in COLUMNS}
    refuse_first("SPY", times(years), rows)
    with pytest.raises(UsageError, match="row 0, time out of range"):
        refuse_first("SPY", times(np.array(["1679-01-01", "2024-01-01"], "M8[D]")), rows)


def test_shapes_are_told_by_name():
    with pytest.raises(UsageError) as caught:
        check_shapes("SPY", {"time": times([1, 2]), "open": column([1.0])})
    assert str(caught.value) == (
        "SPY: the columns of bars differ in shape: expected one flat array of the same length "
        "each, got time (2,), open (1,). Try: Bars.from_frame(frame) for a DataFrame"
    )


@pytest.mark.parametrize("word", ["raw", "split", "all", "unknown"])
def test_ways_of_adjusting_have_their_words(word):
    check_adjustment(word)


@pytest.mark.parametrize("word", ["", "RAW", "dividends", None])
def test_other_words_are_refused(word):
    with pytest.raises(UsageError) as caught:
        check_adjustment(word)
    assert str(caught.value) == (
        "unknown adjustment: expected 'raw' or 'split' or 'all' or 'unknown', got "
        f"{word!r}. Try: 'all' for prices adjusted for splits and dividends"
    )
