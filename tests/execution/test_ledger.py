from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit.execution import FillReason, Order
from tradekit.execution._ledger import Ledger
from tradekit.execution._matching import Touch

shares = st.integers(1, 30).map(lambda n: n / 10)
trades = st.lists(st.tuples(st.sampled_from(["buy", "sell"]), shares, st.integers(1, 50)))


def at(price, time=0):
    return Touch(time, float(price), FillReason.ENTRY)


def booked(given):
    ledger = Ledger(1000.0, 0.01)
    fills = []
    for n, (side, quantity, price) in enumerate(given):
        ledger.prices["X"] = 10.0
        fills += ledger.trade(Order(f"o{n}", "X", side, quantity), at(price, n))
    return ledger, fills


def test_an_order_against_the_position_takes_from_the_oldest_first():
    _, fills = booked([("buy", 1.0, 10), ("buy", 2.0, 11), ("sell", 2.5, 12)])
    assert [(f.quantity, f.reason.value, f.closes) for f in fills[2:]] == [
        (1.0, "close", "o0"),
        (1.5, "close", "o1"),
    ]


def test_what_an_order_has_left_opens_the_other_side():
    ledger, fills = booked([("buy", 1.0, 10), ("sell", 3.0, 12)])
    assert [(f.quantity, f.reason.value) for f in fills[1:]] == [(1.0, "close"), (2.0, "entry")]
    position = ledger.positions()["X"]
    assert (position.quantity, position.entry_price, position.order) == (-2.0, 12.0, "o1")


def test_a_position_costs_its_mean():
    ledger, _ = booked([("buy", 1.0, 10), ("buy", 3.0, 14)])
    assert ledger.positions()["X"].entry_price == pytest.approx((10 + 3 * 14) / 4)


def test_what_is_left_over_from_adding_floats_is_no_position():
    ledger, fills = booked([("buy", 0.1, 10), ("buy", 0.2, 10), ("sell", 0.1 + 0.2, 10)])
    assert ledger.positions() == {}
    assert [f.reason.value for f in fills] == ["entry", "entry", "close", "close"]


@given(trades)
def test_fills_add_up_to_positions_and_cash(given):
    ledger, fills = booked(given)
    held = ledger.positions()["X"].quantity if ledger.positions() else 0.0
    assert sum(fill.signed_quantity for fill in fills) == pytest.approx(held, abs=1e-8)
    assert 1000.0 + sum(fill.amount for fill in fills) == pytest.approx(ledger.cash)
    assert ledger.equity == pytest.approx(ledger.cash + 10.0 * held)


@given(trades)
def test_no_entry_gives_back_more_than_it_took(given):
    _, fills = booked(given)
    for fill in (f for f in fills if f.closes is None):
        back = sum(f.quantity for f in fills if f.closes == fill.order)
        assert back <= fill.quantity + 1e-8
