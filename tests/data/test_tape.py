from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import Timeframe
from tradekit.data import _market as market
from tradekit.data import _tape as tape
from tradekit.data._regimes import excursions

NYSE = tape.nyse()
FIRST = int(NYSE.sessions.searchsorted(np.datetime64("1990-01-02")))
SOME = ["SPY", "QQQ", "AAPL", "KO", *[symbol for symbol, _ in market.names()[63:300]]]


def session(date):
    return int(NYSE.sessions.searchsorted(np.datetime64(date)))


def minutes(symbol, date, seed=0):
    at = session(date)
    time, table, _ = tape.minute_table(seed, market.company(seed, symbol), slice(at, at + 1))
    return time, table


@pytest.fixture(scope="module")
def year():
    """Raw minute returns of full sessions of a year, (sessions, 390), and volumes, by symbol."""
    found = {}
    for symbol in ("SPY", "QQQ", "CAT"):
        span = slice(session("2021-01-04"), session("2022-01-03"))
        _, table, sizes = tape.minute_table(0, market.company(0, symbol), span)
        table = np.split(table, np.cumsum(sizes)[:-1], axis=1)
        days = np.array([day for day in table if day.shape[1] == 390])
        path = np.log(np.concatenate([days[:, 0, :1], days[:, 3]], axis=1))
        found[symbol] = np.diff(path, axis=1), days[:, 4]
    return found


@given(st.sampled_from(SOME), st.integers(0, 8_500), st.integers(0, 2))
def test_the_minutes_of_a_day_add_up_to_its_bar(symbol, age, seed):
    who = market.company(seed, symbol)
    born, gone = tape.life(who)
    at = born + age % (min(gone, FIRST + 9_000) - born)
    past = tape.history(seed, who, at)
    day = past.table[:, at - past.first]
    time, (open_, high, low, close, volume), sizes = tape.minute_table(seed, who, slice(at, at + 1))
    assert [open_[0], high.max(), low.min(), close[-1], volume.sum()] == day.tolist()
    assert (low <= np.minimum(open_, close)).all()
    assert (high >= np.maximum(open_, close)).all()
    assert (volume >= 0).all()
    assert (volume == np.rint(volume)).all()
    assert len(time) == sizes[0] == (NYSE.closes[at] - NYSE.opens[at]) // 60_000_000_000


@pytest.mark.parametrize(
    ("date", "first", "count"),
    [
        ("2024-03-08", "2024-03-08T14:30", 390),  # winter time
        ("2024-03-11", "2024-03-11T13:30", 390),  # the first day of summer time
        ("2024-11-04", "2024-11-04T14:30", 390),  # back in winter
        ("2024-07-03", "2024-07-03T13:30", 210),  # the day before a holiday closes at 13:00
    ],
)
def test_minutes_stand_on_the_hours_of_the_exchange(date, first, count):
    time, _ = minutes("SPY", date)
    assert time[0] == np.datetime64(first, "ns").astype(np.int64)
    assert (np.diff(time) == 60_000_000_000).all()
    assert len(time) == count


def test_a_half_day_trades_about_half():
    whole, half = (["2024-07-01", "2024-07-02", "2024-07-08", "2024-07-09"], ["2024-07-03"])
    days = [
        np.mean([minutes(symbol, date)[1][4].sum() for symbol in ("SPY", "QQQ", "IWM", "XLK")])
        for dates in (whole, half)
        for date in dates
    ]
    assert 0.3 < days[-1] / np.mean(days[:-1]) < 0.8


def test_a_day_of_minutes_does_not_depend_on_what_was_asked_before():
    alone = minutes("AAPL", "2024-03-08", seed=5)[1]
    tape._history.cache_clear()
    tape._leading.cache_clear()
    start = session("2024-03-05")
    who = market.company(5, "AAPL")
    _, table, _ = tape.minute_table(5, who, slice(start, session("2024-03-08") + 1))
    assert (table[:, -390:] == alone).all()


def test_volume_is_u_shaped_within_the_day(year):
    # Admati and Pfleiderer (1988), Wood, McInish and Ord (1985). Half-hours of US stocks, medians
    # of 2024 to 2026: 17, 9, 8, 7, 7, 6, 5, 5, 5, 5, 5, 6 and 15 %.
    for _, volume in year.values():
        share = volume.reshape(-1, 13, 30).sum(axis=2).mean(axis=0) / volume.sum(axis=1).mean()
        assert 0.13 < share[0] < 0.19
        assert 0.13 < share[12] < 0.19
        assert (share[4:10] < 0.07).all()


def test_prices_move_most_at_the_open_and_more_again_at_the_close(year):
    # Wood, McInish and Ord (1985); of the same bars: 25 % in the first half-hour, 4 % at noon, 6 %
    # in the last.
    for moves, _ in year.values():
        share = (moves**2).reshape(-1, 13, 30).sum(axis=2).mean(axis=0)
        share = share / share.sum()
        assert 0.12 < share[0] < 0.28
        assert share[12] > 1.2 * share[6:11].mean()


def test_minute_moves_have_fat_tails_and_come_with_volume(year):
    # Median day of the same bars: excess kurtosis 1.5 to 6, correlation of |move| and log volume
    # 0.2 to 0.4.
    for moves, volume in year.values():
        z = moves - moves.mean(axis=1, keepdims=True)
        kurtosis = (z**4).mean(axis=1) / (z**2).mean(axis=1) ** 2 - 3
        assert 1 < np.median(kurtosis) < 6
        pairs = zip(abs(moves), np.log(volume + 1), strict=True)
        assert 0.15 < np.median([np.corrcoef(*pair)[0, 1] for pair in pairs]) < 0.5


def test_minutes_of_different_symbols_move_together(year):
    spy, qqq, cat = (year[symbol][0].reshape(-1, 5).sum(axis=1) for symbol in ("SPY", "QQQ", "CAT"))
    assert np.corrcoef(spy, qqq)[0, 1] > 0.7
    assert 0.2 < np.corrcoef(spy, cat)[0, 1] < 0.7


@pytest.mark.parametrize("length", [1, 5, 30])
def test_a_rise_within_the_day_is_not_followed_by_another(year, length):
    # A bridge to a known close is no martingale, but over many days it must look like one. One
    # over the root of the pairs is the standard error; ticks and shared days widen it.
    for moves, _ in year.values():
        r = moves.reshape(len(moves), -1, length).sum(axis=2)
        r = r / r.std(axis=1, keepdims=True)
        after = np.sign(r[:, :-1]) * r[:, 1:]
        assert abs(after.mean()) < 4 / math.sqrt(after.size) + 0.02


def test_buying_what_has_fallen_far_within_the_day_does_not_pay():
    # Days of Brownian motion, and what an hour brings after the first fall of 1.3 daily sigmas
    # (or, mirrored, a rise): 0.02 of a sigma. Paths scaled by the day's own range bring 0.08.
    rng, n = np.random.default_rng(1), 1500
    step = rng.standard_normal(n)
    high, low = excursions(step, 1.0, *rng.random((2, n)))
    paths = np.zeros((n, 391))
    for i, prices in enumerate(1000 + np.stack([0 * step, high, low, step], axis=1)):
        bars, _ = tape.minutes(rng, np.append(prices, 1e6), 1.0, 390, np.zeros(390), 0.0)
        paths[i, 1:] = bars[3] - 1000
    paths = np.concatenate([paths, -paths])
    fell = (paths - np.maximum.accumulate(paths, axis=1))[:, :330] < -1.3
    at = fell.argmax(axis=1)
    hour = paths[range(2 * n), at + 60] - paths[range(2 * n), at]
    assert abs(hour[fell.any(axis=1)].mean()) < 0.05


def test_no_minute_path_is_longer_or_shorter_than_its_day_on_average(year):
    # Variance ratio: 1 for a martingale (Lo and MacKinlay 1988). 250 days: standard error 0.09.
    for moves, _ in year.values():
        scale = moves / moves.std(axis=1, keepdims=True)
        assert 0.7 < (scale.sum(axis=1) ** 2).mean() / (scale**2).sum(axis=1).mean() < 1.3


def worked():
    """Five closes; a 2-for-1 split on the third day, a dividend of 0.50 on the fourth."""
    close = np.array([100.0, 110.0, 54.0, 52.0, 53.0])
    table = np.stack([close, close + 1, close - 1, close, np.full(5, 1000.0)])
    splits, dividends = np.array([1, 1, 2, 1, 1.0]), np.array([0, 0, 0, 0.5, 0])
    return tape.History(0, table, np.ones(5), splits, dividends, np.array([], dtype=np.int64))


def test_splits_divide_earlier_prices_and_multiply_earlier_volumes():
    price, shares = worked().adjustment(5, "split")
    assert price.tolist() == [0.5, 0.5, 1, 1, 1]
    assert shares.tolist() == [2, 2, 1, 1, 1]


def test_dividends_reduce_earlier_prices_by_their_share_of_the_close_before():
    # 1 - 0.50 / 54 = 53.5 / 54 for the days before; together with the split half of that.
    price, shares = worked().adjustment(5, "all")
    assert price == pytest.approx([0.5 * 53.5 / 54, 0.5 * 53.5 / 54, 53.5 / 54, 1, 1])
    assert shares.tolist() == [2, 2, 1, 1, 1]


def test_a_dividend_on_the_day_of_a_split_is_counted_in_new_shares():
    # 0.50 a new share on a close of 110 for an old one, that is 55 for a new one.
    past = worked()
    both = tape.History(
        0, past.table, past.sigma, past.splits, past.dividends[[0, 0, 3, 0, 0]], past.news
    )
    assert both.adjustment(5, "all")[0] == pytest.approx([54.5 / 110, 54.5 / 110, 1, 1, 1])


def test_raw_prices_are_left_alone():
    assert all((factor == 1).all() for factor in worked().adjustment(5, "raw"))


def test_what_is_not_in_force_yet_does_not_reach_back():
    assert worked().adjustment(2, "all")[0].tolist() == [1, 1]
    assert worked().adjustment(3, "all")[0].tolist() == [0.5, 0.5, 1]


@pytest.mark.parametrize(("timeframe", "bars"), [("1Min", 390), ("1Hour", 7), ("4Hour", 2)])
def test_a_session_holds_so_many_bars(timeframe, bars):
    at = session("2024-03-08")
    assert tape.bars_per_session(Timeframe(timeframe), slice(at, at + 1)).tolist() == [bars]
