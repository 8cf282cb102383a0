from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime

import pytest

from tradekit import BarsRequest, FixedClock
from tradekit.data import SimulatedSource
from tradekit.data._disk_cache import CREW, DiskCache
from tradekit.data._inquiry import Inquiry
from tradekit.data._lineup import Lineup, chosen_sources
from tradekit.data._pool import SourcePool
from tradekit.data._settings import Settings

CLOCK = FixedClock(datetime(2024, 3, 8, 18, tzinfo=UTC))
REQUEST = BarsRequest("SPY", "5Min", limit=60, adjustment="raw")


@pytest.fixture
def pool():
    return SourcePool(Lineup(chosen_sources([SimulatedSource(clock=CLOCK)], CLOCK)), CLOCK)


def asked(inquiry, settings=None):
    failover = asyncio.run(inquiry.ask(REQUEST, settings or Settings(adjustment="raw")))
    return failover.bars["SPY"]


def test_an_answer_says_whether_trades_may_be_opened_on_it(pool):
    inquiry = Inquiry(pool, CLOCK, seed=0)
    assert asked(inquiry).trusted_for_entries
    assert not asked(inquiry, Settings(adjustment="raw", trusted=("b",))).trusted_for_entries
    pool.book.quarantine("simulated", None, "the odd one out")
    assert not asked(inquiry).trusted_for_entries


def test_a_disk_that_is_slow_holds_nobody_up(pool, tmp_path, monkeypatch):
    disk, gate = DiskCache(tmp_path / "bars.db"), threading.Event()
    looked = disk.known
    monkeypatch.setattr(disk, "known", lambda *asked: gate.wait(10) and looked(*asked))
    monkeypatch.setattr("tradekit.data._inquiry._DISK", 0.05)

    async def main():
        failover = await Inquiry(pool, CLOCK, 0, disk).ask(REQUEST, Settings(adjustment="raw"))
        gate.set()
        return failover.bars["SPY"]

    assert len(asyncio.run(main())) == 60


def test_a_disk_that_cannot_be_read_is_said_once_and_holds_nobody_up(
    pool, tmp_path, monkeypatch, caplog
):
    disk = DiskCache(tmp_path / "bars.db")
    monkeypatch.setattr(disk, "known", lambda *asked: 1 / 0)
    inquiry = Inquiry(pool, CLOCK, 0, disk)
    assert [len(asked(inquiry)), len(asked(inquiry))] == [60, 60]
    assert [record.getMessage() for record in caplog.records] == ["the disk cache cannot be read"]


def test_what_was_answered_is_on_disk_soon(pool, tmp_path):
    disk = DiskCache(tmp_path / "bars.db")
    bars = asked(Inquiry(pool, CLOCK, 0, disk))
    CREW.send(int).result(10)  # which comes after it
    source = pool.source("simulated")
    known = disk.known({"simulated": source}, REQUEST, CLOCK.now())["SPY"]
    assert known.bars.time.tolist() == bars.time[:-3].tolist()  # three are not settled
