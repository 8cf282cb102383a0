from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta

import attrs
import numpy as np
import pytest

from tradekit import BarsRequest, DataSource, ReplayClock, SourceError
from tradekit.data import MultiSourceDataManager, SimulatedSource
from tradekit.data._disk_cache import CREW, DiskCache

NOW = datetime(2024, 3, 8, 18, tzinfo=UTC)


class Watched(DataSource):
    """The simulated market, with every question written down; it can be down, and thin."""

    name, batch, up, every, feed = "a", True, True, 1, "simulated"

    def __init__(self, clock):
        self.clock, self.market, self.asked = clock, SimulatedSource(clock=clock), []
        self.capabilities = self.market.capabilities
        self.factor = 1.0

    async def _fetch(self, request):
        self.asked.append(request)
        if not self.up:
            raise SourceError("it is down", retryable=False)
        limit = request.limit and request.limit * self.every
        fetched = await self.market.fetch(attrs.evolve(request, limit=limit))
        return {symbol: self._bent(bars, request) for symbol, bars in fetched.bars.items()}

    def _bent(self, bars, request):
        prices = {n: getattr(bars, n) * self.factor for n in ("open", "high", "low", "close")}
        bent = bars._replace(source="a", feed=self.feed, **prices)
        names = ("time", "open", "high", "low", "close", "volume")
        kept = bent.time // bent.timeframe.ns % self.every == 0
        thin = bent._replace(**{name: getattr(bent, name)[kept] for name in names})
        return thin[-(request.limit or len(thin)) :]

    @property
    def windows(self):
        """Which bars were asked for: the first label, and when the last one is complete."""
        return [(request.start, request.end) for request in self.asked]


@pytest.fixture
def clock():
    return ReplayClock(NOW)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "bars.db"


def manager_of(source, file, **options):
    return MultiSourceDataManager(sources=[source], disk_cache=file, **options)


def fetch(manager, count=60):
    return asyncio.run(manager.fetch("SPY", "5Min", count))


def written():
    """Wait until all that was sent to the disk is there."""
    CREW.send(int).result(10)


def truth(clock, **window):
    request = BarsRequest("SPY", "5Min", **window)
    return asyncio.run(SimulatedSource(clock=clock).fetch(request))["SPY"]


def same(bars, true):
    return all(
        np.array_equal(getattr(bars, name), getattr(true, name))
        for name in ("time", "open", "high", "low", "close", "volume")
    )


def test_after_a_restart_only_the_end_travels(clock, file):
    # Settled is what closed by 17:45: the bar of 17:40 and the two before it are read again.
    for start in (None, NOW - timedelta(minutes=30)):
        source = Watched(clock)
        bars = fetch(manager_of(source, file, adjustment="raw"))
        assert same(bars, truth(clock, limit=60, adjustment="raw"))
        assert bars.trusted_for_entries
        assert [request.start for request in source.asked] == [start]
        clock.move_to(clock.at + timedelta(minutes=10))


def test_of_the_past_only_a_sample_travels(clock, file):
    noon = datetime(2024, 3, 7, 16, tzinfo=UTC)
    for start in (None, datetime(2024, 3, 6, 17, 30, tzinfo=UTC)):
        source = Watched(clock)
        fetched = asyncio.run(manager_of(source, file).fetch_many(["SPY"], "5Min", 60, end=noon))
        assert same(fetched["SPY"], truth(clock, limit=60, end=noon))
        assert [request.start for request in source.asked] == [start]


def past(source, file, day, count, **options):
    """The bars until a session's end, from a manager that knows the file alone."""
    end = datetime(2024, 3, day, 21, tzinfo=UTC)
    manager = manager_of(source, file, **options)
    return asyncio.run(manager.fetch_many(["SPY"], "5Min", count, end=end))["SPY"]


@pytest.mark.parametrize("adjustment", ["raw", "all"])
def test_between_what_is_known_only_the_gap_travels(clock, file, adjustment):
    for day in (4, 6):
        past(Watched(clock), file, day, 78, adjustment=adjustment)
    source = Watched(clock)
    bars = past(source, file, 6, 3 * 78, adjustment=adjustment)
    end = datetime(2024, 3, 6, 21, tzinfo=UTC)
    assert same(bars, truth(clock, limit=3 * 78, end=end, adjustment=adjustment))
    # Tuesday, with the last three bars of Monday and the first three of Wednesday.
    first, last = (datetime(2024, 3, day, tzinfo=UTC) for day in (4, 6))
    gap = first + timedelta(hours=20, minutes=45), last + timedelta(hours=14, minutes=45)
    begin = first + timedelta(hours=14, minutes=30)  # which shows that nothing was adjusted since
    sample = [(begin, begin + timedelta(minutes=15))] if adjustment == "all" else []
    assert source.windows == [gap, *sample]
    again = Watched(clock)
    assert past(again, file, 6, 3 * 78, adjustment=adjustment) == bars._replace(
        trusted_for_entries=again.asked != []
    )
    assert again.windows == sample  # by now it is one piece


def test_a_day_that_was_kept_before_a_split_is_not_joined_to_one_after_it(clock, file):
    past(Watched(clock), file, 4, 78)
    halved = Watched(clock)
    halved.factor = 0.5
    past(halved, file, 5, 78)
    bars = past(halved, file, 5, 156)
    true = truth(clock, limit=156, end=datetime(2024, 3, 5, 21, tzinfo=UTC))
    np.testing.assert_allclose(bars.close, true.close / 2)
    assert halved.windows[-1][0] is None  # all of it, when the seam did not fit


def test_what_is_told_for_good_answers_alone_and_is_not_trusted(clock, file):
    for up in (True, False):
        source = Watched(clock)
        source.up = up
        bars = past(source, file, 6, 78, adjustment="raw")
        assert (len(bars), bars.trusted_for_entries) == (78, up)


def test_what_is_told_for_good_is_trusted_when_another_source_bears_it_out(clock, file):
    second = Watched(clock)
    second.name = "b"
    end = datetime(2024, 3, 6, 21, tzinfo=UTC)
    options = {"adjustment": "raw", "disk_cache": file}
    for check, trusted in (("off", True), ("off", False), ("always", True)):
        source = Watched(clock)
        manager = MultiSourceDataManager(sources=[source, second], cross_check=check, **options)
        bars = asyncio.run(manager.fetch_many(["SPY"], "5Min", 78, end=end))["SPY"]
        assert bars.trusted_for_entries is trusted
    assert not source.asked


def test_who_is_asked_first_answers_and_not_whoever_answered_once(clock, file):
    past(Watched(clock), file, 6, 78, adjustment="raw")
    first, second = Watched(clock), Watched(clock)
    first.name = "b"
    options = {"adjustment": "raw", "disk_cache": file}
    manager = MultiSourceDataManager(sources=[first, second], **options)
    end = datetime(2024, 3, 6, 21, tzinfo=UTC)
    asyncio.run(manager.fetch_many(["SPY"], "5Min", 78, end=end))
    assert (len(first.asked), len(second.asked)) == (1, 0)


def test_a_tape_that_a_plan_grants_instead_is_found_again(clock, file):
    for start in (None, NOW - timedelta(minutes=30)):
        source = Watched(clock)
        source.feed = "iex"  # though it says otherwise of itself
        assert fetch(manager_of(source, file, adjustment="raw")).feed == "iex"
        assert [request.start for request in source.asked] == [start]
        clock.move_to(clock.at + timedelta(minutes=10))


def test_of_a_symbol_that_trades_seldom_as_many_bars_come(clock, file):
    whole = None
    for questions in (1, 1):
        source = Watched(clock)
        source.every, source.feed = 2, "iex"
        bars = past(source, file, 6, 100, adjustment="raw")
        assert len(bars) == 100
        assert len(source.asked) == questions
        whole = whole or bars
        assert same(bars, whole)


def test_after_a_restart_without_a_source_what_is_on_disk_stands_in_marked(clock, file):
    fetch(manager_of(Watched(clock), file, adjustment="raw"))
    source = Watched(clock)
    source.up = False
    options = {"adjustment": "raw", "max_stale": timedelta(hours=1)}
    bars = fetch(manager_of(source, file, **options))
    assert bars.stale_since == NOW - timedelta(minutes=10)  # the bar of 17:45 was not settled
    assert (len(bars), bars.trusted_for_entries) == (57, False)


def test_history_that_was_rewritten_is_asked_for_again_and_replaced(clock, file):
    before = fetch(manager_of(Watched(clock), file, adjustment="raw"))
    clock.move_to(clock.at + timedelta(minutes=10))
    for questions in (2, 1):
        source = Watched(clock)
        source.factor = 0.5
        bars = fetch(manager_of(source, file, adjustment="raw"))
        np.testing.assert_allclose(bars.close[:-2], before.close[2:] / 2)
        assert len(source.asked) == questions


@pytest.mark.parametrize("adjustment", ["raw", "all"])
def test_what_may_yet_be_corrected_is_not_kept(clock, file, adjustment):
    source = Watched(clock)
    fetch(manager_of(source, file, adjustment=adjustment))
    written()
    asked = BarsRequest("SPY", "5Min", limit=60, adjustment=adjustment)
    known = DiskCache(file).known({"a": source}, asked, NOW)["SPY"]
    assert known.since == known.bars[-1].close_time == NOW - timedelta(minutes=15)


@pytest.mark.parametrize("adjustment", ["raw", "all"])
def test_two_sources_of_one_name_do_not_meet_on_disk(clock, file, adjustment):
    first, second = Watched(clock), Watched(clock)
    second.factor, first.up = 1.004, False
    options = {"disk_cache": file, "adjustment": adjustment}
    for _ in range(2):
        manager = MultiSourceDataManager(sources=[first, second], **options)
        bars = fetch(manager)
        np.testing.assert_allclose(bars.close, 1.004 * truth(clock, limit=60).close)
        assert second.asked.pop().start is None  # nothing of it was kept
    first.up = True
    first.asked.clear()
    fetch(MultiSourceDataManager(sources=[first, second], **options))
    assert [request.start for request in first.asked] == [None]


def test_a_weekend_makes_what_is_on_disk_no_newer(clock, file):
    clock.move_to(datetime(2024, 3, 8, 22, tzinfo=UTC))
    fetch(manager_of(Watched(clock), file))
    clock.move_to(datetime(2024, 3, 10, 12, tzinfo=UTC))
    source = Watched(clock)
    source.up = False
    since = datetime(2024, 3, 8, 21, tzinfo=UTC)
    # Nothing newer can exist: it stands in however long ago it was told.
    assert fetch(manager_of(source, file, max_stale=timedelta(minutes=1))).stale_since == since


def test_a_file_that_another_process_locks_holds_nobody_up(clock, file):
    fetch(manager_of(Watched(clock), file))
    written()
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        disk, bars = DiskCache(file), truth(clock, limit=60)
        tried, change = [], disk._store.change
        disk._store.change = lambda steps: tried.append(done := change(steps)) or done
        gate = threading.Event()
        CREW.send(gate.wait)
        for number in range(120):  # a hundred and twenty answers, and one wait
            disk.renew([f"s{number}"], [(bars, timedelta(minutes=15))], NOW)
        gate.set()
        written()
        assert tried == [False]
        other.execute("ROLLBACK")
    disk.renew([], [], NOW)
    written()
    assert tried == [False, True, True, True]  # who was wrong is forgotten at last, fifty at a time


# Nothing is written before the program has come to its end.
ENDING = """
import asyncio, sys, threading
from datetime import UTC, datetime
from tradekit import FixedClock
from tradekit.data import MultiSourceDataManager, SimulatedSource
from tradekit.data._disk_cache import CREW
source = SimulatedSource(clock=FixedClock(datetime(2024, 3, 8, 18, tzinfo=UTC)))
manager = MultiSourceDataManager(sources=[source], disk_cache=sys.argv[1])
CREW.send(threading.main_thread().join)
asyncio.run(manager.fetch_many(["SPY", "QQQ"], "5Min", 60))
"""


@pytest.mark.parametrize("is_locked", [False, True])
def test_a_program_ends_when_its_answers_are_written_or_cannot_be(file, is_locked):
    DiskCache(file)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        if is_locked:
            other.execute("BEGIN IMMEDIATE")
        subprocess.run([sys.executable, "-c", ENDING, str(file)], check=True, timeout=60)
        kept = other.execute("SELECT count(*) FROM series").fetchone()
    assert kept == (0 if is_locked else 2,)


def test_what_is_kept_is_found_by_whoever_asks_for_some_of_it(clock, file):
    source = Watched(clock)
    fetch(manager_of(source, file, adjustment="raw"))
    written()
    disk = DiskCache(file)
    raw = {"adjustment": "raw"}
    for request, known in (
        (BarsRequest("SPY", "5Min", limit=61, **raw), True),
        (BarsRequest("SPY", "5Min", limit=60, **raw), True),
        (BarsRequest("SPY", "5Min", limit=9), False),
        (BarsRequest("QQQ", "5Min", limit=9, **raw), False),
        (BarsRequest("SPY", "5Min", start=NOW - timedelta(hours=1), **raw), True),
    ):
        assert bool(disk.known({"a": source}, request, NOW)) is known
        assert not disk.known({"a-2": source}, request, NOW)  # another one of its name


def test_without_a_file_nothing_is_written(clock, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    MultiSourceDataManager(sources=[Watched(clock)]).blocking.fetch("SPY", "5Min", 9)
    assert not [*tmp_path.rglob("*")]
    assert DiskCache.of(False) is None


def test_a_file_that_cannot_be_is_no_obstacle(clock, tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    source = Watched(clock)
    manager = MultiSourceDataManager(sources=[source], disk_cache=tmp_path / "file" / "bars.db")
    assert len(manager.blocking.fetch("SPY", "5Min", 60)) == 60
    assert fetch(manager).trusted_for_entries
    assert sum("bars.db" in record.getMessage() for record in caplog.records) == 1
