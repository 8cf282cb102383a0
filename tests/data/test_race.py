from __future__ import annotations

import asyncio
import gc
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tradekit import (
    Bars,
    BarsRequest,
    Capabilities,
    CredentialsError,
    DataSource,
    FixedClock,
    NoDataError,
    RateLimitError,
    SourceError,
)
from tradekit.data._failover import Failover
from tradekit.data._health import HealthBook
from tradekit.data._metrics import Metrics
from tradekit.data._race import ATTEMPTS, Race

CLOCK = FixedClock(datetime(2024, 3, 8, 15, 6, tzinfo=UTC))
DOWN = SourceError("gone")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr("tradekit.data._race._PAUSE", 0.005)


def bars(symbol="SPY", count=3):
    newest = np.datetime64("2024-03-08T15:00", "ns")
    times = newest - np.arange(count)[::-1] * np.timedelta64(5, "m")
    one = np.ones(count)
    return Bars(symbol, "5Min", times, one, one, one, one, one)


class Scripted(DataSource):
    """Answers what it is told to, in turn, the last thing for ever."""

    clock = CLOCK

    def __init__(self, name, *script):
        self.name, self.script, self.asked, self.cancelled = name, list(script), [], 0

    async def _fetch(self, request):
        self.asked.append(request.symbols)
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if answer is hang:
            return await self._hang()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _hang(self):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


hang = object()


def run(*sources, seconds=5.0, symbols="SPY", quick=()):
    """Let sources race; those that are named quick are known to answer within 50 ms."""

    async def main():
        failover = Failover(BarsRequest(symbols, "5Min", limit=3), CLOCK)
        book = HealthBook(CLOCK, None)
        book.enroll({source.name: source for source in sources})
        for name in quick:
            for _ in range(20):
                book.took(name, 1, 0.001)
        race = Race(
            failover, {source.name: source for source in sources}, book, Metrics(CLOCK), seconds
        )
        heard = await race.run()
        failover.settle(heard)
        await asyncio.sleep(0)
        return failover, heard

    return asyncio.run(main())


def test_the_first_sound_answer_ends_the_race():
    first, second = Scripted("a", bars()), Scripted("b", bars())
    failover, heard = run(first, second)
    assert failover.answered_by == {"SPY": "a"}
    assert (heard["a"].good, heard["a"].bad) == (1, [])
    assert not second.asked


def test_six_attempts_are_made_over_the_sources():
    sources = [Scripted(name, DOWN) for name in "abc"]
    failover, _ = run(*sources)
    assert [len(source.asked) for source in sources] == [2, 2, 2]
    assert failover.missing == ("SPY",)
    assert ATTEMPTS == 6
    alone = Scripted("a", DOWN, DOWN, DOWN, DOWN, DOWN, bars())
    assert run(alone)[0].answered_by == {"SPY": "a"}


def test_what_cannot_pass_is_not_asked_for_again():
    for error in (
        NoDataError("who?"),
        CredentialsError("no"),
        RateLimitError("slower", retry_after=9.0),
        SourceError("never", retryable=False),
    ):
        refused, down = Scripted("a", error), Scripted("b", DOWN)
        run(refused, down)
        assert len(refused.asked) == 1
        assert len(down.asked) > 1


def test_only_what_is_missing_is_asked_for():
    first = Scripted("a", {"SPY": bars("SPY"), "QQQ": DOWN})
    second = Scripted("b", {"QQQ": bars("QQQ")})
    for source in (first, second):
        source.batch = True
    failover, _ = run(first, second, symbols=("SPY", "QQQ"))
    assert failover.answered_by == {"SPY": "a", "QQQ": "b"}
    assert second.asked == [("QQQ",)]


def test_beside_one_that_is_late_the_next_is_asked_and_it_is_hung_up_on():
    slow, quick = Scripted("a", hang), Scripted("b", bars())
    failover, heard = run(slow, quick, quick=["a"])
    assert failover.answered_by == {"SPY": "b"}
    assert slow.cancelled == 1
    assert [error.fault for error in heard["a"].bad] == ["late"]


def test_two_that_hang_do_not_keep_the_third_from_answering():
    sources = Scripted("a", hang), Scripted("b", hang), Scripted("c", bars())
    failover, _ = run(*sources, seconds=0.4)
    assert failover.answered_by == {"SPY": "c"}


def test_who_hangs_until_the_end_is_the_reason():
    failover, heard = run(Scripted("a", hang), seconds=0.05)
    error = failover.result().failures["SPY"]
    assert "a did not answer in time" in str(error)
    assert heard["a"].bad


def test_a_caller_who_leaves_hangs_up_on_everybody():
    slow = Scripted("a", hang)

    async def main():
        failover = Failover(BarsRequest("SPY", "5Min", limit=3), CLOCK)
        book = HealthBook(CLOCK, None)
        book.enroll({"a": Scripted("a", DOWN)})
        task = asyncio.ensure_future(Race(failover, {"a": slow}, book, Metrics(CLOCK), 60).run())
        while not slow.asked:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        return slow.cancelled

    assert asyncio.run(main()) == 1


def test_a_source_on_trial_is_asked_once():
    async def main():
        failover = Failover(BarsRequest("SPY", "5Min", limit=3), CLOCK)
        book = HealthBook(CLOCK, None)
        book.enroll({"a": Scripted("a", DOWN)})
        book.heard("a", 0, [DOWN], 1, timedelta(minutes=1))
        down = Scripted("a", DOWN)
        await Race(failover, {"a": down}, book, Metrics(CLOCK), 5).run()
        return len(down.asked)

    assert asyncio.run(main()) == 1


def test_nobody_to_ask_is_no_race():
    failover, heard = run()
    assert failover.missing == ("SPY",)
    assert heard == {}


def test_turns_are_not_used_up_while_who_is_late_is_waited_for():
    class Slow(Scripted):
        async def _fetch(self, request):
            self.asked.append(request.symbols)
            await asyncio.sleep(0.1 if len(self.asked) == 1 else 0)
            if len(self.asked) == 1:
                raise SourceError("the socket closed")
            return bars()

    sources = Slow("a"), Slow("b")
    failover, _ = run(*sources, quick=["a", "b"])
    assert failover.answered_by
    assert [len(source.asked) for source in sources] in ([2, 1], [1, 2], [2, 2])


def test_a_source_is_asked_for_no_more_symbols_than_it_has_calls_for():
    short = Scripted("a", bars("A"), bars("B"), DOWN)
    short.capabilities = Capabilities(calls_per_hour=2)
    rest = Scripted("b", bars("C"), bars("D"))
    failover, _ = run(short, rest, symbols=("A", "B", "C", "D"))
    assert failover.answered_by == {"A": "a", "B": "a", "C": "b", "D": "b"}


async def turns():
    for _ in range(20):
        await asyncio.sleep(0)


class Held(Scripted):
    """Answers once its gate is opened."""

    async def _fetch(self, request):
        self.asked.append(request.symbols)
        self.gate = asyncio.Event()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self.script[0], Exception):
            raise self.script[0]
        return self.script[0]


class Late:
    """Races that a source which was quick loses, as it has become slow."""

    def __init__(self, answer=None, most=5):
        self.slow, self.events, self.most = Held("a", answer or bars()), [], most
        self.sources = {"a": self.slow, "b": Scripted("b", bars())}
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
            self.book.heard(name, said.good, said.bad, self.most, timedelta(minutes=1))

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
    assert not [record for record in caplog.records if record.name == "asyncio"]


def test_who_began_in_the_last_moments_is_no_more_than_a_reason():
    class Failing(Scripted):
        async def _fetch(self, request):
            self.asked.append(request.symbols)
            await asyncio.sleep(0.19)
            raise DOWN

    first, last = Failing("a"), Scripted("b", hang)
    last.capabilities = Capabilities(calls_per_minute=1)  # of which none is spared for a hedge
    failover, heard = run(first, last, seconds=0.2)
    assert last.asked
    assert list(heard) == ["a"]
    assert {error.fault for error in heard["a"].bad} == {"transient"}
    assert failover.blamed == {"a": "gone"}
    assert "did not answer in time" in str(failover.result().failures["SPY"].causes["b"])
