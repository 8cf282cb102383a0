"""When a stream ends by itself, and when it does not."""

from __future__ import annotations

import asyncio

import pytest

from tradekit import CredentialsError, NoDataError, SourceError
from tradekit.data import _stream

from .desk import MINUTE, OPEN, Desk, minutes

DOWN = SourceError("the network is down")
SPY, QQQ = minutes("SPY"), minutes("QQQ", seed=1)


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(_stream, "_POLL", 0)


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


def wrapped(*causes):
    """What a manager says where each source has its reason."""
    told = dict(zip("abc", causes, strict=False))
    retryable = any(cause.retryable for cause in causes)
    fault = causes[0].fault
    return NoDataError("no source has bars", causes=told, retryable=retryable, fault=fault)


UNABLE = SourceError("it has no such bars", retryable=False)


def test_keys_that_all_sources_refuse_later_end_the_stream_with_what_is_missing():
    async def check(desk):
        async with desk.stream() as listener:
            desk.answers = [None, wrapped(LASTING[0], UNABLE)]
            await desk.pass_on(1, 5)
            await desk.pass_on(2, 5)
            error = listener.task.exception()
            assert isinstance(error, NoDataError)
            assert (error.since, error.retryable) == (OPEN + MINUTE, False)
            assert error.causes["a"] is LASTING[0]

    asyncio.run(check(Desk(SPY)))


def test_keys_that_one_of_several_sources_refuses_do_not_end_the_stream():
    async def check(desk):
        async with desk.stream() as listener:
            desk.answers = [wrapped(LASTING[0], DOWN)]
            await desk.pass_on(1, 5)
            await desk.pass_on(1, 8)
            assert listener.heard() == [0]

    asyncio.run(check(Desk(SPY)))


def test_keys_that_are_refused_later_end_the_stream():
    async def check(desk):
        async with desk.stream() as listener:
            desk.answers = [LASTING[0]]
            await desk.pass_on(1, 5)
            assert listener.task.exception() is LASTING[0]

    asyncio.run(check(Desk(SPY)))


def test_a_quarter_of_an_hour_without_any_sight_ends_the_stream():
    async def check(desk):
        async with desk.stream() as listener:
            desk.answers = [DOWN] * 100
            for minute in range(1, 16):
                await desk.pass_on(minute, 5)
            assert not listener.task.done()
            await desk.pass_on(16, 6)
            error = listener.task.exception()
            assert isinstance(error, NoDataError)
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


def test_a_line_that_breaks_ends_the_stream():
    async def broken(hear):
        raise SourceError("the client has changed", retryable=False)

    async def check(desk):
        async with desk.stream(line=broken) as listener:
            with pytest.raises(SourceError, match="the client has changed"):
                await listener.task

    asyncio.run(check(Desk(SPY)))
