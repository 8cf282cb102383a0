from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import attrs
import numpy as np
import pytest

from tradekit._core.errors import UsageError
from tradekit._core.figures import as_float, count, duration, finite, within


@pytest.mark.parametrize("value", [1, 7, np.int64(7), np.uint8(7)])
def test_whole_numbers_from_one_count(value):
    assert count(value, "bars are counted", "bars=3") == value
    assert type(count(value, "bars are counted", "bars=3")) is int


@pytest.mark.parametrize("value", [0, -1, True, np.True_, 2.0, np.float64(2), "2", None, [2]])
def test_nothing_else_counts(value):
    with pytest.raises(UsageError) as caught:
        count(value, "bars are counted", "bars=3")
    sentence = f"bars are counted: expected a whole number from 1, got {value!r}. Try: bars=3"
    assert str(caught.value) == sentence


@attrs.frozen
class Fee:
    dollars: float = attrs.field(converter=as_float, validator=finite)
    cents: float | None = attrs.field(default=None, converter=as_float, validator=finite)


@pytest.mark.parametrize("value", [2.5, np.float64(2.5), np.float32(2.5), Fraction(5, 2)])
def test_figures_become_plain_floats(value):
    assert type(Fee(value).dollars) is float
    assert Fee(value).dollars == Fee(1, cents=value).cents == 2.5


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "2.5", True, [2.5]])
def test_what_is_no_finite_number_is_refused(value):
    with pytest.raises(UsageError) as caught:
        Fee(value)
    assert str(caught.value) == f"Fee needs dollars: expected a finite number, got {value!r}"
    with pytest.raises(UsageError, match="Fee needs cents: expected a finite number or None"):
        Fee(1, cents=value)


def test_none_is_a_figure_only_where_it_is_the_default():
    assert Fee(1).cents is None
    with pytest.raises(UsageError, match="Fee needs dollars"):
        Fee(None)


def test_both_ends_are_within():
    assert (within("x", 0, 0, 1), within("x", np.float64(1), 0, 1)) == (0.0, 1.0)


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan"), float("inf"), None, "1", True])
def test_anything_else_is_refused(wrong):
    with pytest.raises(UsageError, match=r"cannot use x: expected a number from 0 to 1, got"):
        within("x", wrong, 0, 1)


def test_infinity_is_outside_even_where_there_is_no_end():
    with pytest.raises(UsageError, match="a number from 0, got inf"):
        within("x", float("inf"))


def test_a_duration_lasts():
    assert duration(timedelta(seconds=1), "x", "y") == timedelta(seconds=1)


@pytest.mark.parametrize("wrong", [timedelta(0), -timedelta(seconds=1), 1.0, "1s", None])
def test_what_does_not_last_is_no_duration(wrong):
    with pytest.raises(UsageError, match="a wait is one: expected a timedelta above zero, got"):
        duration(wrong, "a wait is one", "timedelta(seconds=1)")
