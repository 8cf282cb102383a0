from __future__ import annotations

import json

import numpy as np
import pytest

from tradekit import Direction, Regime, SignalType, UsageError
from tradekit.journal import MissReason


def speak_as_the_guide(journal):
    """The calls of the guide, word for word, with what its signals and frames hold."""
    journal.log_market_condition_change(Regime.BULL.value, 71.0, {"adx": np.float64(31.5)})
    journal.log_opportunity_detected(
        symbol="SPY",
        signal_type=SignalType.BREAKOUT.value,
        confidence=61.0,
        direction=Direction.BULLISH,
        metadata={
            "timeframe": "5Min",
            "source_method": "Breakout/1",
            "price_target": None,
            "stop_loss": 508.0,
        },
    )
    entry = {"signal_type": "breakout", "confidence": 61.0, "stop_loss": 508.0}
    journal.log_trade_entry("SPY", "BUY", 0.5, None or 0, "upgraded_strategy", entry)
    journal.log_opportunity_executed(
        "SPY", "breakout", 61.0, np.float64(512.25), 0.5, {"timeframe_consensus": "mixed"}
    )
    journal.log_opportunity_missed(
        "SPY", "breakout", "low_confidence_for_bull_regime", 61.0, {"required_confidence": 75.0}
    )
    journal.log_system_error("data_manager", "No data for SPY")


def test_it_takes_what_the_guide_hands_in(journal, sink):
    speak_as_the_guide(journal)
    regime, seen, entered, executed, missed, error = sink.read()
    assert (regime.regime, regime.key_indicators) == ("bull", {"adx": 31.5})
    assert (seen.direction, seen.timeframe, seen.price_target, seen.stop_loss) == (
        *("bullish", "5Min", None, 508.0),
    )
    assert (seen.details, seen.source_method) == ({}, "Breakout/1")
    assert (entered.stated_price, entered.details["price"]) == (None, 0)
    assert seen.setup == entered.setup == executed.setup != missed.setup
    assert executed.stated_price == 512.25
    assert (missed.code, missed.reason) == (
        MissReason.LOW_CONFIDENCE,
        "low_confidence_for_bull_regime",
    )
    assert (error.component, error.message) == ("data_manager", "No data for SPY")


def test_the_same_market_again_is_no_news(journal, sink):
    assert journal.log_market_condition_change("bull", 70.0).previous is None
    assert journal.log_market_condition_change("bull", 90.0, {"adx": 40.0}) is None
    assert journal.log_market_condition_change("bear", 60.0).previous == "bull"
    assert len(sink.read()) == 2


def test_numbers_that_are_needed_are_refused_by_name(journal, sink):
    nan = float("nan")
    with pytest.raises(UsageError, match="no such confidence"):
        journal.log_opportunity_detected("SPY", "gap", nan, "bullish")
    with pytest.raises(UsageError, match="SetupExecuted needs size"):
        journal.log_opportunity_executed("SPY", "gap", 60.0, 10.0, nan)
    for log in (journal.log_trade_entry, journal.log_trade_exit):
        with pytest.raises(UsageError, match="needs quantity"):
            log("SPY", "BUY", None, 10.0)
    assert sink.read() == ()


def test_numbers_that_may_be_absent_are_noted_as_they_came(journal):
    nan = float("nan")
    miss = journal.log_opportunity_missed("SPY", "gap", "regime", nan)
    assert (miss.confidence, miss.details) == (None, {"confidence": "nan"})
    left = journal.log_trade_exit("SPY", "SELL", 1, nan, "stop")
    assert (left.stated_price, left.details, left.reason) == (None, {"price": "nan"}, "stop")
    seen = journal.log_opportunity_detected("SPY", "gap", 1, "bullish", {"price_target": nan})
    assert (seen.price_target, seen.details) == (None, {"price_target": "nan"})


def test_a_code_that_is_given_is_taken(journal):
    miss = journal.log_opportunity_missed("SPY", "gap", "it rained", code="risk_limit")
    assert (miss.code, miss.reason) == (MissReason.RISK_LIMIT, "it rained")
    with pytest.raises(UsageError, match="no such MissReason"):
        journal.log_opportunity_missed("SPY", "gap", "it rained", code="rain")


def test_an_exception_is_logged_with_its_type(journal):
    error = journal.log_system_error("loop", ValueError("bad bar"), {"symbol": "SPY"})
    assert (error.error, error.message, error.details) == (
        "ValueError",
        "bad bar",
        {"symbol": "SPY"},
    )


def test_details_keep_anything_as_plain_values(journal):
    event = journal.log_system_error("x", "y", {"tags": {"b", "a"}, "at": np.int64(3), "o": object})
    assert json.loads(json.dumps(event.details))["tags"] == ["a", "b"]
    with pytest.raises(UsageError, match="details have names"):
        journal.log_system_error("x", "y", "z")
