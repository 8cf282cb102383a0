from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit.signals._strength import before, scored, usual_range

NAN = np.nan


@given(st.floats(0, allow_nan=False), st.sampled_from([1, -1]))
def test_an_event_scores_from_40_to_80_on_its_side(clarity, side):
    score = scored([side > 0], [side < 0], np.array([clarity]))[0]
    assert 40 <= side * score <= 80


def test_the_clearer_event_scores_more():
    score = scored([1, 1, 1], [0, 0, 0], np.array([0.0, 1.0, 3.0]))
    assert score.tolist() == [40, 60, 70]  # 80 - 40 / 1, 80 - 40 / 2, 80 - 40 / 4


def test_what_is_not_known_is_not_nothing():
    assert np.isnan(scored([0, NAN], [0, 0], np.array([NAN, 1.0]))).all()


def test_the_usual_range_is_the_average_of_14_bars(drawn):
    # 13 quiet bars of 2 and one of 9.
    assert usual_range(drawn((100, 106, 97, 100)))[30] == pytest.approx((13 * 2 + 9) / 14)


def test_a_market_without_a_range_has_one_all_the_same(bars):
    np.testing.assert_allclose(usual_range(bars(20))[13:], 0.01)


def test_before_the_first_bar_nothing_is_known():
    np.testing.assert_array_equal(before([1, 2]), [NAN, 1])
