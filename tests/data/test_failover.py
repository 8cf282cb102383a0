from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tradekit import (
    Bars,
    BarsRequest,
    Capabilities,
    ContractError,
    DataSource,
    FixedClock,
    NoDataError,
    SourceError,
)
from tradekit.data import MemorySource
from tradekit.data._failover import Deadline, Failover, nobody, within

CLOCK = FixedClock(datetime(2024, 3, 8, 15, 6, tzinfo=UTC))
SOURCE = MemorySource(clock=CLOCK)


def bars(symbol="SPY", count=3, newest="2024-03-08T15:00"):
    times = np.datetime64(newest, "ns") - np.arange(count)[::-1] * np.timedelta64(5, "m")
    one = np.ones(count)
    return Bars(symbol, "5Min", times, one, one, one, one, one)


def held(*series, clock=CLOCK, **facts):
    source = MemorySource(series, clock=clock)
    source.capabilities = Capabilities(**facts)
    return source


def asked(*sources, symbols="SPY", limit=3):
    """What comes of asking sources named a, b, ... one after another."""

    async def main():
        failover = Failover(BarsRequest(symbols, "5Min", limit=limit), CLOCK)
        heard = {n: await failover.ask(n, s, 1.0) for n, s in zip("abc", sources, strict=False)}
        return failover, heard, failover.settle()

    return asyncio.run(main())


def test_a_deadline_is_shared_out():
    async def main():
        deadline = Deadline(timedelta(seconds=9))
        return deadline.share(3), deadline.share(1), Deadline(timedelta(0)).share(1)

    third, whole, nothing = asyncio.run(main())
    assert third == pytest.approx(3, abs=0.1)
    assert whole == pytest.approx(9, abs=0.1)
    assert nothing == 0


def test_what_is_not_there_in_time_is_given_up_and_cancelled():
    cleaned = []

    async def answer():
        return "here"

    async def hang():
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(1)

    async def main():
        answers = await within(0.02, SOURCE, [answer(), hang()])
        await asyncio.sleep(0)
        return answers, list(cleaned)

    (here, late), ended = asyncio.run(main())
    assert here == "here"
    assert "memory did not answer in time: got nothing within 0.0 s" in str(late)
    assert late.retryable
    assert ended == [1]


def test_an_answer_that_came_while_the_loop_was_blocked_counts():
    async def block():
        time.sleep(0.05)  # the very thing that is tried
        return "here"

    async def main():
        return await within(0.01, SOURCE, [block()])

    assert asyncio.run(main()) == ["here"]


def test_whoever_breaks_the_contract_fails_without_another_try():
    async def breach():
        raise ContractError("wrong answer")

    async def main():
        return await within(1, SOURCE, [breach()])

    (error,) = asyncio.run(main())
    assert "memory is broken: got wrong answer" in str(error)
    assert not error.retryable
    assert type(error.__cause__) is ContractError


def test_a_caller_who_gives_up_ends_the_work():
    ended = []

    async def hang():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    async def main():
        task = asyncio.ensure_future(within(60, SOURCE, [hang(), hang()]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        return list(ended)

    assert asyncio.run(main()) == [1, 1]


def test_each_symbol_has_the_bars_of_one_source():
    first, second = held(bars("SPY")), held(bars("SPY"), bars("QQQ"))
    failover, heard, _ = asked(first, second, symbols=("SPY", "QQQ"))
    assert failover.answered_by == {"SPY": first, "QQQ": second}
    assert (heard["a"].good, heard["b"].good) == (1, 1)
    assert list(failover.result().bars) == ["SPY", "QQQ"]


def test_an_answer_that_is_behind_is_refused_and_the_source_to_blame():
    failover, heard, _ = asked(held(bars(newest="2024-03-08T14:30")), held(bars()))
    assert failover.bars["SPY"].time[-1] == bars().time[-1]
    assert [error.fault for error in heard["a"].bad] == ["stale"]
    assert list(failover.blamed) == ["a"]


def test_a_symbol_that_is_behind_beside_good_ones_is_its_own_case():
    halted = held(bars("SPY"), bars("OLD", newest="2024-03-08T14:30"))
    failover, heard, _ = asked(halted, symbols=("SPY", "OLD"))
    assert heard["a"].bad == []
    assert "a: memory is behind with OLD" in str(failover.result().failures["OLD"])


def test_the_longest_answer_wins_and_who_left_bars_out_is_to_blame():
    short, full = held(bars(count=2)), held(bars(count=3))
    failover, heard, later = asked(short, full)
    assert failover.answered_by["SPY"] is full
    assert heard["a"].bad == []
    assert [error.fault for error in later["a"].bad] == ["short"]
    assert list(failover.blamed) == ["a"]


def test_a_young_symbol_is_nobodys_fault():
    failover, _, later = asked(held(bars(count=2)), held(bars(count=2)))
    assert len(failover.bars["SPY"]) == 2
    assert {name: (heard.good, heard.bad) for name, heard in later.items()} == {
        "a": (1, []),
        "b": (1, []),
    }
    assert failover.blamed == {}


def test_of_short_answers_the_longest_is_taken():
    longest = held(bars(count=3))
    failover, _, later = asked(held(bars(count=2)), longest, held(bars(count=1)), limit=9)
    assert failover.answered_by["SPY"] is longest
    assert [later[name].good for name in "abc"] == [0, 1, 0]


def test_a_source_at_the_end_of_its_depth_may_be_short():
    _, _, later = asked(held(bars(count=2), depth=timedelta(days=1)), held(bars(count=3)))
    assert later["a"].bad == []


def test_a_source_that_lives_in_another_time_tells_nothing_from_the_future():
    source = MemorySource([bars(count=9, newest="2024-03-08T15:15")])  # by the machine's clock
    failover, _, _ = asked(source)
    assert failover.bars["SPY"].time[-1] == bars().time[-1]


def test_what_came_in_time_is_kept_although_the_rest_is_late():
    class Slow(DataSource):
        clock = CLOCK

        async def _fetch(self, request):
            if request.symbols == ("QQQ",):
                await asyncio.Event().wait()
            return bars("SPY")

    async def main():
        failover = Failover(BarsRequest(("SPY", "QQQ"), "5Min"), CLOCK)
        heard = await failover.ask("slow", Slow(), 0.05)
        return failover, heard

    failover, heard = asyncio.run(main())
    assert list(failover.bars) == ["SPY"]
    assert failover.missing == ("QQQ",)
    assert (heard.good, len(heard.bad)) == (1, 1)


def test_when_nobody_has_bars_the_error_names_everybodys_reason():
    failover, _, _ = asked(held(), held(bars(newest="2024-03-08T14:30")))
    error = failover.result().failures["SPY"]
    assert isinstance(error, NoDataError)
    assert list(error.causes) == ["a", "b"]
    assert str(error).startswith("no source has bars of SPY (5Min): got a: no 5Min bars of SPY in")
    assert "; b: memory is behind with SPY 5Min" in str(error)


def test_asking_again_may_help_where_it_may_help_with_one_source():
    for_ever, passing = NoDataError("unknown"), SourceError("gone")
    assert not nobody("has it", {"a": for_ever}).retryable
    assert nobody("has it", {"a": for_ever, "b": passing}).retryable
    assert "got no source" in str(nobody("has it", {}))
