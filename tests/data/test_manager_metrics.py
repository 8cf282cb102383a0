"""What a manager says of itself: counters, calls, and a source that turned slower."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import numpy as np

from tradekit import Bars, Capabilities, DataSource, FixedClock, NoDataError, SourceError
from tradekit.data import MultiSourceDataManager, SimulatedSource
from tradekit.data._budget import Meter

NOW = datetime(2024, 3, 8, 15, 6, tzinfo=UTC)
CLOCK = FixedClock(NOW)
DOWN = SourceError("gone")


def bars(symbol="SPY", price=100.0):
    newest = np.datetime64("2024-03-08T15:00", "ns")
    times = newest - np.arange(3)[::-1] * np.timedelta64(5, "m")
    p = np.full(3, price)
    return Bars(symbol, "5Min", times, p, p, p, p, p)


class Paced(DataSource):
    """Answers after a while, with its price or an error."""

    clock = CLOCK

    def __init__(self, name, price=100.0, seconds=0.0, **facts):
        self.name, self.price, self.seconds = name, price, seconds
        self.capabilities = Capabilities(**facts)

    async def _fetch(self, request):
        await asyncio.sleep(self.seconds)
        if isinstance(self.price, Exception):
            raise self.price
        return bars(request.symbols[0], self.price)


def managed(*sources, **options):
    return MultiSourceDataManager(sources=sources, **options)


def counted(manager):
    """The counters that are not zero."""
    return {name: n for name, n in manager.metrics().items() if n and name != "sources"}


def test_a_question_and_a_hit_are_counted():
    manager = managed(Paced("a"))
    for _ in range(3):
        manager.blocking.get_market_data("SPY", "5Min", 3)
    assert counted(manager) == {"asked": 3, "answered": 3, "memory_hits": 2, "requests": 1}
    manager.blocking.fetch_many(["SPY", "QQQ"], "5Min", 3)
    assert counted(manager) == {"asked": 5, "answered": 5, "memory_hits": 3, "requests": 2}
    assert json.loads(json.dumps(manager.metrics())) == manager.metrics()


def test_questions_of_the_past_are_counted_as_those_of_now():
    manager = managed(Paced("a"))
    end = datetime(2024, 3, 8, 15, 5, tzinfo=UTC)
    for _ in range(2):
        manager.blocking.fetch_many(["SPY", "QQQ"], "5Min", 3, end=end)
    told = counted(manager)
    assert (told["asked"], told["answered"]) == (4, 4)


def test_what_nobody_answers_is_counted():
    manager = managed(Paced("a", NoDataError("who?")))
    assert manager.blocking.get_market_data("SPY", "5Min", 3) is None
    assert counted(manager) == {"asked": 1, "unanswered": 1, "requests": 1}
    assert manager.metrics()["sources"]["a"]["faults"] == {"no_data": 1}


def test_whoever_joins_another_callers_question_is_counted_as_such():
    manager = managed(Paced("a", seconds=0.01))

    async def main():
        await asyncio.gather(*(manager.fetch("SPY", "5Min", 3) for _ in range(4)))

    asyncio.run(main())
    assert counted(manager) == {"asked": 4, "answered": 4, "shared": 3, "requests": 1}


def test_a_stale_answer_is_counted():
    source = Paced("a")
    manager = managed(source, cache_duration=timedelta(0), max_stale=timedelta(hours=1))
    manager.blocking.fetch("SPY", "5Min", 3)
    source.price = DOWN
    assert manager.blocking.fetch("SPY", "5Min", 3).stale_since
    assert counted(manager)["stale"] == 1


def test_what_was_on_disk_is_counted(tmp_path):
    clock = FixedClock(datetime(2024, 3, 8, 18, tzinfo=UTC))
    for hits in (None, 1):
        source = SimulatedSource(clock=clock)
        manager = managed(source, disk_cache=tmp_path / "bars.db", adjustment="raw")
        asyncio.run(manager.fetch("SPY", "5Min", 60))  # what is written is there when it ends
        assert counted(manager).get("disk_hits") == hits


def test_requests_are_those_that_a_source_counts_itself_since_the_manager_began():
    class Metered(Paced):
        meter = None

        async def _fetch(self, request):
            for _ in range(3):  # pages
                self.meter.count()
            return await super()._fetch(request)

    source = Metered("a")
    source.meter = Meter()
    source.meter.count()
    manager = managed(source)
    manager.blocking.fetch("SPY", "5Min", 3)
    assert manager.metrics()["requests"] == 3
    assert manager.metrics()["sources"]["a"]["calls"] == 1


def test_calls_retries_hedges_and_checks_are_counted_by_source_and_told_as_they_end():
    told = []
    sources = Paced("a", DOWN), Paced("b", seconds=9), Paced("c"), Paced("d", 100.1)
    manager = managed(*sources, on_call=told.append, cross_check="always")
    for name in "ab":
        manager._pool.present()
        for _ in range(20):
            manager._pool.book.took(name, 1, 0.001)
    manager.blocking.fetch("SPY", "5Min", 3)
    by_source = manager.metrics()["sources"]
    assert by_source["a"]["faults"] == {"transient": by_source["a"]["calls"]}
    assert by_source["b"]["faults"] == {"late": by_source["b"]["calls"]}
    assert by_source["c"]["hedges"] == by_source["d"]["hedges"] == 1
    checks = {name: each["cross_checks"]["agreed"] for name, each in by_source.items()}
    assert checks == {"a": 0, "b": 0, "c": 1, "d": 1}
    for name, each in by_source.items():
        calls = [call for call in told if call["source"] == name]
        assert len(calls) == each["calls"]
        assert sum(call["answered"] for call in calls) == each["answered"]
    (hedge,) = [call for call in told if call["source"] == "c"]
    assert hedge.pop("seconds") < 1
    assert hedge == {
        "time": NOW.isoformat(),
        "source": "c",
        "symbols": 1,
        "answered": 1,
        "hedged": True,
        "faults": [],
    }


def test_a_call_that_its_caller_leaves_has_ended():
    told = []
    manager = managed(Paced("a", seconds=9), on_call=told.append)

    async def main():
        asking = asyncio.ensure_future(manager.fetch("SPY", "5Min", 3))
        await asyncio.sleep(0.02)
        asking.cancel()
        await asyncio.wait([asking])
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert [(call["answered"], call["faults"]) for call in told] == [(0, [])]
    assert counted(manager) == {"asked": 1, "cancelled": 1, "requests": 1}


def test_a_source_that_turned_slower_is_asked_first_again_once_that_is_known():
    events = []
    first, second = Paced("a", seconds=0.02), Paced("b")
    manager = managed(
        first, second, cache_duration=timedelta(0), on_change=lambda e: events.append(e.status)
    )

    async def main():
        for _ in range(20):
            assert (await manager.fetch("SPY", "5Min", 3)).source == "a"
        first.seconds = 0.2
        given = ""
        while len(given) < 40 and not given.endswith("aaa"):
            given += (await manager.fetch("SPY", "5Min", 3)).source
        return given

    given = asyncio.run(main())
    assert given.startswith("b")
    assert given.endswith("aaa")
    standing = manager.health()["a"]
    assert (standing["status"], standing["errors"]) == ("ok", 0)
    assert standing["seconds"]["p95"] >= 0.2
    assert events.count("disabled") == events.count("restored")
