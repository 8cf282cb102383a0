from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tradekit._core import event
from tradekit._core.trades import OrderFilled, OrderSubmitted, TradeEntered, TradeExited

NOON = datetime(2024, 3, 8, 17, tzinfo=UTC)


def test_the_kinds_of_trades_are_found_among_all_kinds():
    assert event.OrderFilled is OrderFilled
    assert event.KINDS["TradeExited"] is TradeExited


@pytest.mark.parametrize("kind", [TradeEntered, TradeExited])
def test_a_trade_need_not_state_its_price(kind):
    said = kind(NOON, symbol="S", side="BUY", quantity=2)
    assert (said.quantity, said.stated_price) == (2.0, None)


def test_a_market_order_has_no_limit_and_a_fill_no_fee_unless_said_otherwise():
    about = {"symbol": "S", "order": "1", "side": "buy", "quantity": 2}
    assert OrderSubmitted(NOON, **about).limit_price is None
    assert OrderFilled(NOON, price=9, **about).fee == 0.0
