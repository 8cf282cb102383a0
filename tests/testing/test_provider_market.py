from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tradekit import Bars, BarsRequest, DataSource, FixedClock, SourceError
from tradekit.data import MemorySource, SimulatedSource
from tradekit.testing._provider_market import Market, Today


def ns(text):
    return int(np.datetime64(text, "ns").astype("i8"))


def climbing(first, count):
    """Minutes that open at 10, 11, 12 ..., each from a half below to a half above."""
    time = np.datetime64(first, "ns") + np.arange(count) * np.timedelta64(1, "m")
    price = 10.0 + np.arange(count)
    return Bars("SPY", "1Min", time, price, price + 0.5, price - 0.5, price, np.full(count, 7.0))


def market(now, bars):
    clock = FixedClock(datetime.fromisoformat(now).replace(tzinfo=UTC))
    return Market(MemorySource([bars], clock=clock), clock, ("SPY",))


def window(market, timeframe, first, last, symbols=("SPY",)):
    return asyncio.run(market.window(symbols, timeframe, ns(first), ns(last), "raw"))


def test_both_ends_of_a_window_belong_to_it():
    late = market("2024-03-08T22:00", climbing("2024-03-08T14:30", 20))
    rows = window(late, "5Min", "2024-03-08T14:35", "2024-03-08T14:40")["SPY"]
    assert rows.time.tolist() == [ns("2024-03-08T14:35"), ns("2024-03-08T14:40")]
    assert rows.columns["open"].tolist() == [15.0, 20.0]


def test_the_bar_that_runs_comes_as_far_as_it_has_come():
    noon = market("2024-03-08T14:37", climbing("2024-03-08T14:30", 20))
    rows = window(noon, "5Min", "2024-03-08T14:30", "2024-03-08T21:00")["SPY"]
    assert rows.time.tolist() == [ns("2024-03-08T14:30"), ns("2024-03-08T14:35")]
    # Two minutes of the second bar are over: 15 and 16.
    last = {name: column[-1] for name, column in rows.columns.items()}
    assert last == {"open": 15.0, "high": 16.5, "low": 14.5, "close": 16.0, "volume": 14.0}


def test_a_window_that_begins_within_the_bar_that_runs_does_not_have_it():
    noon = market("2024-03-08T14:37", climbing("2024-03-08T14:30", 20))
    assert window(noon, "5Min", "2024-03-08T14:36", "2024-03-08T21:00") == {}


def test_the_day_that_runs_comes_too_but_not_into_a_window_before_it():
    noon = market("2024-03-08T14:37", climbing("2024-03-08T14:30", 20))
    rows = window(noon, "1Day", "2024-03-01", "2024-03-08T20:00")["SPY"]
    assert rows.time.tolist() == [ns("2024-03-08T05:00")]
    assert rows.columns["close"].tolist() == [16.0]
    assert window(noon, "1Day", "2024-03-01", "2024-03-07T20:00") == {}


def test_a_clock_that_goes_on_meanwhile_makes_no_bar_come_twice_or_never():
    class Ticking:
        at = datetime(2024, 3, 8, 14, 35, tzinfo=UTC)

        def now(self):
            self.at += timedelta(minutes=2)
            return self.at

    clock = Ticking()
    ticking = Market(MemorySource([climbing("2024-03-08T14:30", 20)], clock=clock), clock, ())
    rows = window(ticking, "5Min", "2024-03-08T14:30", "2024-03-08T21:00")["SPY"]
    # The first look was at 14:37: two minutes of the second bar were over.
    assert rows.time.tolist() == [ns("2024-03-08T14:30"), ns("2024-03-08T14:35")]
    assert rows.columns["close"][-1] == 16.0


def around_the_clock(now):
    """Minutes of a pair that rise by 1 each, from a Friday into the weekend."""
    time = np.datetime64("2024-03-08", "ns") + np.arange(1500) * np.timedelta64(1, "m")
    price = 100.0 + np.arange(1500)
    bars = Bars("BTC/USD", "1Min", time, *[price] * 4, np.full(1500, 0.5), calendar="24/7")
    clock = FixedClock(datetime.fromisoformat(now).replace(tzinfo=UTC))
    return Market(MemorySource([bars], clock=clock), clock, ())


def test_pairs_have_days_of_utc_that_do_not_end_with_the_week():
    night = around_the_clock("2024-03-09T00:07")
    rows = window(night, "5Min", "2024-03-08T23:50", "2024-03-09T01:00", ("BTC/USD",))["BTC/USD"]
    assert rows.time[-1] == ns("2024-03-09T00:05")  # on a Saturday; two minutes of it are over
    last = {name: column[-1] for name, column in rows.columns.items()}
    # 24 hours are 1,440 minutes: 100 + 1445 and 100 + 1446.
    assert last == {"open": 1545.0, "high": 1546.0, "low": 1545.0, "close": 1546.0, "volume": 1.0}
    day = window(night, "1Day", "2024-03-08", "2024-03-09T00:07", ("BTC/USD",))["BTC/USD"]
    assert day.time.tolist() == [ns("2024-03-08"), ns("2024-03-09")]
    assert day.columns["open"].tolist() == [100.0, 1540.0]


def test_pairs_are_quoted_in_small_ticks():
    (today,) = asyncio.run(around_the_clock("2024-03-09T00:07").today(["BTC/USD"])).values()
    assert (today.last, today.before, today.bid, today.ask) == (
        1546.0,
        1539.0,
        1545.8454,
        1546.1546,
    )
    cheap = Today("DOGE/USD", 0, 0.08, 0.08, 0.08, 0.08, 1.0, 0.08)
    assert (cheap.bid, cheap.ask) == (0.079992, 0.080008)


def test_a_window_may_be_one_moment():
    late = market("2024-03-08T22:00", climbing("2024-03-08T14:30", 20))
    rows = window(late, "5Min", "2024-03-08T14:35", "2024-03-08T14:35")["SPY"]
    assert rows.time.tolist() == [ns("2024-03-08T14:35")]
    assert window(late, "5Min", "2024-03-08T12:00", "2024-03-08T12:00") == {}


def test_nothing_is_known_of_the_future():
    early = market("2024-03-08T14:30", climbing("2024-03-08T14:30", 20))
    assert window(early, "5Min", "2024-03-08T14:30", "2024-03-08T21:00") == {}
    assert window(early, "5Min", "2024-03-09T14:30", "2024-03-10T21:00") == {}


def test_unknown_symbols_are_left_out_and_known_to_be_so():
    late = market("2024-03-08T22:00", climbing("2024-03-08T14:30", 390))
    assert list(window(late, "5Min", "2024-03-08", "2024-03-09", ("NOPE", "SPY"))) == ["SPY"]
    assert asyncio.run(late.knows("SPY"))
    assert not asyncio.run(late.knows("NOPE"))


def test_a_source_that_could_not_look_is_not_an_empty_one():
    class Dead(DataSource):
        async def _fetch(self, request):
            raise SourceError("the line is dead")

    clock = FixedClock(datetime(2024, 3, 8, tzinfo=UTC))
    with pytest.raises(SourceError, match="the line is dead"):
        window(Market(Dead(), clock, ()), "1Day", "2024-03-01", "2024-03-07")


def test_today_is_the_newest_day_beside_the_one_before():
    clock = FixedClock(datetime(2024, 3, 8, 22, tzinfo=UTC))
    source = SimulatedSource(clock=clock)
    days = asyncio.run(source.fetch(BarsRequest("SPY", "1Day", limit=2, adjustment="split")))["SPY"]
    (today,) = asyncio.run(Market(source, clock, ()).today(["SPY"])).values()
    assert (today.before, today.last) == tuple(days.close)
    assert (today.high, today.volume) == (days.high[-1], days.volume[-1])
    assert today.bid < today.last < today.ask < 1.001 * today.last
    assert today.percent == pytest.approx(100 * (days.close[1] - days.close[0]) / days.close[0])


@pytest.mark.parametrize(("last", "bid", "ask"), [(100.0, 99.99, 100.01), (1.0, 0.99, 1.0)])
def test_quotes_are_whole_cents_around_the_last_price(last, bid, ask):
    today = Today("SPY", 0, last, last, last, last, 1.0, last)
    assert (today.bid, today.ask) == (bid, ask)
