from __future__ import annotations

from tradekit.signals import MacdCross, RocThrust


def test_the_macd_crosses_its_signal_where_the_close_jumps_and_where_it_falls(drawn, heard):
    # MACD 0.5333 and -1.1022 (see EmaCross), signal 0.2667 and -0.4178, histogram 0.2667 and
    # -0.6844: steps of 0.2667 and -0.9511, of a range of 2, in tenths 1.3333 and -4.7556.
    assert heard(MacdCross(fast=2, slow=4, signal=3), drawn(102, 96)) == {30: 62.86, 31: -73.05}


def test_a_macd_that_stays_above_its_signal_says_nothing_more(drawn, heard):
    assert list(heard(MacdCross(fast=2, slow=4, signal=3), drawn(102, 106, 112))) == [30]


def test_a_thrust_is_told_once_where_it_exceeds_chance(drawn, heard):
    # 5 of a range of 2, by the root of 4 bars: 1.25, a quarter above 1, 2.5 tenths.
    assert heard(RocThrust(period=4, size=1), drawn(105, 105, 105)) == {30: 68.57}


def test_a_fall_as_far_is_a_thrust_downwards(drawn, heard):
    assert heard(RocThrust(period=4, size=1), drawn(95, 95)) == {30: -68.57}


def test_a_move_of_two_deviations_is_what_chance_seldom_does():
    # A bar of a random walk ranges over 1.596 of its deviations (Feller 1951): 1.25 are 1.995.
    assert 1.99 < RocThrust().size * 1.596 < 2.0
