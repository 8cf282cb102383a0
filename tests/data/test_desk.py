from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tradekit import Bars, BarsRequest, DataSource, NoDataError, ReplayClock, SourceError
from tradekit.data import MultiSourceDataManager, SimulatedSource

NOW = datetime(2024, 3, 8, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Counting(DataSource):
    """The simulated market, with every question written down; it can be down, or wrong."""

    batch = True

    def __init__(self, clock, name="a", factor=1.0):
        self.name, self.clock, self.factor = name, clock, factor
        self.market, self.asked, self.up = SimulatedSource(clock=clock), [], True
        self.capabilities = self.market.capabilities

    async def _fetch(self, request):
        self.asked.append(request)
        await asyncio.sleep(0)
        if not self.up:
            raise SourceError("it is down", retryable=False)
        fetched = await self.market.fetch(request)
        return {symbol: self._bent(bars) for symbol, bars in fetched.bars.items()} | dict(
            fetched.failures
        )

    def _bent(self, bars):
        prices = {n: getattr(bars, n) * self.factor for n in ("open", "high", "low", "close")}
        return bars._replace(source=self.name, **prices)


@pytest.fixture
def clock():
    return ReplayClock(NOW)


def manager_of(*sources, **options):
    return MultiSourceDataManager(sources=list(sources), **options)


def test_who_asks_for_the_same_at_once_shares_one_question(clock):
    source = Counting(clock)
    manager = manager_of(source)

    async def main():
        return await asyncio.gather(*(manager.fetch("SPY", "5Min", 50) for _ in range(20)))

    answers = asyncio.run(main())
    assert all(answer == answers[0] for answer in answers)
    assert len(source.asked) == 1


def test_threads_share_one_question_too(clock):
    source, answers = Counting(clock), []
    manager, gate = manager_of(source), threading.Barrier(3)

    def ask():
        gate.wait()
        answers.append(asyncio.run(manager.fetch("SPY", "5Min", 50)))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 3
    assert answers[0] == answers[1] == answers[2]
    assert len(source.asked) == 1


def test_from_close_to_close_only_the_end_is_asked_for_and_the_whole_comes(clock):
    source = Counting(clock)
    manager = manager_of(source)
    for _ in range(10):
        answer = manager.blocking.fetch_many(["SPY", "QQQ"], "5Min", 60)
        wanted = BarsRequest(("SPY", "QQQ"), "5Min", limit=60)
        truth = asyncio.run(SimulatedSource(clock=clock).fetch(wanted)).bars
        for symbol in ("SPY", "QQQ"):
            np.testing.assert_array_equal(answer[symbol].time, truth[symbol].time)
            np.testing.assert_array_equal(answer[symbol].close, truth[symbol].close)
            np.testing.assert_array_equal(answer[symbol].volume, truth[symbol].volume)
        clock.move_to(clock.at + timedelta(minutes=5))
    assert len(source.asked) == 10
    assert source.asked[0].start is None
    # The last bar of the evening before is read again, as adjustments change all before a session.
    starts = {request.start for request in source.asked[1:]}
    assert starts == {datetime(2024, 3, 7, 20, 55, tzinfo=UTC)}


def test_after_a_night_all_of_it_is_asked_for(clock):
    source = Counting(clock)
    manager = manager_of(source)
    manager.blocking.fetch("SPY", "5Min", 60)
    clock.move_to(datetime(2024, 3, 11, 14, tzinfo=UTC))
    manager.blocking.fetch("SPY", "5Min", 60)
    assert [request.start for request in source.asked] == [None, None]


def test_a_short_question_does_not_forget_a_long_answer(clock):
    source = Counting(clock)
    manager = manager_of(source, max_stale=HOUR)
    manager.blocking.fetch("SPY", "5Min", 60)
    clock.move_to(NOW + timedelta(minutes=5))
    assert len(manager.blocking.fetch("SPY", "5Min", 5)) == 5
    source.up = False
    clock.move_to(NOW + timedelta(minutes=10))
    assert len(manager.blocking.fetch("SPY", "5Min", 60)) == 60


def test_who_loses_our_trust_loses_it_for_what_is_kept_too(clock):
    source = Counting(clock)
    manager = manager_of(source, cache_duration=HOUR)
    assert manager.blocking.fetch("SPY", "1Day", 9).trusted_for_entries
    manager.trusted = ["yahoo"]
    assert not manager.blocking.fetch("SPY", "1Day", 9).trusted_for_entries
    manager.trusted = None
    clock.move_to(NOW + timedelta(minutes=16))  # beyond what it takes to settle
    assert not manager.blocking.fetch("SPY", "1Day", 9).trusted_for_entries
    assert len(source.asked) == 1
    fresh = manager_of(source)
    assert fresh.blocking.fetch("SPY", "1Day", 9).trusted_for_entries
    fresh._pool.book.quarantine("a", HOUR, "the odd one out")
    assert not fresh.blocking.fetch("SPY", "1Day", 9).trusted_for_entries


def test_history_that_was_rewritten_is_asked_for_as_a_whole(clock):
    source = Counting(clock)
    manager = manager_of(source)
    before = manager.blocking.fetch("SPY", "5Min", 60)
    clock.move_to(clock.at + timedelta(minutes=5))
    source.factor = 0.5  # a split
    after = manager.blocking.fetch("SPY", "5Min", 60)
    np.testing.assert_allclose(after.close[:-1], before.close[1:] / 2)
    assert [bool(request.start) for request in source.asked] == [False, True, False]


def test_another_source_is_asked_for_all_and_nothing_is_spliced(clock):
    first, second = Counting(clock), Counting(clock, "b", factor=1.01)
    manager = manager_of(first, second)
    manager.blocking.fetch("SPY", "5Min", 60)
    clock.move_to(clock.at + timedelta(minutes=5))
    first.up = False
    bars = manager.blocking.fetch("SPY", "5Min", 60)
    assert bars.source == "b"
    assert second.asked[-1].start is None
    wanted = BarsRequest("SPY", "5Min", limit=60)
    truth = asyncio.run(SimulatedSource(clock=clock).fetch(wanted))["SPY"]
    np.testing.assert_allclose(bars.close, truth.close * 1.01)


def test_an_old_answer_stands_in_marked_when_nobody_answers(clock):
    source = Counting(clock)
    manager = manager_of(source, max_stale=HOUR)
    good = manager.blocking.fetch("SPY", "5Min", 60)
    assert good.stale_since is None
    source.up = False
    clock.move_to(NOW + timedelta(minutes=30))
    stale = manager.blocking.fetch("SPY", "5Min", 60)
    assert stale.stale_since == NOW + timedelta(minutes=5)  # when the next bar was due
    np.testing.assert_array_equal(stale.close, good.close)
    frame = manager.blocking.get_market_data("SPY", "5Min", 60)
    assert frame.attrs["stale_since"] == stale.stale_since.isoformat()
    assert frame.attrs["trusted_for_entries"] is False
    clock.move_to(NOW + timedelta(minutes=66))
    with pytest.raises(NoDataError, match="it is down"):
        manager.blocking.fetch("SPY", "5Min", 60)


def test_the_past_is_remembered_as_long_as_the_newest_bars_are(clock):
    source = Counting(clock)
    manager, evening = manager_of(source), NOW - timedelta(hours=21)

    def ask(end=evening):
        return manager.blocking.fetch_many(["SPY", "QQQ"], "5Min", 60, end=end)

    first = ask()
    assert first["SPY"].trusted_for_entries
    assert ask()["SPY"] == first["SPY"]
    assert len(source.asked) == 1
    clock.move_to(NOW + timedelta(minutes=5))
    assert ask() == first
    ask(end=clock.at - timedelta(minutes=9))  # what may yet be corrected is asked for again
    ask(end=clock.at - timedelta(minutes=9))
    assert len(source.asked) == 4


def test_who_asks_for_the_same_past_at_once_shares_one_question(clock):
    source = Counting(clock)
    manager = manager_of(source)

    async def main():
        asking = (manager.fetch_many([s], "5Min", 60, NOW - HOUR) for s in ("SPY", "SPY", "QQQ"))
        return await asyncio.gather(*asking)

    one, other, _ = asyncio.run(main())
    assert one["SPY"] == other["SPY"]
    assert sorted(request.symbols for request in source.asked) == [("QQQ",), ("SPY",)]


def test_usually_an_old_answer_is_none(clock):
    source = Counting(clock)
    manager = manager_of(source)
    manager.blocking.fetch("SPY", "5Min", 60)
    source.up = False
    clock.move_to(NOW + timedelta(minutes=30))
    assert manager.blocking.get_market_data("SPY", "5Min", 60) is None


def test_answers_say_whether_trades_may_be_opened_on_them(clock):
    first, second = Counting(clock), Counting(clock, "b")
    assert manager_of(first).blocking.fetch("SPY", "5Min", 9).trusted_for_entries
    picky = manager_of(first, second, trusted=["a"])
    assert picky.blocking.fetch("SPY", "5Min", 9).trusted_for_entries
    assert picky.blocking.get_market_data("SPY", "5Min", 9).attrs["trusted_for_entries"] is True
    first.up = False
    assert not picky.blocking.fetch("QQQ", "5Min", 9).trusted_for_entries
    past = picky.blocking.fetch_many(["SPY"], "5Min", 9, end=NOW - HOUR)["SPY"]
    assert (past.source, past.trusted_for_entries) == ("b", False)
    assert not Bars("SPY", "1Day", [], [], [], [], [], []).trusted_for_entries


def test_a_contested_answer_is_neither_trusted_nor_kept(clock):
    first, second = Counting(clock), Counting(clock, "b", factor=1.01)
    manager = manager_of(first, second, cross_check="always")
    for asked in (1, 2):
        bars = manager.blocking.fetch("SPY", "5Min", 9)
        assert (bars.source, bars.trusted_for_entries) == ("a", False)
        assert len(first.asked) == asked
    third = Counting(clock, "c", factor=1.01)
    manager = manager_of(first, second, third, cross_check="always")
    bars = manager.blocking.fetch("SPY", "5Min", 9)
    assert (bars.source, bars.trusted_for_entries) == ("b", True)
    assert manager.health()["a"]["quarantined_until"]


def test_a_caller_who_leaves_cancels_nobody_elses_question(clock):
    source = Counting(clock)
    manager = manager_of(source)

    async def main():
        leaving, staying = (
            asyncio.ensure_future(manager.fetch("SPY", "5Min", 50)) for _ in range(2)
        )
        while not source.asked:
            await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    assert len(asyncio.run(main())) == 50
    assert len(source.asked) == 1


def test_ten_loops_in_a_row_have_their_answers(clock):
    source = Counting(clock)
    manager = manager_of(source, cache_duration=timedelta(0))
    for _ in range(10):
        assert len(asyncio.run(manager.fetch("SPY", "5Min", 50))) == 50
    assert len(source.asked) == 10


def test_a_replay_that_begins_anew_knows_nothing_of_what_comes(clock):
    source = Counting(clock)
    manager = manager_of(source)
    manager.blocking.fetch("SPY", "5Min", 60)
    source.clock = source.market.clock = manager._clock = again = ReplayClock(NOW - 9 * HOUR)
    for part in (manager._desk, manager._pool, manager._pool.book):
        part._clock = again
    bars = manager.blocking.fetch("SPY", "5Min", 60)
    wanted = BarsRequest("SPY", "5Min", limit=60)
    truth = asyncio.run(SimulatedSource(clock=again).fetch(wanted))["SPY"]
    np.testing.assert_array_equal(bars.time, truth.time)
    np.testing.assert_array_equal(bars.close, truth.close)


def test_a_caller_whose_loop_is_blocked_holds_nobody_up(clock):
    source, gate, over = Counting(clock), threading.Event(), threading.Event()
    manager = manager_of(source)

    async def blocking():
        asking = asyncio.ensure_future(manager.fetch("SPY", "5Min", 9))
        while not source.asked:
            await asyncio.sleep(0)
        gate.set()
        over.wait(10)  # the very thing that is tried
        return await asking

    async def notebook():
        asking = asyncio.ensure_future(manager.fetch("QQQ", "5Min", 9))
        while len(source.asked) < 3:
            await asyncio.sleep(0)
        return manager.blocking.fetch("QQQ", "5Min", 9), await asking

    with ThreadPoolExecutor(1) as pool:
        blocked = pool.submit(asyncio.run, blocking())
        gate.wait(10)
        assert len(asyncio.run(manager.fetch("SPY", "5Min", 9))) == 9
        assert [len(bars) for bars in asyncio.run(notebook())] == [9, 9]
        over.set()
        assert len(blocked.result(10)) == 9
    assert len(source.asked) == 4
