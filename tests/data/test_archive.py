from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tradekit import BarsRequest, DataSource, ReplayClock
from tradekit.data import MultiSourceDataManager, SimulatedSource
from tradekit.data._archive import Archive

NOW = datetime(2024, 3, 8, 18, tzinfo=UTC)


class Watched(DataSource):
    """The simulated market, with every question written down."""

    name, batch = "a", True

    def __init__(self, clock):
        self.clock, self.market, self.asked = clock, SimulatedSource(clock=clock), []
        self.capabilities = self.market.capabilities
        self.factor = 1.0

    async def _fetch(self, request):
        self.asked.append(request)
        fetched = await self.market.fetch(request)
        return {symbol: self._bent(bars) for symbol, bars in fetched.bars.items()}

    def _bent(self, bars):
        prices = {n: getattr(bars, n) * self.factor for n in ("open", "high", "low", "close")}
        return bars._replace(source="a", **prices)


@pytest.fixture
def clock():
    return ReplayClock(NOW)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "bars.db"


def manager_of(source, file, **options):
    return MultiSourceDataManager(sources=[source], disk_cache=file, **options)


def fetch(manager, count=60):
    return asyncio.run(manager.fetch("SPY", "5Min", count))  # whose end waits for the disk


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
    # Of 60 bars by then 18 are that day's: the last of the evening before is read again.
    for start in (None, datetime(2024, 3, 6, 20, 55, tzinfo=UTC)):
        source = Watched(clock)
        fetched = asyncio.run(manager_of(source, file).fetch_many(["SPY"], "5Min", 60, end=noon))
        assert same(fetched["SPY"], truth(clock, limit=60, end=noon))
        assert [request.start for request in source.asked] == [start]


def test_history_that_was_rewritten_is_asked_for_again_and_replaced(clock, file):
    before = fetch(manager_of(Watched(clock), file, adjustment="raw"))
    clock.move_to(clock.at + timedelta(minutes=10))
    for questions in (2, 1):
        source = Watched(clock)
        source.factor = 0.5
        bars = fetch(manager_of(source, file, adjustment="raw"))
        np.testing.assert_allclose(bars.close[:-2], before.close[2:] / 2)
        assert len(source.asked) == questions


@pytest.mark.parametrize(("adjustment", "last"), [("raw", "17:45"), ("all", None)])
def test_what_may_yet_be_corrected_or_adjusted_is_not_kept(clock, file, adjustment, last):
    source = Watched(clock)
    fetch(manager_of(source, file, adjustment=adjustment))
    asked = BarsRequest("SPY", "5Min", limit=60, adjustment=adjustment)
    known = Archive(file).known({"a": source}, asked, NOW).get("SPY")
    assert (known and f"{known.bars[-1].close_time:%H:%M}") == last


def test_a_window_that_begins_before_what_is_kept_is_not_known(clock, file):
    source = Watched(clock)
    fetch(manager_of(source, file, adjustment="raw"))
    archive = Archive(file)
    raw = {"adjustment": "raw"}
    for request, known in (
        (BarsRequest("SPY", "5Min", limit=61, **raw), False),
        (BarsRequest("SPY", "5Min", limit=60, **raw), True),
        (BarsRequest("SPY", "5Min", limit=9), False),
        (BarsRequest("QQQ", "5Min", limit=9, **raw), False),
        (BarsRequest("SPY", "5Min", start=NOW - timedelta(hours=1), **raw), True),
    ):
        assert bool(archive.known({"a": source}, request, NOW)) is known


def test_without_a_file_nothing_is_written(clock, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    MultiSourceDataManager(sources=[Watched(clock)]).blocking.fetch("SPY", "5Min", 9)
    assert not [*tmp_path.rglob("*")]
    assert Archive.of(False) is None


def test_a_file_that_cannot_be_is_no_obstacle(clock, tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    source = Watched(clock)
    manager = MultiSourceDataManager(sources=[source], disk_cache=tmp_path / "file" / "bars.db")
    assert len(manager.blocking.fetch("SPY", "5Min", 60)) == 60
    assert fetch(manager).trusted_for_entries
    assert sum("bars.db" in record.getMessage() for record in caplog.records) == 1
