from __future__ import annotations

import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

import pytest

from tradekit import PluginError, SignalDetector, UsageError, plugins
from tradekit.signals import AggregatedSignals, MultiSourceSignalAggregator, aggregate_signals

BUILT_IN = 14


def by(signals):
    return [signal.source_method for signal in signals]


@pytest.fixture
def warned(caplog):
    def sentences():
        return [record.getMessage() for record in caplog.records]

    with caplog.at_level(logging.WARNING, "tradekit.signals"):
        yield sentences


def test_the_order_of_the_detectors_does_not_matter(speaker, bars):
    crowd = [
        speaker("A", 60.0, family="trend", needs=200),
        speaker("B", 60.0, family="trend"),
        speaker("C", -60.0, family="trend", needs=200),
        speaker("D", 60.0, family="gap"),
    ]
    answers = [aggregate_signals(bars(), detectors=order) for order in permutations(crowd)]
    told = [(said, repr(said), said.looked, [*said.not_ready], said.warming) for said in answers]
    assert told == [told[0]] * 24


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


def test_its_numbers_are_checked_when_they_are_used(speaker, bars):
    aggregator = MultiSourceSignalAggregator([speaker("A")], consensus_threshold=60)
    with pytest.raises(UsageError, match=r"from 0 to 1, got 60\. Try: consensus_threshold = 0\.6"):
        aggregator.blocking.aggregate_signals("X", bars())
    aggregator.blocking.consensus_threshold = 0.6
    assert aggregator.blocking.aggregate_signals("X", bars()) == []


def test_one_detector_needs_no_brackets(speaker):
    one = speaker("A")
    assert MultiSourceSignalAggregator(one).detectors == (one,)


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
