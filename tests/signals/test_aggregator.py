from __future__ import annotations

import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import PluginError, SignalDetector, UsageError, plugins
from tradekit.signals import AggregatedSignals, MultiSourceSignalAggregator, aggregate_signals

BUILT_IN = 14


def by(signals):
    return [signal.source_method for signal in signals]


def spread(said):
    """Where everything that fired ended, as names."""
    held = (said, said.duplicates, said.below_threshold, said.against_consensus)
    return sorted(name for part in held for name in by(part))


@pytest.fixture
def warned(caplog):
    def sentences():
        return [record.getMessage() for record in caplog.records]

    with caplog.at_level(logging.WARNING, "tradekit.signals"):
        yield sentences


def test_one_signal_of_a_family_and_direction_is_said_with_what_agrees(speaker, bars):
    detectors = [
        speaker("A", 60.0, family="trend"),
        speaker("B", 70.0, family="trend"),
        speaker("C", 0.0, 50.0, family="gap"),
    ]
    said = aggregate_signals(bars(), detectors=detectors)
    assert (by(said), by(said.duplicates), said.consensus) == (["B/1"], ["A/1"], "bullish")
    assert said[0].confidence == 70.0
    assert said[0].reasons[1:] == ("also seen by A/1 (60)", "families that agree: gap")
    assert said[0].base_rate == pytest.approx(100 * 1.5 / 3.5)


def test_two_names_for_one_break_are_one_vote(speaker, bars):
    many = [speaker(name, 60.0, family="breakout") for name in "ABC"]
    said = aggregate_signals(bars(), detectors=[*many, speaker("D", -60.0, family="gap")])
    assert said.votes == {"breakout": "bullish", "gap": "bearish"}
    assert (said, said.conflict) == ([], True)
    assert by(said.against_consensus) == ["A/1", "D/1"]
    assert "conflict   A bullish 60, D bearish 60 (bullish: breakout; bearish: gap" in repr(said)


def test_a_minority_is_outvoted_and_named(speaker, bars):
    up = [speaker(name, 50.0) for name in "AB"]
    said = aggregate_signals(bars(), detectors=[*up, speaker("C", -90.0)])
    assert (by(said), by(said.against_consensus), said.conflict) == (["A/1", "B/1"], ["C/1"], False)
    said = aggregate_signals(bars(), detectors=[*up, speaker("C", -90.0)], consensus_threshold=0.7)
    assert (by(said), by(said.against_consensus)) == ([], ["C/1", "A/1", "B/1"])


def test_one_family_alone_is_no_question_of_consensus(speaker, bars):
    said = aggregate_signals(
        bars(), detectors=[speaker("A", -60.0), speaker("B")], consensus_threshold=1
    )
    assert (by(said), said.consensus, said.votes) == (["A/1"], "bearish", {"a": "bearish"})


def test_an_older_vote_can_carry_but_says_nothing_itself(speaker, bars):
    old = [speaker(name, 0.0, 0.0, 60.0) for name in "AB"]
    said = aggregate_signals(bars(), detectors=[*old, speaker("C", -60.0)])
    assert (said, by(said.against_consensus), said.consensus) == ([], ["C/1"], "bullish")
    forgotten = [speaker(name, 0.0, 0.0, 0.0, 60.0) for name in "AB"]
    assert by(aggregate_signals(bars(), detectors=[*forgotten, speaker("C", -60.0)])) == ["C/1"]


def test_thresholds_are_on_confidence_and_on_the_edge_over_the_base_rate(speaker, bars):
    # 1.5 against 2.0 dollars: the base rate is 42.86, so that 47 has an edge of 4.14.
    detectors = [speaker("A", 39.9), speaker("B", 40.0), speaker("C", 47.0), speaker("D", 48.0)]
    said = aggregate_signals(bars(), detectors=detectors)
    assert (by(said), by(said.below_threshold)) == (["D/1", "C/1", "B/1"], ["A/1"])
    assert by(aggregate_signals(bars(), detectors=detectors, min_edge=5)) == ["D/1"]
    aggregator = MultiSourceSignalAggregator(detectors)
    aggregator.min_confidence = 48
    assert by(asyncio.run(aggregator.aggregate_signals("X", bars()))) == ["D/1"]


def test_signals_of_the_warm_up_pass_and_are_named(speaker, bars):
    said = aggregate_signals(bars(78), detectors=[speaker("A", 60.0, needs=200)])
    assert (said[0].warmup, said.warming, said.not_ready) == (True, ("A/1",), {"A/1": (200, 78)})
    assert "A (a), warming, heuristic" in repr(said)


SCORES = st.lists(st.sampled_from([0.0, 30.0, 45.0, 60.0, -30.0, -45.0, -60.0]), max_size=4)
CROWD = st.lists(st.tuples(st.sampled_from(["trend", "gap", "level"]), SCORES), max_size=6)


@given(CROWD.filter(len), st.floats(0, 1))
def test_whatever_fires_is_found_once_and_a_family_speaks_once(speaker, bars, crowd, threshold):
    detectors = [speaker(f"D{i}", *s, family=f) for i, (f, s) in enumerate(crowd)]
    said = aggregate_signals(bars(), detectors=detectors, consensus_threshold=threshold)
    assert spread(said) == sorted(by(said.fired))
    assert len({signal.family for signal in said}) == len(said)
    assert len({signal.direction for signal in said}) <= 1
    assert set(said.votes) <= {family for family, _ in crowd}


@given(CROWD.filter(len))
def test_a_higher_confidence_only_leaves_out_more(speaker, bars, crowd):
    detectors = [speaker(f"D{i}", *s, family=f) for i, (f, s) in enumerate(crowd)]
    low, high = (aggregate_signals(bars(), detectors=detectors, min_confidence=m) for m in (0, 50))
    assert high == [signal for signal in low if signal.confidence >= 50]


def test_the_order_of_the_detectors_does_not_matter(speaker, bars):
    crowd = [
        speaker("A", 60.0, family="trend"),
        speaker("B", 60.0, family="trend"),
        speaker("C", -60.0, family="trend"),
        speaker("D", 60.0, family="gap"),
    ]
    answers = [aggregate_signals(bars(), detectors=order) for order in permutations(crowd)]
    assert len({repr(said) for said in answers}) == 1
    assert all(said == answers[0] for said in answers)


def test_the_answer_depends_on_the_bars_alone(speaker, bars):
    aggregator = MultiSourceSignalAggregator([speaker("A", 60.0), speaker("B", 0.0, -60.0)])
    first = aggregator.blocking.aggregate_signals("X", bars())
    for n in (5, 300, 40):
        aggregator.blocking.aggregate_signals("X", bars(n))
    again = aggregator.blocking.aggregate_signals("X", bars())
    assert (again, repr(again)) == (first, repr(first))


def test_who_cannot_look_is_named_and_does_not_silence_the_others(speaker, bars, warned):
    class Broken(SignalDetector):
        """It fails otherwise at every bar."""

        def _scan(self, bars):
            return [len(bars)][len(bars)]

    aggregator = MultiSourceSignalAggregator([Broken(), speaker("A", 60.0)])
    for n in (5, 6):
        said = aggregator.blocking.aggregate_signals("X", bars(n))
    assert (by(said), said.looked) == (["A/1"], ("A/1", "Broken/1"))
    assert list(said.errors) == ["Broken/1"]
    assert said.errors["Broken/1"].startswith("_scan raised: expected an answer, got IndexError")
    assert [sentence.partition(":")[0] for sentence in warned()] == ["Broken could not look"]
    assert aggregator.get_aggregation_stats()["errors"] == 2


def test_a_cause_is_told_once(speaker, bars, warned):
    aggregator = MultiSourceSignalAggregator([speaker("A", 60.0, needs=224)], min_confidence=75)
    for n in (100, 90, 80):
        aggregator.blocking.aggregate_signals("X", bars(n))
    short, high = warned()
    assert short == "still warming on 100 bars: 1 of 1 detector; ask for limit=300"
    assert "min_confidence=75 let nothing pass (the best claims 60)" in high


def test_statistics_are_plain_json(speaker, bars):
    aggregator = MultiSourceSignalAggregator([speaker("A", 60.0, needs=224), speaker("B", 10.0)])
    for symbol in ("X", "Y", "X"):
        aggregator.blocking.aggregate_signals(symbol, bars(symbol=symbol))
    stats = json.loads(json.dumps(aggregator.get_aggregation_stats()))
    told = ("total_active_signals", "symbols_scanned", "signals_emitted", "below_threshold")
    assert [stats[name] for name in told] == [2, 2, 3, 3]
    assert stats["not_ready"] == {"A/1": 224}


def test_several_threads_and_loops_share_one_aggregator(speaker, bars):
    aggregator = MultiSourceSignalAggregator([speaker("A", 60.0)])

    def ask(i):
        coroutine = aggregator.aggregate_signals(f"S{i % 4}", bars(symbol=f"S{i % 4}"))
        return asyncio.run(coroutine)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(64)))
    assert [said.symbol for said in answers] == [f"S{i % 4}" for i in range(64)]
    assert aggregator.get_aggregation_stats()["answers"] == 64


def test_every_registered_detector_looks_by_default(bars):
    said = asyncio.run(MultiSourceSignalAggregator().aggregate_signals("X", bars()))
    assert isinstance(said, AggregatedSignals)
    assert len(said.looked) >= BUILT_IN
    assert f"{len(said.looked)} detectors" in repr(said)
    assert 'try        300 bars: get_market_data("X", "5Min", limit=300)' in repr(said)


def test_nothing_registered_is_an_error_and_no_silence(bars, monkeypatch):
    def nothing(kind):
        raise PluginError(f"nothing is registered under tradekit.{kind}")

    monkeypatch.setattr(plugins, "names", nothing)
    with pytest.raises(PluginError, match=r"nothing is registered under tradekit\.detectors"):
        aggregate_signals(bars())


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
def test_a_number_out_of_range_is_refused_when_it_is_used(speaker, bars, name, value, told):
    aggregator = MultiSourceSignalAggregator([speaker("A")])
    setattr(aggregator, name, value)
    with pytest.raises(UsageError, match=f"no such {name}: .*{told}"):
        aggregator.blocking.aggregate_signals("X", bars())


def test_what_is_no_detector_is_refused(speaker):
    with pytest.raises(UsageError, match="this is no detector: expected instances"):
        MultiSourceSignalAggregator([SignalDetector])
    with pytest.raises(UsageError, match="at least one detector, and each once, got none"):
        MultiSourceSignalAggregator([])
    with pytest.raises(UsageError, match="got 2 times A/1, 1 times B/1"):
        MultiSourceSignalAggregator([speaker("A"), speaker("B"), speaker("A")])


def test_it_shows_its_three_numbers(speaker):
    assert repr(MultiSourceSignalAggregator([speaker("A")], min_edge=5)) == (
        "MultiSourceSignalAggregator(min_confidence=40, consensus_threshold=0.6, min_edge=5)"
    )
