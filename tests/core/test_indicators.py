from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit._core.indicators import Indicators

NAN = np.nan
# Steps in eighths, so that scaled and mirrored prices are exact.
TICKS = st.lists(st.integers(-3, 3), min_size=2, max_size=60)

# StockCharts ChartSchool, cs-atr: highs, lows and closes of QQQQ and their 14-day ATR.
ATR_HIGH = """48.70 48.72 48.90 48.87 48.82 49.05 49.20 49.35 49.92 50.19 50.12 49.66 49.88 50.19
50.36 50.57 50.65 50.43 49.63 50.33 50.29 50.17 49.32 48.50 48.3201 46.80 47.80 48.39 48.66 48.79"""
ATR_LOW = """47.79 48.14 48.39 48.37 48.24 48.635 48.94 48.86 49.50 49.87 49.20 48.90 49.43 49.725
49.26 50.09 50.30 49.21 48.98 49.61 49.20 49.43 48.08 47.64 41.55 44.2833 47.31 47.20 47.90
47.7301"""
ATR_CLOSE = """48.16 48.61 48.75 48.63 48.74 49.03 49.07 49.32 49.91 50.13 49.53 49.50 49.75 50.03
50.31 50.52 50.41 49.34 49.37 50.23 49.2375 49.93 48.43 48.18 46.57 45.41 47.77 47.72 48.62 47.85"""
ATR_14 = """0.555000 0.593929 0.585791 0.568949 0.615452 0.617920 0.642354 0.674329 0.692770
0.775429 0.781470 1.209229 1.302620 1.380290 1.366698 1.336219 1.316482"""

# Achelis, Technical Analysis from A to Z, companion sheet (as TulipCharts quotes it): prices, and
# from the 15th day on the 14-day directional indices and their DX.
DI_HIGH = """94.1875 94.5 93.5 92.75 92.875 90.75 89.875 89.125 90.4375 90 88.5 87.75 87.0625
85.8125 86.5625 90.375 91.375 92.25 93.375 92.0625 92.875 93.9375 95.25 97.125 97.1875 94.875
94.3125 93.3125 94.125 96.9375"""
DI_LOW = """92.125 91.9375 91.5 90.3125 90.5 84.375 86.4375 86.4375 88.25 87.0625 86.9375 85.875 85
84.5 84.375 88.4375 88.375 89.5 91 89.5 89.5625 90.875 92.875 95.7344 94.75 92.875 91.6875 91.4375
92.25 92.75"""
DI_CLOSE = """92.375 92.5625 92 91.75 91.5625 89.9375 88.875 87.125 89.625 89.1875 87 87.3125 85
84.9375 86 89.8125 89.625 91.6875 91.125 90.1875 91.0469 93.1875 94.8125 96.125 95.4375 93 91.75
92.75 93.875 96.625"""
DI_PLUS = """6.5404 15.7975 17.1685 18.2181 20.0392 18.6830 19.1863 20.4108 22.5670 26.1316 24.4414
22.7738 21.1796 20.0974 21.3093 26.4203"""
DI_MINUS = """29.4074 26.0300 23.9950 22.2758 20.8841 23.4324 21.4148 19.7238 18.5036 17.3764
18.8646 22.5699 24.1567 23.6037 22.3726 19.8789"""
DX_14 = """63.6115 24.4637 16.5840 10.0206 2.0645 11.2771 5.4886 1.7117 9.8936 20.1233 12.8777
0.4497 6.5667 8.0233 2.4342 14.1285"""

WINDOWS = {
    "sma": lambda ind: (ind.sma(7),),
    "wma": lambda ind: (ind.wma(7),),
    "stdev": lambda ind: (ind.stdev(7),),
    "zscore": lambda ind: (ind.zscore(7),),
    "bollinger": lambda ind: ind.bollinger(7),
    "roc": lambda ind: (ind.roc(7),),
    "true_range": lambda ind: (ind.true_range(),),
    "stochastic": lambda ind: ind.stochastic(7, 3, 2),
    "donchian": lambda ind: ind.donchian(7),
    "pivots": lambda ind: ind.pivots(2, 1),
}
RECURSIVE = {
    "ema": lambda ind: (ind.ema(20),),
    "rsi": lambda ind: (ind.rsi(14),),
    "macd": lambda ind: ind.macd(),
    "atr": lambda ind: (ind.atr(14),),
    "di": lambda ind: ind.di(14),
    "adx": lambda ind: (ind.adx(14),),
}
VOLUME = {
    "obv": lambda ind: (ind.obv(),),
    "vwap": lambda ind: (ind.vwap(),),
    "volume": lambda ind: (ind.sma(7, "volume"), ind.ema(7, "volume")),
}
ALL = WINDOWS | RECURSIVE | VOLUME


def numbers(text):
    return np.array(text.split(), dtype=float)


def assert_published(line, values, rounding):
    """The sheet's values, and blank where the sheet is blank."""
    assert np.isnan(line[: -len(values)]).all()
    np.testing.assert_allclose(line[-len(values) :], values, rtol=0, atol=rounding)


@pytest.fixture(scope="session")
def market(minutes):
    """Make minutes of a fat-tailed walk; at says which minutes there are."""

    def make(size, seed=0, **facts):
        rng = np.random.default_rng(seed)
        close = 100 * np.exp(np.cumsum(rng.standard_t(4, size) * 1e-3))
        high = close * np.exp(np.abs(rng.normal(0, 1e-3, size)))
        low = close * np.exp(-np.abs(rng.normal(0, 1e-3, size)))
        facts.setdefault("volume", np.round(np.exp(rng.normal(8, 1, size))))
        return minutes(close, high, low, **facts)

    return make


def test_the_average_true_range_is_that_of_stockcharts(minutes):
    # The sheet counts the range of its first bar: here a bar before it closes inside that range.
    high, low, close = map(numbers, (ATR_HIGH, ATR_LOW, ATR_CLOSE))
    bars = minutes(np.r_[48, close], np.r_[48, high], np.r_[48, low])
    assert_published(bars.ind.atr(14), numbers(ATR_14), 1e-6)


def test_the_true_range_counts_the_jump_from_the_close_before(minutes):
    # 48.50-46 without a jump; from 46.57 up to 50; from 49 down to 45: 3.43 and 4.
    bars = minutes([46.57, 49, 45.5], [48.5, 50, 46], [46, 48.9, 45])
    np.testing.assert_allclose(bars.ind.true_range(), [NAN, 3.43, 4], rtol=0, atol=1e-12)


def test_the_directional_indices_are_those_of_achelis(minutes):
    di = minutes(numbers(DI_CLOSE), numbers(DI_HIGH), numbers(DI_LOW)).ind.di(14)
    assert_published(di.plus, numbers(DI_PLUS), 5.1e-5)
    assert_published(di.minus, numbers(DI_MINUS), 5.1e-5)


def test_the_adx_follows_from_the_sheet_of_achelis(minutes):
    # The mean of the first 14 DX, then 13 parts of it and one part of the next DX.
    dx = numbers(DX_14)
    first = dx[:14].mean()
    second = (13 * first + dx[14]) / 14
    adx = minutes(numbers(DI_CLOSE), numbers(DI_HIGH), numbers(DI_LOW)).ind.adx(14)
    assert_published(adx, [first, second, (13 * second + dx[15]) / 14], 1e-4)


def test_the_adx_is_the_one_worked_by_hand(minutes):
    # Sums start with one move: up 2, down 0, true range 2. Row 2: up 1, down 0+1, range 2, DX 0.
    # Row 3: up 0.5+4, down 0.5, range 5: 90 and 10, DX 80. Row 4: up 2.25+1, down 0.25, range 3.5,
    # DX 3/3.5 = 85.714. ADX: (0+80)/2 = 40, then (40+85.714)/2 = 62.857.
    ind = minutes([10.0, 12, 11, 15, 16]).ind
    assert_published(ind.di(2).plus, [50, 90, 92.857143], 1e-6)
    assert_published(ind.di(2).minus, [50, 10, 7.142857], 1e-6)
    assert_published(ind.adx(2), [40, 62.857143], 1e-6)


def test_ranges_and_directions_are_the_textbook_ones(market):
    bars, period = market(300, seed=11), 9
    high, low, close = bars.high, bars.low, bars.close
    true = np.maximum(high[1:], close[:-1]) - np.minimum(low[1:], close[:-1])
    up, down = np.diff(high), -np.diff(low)
    moves = np.where(up > down, np.maximum(up, 0), 0), np.where(down > up, np.maximum(down, 0), 0)
    sums = [moves[0][: period - 1].sum(), moves[1][: period - 1].sum(), true[: period - 1].sum()]
    plus, dx, expected = [], [], [true[:period].mean()]
    for row in range(period - 1, len(true)):
        sums = [s - s / period + new[row] for s, new in zip(sums, (*moves, true), strict=True)]
        plus.append(100 * sums[0] / sums[2])
        dx.append(100 * abs(sums[0] - sums[1]) / (sums[0] + sums[1]))
        if row >= period:
            expected.append(expected[-1] + (true[row] - expected[-1]) / period)
    adx = [np.mean(dx[:period])]
    for new in dx[period:]:
        adx.append(adx[-1] + (new - adx[-1]) / period)
    assert_published(bars.ind.true_range(), true, 1e-12)
    assert_published(bars.ind.atr(period), expected, 1e-9)
    assert_published(bars.ind.di(period).plus, plus, 1e-9)
    assert_published(bars.ind.adx(period), adx, 1e-9)


def test_a_channel_holds_the_bars_before_the_current_one(minutes):
    channel = minutes([3.0, 5, 4, 9, 2, 6]).ind.donchian(2)
    assert np.array_equal(channel.upper, [NAN, NAN, 5, 5, 9, 9], equal_nan=True)
    assert np.array_equal(channel.lower, [NAN, NAN, 3, 4, 4, 2], equal_nan=True)


def test_a_pivot_is_told_by_the_bar_that_confirms_it(minutes):
    pivots = minutes([1.0, 3, 5, 4, 2, 1, 3, 2]).ind.pivots(2, 2)
    assert np.array_equal(pivots.high, [NAN] * 4 + [5] + [NAN] * 3, equal_nan=True)
    assert np.array_equal(pivots.low, [NAN] * 7 + [1], equal_nan=True)


def test_the_first_of_equal_highs_is_the_pivot(minutes):
    pivots = minutes([1.0, 3, 3, 3, 1, 3, 1]).ind.pivots(1, 2)
    # Row 1 stands above row 0 and not below rows 2 and 3; row 5 has too few bars after it.
    assert np.array_equal(pivots.high, [NAN] * 3 + [3] + [NAN] * 3, equal_nan=True)


@given(TICKS, st.integers(1, 4), st.integers(1, 4))
def test_pivots_are_those_of_the_definition(minutes, ticks, left, right):
    x = 100 + np.cumsum(ticks) / 8
    told = minutes(x).ind.pivots(left, right).high
    for row in range(left, len(x) - right):
        before, after = x[row - left : row], x[row + 1 : row + right + 1]
        pivot = (x[row] > before).all() and (x[row] >= after).all()
        assert told[row + right] == x[row] if pivot else np.isnan(told[row + right])


@given(TICKS)
def test_ranges_scale_with_prices_and_directions_do_not(minutes, ticks):
    x = 100 + np.cumsum(ticks) / 8
    one, other = minutes(x, x + 1, x - 1).ind, minutes(4 * x, 4 * x + 4, 4 * x - 4).ind
    assert np.array_equal(other.atr(5), 4 * one.atr(5), equal_nan=True)
    assert np.array_equal(other.di(5), one.di(5), equal_nan=True)
    assert np.array_equal(other.adx(5), one.adx(5), equal_nan=True)


@given(TICKS)
def test_mirrored_prices_turn_everything_round(minutes, ticks):
    x = 100 + np.cumsum(ticks) / 8
    one, other = minutes(x, x + 1, x - 1).ind, minutes(200 - x, 201 - x, 199 - x).ind
    assert np.array_equal(other.di(5), one.di(5)[::-1], equal_nan=True)
    assert np.array_equal(other.adx(5), one.adx(5), equal_nan=True)
    assert np.array_equal(other.atr(5), one.atr(5), equal_nan=True)
    assert np.array_equal(other.donchian(5).upper, 200 - one.donchian(5).lower, equal_nan=True)
    assert np.array_equal(other.pivots(2, 1).high, 200 - one.pivots(2, 1).low, equal_nan=True)


@pytest.mark.parametrize("name", ALL)
def test_later_bars_change_no_bit(market, name):
    volume = np.round(np.exp(np.random.default_rng(1).normal(8, 2, 600)))
    volume[[100, 101, 350]] = NAN
    at = np.delete(np.arange(604), [50, 200, 201, 400])
    bars = market(600, seed=2, volume=volume, at=at)
    whole = ALL[name](bars.ind)
    for cut in [*range(25), *np.random.default_rng(3).integers(25, 600, 40)]:
        for line, full in zip(ALL[name](bars[:cut].ind), whole, strict=True):
            assert np.array_equal(line, full[:cut], equal_nan=True)


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_gives_its_first_value_at_its_look_back(market, name):
    bars, touched = market(3000, seed=4), {}
    whole = WINDOWS[name](Indicators(bars, {}, touched))
    (need,) = touched.values()
    assert not need.recursive
    for end in np.random.default_rng(5).integers(1000, 3000, 20):
        lines = WINDOWS[name](bars[end - need.lookback : end].ind)
        np.testing.assert_allclose(
            [line[-1] for line in lines], [line[end - 1] for line in whole], rtol=1e-7, atol=1e-9
        )
    first = {int(np.flatnonzero(~np.isnan(line))[0]) for line in whole}
    assert max(first) == need.lookback - 1 or name == "pivots"


def test_look_backs_are_those_that_ta_lib_finds_stable(market):
    # Its rules for four digits: ceil(10p/2) for an exponential average, ceil(10(2p-1)/2) for
    # Wilder's, 10p for RSI and DI, 16p for ADX; MACD waits for its slow average, then its signal.
    touched = {}
    for ask in RECURSIVE.values():
        ask(Indicators(market(3), {}, touched))
    found = {key[0]: need.lookback for key, need in touched.items()}
    assert found == {"ema": 100, "rsi": 140, "macd": 175, "atr": 135, "di": 140, "adx": 224}


@pytest.mark.parametrize("name", RECURSIVE)
def test_a_look_back_is_worth_four_digits(market, name):
    bars, touched = market(4000, seed=6), {}
    whole = RECURSIVE[name](Indicators(bars, {}, touched))
    (need,) = touched.values()
    assert need.recursive
    for end in np.random.default_rng(7).integers(1000, 4000, 40):
        lines = RECURSIVE[name](bars[end - need.lookback : end].ind)
        for line, full in zip(lines, whole, strict=True):
            assert abs(line[-1] - full[end - 1]) < 1e-4 * np.nanmean(np.abs(full))


@pytest.mark.parametrize("name", RECURSIVE)
def test_a_gap_restarts_the_warm_up(market, name):
    bars = market(400, seed=8, at=np.delete(np.arange(401), 150))
    lines, after = RECURSIVE[name](bars.ind), RECURSIVE[name](bars[150:].ind)
    for line, fresh in zip(lines, after, strict=True):
        assert np.isnan(line[150])
        assert np.array_equal(line[150:], fresh, equal_nan=True)


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_runs_across_a_gap(market, name):
    whole, gap = market(400, seed=8), market(400, seed=8, at=np.delete(np.arange(401), 150))
    assert gap.gap_before[150]
    assert np.array_equal(WINDOWS[name](gap.ind), WINDOWS[name](whole.ind), equal_nan=True)


def test_gaps_everywhere_leave_recursive_indicators_unknown(market):
    ind = market(200, at=2 * np.arange(200)).ind
    assert all(np.isnan(line).all() for ask in RECURSIVE.values() for line in ask(ind))


def test_unknown_volume_spoils_volume_indicators_only(market):
    known, unknown = market(300, seed=9), market(300, seed=9, volume=NAN)
    for name, ask in (WINDOWS | RECURSIVE).items():
        assert np.array_equal(ask(known.ind), ask(unknown.ind), equal_nan=True), name
    assert all(np.isnan(line).all() for ask in VOLUME.values() for line in ask(unknown.ind))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("size", [0, 1, 2, 3])
def test_few_bars_are_all_unknown_and_no_error(market, name, size):
    lines = ALL[name](market(5)[:size].ind)
    assert all(line.shape == (size,) for line in lines)
    assert name in ("vwap", "true_range", "obv") or np.isnan(lines).all()
