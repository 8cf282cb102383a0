from __future__ import annotations

from tradekit.signals import BollingerReversal, RsiReversal


def test_the_rsi_comes_back_from_oversold(drawn, heard):
    # Falls average 1, 1 and 0.5, rises 0, 0 and 1: RSI 0, 0 and 66.67, a step of 13.3 fives.
    assert heard(RsiReversal(period=2), drawn(98, 97, 99)) == {32: 77.21}


def test_the_rsi_comes_back_from_overbought(drawn, heard):
    assert heard(RsiReversal(period=2), drawn(102, 103, 101)) == {32: -77.21}


def test_an_rsi_that_stays_oversold_says_nothing(drawn, heard):
    assert heard(RsiReversal(period=2), drawn(98, 97, 96, 95)) == {}


def test_the_close_comes_back_between_the_bands(drawn, heard):
    # Of 100, 100, 100, 100, 95 the mean is 99 and the deviation 2: z is -2, and 0.5 a bar later.
    assert heard(BollingerReversal(period=5, width=1.5), drawn(95, 100)) == {31: 68.57}
    assert heard(BollingerReversal(period=5, width=1.5), drawn(105, 100)) == {31: -68.57}


def test_a_close_that_was_never_outside_does_not_come_back(drawn, heard):
    # Of 95, 105, 95, 105, 95 the mean is 99 and the deviation 4.9: z is -0.82, then 0.82.
    said = heard(BollingerReversal(period=5, width=1.5), drawn(*[95, 105] * 6))
    assert not [row for row in said if row > 34]
