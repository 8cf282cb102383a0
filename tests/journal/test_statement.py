from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from tradekit import Signal, UsageError
from tradekit.journal import _statement as statement


@pytest.mark.parametrize("value", [0, 100.0, np.float32(50)])
def test_a_confidence_is_a_number_from_0_to_100(value):
    assert statement.confidence(value) == float(value)


@pytest.mark.parametrize("value", [float("nan"), -0.1, 100.5, None, "60", True])
def test_anything_else_is_no_confidence(value):
    with pytest.raises(UsageError, match="expected 0 to 100"):
        statement.confidence(value)


@pytest.mark.parametrize("value", [float("inf"), "12.5", Decimal(3)])
def test_what_is_no_number_is_noted_as_it_came(value):
    facts = {}
    assert statement.stated(facts, "price", value) is None
    assert facts == {"price": str(value)}


def test_nothing_stated_is_nothing_noted():
    facts = {}
    assert statement.stated(facts, "price", None) is None
    assert facts == {}


def test_a_price_of_zero_is_not_stated():
    facts = {}
    assert statement.price(facts, 0) is None
    assert facts == {"price": 0}


def test_the_bot_is_heard_before_the_signal():
    close = datetime(2024, 3, 8, 21, tzinfo=UTC)
    signal = Signal(
        *("SPY", close, "1Day", "breakout", "bullish", 62.0, 512.0, "Breakout/1", "breakout"),
        price_target=520.0,
        reasons=("new high",),
    )
    said = statement.detection(signal, {"price_target": 530.0, "note": "mine", "stop_loss": "?"})
    assert said["price"] == 512.0
    assert said["price_target"] == 530.0
    assert said["stop_loss"] is None
    assert said["signal_id"] == signal.id
    assert (said["timeframe"], said["source_method"]) == ("1Day", "Breakout/1")
    assert said["details"]["note"] == "mine"
    assert said["details"]["stop_loss"] == "?"
    assert said["details"]["reasons"] == ["new high"]
    with pytest.raises(UsageError, match="no signal"):
        statement.detection("breakout", {})


def test_an_exception_is_told_by_its_frames_without_their_variables():
    def fetch(secret):
        raise KeyError("SPY")

    try:
        fetch("do not tell")
    except KeyError as error:
        said = statement.error_facts(error)
    assert said["error"] == "KeyError"
    assert said["message"] == "'SPY'"
    assert said["frames"][-1].startswith("test_statement.py:")
    assert said["frames"][-1].endswith(" fetch")
    assert "do not tell" not in str(said)
