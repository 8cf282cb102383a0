from __future__ import annotations

from tradekit.signals import DonchianBreakout, SqueezeBreakout


def test_a_close_beyond_the_bars_before_breaks_out_once(drawn, heard):
    # The highs before reach 101: 103 is 2 above, of a range of 2, in halves 2.
    assert heard(DonchianBreakout(period=3), drawn(103, 105)) == {30: 66.67}
    assert heard(DonchianBreakout(period=3), drawn(97, 95)) == {30: -66.67}


def test_a_high_beyond_the_bars_before_is_no_breakout(drawn, heard):
    assert heard(DonchianBreakout(period=3), drawn((100, 110, 100, 101))) == {}


def test_a_close_out_of_a_squeeze_is_told(drawn, heard):
    # Bands of no width at 100 lie within the average true range: 103 is 3 above, in halves 3.
    assert heard(SqueezeBreakout(period=5), drawn(103, 104)) == {30: 70.0}
    assert heard(SqueezeBreakout(period=5), drawn(97, 96)) == {30: -70.0}


def test_the_same_close_without_a_squeeze_is_not(drawn, heard):
    # Closes climb by 4 a bar: five of them deviate by 5.66, three times that is 16.97. The
    # average true range nears 5: once and a half is less than that, four times is more.
    climb = [100 + 4 * k for k in range(1, 16)]
    bars = drawn(*climb, climb[-1] + 40)
    assert 45 not in heard(SqueezeBreakout(period=5, width=3, reach=1.5), bars)
    assert 45 in heard(SqueezeBreakout(period=5, width=3, reach=4), bars)
