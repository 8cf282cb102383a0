from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from fractions import Fraction

import numpy as np
import pytest

from tradekit import Bars, FixedClock
from tradekit.data import MemorySource, SimulatedSource
from tradekit.testing._provider_actions import Actions
from tradekit.testing._provider_market import Market

NOW = datetime(2024, 3, 8, 22, tzinfo=UTC)


def ns(text):
    return int(np.datetime64(text, "ns").astype("i8"))


def between(source, symbol, first, last):
    clock = source.clock
    return asyncio.run(Actions(Market(source, clock, ())).between(symbol, ns(first), ns(last)))


def days(kind, close, first="2024-02-26T05:00"):
    time = np.datetime64(first, "ns") + np.arange(len(close)) * np.timedelta64(24, "h")
    price = np.array(close)
    return Bars("AAPL", "1Day", time, *[price] * 4, price, adjustment=kind)


def held(raw, split, full):
    return MemorySource(
        map(days, ("raw", "split", "all"), (raw, split, full)), clock=FixedClock(NOW)
    )


def test_a_split_is_what_raw_prices_fall_by_more_than_adjusted_ones():
    source = held([400.0, 404.0, 102.0], [100.0, 101.0, 102.0], [100.0, 101.0, 102.0])
    (split,) = between(source, "AAPL", "2024-02-26", "2024-03-01")
    assert (split.time, split.split, split.dividend) == (ns("2024-02-28T14:30"), 4, 0.0)


def test_a_reverse_split_takes_several_for_one():
    (split,) = between(
        held([1.0, 10.2], [10.0, 10.2], [10.0, 10.2]), "AAPL", "2024-02-27", "2024-03-01"
    )
    assert split.split == Fraction(1, 10)


def test_a_dividend_is_the_share_of_the_close_before_that_adjusted_prices_lack():
    # 1 % of 102 is paid on the third day: the days before are adjusted by 0.99.
    source = held([100.0, 102.0, 101.0], [100.0, 102.0, 101.0], [99.0, 100.98, 101.0])
    (paid,) = between(source, "AAPL", "2024-02-26", "2024-03-01")
    assert (paid.time, paid.split, paid.dividend) == (ns("2024-02-28T14:30"), 1, 1.02)


def test_rounding_is_no_dividend():
    close = np.array([500.0, 501.0, 502.0])
    noisy = (close * 0.37).astype(np.float32).astype(float)
    assert (
        between(
            held(close.tolist(), close.tolist(), noisy.tolist()), "AAPL", "2024-02-26", "2024-03-01"
        )
        == []
    )


@pytest.mark.parametrize("symbol", ["SPY", "AAPL", "IBM"])
def test_a_simulated_market_is_seen_through(symbol):
    source = SimulatedSource(clock=FixedClock(NOW))
    told = {(a.session, a.kind): a.value for a in source.actions(symbol) if a.session.year >= 2000}
    found = between(source, symbol, "2000-01-01", "2024-03-08T22:00")
    splits = {
        np.datetime64(a.time, "ns").astype("M8[D]").item(): a.split for a in found if a.split != 1
    }
    assert splits == {day: value for (day, kind), value in told.items() if kind == "split"}
    later = {
        day: np.prod([float(r) for other, r in splits.items() if other > day]) for day, _ in told
    }
    paid = {
        np.datetime64(a.time, "ns").astype("M8[D]").item(): a.dividend for a in found if a.dividend
    }
    wanted = {d: v / later[d] for (d, kind), v in told.items() if kind == "dividend"}
    assert paid == {day: pytest.approx(value, abs=1e-6) for day, value in wanted.items()}
    assert len(paid) + len(splits) > 20


def test_years_in_which_nothing_happens_are_asked_for_once():
    class Counting(MemorySource):
        asked = 0

        async def _fetch(self, request):
            self.asked += 1
            return await super()._fetch(request)

    source = Counting(
        [days(kind, [100.0] * 5) for kind in ("raw", "split", "all")], clock=FixedClock(NOW)
    )
    actions = Actions(Market(source, FixedClock(NOW), ()))

    async def ask():
        for day in (26, 27, 28):
            window = ns(f"2024-02-{day}T14:30"), ns(f"2024-02-{day}T21:00")
            assert await actions.between("AAPL", *window) == []

    asyncio.run(ask())
    assert source.asked == 3


def test_nothing_is_known_before_its_open():
    raw, split = [400.0, 404.0, 102.0], [100.0, 101.0, 102.0]
    early = FixedClock(datetime(2024, 2, 28, 14, tzinfo=UTC))
    source = MemorySource(map(days, ("raw", "split", "all"), (raw, split, split)), clock=early)
    assert between(source, "AAPL", "2024-02-26", "2024-03-01") == []
    assert between(held(raw, split, split), "NOPE", "2024-02-26", "2024-03-01") == []
