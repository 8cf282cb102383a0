"""Calls that go on though they are late, by themselves and in a race."""

from __future__ import annotations

import asyncio
import gc
import logging
from datetime import UTC, datetime

import numpy as np
import pytest

from tradekit import Bars, BarsRequest, DataSource, FixedClock, NoDataError, SourceError
from tradekit.data._failover import Failover
from tradekit.data._health import HealthBook
from tradekit.data._metrics import Metrics
from tradekit.data._race import Race
from tradekit.data._settings import Settings
from tradekit.data._straggler import let_straggle

from .desk import turns

CLOCK = FixedClock(datetime(2024, 3, 8, 15, 6, tzinfo=UTC))
DOWN = SourceError("gone")


def straggling(then, seconds=60.0):
    """Tell what a call that waits for a gate, and straggles, comes to in the end."""

    async def main():
        gate, told, over = asyncio.Event(), [], asyncio.Event()

        async def call():
            await gate.wait()

        async def ask():
            let_straggle(asyncio.ensure_future(call()), seconds, told.append)
            await over.wait()

        caller = asyncio.ensure_future(ask())
        await turns()
        await then(gate, caller, over)
        await turns()
        if not caller.done():
            caller.cancel()
        return told

    return asyncio.run(main())


def test_it_goes_on_beside_its_caller_and_tells_when_it_has_come():
    async def come(gate, caller, over):
        gate.set()

    assert straggling(come) == [True]


def test_it_goes_on_when_its_caller_has_what_it_asked_for():
    async def come(gate, caller, over):
        over.set()
        await caller
        gate.set()

    assert straggling(come) == [True]


def test_it_is_cancelled_with_its_caller():
    async def leave(gate, caller, over):
        caller.cancel()

    assert straggling(leave) == [False]


def test_it_is_cancelled_when_its_time_is_up():
    async def wait(gate, caller, over):
        await asyncio.sleep(0.03)

    assert straggling(wait, seconds=0.01) == [False]


def test_it_is_cancelled_with_its_event_loop():
    told = []

    async def main():
        async def call():
            await asyncio.Event().wait()

        let_straggle(asyncio.ensure_future(call()), 60, told.append)

    asyncio.run(main())
    assert told == [False]


def bars(symbol="SPY", count=3):
    newest = np.datetime64("2024-03-08T15:00", "ns")
    times = newest - np.arange(count)[::-1] * np.timedelta64(5, "m")
    one = np.ones(count)
    return Bars(symbol, "5Min", times, one, one, one, one, one)


class Held(DataSource):
    """Answers once its gate is opened, if it has one."""

    clock = CLOCK

    def __init__(self, name, answer, held=True):
        self.name, self.answer, self.held, self.cancelled = name, answer, held, 0

    async def _fetch(self, request):
        self.gate = asyncio.Event()
        try:
            if self.held:
                await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Late:
    """Races that a source which was quick loses, as it has become slow."""

    def __init__(self, answer=None, most=5):
        self.slow, self.events, self.most = Held("a", answer or bars()), [], most
        self.sources = {"a": self.slow, "b": Held("b", bars(), held=False)}
        self.book = HealthBook(CLOCK, self.events.append)
        self.book.enroll(self.sources)
        for _ in range(20):
            self.book.took("a", 1, 0.001)

    async def race(self, seconds=5.0):
        self.failover = Failover(BarsRequest("SPY", "5Min", limit=3), CLOCK)
        race = Race(self.failover, self.sources, self.book, Metrics(CLOCK), seconds)
        heard = await race.run()
        self.failover.settle(heard)
        for name, said in heard.items():
            self.book.heard(name, said, Settings(max_errors_before_disable=self.most))

    async def come(self):
        """Let the slow one answer, and everybody act on that."""
        self.slow.gate.set()
        await turns()

    @property
    def standing(self):
        return self.book.standings()["a"]


def test_a_sound_answer_that_comes_late_takes_the_blame_back_and_changes_no_answer():
    late = Late(bars(count=3)._replace(feed="of the late one"), most=1)

    async def main():
        await late.race()
        assert (late.standing["status"], late.standing["errors"]) == ("disabled", 1)
        late.failover.refuse("SPY", DOWN)  # as who looks twice at an answer may do
        before = late.failover.result()
        await late.come()
        return before, late.failover.result()

    before, after = asyncio.run(main())
    assert (late.standing["status"], late.standing["errors"]) == ("ok", 0)
    assert [event.status for event in late.events] == ["disabled", "restored"]
    assert late.standing["success"] == late.standing["latency"] == 1
    assert late.book.patience("a", 1) >= 0.05  # of 21 answers, one took longer than this
    assert str(after.failures["SPY"]) == str(before.failures["SPY"])
    assert not after.bars
    assert "a" not in after.failures["SPY"].causes
    assert late.slow.cancelled == 0


@pytest.mark.parametrize(
    "answer",
    [DOWN, NoDataError("who?"), bars(count=1), bars()._replace(adjustment="raw"), bars("QQQ")],
)
def test_what_comes_late_and_is_not_sound_says_nothing_more(answer):
    late = Late(answer)

    async def main():
        await late.race()
        before = late.standing
        await late.come()
        return before

    assert asyncio.run(main()) == late.standing
    assert late.standing["errors"] == 1


def test_what_comes_late_is_sound_if_it_is_like_what_was_taken_though_it_is_short():
    late = Late(bars(count=2))
    late.sources = {n: Held(n, bars(count=2), held=False) for n in "bc"}
    late.sources = {"a": late.slow, **late.sources}
    late.book.enroll(late.sources)

    async def main():
        await late.race()
        assert late.standing["errors"] == 1
        await late.come()

    asyncio.run(main())
    assert late.standing["errors"] == 0


def test_one_late_call_of_a_source_goes_on_and_the_others_are_hung_up_on():
    late = Late()

    async def main():
        for cancelled in (0, 1, 2):
            await late.race()
            await turns()
            assert late.slow.cancelled == cancelled
        assert late.standing["errors"] == 3

    asyncio.run(main())
    assert late.slow.cancelled == 3  # the first one, with the event loop


def test_a_late_call_goes_on_no_longer_than_the_call_that_it_was_for():
    late = Late()

    async def main():
        await late.race(seconds=0.15)
        assert late.slow.cancelled == 0
        await asyncio.sleep(0.2)
        assert late.slow.cancelled == 1

    asyncio.run(main())
    assert late.standing["errors"] == 1


def test_a_late_call_ends_with_a_caller_who_leaves():
    late = Late()

    async def main():
        async def ask():
            await late.race()
            await asyncio.Event().wait()  # as who asks for a second opinion does

        caller = asyncio.ensure_future(ask())
        while not late.standing["errors"]:
            await asyncio.sleep(0.01)
        assert late.slow.cancelled == 0
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await turns()
        assert late.slow.cancelled == 1

    asyncio.run(main())


@pytest.mark.parametrize("answer", [bars(), DOWN])
def test_a_late_call_dies_with_its_event_loop_without_a_word(answer, caplog):
    late = Late(answer)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(late.race())
    loop.close()
    late.slow.gate = None
    gc.collect()
    asyncio.run(late.race())
    told = [record for record in caplog.records if record.name == "asyncio"]
    assert all(record.levelno < logging.WARNING for record in told)
