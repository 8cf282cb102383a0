from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from tradekit._core.errors import UsageError

NAN = np.nan
# Steps in eighths, so that sums, shifts and mirrors of these prices are exact.
TICKS = st.lists(st.integers(-3, 3), min_size=2, max_size=60)

# StockCharts ChartSchool, cs-movavg: closes of INTC and their 10-day EMA, to the cent.
EMA_CLOSE = """22.2734 22.1940 22.0847 22.1741 22.1840 22.1344 22.2337 22.4323 22.2436 22.2933
22.1542 22.3926 22.3816 22.6109 23.3558 24.0519 23.7530 23.8324 23.9516 23.6338 23.8225 23.8722
23.6537 23.1870 23.0976 23.3260 22.6805 23.0976 22.4025 22.1725"""
EMA_10 = """22.22 22.21 22.24 22.27 22.33 22.52 22.80 22.97 23.13 23.28 23.34 23.43 23.51 23.54
23.47 23.40 23.39 23.26 23.23 23.08 22.92"""

# StockCharts ChartSchool, cs-bbands: closes of SPY, their 20-day average, deviation and bands.
BANDS_CLOSE = """86.1557 89.0867 88.7829 90.3228 89.0671 91.1453 89.4397 89.1750 86.9302 87.6752
86.9596 89.4299 89.3221 88.7241 87.4497 87.2634 89.4985 87.9006 89.1260 90.7043 92.9001 92.9784
91.8021 92.6647 92.6843 92.3021 92.7725 92.5373 92.9490 93.2039 91.0669"""
BANDS_MIDDLE = """88.70794 89.04516 89.239745 89.390705 89.5078 89.68866 89.7465 89.91314
90.081255 90.382195 90.65863 90.863995"""
BANDS_DEVIATION = """1.291961 1.452054 1.686425 1.771747 1.902075 2.019895 2.076546 2.176557
2.241921 2.202359 2.192185 2.021805"""
BANDS_UPPER = """91.291862 91.949268 92.612595 92.9342 93.31195 93.72845 93.899592 94.266255
94.565096 94.786912 95.043001 94.907605"""
BANDS_LOWER = """86.124018 86.141052 85.866895 85.84721 85.70365 85.64887 85.593408 85.560025
85.597414 85.977478 86.274259 86.820385"""

# Achelis, Technical Analysis from A to Z, pages 207, 213 and 309 (as TulipCharts quotes them).
MEANS_CLOSE = "25.0000 24.8750 24.7813 24.5938 24.5000 24.6250 25.2188 27.2500"
SPREAD_CLOSE = "21.4375 21.6875 22.125 21.5625 21.8125 21.4375 21.5 21.1875 20.6875 20.9375"


def numbers(text):
    return np.array(text.split(), dtype=float)


def assert_published(line, values, rounding):
    """The sheet's values, and blank where the sheet is blank."""
    assert np.isnan(line[: -len(values)]).all()
    np.testing.assert_allclose(line[-len(values) :], values, rtol=0, atol=rounding)


@pytest.mark.parametrize(
    ("name", "close", "values"),
    [
        ("sma", MEANS_CLOSE, [24.750, 24.675, 24.744, 25.238]),
        ("wma", MEANS_CLOSE, [24.6646, 24.6229, 24.8042, 25.6396]),
        ("stdev", SPREAD_CLOSE, [0.2358, 0.2358, 0.2531, 0.2016, 0.3758, 0.3052]),
    ],
)
def test_means_and_spread_are_those_of_achelis(minutes, name, close, values):
    line = getattr(minutes(numbers(close)).ind, name)(5)
    assert_published(line, values, 5.1e-4 if name == "sma" else 5.1e-5)


def test_the_exponential_average_is_that_of_stockcharts(minutes):
    assert_published(minutes(numbers(EMA_CLOSE)).ind.ema(10), numbers(EMA_10), 0.0051)


def test_the_bands_are_those_of_stockcharts(minutes):
    ind = minutes(numbers(BANDS_CLOSE)).ind
    upper, middle, lower = ind.bollinger(20, 2)
    assert_published(upper, numbers(BANDS_UPPER), 1.1e-6)
    assert_published(middle, numbers(BANDS_MIDDLE), 1.1e-6)
    assert_published(lower, numbers(BANDS_LOWER), 1.1e-6)
    assert_published(ind.stdev(20), numbers(BANDS_DEVIATION), 1.1e-6)


def test_the_z_score_follows_from_the_sheet_of_stockcharts(minutes):
    # Row 19: (90.7043 - 88.70794) / 1.291961 = 1.545217; row 20: (92.9001 - 89.04516) / 1.452054.
    assert_published(minutes(numbers(BANDS_CLOSE)).ind.zscore(20)[:21], [1.545217, 2.654819], 2e-6)


def test_averages_are_the_textbook_ones(minutes):
    x = 100 + np.cumsum(np.random.default_rng(7).standard_t(4, size=500))
    x -= x.min() - 10
    ind, windows = minutes(x).ind, sliding_window_view(x, 12)
    ema = [np.mean(x[:12])]
    for value in x[12:]:
        ema.append(ema[-1] * 11 / 13 + value * 2 / 13)
    assert_published(ind.sma(12), windows.mean(axis=1), 1e-10)
    assert_published(ind.wma(12), windows @ np.arange(1, 13) / 78, 1e-10)
    assert_published(ind.stdev(12), windows.std(axis=1), 1e-8)
    assert_published(ind.ema(12), ema, 1e-10)
    away = x[11:] - windows.mean(axis=1)
    assert_published(ind.zscore(12), away / windows.std(axis=1), 1e-8)


def test_a_window_that_never_moved_has_a_z_score_of_nothing(minutes):
    close = np.r_[100.1 * 1.01 ** np.arange(40), np.full(30, 100.1)]
    z = minutes(close).ind.zscore(20)
    assert (z[59:] == 0).all()
    assert (z[19:59] != 0).all()


@given(TICKS)
def test_bands_move_with_prices_and_widen_with_their_scale(minutes, ticks):
    x = 100 + np.cumsum(ticks) / 8
    bands = np.array(minutes(x).ind.bollinger(5))
    np.testing.assert_allclose(minutes(x + 64).ind.bollinger(5), bands + 64, rtol=0, atol=1e-6)
    np.testing.assert_allclose(minutes(x * 4).ind.bollinger(5), bands * 4, rtol=0, atol=1e-6)


@given(TICKS)
def test_bands_and_scores_of_mirrored_prices_are_mirrored(minutes, ticks):
    x = 100 + np.cumsum(ticks) / 8
    one, other = minutes(x).ind, minutes(200 - x).ind
    np.testing.assert_allclose(other.zscore(5), -one.zscore(5), rtol=0, atol=1e-6)
    np.testing.assert_allclose(
        other.bollinger(5).lower, 200 - one.bollinger(5).upper, rtol=0, atol=1e-6
    )


def test_both_bands_are_as_far_from_the_middle_as_the_width_says(minutes):
    ind = minutes([10.0, 12.0, 12.0, 18.0]).ind  # deviations 1, 0 and 3
    assert ind.bollinger(2, 1.5).upper[1:].tolist() == [12.5, 12, 19.5]
    assert ind.bollinger(2, 1.5).lower[1:].tolist() == [9.5, 12, 10.5]


@given(TICKS)
def test_a_score_beyond_the_width_is_a_close_outside_the_bands(minutes, ticks):
    x = 100 + np.cumsum(ticks) / 8
    ind = minutes(x).ind
    beyond, outside = ind.zscore(5) - 1.25, x - ind.bollinger(5, 1.25).upper
    clear = (np.abs(outside) > 1e-6) & (ind.stdev(5) > 0)
    assert ((beyond > 0) == (outside > 0))[clear].all()


@pytest.mark.parametrize("width", [0, -2, np.nan, np.inf, True, "2", None])
def test_an_impossible_width_is_refused(minutes, width):
    with pytest.raises(UsageError, match=r"bollinger: impossible width.*above 0, got width="):
        minutes([1.0, 2.0]).ind.bollinger(2, width)


def test_widths_that_are_equal_are_one_answer(minutes):
    ind = minutes([1.0, 2.0, 3.0]).ind
    assert ind.bollinger(2, 2).upper is ind.bollinger(2, np.float32(2.0)).upper
