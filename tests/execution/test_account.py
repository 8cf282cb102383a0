from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from tradekit import UsageError
from tradekit.execution import Account, Position

AT = datetime(2024, 3, 8, 21, tzinfo=UTC)
LONG = Position("A", 10, 100.0, AT, "a", 110.0)
SHORT = Position("B", -5, 40.0, AT, "b", 50.0)


def test_a_position_knows_its_value_and_its_profit():
    assert (LONG.value, LONG.profit) == (1100.0, 100.0)
    assert (SHORT.value, SHORT.profit) == (-250.0, -50.0)


def test_long_and_short_are_both_at_work():
    account = Account(0.0, 850.0, 1000.0, {"A": LONG, "B": SHORT})
    assert account.gross == 1350.0
    assert account.day_return == pytest.approx(-0.15)


def test_an_account_that_began_with_nothing_has_no_return():
    assert math.isnan(Account(10.0, 10.0, 0.0).day_return)


def test_an_account_cannot_be_unknown():
    with pytest.raises(UsageError, match="equity"):
        Account(1.0, float("nan"), 1.0)


def test_the_positions_of_an_account_cannot_be_changed():
    with pytest.raises(TypeError):
        Account(0.0, 1.0, 1.0, {"A": LONG}).positions["A"] = SHORT
