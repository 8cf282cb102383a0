from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import attrs
import numpy as np
import pytest

from tradekit import Bar, Bars, Timeframe
from tradekit._core.calendar import calendar_for
from tradekit._core.clock import from_ns, to_ns
from tradekit.data._ledger import Ledger, running

SECOND = 10**9
OPEN = datetime(2024, 3, 8, 14, 30, tzinfo=UTC)  # a Friday; New York closes at 21:00


def at(minutes=0, seconds=0):
    return to_ns(OPEN + timedelta(minutes=minutes, seconds=seconds))


def minute(number, price=100.0, volume=10.0, **facts):
    begun = OPEN + timedelta(minutes=number)
    over = begun + timedelta(minutes=1)
    edge = min(1.0, price / 2)
    prices = price, price + edge, price - edge, price + edge / 2
    return Bar("SPY", "1Min", begun, *prices, volume, over, **facts)


def answer(*numbers):
    time = np.array([at(number) for number in numbers])
    price = np.full(len(numbers), 100.0)
    return Bars("SPY", "1Min", time, price, price, price, price, price)


def ledger(timeframe="1Min", begin=0, settle=5):
    length, calendar = Timeframe(timeframe), calendar_for()
    account = Ledger("SPY", length, calendar, at(begin), settle * SECOND)
    account.close = 100.0
    return account


def given(account, now):
    return [round((to_ns(bar.time) - at()) / 60 / SECOND) for bar in account.give(now)]


@pytest.mark.parametrize(
    ("timeframe", "moment", "label", "close"),
    [
        ("1Min", "2024-03-08T15:00:20", "2024-03-08T15:00", "2024-03-08T15:01"),
        ("1Min", "2024-03-08T15:00:00", "2024-03-08T15:00", "2024-03-08T15:01"),
        # The last hour of a session of six and a half is half an hour long.
        ("1Hour", "2024-03-08T20:31", "2024-03-08T20:30", "2024-03-08T21:00"),
        # Friday's close, then summer time: Monday opens at 13:30.
        ("5Min", "2024-03-08T21:00", "2024-03-11T13:30", "2024-03-11T13:35"),
        # The day before Independence Day ends at 13:00 in New York, and the day after has none.
        ("1Min", "2024-07-03T16:59:30", "2024-07-03T16:59", "2024-07-03T17:00"),
        ("1Min", "2024-07-03T17:00", "2024-07-05T13:30", "2024-07-05T13:31"),
        ("1Day", "2024-07-03T14:00", "2024-07-03T04:00", "2024-07-03T17:00"),
        ("1Day", "2024-07-03T17:00", "2024-07-05T04:00", "2024-07-05T20:00"),
        # Good Friday: the week ends on Thursday.
        ("1Week", "2024-03-27T12:00", "2024-03-25T04:00", "2024-03-28T20:00"),
        ("1Week", "2024-03-28T20:00", "2024-04-01T04:00", "2024-04-05T20:00"),
    ],
)
def test_the_next_bar_is_the_first_that_closes_after_a_moment(timeframe, moment, label, close):
    ns = int(np.datetime64(moment, "ns").astype(np.int64))
    found = running(calendar_for(), Timeframe(timeframe), ns)
    assert [f"{np.datetime64(x, 'm')}" for x in map(from_ns_naive, found)] == [label, close]


def from_ns_naive(ns):
    return from_ns(ns).replace(tzinfo=None)


def test_coins_trade_around_the_clock():
    label, close = running(calendar_for("24/7"), Timeframe("1Hour"), at(24 * 60 + 10))
    assert (from_ns(label).hour, from_ns(close).hour) == (14, 15)  # of a Saturday
    assert from_ns(label).weekday() == 5


def test_what_is_next_is_given_when_it_is_complete():
    account = ledger()
    account.hear(minute(0), at(0, 58))  # a clock may lag behind by some seconds
    assert given(account, at(0, 59)) == []
    assert given(account, at(1)) == [0]
    assert given(account, at(1)) == []


def test_what_came_before_or_comes_twice_is_not_given():
    account = ledger(begin=2)
    for number in (0, 1, 2, 2, 1):
        account.hear(minute(number), at(5))
    assert given(account, at(5)) == [2]
    account.hear(minute(2), at(5))
    assert given(account, at(5)) == []


def test_a_bar_behind_a_gap_waits_for_an_answer():
    account = ledger()
    account.hear(minute(1), at(2))
    assert given(account, at(2)) == []
    account.learn(answer(0))
    assert given(account, at(2)) == [0, 1]


def test_a_later_bar_in_an_answer_shows_that_there_is_none():
    account = ledger()
    account.learn(answer(1, 4))
    assert given(account, at(9)) == [1, 4]
    account.hear(minute(3), at(9))
    assert given(account, at(9)) == []


def test_an_answer_says_nothing_of_what_comes_after_its_end():
    account = ledger()
    account.hear(minute(3), at(4))
    account.learn(answer(0, 1))
    assert given(account, at(4)) == [0, 1]
    account.learn(answer(0, 1, 3))
    assert given(account, at(4)) == [3]


@pytest.mark.parametrize("factor", [100, 0.01, 5, 0.2])
def test_a_minute_far_from_the_last_close_is_left_out(factor, caplog):
    caplog.set_level(logging.INFO, "tradekit.data")
    account = ledger()
    account.hear(minute(0, price=100.0 * factor), at(1))
    assert given(account, at(1)) == []
    assert caplog.messages[0].startswith("stream: a minute of SPY from")
    account.hear(minute(0), at(1))
    assert given(account, at(1)) == [0]


def test_a_wick_far_from_the_last_close_is_no_less_odd():
    begun, over = from_ns(at(0)), from_ns(at(1))
    for high, low in ((900.0, 100.0), (101.0, 1.0)):
        account = ledger()
        account.hear(Bar("SPY", "1Min", begun, 100, high, low, 100, 1, over), at(1))
        assert given(account, at(1)) == []


def test_a_minute_counts_only_where_a_close_is_known():
    account = ledger()
    account.close = None
    account.hear(minute(0), at(1))
    assert given(account, at(1)) == []
    account.learn(answer(0))
    account.hear(minute(1), at(2))
    assert given(account, at(2)) == [0, 1]


def test_an_answer_far_from_the_last_close_is_believed_when_it_is_given_twice():
    far = answer(0)._replace(**dict.fromkeys(("open", "high", "low", "close"), np.array([9e3])))
    account = ledger()
    account.learn(far)
    assert given(account, at(1)) == []
    account.learn(answer(0))
    assert [bar.close for bar in account.give(at(1))] == [100.0]
    account = ledger()
    account.learn(far)
    account.learn(far)
    assert [bar.close for bar in account.give(at(1))] == [9000.0]


def test_what_is_sent_again_before_it_is_given_counts():
    account = ledger()
    account.hear(minute(0, price=90.0), at(0, 57))  # perhaps a snapshot
    account.hear(minute(0), at(0, 59))
    assert [bar.open for bar in account.give(at(1))] == [100.0]
    longer = ledger("5Min")
    for number in range(5):
        longer.hear(minute(number), at(number + 1, -2))
    longer.hear(minute(4, price=110.0), at(5))
    assert [bar.high for bar in longer.give(at(5))] == [111.0]


def test_a_longer_bar_is_made_of_one_sources_minutes_alone():
    account, mixed = ledger("5Min"), ledger("5Min")
    for number in range(5):
        told = minute(number, source="a", trusted_for_entries=number != 3)
        account.hear(told, at(5))
        mixed.hear(attrs.evolve(told, source="ab"[number // 4]), at(5))
    (bar,) = account.give(at(5))
    assert (bar.source, bar.trusted_for_entries) == ("a", False)
    assert given(mixed, at(5)) == []


def test_an_answer_counts_more_than_what_was_heard():
    account = ledger()
    account.hear(minute(1, price=77.0), at(2))
    account.learn(answer(0, 1))
    assert [bar.close for bar in account.give(at(2))] == [100.0, 100.0]


@pytest.mark.parametrize("seconds", [-60, 30, 390 * 60])
def test_minutes_off_the_grid_of_regular_hours_are_left_out(seconds):
    account, odd = ledger(begin=-60), OPEN + timedelta(seconds=seconds)
    account.hear(Bar("SPY", "1Min", odd, 1, 1, 1, 1, 1, odd + timedelta(minutes=1)), at(500))
    account.hear(minute(0), at(500))
    account.hear(minute(1), at(500))
    assert given(account, at(500)) == [0, 1]


def test_a_minute_that_still_runs_is_left_out():
    account = ledger()
    account.hear(minute(0, price=50.0), at(0, 30))
    account.hear(minute(0), at(1))
    assert [bar.open for bar in account.give(at(1))] == [100.0]


def test_a_longer_bar_is_made_up_of_all_its_minutes():
    account = ledger("5Min")
    for number in (4, 0, 2, 1):
        account.hear(minute(number, 100.0 + number, volume=number), at(5))
    assert given(account, at(5)) == []
    account.hear(minute(3, 90.0, volume=3), at(5))
    (bar,) = account.give(at(5))
    # Opens of 100, 101, 102, 90, 104; each high one above, each low one below, closes half above.
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (100, 105, 89, 104.5, 10)
    assert (bar.timeframe, bar.time, bar.close_time) == ("5Min", OPEN, from_ns(at(5)))


def test_the_last_hour_of_a_session_is_made_up_of_half_as_many_minutes():
    account = ledger("1Hour", begin=360)
    for number in range(360, 390):
        account.hear(minute(number), at(390))
    (bar,) = account.give(at(390))
    assert (bar.volume, bar.close_time) == (300, from_ns(at(390)))


def test_a_bar_is_asked_for_when_it_has_settled():
    account = ledger(settle=5)
    assert account.look_at == at(1, 5)
    account.hear(minute(0), at(1))
    assert given(account, at(1)) == [0]
    assert account.look_at == at(2, 5)


def test_what_does_not_come_is_asked_for_again_and_again_at_longer_intervals():
    account, asked = ledger("1Hour"), []
    now = at(60, 5)
    while now < at(75):
        account.looked(now, now - 5 * SECOND)
        asked.append((account.look_at - now) / SECOND)
        now = account.look_at
    assert asked == [20, 40, 80, 160, 320, 640]


def test_it_is_asked_for_with_the_next_bar_at_the_latest():
    account = ledger()
    now = at(1, 50)
    for _ in range(3):
        account.looked(now, now - 5 * SECOND)
    assert account.look_at == at(2, 5)


def test_failures_are_repeated_soon_then_later_and_not_before_they_may():
    account, waits = ledger(), []
    for _ in range(6):
        account.failed(at(1), 0)
        waits.append((account.look_at - at(1)) / SECOND)
    assert waits == [2, 4, 8, 16, 30, 30]
    account.failed(at(1), 120 * SECOND)
    assert account.look_at == at(3)


def test_a_hole_is_given_up_after_many_failures_and_when_many_wait():
    account = ledger()
    account.hear(minute(0), at(9))
    assert given(account, at(9)) == [0]
    for number in (0, 3, 4):  # the first one again: it does not wait for anything
        account.hear(minute(number), at(9))
    for _ in range(6):
        account.failed(at(9), 0)
    assert account.give_up(failures=6, held=3) is None
    account.hear(minute(5), at(9))
    assert account.give_up(failures=7, held=3) is None
    assert account.give_up(failures=6, held=3) == (at(1), at(3))
    assert given(account, at(9)) == [3, 4, 5]
    account.learn(answer(0, 1, 2, 3, 4, 5))
    assert given(account, at(9)) == []
