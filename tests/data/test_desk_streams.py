from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta

import attrs
import pytest

from tradekit import BarsRequest, CredentialsError, NoDataError, ReplayClock, SourceError
from tradekit.data import SimulatedSource

from .test_desk import NOW, Counting, manager_of

pytestmark = pytest.mark.slow


@pytest.fixture
def clock():
    return ReplayClock(NOW)


class Speaking(Counting):
    """Streams its minutes as the clock completes them, until it breaks."""

    broken = False

    def __init__(self, clock, **facts):
        super().__init__(clock, **facts)
        self.capabilities = attrs.evolve(self.capabilities, streams=True)

    async def _stream(self, symbols, timeframe):
        told = self.clock.now().replace(second=0)
        while not self.broken:
            await asyncio.sleep(0.005)
            if (now := self.clock.now().replace(second=0)) > told:
                request = BarsRequest(symbols, timeframe, start=told, end=now)
                for bars in (await self.market.fetch(request)).bars.values():
                    for bar in bars:
                        yield attrs.evolve(bar, source=self.name)
                told = now
        raise SourceError("the line is dead")


def streamed(clock, manager, minutes, meanwhile=lambda minute: None):
    """The minutes of SPY that a stream gives while the clock goes on by ten seconds at a time."""

    async def main():
        bars = []

        async def listen():
            async with aclosing(manager.stream("SPY", "1Min")) as coming:
                while len(bars) < minutes:
                    bars.append(await anext(coming))

        listening = asyncio.ensure_future(listen())
        for step in range(6 * minutes + 3):
            meanwhile(step // 6)
            clock.move_to(clock.at + timedelta(seconds=10))
            for _ in range(8):
                await asyncio.sleep(0.004)
        await asyncio.wait_for(listening, 10)
        return bars

    return asyncio.run(main())


def truth(clock, count):
    fetched = asyncio.run(
        SimulatedSource(clock=clock).fetch(BarsRequest("SPY", "1Min", limit=count))
    )
    return list(fetched["SPY"])


def test_a_stream_is_what_a_source_tells_live_and_few_questions(clock):
    source = Speaking(clock)
    bars = streamed(clock, manager_of(source), 12)
    assert bars == truth(clock, 12)
    assert len(source.asked) < 6


def test_a_stream_that_breaks_is_mended_by_questions_to_whoever_answers(clock):
    speaking, other = Speaking(clock), Counting(clock, "b")

    def meanwhile(minute):
        speaking.broken = minute >= 4
        speaking.up = minute < 6

    bars = streamed(clock, manager_of(speaking, other), 12, meanwhile)
    assert bars == truth(clock, 12)
    assert other.asked


def test_where_nobody_streams_bars_are_asked_for(clock):
    source = Counting(clock)
    assert streamed(clock, manager_of(source), 5) == truth(clock, 5)


def test_each_bar_of_a_stream_says_whose_it_is_and_whether_trades_may_be_opened_on_it(clock):
    speaking, other = Speaking(clock), Counting(clock, "b")

    def meanwhile(minute):
        speaking.broken = minute >= 4
        speaking.up = minute < 6

    bars = streamed(clock, manager_of(speaking, other, trusted=["a"]), 12, meanwhile)
    told = [(bar.source, bar.trusted_for_entries) for bar in bars]
    assert set(told) == {("a", True), ("b", False)}
    assert sorted(told) == told  # one after the other


def test_a_stream_of_nobodys_symbol_is_refused_at_once(clock):
    class Knowing(Counting):
        async def _fetch(self, request):
            raise NoDataError("who?", fault="unknown_symbol")

    async def main():
        return [bar async for bar in manager_of(Knowing(clock)).stream("NOSUCH", "1Min")]

    with pytest.raises(NoDataError, match="who"):
        asyncio.run(asyncio.wait_for(main(), 10))


def test_keys_that_all_refuse_end_a_stream_whoever_saw_it_first(clock):
    class Expiring(Counting):
        async def _fetch(self, request):
            if self.up:
                return await super()._fetch(request)
            raise CredentialsError("the keys are no longer good")

    source = Expiring(clock)
    manager = manager_of(source)

    async def main():
        listening = asyncio.ensure_future(anext(manager.stream("SPY", "1Min")))
        while not manager.metrics()["sources"]["a"]["answered"]:
            await asyncio.sleep(0.001)
        source.up = False
        with pytest.raises(NoDataError):
            await manager.fetch("QQQ", "5Min", 9)
        clock.move_to(NOW + timedelta(seconds=70))
        await asyncio.wait_for(listening, 10)

    with pytest.raises(NoDataError, match="no longer good") as caught:
        asyncio.run(main())
    assert caught.value.since == NOW
