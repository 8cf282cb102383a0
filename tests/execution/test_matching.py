from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from tradekit import Bars, Timeframe, calendar_for
from tradekit._core.clock import from_ns, to_ns
from tradekit.execution import Order
from tradekit.execution._matching import Candle, candles, enter, leave

OPENED, CLOSED = (to_ns(datetime(2024, 3, 8, 15, minute, tzinfo=UTC)) for minute in (0, 5))


def candle(first, high, low, last):
    calendar = calendar_for()
    return Candle("X", OPENED, CLOSED, first, high, low, last, Timeframe("5Min"), calendar)


def order(side="buy", **levels):
    return Order("a", "X", side, 10, **levels)


def told(touch):
    return touch and (touch.time == OPENED, touch.price, touch.reason.value)


# By hand, with half a spread of 1 %.
@pytest.mark.parametrize(
    ("side", "limit", "expected"),
    [
        ("buy", None, (True, 101.0, "entry")),
        ("sell", None, (True, 99.0, "entry")),
        ("buy", 102.0, (True, 101.0, "entry")),  # better than its limit
        ("buy", 100.5, (True, 100.5, "entry")),  # the spread would break it
        ("buy", 95.0, (False, 95.0, "entry")),
        ("buy", 90.0, (False, 90.0, "entry")),
        ("buy", 89.99, None),
        ("sell", 98.0, (True, 99.0, "entry")),
        ("sell", 110.0, (False, 110.0, "entry")),
        ("sell", 110.01, None),
    ],
)
def test_an_order_is_met_as_worked_by_hand(side, limit, expected):
    given = order(side, limit_price=limit)
    assert told(enter(given, candle(100.0, 110.0, 90.0, 105.0), 0.01)) == expected


@pytest.mark.parametrize(
    ("row", "whole", "expected"),
    [
        ((100, 110, 90, 105), True, None),
        ((79, 100, 78, 90), True, (True, 79 * 0.99, "stop")),
        ((80, 100, 78, 90), True, (True, 80 * 0.99, "stop")),  # at the open, not within the bar
        ((121, 125, 100, 110), True, (True, 120.0, "target")),  # its limit holds against the spread
        ((130, 131, 100, 110), True, (True, 130 * 0.99, "target")),
        ((100, 125, 75, 100), True, (False, 80 * 0.99, "stop")),
        ((100, 125, 85, 100), True, (False, 120.0, "target")),
        ((100, 125, 85, 100), False, None),  # the high may have come before the entry
        ((100, 125, 85, 121), False, (False, 120.0, "target")),
        ((100, 125, 80, 121), False, (False, 80 * 0.99, "stop")),
    ],
)
def test_a_bracket_is_left_as_worked_by_hand(row, whole, expected):
    given = order(target=120.0, stop=80.0)
    assert told(leave(given, candle(*row), 0.01, whole=whole)) == expected


@pytest.mark.parametrize(
    ("minute", "expected"),
    [
        (5, (False, 105 * 0.99, "timeout")),  # its own close
        (9, (False, 105 * 0.99, "timeout")),  # the next bar ends at 15:10
        (10, None),
        (4, (True, 100 * 0.99, "timeout")),  # the bar that was due never came
    ],
)
def test_time_is_up_at_the_last_bar_that_is_complete_by_then(minute, expected):
    given = order(expires_at=datetime(2024, 3, 8, 15, minute, tzinfo=UTC))
    assert told(leave(given, candle(100, 110, 90, 105), 0.01, whole=True)) == expected


def test_a_daily_bar_opens_with_its_session():
    friday = np.array(["2024-03-08T05:00"], "M8[ns]")
    (only,) = candles(Bars("X", "1Day", friday, [1.0], [1.0], [1.0], [1.0], [1.0]))
    assert from_ns(only.opened) == datetime(2024, 3, 8, 14, 30, tzinfo=UTC)
    assert from_ns(only.closed) == datetime(2024, 3, 8, 21, 0, tzinfo=UTC)
