"""Streams over a source in memory, which answers as told, and a line that a test speaks on."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tradekit import (
    Bars,
    CredentialsError,
    NoDataError,
    RateLimitError,
    ReplayClock,
    SourceError,
    Timeframe,
)
from tradekit._core.calendar import calendar_for
from tradekit._core.clock import from_ns, to_ns
from tradekit.data import MemorySource, _stream
from tradekit.data._stream import follow

OPEN = datetime(2024, 7, 2, 13, 30, tzinfo=UTC)  # a Tuesday; the day after ends early
MINUTE = timedelta(minutes=1)
DOWN = SourceError("the network is down")


def labels(sessions=4):
    """Every minute of some sessions, from Tuesday on: 390 + 210 + 390 + 390."""
    nyse = calendar_for()
    first = int(nyse.opens.searchsorted(to_ns(OPEN)))
    days = zip(nyse.opens[first:], nyse.closes[first : first + sessions], strict=False)
    return np.concatenate([np.arange(opened, over, 60 * 10**9) for opened, over in days])


def minutes(symbol, seed=0, share=1.0, since=0):
    """A share of all minutes, from one of them on."""
    rng, time = np.random.default_rng(seed), labels()
    close = np.round(100 + np.cumsum(rng.normal(0, 0.05, len(time))), 2)
    open_ = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(open_, close) + 0.01, np.minimum(open_, close) - 0.01
    volume = rng.integers(1, 1_000, len(time)) * 100
    kept = np.flatnonzero((rng.random(len(time)) < share) & (np.arange(len(time)) >= since))
    columns = (column[kept] for column in (time, open_, high, low, close, volume))
    return Bars(symbol, "1Min", *columns)


class Desk:
    """Who is asked: it keeps the questions, and fails as often as it is told to."""

    def __init__(self, *bars, at=OPEN, timeframe="1Min"):
        self.clock, self.timeframe = ReplayClock(at), Timeframe(timeframe)
        self.source = MemorySource(bars, clock=self.clock)
        self.bars = {each.symbol: each for each in bars}
        self.questions = []
        self.answers = []  # instead of true ones: errors, or functions of the true one
        self.hear = None

    async def fetch(self, request):
        self.questions.append(request)
        fetched = await self.source.fetch(request)
        twist = self.answers.pop(0) if self.answers else None
        if isinstance(twist, SourceError):
            raise twist
        return twist(fetched) if twist else fetched

    async def line(self, hear):
        self.hear = hear
        await asyncio.Event().wait()

    def say(self, symbol, *numbers):
        """Let the line tell minutes of a symbol by their numbers."""
        bars = self.bars[symbol]
        for bar in (bars[int(np.flatnonzero(bars.time == labels()[n])[0])] for n in numbers):
            self.hear(bar)

    @asynccontextmanager
    async def stream(self, *symbols, **options):
        bars = follow(
            self.fetch,
            symbols or tuple(self.bars),
            self.timeframe,
            clock=self.clock,
            calendar=lambda symbol: "24/7" if "/" in symbol else "XNYS",
            **options,
        )
        listener = Listener(bars)
        try:
            await turns()
            self.questions.clear()
            yield listener
        finally:
            await listener.close()

    async def pass_on(self, minutes=0, seconds=0):
        """Move the clock to so long after the open, and let everybody act on it."""
        self.clock.move_to(OPEN + timedelta(minutes=minutes, seconds=seconds))
        await turns()


async def turns(count=20):
    """Let everybody act: no poll waits, and no answer takes more turns of the loop than this."""
    for _ in range(count):
        await asyncio.sleep(0)


class Listener:
    """Whoever listens to a stream."""

    def __init__(self, bars):
        self.bars = []
        self.task = asyncio.ensure_future(self._listen(bars))

    async def _listen(self, bars):
        async for bar in bars:
            self.bars.append(bar)

    def heard(self, symbol="SPY"):
        """The numbers of the minutes that have come."""
        return [int(labels().searchsorted(to_ns(b.time))) for b in self.bars if b.symbol == symbol]

    async def close(self):
        self.task.cancel()
        await asyncio.wait([self.task])


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(_stream, "_POLL", 0)


COLUMNS = ("open", "high", "low", "close", "volume")
SPY, QQQ = minutes("SPY"), minutes("QQQ", seed=1)


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


def refuse(error, *symbols):
    def twist(fetched):
        for symbol in symbols:
            fetched.bars.pop(symbol, None)
            fetched.failures[symbol] = error
        return fetched

    return twist


UNKNOWN = NoDataError("never heard of it", fault="unknown_symbol")
LASTING = [
    CredentialsError("wrong keys"),
    SourceError("no such bars", retryable=False),
    UNKNOWN,
]


@pytest.mark.parametrize("error", LASTING)
def test_what_can_never_be_had_ends_the_stream_at_once(error):
    async def check(desk):
        desk.answers = [refuse(error, "SPY", "QQQ")]
        async with desk.stream() as listener:
            assert listener.task.exception() is error

    asyncio.run(check(Desk(SPY, QQQ)))


def test_an_unknown_symbol_among_known_ones_is_said_and_does_not_hurt(caplog):
    async def check(desk):
        desk.answers = [refuse(UNKNOWN, "QQQ")]
        async with desk.stream() as listener:
            await desk.pass_on(1, 5)
            assert listener.heard("SPY") == listener.heard("QQQ") == [0]

    asyncio.run(check(Desk(SPY, QQQ)))
    assert caplog.messages == ["stream: nobody knows QQQ yet; asking goes on"]


def test_keys_that_are_refused_later_end_the_stream():
    async def check(desk):
        async with desk.stream() as listener:
            desk.answers = [LASTING[0]]
            await desk.pass_on(1, 5)
            assert listener.task.exception() is LASTING[0]

    asyncio.run(check(Desk(SPY)))


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


def test_a_quarter_of_an_hour_without_any_sight_ends_the_stream():
    async def check(desk):
        async with desk.stream() as listener:
            desk.answers = [DOWN] * 100
            for minute in range(1, 16):
                await desk.pass_on(minute, 5)
            assert not listener.task.done()
            await desk.pass_on(16, 6)
            error = listener.task.exception()
            assert error.since == OPEN
            assert error.__cause__ is DOWN
            assert error.retryable

    asyncio.run(check(Desk(SPY)))


def test_bars_of_the_line_are_sight_enough():
    async def check(desk):
        async with desk.stream(line=desk.line) as listener:
            desk.answers = [DOWN] * 100
            for minute in range(1, 31):
                await desk.pass_on(minute)
                desk.say("SPY", minute - 1)
                await desk.pass_on(minute, 5)
            assert listener.heard("SPY") == list(range(30))
            assert not listener.task.done()

    asyncio.run(check(Desk(SPY, QQQ)))


def test_who_lags_far_behind_is_asked_for_apart():
    async def check(desk):
        async with desk.stream():
            desk.clock.move_to(OPEN + 30 * MINUTE)
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


def days(symbol="SPY"):
    """Monday, Tuesday, half of Wednesday, and Friday, labelled by midnight in New York."""
    time = [f"2024-07-0{day}T04:00" for day in (1, 2, 3, 5)]
    return Bars(symbol, "1Day", np.array(time, "M8[ns]"), *np.full((5, 4), 100.0))


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


def test_a_line_that_breaks_ends_the_stream():
    async def broken(hear):
        raise SourceError("the client has changed", retryable=False)

    async def check(desk):
        async with desk.stream(line=broken) as listener:
            with pytest.raises(SourceError, match="the client has changed"):
                await listener.task

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


@pytest.mark.parametrize("seed", range(2))
def test_a_thousand_minutes_come_once_and_in_order_whatever_line_and_desk_do(seed):
    rng = random.Random(seed)
    bars = [
        SPY,
        QQQ,
        minutes("RARE", seed=2, share=0.3),
        minutes("NEW", seed=3, since=450),
    ]

    def damaged(fetched):
        for symbol, found in list(fetched.bars.items()):
            if rng.random() < 0.5:
                fetched.bars[symbol] = found[: 1 + len(found) // 2]
        return fetched

    async def check(desk):
        async with desk.stream(line=desk.line) as listener:
            for number, label in enumerate(labels()[:1_000].tolist()):
                desk.clock.move_to(from_ns(label) + MINUTE)
                news = [(s, number) for s, b in desk.bars.items() if label in b.time]
                news = [each for each in news if rng.random() < 0.8]  # some get lost
                news += rng.sample(news, rng.randint(0, len(news)))  # some come twice
                for symbol, which in rng.sample(news, len(news)):
                    desk.say(symbol, which)
                desk.answers = [rng.choice([None, None, None, DOWN, damaged])]
                await turns(rng.randint(0, 12))
                desk.clock.move_to(desk.clock.now() + timedelta(seconds=rng.randint(0, 59)))
                await turns(rng.randint(0, 12))
            desk.answers = []
            last = desk.clock.now() - OPEN
            await desk.pass_on(0, last.total_seconds() + 90)
            return listener.bars

    given = asyncio.run(check(Desk(*bars)))
    end = from_ns(int(labels()[999])) + MINUTE
    for truth in bars:
        come = [bar for bar in given if bar.symbol == truth.symbol and bar.close_time <= end]
        assert come == list(truth.until(end))
