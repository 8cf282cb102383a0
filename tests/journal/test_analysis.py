from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import calendar_for
from tradekit.journal import (
    ErrorOccurred,
    MarketConditionChanged,
    OrderFilled,
    SetupMissed,
    SetupResolved,
)
from tradekit.journal import _analysis as analysis
from tradekit.journal._setup import gather

NOON = datetime(2024, 3, 8, 17, tzinfo=UTC)


def fill(side, quantity, price, *, day=0, fee=0.0, symbol="SPY", **stamp):
    facts = {"order": "1", "side": side, "quantity": quantity, "price": price, "fee": fee}
    return OrderFilled(NOON + timedelta(days=day), symbol=symbol, **facts, **stamp)


def missed(setup, reason, symbol="SPY"):
    facts = {"symbol": symbol, "signal_type": "gap", "code": "regime", "reason": reason}
    return SetupMissed(NOON, setup=setup, **facts)


def resolved(setup, how, earned):
    prices = {"entry_price": 100.0, "exit_price": 100.0 + 100 * earned, "net_return": earned}
    return SetupResolved(NOON, setup=setup, symbol="SPY", exit=how, bars_held=3, **prices)


def analysed(events):
    return analysis.missed_analysis(list(gather(events).values()))


def test_reasons_come_by_number_and_then_by_name():
    misses = [missed(f"{i}", reason) for i, reason in enumerate(["b", "c", "a", "c", "b", "c"])]
    assert list(analysed(misses)["reasons"].items()) == [
        ("c", 3),
        ("b", 2),
        ("a", 1),
    ]


def test_misses_are_priced_by_what_became_of_them():
    misses = [missed("1", "bear"), missed("2", "bear"), missed("3", "bear"), missed("4", "cash")]
    outcomes = [resolved("1", "target", 0.04), resolved("2", "stop", -0.01)]
    assert analysed([*misses, *outcomes])["outcomes"] == {
        "bear": {
            "resolved": 2,
            "pending": 1,
            "hit_rate_percent": 50.0,
            "mean_net_return": pytest.approx(0.015),
            "sum_net_return": pytest.approx(0.03),
        },
        "cash": {
            "resolved": 0,
            "pending": 1,
            "hit_rate_percent": None,
            "mean_net_return": None,
            "sum_net_return": None,
        },
    }


def test_nothing_seen_is_told_from_nothing_captured():
    nothing = analysed([])
    missed_all = analysed([missed("1", "bear")])
    assert (nothing["capture_rate"], nothing["capture_rate_known"]) == (0.0, False)
    assert (missed_all["capture_rate"], missed_all["capture_rate_known"]) == (0.0, True)


def test_without_fills_there_is_no_profit_to_state():
    assert analysis.profit([missed("1", "bear")], NOON) is None


@pytest.mark.parametrize(
    ("fills", "earned"),
    [
        ([fill("buy", 10, 100.0), fill("sell", 10, 103.0, fee=1.0)], 29.0),
        # 10 at 100 and 10 at 110 cost 105 each; 5 sold at 120 earn 75.
        ([fill("buy", 10, 100.0), fill("BUY", 10, 110.0), fill("SELL", 5, 120.0)], 75.0),
        ([fill("sell", 10, 100.0), fill("buy", 10, 90.0)], 100.0),
        # 10 long at 100, 15 sold at 110: 100 earned and 5 short at 110; bought back at 100: 50.
        ([fill("buy", 10, 100.0), fill("sell", 15, 110.0), fill("buy", 5, 100.0)], 150.0),
        ([fill("buy", 10, 100.0, fee=0.5)], -0.5),
        ([fill("buy", 1, 10.0), fill("sell", 1, 50.0, symbol="QQQ")], 0.0),
    ],
)
def test_profit_is_what_closed_positions_earned_after_fees(fills, earned):
    assert analysis.profit(fills, NOON) == pytest.approx(earned)


def test_positions_of_earlier_days_are_carried_and_their_profit_is_not():
    fills = [fill("buy", 10, 100.0, day=-2, fee=1.0), fill("sell", 4, 110.0, day=-1)]
    assert analysis.profit([*fills, fill("sell", 6, 105.0)], NOON) == pytest.approx(30.0)


def test_replays_do_not_share_positions_but_paper_runs_do():
    for mode, earned in (("replay", 0.0), ("paper", 10.0)):
        fills = [
            fill("buy", 1, 100.0, run="a", mode=mode),
            fill("sell", 1, 110.0, run="b", mode=mode),
        ]
        assert analysis.profit(fills, NOON) == earned


@given(
    st.lists(st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 9), st.integers(50, 99)))
)
def test_a_closed_book_earns_the_cash_that_came_in(trades):
    fills = [fill(side, quantity, price) for side, quantity, price in trades]
    held = sum(quantity if side == "buy" else -quantity for side, quantity, _ in trades)
    if held:
        fills.append(fill("sell" if held > 0 else "buy", abs(held), 70))
    cash = sum(f.quantity * f.price * (1 if f.side == "sell" else -1) for f in fills)
    assert (analysis.profit(fills, NOON) or 0.0) == pytest.approx(cash, abs=1e-6)


def test_a_summary_carries_the_regime_and_counts_only_its_own_period():
    def change(hours, regime, previous):
        time = NOON + timedelta(hours=hours)
        return MarketConditionChanged(time, regime=regime, confidence=60.0, previous=previous)

    def error(hours):
        return ErrorOccurred(NOON + timedelta(hours=hours), component="data", message="gone")

    earlier = [error(-2), change(-1, "bear", None)]
    before = analysis.period_summary([], earlier, NOON)
    assert (before["regime"], before["regime_changes"], before["errors"]) == ("bear", [], 0)
    after = analysis.period_summary([], [*earlier, change(1, "bull", "bear"), error(1)], NOON)
    assert after["errors"] == 1
    assert after["regime"] == "bull"
    assert after["regime_changes"] == [
        {"time": "2024-03-08T18:00:00+00:00", "from": "bear", "to": "bull", "confidence": 60.0}
    ]


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2024-03-08T15:30", "2024-03-08T17:00", 1.5),
        ("2024-03-08T20:00", "2024-03-11T14:30", 2.0),  # Friday's last, Monday's first (now EDT)
        ("2024-03-09T00:00", "2024-03-10T23:00", 0.0),
        ("2024-07-03T00:00", "2024-07-04T23:00", 3.5),  # a half day and a holiday
    ],
)
def test_hours_are_those_of_the_exchange(start, end, hours):
    moments = (datetime.fromisoformat(f"{text}+00:00") for text in (start, end))
    assert analysis.open_hours(calendar_for("XNYS"), *moments) == hours


def test_a_closed_day_belongs_to_the_session_before_it():
    nyse = calendar_for("XNYS")
    friday = analysis.session_window(nyse, np.datetime64("2024-03-08"))
    assert friday == analysis.session_window(nyse, np.datetime64("2024-03-10"))
    assert friday == (
        "2024-03-08",
        datetime(2024, 3, 8, 5, tzinfo=UTC),
        datetime(2024, 3, 11, 3, 59, 59, 999_999, tzinfo=UTC),
    )
