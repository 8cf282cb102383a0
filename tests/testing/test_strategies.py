"""Bars that can be: every shape that is promised is found, and the simplest first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from tradekit import Bars, UsageError
from tradekit._core.calendar import calendar_for
from tradekit.testing import any_bars

HALF_DAY = np.datetime64("2024-11-29")
REACH = settings(
    max_examples=500,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
SHRINK = settings(max_examples=50, database=None)


def on(bars, day):
    return (calendar_for().dates(bars.time) == day).any()


def jumps(bars):
    return len(bars) > 1 and np.abs(np.diff(bars.close)).max() > 10


SHAPES = {
    "one bar": lambda bars: len(bars) == 1,
    "no movement": lambda bars: len(bars) > 3 and np.ptp([bars.high, bars.low]) == 0,
    "a jump": jumps,
    "a gap between close and open": lambda bars: (
        len(bars) > 1 and np.abs(bars.open[1:] - bars.close[:-1]).max() > 10
    ),
    "a missing bar": lambda bars: bars.gap_before.any(),
    "a half day": lambda bars: on(bars, HALF_DAY),
    "a bar after the half day": lambda bars: on(bars, HALF_DAY) and not on(bars[-1:], HALF_DAY),
    "summer and winter time": lambda bars: on(bars, np.datetime64("2024-11-01")) and len(bars) > 99,
    "no volume": lambda bars: len(bars) > 1 and not bars.volume.any(),
    "many bars": lambda bars: len(bars) > 150,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_found(shape):
    assert SHAPES[shape](find(any_bars(), SHAPES[shape], settings=REACH))


@pytest.mark.parametrize("timeframe", ["1Sec", "1Min", "5Min", "1Hour", "4Hour", "1Day"])
def test_every_timeframe_up_to_a_day_has_gaps_and_half_days(timeframe):
    found = find(any_bars(timeframe), lambda b: b.gap_before.any() and len(b) > 5, settings=REACH)
    assert found.timeframe == timeframe
    find(any_bars(timeframe), lambda b: on(b, HALF_DAY), settings=REACH)


def test_the_simplest_bars_are_one_flat_bar():
    simplest = find(any_bars(max_size=20), lambda bars: True, settings=SHRINK)
    assert len(simplest) == 1
    assert {*simplest.open, *simplest.high, *simplest.low, *simplest.close} == {100.0}


def test_a_jump_shrinks_to_the_least_jump_among_flat_bars():
    simplest = find(any_bars(min_size=9, max_size=20), jumps, settings=SHRINK)
    assert len(simplest) == 9
    assert not simplest.gap_before.any()
    assert np.count_nonzero(np.diff(simplest.close)) == 1
    assert np.abs(np.diff(simplest.close)).max() == pytest.approx(10.01)


@pytest.mark.parametrize(("least", "most"), [(0, 0), (0, 3), (1, 1), (7, 7), (250, 300)])
def test_sizes_are_honoured(least, most):
    @settings(max_examples=30, database=None)
    @given(any_bars("1Day", min_size=least, max_size=most))
    def within(bars):
        assert least <= len(bars) <= most

    within()


@given(any_bars())
def test_bars_lie_on_the_grid_of_their_sessions(bars):
    opens = calendar_for().opens[bars.session]
    assert (bars.session >= 0).all()
    assert ((bars.time - opens) % bars.timeframe.ns == 0).all()
    assert isinstance(bars, Bars)


@pytest.mark.parametrize(
    "wrong", [{"timeframe": "1Week"}, {"min_size": 5, "max_size": 4}, {"min_size": -1}]
)
def test_impossible_wishes_are_refused(wrong):
    with pytest.raises(UsageError, match="expected a timeframe of a day at most"):
        any_bars(**wrong)
