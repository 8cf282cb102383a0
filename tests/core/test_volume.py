from __future__ import annotations

import numpy as np
import pytest

from tradekit._core.bars import Bars
from tradekit._core.errors import UsageError
from tradekit._core.indicators import Indicators

NAN = np.nan

# StockCharts ChartSchool, cs-obv: closes, volumes (the first day has none there), and on-balance
# volume from the second day on.
OBV_CLOSE = """53.26 53.30 53.32 53.72 54.19 53.92 54.65 54.60 54.21 54.53 53.79 53.66 53.56 53.57
53.94 53.27"""
OBV_VOLUME = """8000 8200 8100 8300 8900 9200 13300 10300 9900 10100 11300 12600 10700 11500 23800
14600"""
OBV = """8200 16300 24600 33500 24300 37600 27300 17400 27500 16200 3600 -7100 4400 28200 13600"""

# StockCharts ChartSchool, cs-vwap: the first minutes of a day of IBM.
VWAP_HIGH = """127.36 127.31 127.21 127.15 127.08 127.19 127.09 127.08 127.18 127.16 127.31 127.35
127.34 127.29 127.36"""
VWAP_LOW = """126.99 127.10 127.11 126.93 126.98 126.99 126.82 126.95 127.05 127.05 127.08 127.20
127.25 127.17 127.25"""
VWAP_CLOSE = """127.28 127.11 127.15 127.04 126.98 127.07 126.93 127.05 127.11 127.15 127.30 127.28
127.28 127.29 127.25"""
VWAP_VOLUME = """89329 16137 23945 20679 27252 20915 17372 17600 13896 6700 13848 9925 5540 10803
19400"""
VWAP = """127.210000 127.204390 127.195560 127.174127 127.149418 127.142446 127.126674 127.119127
127.118801 127.118833 127.124584 127.130021 127.133152 127.137446 127.146685"""


def numbers(text):
    return np.array(text.split(), dtype=float)


def utc(*times):
    """Minutes since 1970."""
    return np.array(times, dtype="M8[m]").astype(int)


def test_the_on_balance_volume_is_that_of_stockcharts(minutes):
    obv = minutes(numbers(OBV_CLOSE), volume=numbers(OBV_VOLUME)).ind.obv()
    assert np.array_equal(obv, np.r_[NAN, numbers(OBV)], equal_nan=True)


def test_the_on_balance_volume_is_that_of_achelis(minutes):
    # Technical Analysis from A to Z, page 231; two closes equal the one before.
    close = [20.5625, 20.375, 20.0625, 19.5, 19.8125, 19.8125, 20.0625, 20.0625, 20.375, 20.75]
    volume = [27802, 16178, 22766, 46074, 22904, 20428, 29260, 30652, 38332, 40054]
    obv = minutes(close, volume=volume).ind.obv()
    published = [-16178, -38944, -85018, -62114, -62114, -32854, -32854, 5478, 45532]
    assert obv[1:].tolist() == published


def test_the_balance_starts_anew_after_an_unknown_volume_or_a_missing_bar(minutes):
    close = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    unknown = minutes(close, volume=[10, 20, NAN, 40, 50, 60]).ind.obv()
    assert np.array_equal(unknown, [NAN, 20, NAN, NAN, 50, 110], equal_nan=True)
    gap = minutes(close, volume=[10, 20, 30, 40, 50, 60], at=[0, 1, 2, 4, 5, 6]).ind.obv()
    assert np.array_equal(gap, [NAN, 20, 50, NAN, 50, 110], equal_nan=True)


def test_the_session_average_is_that_of_stockcharts(minutes):
    high, low, close, volume = map(numbers, (VWAP_HIGH, VWAP_LOW, VWAP_CLOSE, VWAP_VOLUME))
    vwap = minutes(close, high, low, volume).ind.vwap()
    np.testing.assert_allclose(vwap, numbers(VWAP), rtol=0, atol=1e-6)


def test_each_session_has_its_own_average_and_extended_hours_have_none(minutes):
    at = utc(
        *("2024-03-08T14:29", "2024-03-08T14:30", "2024-03-08T20:59", "2024-03-08T21:00"),
        *("2024-03-11T13:29", "2024-03-11T13:30", "2024-03-11T13:31"),  # daylight saving began
    )
    vwap = minutes([1.0, 2, 4, 8, 16, 32, 64], at=at, calendar="XNYS").ind.vwap()
    assert np.array_equal(vwap, [NAN, 2, 3, NAN, NAN, 32, 48], equal_nan=True)


def test_a_session_that_began_before_the_bars_has_no_average(minutes):
    at = utc("2024-03-08T14:30", "2024-03-08T14:31", "2024-03-08T14:32", "2024-03-11T13:32")
    bars = minutes([1.0, 3, 5, 7], at=at, calendar="XNYS")
    assert bars.ind.vwap().tolist() == [1, 2, 3, 7]
    assert np.array_equal(bars[1:].ind.vwap(), [NAN, NAN, 7], equal_nan=True)


def test_hours_on_the_clock_hold_the_opening_in_their_first_bar():
    # Bars that start at 10:00 in New York, half an hour after the opening, miss no whole bar.
    time = utc("2024-03-08T15:00", "2024-03-08T16:00").astype("M8[m]")
    p = np.array([2.0, 4.0])
    assert Bars("X", "1Hour", time, p, p, p, p, p).ind.vwap()[0] == 2


def test_an_unknown_volume_leaves_the_rest_of_its_session_unknown(minutes):
    at = np.r_[0, 1, 2, 1440, 1441]
    vwap = minutes([1.0, 2, 3, 4, 6], volume=[1, NAN, 1, 1, 1], at=at).ind.vwap()
    assert np.array_equal(vwap, [1, NAN, NAN, 4, 5], equal_nan=True)


def test_before_the_first_trade_there_is_no_average(minutes):
    vwap = minutes([1.0, 2, 4], volume=[0, 10, 10]).ind.vwap()
    assert np.array_equal(vwap, [NAN, 2, 3], equal_nan=True)


@pytest.mark.parametrize(("calendar", "lookback"), [("XNYS", 390), ("24/7", 1440)])
def test_the_average_needs_a_whole_session(minutes, calendar, lookback):
    touched = {}
    Indicators(minutes([1.0, 2.0], calendar=calendar), {}, touched).vwap()
    assert touched[("vwap",)].lookback == lookback


def test_no_bars_have_no_average(minutes):
    assert minutes([1.0, 2.0])[:0].ind.vwap().shape == (0,)


def test_daily_bars_have_no_session_average():
    p, day = np.array([1.0]), np.array(["2024-03-08T05:00"], "M8[ns]")
    with pytest.raises(UsageError, match="bars shorter than a session, got 1Day bars"):
        Bars("X", "1Day", day, p, p, p, p, p).ind.vwap()
