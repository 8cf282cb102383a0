from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import Capabilities
from tradekit.data._budget import Budget, Meter

NOON = datetime(2024, 3, 8, 17, tzinfo=UTC)
LENGTHS = {"minute": 60, "hour": 3600, "day": 86_400}


def after(seconds):
    return NOON + timedelta(seconds=seconds)


def budget(**limits):
    return Budget(Capabilities(**{f"calls_per_{name}": most for name, most in limits.items()}))


def spent(calls, **limits):
    used = budget(**limits)
    used.note(NOON, calls)
    return used


def test_a_meter_counts_every_call_of_every_thread():
    meter = Meter()
    with ThreadPoolExecutor(4) as pool:
        for _ in range(1000):
            pool.submit(meter.count)
    assert meter.calls == 1000


def test_a_meter_hears_headers_in_any_case_and_no_nonsense():
    meter = Meter()
    meter.heard({"X-RateLimit-Limit": "200", "X-Ratelimit-Remaining": "17", "Date": "today"})
    meter.heard({"x-ratelimit-reset": "1709917260", "x-ratelimit-remaining": "soon"})
    meter.heard({"x-ratelimit-remaining": "nan", "X-RATELIMIT-LIMIT": "inf"})
    assert (meter.limit, meter.left, meter.reset, meter.calls) == (200, 17, 1709917260, 0)


def test_without_limits_a_call_is_always_free():
    endless = spent(10_000)
    assert endless.left(NOON) is None
    assert endless.wait(NOON) == timedelta(0)
    assert endless.spare(NOON)


def test_the_tightest_window_counts():
    # 3 of 5 a minute are used, and of 4 an hour: 2 and 1 are left; after a minute, 5 and 1.
    used = spent(3, minute=5, hour=4)
    assert (used.left(NOON), used.left(after(60)), used.left(after(3600))) == (1, 1, 4)
    assert spent(3, minute=5, hour=400).left(after(60)) == 5


def test_a_call_is_free_when_the_oldest_one_is_a_window_old():
    used = budget(minute=2)
    used.note(NOON)
    used.note(after(20))
    assert used.wait(after(30)) == timedelta(seconds=30)
    assert used.wait(after(59.999999)) == timedelta(microseconds=1)
    assert used.wait(after(60)) == timedelta(0)


def test_a_meter_tells_totals():
    used = budget(minute=10)
    for total in (3, 3, 7):
        used.note(NOON, total)
    assert used.left(NOON) == 3
    used.note(NOON, 2)  # less than before: a new meter
    assert used.left(NOON) == 1


def test_more_calls_than_were_granted_are_waited_for():
    assert spent(5, minute=2).left(NOON) == 0
    assert spent(5, minute=2).wait(after(10)) == timedelta(seconds=50)


def test_what_the_server_says_counts_until_its_window_ends():
    used = spent(1, minute=200)
    used.told(NOON, 2, after(40).timestamp())
    assert used.left(NOON) == 2
    used.note(after(1), 2)
    used.note(after(1), 3)
    assert (used.left(after(1)), used.wait(after(1))) == (0, timedelta(seconds=39))
    assert (used.left(after(40)), used.wait(after(40))) == (197, timedelta(0))


def test_an_older_word_of_the_server_gives_nothing_back():
    used, reset = budget(minute=200), after(40).timestamp()
    used.told(NOON, 100, reset)
    used.note(NOON)
    used.told(NOON, 100, reset)
    assert used.left(NOON) == 99
    used.told(NOON, 150, reset + 60)
    assert used.left(NOON) == 150


@pytest.mark.parametrize(
    ("left", "reset", "free"),
    [
        (None, after(40).timestamp(), 5),
        (0, NOON.timestamp(), 5),  # over
        (0, NOON.timestamp() * 1000, 5),
        (0, after(40).timestamp() * 1000, 0),  # milliseconds
        (0, 30.0, 0),  # seconds from now
        (0, after(90_000).timestamp(), 5),  # no window is longer than a day
        (0, None, 0),
    ],
)
def test_a_word_of_the_server_holds_until_its_window_ends_however_that_is_told(left, reset, free):
    told = budget(minute=5)
    told.told(NOON, left, reset)
    assert told.left(NOON) == free
    assert told.left(after(60)) == 5


def test_a_hedge_may_be_spent_while_half_of_every_window_is_left():
    assert spent(5, minute=10, hour=100).spare(NOON)
    assert not spent(6, minute=10, hour=100).spare(NOON)
    assert not spent(51, minute=1000, hour=100).spare(NOON)


@pytest.mark.parametrize(("limits", "enough"), [({"minute": 10, "day": 1000}, 5), ({}, 1)])
def test_a_hedge_is_not_spent_when_the_server_says_that_little_is_left(limits, enough):
    told = budget(**limits)
    told.told(NOON, enough, after(30).timestamp())
    assert told.spare(NOON)
    told.told(NOON, enough - 1, after(30).timestamp())
    assert not told.spare(NOON)


def test_what_the_server_says_is_left_is_held_against_its_own_limit():
    told, reset = budget(minute=200), after(30).timestamp()
    told.told(NOON, 40, reset, 60)  # two thirds of what it grants; a fifth of what was stated
    assert told.spare(NOON)
    told.told(NOON, 29, reset, 60)
    assert not told.spare(NOON)
    told.told(NOON, 4_000, reset + 1, 10_000)  # it grants more than was stated, and less is left
    assert not told.spare(NOON)
    told.told(NOON, 4_000, reset + 2)
    assert told.spare(NOON)


def test_a_plan_is_plain_data():
    used = spent(3, minute=3, day=100)
    used.told(NOON, 7, after(40).timestamp())
    assert used.plan(after(10)) == {
        "minute": {"limit": 3, "used": 3},
        "day": {"limit": 100, "used": 3},
        "server": {"left": 7, "reset": "2024-03-08T17:00:40+00:00"},
        "left": 0,
        "wait_seconds": 50.0,
    }
    assert budget().plan(NOON) == {"left": None, "wait_seconds": 0.0}


def test_a_replay_that_begins_anew_has_a_budget_of_its_own():
    used = spent(3, minute=3, day=100)
    used.told(NOON, 0, after(40).timestamp())
    assert used.left(after(-61)) == 3
    used.note(after(-61), 4)  # one more than before
    assert used.left(after(-61)) == 2


def test_threads_that_come_in_another_order_give_nothing_back():
    used = spent(3, minute=3)
    assert used.left(after(-30)) == 0
    assert used.wait(after(-30)) == timedelta(seconds=90)
    assert used.left(after(-61)) == 3  # no thread is as late as that


def test_a_thread_that_comes_late_need_not_wait_for_what_is_free():
    used = spent(1, minute=3)
    assert used.wait(after(-30)) == timedelta(0)


LIMITS = st.fixed_dictionaries({}, optional={name: st.integers(1, 6) for name in LENGTHS})
STEPS = st.lists(
    st.tuples(st.sampled_from([0, 1, 7, 30, 59, 60, 61, 900, 3600, 30_000]), st.integers(1, 3)),
    max_size=40,
)


@given(LIMITS, STEPS)
def test_who_asks_first_never_makes_more_calls_than_a_window_grants(limits, steps):
    """Against a plain list of all calls that were ever made, each window counted anew."""
    watched, made, now = budget(**limits), [], 0

    def free(moment):
        used = {n: sum(moment - LENGTHS[n] < call <= moment for call in made) for n in limits}
        return min((limits[n] - used[n] for n in limits), default=None)

    for step, wanted in steps:
        now += step
        assert watched.left(after(now)) == free(now)
        wait = watched.wait(after(now)).total_seconds()
        assert free(now + wait) is None or free(now + wait) > 0
        assert wait == 0 or free(now + wait - 1) == 0
        for _ in range(wanted):
            if watched.left(after(now)) != 0:
                watched.note(after(now))
                made.append(now)
    for name, most in limits.items():
        assert all(sum(c - LENGTHS[name] < other <= c for other in made) <= most for c in made)
