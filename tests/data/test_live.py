from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tradekit import Bar, Capabilities, DataSource, FixedClock, SourceError
from tradekit.data._lineup import Lineup, chosen_sources
from tradekit.data._live import listen
from tradekit.data._pool import SourcePool

CLOCK = FixedClock(datetime(2024, 3, 8, 15, tzinfo=UTC))
OPEN = datetime(2024, 3, 8, 14, 30, tzinfo=UTC)


def minute(number):
    time = OPEN + timedelta(minutes=number)
    return Bar("SPY", "1Min", time, 1.0, 1.0, 1.0, 1.0, 1.0, time + timedelta(minutes=1))


class Speaking(DataSource):
    """Tells minutes, and breaks off after three of them."""

    name, clock = "speaking", CLOCK
    capabilities = Capabilities(streams=True)

    def __init__(self):
        self.begun = 0

    async def _fetch(self, request):
        raise SourceError("it only speaks")

    async def _stream(self, symbols, timeframe):
        self.begun += 1
        for number in range(3):
            yield minute(number)
            await asyncio.sleep(0)
        raise SourceError("the line is dead")


class Mute(Speaking):
    name, capabilities = "mute", Capabilities()


def heard(pool, hear=lambda bars: None, turns=40, enough=True, trusted=True):
    """What is told within some turns of the loop."""
    bars = []

    def take(bar):
        bars.append(bar)
        hear(bars)

    async def main():
        listening = asyncio.ensure_future(
            listen(pool, ("SPY",), lambda: enough, lambda name: trusted, take)
        )
        for _ in range(turns):
            await asyncio.sleep(0)
        assert not listening.done()
        listening.cancel()
        await asyncio.wait([listening])

    asyncio.run(main())
    return bars


def panel_of(*sources):
    return SourcePool(Lineup(chosen_sources(sources, CLOCK)), CLOCK)


def test_what_a_source_tells_is_handed_on_until_it_breaks_and_then_tried_again(caplog, monkeypatch):
    monkeypatch.setattr("tradekit.data._live._AGAIN", 0)
    source = Speaking()
    bars = heard(panel_of(source))
    assert bars[:6] == [minute(n) for n in (0, 1, 2, 0, 1, 2)]
    assert source.begun > 1
    assert "is asked instead: the line is dead" in caplog.text


def test_who_does_not_answer_questions_is_not_heard(monkeypatch):
    monkeypatch.setattr("tradekit.data._live._AGAIN", 0)
    speaking = Speaking()
    assert heard(panel_of(Mute(), speaking)) == []
    pool = panel_of(speaking, Mute())

    def leave(bars):
        if len(bars) == 2:
            pool.book.quarantine("speaking", None, "the odd one out")

    assert heard(pool, leave) == [minute(0), minute(1)]


def test_what_is_to_be_held_against_others_is_not_taken_from_one():
    source = Speaking()
    assert heard(panel_of(source), enough=False) == []
    assert source.begun == 0


@pytest.mark.parametrize("trusted", [True, False])
def test_a_minute_says_whose_it_is_and_what_it_is_worth(trusted):
    (first, *_) = heard(panel_of(Speaking()), trusted=trusted)
    assert (first.source, first.trusted_for_entries) == ("speaking", trusted)


def test_who_speaks_nonsense_is_heard_no_more(caplog, monkeypatch):
    monkeypatch.setattr("tradekit.data._live._AGAIN", 0)

    class Babbling(Speaking):
        name = "babbling"

        async def _stream(self, symbols, timeframe):
            self.begun += 1
            yield "no bar"

    source = Babbling()
    assert heard(panel_of(source)) == []
    assert source.begun == 1
    (said,) = caplog.messages
    assert said.startswith("babbling is not heard any more, and is asked instead: Babbling: _str")


@pytest.mark.parametrize("streams", [True, False])
def test_only_who_says_that_it_streams_is_asked_to(streams):
    source = Speaking()
    source.capabilities = Capabilities(streams=streams)
    heard(panel_of(source))
    assert source.begun == streams
