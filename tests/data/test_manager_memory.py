"""What a manager remembers, and what it must not: holes, cut answers, wrong sources, the future."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tradekit import DataSource, ReplayClock, SourceError
from tradekit.data import MultiSourceDataManager, SimulatedSource

NOW = datetime(2024, 3, 8, 18, tzinfo=UTC)
CLOSE = timedelta(minutes=5)


class Vendor(DataSource):
    """The simulated market, whose next answer can be bent."""

    batch, up, factor, bend = True, True, 1.0, None

    def __init__(self, clock, name="a"):
        self.name, self.clock, self.market = name, clock, SimulatedSource(clock=clock)
        self.capabilities, self.asked = self.market.capabilities, []

    async def _fetch(self, request):
        self.asked.append(request)
        await asyncio.sleep(0)
        if not self.up:
            raise SourceError("it is down", retryable=False)
        fetched = await self.market.fetch(request)
        bend, self.bend = self.bend or (lambda bars: bars), None
        prices = ("open", "high", "low", "close")
        return {
            symbol: bend(bars)._replace(
                source=self.name, **{n: getattr(bend(bars), n) * self.factor for n in prices}
            )
            for symbol, bars in fetched.bars.items()
        }


def without_a_row(bars):
    names = ("time", "open", "high", "low", "close", "volume")
    columns = {name: np.delete(getattr(bars, name), 30) for name in names}
    return bars._replace(**columns, dropped=1)


@pytest.fixture
def clock():
    return ReplayClock(NOW)


def manager_of(*sources, **options):
    return MultiSourceDataManager(sources=list(sources), **options)


def fetch(manager, count=100, **options):
    fetched = asyncio.run(manager.fetch_many(["SPY"], "5Min", count, **options))
    return fetched["SPY"]


def truth(clock, count=100, **options):
    return fetch(manager_of(SimulatedSource(clock=clock), adjustment="raw"), count, **options)


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("bend", [without_a_row, lambda bars: bars[-70:]])
def test_what_an_answer_lacked_is_had_when_the_source_tells_it(clock, tmp_path, on_disk, bend):
    source = Vendor(clock)
    options = {"adjustment": "raw", "disk_cache": tmp_path / "bars.db" if on_disk else False}
    manager = manager_of(source, **options)
    source.bend = bend
    assert len(fetch(manager)) < 100
    for _ in range(3):
        clock.move_to(clock.at + 6 * CLOSE)
        manager = manager_of(source, **options) if on_disk else manager
        bars, true = fetch(manager), truth(clock)
        np.testing.assert_array_equal(bars.time, true.time)
        np.testing.assert_array_equal(bars.close, true.close)


@pytest.mark.parametrize("end", [None, NOW - timedelta(days=1)])
def test_few_bars_that_did_for_who_wanted_fewer_are_not_all_there_are(clock, end):
    first, second = Vendor(clock), Vendor(clock, "b")
    manager = manager_of(first, second)
    first.bend = lambda bars: bars[-20:]
    assert len(fetch(manager, 10, end=end)) == 10
    first.bend = lambda bars: bars[-20:]
    bars = fetch(manager, 50, end=end)
    assert (len(bars), bars.source) == (50, "b")


def test_what_a_wrong_source_told_is_forgotten_on_disk_too(clock, tmp_path):
    first, second, third = (Vendor(clock, name) for name in "abc")
    first.factor = 1.02
    options = {"adjustment": "raw", "disk_cache": tmp_path / "bars.db"}
    yesterday = NOW - timedelta(days=1)
    wrong = fetch(manager_of(first, **options), end=yesterday)
    fetch(manager_of(first, second, third, cross_check="always", **options))
    first.factor = 1.0
    bars = fetch(manager_of(first, **options), end=yesterday)
    np.testing.assert_allclose(bars.close, wrong.close / 1.02)


def test_a_replay_that_begins_anew_sees_nothing_of_what_the_disk_knows(clock, tmp_path):
    source = Vendor(clock)
    options = {"disk_cache": tmp_path / "bars.db", "max_stale": timedelta(days=9)}
    fetch(manager_of(source, **options), 300)
    clock.move_to(NOW + timedelta(days=3))
    fetch(manager_of(source, **options), 300)
    source.up = False
    source.clock = again = ReplayClock(NOW - timedelta(hours=2, minutes=3))
    bars = fetch(manager_of(source, clock=again, **options), 60)
    assert bars[-1].close_time <= again.at
    assert not bars.trusted_for_entries


def test_a_past_that_ends_within_a_bar_is_asked_for_once_and_of_the_same_source(clock, tmp_path):
    first, second = Vendor(clock), Vendor(clock, "b")
    for _ in range(3):
        first.asked.clear()
        manager = manager_of(first, second, disk_cache=tmp_path / "bars.db")
        end = NOW - timedelta(days=2, minutes=2)
        assert fetch(manager, end=end).source == "a"
        assert len(first.asked) == 1
    assert second.asked == []


class Running(ReplayClock):
    """It goes on with each look, as the machine's does."""

    def now(self):
        self.move_to(self.at + timedelta(microseconds=20))
        return super().now()


def test_an_end_of_a_moment_ago_is_the_newest_while_the_clock_runs_on():
    clock = Running(NOW)
    source = Vendor(clock)
    manager = manager_of(source, max_stale=timedelta(hours=1))
    first = fetch(manager, end=clock.now())
    assert (len(first), first[-1].close_time) == (100, NOW)
    assert fetch(manager, end=clock.now()) is first
    assert manager.blocking.fetch("SPY", "5Min", 100) is first
    assert len(source.asked) == 1
    source.up = False
    clock.move_to(NOW + 2 * CLOSE)
    assert fetch(manager, end=clock.now()).stale_since == NOW + CLOSE


def test_an_end_since_which_any_of_the_symbols_may_have_a_newer_bar_is_over(clock):
    source = Vendor(clock)
    manager, evening = manager_of(source), datetime(2024, 3, 8, 21, 1, tzinfo=UTC)
    clock.move_to(evening + timedelta(hours=12))
    manager.blocking.fetch_many(["SPY"], "5Min", 100, end=evening)
    assert source.asked[-1].end is None
    manager.blocking.fetch_many(["SPY", "BTC/USD"], "5Min", 100, end=evening)
    assert source.asked[-1].end == datetime(2024, 3, 8, 21, tzinfo=UTC)


def test_ends_within_one_bar_are_one_question(clock):
    source = Vendor(clock)
    manager = manager_of(source)
    for seconds in (0, 1, 299):
        end = NOW - timedelta(days=1) + timedelta(seconds=seconds)
        assert fetch(manager, end=end)[-1].close_time == NOW - timedelta(days=1)
    assert len(source.asked) == 1


def test_more_bars_of_a_past_serve_whoever_wants_fewer(clock):
    source = Vendor(clock)
    manager = manager_of(source)
    many = fetch(manager, 100, end=NOW - timedelta(days=1))
    assert fetch(manager, 70, end=NOW - timedelta(days=1)) == many[-70:]
    assert len(source.asked) == 1


def test_settled_raw_bars_of_the_past_are_asked_for_once(clock):
    source = Vendor(clock)
    manager = manager_of(source, adjustment="raw")
    bars = fetch(manager, end=NOW - timedelta(days=1))
    clock.move_to(NOW + timedelta(days=30))
    again = fetch(manager, end=NOW - timedelta(days=1))
    assert again is bars
    assert again.trusted_for_entries
    manager.cache_duration = timedelta(0)
    fetch(manager, end=NOW - timedelta(days=1))
    assert len(source.asked) == 2


def test_raw_bars_of_the_past_that_are_not_all_there_are_asked_for_again(clock):
    source = Vendor(clock)
    manager = manager_of(source, adjustment="raw")
    for bend in (without_a_row, lambda bars: bars[-70:], lambda bars: bars):
        source.bend = bend
        bars = fetch(manager, end=NOW - timedelta(days=1))
        clock.move_to(clock.at + timedelta(minutes=6))
    assert len(source.asked) == 3
    assert len(bars) == 100


def test_who_wants_more_than_memory_has_is_given_what_is_on_disk(clock, tmp_path):
    source = Vendor(clock)
    options = {"adjustment": "raw", "disk_cache": tmp_path / "bars.db"}
    fetch(manager_of(source, **options), 300)
    clock.move_to(NOW + CLOSE)
    manager = manager_of(source, **options)
    fetch(manager, 60)
    clock.move_to(NOW + 2 * CLOSE)
    source.asked.clear()
    np.testing.assert_array_equal(fetch(manager, 300).close, truth(clock, 300).close)
    assert [request.start is not None for request in source.asked] == [True]


def test_a_long_answer_lives_on_while_fewer_bars_are_wanted_and_makes_nobody_elses_longer(clock):
    source = Vendor(clock)
    manager = manager_of(source, adjustment="raw")
    symbols = ["SPY", "QQQ", "IWM"]
    manager.blocking.fetch("SPY", "1Min", 2_000)
    for _ in range(3):
        clock.move_to(clock.at + timedelta(minutes=1))
        source.asked.clear()
        manager.blocking.fetch_many(symbols, "1Min", 100)
    (ends,) = source.asked
    assert (set(ends.symbols), ends.start is not None) == (set(symbols), True)
    source.asked.clear()
    assert manager.blocking.fetch("SPY", "1Min", 2_000)[-1].close_time == clock.at
    assert source.asked == []
    manager.blocking.fetch_many([*symbols, "XLK"], "1Min", 100)
    assert [(request.symbols, request.limit) for request in source.asked] == [(("XLK",), 100)]


@pytest.mark.parametrize("count", [1, 20, 100])
def test_as_many_bars_as_are_asked_for_end_now_though_one_completes_meanwhile(clock, count):
    class Slow(Vendor):
        async def _fetch(self, request):
            clock.move_to(NOW + CLOSE)
            return await super()._fetch(request)

    bars = fetch(manager_of(Slow(clock)), count, end=NOW)
    assert (len(bars), bars[-1].close_time) == (count, NOW)


def test_whoever_comes_when_the_answer_has_just_come_asks_no_more(clock):
    for delay in range(12):
        source = Vendor(clock)
        manager = manager_of(source)

        async def late(manager, turns):
            for _ in range(turns):
                await asyncio.sleep(0)
            return await manager.fetch("SPY", "5Min", 100)

        async def main(manager=manager, delay=delay):
            await asyncio.gather(*(late(manager, turns) for turns in range(0, 60, delay + 1)))

        asyncio.run(main())
        assert len(source.asked) == 1


def test_who_want_unlike_numbers_of_bars_share_one_question(clock):
    source = Vendor(clock)
    manager = manager_of(source)

    async def main():
        return await asyncio.gather(*(manager.fetch("SPY", "5Min", n) for n in (10, 20, 30)))

    assert [len(bars) for bars in asyncio.run(main())] == [10, 20, 30]
    assert len(source.asked) == 1


def test_settings_that_two_threads_change_are_both_changed():
    manager = MultiSourceDataManager(sources=["simulated"])

    def change(name, *values):
        for _ in range(500):
            for value in values:
                setattr(manager, name, value)

    threads = [
        threading.Thread(target=change, args=("tolerance", 0.01, 0.02)),
        threading.Thread(target=change, args=("max_errors_before_disable", 3, 4)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (manager._settings.tolerance, manager._settings.max_errors_before_disable) == (0.02, 4)
    assert (manager.tolerance, manager.max_errors_before_disable) == (0.02, 4)


def test_a_length_of_bars_may_be_a_timedelta(clock):
    frame = manager_of(Vendor(clock)).blocking.get_market_data("SPY", CLOSE, 10)
    assert frame.attrs["timeframe"] == "5Min"
