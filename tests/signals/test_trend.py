from __future__ import annotations

from tradekit.signals import AdxTrend, EmaCross


def test_averages_cross_up_where_the_close_jumps_and_down_where_it_falls(drawn, heard):
    # Weights 2/3 and 2/5. Row 30: 101.3333 - 100.8 = 0.5333, per bar 0.5333 / 2 of a range.
    # Row 31: 97.7778 - 98.88 = -1.1022, per bar -1.6356 / 2. In fifths: 1.3333 and -4.0889.
    assert heard(EmaCross(fast=2, slow=4), drawn(102, 96)) == {30: 62.86, 31: -72.14}


def test_averages_that_stay_crossed_say_nothing_more(drawn, heard):
    assert list(heard(EmaCross(fast=2, slow=4), drawn(102, 103, 104, 105))) == [30]


def test_a_trend_begins_when_the_adx_has_gathered_enough(drawn, heard):
    # The DX is 0, then 100: the ADX is 100 * (1 - (13/14)**k), 19.9 for k = 3 and 25.7 for k = 4.
    up, down = (drawn(*(100 + side * 2 * k for k in range(1, 8))) for side in (1, -1))
    assert list(heard(AdxTrend(), up)) == [33]
    assert list(heard(AdxTrend(), down)) == [33]
    assert heard(AdxTrend(), up)[33] == -heard(AdxTrend(), down)[33] > 0


def test_the_score_of_a_trend_grows_with_the_distance_of_the_di(drawn, heard):
    # Wilder's sums of two: 4 of true ranges, then 4 - 2 + 3 = 5; +DM 2. +DI 40, -DI 0: 1.6 units.
    assert heard(AdxTrend(period=2), drawn(102)) == {30: 64.62}
