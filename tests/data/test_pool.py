from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import attrs
import numpy as np
import pytest

from tradekit import (
    Bars,
    BarsRequest,
    Capabilities,
    DataSource,
    FixedClock,
    NoDataError,
    RateLimitError,
    ReplayClock,
    SourceError,
    UsageError,
)
from tradekit.data._lineup import Lineup
from tradekit.data._pool import SourcePool
from tradekit.data._settings import Settings

CLOCK = FixedClock(datetime(2024, 3, 8, 21, tzinfo=UTC))
TERMS = Settings(timeout=timedelta(seconds=5), max_errors_before_disable=1)
REQUEST = BarsRequest("SPY", "1Day", limit=1)
DAY = (np.array(["2024-03-08T05:00"], "M8[ns]"), *[np.ones(1)] * 5)


class Down(DataSource):
    """A source that fails for good, and counts how often it was asked."""

    clock = CLOCK

    def __init__(self, error=None):
        self.error, self.calls = error or SourceError("gone", fault="transient", retryable=False), 0

    async def _fetch(self, request):
        self.calls += 1
        raise self.error


class Quoting(Down):
    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    async def _quotes(self, symbols):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def pool(clock=CLOCK, **sources):
    return SourcePool(Lineup({name: lambda s=source: s for name, source in sources.items()}), clock)


def on_trial(source):
    """A pool whose only source is disabled, and may be tried by now."""
    clock = ReplayClock(CLOCK.at)
    alone = pool(clock, source=source)
    ask(alone, attrs.evolve(TERMS, timeout=timedelta(seconds=0.2)))
    assert alone.health()["source"]["status"] == "disabled"
    clock.move_to(CLOCK.at + timedelta(minutes=1))
    return alone


def ask(pool, settings=TERMS):
    return asyncio.run(pool.ask(REQUEST, settings)).result().failures["SPY"]


class Up(Down):
    async def _fetch(self, request):
        self.calls += 1
        return Bars("SPY", "1Day", *DAY)


def test_a_disabled_source_is_not_asked_while_another_answers_and_its_reason_is_named():
    first, second = Down(), Up()
    both = pool(first=first, second=second)
    for _ in range(3):
        assert asyncio.run(both.ask(REQUEST, TERMS)).answered_by == {"SPY": "second"}
    assert (first.calls, second.calls) == (1, 3)
    assert both.health()["first"]["reason"] == "gone"


def test_a_disabled_source_is_tried_before_a_question_stays_without_an_answer():
    first, second = Down(), Up()
    both = pool(first=first, second=second)
    assert asyncio.run(both.ask(REQUEST, TERMS)).answered_by == {"SPY": "second"}
    first._fetch, second._fetch = second._fetch, first._fetch  # now the other one is down
    assert asyncio.run(both.ask(REQUEST, TERMS)).answered_by == {"SPY": "first"}


def test_where_all_are_disabled_nobody_is_asked_and_the_reasons_are_named():
    first, second = Down(), Down()
    both = pool(first=first, second=second)
    for _ in range(3):
        error = ask(both)
    assert (first.calls, second.calls) == (1, 1)
    assert str(error.causes["first"]).startswith("first is not asked: disabled until 2024-03-08 21")


def test_symbols_that_a_source_does_not_know_are_no_failures_of_it_however_it_says_so():
    class Knows(Up):
        def __init__(self, *symbols):
            super().__init__()
            self.symbols = symbols

        async def _fetch(self, request):
            (symbol,) = request.symbols
            return {symbol: Bars(symbol, "1Day", *DAY)} if symbol in self.symbols else {}

    first, second = Knows("SPY"), Knows(*"ABCDEFGH")
    both = pool(first=first, second=second)
    for symbol in "ABCDEFGH":
        asked = attrs.evolve(REQUEST, symbols=symbol)
        assert asyncio.run(both.ask(asked, TERMS)).answered_by == {symbol: "second"}
    assert both.health()["first"]["errors"] == 0
    assert asyncio.run(both.ask(REQUEST, TERMS)).answered_by == {"SPY": "first"}
    first.symbols, second.symbols = (), ("SPY",)  # but what it has told before it should have
    asyncio.run(both.ask(REQUEST, TERMS))
    assert both.health()["first"]["status"] == "disabled"  # after one error, by these settings


def test_what_nobody_had_calls_left_for_has_that_as_its_reason():
    short = Up()
    short.capabilities = Capabilities(calls_per_minute=1)
    both = attrs.evolve(REQUEST, symbols=("SPY", "QQQ"))
    (failure,) = asyncio.run(pool(short=short).ask(both, TERMS)).result().failures.values()
    assert isinstance(failure.causes["short"], RateLimitError)
    assert failure.retryable


def test_a_source_that_is_absent_is_among_the_reasons():
    def absent():
        raise SourceError("no key")

    error = ask(SourcePool(Lineup({"missing": absent, "down": Down}), CLOCK))
    assert {name: str(why) for name, why in error.causes.items()} == {
        "missing": "no key",
        "down": "gone",
    }


def test_only_one_call_tries_a_disabled_source():
    down = Down()
    alone = on_trial(down)

    async def main():
        return await asyncio.gather(*(alone.ask(REQUEST, TERMS) for _ in range(9)))

    asyncio.run(main())
    assert down.calls == 2


def test_who_comes_while_a_source_is_tried_waits_for_what_comes_of_it():
    class Recovering(Up):
        async def _fetch(self, request):
            await asyncio.sleep(0.03)
            if self.calls:
                return await super()._fetch(request)
            self.calls += 1
            raise self.error

    source = Recovering()
    alone = on_trial(source)

    async def main():
        return await asyncio.gather(*(alone.ask(REQUEST, TERMS) for _ in range(9)))

    assert all(answer.bars for answer in asyncio.run(main()))
    assert source.calls == 1 + 9


def test_a_call_that_is_cancelled_leaves_the_way_free():
    class Hanging(Down):
        async def _fetch(self, request):
            self.calls += 1
            await asyncio.Event().wait()

    hanging = Hanging()
    alone = on_trial(hanging)

    async def cancelled():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(alone.ask(REQUEST, TERMS), 0.02)

    asyncio.run(cancelled())
    asyncio.run(cancelled())
    assert hanging.calls == 3


def test_a_question_goes_to_those_who_can_answer_it():
    async def main():
        both, causes = pool(down=Down(), quoting=Quoting({"SPY": {"bid": 1.0}})), {}
        answers = both.answers("_quotes", lambda source: source.quotes("SPY"), causes, TERMS)
        return [answer async for answer in answers], causes

    answers, causes = asyncio.run(main())
    assert answers == [{"SPY": {"bid": 1.0}}]
    assert {name: str(why) for name, why in causes.items()} == {
        "down": "Down cannot quote prices. Try: another source, or write the hook"
    }


def test_what_fails_beside_the_bars_leaves_the_health_alone():
    async def main():
        alone, causes = pool(quoting=Quoting(SourceError("no quotes for you"))), {}
        answers = alone.answers("_quotes", lambda source: source.quotes("SPY"), causes, TERMS)
        return [answer async for answer in answers], str(causes["quoting"]), alone.book.score()

    assert asyncio.run(main()) == ([], "no quotes for you", 100.0)


def quoted(pool, times=1):
    """Ask for a quote, so many times; give the last answers, and why who did not answer."""

    async def main():
        for _ in range(times):
            causes = {}
            answers = pool.answers("_quotes", lambda source: source.quotes("SPY"), causes, TERMS)
            bids = [answer["SPY"]["bid"] async for answer in answers]
        return bids, causes

    return asyncio.run(main())


def test_who_fails_beside_the_bars_time_and_again_is_left_alone_there():
    failing, other = Quoting(SourceError("gone")), Quoting({"SPY": {"bid": 1.0}})
    both = pool(failing=failing, other=other)
    assert quoted(both) == ([1.0], {"failing": failing.answer})
    bids, causes = quoted(both)
    assert bids == [1.0]
    assert str(causes["failing"]).startswith("failing is not asked: disabled until")
    assert both.first()[0] == "failing"  # for bars it is
    both.reset("failing")
    failing.answer = {"SPY": {"bid": 2.0}}
    assert quoted(both) == ([2.0, 1.0], {})


def test_what_a_source_never_tells_is_no_failure_of_it():
    silent = pool(silent=Quoting(NoDataError("no quotes on Sundays")))
    assert str(quoted(silent, times=9)[1]["silent"]) == "no quotes on Sundays"


def test_a_budget_is_kept_however_many_ask_at_once():
    failing, scarce = Quoting(SourceError("gone")), Quoting({"SPY": {"bid": 1.0}})
    scarce.capabilities = Capabilities(calls_per_minute=3)
    both = pool(failing=failing, scarce=scarce)

    async def ask_once():
        answers = both.answers("_quotes", lambda source: source.quotes("SPY"), {}, TERMS)
        return [answer async for answer in answers]

    async def main():
        return await asyncio.gather(*(ask_once() for _ in range(10)))

    assert sum(map(len, asyncio.run(main()))) == 3


def test_a_provider_that_asks_for_rest_rests_whatever_it_was_asked():
    async def main():
        alone, causes = pool(quoting=Quoting(RateLimitError("slower", retry_after=60.0))), {}
        for _ in range(3):
            answers = alone.answers("_quotes", lambda source: source.quotes("SPY"), causes, TERMS)
            assert not [answer async for answer in answers]
        return str(causes["quoting"]), alone.health()["quoting"]["status"]

    cause, status = asyncio.run(main())
    assert status == "resting"
    assert cause.startswith("quoting is not asked: resting until")


def test_a_rest_ends_with_an_answer_to_whatever_question():
    clock = ReplayClock(CLOCK.at)
    limited = Quoting(RateLimitError("slower", retry_after=60.0))
    alone = pool(clock, limited=limited)
    quoted(alone)
    limited.answer = {"SPY": {"bid": 1.0}}
    clock.move_to(CLOCK.at + timedelta(minutes=1))
    assert quoted(alone) == ([1.0], {})
    assert alone.health()["limited"]["status"] == "ok"


def test_beside_the_bars_too_budgets_are_kept_and_quarantined_sources_asked_last():
    def quote(pool):
        async def main():
            causes = {}
            answers = pool.answers("_quotes", lambda source: source.quotes("SPY"), causes, TERMS)
            return [answer["SPY"]["bid"] async for answer in answers], causes

        return asyncio.run(main())

    first, second = Quoting({"SPY": {"bid": 1.0}}), Quoting({"SPY": {"bid": 2.0}})
    first.capabilities = Capabilities(calls_per_minute=2)
    both = pool(first=first, second=second)
    assert quote(both) == ([1, 2], {})
    both.book.quarantine("first", None, "the odd one out")
    assert quote(both) == ([2, 1], {})
    answers, causes = quote(both)
    assert answers == [2]
    assert isinstance(causes["first"], RateLimitError)
    assert both.counted()["requests"] == 2 + 3


def test_who_is_asked_first_is_neither_disabled_nor_quarantined():
    first, second = Down(), Down()
    both = pool(first=first, second=second)
    assert both.first() == ("first", first)
    both.book.quarantine("first", None, "the odd one out")
    assert both.first() == ("second", second)
    ask(both)
    assert both.first() == ("", None)


def test_a_callback_that_nobody_would_await_is_refused():
    class Awaited:
        async def __call__(self, event):
            return None

    async def awaited(event):
        return None

    for callback in (awaited, Awaited(), "print"):
        with pytest.raises(UsageError, match="no such on_change: expected a plain function"):
            SourcePool(Lineup({}), CLOCK, callback)


def test_health_names_every_source_in_order():
    def absent():
        raise SourceError("no key")

    health = SourcePool(Lineup({"missing": absent, "down": Down}), CLOCK).health()
    assert [(name, standing["status"]) for name, standing in health.items()] == [
        ("missing", "absent"),
        ("down", "ok"),
    ]
    assert health["missing"]["reason"] == "no key"


def test_a_reset_takes_a_name_or_the_source_and_nothing_else():
    down = Down()
    alone = pool(down=down)
    for source in ("down", down):
        ask(alone)
        assert alone.health()["down"]["status"] == "disabled"
        alone.reset(source)
        assert alone.health()["down"]["status"] == "ok"
    alone.reset(DataSource.YAHOO)  # absent, and that is no mistake
    for stranger in ("nobody", Down(), None):
        with pytest.raises(UsageError, match="no such source: expected 'down', got"):
            alone.reset(stranger)


def test_what_takes_long_the_first_time_is_no_time_that_a_source_took():
    class Instant(DataSource):
        clock = CLOCK

        async def _fetch(self, request):
            return Bars("SPY", "1Day", *DAY)

    def slow():
        time.sleep(0.3)  # as an import may
        return Instant()

    async def main():
        cold, turns = SourcePool(Lineup({"a": slow}), CLOCK), 0
        asking = asyncio.ensure_future(cold.ready(["SPY"]))
        while not asking.done():
            turns += 1
            await asyncio.sleep(0.01)
        await cold.ready(["SPY"])
        settings = attrs.evolve(TERMS, timeout=timedelta(seconds=0.2))
        return turns, (await cold.ask(REQUEST, settings)).bars

    turns, bars = asyncio.run(main())
    assert turns > 2  # others could act meanwhile
    assert list(bars) == ["SPY"]
