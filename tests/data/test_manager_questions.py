"""What a manager answers besides bars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tradekit import Bars, Candidate, FixedClock, NoDataError, UsageError
from tradekit.data import MemorySource, MultiSourceDataManager

NOW = datetime(2024, 3, 8, 15, 6, tzinfo=UTC)
CLOCK = FixedClock(NOW)


def candidates(*symbols):
    return [Candidate(s, "gainers", n, 1.0, "up", "x", NOW) for n, s in enumerate(symbols, 1)]


class Able(MemorySource):
    """Says what it is told to when asked for more than bars."""

    def __init__(self, answer):
        super().__init__(clock=CLOCK)
        self.answer = answer

    async def _discover(self, category, limit):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def _quotes(self, symbols):
        return await self._discover("", 1)


def test_the_first_source_that_finds_any_symbols_is_heard():
    sources = [MemorySource(clock=CLOCK), Able(OSError("gone")), Able([]), Able(candidates("A"))]
    manager = MultiSourceDataManager(sources=sources)
    assert [found.symbol for found in manager.blocking.discover("gainers", 5)] == ["A"]


def test_nothing_found_and_could_not_look_are_two_things():
    found = MultiSourceDataManager(sources=[Able(OSError("gone")), Able([])])
    assert found.blocking.discover("gainers") == ()
    blind = MultiSourceDataManager(sources=[MemorySource(clock=CLOCK), Able(OSError("gone"))])
    with pytest.raises(NoDataError, match="no source can look for 'gainers'") as caught:
        blind.blocking.discover("gainers")
    assert list(caught.value.causes) == ["memory", "memory-2"]


def test_each_quote_comes_from_the_first_source_that_has_it():
    one, other = {"SPY": {"bid": 1.0}}, {"SPY": {"bid": 2.0}, "QQQ": {"bid": 3.0}}
    manager = MultiSourceDataManager(sources=[Able(one), Able(other)])
    assert manager.blocking.quotes(["SPY", "QQQ"]) == {"SPY": {"bid": 1.0}, "QQQ": {"bid": 3.0}}


@pytest.mark.parametrize("nonsense", [None, {}, {"bid": float("nan")}, {"bid": "10"}, 5])
def test_who_sends_what_is_no_quote_has_none(nonsense):
    manager = MultiSourceDataManager(sources=[Able({"SPY": nonsense}), Able({"SPY": {"ask": 2.0}})])
    assert manager.blocking.quotes("SPY") == {"SPY": {"ask": 2.0}}
    alone = MultiSourceDataManager(sources=[Able({"SPY": nonsense})])
    with pytest.raises(NoDataError, match="memory sent no quote of SPY"):
        alone.blocking.quotes("SPY")


def test_a_quote_that_nobody_has_is_not_left_out_in_silence():
    manager = MultiSourceDataManager(sources=[Able({"SPY": {"bid": 1.0}})])
    with pytest.raises(NoDataError, match="no source has quotes of QQQ") as caught:
        manager.blocking.quotes(["SPY", "QQQ"])
    assert caught.value.found == {"SPY": {"bid": 1.0}}


def test_a_symbol_without_an_answer_is_told_once_until_there_is_one_again(caplog):
    class Shaky(MemorySource):
        """It has the bars of SPY when it is up."""

        up = False

        async def _fetch(self, request):
            if not self.up:
                raise NoDataError("it is down")
            minutes, p = (np.arange(5) + 5000 * 12 * 24) * 300 * 10**9, np.full(5, 9.0)
            return Bars("SPY", "5Min", minutes, p, p, p, p, p, calendar="24/7")

    clock = FixedClock(datetime.fromtimestamp((5000 * 12 * 24 + 5) * 300, UTC))
    source = Shaky(clock=clock)
    manager = MultiSourceDataManager(sources=[source], cache_duration=timedelta(0))
    for up in (False, False, True, False):
        source.up = up
        assert (manager.blocking.get_market_data("SPY", "5Min", 5) is not None) is up
    told = [record for record in caplog.records if record.levelname == "WARNING"]
    assert sum("no source has bars of SPY" in record.message for record in told) == 2


@pytest.mark.parametrize("category", [None, 5, "", ["gainers"]])
def test_what_is_looked_for_is_a_word(category):
    manager = MultiSourceDataManager(sources=[Able(candidates("A"))])
    with pytest.raises(UsageError, match="a category is a word"):
        manager.blocking.discover(category)
