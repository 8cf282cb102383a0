from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tradekit.signals import RsiDivergence
from tradekit.testing._series import kit_bars

# Lows at rows 31 and 36, the second lower; the RSI of two bars by Wilder's averages of
# (rise, fall): at row 31 (0, 2.25), so 0; then (1, 1.125), (1.5, 0.5625), (0.75, 0.78125),
# (0.375, 1.390625) and at row 36 (0.1875, 1.4453125), so 11.48.
LOWS = (97, 94, 96, 98, 97, 95, 93.5, 95, 96)


def detector(**settings):
    return RsiDivergence(**{"period": 2, "span": 2, "apart": 10, **settings})


def test_a_lower_low_with_a_higher_rsi_is_told_when_the_low_is_confirmed(drawn, heard):
    # Two bars after row 36; the RSI is 11.48 higher, 1.148 tens.
    assert heard(detector(), drawn(*LOWS)) == {38: 61.38}


def test_a_higher_high_with_a_lower_rsi_is_the_same_upside_down(drawn, heard):
    assert heard(detector(), drawn(*(200 - low for low in LOWS))) == {38: -61.38}


def test_before_the_low_is_confirmed_nobody_knows(drawn, heard):
    assert heard(detector(), drawn(*LOWS)[:38]) == {}


def test_a_low_that_is_not_lower_diverges_from_nothing(drawn, heard):
    assert heard(detector(), drawn(*LOWS[:6], 94, 95, 96)) == {}


def test_turning_points_too_far_apart_are_not_compared(drawn, heard):
    assert list(heard(detector(apart=5), drawn(*LOWS))) == [38]
    assert heard(detector(apart=4), drawn(*LOWS)) == {}


def test_without_a_momentum_it_is_not_ready(drawn):
    # Thirty moves are known at row 30.
    score = detector(period=30).scan(drawn(100, 100)).score
    np.testing.assert_array_equal(score, [np.nan] * 30 + [0, 0])


def lows_of(low, span):
    """Rows of turning points, looked for one by one."""
    for row in range(span, len(low) - span):
        before, after = low[row - span : row], low[row + 1 : row + span + 1]
        if (low[row] < before).all() and (low[row] <= after).all():
            yield row


@pytest.mark.parametrize("bars", kit_bars(5, 600)[:3], ids=lambda bars: bars.symbol)
def test_all_divergences_are_found_and_no_others(bars):
    wanted, rsi = set(), bars.ind.rsi(14)
    for line, strength, side in ((bars.low, rsi, 1), (-bars.high, -rsi, -1)):
        rows = list(lows_of(line, 5))
        for older, newer in pairwise(rows):
            if newer - older <= 60 and line[newer] < line[older]:
                wanted |= {(newer + 5, side)} if strength[newer] > strength[older] else set()
    said = RsiDivergence().scan(bars)
    assert {(int(row), int(said.direction[row])) for row in np.flatnonzero(said.fired)} == wanted
    assert len(wanted) > 3
