from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import Direction, Signal
from tradekit.signals._consensus import carried, deduplicate, ranked, supported, votes_of
from tradekit.signals._glance import Glance, Voice

UP, DOWN = Direction.BULLISH, Direction.BEARISH
CLOSE = datetime(2024, 3, 8, 21, tzinfo=UTC)


def signal(name, family, direction, confidence):
    kind = ("custom", direction, confidence, 100.0, name, family)
    return Signal("SPY", CLOSE, "1Day", *kind, reasons="seen")


def spoke(family, age, direction, confidence=50.0):
    return Glance("A/1", family, None, Voice(age, direction, confidence), None, False)


def test_the_most_confident_of_a_family_and_direction_is_kept_and_names_the_others():
    first = signal("A/1", "trend", UP, 60)
    others = [signal("B/1", "trend", UP, 55), signal("C/1", "trend", UP, 50)]
    alone = signal("D/1", "gap", UP, 41)
    kept, left = deduplicate([others[1], alone, others[0], first])
    assert [s.source_method for s in kept] == ["A/1", "D/1"]
    assert kept[0].reasons == ("seen", "also seen by B/1 (55), C/1 (50)")
    assert (kept[1], left) == (alone, others)


def test_opposite_directions_of_a_family_are_no_duplicates():
    both = [signal("A/1", "trend", UP, 60), signal("B/1", "trend", DOWN, 55)]
    assert deduplicate(both) == (both, [])


def test_equally_confident_signals_are_ranked_by_who_said_it_in_whatever_order_they_came():
    three = [signal(f"{name}/1", "trend", UP, 50) for name in "ABC"]
    assert {tuple(ranked(order)) for order in permutations(three)} == {tuple(three)}


def test_a_family_has_one_vote_however_many_speak():
    glances = [spoke("trend", 0, UP), spoke("trend", 0, UP), spoke("gap", 2, DOWN)]
    assert votes_of(glances) == {"gap": DOWN, "trend": UP}


def test_the_newest_voice_of_a_family_counts():
    assert votes_of([spoke("gap", 1, UP, 90.0), spoke("gap", 0, DOWN, 10.0)]) == {"gap": DOWN}


def test_a_family_that_contradicts_itself_follows_the_more_confident_or_abstains():
    assert votes_of([spoke("gap", 0, UP, 51.0), spoke("gap", 0, DOWN)]) == {"gap": UP}
    assert votes_of([spoke("gap", 0, UP), spoke("gap", 0, DOWN)]) == {"gap": None}


def test_who_said_nothing_lately_has_no_vote():
    assert votes_of([Glance("A/1", "gap", None, None, None, False)]) == {}


@pytest.mark.parametrize(
    ("sides", "threshold", "side"),
    [
        ([], 0.6, None),
        ([None], 0.6, None),
        ([UP], 1.0, UP),
        ([UP, None], 1.0, UP),
        ([UP, DOWN], 0.0, None),
        ([UP, UP, DOWN], 0.6, UP),
        ([UP, UP, DOWN], 0.7, None),
        ([DOWN, DOWN, DOWN, UP, UP], 0.6, DOWN),
        ([DOWN, DOWN, DOWN, UP, UP, None], 0.61, None),
    ],
)
def test_the_larger_side_carries_when_its_share_of_the_votes_is_reached(sides, threshold, side):
    assert carried(dict(zip("abcdef", sides, strict=False)), threshold) == side


SIDES = st.dictionaries(st.text(max_size=3), st.sampled_from([UP, DOWN, None]))


@given(SIDES, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_only_silences(votes, one, other):
    low, high = sorted([one, other])
    assert carried(votes, high) in (carried(votes, low), None)


@given(SIDES, st.floats(0, 1))
def test_turned_upside_down_the_other_side_carries(votes, threshold):
    turned = {UP: DOWN, DOWN: UP, None: None}
    mirrored = {family: turned[side] for family, side in votes.items()}
    assert carried(mirrored, threshold) == turned[carried(votes, threshold)]


def test_a_signal_names_the_other_families_that_agree_and_claims_no_more_for_it():
    votes = {"breakout": UP, "gap": DOWN, "trend": UP, "volume": UP}
    said = supported(signal("A/1", "trend", UP, 60), votes)
    assert said.reasons == ("seen", "families that agree: breakout, volume")
    assert said.confidence == 60
    assert supported(said, {"trend": UP, "gap": DOWN}) == said
