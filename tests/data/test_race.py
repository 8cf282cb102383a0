from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

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
from tradekit.data._heard import Heard
from tradekit.data._metrics import Metrics
from tradekit.data._race import ATTEMPTS, Race
from tradekit.data._settings import Settings

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


def run(*sources, seconds=5.0, symbols="SPY", quick=(), served=()):
    """Let sources race; those that are named quick are known to answer within 50 ms."""

    async def main():
        request = BarsRequest(symbols, "5Min", limit=3)
        failover = Failover(request, CLOCK, has_served=lambda _, symbol: symbol in served)
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


def test_who_sees_nothing_of_a_symbol_that_it_has_served_is_asked_once_more():
    served = Scripted("a", {}, bars())
    assert run(served, served=["SPY"])[0].answered_by == {"SPY": "a"}
    for empty in (Scripted("a", {}), Scripted("a", None)):
        empty.batch = True
        run(empty, served=["SPY"])
        assert len(empty.asked) == 2
    unknown = Scripted("a", {})
    run(unknown)
    assert len(unknown.asked) == 1


def test_who_asks_for_rest_is_asked_by_nobody_from_then_on():
    limited = Scripted("a", {"SPY": RateLimitError("slower", retry_after=9.0), "QQQ": DOWN})
    limited.batch = True
    run(limited, symbols=("SPY", "QQQ"))
    assert len(limited.asked) == 1


def test_budgets_are_looked_at_again_after_a_pause():
    failing = Scripted("a", DOWN)
    failing.capabilities = Capabilities(calls_per_minute=3)

    async def main():
        book = HealthBook(CLOCK, None)
        book.enroll({"a": failing})
        races = []
        for _ in range(4):
            failover = Failover(BarsRequest("SPY", "5Min", limit=3), CLOCK)
            races.append(Race(failover, {"a": failing}, book, Metrics(CLOCK), 5).run())
        await asyncio.gather(*races)

    asyncio.run(main())
    assert len(failing.asked) == 3


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


def test_who_hangs_is_replaced_though_the_next_has_no_calls_to_spare():
    scarce = Scripted("b", bars())
    scarce.capabilities = Capabilities(calls_per_minute=1)
    failover, heard = run(Scripted("a", hang), scarce, seconds=0.3)
    assert failover.answered_by == {"SPY": "b"}
    assert [error.fault for error in heard["a"].bad] == ["late"]


def test_who_hangs_and_is_alone_is_asked_once_more():
    alone = Scripted("a", hang, bars())
    failover, _ = run(alone, seconds=0.4, quick=["a"])
    assert failover.answered_by == {"SPY": "a"}
    assert alone.cancelled == 1


def test_a_short_answer_is_taken_when_who_could_have_a_longer_one_hangs():
    young, slow = Scripted("a", bars(count=2)), Scripted("b", hang)
    failover, _ = run(young, slow, seconds=60, quick=["b"])  # seconds, of which it takes none
    assert failover.answered_by == {"SPY": "a"}
    assert slow.cancelled == 1


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
        book.heard("a", Heard(errors=[DOWN]), Settings(max_errors_before_disable=1))
        down = Scripted("a", DOWN)
        await Race(failover, {"a": down}, book, Metrics(CLOCK), 5).run()
        return len(down.asked)

    assert asyncio.run(main()) == 1


def test_a_try_that_failed_is_over_for_all_though_its_question_goes_on():
    async def main():
        failing, slow = Scripted("a", DOWN), Scripted("b", hang)
        sources, book = {"b": slow, "a": failing}, HealthBook(CLOCK, None)
        book.enroll(sources)
        book.heard("a", Heard(errors=[DOWN]), Settings(max_errors_before_disable=1))
        for _ in range(20):
            book.took("b", 1, 0.001)
        failover = Failover(BarsRequest("SPY", "5Min", limit=3), CLOCK)
        going = asyncio.ensure_future(Race(failover, sources, book, Metrics(CLOCK), 60).run())
        while not failing.asked or book.is_probed(["a"]):
            await asyncio.sleep(0)
        still_asked = not going.done() and not slow.cancelled
        going.cancel()
        await asyncio.wait([going])
        return still_asked

    assert asyncio.run(asyncio.wait_for(main(), 10))


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


def test_a_try_that_failed_teaches_nothing_of_how_long_answers_take():
    failing = Scripted("a", {"SPY": bars("SPY"), "QQQ": DOWN}, DOWN)
    failing.batch = True
    symbols, learnt = ("SPY", "QQQ"), []

    async def main():
        book = HealthBook(CLOCK, None)
        book.enroll({"a": failing})
        book.took = lambda *took: learnt.append(took[:2])
        failover = Failover(BarsRequest(symbols, "5Min", limit=3), CLOCK)
        await Race(failover, {"a": failing}, book, Metrics(CLOCK), 5).run()

    asyncio.run(main())
    assert len(failing.asked) == ATTEMPTS
    assert learnt == [("a", 2)]


def test_who_began_in_the_last_moments_is_no_more_than_a_reason():
    class Failing(Scripted):
        async def _fetch(self, request):
            self.asked.append(request.symbols)
            if len(self.asked) == 1:
                time.sleep(0.19)  # it blocks the event loop
            raise DOWN

    first, last = Failing("a"), Scripted("b", hang)
    failover, heard = run(first, last, seconds=0.2)
    assert last.asked
    assert list(heard) == ["a"]
    assert {error.fault for error in heard["a"].bad} == {"transient"}
    assert failover.blamed == {"a": "gone"}
    assert "did not answer in time" in str(failover.result().failures["SPY"].causes["b"])
