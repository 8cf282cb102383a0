from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit._core.columns import Extra, column, join, readonly, take, times
from tradekit._core.errors import UsageError
from tradekit.testing import any_bars

NAT = np.iinfo(np.int64).min


@pytest.mark.parametrize(
    "numbers",
    [[1, 2], (1.0, 2.0), np.array([1, 2], "i2"), np.array([1, 2], "f4"), pd.Series([1.0, 2.0])],
)
def test_whatever_holds_numbers_becomes_a_column(numbers):
    made = column(numbers)
    assert made.dtype == np.float64
    assert made.tolist() == [1.0, 2.0]
    assert not made.flags.writeable


@pytest.mark.parametrize("unknown", [None, np.nan, float("nan")])
def test_nothing_is_not_a_number(unknown):
    assert np.isnan(column([1.0, unknown])[1])


@pytest.mark.parametrize(
    ("values", "got"),
    [
        (["a"], "an array of <U1"),
        (["1.0"], "an array of <U3"),
        ([1 + 2j], "an array of complex128"),
        ([True], "an array of bool"),
        (np.array(["2024-03-08"], "M8[D]"), r"an array of datetime64\[D\]"),
        (np.array([1], "m8[s]"), r"an array of timedelta64\[s\]"),
        ([object()], "float"),
        ([pd.NA], "float"),
        ([[1.0], [1.0, 2.0]], "."),
    ],
)
def test_what_is_no_number_is_refused(values, got):
    with pytest.raises(UsageError, match=f"^bars need numbers: .*, got .*{got}.*from_frame"):
        column(np.array(values, dtype=object) if isinstance(values[0], list) else values)


def test_what_others_can_write_to_is_copied_and_what_nobody_can_is_not():
    mine = np.array([1.0, 2.0])
    kept = column(mine)
    mine[0] = 9.0
    assert kept.tolist() == [1.0, 2.0]
    assert column(kept) is kept
    assert np.shares_memory(column(kept[1:]), kept)


def test_a_read_only_view_of_an_array_that_changes_is_copied():
    owner = np.array([1.0, 2.0])
    view = owner.view()
    view.flags.writeable = False
    kept = column(view)
    owner[0] = 9.0
    assert kept.tolist() == [1.0, 2.0]


def test_a_frame_that_changes_later_changes_no_column():
    frame = pd.DataFrame({"close": [1.0, 2.0]})
    kept = column(frame["close"].to_numpy())  # pandas 3 hands out a read-only view
    frame.iloc[0, 0] = 9.0
    assert kept.tolist() == [1.0, 2.0]


def test_columns_lie_in_one_piece():
    table = np.arange(6.0).reshape(3, 2)
    table.flags.writeable = False
    assert readonly(table[:, 0]).flags.c_contiguous


@pytest.mark.parametrize("unit", ["D", "h", "m", "s", "ms", "us", "ns"])
def test_times_of_every_unit_become_nanoseconds(unit):
    # 2024-03-08 is 19,790 days after 1970: 54 years, 13 leap days, 67 days into the year.
    assert 54 * 365 + 13 + 67 == 19_790
    assert times(np.array(["2024-03-08"], f"M8[{unit}]")).tolist() == [19_790 * 86_400 * 10**9]


@pytest.mark.parametrize("whole", [[5], np.array([5], "i4"), pd.Series([5]), np.array([5])])
def test_whole_numbers_are_nanoseconds(whole):
    made = times(whole)
    assert (made.dtype, made.tolist(), made.flags.writeable) == (np.int64, [5], False)


def test_no_times_are_an_empty_column():
    assert times([]).dtype == np.int64
    assert len(times(np.array([], "M8[s]"))) == len(column([])) == 0


@pytest.mark.parametrize(
    ("values", "got"),
    [
        ([1.0], "an array of float64"),
        (np.array([1], "u8"), "an array of uint64"),
        (["2024-03-08"], "an array of <U10"),
        ([True], "an array of bool"),
        (np.array(["NaT"], "M8[ns]"), "NaT"),
        (np.array(["2024-03-08", "NaT"], "M8[s]"), "NaT"),
        (np.array(["4000-01-01"], "M8[D]"), "4000-01-01"),
        (np.array(["2024-03-08", "1600-01-01"], "M8[us]"), "1600-01-01T00:00:00.000000"),
        (pd.date_range("2024-03-08", periods=2, tz="UTC"), "an array of object"),
    ],
)
def test_what_is_no_time_is_refused(values, got):
    with pytest.raises(UsageError) as caught:
        times(values)
    assert str(caught.value) == (
        "bars need times: expected int64 nanoseconds since 1970 UTC, or datetime64 from 1678 to "
        f"2261, got {got}. Try: Bars.from_frame(frame) for a DataFrame"
    )


def test_a_join_tells_the_last_number_known_and_nothing_before_the_first():
    joined = join(column([1.0, 2.0, 3.0]), times([10, 20, 20]), times([9, 10, 19, 20, 21]))
    assert joined.values.tolist()[1:] == [1.0, 1.0, 3.0, 3.0]
    assert np.isnan(joined.values[0])
    assert joined.known_at.tolist() == [NAT, 10, 10, 20, 20]


def test_rows_of_all_columns_are_taken_alike():
    extra = {"mood": join(column([1.0, 2.0]), times([1, 2]), times([1, 2, 3]))}
    assert take(extra, slice(1, None))["mood"].values.tolist() == [2.0, 2.0]
    assert take(extra, np.array([0]))["mood"].known_at.tolist() == [1]
    assert np.shares_memory(take(extra, slice(1, 2))["mood"].values, extra["mood"].values)


@given(any_bars(max_size=40), st.data())
def test_joined_columns_never_look_ahead(bars, data):
    moments = st.integers(int(bars.time[0]) - 10**12, int(bars.close_time[-1]) + 10**12)
    near = st.sampled_from(bars.close_time.tolist())
    known_at = sorted(data.draw(st.lists(moments | near, max_size=30)))
    numbers = [float(i) for i in range(len(known_at))]
    joined = bars.with_extra("mood", numbers, np.array(known_at, dtype=np.int64))
    for row, close in enumerate(bars.close_time):
        known = [number for number, at in zip(numbers, known_at, strict=True) if at <= close]
        value, at = joined.extra["mood"].values[row], joined.extra["mood"].known_at[row]
        assert value == known[-1] if known else math.isnan(value)
        assert at <= close
    assert joined[2:] == bars[2:].with_extra("mood", numbers, np.array(known_at, dtype=np.int64))


@pytest.fixture(scope="module")
def five(minutes):
    """Five minutes from 1970 on, known at 60, 120, ... seconds."""
    return minutes([1.0] * 5)


def test_slices_carry_their_joined_columns(five):
    bars = five.with_extra("mood", [1.0, 2.0], five.close_time[[1, 3]])
    assert bars.extra["mood"].values.tolist()[1:] == [1.0, 1.0, 2.0, 2.0]
    assert bars[2:4].extra["mood"].values.tolist() == [1.0, 2.0]
    assert bars.until(180 * 10**9).extra["mood"].values.tolist()[1:] == [1.0, 1.0]
    with pytest.raises(TypeError):
        bars.extra["other"] = bars.extra["mood"]


def test_a_joined_column_that_looks_ahead_is_refused(five):
    late = five.close_time.copy()
    late[2] += 10**9
    with pytest.raises(UsageError) as caught:
        five._replace(extra={"mood": Extra(np.zeros(5), late)})
    assert str(caught.value) == (
        "X: extra 'mood' looks ahead in row 2: expected known by 1970-01-01T00:03:00+00:00, "
        "got known at 1970-01-01T00:03:01+00:00. "
        "Try: bars.with_extra(name, values, known_at), which joins by time"
    )
    unknown = Extra([0.0, 0.0, np.nan, 0.0, 0.0], late)  # nothing is known ahead of time there
    assert five._replace(extra={"mood": unknown}).extra["mood"] is unknown


@pytest.mark.parametrize(
    ("values", "known_at", "problem"),
    [
        ([1.0], [1, 2], "cannot join 'mood': expected as many numbers as times"),
        ([1.0, 2.0], [2, 1], "cannot join 'mood': .* which never go back"),
        ([[1.0]], [1], r"cannot join 'mood': .* got numbers \(1, 1\) and times \(1,\)"),
        (["good"], [1], "bars need numbers"),
        ([1.0], np.array(["NaT"], "M8[ns]"), "bars need times"),
        ([1.0], [1.0], "bars need times"),
    ],
)
def test_what_cannot_be_joined_is_refused(five, values, known_at, problem):
    with pytest.raises(UsageError, match=problem):
        five.with_extra("mood", values, known_at)


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume"])
def test_a_joined_column_takes_no_name_of_the_bars_own(five, name):
    with pytest.raises(UsageError, match=f"'{name}' cannot be a joined column: expected an Extra"):
        five.with_extra(name, [1.0], [1])


@pytest.mark.parametrize("extra", [[1.0] * 5, Extra([1.0], [1])])
def test_a_joined_column_is_an_extra_as_long_as_the_bars(five, extra):
    with pytest.raises(UsageError, match=r"cannot be a joined column|differ in shape"):
        five._replace(extra={"mood": extra})


def test_copies_of_a_joined_column_are_read_only():
    mood = Extra([1.0], [1])
    for again in (pickle.loads(pickle.dumps(mood)), copy.copy(mood), copy.deepcopy(mood)):
        assert (again.values.tolist(), again.known_at.tolist()) == ([1.0], [1])
        assert not again.values.flags.writeable
        assert not again.known_at.flags.writeable
