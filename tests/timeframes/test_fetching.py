from __future__ import annotations

import asyncio

import numpy as np

from tradekit import Bars, Fetched, NoDataError, SourceError, Timeframe
from tradekit.timeframes._fetching import fetch_views

from .conftest import NOW, held, minutes, simulated

FIVE, HOUR, DAY = map(Timeframe, ("5Min", "1Hour", "1Day"))


def fetch(provider, **lookbacks):
    wanted = {
        Timeframe(f"1{name}" if name != "Five" else "5Min"): n for name, n in lookbacks.items()
    }
    return asyncio.run(fetch_views(provider, "X", wanted, NOW))


def test_what_is_made_of_shorter_bars_is_what_the_source_has():
    market = simulated()
    lookbacks = {FIVE: 300, HOUR: 100, Timeframe("4Hour"): 50, DAY: 20}
    views = asyncio.run(fetch_views(market, "SPY", lookbacks, NOW))
    assert [call for call, _ in market.asked] == ["5Min", "1Day"]
    for timeframe, lookback in lookbacks.items():
        direct = asyncio.run(market.fetch_many(("SPY",), timeframe, lookback))["SPY"]
        assert (views[timeframe].time == direct.time).all()
        assert np.allclose(views[timeframe].close, direct.close)
        assert np.allclose(views[timeframe].volume, direct.volume)


def test_a_timeframe_that_cannot_be_had_stands_beside_the_others():
    days = minutes(np.arange(1.0, 6.0), first="2024-03-04T05:00", timeframe="1Day")
    views = fetch(held(days), Five=10, Hour=10, Day=10)
    assert list(views) == ["5Min", "1Hour", "1Day"]
    assert isinstance(views[FIVE], NoDataError)
    assert isinstance(views[HOUR], NoDataError)
    assert views[DAY].close.tolist() == [1.0, 2.0, 3.0, 4.0]  # Friday is not over


def test_what_cannot_be_made_is_asked_for_directly():
    class HoursOnly:
        async def fetch_many(self, symbols, timeframe, lookback, end=None):
            if timeframe != "1Hour":
                raise SourceError("only hours here")
            return Fetched({"X": held_hours})

    base = minutes(np.arange(1.0, 121.0))
    held_hours = asyncio.run(held(base).fetch_many(("X",), "1Hour", 9))["X"]
    assert fetch(HoursOnly(), Hour=9)[HOUR] == held_hours[-9:]


def test_longer_bars_are_asked_for_directly_where_short_ones_reach_back_too_little():
    class Shallow:
        market = simulated()

        async def fetch_many(self, symbols, timeframe, lookback, end=None):
            kept = min(lookback, 400) if timeframe == "1Min" else lookback  # a session of minutes
            return await self.market.fetch_many(symbols, timeframe, kept, end)

    lookbacks = {Timeframe("1Min"): 300, FIVE: 100, Timeframe("15Min"): 300}
    views = asyncio.run(fetch_views(Shallow(), "SPY", lookbacks, NOW))
    assert [len(view) for view in views.values()] == [300, 79, 300]
    assert [call for call, _ in Shallow.market.asked] == ["1Min", "15Min"]


def test_more_is_asked_for_where_rows_lie_outside_regular_hours():
    # Six hours and a half before the open for as long a session: every second row is of no use.
    morning = [minutes(np.ones(780), f"2024-03-0{day}T08:00") for day in (4, 5, 6, 7)]
    columns = ("time", "open", "high", "low", "close", "volume")
    joined = [np.concatenate([getattr(bars, name) for bars in morning]) for name in columns]
    provider = held(Bars("X", "1Min", *joined))
    views = fetch(provider, Min=10, Five=300)
    assert [len(views[Timeframe(name)]) for name in ("1Min", "5Min")] == [10, 300]
    assert [call for call, _ in provider.asked] == ["1Min", "1Min"]


def test_the_provider_is_told_when_now_is():
    class Told:
        async def fetch_many(self, symbols, timeframe, lookback, end=None):
            assert (symbols, end) == (("X",), NOW)
            raise NoDataError("nothing here")

    assert str(fetch(Told(), Day=10)[DAY]) == "nothing here"


def test_whatever_a_provider_raises_is_a_reason():
    class Broken:
        async def fetch_many(self, symbols, timeframe, lookback, end=None):
            raise ConnectionError("the cable is cut")

    failure = fetch(Broken(), Day=10)[DAY]
    assert isinstance(failure, SourceError)
    assert "ConnectionError: the cable is cut" in str(failure)
    assert isinstance(failure.__cause__, ConnectionError)


def test_a_provider_of_frames_will_do():
    class Frames:
        async def get_market_data(self, symbol, timeframe, limit):
            frame = minutes(np.arange(1.0, 61.0)).to_frame()
            return frame.tail(limit) if timeframe == "1Min" else None

    views = fetch(Frames(), Min=60, Day=10)
    assert len(views[Timeframe("1Min")]) == 60
    assert "nobody has 1Day bars of X" in str(views[DAY])
