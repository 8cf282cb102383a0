from __future__ import annotations

from datetime import UTC, datetime

from tradekit import Direction, Signal, Timeframe
from tradekit.signals._answer import AggregatedSignals
from tradekit.signals._explanation import counted, short_names
from tradekit.signals._glance import NotReady

CLOSE = datetime(2024, 3, 8, 21, tzinfo=UTC)
FACTS = {"symbol": "SPY", "timeframe": Timeframe("5Min"), "bars": 78, "time": CLOSE}


def signal(name="Gap/1", direction="bullish", confidence=35.0, **more):
    kind = ("gap", direction, confidence, 100.0, name, "gap")
    return Signal("SPY", CLOSE, "5Min", *kind, **more)


def told(*signals, **explanation):
    looked = ("Gap/1", "Rsi(period=14)/1")
    return repr(AggregatedSignals(signals, looked=looked, **FACTS, **explanation)).splitlines()


def test_an_empty_answer_says_what_looked_fired_was_weak_was_not_ready_and_what_to_do():
    lacks = {"Gap/1": NotReady(135, 78), "Rsi(period=14)/1": NotReady(224, 78)}
    assert told(fired=(signal(),), below_threshold=(signal(),), not_ready=lacks) == [
        "<AggregatedSignals of SPY 5Min, 78 bars until 2024-03-08 21:00 UTC: no signals>",
        "  looked     2 detectors: Gap, Rsi",
        "  fired      Gap bullish 35",
        "  below      Gap bullish 35 (below min_confidence=40)",
        "  not ready  2 of 2: Rsi needs 224 bars, Gap needs 135 bars",
        '  try        300 bars: get_market_data("SPY", "5Min", limit=300)',
    ]


def test_silence_of_those_who_looked_is_told_as_such():
    assert told()[1:] == [
        "  looked     2 detectors: Gap, Rsi",
        "  fired      none at the last bar",
        "  below      none (below min_confidence=40)",
    ]


def test_signals_stand_in_a_table():
    levels = {"price_target": 102.0, "stop_loss": 98.5, "base_rate": 42.857}
    warm = signal("Rsi(period=14)/1", "bearish", 41.0, warmup=True)
    assert told(signal(confidence=60.0, **levels), warm)[:4] == [
        "<AggregatedSignals of SPY 5Min, 78 bars until 2024-03-08 21:00 UTC: 2 signals>",
        "  direction  conf  base      price     target       stop  by",
        "  bullish      60    43     100.00     102.00      98.50  Gap (gap), heuristic",
        "  bearish      41     -     100.00          -          -  Rsi (gap), warming, heuristic",
    ]


def test_a_conflict_shows_both_sides():
    votes = {"breakout": Direction.BULLISH, "gap": Direction.BEARISH, "level": None}
    assert told(against_consensus=(signal(),), votes=votes)[-1] == (
        "  conflict   Gap bullish 35 (bullish: breakout; bearish: gap; consensus_threshold=0.6)"
    )
    outvoted = {"votes": {"gap": Direction.BEARISH}, "consensus": Direction.BEARISH}
    assert told(against_consensus=(signal(),), **outvoted)[-1] == (
        "  outvoted   Gap bullish 35 (bullish: nobody; bearish: gap; consensus_threshold=0.6)"
    )


def test_duplicates_edges_and_failures_are_told():
    lines = told(
        duplicates=(signal(),),
        below_threshold=(signal(),),
        min_edge=5.0,
        errors={"Rsi(period=14)/1": "_scan raised: expected an answer"},
    )
    assert lines[3:] == [
        "  duplicates Gap bullish 35 (one signal a family and direction)",
        "  below      Gap bullish 35 (below min_confidence=40 or min_edge=5)",
        "  failed     Rsi could not look: _scan raised: expected an answer",
    ]


def test_a_gap_and_an_unknown_input_are_told_apart_from_too_few_bars():
    lacks = {"Gap/1": NotReady(70, 20), "Rsi(period=14)/1": NotReady(21, 78)}
    assert " ".join(line.strip() for line in told(not_ready=lacks)[4:]) == (
        "not ready  2 of 2: Gap needs 70 bars without a gap and has 20, "
        "Rsi needs 21 bars and has them, but not all that it looks at is known"
    )


def test_long_lines_are_folded_and_plain():
    text = repr(AggregatedSignals(looked=tuple(f"Detector{i}/1" for i in range(30)), **FACTS))
    assert max(map(len, text.splitlines())) <= 100
    assert text.isascii()


def test_two_of_a_class_are_told_apart_by_their_parameters():
    names = short_names(["Rsi(period=7)/1", "Rsi(period=14)/2", "Gap(of='a/b')/1"])
    assert list(names.values()) == ["Rsi(period=7)", "Rsi(period=14)", "Gap"]


def test_one_is_no_plural():
    assert [counted(n, "bar") for n in range(3)] == ["no bars", "1 bar", "2 bars"]
