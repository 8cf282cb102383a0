from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tradekit import CredentialsError, RateLimitError, SourceError
from tradekit.data._breaker import Breaker

START = datetime(2024, 3, 8, 15, tzinfo=UTC)
MINUTE, DOWN = timedelta(minutes=1), SourceError("gone")


def fail(breaker, now, most=1, pause=MINUTE):
    breaker.heard(now, 0, [DOWN], most, pause)


def test_each_try_that_fails_doubles_the_pause_up_to_an_hour():
    breaker, now, pauses = Breaker(), START, []
    for _ in range(8):
        fail(breaker, now)
        pauses.append((breaker.until - now) / MINUTE)
        now = breaker.until
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


def test_calls_that_were_on_their_way_do_not_prolong_the_pause():
    breaker = Breaker()
    for _ in range(12):
        fail(breaker, START)
    assert breaker.until - START == MINUTE


def test_an_answer_begins_pauses_anew():
    breaker = Breaker()
    fail(breaker, START)
    fail(breaker, breaker.until)
    breaker.heard(breaker.until, 1, [], 1, MINUTE)
    fail(breaker, START)
    assert breaker.until - START == MINUTE


def test_without_a_pause_only_a_reset_helps():
    breaker = Breaker()
    fail(breaker, START, pause=None)
    assert breaker.until is None
    assert not breaker.admits(START + timedelta(days=999))
    resting = Breaker()
    resting.heard(START, 0, [RateLimitError("slower")], 1, None)
    assert resting.admits(START + MINUTE)


def test_a_wait_can_be_called_off_and_what_only_a_reset_helps_cannot():
    disabled, refused, resting = Breaker(), Breaker(), Breaker()
    fail(disabled, START)
    fail(disabled, disabled.until)
    resting.heard(START, 0, [RateLimitError("slower", retry_after=9e9)], 1, MINUTE)
    refused.heard(START, 0, [CredentialsError("wrong key")], 5, MINUTE)
    for breaker in (disabled, refused, resting):
        breaker.wait_no_more()
    assert [each.status for each in (disabled, refused, resting)] == ["ok", "refused", "ok"]
    assert (disabled.errors, disabled.until, disabled.reason) == (0, None, "")
    fail(disabled, START)
    assert disabled.until - START == MINUTE  # pauses begin anew too


def test_an_answer_that_comes_late_takes_back_that_it_was_late_and_nothing_else():
    late = SourceError("slow", fault="late")
    breaker = Breaker()
    for error in (DOWN, late):
        breaker.heard(START, 0, [error], 2, MINUTE)
    assert breaker.status == "disabled"
    breaker.came_late()
    assert (breaker.status, breaker.errors, breaker.reason) == ("ok", 0, "")
    for worse in ([late, DOWN], [CredentialsError("wrong key")]):
        breaker = Breaker()
        breaker.heard(START, 0, worse, 1, MINUTE)
        before = breaker.status, breaker.errors
        breaker.came_late()
        assert (breaker.status, breaker.errors) == before


def test_refused_keys_close_at_once_and_for_good():
    breaker = Breaker()
    breaker.heard(START, 0, [CredentialsError("wrong key")], 5, MINUTE)
    assert (breaker.status, breaker.until) == ("refused", None)
    fail(breaker, START)
    assert breaker.status == "refused"


def test_one_call_at_a_time_tries_a_source_that_is_disabled():
    breaker = Breaker()
    assert breaker.claim()
    assert breaker.claim()
    fail(breaker, START)
    assert not breaker.admits(START)
    assert breaker.admits(breaker.until)
    assert breaker.claim()
    assert not breaker.claim()
    breaker.release()
    assert breaker.claim()


def test_a_try_that_succeeds_leaves_room_for_the_next_one():
    breaker = Breaker()
    fail(breaker, START)
    assert breaker.claim()
    breaker.heard(breaker.until, 1, [], 1, MINUTE)  # and nobody releases it
    fail(breaker, START)
    assert breaker.admits(breaker.until)


def test_a_source_that_stays_dead_is_tried_every_hour_for_ever():
    breaker, now = Breaker(), START
    for _ in range(2_000):
        fail(breaker, now)
        now = breaker.until
    fail(breaker, now)
    assert breaker.until - now == MINUTE * 60


def test_a_pause_of_more_than_an_hour_stays_as_it_is():
    breaker = Breaker()
    fail(breaker, START, pause=3 * 60 * MINUTE)
    fail(breaker, breaker.until, pause=3 * 60 * MINUTE)
    assert breaker.until - START == 6 * 60 * MINUTE


def test_who_asks_for_rest_without_measure_is_given_a_day():
    breaker = Breaker()
    breaker.heard(START, 0, [RateLimitError("slower", retry_after=1e300)], 1, MINUTE)
    assert breaker.until - START == timedelta(days=1)


def test_a_failure_after_a_rest_is_one_of_those_that_may_happen_in_a_row():
    breaker, now = Breaker(), START
    breaker.heard(now, 0, [RateLimitError("slower", retry_after=60)], 3, MINUTE)
    fail(breaker, now, most=3)  # was on its way: the rest goes on
    assert (breaker.status, breaker.until) == ("resting", START + MINUTE)
    fail(breaker, breaker.until, most=3)
    assert (breaker.status, breaker.errors, breaker.until) == ("ok", 2, None)
    fail(breaker, START + MINUTE, most=3)
    assert breaker.status == "disabled"


def test_a_rate_limit_neither_shortens_a_pause_nor_opens_what_only_a_reset_opens():
    slower, by_hand, refused, paused = (
        RateLimitError("slower", retry_after=1),
        *(Breaker() for _ in range(3)),
    )
    fail(by_hand, START, pause=None)
    refused.heard(START, 0, [CredentialsError("wrong key")], 5, MINUTE)
    fail(paused, START)
    for breaker in (by_hand, refused, paused):
        breaker.heard(START, 0, [slower], 5, MINUTE)
    assert (by_hand.status, by_hand.until) == ("disabled", None)
    assert (refused.status, refused.until) == ("refused", None)
    assert paused.until == START + MINUTE
