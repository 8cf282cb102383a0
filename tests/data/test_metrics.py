from __future__ import annotations

import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pytest

from tradekit import Bars, Fetched, FixedClock, SourceError, UsageError
from tradekit.data._metrics import Metrics

NOW = datetime(2024, 3, 8, 15, tzinfo=UTC)
CLOCK = FixedClock(NOW)
LATE, GONE = SourceError("slow", fault="late"), SourceError("gone")


def bars(symbol, **known):
    p = np.ones(1)
    return Bars(symbol, "1Day", np.array(["2024-03-08T05:00"], "M8[ns]"), p, p, p, p, p, **known)


def test_everything_begins_at_nothing_and_is_named_all_the_same():
    assert Metrics(CLOCK).plain(["a"], 0) == {
        "asked": 0,
        "answered": 0,
        "unanswered": 0,
        "cancelled": 0,
        "memory_hits": 0,
        "disk_hits": 0,
        "shared": 0,
        "stale": 0,
        "requests": 0,
        "sources": {
            "a": {
                "calls": 0,
                "symbols": 0,
                "answered": 0,
                "hedges": 0,
                "faults": {},
                "cross_checks": {"agreed": 0, "differed": 0},
            }
        },
    }


def test_questions_are_counted_by_symbol_and_a_hit_is_asked_and_answered():
    metrics = Metrics(CLOCK)
    metrics.memory_hit()
    metrics.memory_hit(2)
    answer = Fetched({"A": bars("A"), "B": bars("B", stale_since=NOW)}, {"C": GONE, "D": GONE})

    async def give():
        return answer

    assert asyncio.run(metrics.counted(4, give())) is answer
    metrics.shared(2)
    metrics.disk_hit()
    plain = metrics.plain([], 9)
    assert plain.pop("sources") == {}
    assert plain == {
        "asked": 3 + 4,
        "answered": 3 + 2,
        "unanswered": 2,
        "cancelled": 0,
        "memory_hits": 3,
        "disk_hits": 1,
        "shared": 2,
        "stale": 1,
        "requests": 9,
    }


@pytest.mark.parametrize(
    ("end", "counter"), [(asyncio.CancelledError, "cancelled"), (UsageError, "unanswered")]
)
def test_what_was_asked_is_answered_unanswered_or_cancelled(end, counter):
    metrics = Metrics(CLOCK)

    async def leave():
        raise end("by its caller")

    with pytest.raises(end):
        asyncio.run(metrics.counted(3, leave()))
    plain = metrics.plain([], 0)
    assert plain["asked"] == plain[counter] == 3
    assert plain["answered"] + plain["unanswered"] + plain["cancelled"] == 3


def test_calls_and_comparisons_are_counted_by_source():
    metrics = Metrics(CLOCK)
    metrics.called("a", symbols=3, answered=1, seconds=0.5, errors=[LATE, GONE])
    metrics.called("a", symbols=1, answered=1, seconds=0.5, hedged=True, errors=[LATE])
    for agreed in (True, True, False):
        metrics.compared("a", agreed)
    plain = metrics.plain(["a"], 0)
    assert plain["sources"] == {
        "a": {
            "calls": 2,
            "symbols": 4,
            "answered": 2,
            "hedges": 1,
            "faults": {"late": 2, "transient": 1},
            "cross_checks": {"agreed": 2, "differed": 1},
        }
    }
    assert json.loads(json.dumps(plain)) == plain


def test_what_was_given_out_does_not_count_on():
    metrics = Metrics(CLOCK)
    metrics.called("a", symbols=1, answered=0, seconds=0.1, errors=[LATE])
    before = metrics.plain(["a"], 0)
    metrics.called("a", symbols=1, answered=0, seconds=0.1, errors=[LATE])
    metrics.compared("a", True)
    assert before["sources"]["a"]["faults"] == {"late": 1}
    assert before["sources"]["a"]["cross_checks"] == {"agreed": 0, "differed": 0}


def test_each_call_is_told_as_plain_data():
    told = []
    metrics = Metrics(CLOCK, told.append)
    metrics.called("a", symbols=2, answered=1, seconds=0.25, hedged=True, errors=[LATE])
    assert told == [
        {
            "time": "2024-03-08T15:00:00+00:00",
            "source": "a",
            "symbols": 2,
            "answered": 1,
            "seconds": 0.25,
            "hedged": True,
            "faults": ["late"],
        }
    ]
    assert json.loads(json.dumps(told)) == told


def test_a_listener_that_fails_stops_nothing(caplog):
    def fail(call):
        raise ZeroDivisionError

    metrics = Metrics(CLOCK, fail)
    with caplog.at_level(logging.ERROR, logger="tradekit.data"):
        metrics.called("a", symbols=1, answered=1, seconds=0.1)
    assert metrics.plain(["a"], 0)["sources"]["a"]["calls"] == 1
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_no_count_of_any_thread_is_lost():
    metrics = Metrics(CLOCK)

    def work(_):
        metrics.memory_hit()
        metrics.called("a", symbols=1, answered=1, seconds=0.1, errors=[LATE])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(2_000)))
    plain = metrics.plain(["a"], 0)
    assert plain["memory_hits"] == plain["sources"]["a"]["calls"] == 2_000
    assert plain["sources"]["a"]["faults"] == {"late": 2_000}
