from __future__ import annotations

from math import inf, log, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit._core.errors import UsageError
from tradekit._core.persistence import hold, weigh

SHARES = st.lists(st.floats(0.001, 1), min_size=3, max_size=3).map(
    lambda weights: tuple(weight / sum(weights) for weight in weights)
)
PENALTIES = st.floats(0, 10)


def followed(history, penalty):
    costs, held = (0.0, 0.0, 0.0), None
    for shares in history:
        costs = weigh(costs, shares, penalty)
        held = hold(costs, held)
    return costs, held


def test_costs_grow_by_surprise_and_only_their_differences_count():
    # -ln .5 and -ln .25 are 0.6931 and 1.3863, one ln 2 apart.
    assert weigh((0.0, 0.0, 0.0), (0.5, 0.25, 0.25), 9.0) == pytest.approx((0, log(2), log(2)))


def test_no_state_is_ever_further_away_than_the_penalty_before_the_next_surprise():
    assert weigh((0.0, 50.0, 1.0), (1 / 3, 1 / 3, 1 / 3), 2.0) == pytest.approx((0, 2, 1))


def test_without_a_penalty_the_likeliest_is_held_at_once():
    _, held = followed([(0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.3, 0.3, 0.4)], 0.0)
    assert held == 2


def test_with_an_endless_penalty_only_all_the_evidence_counts():
    # 0.9 * 0.2 * 0.3 = 0.054 against 0.05 * 0.7 * 0.6 = 0.021, though the last two speak against.
    _, held = followed([(0.9, 0.05, 0.05), (0.2, 0.7, 0.1), (0.3, 0.6, 0.1)], inf)
    assert held == 0


def test_one_impossible_bar_does_not_shut_a_state_out_for_ever():
    costs, held = followed([(1.0, 0.0, 0.0), (0.1, 0.9, 0.0)], 2.0)
    assert held == 1
    assert max(costs) < inf


def test_a_tie_changes_nothing():
    assert hold((0.0, 0.0, 1.0), held=1) == 1
    assert hold((0.0, 0.0, 1.0), held=2) == 0
    assert hold((0.0, 0.0, 1.0), held=None) == 0
    _, held = followed([(0.0, 1.0, 0.0), (0.5, 0.5, 0.0)], 0.0)
    assert held == 1


def by_all_paths(history, penalty):
    """The cheapest way to end in each state, over every possible path."""
    paths = {(k,): -log(history[0][k]) for k in range(3)}
    for shares in history[1:]:
        paths = {
            (*path, k): cost + penalty * (path[-1] != k) - log(shares[k])
            for path, cost in paths.items()
            for k in range(3)
        }
    ends = [min(cost for path, cost in paths.items() if path[-1] == k) for k in range(3)]
    return tuple(cost - min(ends) for cost in ends)


@given(st.lists(SHARES, min_size=1, max_size=5), PENALTIES)
def test_the_costs_are_those_of_the_best_of_all_paths(history, penalty):
    costs, _ = followed(history, penalty)
    assert costs == pytest.approx(by_all_paths(history, penalty), abs=1e-9)


@given(st.lists(SHARES, min_size=1, max_size=20), st.floats(1, 10))
def test_while_the_state_that_is_held_is_the_likeliest_nothing_changes(history, penalty):
    _, held = followed(history, penalty)
    doubt = tuple(0.4 if k == held else 0.3 for k in range(3))
    assert followed([*history, *[doubt] * 5], penalty)[1] == held


@pytest.mark.parametrize("penalty", [-0.1, nan])
def test_a_penalty_is_some_evidence(penalty):
    with pytest.raises(UsageError, match="persistence is evidence: expected nats from 0, got"):
        weigh((0.0, 0.0), (0.5, 0.5), penalty)
