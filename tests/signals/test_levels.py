from __future__ import annotations

import pytest

from tradekit.signals import LevelBounce

# A low of 93 in row 31, known two bars later; back at 100 in row 33.
TURN = (97, 94, 97, 100)
# Its range of 4 makes the usual one (13 * 2 + 4) / 14 = 2.1429, and a quarter of that 0.5357.
DIP = (97, 97.4, 93.4, 95.5)


def detector(**settings):
    return LevelBounce(**{"span": 2, "age": 20, **settings})


def upside_down(row):
    opened, high, low, close = row
    return 200 - opened, 200 - low, 200 - high, 200 - close


def test_a_dip_to_support_that_closes_above_it_is_a_bounce(drawn, heard):
    # 93.4 is within 93.5357, and the close 2.1 above the low, 0.98 usual ranges.
    assert heard(detector(), drawn(*TURN, 100, DIP)) == {35: 59.8}


def test_a_rise_to_resistance_that_closes_below_it_is_the_same_upside_down(drawn, heard):
    turn = [200 - price for price in TURN]
    assert heard(detector(), drawn(*turn, 100, upside_down(DIP))) == {35: -59.8}


@pytest.mark.parametrize(
    "dip",
    [
        (97, 97.6, 93.6, 95.5),  # does not come near enough
        (97, 97.4, 93.0, 93.5),  # does not come back
    ],
)
def test_a_dip_that_does_not_touch_or_does_not_hold_is_none(drawn, heard, dip):
    assert heard(detector(), drawn(*TURN, 100, dip)) == {}


def test_a_level_that_is_touched_again_at_once_is_no_news(drawn, heard):
    assert list(heard(detector(), drawn(*TURN, 100, DIP, DIP))) == [35]


def test_a_level_counts_from_the_bar_after_it_is_known(drawn, heard):
    # The turn of row 31 is known at row 33: the dip in row 34 may use it, in row 33 not yet.
    assert list(heard(detector(), drawn(97, 94, 97, 100, DIP))) == [34]
    assert heard(detector(), drawn(97, 94, 97, (97, 97.4, 93.4, 95.5))) == {}


def test_an_old_level_is_forgotten(drawn, heard):
    # Known at row 33, and one bar ago at row 54 it is 20 bars old.
    assert list(heard(detector(), drawn(*TURN, *[100] * 20, DIP))) == [54]
    assert heard(detector(), drawn(*TURN, *[100] * 21, DIP)) == {}


def test_without_any_level_there_is_nothing_to_say(drawn):
    assert (detector().scan(drawn()).score[14:] == 0).all()
