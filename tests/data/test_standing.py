from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tradekit import Capabilities, SourceError
from tradekit.data import MemorySource
from tradekit.data._budget import Meter
from tradekit.data._standing import SourceHealth

NOW = datetime(2024, 3, 8, 15, tzinfo=UTC)


def test_what_is_late_is_learnt_from_what_is_usual_for_so_many_symbols():
    health = SourceHealth()
    assert health.patience(1) > 1  # clients are imported, connections made
    health.took(1, 0.03)
    assert 0.2 < health.patience(1) < 0.3
    for _ in range(18):
        health.took(1, 0.06)
    health.took(1, 0.9)
    assert health.patience(1) == 0.06  # which nineteen of twenty took at most
    health.took(1, 0.9)
    assert health.patience(1) == 0.9
    for _ in range(20):
        health.took(1, 0.06)
    assert health.patience(1) == 0.06
    assert health.patience(100) > 1  # of a hundred nothing is known
    for _ in range(100):
        health.took(1, 1e-4)
    assert health.patience(1) == 0.05  # nobody is hurried more than that


def test_while_little_is_known_who_is_steadily_slow_is_not_late():
    health = SourceHealth()
    health.took(1, 1.5)  # with the client's import
    assert health.patience(1) == 2.0  # and no longer than that
    for _ in range(2):
        health.took(1, 0.6)
    assert health.patience(1) == 1.2


def test_the_score_is_the_weakest_of_what_lately_was_sound_in_time_new_and_borne_out():
    health = SourceHealth()
    for _ in range(8):
        health.heard(1, [])
    health.heard(1, [SourceError("slow", fault="late")])  # 8.5 of 9 in time, and sound
    health.heard(0, [SourceError("old", fault="stale")])  # 9 of 10 new; 8.5 of 10 sound
    for agreed in (True, True, True, False):
        health.compared(agreed)
    assert health.figures() == {
        "success": 0.85,
        "latency": 0.95,
        "freshness": 0.9,
        "agreement": 0.75,
    }
    assert health.score == 75
    assert health.reasons(NOW) == [
        "15% of its last answers were not sound",
        "5% of its last answers were late",
        "10% of its last answers were out of date",
        "25% of its last answers differed from another source's",
    ]


def test_a_sound_answer_that_comes_late_corrects_the_figures_and_is_learnt_from():
    health = SourceHealth()
    health.heard(0, [SourceError("slow", fault="late")])
    health.heard(0, [SourceError("slow", fault="late"), SourceError("gone")])
    health.heard(1, [])
    health.came_late(1, 0.3)
    # 0 of 1, then 1 of 2 as the call that was late is sound, then 1 of 1.
    assert health.figures()["success"] == 0.5
    assert health.figures()["latency"] == pytest.approx(2 / 3)
    health.came_late(1, 0.3)
    health.came_late(1, 0.3)  # nothing is left to take back
    assert health.figures()["success"] == pytest.approx(2.5 / 3)
    assert health.figures()["latency"] == 1
    assert health.latency() == {"p50": 0.3, "p95": 0.3}


def test_requests_are_counted_from_when_a_source_is_known():
    class Metered(MemorySource):
        meter = None

    counting, counted = MemorySource(), Metered()
    counted.meter = Meter()
    counted.meter.count()
    theirs, own = SourceHealth.of(counted), SourceHealth.of(counting)
    counted.meter.count()
    theirs.asked(NOW, 100)
    own.asked(NOW, 100)  # as many as there are in one call
    assert (theirs.requests, own.requests) == (1, 1)
    assert (theirs.anew().requests, own.anew().requests) == (1, 1)


def test_a_source_that_counts_its_requests_is_held_to_them():
    class Metered(MemorySource):
        capabilities = Capabilities(calls_per_minute=3)

    source = Metered()
    source.meter = Meter()
    health = SourceHealth.of(source)
    for left in (2, 1, 0):
        source.meter.count()
        assert health.read(NOW).left(NOW) == left
    assert health.standing(NOW)["budget"]["wait_seconds"] == 60
    source.meter.heard(
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{NOW.timestamp() + 90}"}
    )
    assert health.read(NOW).wait(NOW).total_seconds() == 90


def test_a_server_says_of_how_many_calls_some_are_left():
    class Metered(MemorySource):
        capabilities = Capabilities(calls_per_minute=200)

    source = Metered()
    source.meter = Meter()
    health = SourceHealth.of(source)
    source.meter.heard({"X-RateLimit-Remaining": "40", "X-RateLimit-Limit": "60"})
    assert health.read(NOW).spare(NOW)  # 40 are no half of 200, but of 60


def test_what_a_server_said_once_holds_for_its_window_and_not_for_ever():
    source = MemorySource()
    source.meter = Meter()
    health = SourceHealth.of(source)
    source.meter.heard({"X-RateLimit-Remaining": "0"})  # until when, it does not say
    assert health.read(NOW).wait(NOW).total_seconds() == 60
    later = NOW + timedelta(minutes=2)
    for _ in range(3):
        assert not health.read(later).wait(later)


def test_a_contradiction_counts_as_long_as_its_answer_is_among_the_last_hundred():
    health = SourceHealth.of(MemorySource())
    health.heard(1, [])
    health.compared(False)
    for _ in range(99):
        health.heard(1, [])
    assert health.figures()["agreement"] == 0.0
    health.heard(1, [])
    assert health.figures()["agreement"] == 1.0


def test_all_who_ask_through_the_same_source_share_its_budget():
    class Metered(MemorySource):
        capabilities = Capabilities(calls_per_hour=3)

    source = Metered()
    source.meter = Meter()
    first = SourceHealth.of(source)
    for _ in range(2):
        source.meter.count()
    assert first.read(NOW).left(NOW) == 1
    assert SourceHealth.of(source).read(NOW).left(NOW) == 1
    later = NOW + timedelta(hours=2)
    assert SourceHealth.of(source).read(later).left(later) == 3  # those calls were long ago


def test_calls_of_which_nobody_knows_when_they_were_use_up_no_budget():
    class Metered(MemorySource):
        capabilities = Capabilities(calls_per_hour=3)

    source = Metered()
    source.meter = Meter()
    for _ in range(60):
        source.meter.count()
    assert SourceHealth.of(source).read(NOW).left(NOW) == 3
