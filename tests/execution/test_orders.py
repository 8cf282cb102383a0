from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tradekit import UsageError
from tradekit.execution import Fill, FillReason, Order, OrderStatus, Side

AT = datetime(2024, 3, 8, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ""},
        {"symbol": " "},
        {"side": "hold"},
        {"quantity": 0},
        {"quantity": -3},
        {"quantity": float("nan")},
        {"quantity": "10"},
        {"quantity": 1e-12},
        {"limit_price": float("inf")},
        {"stop": -1.0},
        {"stop": 12.0, "target": 9.0},
        {"stop": 10.0, "limit_price": 10.0},
        {"target": 10.0, "limit_price": 10.5},
        {"side": "sell", "stop": 9.0, "target": 12.0},
        {"expires_at": datetime(2024, 3, 8)},  # noqa: DTZ001
    ],
)
def test_an_order_that_cannot_be_is_refused(wrong):
    with pytest.raises(UsageError):
        Order(**{"id": "a", "symbol": "X", "side": "buy", "quantity": 10, **wrong})


def test_an_order_is_a_bracket_when_it_says_where_to_leave():
    assert not Order("a", "X", "buy", 1, limit_price=9.0).is_bracket
    ways = {"target": 12.0, "stop": 9.0, "expires_at": AT}
    assert all(Order("a", "X", "buy", 1, **{way: ways[way]}).is_bracket for way in ways)


def test_a_side_is_its_sign():
    assert [side.sign for side in (Side.BUY, Side.SELL)] == [1, -1]
    assert [Side.of(2.0), Side.of(-2.0)] == ["buy", "sell"]


@pytest.mark.parametrize(("side", "amount"), [("buy", -1001.0), ("sell", 999.0)])
def test_a_fill_moves_cash_by_price_and_fee(side, amount):
    fill = Fill("a", "X", side, 10, 100.0, 1.0, AT, "entry")
    assert (fill.amount, fill.mode.value) == (amount, "paper")


def test_words_are_plain_texts():
    assert FillReason.TIMEOUT == "timeout"
    assert OrderStatus.EXPIRED == "expired"
