from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from tradekit import Candidate, DataSource, FixedClock, NoDataError, SourceError
from tradekit.data import _offers as offers
from tradekit.data._lineup import Lineup, chosen_sources
from tradekit.data._pool import SourcePool
from tradekit.data._settings import Settings

CLOCK = FixedClock(datetime(2024, 3, 8, 18, tzinfo=UTC))
SPY = Candidate("SPY", "trending", 1, 1.0, "much traded", "c", CLOCK.at)


class Offering(DataSource):
    """Proposes symbols and quotes prices, as it is told to."""

    clock = CLOCK

    def __init__(self, name, answer):
        self.name, self.answer, self.asked = name, answer, []

    async def _fetch(self, request):
        raise SourceError("it has no bars")

    async def _said(self, asked):
        self.asked.append(asked)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def _discover(self, category, limit):
        return await self._said(category)

    async def _quotes(self, symbols):
        said = await self._said(symbols)
        return {symbol: quote for symbol, quote in said.items() if symbol in symbols}


def panel_of(*answers):
    sources = [Offering(name, answer) for name, answer in zip("abc", answers, strict=False)]
    return SourcePool(Lineup(chosen_sources(sources, CLOCK)), CLOCK), sources


def discovered(*answers):
    return asyncio.run(offers.discover(panel_of(*answers)[0], "trending", 5, Settings()))


def test_the_first_who_proposes_any_is_heard():
    assert discovered(SourceError("down"), (), (SPY,)) == (SPY,)


def test_who_looked_and_found_none_is_not_who_could_not_look():
    assert discovered(SourceError("down"), ()) == ()
    with pytest.raises(NoDataError, match="no source can look for 'trending'"):
        discovered(SourceError("down"), SourceError("down too"))


def test_what_the_first_lacks_is_asked_of_the_next():
    mine, theirs = {"SPY": {"bid": 1.0}}, {"SPY": {"bid": 9.0}, "QQQ": {"ask": 2.0}}
    pool, (_, second) = panel_of(mine, theirs)
    quotes = asyncio.run(offers.quotes(pool, ("SPY", "QQQ"), Settings()))
    assert quotes == {"SPY": {"bid": 1.0}, "QQQ": {"ask": 2.0}}
    assert second.asked == [("QQQ",)]


def test_what_nobody_quotes_is_said_with_what_others_did():
    pool, _ = panel_of({"SPY": {"bid": 1.0}}, SourceError("down"))
    with pytest.raises(NoDataError, match="has quotes of QQQ") as caught:
        asyncio.run(offers.quotes(pool, ("SPY", "QQQ"), Settings()))
    assert caught.value.found == {"SPY": {"bid": 1.0}}
    assert caught.value.causes["b"].problem == "down"
