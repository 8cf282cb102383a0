from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from tradekit._core.errors import UsageError

NAN = np.nan
# Steps in eighths, so that scaled and mirrored prices are exact.
TICKS = st.lists(st.integers(-3, 3), min_size=2, max_size=60)

# StockCharts ChartSchool, cs-rsi: closes of QQQQ and their 14-day RSI.
RSI_CLOSE = """44.3389 44.0902 44.1497 43.6124 44.3278 44.8264 45.0955 45.4245 45.8433 46.0826
45.8931 46.0328 45.6140 46.2820 46.2820 46.0028 46.0328 46.4116 46.2222 45.6439 46.2122 46.2521
45.7137 46.4515 45.7835 45.3548 44.0288 44.1783 44.2181 44.5672 43.4205 42.6628 43.1314"""
RSI_14 = """70.5328 66.3186 66.5498 69.4063 66.3552 57.9749 62.9296 63.2571 56.0593 62.3771 54.7076
50.4228 39.9898 41.4605 41.8689 45.4632 37.3040 33.0795 37.7730"""

# StockCharts ChartSchool, cs-roc: closes of the Dow Jones average and their 12-day ROC.
ROC_CLOSE = """11045.27 11167.32 11008.61 11151.83 10926.77 10868.12 10520.32 10380.43 10785.14
10748.26 10896.91 10782.95 10620.16 10625.83 10510.95 10444.37 10068.01 10193.39 10066.57
10043.75"""
ROC_12 = "-3.85 -4.85 -4.52 -6.34 -7.86 -6.21 -4.31 -3.24"

# StockCharts ChartSchool, cs-soo: highs and lows, closes from the 14th day on, 14-day %K.
STOCHASTIC_HIGH = """127.0090 127.6159 126.5911 127.3472 128.1730 128.4317 127.3671 126.4220
126.8995 126.8498 125.6460 125.7156 127.1582 127.7154 127.6855 128.2228 128.2725 128.0934 128.2725
127.7353 128.7700 129.2873 130.0633 129.1182 129.2873 128.4715 128.0934 128.6506 129.1381
128.6406"""
STOCHASTIC_LOW = """125.3574 126.1633 124.9296 126.0937 126.8199 126.4817 126.0340 124.8301 126.3921
125.7156 124.5615 124.5715 125.0689 126.8597 126.6309 126.8001 126.7105 126.8001 126.1335 125.9245
126.9891 127.8148 128.4715 128.0641 127.6059 127.5960 126.9990 126.8995 127.4865 127.3970"""
STOCHASTIC_CLOSE = """127.2876 127.1781 128.0138 127.1085 127.7253 127.0587 127.3273 128.7103
127.8745 128.5809 128.6008 127.9342 128.1133 127.5960 127.5960 128.6904 128.2725"""
FAST_K = """70.438220 67.608909 89.202108 65.810552 81.747713 64.523797 74.529776 98.581442
70.104533 73.056091 73.417791 61.231290 60.956271 40.386102 40.386102 66.828549 56.731420"""


def numbers(text):
    return np.array(text.split(), dtype=float)


def assert_published(line, values, rounding):
    """The sheet's values, and blank where the sheet is blank."""
    assert np.isnan(line[: -len(values)]).all()
    np.testing.assert_allclose(line[-len(values) :], values, rtol=0, atol=rounding)


def walk(size, seed):
    close = 100 + np.cumsum(np.random.default_rng(seed).standard_t(4, size=size))
    return close - close.min() + 10


def test_the_rsi_is_that_of_stockcharts(minutes):
    assert_published(minutes(numbers(RSI_CLOSE)).ind.rsi(14), numbers(RSI_14), 6e-5)


def test_the_rate_of_change_is_that_of_stockcharts(minutes):
    assert_published(minutes(numbers(ROC_CLOSE)).ind.roc(12), numbers(ROC_12), 0.0051)


def test_the_stochastic_is_that_of_stockcharts(minutes):
    high, low = numbers(STOCHASTIC_HIGH), numbers(STOCHASTIC_LOW)
    # The sheet gives no close where none is needed: any within the bar will do.
    close = np.r_[(high + low)[:13] / 2, numbers(STOCHASTIC_CLOSE)]
    ind, fast = minutes(close, high, low).ind, numbers(FAST_K)
    assert_published(ind.stochastic(14, smooth=1).k, fast, 1e-6)
    # Slow %K is the three-day average of fast %K, and %D that of slow %K.
    slow = np.convolve(fast, np.ones(3) / 3, "valid")
    assert_published(ind.stochastic(14, 3, 3).k, slow, 1e-6)
    assert_published(ind.stochastic(14, 3, 3).d, np.convolve(slow, np.ones(3) / 3, "valid"), 1e-6)


def test_the_macd_is_the_one_worked_by_hand(minutes):
    # Fast weighs 2/3, slow 1/2, signal 2/3. Row 2: slow seed (10+11+12)/3 = 11, fast seed from the
    # last two of these, (11+12)/2 = 11.5, macd 0.5. Row 3, close 16: fast 11.5+4.5*2/3 = 14.5, slow
    # 11+5/2 = 13.5, macd 1, signal seed (0.5+1)/2 = 0.75. Row 4, close 16: fast 15.5, slow 14.75,
    # macd 0.75, signal 0.75 + 0*2/3 = 0.75. Row 5, close 10: fast 15.5-5.5*2/3 = 11.8333, slow
    # 14.75-4.75/2 = 12.375, macd -0.541667, signal 0.75-1.291667*2/3 = -0.111111.
    macd, signal, histogram = minutes([10.0, 11, 12, 16, 16, 10]).ind.macd(2, 3, 2)
    assert_published(macd, [1, 0.75, -0.541667], 1e-6)
    assert_published(signal, [0.75, 0.75, -0.111111], 1e-6)
    assert_published(histogram, [0.25, 0, -0.430556], 1e-6)


def test_the_macd_comes_to_be_the_difference_of_its_averages(minutes):
    # Elsewhere the fast average is seeded earlier: worth something at first, nothing in the end.
    ind = minutes(walk(600, seed=3)).ind
    apart = np.abs(ind.macd().macd - (ind.ema(12) - ind.ema(26)))
    assert apart[33] > 1e-3
    assert apart[175:].max() < 1e-4


def test_the_rsi_is_the_textbook_one(minutes):
    x = walk(400, seed=5)
    rises, falls = np.maximum(np.diff(x), 0), np.maximum(-np.diff(x), 0)
    rise, fall = rises[:9].mean(), falls[:9].mean()
    values = [100 - 100 / (1 + rise / fall)]
    for up, down in zip(rises[9:], falls[9:], strict=True):
        rise, fall = (rise * 8 + up) / 9, (fall * 8 + down) / 9
        values.append(100 - 100 / (1 + rise / fall))
    assert_published(minutes(x).ind.rsi(9), values, 1e-9)


def test_the_stochastic_is_the_textbook_one(minutes):
    close = walk(400, seed=6)
    high, low = close + 0.5, close - 0.5
    highest, lowest = (sliding_window_view(x, 9) for x in (high, low))
    highest, lowest = highest.max(axis=1), lowest.min(axis=1)
    fast = 100 * (close[8:] - lowest) / (highest - lowest)
    k = np.convolve(fast, np.ones(4) / 4, "valid")
    stochastic = minutes(close, high, low).ind.stochastic(9, smooth=4, d=2)
    assert_published(stochastic.k, k, 1e-9)
    assert_published(stochastic.d, (k[1:] + k[:-1]) / 2, 1e-9)


@pytest.mark.parametrize(("step", "value"), [(1.0, 100.0), (-1.0, 0.0), (0.0, 50.0)])
def test_the_rsi_of_one_way_prices_is_an_end_and_of_still_ones_the_middle(minutes, step, value):
    assert_published(minutes(100 + step * np.arange(30)).ind.rsi(14), np.full(16, value), 0)


def test_prices_that_stand_still_only_at_first_are_neutral_until_they_move(minutes):
    rsi = minutes([5.0] * 10 + [6.0, 5.0]).ind.rsi(3)
    # Row 10: rise 1/3, fall 0. Row 11: rise 2/9, fall 1/3, 100 * (2/9) / (5/9) = 40.
    assert_published(rsi, [50] * 7 + [100, 40], 1e-12)


@given(TICKS)
def test_oscillators_do_not_depend_on_the_unit_of_price(minutes, ticks):
    x = 100 + np.cumsum(ticks) / 8
    one, other = minutes(x).ind, minutes(x * 4).ind
    assert np.array_equal(one.rsi(5), other.rsi(5), equal_nan=True)
    assert np.array_equal(one.roc(5), other.roc(5), equal_nan=True)
    assert np.array_equal(one.stochastic(5).d, other.stochastic(5).d, equal_nan=True)


@given(TICKS)
def test_oscillators_of_mirrored_prices_are_mirrored(minutes, ticks):
    x = 100 + np.cumsum(ticks) / 8
    one, other = minutes(x, x + 1, x - 1).ind, minutes(200 - x, 201 - x, 199 - x).ind
    np.testing.assert_allclose(other.rsi(5), 100 - one.rsi(5), rtol=0, atol=1e-9)
    np.testing.assert_allclose(other.macd(2, 5, 2), -np.array(one.macd(2, 5, 2)), atol=1e-9)
    np.testing.assert_allclose(
        other.stochastic(5), 100 - np.array(one.stochastic(5)), rtol=0, atol=1e-9
    )


def test_a_range_of_nothing_has_its_close_in_the_middle(minutes):
    k, d = minutes([10.0, 12, 11] + [11.0] * 5).ind.stochastic(3, 1, 2)
    # Rows 2 and 3: (11-10)/2 and 0/1; from row 4 on the window is flat.
    assert_published(k, [50, 0, 50, 50, 50, 50], 1e-12)
    assert_published(d, [25, 25, 50, 50, 50], 1e-12)


def test_a_change_from_nothing_is_unknown(minutes):
    volume = minutes([1.0] * 4, volume=[0.0, 5.0, 0.0, 10.0]).ind.roc(2, "volume")
    assert np.array_equal(volume, [NAN, NAN, NAN, 100], equal_nan=True)


@pytest.mark.parametrize(("fast", "slow"), [(26, 12), (12, 12)])
def test_averages_of_one_speed_make_no_macd(minutes, fast, slow):
    with pytest.raises(UsageError, match=rf"fast below slow, got fast={fast}, slow={slow}"):
        minutes([1.0, 2.0]).ind.macd(fast, slow)
