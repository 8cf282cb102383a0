from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from time import monotonic

import attrs
import numpy as np
import pytest

from tradekit import Bars, BarsRequest, Capabilities, FixedClock, SourceError
from tradekit.data import MemorySource
from tradekit.data._cross_check import CrossChecker
from tradekit.data._failover import Failover
from tradekit.data._lineup import Lineup
from tradekit.data._pool import SourcePool
from tradekit.data._settings import Settings

CLOCK = FixedClock(datetime(2024, 3, 8, 15, 6, tzinfo=UTC))
REQUEST = BarsRequest("SPY", "5Min", limit=5)


def bars(price=100.0, symbol="SPY"):
    newest = np.datetime64("2024-03-08T15:00", "ns")
    times = newest - np.arange(5)[::-1] * np.timedelta64(5, "m")
    p = np.full(5, price)
    return Bars(symbol, "5Min", times, p, p, p, p, p)


def judged(*prices, cross_check="always", events=None, **settings):
    """What comes of sources a, b, c that say these prices; None is one that has no bars."""
    makers = {
        name: lambda p=price: MemorySource([] if p is None else [bars(p)], clock=CLOCK)
        for name, price in zip("abc", prices, strict=False)
    }
    settings = Settings(cross_check=cross_check, **settings)
    told = [] if events is None else events

    async def main():
        pool = SourcePool(Lineup(makers), CLOCK, told.append)
        failover = await pool.ask(REQUEST, settings)
        await CrossChecker(pool, seed=0).judge(failover, settings, monotonic() + 8)
        return failover, failover.unconfirmed, pool

    return asyncio.run(main())


def test_an_answer_that_another_bears_out_stands():
    failover, unconfirmed, pool = judged(100.0, 100.1, 250.0)
    assert (failover.answered_by["SPY"], unconfirmed) == ("a", set())
    assert pool.health()["a"]["agreement"] == 1


def off_at_the_end():
    """All as the others have it, but for a newest close that is 3 % too high."""
    told = bars()
    close = told.close.copy()
    close[-1] *= 1.03
    return told._replace(close=close, high=np.maximum(told.high, close))


def held(request, events=None, doubted=(), changed=None, **told):
    """What becomes of a question to sources that have these bars."""
    heard = [] if events is None else events

    async def main():
        makers = {
            name: lambda bars=bars: MemorySource(bars, clock=CLOCK) for name, bars in told.items()
        }
        pool = SourcePool(Lineup(makers), CLOCK, heard.append)
        settings = Settings(cross_check="always", **(changed or {}))
        failover = await pool.ask(request, settings)
        failover.unconfirmed |= set(doubted)
        await CrossChecker(pool, seed=0).judge(failover, settings, monotonic() + 8)
        return failover

    return asyncio.run(main())


def contests(events):
    return [(e.source, e.reason) for e in events if e.status == "contested"]


def test_what_another_bears_out_or_a_third_decides_is_doubted_no_more():
    right, wrong = bars(), bars(101.0)
    assert held(REQUEST, a=[right], b=[right], doubted=["SPY"]).unconfirmed == set()
    assert held(REQUEST, a=[right], b=[wrong], c=[right], doubted=["SPY"]).unconfirmed == set()
    assert held(REQUEST, a=[wrong], b=[right], c=[right], doubted=["SPY"]).unconfirmed == set()
    assert held(REQUEST, a=[right], doubted=["SPY"]).unconfirmed == {"SPY"}


@pytest.mark.parametrize(("behind", "unconfirmed"), [(1, set()), (2, {"SPY"})])
def test_who_has_not_the_newest_bars_does_not_bear_them_out(behind, unconfirmed):
    class Late(MemorySource):
        capabilities = Capabilities(delay=timedelta(minutes=15))

        async def _fetch(self, request):
            return {"SPY": bars()[: 5 - behind]}

    async def main():
        makers = {
            "a": lambda: MemorySource([bars()], clock=CLOCK),
            "b": lambda: Late(clock=CLOCK),
        }
        pool, settings = SourcePool(Lineup(makers), CLOCK), Settings(cross_check="always")
        failover = await pool.ask(REQUEST, settings)
        await CrossChecker(pool, seed=0).judge(failover, settings, monotonic() + 8)
        return failover.unconfirmed

    assert asyncio.run(main()) == unconfirmed


FOUR = ("AAPL", "DIA", "QQQ", "SPY")


def test_that_nobody_else_could_tell_is_told_once_a_question():
    events = []
    request = attrs.evolve(REQUEST, symbols=FOUR)
    failover = held(request, events, a=[bars(symbol=name) for name in FOUR], b=[bars()])
    assert failover.unconfirmed == set(FOUR) - {"SPY"}
    why = "nobody else could tell of AAPL, DIA and 1 more up to the newest bars"
    assert contests(events) == [("a", why)]


def test_that_two_differ_is_told_once_a_question():
    events = []
    request = attrs.evolve(REQUEST, symbols=FOUR)
    told = {name: [bars(price, s) for s in FOUR] for name, price in (("a", 100.0), ("b", 101.0))}
    assert held(request, events, **told).unconfirmed == set(FOUR)
    why = "its prices of AAPL, DIA and 2 more differ from those of b, and no third decides"
    assert contests(events) == [("a", why)]


def test_of_two_who_are_right_the_one_that_is_trusted_answers():
    told = {"a": [bars(101.0)], "b": [bars()], "c": [bars()]}
    for trusted, giver in ((None, "b"), (("c",), "c"), (("a",), "b")):
        assert held(REQUEST, changed={"trusted": trusted}, **told).answered_by == {"SPY": giver}


def test_a_newest_price_that_differs_is_contested_though_all_others_agree():
    assert held(REQUEST, a=[bars()], b=[off_at_the_end()]).unconfirmed == {"SPY"}


def test_of_three_the_one_whose_newest_price_differs_is_the_odd_one():
    failover = held(REQUEST, a=[off_at_the_end()], b=[bars()], c=[bars()])
    assert (failover.answered_by["SPY"], failover.expelled) == ("b", {"a"})
    assert failover.unconfirmed == set()


def test_each_symbol_is_decided_by_whoever_has_not_yet_been_heard_on_it():
    both = attrs.evolve(REQUEST, symbols=("QQQ", "SPY"))
    wrong, right = ([bars(price, name) for name in both.symbols] for price in (101.0, 100.0))
    # QQQ has c as the second and nobody as the third; SPY has b as the second and c as the third.
    failover = held(both, a=wrong, b=[right[1]], c=right)
    assert failover.answered_by == {"SPY": "b", "QQQ": "a"}
    assert failover.unconfirmed == {"QQQ"}


def agreement(pool):
    """Of each source whether its answers were borne out, where any were compared."""
    heard = {name: pool.book._sources[name]._agreed for name in pool.names}
    return {name: [same for _, same in said] for name, said in heard.items() if said}


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        ((100.0, 100.1, 250.0), {"a": [1], "b": [1]}),  # the third was not asked
        ((100.0, 101.0), {"a": [0], "b": [0]}),  # nobody can tell who is right
        ((100.0, 101.0, None), {"a": [0], "b": [0]}),
        ((101.0, 100.0, 100.1), {"a": [0], "b": [1], "c": [1]}),
        ((100.0, 101.0, 100.1), {"a": [1], "b": [0], "c": [1]}),
        ((100.0, 101.0, 103.0), {"a": [0], "b": [0], "c": [0]}),
        # 0.3 % apart, and the third 0.15 % from both: each has one that bears it out.
        ((100.0, 100.3, 100.15), {"a": [1], "b": [1], "c": [1]}),
        ((100.0, None, None), {}),
    ],
)
def test_a_comparison_says_something_of_everybody_who_was_heard(prices, said):
    assert agreement(judged(*prices)[2]) == said


def test_the_odd_one_out_of_three_is_replaced_and_quarantined():
    events = []
    failover, unconfirmed, pool = judged(101.0, 100.0, 100.1, events=events)
    assert failover.answered_by["SPY"] == "b"
    assert failover.bars["SPY"].close[-1] == 100
    assert unconfirmed == set()
    assert pool.book.is_quarantined("a")
    assert pool.health()["a"]["agreement"] == 0
    (event,) = [event for event in events if event.status == "quarantined"]
    assert event.reason == "its prices of SPY differ from those that b and c agree on"


def test_where_the_second_is_the_odd_one_the_first_stands():
    failover, unconfirmed, pool = judged(100.0, 101.0, 100.1)
    assert failover.answered_by["SPY"] == "a"
    assert unconfirmed == set()
    assert pool.book.is_quarantined("b")


@pytest.mark.parametrize("prices", [(100.0, 101.0), (100.0, 101.0, 103.0), (100.0, 101.0, None)])
def test_where_nobody_can_tell_the_answer_is_unconfirmed_and_that_is_told(prices):
    events = []
    failover, unconfirmed, pool = judged(*prices, events=events)
    assert unconfirmed == {"SPY"}
    assert failover.answered_by["SPY"] == "a"
    assert not pool.book.is_quarantined("a")
    assert "contested" in [event.status for event in events]


def test_an_unconfirmed_answer_may_be_refused():
    failover, _, _ = judged(100.0, 101.0, unconfirmed="refuse")
    error = failover.result().failures["SPY"]
    assert failover.missing == ("SPY",)
    assert "a: nobody bears out what a answered of SPY" in str(error)


def test_nobody_to_ask_leaves_an_answer_unconfirmed_only_where_all_are_checked():
    assert judged(100.0)[1] == {"SPY"}
    assert judged(100.0, None)[1] == {"SPY"}
    assert judged(100.0, cross_check="sampled")[1] == set()


def test_without_a_check_nobody_else_is_asked():
    failover, unconfirmed, pool = judged(100.0, 250.0, cross_check="off")
    assert (failover.answered_by["SPY"], unconfirmed) == ("a", set())
    assert pool.health()["b"]["seconds"] == {"p50": None, "p95": None}


def test_one_answer_in_twenty_is_sampled_by_its_seed():
    def drawn(seed):
        checker = CrossChecker(SourcePool(Lineup({}), CLOCK), seed)

        answered = Failover(REQUEST, CLOCK)
        answered.replace("SPY", "a", bars())
        return [
            bool(checker._chosen(answered, Settings(cross_check="sampled"))) for _ in range(2000)
        ]

    assert drawn(1) == drawn(1) != drawn(2)
    # 100 are expected, with a standard deviation of sqrt(2000 * 0.05 * 0.95) = 9.7.
    assert 60 < sum(drawn(1)) < 140


def test_an_error_in_the_second_opinion_is_no_opinion():
    class Down(MemorySource):
        async def _fetch(self, request):
            raise SourceError("gone", retryable=False)

    async def main():
        makers = {
            "a": lambda: MemorySource([bars()], clock=CLOCK),
            "b": lambda: Down(clock=CLOCK),
        }
        pool, settings = SourcePool(Lineup(makers), CLOCK), Settings(cross_check="sampled")
        checker = CrossChecker(pool, seed=0)
        failover = await pool.ask(REQUEST, settings)
        for _ in range(40):
            await checker.judge(failover, settings, monotonic() + 8)
        return failover.unconfirmed

    assert asyncio.run(main()) == set()


def test_all_opinions_share_one_deadline():
    class Hanging(MemorySource):
        async def _fetch(self, request):
            await asyncio.Event().wait()

    async def main():
        makers = {
            "a": lambda: MemorySource([bars()], clock=CLOCK),
            "b": lambda: Hanging(clock=CLOCK),
        }
        pool = SourcePool(Lineup(makers), CLOCK)
        settings = Settings(cross_check="always", timeout=timedelta(seconds=60))
        failover = await pool.ask(REQUEST, settings)
        await asyncio.wait_for(
            CrossChecker(pool, seed=0).judge(failover, settings, monotonic() + 0.05), 10
        )
        return failover.unconfirmed

    assert asyncio.run(main()) == {"SPY"}
