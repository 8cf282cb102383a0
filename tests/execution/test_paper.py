from __future__ import annotations

import asyncio
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import Bars, Exit, FixedClock, ReplayClock, UsageError, triple_barrier
from tradekit._core.clock import from_ns
from tradekit.execution import Order, PaperBroker

from .conftest import FIRST, MINUTE, Desk, bars_of

FLAT = (10.0, 10.0, 10.0, 10.0)
QUIET = (10.0, 11.0, 9.5, 10.0)


def test_a_market_order_waits_for_the_next_open(desk):
    desk.show((10, 12, 9, 11))
    desk.submit("a", "X", "buy", 5)
    assert desk.show((11.5, 13, 11, 12)) == desk.fills
    assert desk.told() == [("a", "buy", 5.0, 11.5, "entry")]
    assert desk.fills[0].time == FIRST + MINUTE


def test_an_order_is_not_filled_at_a_bar_that_was_open_already(desk):
    desk.clock.move_to(FIRST + timedelta(seconds=1))
    desk.submit("a", "X", "buy", 5)
    assert desk.show(QUIET) == []
    assert len(desk.show(QUIET)) == 1


def test_bars_of_the_future_are_left_for_later(desk):
    desk.submit("a", "X", "buy", 5)
    desk.broker.advance({"X": bars_of([QUIET] * 3)})
    assert desk.status("a") == "waiting"
    desk.clock.move_to(FIRST + MINUTE)
    assert len(desk.broker.advance({"X": bars_of([QUIET] * 3)})) == 1


def test_a_bar_is_used_once(desk):
    desk.submit("a", "X", "buy", 5, stop=9.0)
    desk.show(QUIET, (9.5, 9.6, 8.5, 8.8))
    assert [fill.reason.value for fill in desk.fills] == ["entry", "stop"]
    assert desk.broker.advance({"X": bars_of([QUIET, (9.5, 9.6, 8.5, 8.8)])}) == ()


def test_a_day_does_not_pass_again_after_its_minutes(desk):
    desk.show(QUIET)
    desk.submit("a", "X", "buy", 5)
    midnight = np.array(["2024-03-08T05:00"], "M8[ns]")
    day = Bars("X", "1Day", midnight, [10.0], [11.0], [9.5], [10.0], [1.0])
    assert desk.feed({"X": day}) == ()


def test_a_symbol_without_new_bars_keeps_its_orders_waiting(desk):
    desk.submit("a", "Y", "buy", 5)
    desk.show(QUIET, QUIET)
    assert [order.id for order in desk.account.orders] == ["a"]


def test_fills_come_in_the_order_of_time_then_symbol(desk):
    for name in ("B", "A"):
        desk.submit(name, name, "buy", 1, stop=9.0)
    falling = [QUIET, (9.5, 9.6, 8.5, 8.8)]
    fills = desk.feed({name: bars_of(falling, name) for name in ("B", "A")})
    assert [(f.symbol, f.reason.value) for f in fills] == [
        ("A", "entry"),
        ("B", "entry"),
        ("A", "stop"),
        ("B", "stop"),
    ]


def test_the_same_order_again_changes_nothing(desk):
    assert desk.submit("a", "X", "buy", 5) == desk.submit("a", "X", "buy", 5)
    desk.show(QUIET)
    desk.submit("a", "X", "buy", 5)
    assert len(desk.show(QUIET)) == 1


def test_another_order_by_the_same_name_is_refused(desk):
    desk.submit("a", "X", "buy", 5)
    with pytest.raises(UsageError, match="another order is named a"):
        desk.submit("a", "X", "buy", 6)


def test_an_order_that_waits_can_be_taken_back_once(desk):
    desk.submit("a", "X", "buy", 5)
    blocking = desk.broker.blocking
    assert [blocking.cancel("a"), blocking.cancel("a")] == [True, False]
    assert desk.show(QUIET) == []
    assert desk.status("a") == "cancelled"
    with pytest.raises(UsageError, match="no such order"):
        blocking.status("b")


def test_an_entry_that_is_not_touched_in_time_lapses(desk):
    desk.submit("a", "X", "buy", 5, limit_price=9.0, expires_at=FIRST + 2 * MINUTE)
    desk.show(QUIET, QUIET)
    assert desk.status("a") == "waiting"
    desk.show((8.0, 8.0, 8.0, 8.0))
    assert (desk.status("a"), desk.fills) == ("expired", [])


def test_a_close_takes_its_bracket_with_it(desk):
    desk.submit("a", "X", "buy", 5, target=12.0, stop=9.0)
    desk.show(QUIET)
    desk.submit("b", "X", "sell", 5)
    desk.show(QUIET, (10, 13, 8, 10))
    assert [(f.order, f.reason.value, f.closes) for f in desk.fills] == [
        ("a", "entry", None),
        ("b", "close", "a"),
    ]


def test_a_stop_within_the_bar_of_a_limit_entry_counts(desk):
    desk.submit("a", "X", "buy", 5, limit_price=9.8, target=10.9, stop=9.6)
    desk.show(QUIET)  # low 9.5: through the limit, then through the stop; the high came before
    assert desk.told() == [("a", "buy", 5.0, 9.8, "entry"), ("a", "sell", 5.0, 9.6, "stop")]


def test_the_equity_of_a_short_position_falls_when_the_price_rises(desk):
    desk.submit("a", "X", "sell", 100)
    desk.show(FLAT, (10, 12, 10, 12))
    account = desk.account
    assert (account.cash, account.equity) == (101_000.0, 99_800.0)
    assert account.positions["X"].quantity == -100


def test_a_round_trip_on_a_flat_price_costs_spread_and_fees():
    desk = Desk(half_spread=0.001, fee=0.002)
    desk.submit("a", "X", "buy", 100)
    desk.show(FLAT)
    desk.submit("b", "X", "sell", 100)
    desk.show(FLAT)
    # In at 10.01, out at 9.99; fees 0.2 % of 1,001 and of 999.
    assert desk.account.equity == pytest.approx(100_000 - 2.0 - 0.002 * 2000)


def test_the_day_begins_with_the_equity_before_its_open(desk):
    desk.submit("a", "X", "buy", 100)
    desk.show(FLAT, (10, 12, 10, 12))
    assert desk.account.day_start_equity == 100_000.0
    monday = bars_of([(15, 15, 15, 15)], first=FIRST + timedelta(days=3, hours=-1))
    desk.feed({"X": monday})  # summer time: the open is an hour earlier in UTC
    account = desk.account
    assert (account.day_start_equity, account.equity) == (100_200.0, 100_500.0)


@pytest.mark.parametrize(
    "wrong", [{"cash": 0}, {"cash": float("nan")}, {"half_spread": -0.1}, {"fee": "0.1"}]
)
def test_a_broker_without_cash_or_costs_is_refused(wrong):
    with pytest.raises(UsageError, match="cannot use"):
        PaperBroker(**wrong)


@pytest.mark.parametrize("wrong", [{"Y": bars_of([QUIET])}, {"X": None}, bars_of([QUIET]), None])
def test_what_is_no_bars_or_another_symbols_is_refused(desk, wrong):
    with pytest.raises(UsageError, match="no bars to meet"):
        desk.broker.advance(wrong)


def test_it_says_that_it_is_paper(desk):
    desk.submit("a", "X", "buy", 1)
    desk.show(QUIET)
    assert {desk.account.mode, desk.fills[0].mode, desk.broker.mode} == {"paper"}
    assert repr(desk.broker) == (
        "<PaperBroker: equity 100,000.00 on paper, 1 positions, 0 orders wait>"
    )


def walk(seed, length=120):
    """Minute bars with jumps, so that opens gap beyond levels."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.standard_t(3, length) * 0.004))
    opens = np.roll(close, 1) * np.exp(rng.normal(0, 0.003, length))
    opens[0] = close[0]
    spread = np.abs(rng.normal(0, 0.004, (2, length)))
    high = np.maximum(opens, close) * np.exp(spread[0])
    low = np.minimum(opens, close) * np.exp(-spread[1])
    return bars_of(np.column_stack((opens, high, low, close)))


def trade(bars, row, side, target, stop, horizon):
    """One bracket at a bar's close, through the broker, bar by bar."""
    clock = ReplayClock(from_ns(bars.close_time[row]))
    broker = PaperBroker(clock, half_spread=0.0)
    broker.advance({"X": bars[: row + 1]})
    last = min(row + horizon, len(bars) - 1)
    expires = from_ns(bars.close_time[last]) + (row + horizon - last) * MINUTE
    name = "buy" if side > 0 else "sell"
    order = Order("a", "X", name, 1, target=target, stop=stop, expires_at=expires)
    asyncio.run(broker.submit(order))
    fills = []
    for end in range(row + 1, len(bars)):
        clock.move_to(from_ns(bars.close_time[end]))
        fills += broker.advance({"X": bars[: end + 1]})
    return fills


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_brackets_end_as_the_triple_barrier_says(seed):
    bars, rng, horizon = walk(seed), np.random.default_rng(seed + 100), 5
    rows = rng.integers(0, len(bars) - 1, 80)
    side = rng.choice([1, -1], 80)
    target = bars.close[rows] * (1 + side * rng.uniform(0.002, 0.02, 80))
    stop = bars.close[rows] * (1 - side * rng.uniform(0.002, 0.02, 80))
    truth = triple_barrier(bars, rows, side, target, stop, horizon=horizon)
    assert {Exit(e) for e in truth.exit} >= {Exit.TARGET, Exit.STOP, Exit.TIMEOUT}
    for i, row in enumerate(rows):
        first, *rest = trade(bars, row, side[i], target[i], stop[i], horizon)
        assert (first.price, first.time) == (truth.entry_price[i], from_ns(bars.time[row + 1]))
        if truth.exit[i] == Exit.PENDING:
            assert rest == []
            continue
        (end,) = rest
        assert (end.reason.value, end.price) == (
            Exit(truth.exit[i]).name.lower(),
            truth.exit_price[i],
        )
        when = truth.exit_row[i]
        assert bars.time[when] <= int(end.time.timestamp()) * 10**9 <= bars.close_time[when]


orders = st.tuples(
    st.integers(0, 20),
    st.sampled_from(["buy", "sell"]),
    st.integers(1, 9),
    st.sampled_from(["market", "limit", "bracket"]),
)


def played(seed, plan, step):
    """Submit orders along a walk, feeding bars in steps."""
    bars = walk(seed, 40)
    desk = Desk(half_spread=0.0005, fee=0.001)
    desk.submitted = {}
    for row in range(0, len(bars), step):
        desk.fills += desk.feed({"X": bars[: row + step]})
        price = bars.close[min(row + step, len(bars)) - 1]
        for n, (at, side, quantity, kind) in enumerate(plan):
            if row <= at < row + step:
                sign = 1 if side == "buy" else -1
                levels = {
                    "market": {},
                    "limit": {"limit_price": price * (1 - sign * 0.004)},
                    "bracket": {
                        "target": price * (1 + sign * 0.01),
                        "stop": price * (1 - sign * 0.01),
                    },
                }[kind]
                desk.submit(f"o{n}", "X", side, quantity, **levels)
                desk.submitted[f"o{n}"] = desk.clock.now()
    return desk, bars


@given(st.integers(0, 5), st.lists(orders, max_size=8), st.sampled_from([1, 3]))
def test_the_books_always_balance(seed, plan, step):
    desk, bars = played(seed, plan, step)
    account = desk.account
    held = sum(position.value for position in account.positions.values())
    assert account.equity == pytest.approx(account.cash + held)
    assert account.cash == pytest.approx(100_000 + sum(fill.amount for fill in desk.fills))
    net = sum(fill.signed_quantity for fill in desk.fills)
    assert net == pytest.approx(sum(p.quantity for p in account.positions.values()))
    assert all(p.price == bars.close[-1] for p in account.positions.values())
    assert all(fill.time >= desk.submitted[fill.order] for fill in desk.fills)


@given(st.integers(0, 5), st.lists(orders, max_size=6))
def test_the_same_again_gives_the_same(seed, plan):
    assert played(seed, plan, 1)[0].fills == played(seed, plan, 1)[0].fills


def test_the_clock_of_the_machine_is_the_default():
    assert PaperBroker().clock.now().tzinfo is not None
    assert PaperBroker(FixedClock(FIRST)).clock.now() == FIRST
