from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit._core.crossings import crossed_above, crossed_below
from tradekit._core.errors import UsageError

NAN = np.nan
LINES = st.lists(st.sampled_from([NAN, 1.0, 2.0, 3.0]), min_size=1, max_size=12)


def test_a_line_crosses_where_it_was_not_above_and_now_is():
    assert np.array_equal(crossed_above([1.0, 2, 3, 3, 1, 3], 2.5), [NAN, 0, 1, 0, 0, 1], True)
    assert np.array_equal(crossed_below([3.0, 2, 1, 1, 3, 1], 1.5), [NAN, 0, 1, 0, 0, 1], True)


def test_a_line_crosses_another_line():
    fast, slow = np.array([1.0, 2.0, 3.0, 2.0]), np.array([2.0, 2.0, 2.5, 2.5])
    assert np.array_equal(crossed_above(fast, slow), [NAN, 0, 1, 0], equal_nan=True)
    assert np.array_equal(crossed_below(fast, slow), [NAN, 0, 0, 1], equal_nan=True)


def test_touching_is_not_crossing_but_leaving_a_level_is():
    assert np.array_equal(crossed_above([1.0, 2.0, 2.0, 3.0], 2.0), [NAN, 0, 0, 1], equal_nan=True)


def test_a_crossing_is_unknown_next_to_an_unknown_value():
    assert np.array_equal(
        crossed_above([1.0, NAN, 3.0, 1.0, 3.0], 2.0), [NAN, NAN, NAN, 0, 1], equal_nan=True
    )
    level = [2.0, 2.0, 2.0, NAN, 2.0]
    assert np.array_equal(crossed_above(np.full(5, 3.0), level), [NAN, 0, 0, NAN, NAN], True)


@given(LINES, LINES)
def test_swapping_the_lines_swaps_the_directions(one, other):
    size = min(len(one), len(other))
    one, other = np.array(one[:size]), np.array(other[:size])
    assert np.array_equal(crossed_above(one, other), crossed_below(other, one), equal_nan=True)


@given(LINES, st.integers(1, 12))
def test_later_values_change_no_crossing(line, cut):
    assert np.array_equal(crossed_above(line, 2.0)[:cut], crossed_above(line[:cut], 2.0), True)


def test_no_rows_have_no_crossings():
    assert crossed_above(np.array([]), 1.0).shape == (0,)


@pytest.mark.parametrize(
    ("line", "level"), [(1.0, 2.0), ([1.0, 2.0], [1.0, 2.0, 3.0]), ([[1.0, 2.0]], 1.0)]
)
def test_what_cannot_cross_is_refused(line, level):
    with pytest.raises(UsageError, match="two arrays of one length, got shapes"):
        crossed_above(line, level)
