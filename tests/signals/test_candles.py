from __future__ import annotations

import numpy as np
import pytest

from tradekit.signals import Engulfing, Hammer
from tradekit.testing._series import kit_bars

FALL, RISE = (100, 100.5, 97.5, 98), (100, 102.5, 99.5, 102)
# Ranges of 3 and 3 after quiet ones of 2: (12 * 2 + 6) / 14 = 2.1429.
SWALLOWS, HAMMER = (98, 101, 98, 101), (98, 98.2, 95.2, 98.2)


def upside_down(row):
    opened, high, low, close = row
    return 200 - opened, 200 - low, 200 - high, 200 - close


def test_a_body_that_swallows_the_one_before_after_a_fall_is_bullish(drawn, heard):
    # A body of 3 is 1.4 usual ranges.
    assert heard(Engulfing(), drawn(FALL, SWALLOWS)) == {31: 63.33}
    assert heard(Engulfing(), drawn(RISE, upside_down(SWALLOWS))) == {31: -63.33}


@pytest.mark.parametrize(
    "bar",
    [
        (98, 100, 98, 100),  # closes at the open before, not above it
        (98.1, 101, 98, 101),  # opens above the close before
        (98, 101, 95, 95),  # the same colour
    ],
)
def test_a_body_that_does_not_swallow_the_one_before_says_nothing(drawn, heard, bar):
    assert heard(Engulfing(), drawn(FALL, bar)) == {}


def test_after_a_rise_a_bullish_body_says_nothing(drawn, heard):
    # Row 31 falls from far above the average: it is still above it.
    assert heard(Engulfing(), drawn(120, (120, 120.5, 117.5, 118), (118, 121, 118, 121))) == {}


@pytest.mark.parametrize("bars", kit_bars(3, 600)[:3], ids=lambda bars: bars.symbol)
def test_what_engulfs_is_what_ta_lib_calls_so_after_a_move_and_with_a_large_body(bars):
    import talib

    # Seen plainly: TA-Lib's sign, the last ten closes before, and half of fourteen ranges.
    named = np.sign(talib.CDLENGULFING(bars.open, bars.high, bars.low, bars.close))
    wanted = np.zeros(len(bars))
    for row in range(20, len(bars)):
        course = np.sign(bars.close[row - 1] - bars.close[row - 10 : row].mean())
        usual = (bars.high - bars.low)[row - 13 : row + 1].mean()
        large = abs(bars.close[row] - bars.open[row]) >= usual / 2
        wanted[row] = named[row] * (course == -named[row]) * large
    assert np.abs(wanted).sum() > 5
    np.testing.assert_array_equal(Engulfing().scan(bars).direction[20:], wanted[20:])


def test_a_long_shadow_below_a_small_body_after_a_fall_is_a_hammer(drawn, heard):
    # A shadow of 2.8 is 1.3067 usual ranges.
    assert heard(Hammer(), drawn(FALL, HAMMER)) == {31: 62.66}


def test_a_hammer_upside_down_after_a_rise_is_a_shooting_star(drawn, heard):
    assert heard(Hammer(), drawn(RISE, upside_down(HAMMER))) == {31: -62.66}


@pytest.mark.parametrize(
    "bar",
    [
        (98, 98.2, 97, 98.2),  # ranges less than usual
        (98, 99.2, 95.2, 98.2),  # a shadow above, too
        (97, 98.2, 95.2, 98.2),  # a shadow of 1.8 under a body of 1.2
    ],
)
def test_other_shapes_are_no_hammer(drawn, heard, bar):
    assert heard(Hammer(), drawn(FALL, bar)) == {}


def test_a_hammer_without_a_fall_before_says_nothing(drawn, heard):
    assert heard(Hammer(), drawn(HAMMER)) == {}
