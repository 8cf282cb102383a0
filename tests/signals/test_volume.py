from __future__ import annotations

import numpy as np
import pytest

from tradekit.signals import VolumeSurge

UP, DOWN, STILL = (100, 101, 99, 100.5), (100, 101, 99, 99.5), (100, 101, 99, 100)


def volumes(*newest):
    return np.append(np.full(30, 100.0), newest)


@pytest.mark.parametrize(("bar", "said"), [(UP, {30: 60.0}), (DOWN, {30: -60.0}), (STILL, {})])
def test_a_surge_speaks_for_the_way_of_its_bar(drawn, heard, bar, said):
    # Nine of 100 and one of 200: mean 110, deviation 30, so 3 deviations, one above 2.
    assert heard(VolumeSurge(period=10, size=2), drawn(bar, volume=volumes(200))) == said


def test_a_second_surge_in_a_row_is_no_news(drawn, heard):
    bars = drawn(UP, UP, volume=volumes(200, 400))
    assert list(heard(VolumeSurge(period=10, size=2), bars)) == [30]


def test_unknown_volume_is_not_ready_and_never_nothing(drawn):
    bars = drawn(UP, *[UP] * 20, volume=volumes(np.nan, *[100] * 20))
    score = VolumeSurge(period=10, size=2).scan(bars).score
    # Ten windows hold the unknown bar, and the crossing looks at the one before.
    assert np.isnan(score[30:41]).all()
    assert (score[41:] == 0).all()


def test_bars_without_any_volume_never_become_ready(drawn):
    assert not VolumeSurge().scan(drawn(*[UP] * 100, volume=np.nan)).ready.any()
