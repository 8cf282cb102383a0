"""The daily market against what is known of real ones; docs name the sources and our figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit.data import _market as market

UNTIL = int(market.rows_of(np.datetime64("2025-01-01")))
LARGE = [symbol for symbols in market.FAMILIAR.values() for symbol in symbols.split()]
ANYBODY = [symbol for symbol, _ in market.names()[14:1500]]


def drawn(symbol, seed=0):
    return market.days(seed, market.company(seed, symbol), UNTIL)


def closes(symbol, seed=0):
    """Log closes without the jumps of splits."""
    days = drawn(symbol, seed)
    shares = np.ones(len(days.volume))
    for row, ratio in days.splits:
        shares[row - days.start :] *= ratio
    return np.log(days.prices[3] * shares)


def excess_kurtosis(x):
    x = x - x.mean()
    return (x**4).mean() / (x**2).mean() ** 2 - 3


def autocorrelation(x, lag):
    x = x - x.mean()
    return (x[lag:] * x[:-lag]).mean() / (x**2).mean()


@pytest.fixture(scope="module")
def returns():
    """Daily log returns of the large companies, 35 years."""
    return np.array([np.diff(closes(symbol)) for symbol in LARGE])


@pytest.fixture(scope="module")
def spy():
    return [np.diff(closes("SPY", seed)) for seed in range(12)]


@given(st.sampled_from(["SPY", "AAPL", *ANYBODY]), st.integers(1, UNTIL), st.integers(0, 3))
def test_asking_for_more_days_never_changes_the_earlier_ones(symbol, stop, seed):
    who, long = market.company(seed, symbol), drawn(symbol, seed)
    short = market.days(seed, who, stop)
    n = len(short.volume)
    assert (short.prices == long.prices[:, :n]).all()
    assert (short.volume == long.volume[:n]).all()
    assert short.splits == tuple(s for s in long.splits if s[0] < who.start + n)


@given(st.sampled_from(ANYBODY), st.integers(0, 3))
def test_every_day_can_be_a_bar(symbol, seed):
    days = drawn(symbol, seed)
    open_, high, low, close = days.prices
    assert (low > 0).all()
    assert (low <= np.minimum(open_, close)).all()
    assert (high >= np.maximum(open_, close)).all()
    assert (days.volume >= market.FEWEST).all()
    assert (days.volume == np.rint(days.volume)).all()


def test_prices_are_in_cents_and_below_a_dollar_in_hundredths_of_a_cent():
    # A penny is the tick from a dollar on, a hundredth of it below (SEC Rule 612).
    assert market.on_tick(np.array([12.3456, 1.00049, 0.99994, 0.12345678])).tolist() == [
        12.35,
        1.0,
        0.9999,
        0.1235,
    ]


def test_symbols_are_distinct_and_begin_with_the_funds():
    symbols = [symbol for symbol, _ in market.names()]
    assert symbols[:3] == ["SPY", "QQQ", "IWM"]
    assert len(set(symbols)) == len(symbols)


def test_more_than_5000_companies_are_listed_at_any_time():
    world = market.universe(0)
    for row in range(0, market.ROWS, market.YEAR):
        assert ((world.starts <= row) & (row < world.stops)).sum() > 5000


def test_the_market_is_as_wild_as_the_s_and_p_500(spy):
    # 18.1 % a year 1990-2023.
    wild = [r.std() * np.sqrt(260) for r in spy]
    assert 0.165 < np.median(wild) < 0.19
    assert 0.145 < min(wild) < max(wild) < 0.205
    assert 0.03 < np.mean([r.mean() * 260 for r in spy]) < 0.11


def test_bear_and_volatile_days_are_wilder_than_bull_and_sideways_days(spy):
    states = market.factors(0).states[1:UNTIL]
    bull, bear, sideways, volatile = (spy[0][states == state].std() for state in range(4))
    assert max(bull, sideways) * 1.5 < bear < volatile * 1.05


def test_returns_have_fat_tails(returns, spy):
    # Cont (2001), fact 2; daily excess kurtosis of US stocks 3 to 50, of the S&P 500 11.
    found = np.array([excess_kurtosis(r) for r in returns])
    assert 5 < np.median(found) < 20
    assert found.min() > 2
    assert 4 < np.median([excess_kurtosis(r) for r in spy]) < 16


def test_volatility_clusters_and_is_slowly_forgotten(returns, spy):
    # Cont (2001), facts 6 and 8: |r| correlates over weeks, decaying slowly. S&P 500: 0.29 a day
    # later, 0.23 a month later.
    for group, first, month in ((returns, 0.18, 0.08), (spy, 0.22, 0.10)):
        decay = [np.median([autocorrelation(abs(r), k) for r in group]) for k in (1, 20, 100)]
        assert first < decay[0] < 0.45
        assert month < decay[1] < decay[0]
        assert 0.01 < decay[2] < decay[1]


def test_returns_do_not_predict_the_next_ones(returns):
    # Cont (2001), fact 1. The standard error of one series of 9,000 days is 0.011; of the mean of
    # correlated ones about 0.004.
    assert abs(np.mean([autocorrelation(r, 1) for r in returns])) < 0.015
    after = [r[1:][r[:-1] > 0].mean() - r[1:][r[:-1] < 0].mean() for r in returns]
    assert abs(np.mean(after)) < 0.02 * returns.std()


def test_falls_make_the_market_wilder(spy):
    # Cont (2001), fact 9, the leverage effect; S&P 500: -0.10.
    found = [np.mean([np.corrcoef(r[:-k], abs(r[k:]))[0, 1] for k in range(1, 6)]) for r in spy]
    assert -0.15 < np.mean(found) < -0.04


def test_stocks_move_together(returns):
    # Mean pairwise correlation of S&P 500 members: 0.27 (2013-2018), 0.32 (1998-2018).
    pairs = np.corrcoef(returns)[np.triu_indices(len(returns), 1)]
    assert 0.25 < pairs.mean() < 0.40


def test_funds_are_portfolios_of_the_same_market(returns):
    spy, qqq, iwm, xlu, xlk = (
        np.diff(closes(symbol)) for symbol in ("SPY", "QQQ", "IWM", "XLU", "XLK")
    )
    assert np.corrcoef(spy, returns.mean(axis=0))[0, 1] > 0.9
    assert 0.85 < np.corrcoef(spy, qqq)[0, 1] < 0.95
    assert 0.85 < np.corrcoef(spy, iwm)[0, 1] < 0.95
    assert np.corrcoef(qqq, xlk)[0, 1] > np.corrcoef(qqq, iwm)[0, 1]
    assert xlu.std() < spy.std() < qqq.std()


def test_a_fair_share_of_each_days_variance_falls_into_the_night():
    # Between close and open: 21 to 45 % of the variance of S&P 500 members.
    shares = []
    for symbol in LARGE:
        open_, _, _, close = np.log(drawn(symbol).prices)
        night, day = open_[1:] - close[:-1], close - open_
        night = night[abs(night) < np.log(1.4)]  # not the splits
        shares.append(night.var() / (night.var() + day.var()))
    assert 0.2 < np.median(shares) < 0.45


def test_news_gaps_the_price_and_draws_a_crowd():
    gaps, crowds = [], []
    for symbol in LARGE[:20]:
        days = drawn(symbol)
        at = days.news[1:-1] - days.start
        open_, close = np.log(days.prices[0]), np.log(days.prices[3])
        jump = abs(open_[1:] - close[:-1])
        gaps.append(np.median(jump[at - 1]) / np.median(jump))
        crowds.append(np.median(days.volume[at] / days.volume[at - 1]))
        assert 5 < len(at) / 35 < 9  # four reports and three surprises a year
    assert np.median(gaps) > 2.5
    assert np.median(crowds) > 1.8


def test_volume_rises_with_volatility(returns):
    # Karpoff (1987); S&P 500 members, day to day: 0.25 to 0.5.
    found = [
        np.corrcoef(np.diff(np.log(drawn(symbol).volume)), np.diff(abs(r), prepend=0))[0, 1]
        for symbol, r in zip(LARGE, returns, strict=True)
    ]
    assert 0.2 < np.median(found) < 0.55


def test_a_split_divides_the_price_and_multiplies_the_shares():
    seen = 0
    for symbol in LARGE:
        days = drawn(symbol)
        for row, ratio in days.splits:
            at = row - days.start
            change = days.prices[0, at] / days.prices[3, at - 1] * ratio
            assert 0.7 < change < 1.4
            seen += 1
    assert seen > 20


def test_a_share_below_a_dollar_is_merged():
    merged = [ratio for symbol in ANYBODY[:300] for _, ratio in drawn(symbol).splits if ratio < 1]
    assert merged
    assert set(merged) <= {0.1, 0.02}


def test_no_price_dies_or_explodes_in_35_years():
    for symbol in LARGE + ANYBODY[:300]:
        level = closes(symbol)
        assert level.min() - level[0] > np.log(1e-4)
        assert level.max() - level[0] < np.log(1e4)
