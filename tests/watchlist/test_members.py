from __future__ import annotations

from datetime import timedelta

import pytest

from tradekit import UsageError
from tradekit.watchlist import WatchlistCategory, WatchlistMember
from tradekit.watchlist._members import names, ordered, standing


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("SPY", ("SPY",)),
        ((), ()),
        (["QQQ", "SPY", "QQQ"], ("QQQ", "SPY")),
        ({"SPY", "IWM", "QQQ"}, ("IWM", "QQQ", "SPY")),
        ({"SPY": 10, "IWM": 5}.keys(), ("IWM", "SPY")),
    ],
)
def test_symbols_are_taken_as_callers_have_them(given, taken):
    assert names(given) == taken


@pytest.mark.parametrize("given", [None, [""], [7], " SPY"])
def test_what_is_no_symbol_is_refused(given):
    with pytest.raises(UsageError, match="no such symbols"):
        names(given)


def test_the_order_is_held_then_static_then_rank_then_name(friday):
    def chosen(symbol, category, rank):
        return WatchlistMember(symbol, category, rank, 1.0, "why", "here", friday, friday)

    members = [
        chosen("ZZ", "trending", 1),
        chosen("BB", "trending", 2),
        chosen("AA", "gainers", 2),
        chosen("CC", "gainers", 9),
        chosen("CC", "losers", 1),
        chosen("HH", "losers", 1),
        standing("SS", WatchlistCategory.STATIC, 2, "always", friday),
        standing("TT", WatchlistCategory.STATIC, 1, "always", friday),
        standing("HH", WatchlistCategory.HELD, 1, "held", friday),
    ]
    assert ordered(members) == ["HH", "TT", "SS", "CC", "ZZ", "AA", "BB"]


def test_a_member_knows_since_when(friday):
    later = friday + timedelta(days=3)
    member = WatchlistMember("SPY", "trending", 1, 2.0, "why", "here", later, friday, 2)
    assert (member.since, member.refreshes) == (friday, 2)
    with pytest.raises(UsageError, match="refreshes=1"):
        WatchlistMember("SPY", "trending", 1, 2.0, "why", "here", later, friday, 0)
