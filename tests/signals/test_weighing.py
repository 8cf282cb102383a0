from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import UsageError
from tradekit.signals._weighing import Limits, weigh

DEFAULTS = {"min_confidence": 40, "consensus_threshold": 0.6, "min_edge": None}


def said_of(bars, detectors, **limits):
    return weigh(bars, detectors, Limits(**DEFAULTS | limits))


def by(signals):
    return [signal.source_method for signal in signals]


def spread(said):
    """Where everything that fired ended, as names."""
    held = (said, said.duplicates, said.below_threshold, said.against_consensus)
    return sorted(name for part in held for name in by(part))


def test_one_signal_of_a_family_and_direction_is_said_with_what_agrees(speaker, bars):
    detectors = [
        speaker("A", 60.0, family="trend"),
        speaker("B", 70.0, family="trend"),
        speaker("C", 0.0, 50.0, family="gap"),
    ]
    said = said_of(bars(), detectors=detectors)
    assert (by(said), by(said.duplicates), said.consensus) == (["B/1"], ["A/1"], "bullish")
    assert said[0].confidence == 70.0
    assert said[0].reasons[1:] == ("also seen by A/1 (60)", "families that agree: gap")
    assert said[0].base_rate == pytest.approx(100 * 1.5 / 3.5)


def test_two_names_for_one_break_are_one_vote(speaker, bars):
    many = [speaker(name, 60.0, family="breakout") for name in "ABC"]
    said = said_of(bars(), detectors=[*many, speaker("D", -60.0, family="gap")])
    assert said.votes == {"breakout": "bullish", "gap": "bearish"}
    assert (said, said.conflict) == ([], True)
    assert by(said.against_consensus) == ["A/1", "D/1"]
    assert "conflict   A bullish 60, D bearish 60 (bullish: breakout; bearish: gap" in repr(said)


def test_a_minority_is_outvoted_and_named(speaker, bars):
    up = [speaker(name, 50.0) for name in "AB"]
    said = said_of(bars(), detectors=[*up, speaker("C", -90.0)])
    assert (by(said), by(said.against_consensus), said.conflict) == (["A/1", "B/1"], ["C/1"], False)
    said = said_of(bars(), detectors=[*up, speaker("C", -90.0)], consensus_threshold=0.7)
    assert (by(said), by(said.against_consensus)) == ([], ["C/1", "A/1", "B/1"])


def test_one_family_alone_is_no_question_of_consensus(speaker, bars):
    said = said_of(bars(), detectors=[speaker("A", -60.0), speaker("B")], consensus_threshold=1)
    assert (by(said), said.consensus, said.votes) == (["A/1"], "bearish", {"a": "bearish"})


def test_an_older_vote_can_carry_but_says_nothing_itself(speaker, bars):
    old = [speaker(name, 0.0, 0.0, 60.0) for name in "AB"]
    said = said_of(bars(), detectors=[*old, speaker("C", -60.0)])
    assert (said, by(said.against_consensus), said.consensus) == ([], ["C/1"], "bullish")
    forgotten = [speaker(name, 0.0, 0.0, 0.0, 60.0) for name in "AB"]
    assert by(said_of(bars(), detectors=[*forgotten, speaker("C", -60.0)])) == ["C/1"]


def test_thresholds_are_on_confidence_and_on_the_edge_over_the_base_rate(speaker, bars):
    # 1.5 against 2.0 dollars: the base rate is 42.86, so that 47 has an edge of 4.14.
    detectors = [speaker("A", 39.9), speaker("B", 40.0), speaker("C", 47.0), speaker("D", 48.0)]
    said = said_of(bars(), detectors=detectors)
    assert (by(said), by(said.below_threshold)) == (["D/1", "C/1", "B/1"], ["A/1"])
    assert by(said_of(bars(), detectors=detectors, min_edge=5)) == ["D/1"]
    assert by(said_of(bars(), detectors=detectors, min_confidence=48)) == ["D/1"]


def test_an_edge_that_is_just_reached_is_enough(speaker, bars):
    even = speaker("A", 55.0)
    even._levels = lambda bars: (2.0, 2.0)  # as far up as down: the base rate is 50
    assert by(said_of(bars(), [even], min_edge=5)) == ["A/1"]
    assert by(said_of(bars(), [even], min_edge=5.01)) == []


def test_signals_of_the_warm_up_pass_and_are_named(speaker, bars):
    said = said_of(bars(78), detectors=[speaker("A", 60.0, needs=200)])
    assert (said[0].warmup, said.warming, said.not_ready) == (True, ("A/1",), {"A/1": (200, 78)})
    assert "A (a), warming, heuristic" in repr(said)


SCORES = st.lists(st.sampled_from([0.0, 30.0, 45.0, 60.0, -30.0, -45.0, -60.0]), max_size=4)
CROWD = st.lists(st.tuples(st.sampled_from(["trend", "gap", "level"]), SCORES), max_size=6)


@given(CROWD.filter(len), st.floats(0, 1))
def test_whatever_fires_is_found_once_and_a_family_speaks_once(speaker, bars, crowd, threshold):
    detectors = [speaker(f"D{i}", *s, family=f) for i, (f, s) in enumerate(crowd)]
    said = said_of(bars(), detectors=detectors, consensus_threshold=threshold)
    assert spread(said) == sorted(by(said.fired))
    assert len({signal.family for signal in said}) == len(said)
    assert len({signal.direction for signal in said}) <= 1
    assert set(said.votes) <= {family for family, _ in crowd}


@given(CROWD.filter(len))
def test_a_higher_confidence_only_leaves_out_more(speaker, bars, crowd):
    detectors = [speaker(f"D{i}", *s, family=f) for i, (f, s) in enumerate(crowd)]
    low, high = (said_of(bars(), detectors=detectors, min_confidence=m) for m in (0, 50))
    assert high == [signal for signal in low if signal.confidence >= 50]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("min_confidence", 101, r"a number from 0 to 100, got 101\. Try: min_confidence = 40"),
        ("min_confidence", "40", "got '40'"),
        ("min_confidence", None, "got None"),
        ("min_confidence", True, "got True"),
        ("consensus_threshold", 60, r"from 0 to 1, got 60\. Try: consensus_threshold = 0\.6"),
        ("consensus_threshold", float("nan"), "got nan"),
        ("min_edge", -101, "from -100 to 100"),
    ],
)
def test_a_limit_out_of_range_is_refused(name, value, told):
    with pytest.raises(UsageError, match=f"no such {name}: .*{told}"):
        Limits(**DEFAULTS | {name: value})


@pytest.mark.parametrize("number", [np.float64(55.0), np.int64(55), 0, 100])
def test_numbers_of_any_kind_are_limits(number):
    assert Limits(**DEFAULTS | {"min_confidence": number}).min_confidence == number
