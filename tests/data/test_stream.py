"""Streams over a source in memory, which answers as told, and a line that a test speaks on."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from datetime import timedelta

import attrs
import pytest

from tradekit import (
    RateLimitError,
    SourceError,
)
from tradekit._core.clock import from_ns
from tradekit.data import _stream

from .desk import COLUMNS, MINUTE, OPEN, Desk, days, labels, minutes, turns

DOWN = SourceError("the network is down")
SPY, QQQ = minutes("SPY"), minutes("QQQ", seed=1)


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(_stream, "_POLL", 0)


def test_a_bar_is_asked_for_when_it_has_settled_all_symbols_in_one_question():
    async def check(desk):
        async with desk.stream() as listener:
            await desk.pass_on(1, 4)
            assert (desk.questions, listener.bars) == ([], [])
            await desk.pass_on(1, 5)
            assert listener.bars == [SPY[0], QQQ[0]]
            (request,) = desk.questions
            assert request.symbols == ("SPY", "QQQ")
            assert (request.start, request.end) == (OPEN, OPEN + MINUTE)

    asyncio.run(check(Desk(SPY, QQQ)))


def test_the_first_bar_is_the_first_that_closes_after_the_call():
    async def check(desk):
        async with desk.stream() as listener:
            await desk.pass_on(12)
            assert listener.heard() == [10]  # the eleventh has not settled

    asyncio.run(check(Desk(SPY, at=OPEN + 10 * MINUTE + timedelta(seconds=30))))


def test_what_the_line_tells_is_given_at_once_and_nobody_is_asked():
    async def check(desk):
        async with desk.stream(line=desk.line) as listener:
            for number in range(3):
                desk.clock.move_to(OPEN + (number + 1) * MINUTE)
                desk.say("SPY", number)
                await desk.pass_on(number + 1, 30)
            assert listener.bars == list(SPY[:3])
            assert desk.questions == []

    asyncio.run(check(Desk(SPY)))


def test_what_the_line_missed_is_asked_for_and_comes_in_order():
    async def check(desk):
        async with desk.stream(line=desk.line) as listener:
            desk.clock.move_to(OPEN + 4 * MINUTE)
            desk.say("SPY", 0, 3)
            await turns()
            assert listener.heard() == [0, 1, 2, 3]
            (request,) = desk.questions
            settled = OPEN + timedelta(minutes=3, seconds=55)
            assert (request.start, request.end) == (OPEN + MINUTE, settled)

    asyncio.run(check(Desk(SPY)))


def test_a_minute_without_a_trade_holds_the_next_up_until_an_answer_shows_it():
    sparse = SPY[:3]._replace(**{n: getattr(SPY, n)[[0, 2, 3]] for n in ("time", *COLUMNS)})

    async def check(desk):
        async with desk.stream(line=desk.line) as listener:
            await desk.pass_on(1)
            desk.say("SPY", 0)
            await desk.pass_on(2, 5)
            assert (listener.heard(), len(desk.questions)) == ([0], 1)
            await desk.pass_on(3)
            desk.say("SPY", 2)
            await desk.pass_on(3, 1)
            assert listener.heard() == [0]
            await desk.pass_on(3, 5)
            assert listener.heard() == [0, 2]

    asyncio.run(check(Desk(sparse)))


def test_an_answer_that_ends_early_is_no_proof_and_is_asked_for_again():
    def short(fetched):
        fetched.bars["SPY"] = fetched.bars["SPY"][:2]
        return fetched

    async def check(desk):
        async with desk.stream() as listener:
            desk.answers = [short]
            await desk.pass_on(4, 5)
            assert listener.heard() == [0, 1]
            await desk.pass_on(4, 25)
            assert listener.heard() == [0, 1, 2, 3]

    asyncio.run(check(Desk(SPY)))


def test_failures_are_repeated_and_said_once_and_so_is_their_end(caplog):
    caplog.set_level(logging.INFO, "tradekit.data")

    async def check(desk):
        async with desk.stream() as listener:
            desk.answers = [DOWN, DOWN, DOWN]
            for seconds in (5, 6, 7, 9, 11, 18):
                await desk.pass_on(1, seconds)
            assert listener.heard() == []
            await desk.pass_on(1, 19)
            assert (listener.heard(), len(desk.questions)) == ([0], 4)

    asyncio.run(check(Desk(SPY)))
    assert caplog.messages == [
        "stream: SPY cannot be asked for: the network is down",
        "stream: SPY can be asked for again",
    ]


def test_one_who_asks_for_time_is_given_it():
    async def check(desk):
        async with desk.stream() as listener:
            desk.answers = [RateLimitError("too many", retry_after=45)]
            for seconds in (5, 30, 49):
                await desk.pass_on(1, seconds)
            assert len(desk.questions) == 1
            await desk.pass_on(1, 50)
            assert listener.heard() == [0]

    asyncio.run(check(Desk(SPY)))


def test_a_price_far_off_on_the_line_is_asked_for():
    async def check(desk):
        async with desk.stream(line=desk.line) as listener:
            desk.clock.move_to(OPEN + MINUTE)
            prices = {n: getattr(SPY[0], n) * 100 for n in ("open", "high", "low", "close")}
            desk.hear(attrs.evolve(SPY[0], **prices))
            await desk.pass_on(1)
            assert listener.bars == []
            await desk.pass_on(1, 5)
            assert listener.bars == [SPY[0]]

    asyncio.run(check(Desk(SPY)))


def test_a_day_is_asked_for_when_its_auction_is_counted():
    async def check(desk):
        async with desk.stream(settle=timedelta(seconds=8)) as listener:
            await desk.pass_on(390 + 14, 59)  # after the bell
            assert desk.questions == []
            await desk.pass_on(390 + 15)
            assert len(listener.bars) == 1

    asyncio.run(check(Desk(days(), timeframe="1Day")))


def test_three_bars_wait_behind_a_hole_that_nobody_can_look_into(caplog):
    async def check(desk):
        async with desk.stream(line=desk.line) as listener:
            desk.answers = [DOWN] * 8
            for number in (1, 2, 3):
                await desk.pass_on(number + 1)
                desk.say("SPY", number)
                assert listener.heard() == []
                for seconds in (6, 14, 30, 59):
                    await desk.pass_on(number + 1, seconds)
            assert listener.heard() == [1, 2, 3]
            desk.say("SPY", 0)
            await desk.pass_on(6, 30)
            assert listener.heard() == [1, 2, 3, 4, 5]

    asyncio.run(check(Desk(SPY)))
    told = "SPY 1Min bars from 2024-07-02 13:30:00+00:00 until 2024-07-02 13:31:00+00:00"
    assert f"stream: {told} are left out" in caplog.messages


def test_who_lags_far_behind_is_asked_for_apart():
    async def check(desk):
        async with desk.stream():
            await desk.pass_on(30, 5)
            await desk.pass_on(31, 5)
            asked = [(q.symbols, q.start - OPEN) for q in desk.questions[-2:]]
            assert asked == [(("SPY",), 30 * MINUTE), (("NEW",), timedelta(0))]

    asyncio.run(check(Desk(SPY, minutes("NEW", since=400))))


def test_longer_bars_are_made_of_the_lines_minutes_or_asked_for():
    async def check(desk):
        async with desk.stream(line=desk.line) as listener:
            await desk.pass_on(5)
            desk.say("SPY", *range(5))
            await desk.pass_on(9)
            desk.say("SPY", *range(5, 8))
            await desk.pass_on(10)
            assert (len(listener.bars), desk.questions) == (1, [])
            await desk.pass_on(10, 5)
            assert [len(listener.bars), len(desk.questions)] == [2, 1]
            return listener.bars

    first, second = asyncio.run(check(Desk(SPY, timeframe="5Min")))
    for bar, part in ((first, SPY[:5]), (second, SPY[5:10])):
        assert (bar.open, bar.close) == (part.open[0], part.close[-1])
        assert (bar.high, bar.low) == (part.high.max(), part.low.min())
        assert bar.volume == part.volume.sum()


@pytest.mark.parametrize(
    ("timeframe", "closes"),
    [
        # Wednesday ends at 13:00 in New York, Thursday is Independence Day.
        ("1Day", ["07-02T20:00", "07-03T17:00", "07-05T20:00"]),
        ("1Week", ["07-05T20:00"]),
        ("4Hour", ["07-02T17:30", "07-02T20:00", "07-03T17:00", "07-05T17:30", "07-05T20:00"]),
    ],
)
def test_half_days_holidays_and_weekends_are_as_the_calendar_has_them(timeframe, closes):
    async def check(desk):
        async with desk.stream(line=desk.line) as listener:
            for hours in range(4 * 24):
                await desk.pass_on(hours * 60, 5)
            return listener.bars

    bars = asyncio.run(check(Desk(SPY if timeframe == "4Hour" else days(), timeframe=timeframe)))
    assert [f"{bar.close_time:%m-%dT%H:%M}" for bar in bars] == closes


def test_nobody_is_asked_while_the_market_is_closed():
    async def check(desk):
        async with desk.stream() as listener:
            await desk.pass_on(391)
            desk.questions.clear()
            for hours in range(7, 24):
                await desk.pass_on(hours * 60)
            assert desk.questions == []
            await desk.pass_on(24 * 60 + 1, 5)
            assert listener.heard()[-2:] == [389, 390]

    asyncio.run(check(Desk(SPY)))


def test_nothing_is_left_behind_in_any_loop_or_thread():
    async def check():
        desk = Desk(SPY)
        async with desk.stream(line=desk.line) as listener:
            await desk.pass_on(1, 5)
            assert listener.heard() == [0]
        return asyncio.all_tasks() - {asyncio.current_task()}

    left = [asyncio.run(check()) for _ in range(10)]
    threads = [threading.Thread(target=lambda: left.append(asyncio.run(check()))) for _ in "123"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert left == [set()] * 13


class Chaos:
    """What may happen in a minute, drawn from a seed."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def answer(self):
        return self.rng.choice([None, None, None, DOWN, self.damage])

    def damage(self, fetched):
        """Let half of the answers end early."""
        for symbol, found in list(fetched.bars.items()):
            if self.rng.random() < 0.5:
                fetched.bars[symbol] = found[: 1 + len(found) // 2]
        return fetched

    def tell(self, desk, number):
        """Tell a minute of all symbols in any order; some get lost, some come twice."""
        label = labels()[number]
        news = [symbol for symbol, bars in desk.bars.items() if label in bars.time]
        news = [symbol for symbol in news if self.rng.random() < 0.8]
        news += self.rng.sample(news, self.rng.randint(0, len(news)))
        for symbol in self.rng.sample(news, len(news)):
            desk.say(symbol, number)


async def live_through(desk, chaos, count):
    """Stream so many minutes, and a little more, so that all of them can come."""
    rng = chaos.rng
    async with desk.stream(line=desk.line) as listener:
        for number, label in enumerate(labels()[:count].tolist()):
            desk.clock.move_to(from_ns(label) + MINUTE)
            chaos.tell(desk, number)
            desk.answers = [chaos.answer()]
            await turns(rng.randint(0, 12))
            desk.clock.move_to(desk.clock.now() + timedelta(seconds=rng.randint(0, 59)))
            await turns(rng.randint(0, 12))
        desk.answers = []
        desk.clock.move_to(desk.clock.now() + timedelta(seconds=90))
        await turns()
        return listener.bars


@pytest.mark.parametrize("seed", range(2))
def test_a_thousand_minutes_come_once_and_in_order_whatever_line_and_desk_do(seed):
    rare, new = minutes("RARE", seed=2, share=0.3), minutes("NEW", seed=3, since=450)
    desk = Desk(SPY, QQQ, rare, new)
    given = asyncio.run(live_through(desk, Chaos(seed), 1_000))
    end = from_ns(int(labels()[999])) + MINUTE
    for truth in desk.bars.values():
        come = [bar for bar in given if bar.symbol == truth.symbol and bar.close_time <= end]
        assert come == list(truth.until(end))
