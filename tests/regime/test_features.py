from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest

from tradekit import Timeframe
from tradekit.regime._features import bars_a_year, look


def test_a_rise_of_one_percent_a_bar_is_measured_by_hand():
    closes = 100 * 1.01 ** np.arange(300)
    seen = look(closes, 200)
    # The mean of the last 200 closes of a geometric row: last * (1 - q**200) / (200 * (1 - q)).
    q = 1 / 1.01
    distance = -log((1 - q**200) / (200 * (1 - q)))
    assert seen.distance == pytest.approx(distance)
    assert seen.movement == pytest.approx(log(1.01))
    assert seen.deviations == pytest.approx(distance / (log(1.01) * sqrt(200 / 3)))
    assert seen.drift == pytest.approx(63 * log(1.01))
    assert (seen.drawdown, seen.age) == (0, 0)


def test_the_fall_from_the_high_and_its_age_are_measured_in_their_own_windows():
    closes = np.r_[200.0, np.full(200, 100.0), 110.0, np.full(9, 99.0)]
    seen = look(closes, 200)
    assert seen.drawdown == pytest.approx(log(99 / 200))  # of a year
    assert seen.age == 9  # since the 110, which is the high of half a year


def test_one_close_says_nothing_yet():
    seen = look(np.array([5.0]), 200)
    assert (seen.distance, seen.deviations, seen.drawdown, seen.drift, seen.age) == (0, 0, 0, 0, 0)


def test_a_price_that_stands_still_divides_nothing_by_zero():
    seen = look(np.r_[np.full(50, 1.0), np.full(200, 100.0)], 250)
    assert np.isfinite(seen.deviations)
    assert seen.movement == 1e-4


def test_the_spread_about_its_own_mean_is_that_of_a_walk_without_drift():
    rng = np.random.default_rng(7)
    walks = np.exp(np.cumsum(0.01 * rng.standard_normal((1500, 264)), axis=1))
    spread = np.std([look(walk, 200).deviations for walk in walks])
    assert spread == pytest.approx(1, abs=0.07)


@pytest.mark.parametrize(
    ("timeframe", "bars"), [("1Day", 252), ("1Week", 52), ("30Min", 252 * 13), ("24Hour", 252)]
)
def test_a_year_has_so_many_bars(timeframe: str, bars: float):
    assert bars_a_year(Timeframe(timeframe)) == bars
