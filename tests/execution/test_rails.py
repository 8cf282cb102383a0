from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tradekit.execution import Account, Order, Position, RiskGate, Verdict

NOW = datetime(2024, 3, 8, 20, tzinfo=UTC)  # a Friday afternoon in New York


def held(symbol="A", quantity=50.0, price=100.0):
    return Position(symbol, quantity, 100.0, NOW, f"o-{symbol}", price)


def account(*positions, equity=100_000.0, start=100_000.0, orders=()):
    return Account(0.0, equity, start, {p.symbol: p for p in positions}, orders)


def ask(order=None, given=None, *, price=100.0, gate=None, **options):
    order = order or Order("n", "X", "buy", 10)
    given = account() if given is None else given
    return (gate or RiskGate()).check(order, given, price=price, **{"now": NOW, **options})


def test_an_order_within_all_limits_passes():
    assert ask() == Verdict(True, None, "within all limits")


@pytest.mark.parametrize(
    ("price", "code"),
    [
        (float("nan"), "no_data"),
        (float("inf"), "no_data"),
        (0.0, "no_data"),
        (None, "no_data"),
    ],
)
def test_a_price_that_is_none_never_passes(price, code):
    assert ask(price=price).code == code


def test_who_has_nothing_buys_nothing():
    assert ask(given=account(equity=-1.0)).code == "no_capital"
    assert ask(given=account(start=0.0)).code == "no_capital"


def test_a_position_takes_its_fraction_and_no_more():
    # 10 % of 100,000 at 100 a share are 100 shares.
    assert ask(Order("n", "X", "buy", 100))
    verdict = ask(Order("n", "X", "sell", 101))
    assert (verdict.allowed, verdict.code) == (False, "risk_limit")
    assert "max_position_fraction is 10.0%" in verdict.reason
    assert "10,100.00" in verdict.reason
    assert "up to 100.0000 shares would pass" in verdict.reason


def test_an_order_costs_its_limit():
    assert not ask(Order("n", "X", "buy", 100, limit_price=101.0))
    assert ask(Order("n", "X", "buy", 100, limit_price=99.0))


def test_more_of_what_is_held_counts_with_it():
    gate = RiskGate(one_per_symbol=False)
    more = Order("n", "A", "buy", 51)
    assert "up to 50.0000 shares" in ask(more, account(held()), gate=gate).reason
    assert ask(Order("n", "A", "buy", 50), account(held()), gate=gate)


def test_what_waits_of_the_same_symbol_counts_with_it():
    gate = RiskGate(one_per_symbol=False)
    waiting = Order("w", "A", "buy", 60, limit_price=100.0)
    verdict = ask(Order("n", "A", "buy", 41), account(orders=(waiting,)), gate=gate)
    assert "up to 40.0000 shares" in verdict.reason


def test_a_symbol_is_entered_once():
    waiting = Order("w", "A", "buy", 1, limit_price=1.0)
    again = Order("n", "A", "buy", 1)
    assert ask(again, account(held())).code == "duplicate"
    assert ask(again, account(orders=(waiting,))).code == "duplicate"
    assert ask(waiting, account(orders=(waiting,)), price=1.0)  # it is no duplicate of itself


def test_all_places_may_be_taken():
    full = account(*(held(name, 1.0) for name in "ABCDEFGHIJ"))
    verdict = ask(given=full)
    assert verdict.code == "risk_limit"
    assert "max_positions is 10" in verdict.reason
    assert ask(given=full, gate=RiskGate(max_positions=11))


def test_what_waits_takes_a_place_and_money():
    waiting = tuple(Order(n, n, "buy", 90, limit_price=100.0) for n in "ABCDEFGHI")
    assert ask(Order("n", "X", "buy", 90), account(orders=waiting[:8]))
    # Nine times 9,000 leave 19,000 of 100,000; with 15,000 more at work 4,000 are left.
    busy = account(held("Z", -150.0), orders=waiting)
    verdict = ask(Order("n", "X", "buy", 50), busy, gate=RiskGate(max_positions=20))
    assert "max_gross is 1.00" in verdict.reason
    assert "up to 40.0000 shares" in verdict.reason


def test_a_waiting_order_costs_what_it_passed_with():
    gate = RiskGate(max_gross=0.15)
    first = Order("f", "A", "buy", 100)
    assert ask(first, gate=gate)
    assert (
        "up to 50.0000 shares"
        in ask(Order("n", "X", "buy", 60), account(orders=(first,)), gate=gate).reason
    )


def test_a_waiting_order_that_nobody_knows_is_no_free_order():
    stranger = Order("s", "A", "buy", 100)
    assert ask(given=account(orders=(stranger,))).code == "no_data"


@pytest.mark.parametrize("limit", [94.9, 105.1])
def test_a_limit_far_from_the_price_is_refused(limit):
    verdict = ask(Order("n", "X", "buy", 1, limit_price=limit))
    assert "price_collar is 5.0%" in verdict.reason
    assert "95.0000 to 105.0000 passes" in verdict.reason


@pytest.mark.parametrize(
    ("minutes", "timeframe", "fresh"),
    [(14, "5Min", True), (15, "5Min", False), (59, "1Hour", True), (-1, "5Min", False)],
)
def test_a_price_may_be_two_bars_old(minutes, timeframe, fresh):
    at = NOW - timedelta(minutes=minutes)
    verdict = ask(price_time=at, timeframe=timeframe)
    assert (verdict.allowed, verdict.code) == (fresh, None if fresh else "stale_data")


def test_a_weekend_makes_no_price_old():
    friday = datetime(2024, 3, 8, 21, tzinfo=UTC)
    monday = datetime(2024, 3, 11, 13, 30, tzinfo=UTC)
    assert ask(price_time=friday, now=monday, timeframe="1Day")


def test_orders_are_counted_by_the_minute():
    gate = RiskGate(max_orders_per_minute=2)
    names = [Order(name, name, "buy", 1) for name in "ABC"]
    assert ask(names[0], gate=gate)
    assert ask(names[0], gate=gate)  # the same order again is the same order
    assert ask(names[1], gate=gate)
    assert "max_orders_per_minute is 2" in ask(names[2], gate=gate).reason
    assert ask(names[2], gate=gate, now=NOW + timedelta(minutes=1))


def test_orders_are_counted_by_the_session():
    gate = RiskGate(max_orders_per_day=1)
    assert ask(Order("a", "A", "buy", 1), gate=gate)
    later = Order("b", "B", "buy", 1)
    assert "max_orders_per_day is 1" in ask(later, gate=gate, now=NOW + timedelta(days=2)).reason
    assert ask(later, gate=gate, now=datetime(2024, 3, 11, 13, 30, tzinfo=UTC))


def test_refused_orders_are_not_counted():
    gate = RiskGate(max_orders_per_day=1)
    assert not ask(Order("a", "A", "buy", 1000), gate=gate)
    assert ask(Order("b", "B", "buy", 1), gate=gate)


def test_a_refusal_is_counted_under_the_name_of_its_limit():
    crowd = account(*(held(name, 1.0) for name in "ABCDEFGHIJ"))
    old = {"price_time": NOW - timedelta(days=1)}
    refused = {
        "one_per_symbol": ask(Order("n", "A", "buy", 1), account(held())),
        "max_positions": ask(given=crowd),
        "max_position_fraction": ask(Order("n", "X", "buy", 500)),
        "max_gross": ask(Order("n", "X", "buy", 60), gate=RiskGate(max_gross=0.05)),
        "max_daily_loss": ask(given=account(equity=90_000.0)),
        "price_collar": ask(Order("n", "X", "buy", 1, limit_price=50.0)),
        "max_price_age": ask(**old),
    }
    assert {name: verdict.limit for name, verdict in refused.items()} == {n: n for n in refused}
    assert all(hasattr(RiskGate(), name) and name in refused[name].reason for name in refused)
    assert ask().limit is None
