from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime

from tradekit import Direction, Signal, Timeframe
from tradekit.signals._answer import AggregatedSignals
from tradekit.signals._glance import NotReady

CLOSE = datetime(2024, 3, 8, 21, tzinfo=UTC)
FACTS = {"symbol": "SPY", "timeframe": Timeframe("5Min"), "bars": 78, "time": CLOSE}
SIGNAL = Signal("SPY", CLOSE, "5Min", "gap", "bullish", 60, 100, "A/1", "gap")


def test_it_is_a_list_and_equals_one():
    said = AggregatedSignals([SIGNAL], **FACTS)
    assert isinstance(said, list)
    assert (said, said[:1], [*said], len(said), bool(said)) == ([SIGNAL],) * 3 + (1, True)
    assert not AggregatedSignals(**FACTS)
    assert AggregatedSignals(**FACTS) == []


def test_a_copy_and_a_pickle_carry_the_explanation():
    said = AggregatedSignals([SIGNAL], **FACTS, not_ready={"A/1": NotReady(224, 78)})
    for again in (copy.copy(said), copy.deepcopy(said), pickle.loads(pickle.dumps(said))):
        assert (again, repr(again), again.not_ready) == (said, repr(said), said.not_ready)


def test_it_is_a_conflict_when_something_is_held_back_and_no_side_carried():
    assert AggregatedSignals(**FACTS, against_consensus=(SIGNAL,)).conflict
    outvoted = {"against_consensus": (SIGNAL,), "consensus": Direction.BEARISH}
    assert not AggregatedSignals(**FACTS, **outvoted).conflict
    assert not AggregatedSignals(**FACTS, votes={"gap": None}).conflict


def test_the_limit_makes_all_of_those_ready_that_are_short_of_bars():
    lacks = {"A/1": NotReady(201, 78), "B/1": NotReady(79, 78), "C/1": NotReady(78, 20)}
    said = AggregatedSignals(**FACTS, not_ready=lacks)
    assert (said.short, said.limit) == ({"A/1": 201, "B/1": 79}, 300)
    assert AggregatedSignals(**FACTS, not_ready={"B/1": NotReady(100, 78)}).limit == 100
    assert AggregatedSignals(**FACTS, not_ready={"C/1": NotReady(78, 20)}).limit is None
