from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tradekit import UsageError
from tradekit.execution import Account, Order, Position, RiskGate

NOW = datetime(2024, 3, 8, 20, tzinfo=UTC)
MONDAY = datetime(2024, 3, 11, 13, 30, tzinfo=UTC)  # the open, in summer time
HELD = Position("A", 50.0, 100.0, NOW, "a", 100.0)
ENTRY = Order("n", "X", "buy", 10)


def account(equity=100_000.0, orders=()):
    return Account(0.0, equity, 100_000.0, {"A": HELD}, orders)


def ask(gate, order=ENTRY, given=None, now=NOW, price=100.0):
    return gate.check(order, given or account(), price=price, now=now)


def test_a_lost_day_blocks_entries_until_the_next_session():
    gate = RiskGate()
    assert ask(gate, given=account(97_001.0))
    verdict = ask(gate, given=account(97_000.0))
    assert (verdict.code, "max_daily_loss is 3.0%" in verdict.reason) == ("risk_limit", True)
    assert not ask(gate, given=account(101_000.0))  # earned back, and yet
    assert not ask(gate, now=datetime(2024, 3, 11, 13, 29, tzinfo=UTC))
    assert ask(gate, now=MONDAY)


def test_a_halt_holds_until_it_is_resumed():
    gate = RiskGate()
    gate.halt("an outage")
    assert gate.halted == "an outage"
    assert "an outage" in ask(gate).reason
    gate.resume()
    assert ask(gate)


def test_a_halt_has_a_reason():
    with pytest.raises(UsageError, match="reason"):
        RiskGate().halt("")


@pytest.mark.parametrize("quantity", [1.0, 50.0])
def test_exits_always_pass(quantity):
    gate = RiskGate(max_orders_per_day=1, max_positions=1)
    gate.halt("an outage")
    way_out = Order("out", "A", "sell", quantity)
    assert ask(gate, way_out, account(10_000.0), price=float("nan"))


def test_more_than_what_is_held_is_no_exit():
    gate = RiskGate()
    gate.halt("an outage")
    assert not ask(gate, Order("out", "A", "sell", 51.0))
    assert not ask(gate, Order("more", "A", "buy", 1.0))
    waiting = Order("w", "A", "sell", 30.0)
    assert not ask(gate, Order("out", "A", "sell", 30.0), account(orders=(waiting,)))


def test_limits_can_be_changed_at_any_time():
    gate = RiskGate()
    big = Order("n", "X", "buy", 150)
    assert not ask(gate, big)
    gate.max_position_fraction = 0.15
    assert ask(gate, big)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_position_fraction", 0.0),
        ("max_gross", float("nan")),
        ("max_daily_loss", "3 %"),
        ("max_daily_loss", 3),
        ("price_collar", 5),
        ("price_collar", float("inf")),
        ("max_positions", 0),
        ("max_orders_per_minute", 2.5),
    ],
)
def test_a_limit_that_limits_nothing_is_refused(name, value):
    with pytest.raises(UsageError):
        RiskGate(**{name: value})
    with pytest.raises(UsageError):
        setattr(RiskGate(), name, value)
