from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tradekit import Signal, Timeframe
from tradekit.signals._advice import advice
from tradekit.signals._answer import AggregatedSignals
from tradekit.signals._glance import NotReady

CLOSE = datetime(2024, 3, 8, 21, tzinfo=UTC)
LOOKED = ("A/1", "B/1", "C/1")


def given(*signals, **explanation):
    facts = {"symbol": "SPY", "timeframe": Timeframe("5Min"), "bars": 100, "time": CLOSE}
    said = AggregatedSignals(signals, looked=LOOKED, **facts, **explanation)
    return dict(advice(said))


def signal(confidence):
    return Signal("SPY", CLOSE, "5Min", "gap", "bullish", confidence, 100, "A/1", "gap")


def test_there_is_nothing_to_say_where_nothing_stands_in_the_way():
    assert given() == given(signal(60)) == {}


def test_too_few_bars_are_told_with_how_many_to_ask_for():
    lacks = {"A/1": NotReady(224, 100), "C/1": NotReady(135, 100)}
    assert given(not_ready=lacks) == {
        "short": "still warming on 100 bars: 2 of 3 detectors; ask for limit=300"
    }


def test_more_bars_are_no_cure_for_a_gap():
    assert given(not_ready={"A/1": NotReady(90, 20)}) == {}


def test_a_confidence_on_a_scale_of_one_is_told():
    (sentence,) = given(min_confidence=0.75).values()
    assert "confidence goes from 0 to 100; write 75 if that is meant" in sentence
    assert given(min_confidence=0) == given(min_confidence=1) == {}


@pytest.mark.parametrize(("limit", "told"), [(75, True), (70, True), (69, False)])
def test_a_threshold_that_nothing_reaches_is_told_with_the_best_claim(limit, told):
    sentences = given(min_confidence=limit, below_threshold=(signal(62), signal(55))).values()
    assert [("the best claims 62" in s, "min_edge=5" in s) for s in sentences] == [
        (True, True)
    ] * told
    assert not given(signal(80), min_confidence=limit, below_threshold=(signal(62),))


def test_a_failure_is_told_once_though_its_figures_change():
    first = given(errors={"B/1": "_scan is out of range: expected ..., got 101 in row 7"})
    second = given(errors={"B/1": "_scan is out of range: expected ..., got 105 in row 9"})
    assert first.keys() == second.keys() == {"B/1: _scan is out of range"}
    assert first["B/1: _scan is out of range"].startswith("B could not look: _scan is out of range")
