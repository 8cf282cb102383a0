from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from tradekit import UsageError, calendar_for
from tradekit._core.clock import to_ns
from tradekit.watchlist import Eligibility
from tradekit.watchlist._filters import last_close

LOOSE = Eligibility(min_price=0.0, min_dollar_volume=0.0, min_sessions=1)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (Eligibility(), None),
        (Eligibility(min_price=50.01), "price"),
        (Eligibility(min_price=50.0), None),
        (Eligibility(min_dollar_volume=50e6), None),
        (Eligibility(min_dollar_volume=50e6 + 1), "dollar volume"),
        (Eligibility(min_sessions=25), None),
        (Eligibility(min_sessions=26), "age"),
    ],
)
def test_each_minimum_is_a_minimum(rule, reason, daily, friday):
    # 25 closes of 50 dollars and a million shares: 50 million dollars a day.
    assert rule.rejection(daily("A", [50.0] * 25), friday) == reason


def test_the_dollar_volume_is_the_mean_of_twenty_sessions(daily, friday):
    # Twenty sessions, one of them with 20 shares at 10 dollars: 200 / 20 = 10 dollars a session.
    bars = daily("A", [10.0] * 25, volume=[1e6] * 5 + [20.0] + [0.0] * 19)
    assert Eligibility(min_dollar_volume=10.0).rejection(bars, friday) is None
    assert Eligibility(min_dollar_volume=10.1).rejection(bars, friday) == "dollar volume"


def test_a_young_symbol_is_judged_by_the_sessions_it_has(daily, friday):
    # Two sessions of 10 dollars and 50 shares: 500 dollars each.
    bars = daily("A", [10.0, 10.0], volume=50.0)
    young = Eligibility(min_dollar_volume=500.0, min_sessions=2)
    assert young.rejection(bars, friday) is None


def test_an_unknown_volume_is_told_from_a_small_one(daily, friday):
    bars = daily("A", [50.0] * 25, volume=[1e6] * 24 + [np.nan])
    assert Eligibility().rejection(bars, friday) == "volume unknown"
    assert LOOSE.rejection(bars, friday) is None


def test_a_symbol_that_missed_the_last_session_is_stale(daily, friday):
    bars = daily("A", [50.0] * 25, until="2024-03-07")
    assert LOOSE.rejection(bars, friday) == "stale"
    assert LOOSE.rejection(bars, friday - timedelta(seconds=1)) is None
    assert LOOSE.rejection(daily("A", [50.0], until="2024-03-08"), friday + timedelta(1)) is None


def test_nothing_is_known_before_the_first_bar(daily, friday):
    assert LOOSE.rejection(daily("A", [50.0]), friday - timedelta(hours=1)) == "stale"


@pytest.mark.parametrize(
    "bad",
    [
        {"min_price": -1.0},
        {"min_dollar_volume": float("nan")},
        {"min_price": "cheap"},
        {"min_sessions": 0},
        {"min_sessions": 2.5},
    ],
)
def test_a_minimum_is_a_number(bad):
    with pytest.raises(UsageError):
        Eligibility(**bad)


def test_it_asks_for_the_bars_that_it_judges_by():
    assert Eligibility(min_sessions=5).lookback == 20
    assert Eligibility(min_sessions=60).lookback == 60


def test_a_weekend_looks_back_at_friday(friday):
    nyse = calendar_for()
    row = int(nyse.sessions.searchsorted(np.datetime64("2024-03-08")))
    assert last_close(to_ns(friday + timedelta(days=2))) == nyse.closes[row]
    assert last_close(to_ns(friday - timedelta(seconds=1))) == nyse.closes[row - 1]
