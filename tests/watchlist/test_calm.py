from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import Candidate, UsageError
from tradekit.watchlist import Calm


def ranked(symbols, asof):
    return [
        Candidate(s, "trending", i, 9.0 - i / 100, "so", "here", asof)
        for i, s in enumerate(symbols, 1)
    ]


def run(calm, most, lists, friday, **last):
    """Settle one ranking after the other; `last` goes with the last one."""
    members, left = (), {}
    for day, symbols in enumerate(lists):
        asof = friday + timedelta(days=day)
        known = last if day == len(lists) - 1 else {}
        members, left = calm.settle(
            members, ranked(symbols, asof), most, asof, **{"barred": {}, **known}
        )
    return members, left


def symbols(members):
    return "".join(member.symbol for member in members)


def test_the_first_list_is_the_ranking(friday):
    members, left = run(Calm(), 3, ["ABCDE"], friday)
    assert (symbols(members), left) == ("ABC", {})


@pytest.mark.parametrize(
    ("order", "kept", "why"),
    [
        ("BCDA", "BA", {}),  # rank 4 of a list of 2: within 2 * 2
        ("BCDEA", "BC", {"A": "rank 5, beyond 4"}),
        ("BCDE", "BC", {"A": "no longer a candidate"}),
    ],
)
def test_a_member_leaves_only_beyond_twice_the_cap(order, kept, why, friday):
    members, left = run(Calm(dwell=1), 2, ["AB", order], friday)
    assert (symbols(members), left) == (kept, why)


def test_a_newcomer_waits_until_a_place_is_free(friday):
    assert symbols(run(Calm(dwell=1), 2, ["AB", "XABY"], friday)[0]) == "AB"


def test_a_member_stays_for_three_refreshes(friday):
    kept = [
        symbols(run(Calm(), 1, ["A", "B", "B", "B"][:days], friday)[0]) for days in (1, 2, 3, 4)
    ]
    assert kept == ["A", "A", "A", "B"]


def test_a_member_that_is_barred_goes_at_once(friday):
    members, left = run(Calm(), 1, ["A", "B"], friday, barred={"A": "price"})
    assert (symbols(members), left) == ("B", {"A": "price"})


def test_nobody_goes_because_nobody_looked(friday):
    members, left = run(Calm(dwell=1), 1, ["A", "B"], friday, unseen={"A"})
    assert (symbols(members), left) == ("A", {})


def test_what_is_barred_goes_even_unseen(friday):
    _, left = run(Calm(dwell=1), 1, ["A", "B"], friday, unseen={"A"}, barred={"A": "blacklisted"})
    assert left == {"A": "blacklisted"}


def test_a_lower_cap_lets_the_worst_go(friday):
    members, _ = run(Calm(), 3, ["ABC"], friday)
    later = friday + timedelta(days=1)
    members, left = Calm().settle(members, ranked("CBA", later), 1, later, barred={})
    assert symbols(members) == "C"
    assert left == {"A": "the cap is 1 now", "B": "the cap is 1 now"}


def test_a_member_says_since_when_and_what_is_new(friday):
    (member,), _ = run(Calm(), 1, ["AB", "BA"], friday)
    assert (member.symbol, member.rank, member.refreshes) == ("A", 2, 2)
    assert (member.since, member.asof) == (friday, friday + timedelta(days=1))


def test_a_member_without_a_rank_says_when_it_had_one(friday):
    (member,), _ = run(Calm(), 1, ["A", "B"], friday)
    assert (member.rank, member.asof, member.refreshes) == (1, friday, 2)


def test_a_symbol_that_comes_back_starts_anew(friday):
    (member,), _ = run(Calm(dwell=1), 1, ["A", "B", "A"], friday)
    assert (member.refreshes, member.since) == (1, friday + timedelta(days=2))


@pytest.mark.parametrize("bad", [{"buffer": 0.9}, {"buffer": float("inf")}, {"dwell": 0}])
def test_what_keeps_nobody_is_refused(bad):
    with pytest.raises(UsageError):
        Calm(**bad)


LISTS = st.lists(st.permutations("ABCDEFGH").map(lambda p: p[:6]), min_size=1, max_size=6)


@given(lists=LISTS, most=st.integers(1, 5))
def test_the_cap_holds_and_nobody_is_there_twice(lists, most):
    members, _ = run(Calm(), most, lists, datetime(2024, 3, 8, 21, tzinfo=UTC))
    assert len(members) <= most
    assert len({m.symbol for m in members}) == len(members)


@given(lists=LISTS, most=st.integers(1, 5))
def test_without_calm_it_is_the_plain_ranking(lists, most):
    plain = Calm(buffer=1, dwell=1)
    members, _ = run(plain, most, lists, datetime(2024, 3, 8, 21, tzinfo=UTC))
    assert [m.symbol for m in members] == list(lists[-1][:most])
