"""Sources under many: event loops, threads, calls that hang, and how much they ask in all."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache
from math import ceil
from time import monotonic

import attrs
import numpy as np
import pytest

from tradekit import BarsRequest, DataSource, FixedClock
from tradekit.data import SimulatedSource
from tradekit.testing import FakeProviders

pytest.importorskip("alpaca")
pytest.importorskip("yfinance")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*is deprecated")]

PROVIDERS = ("alpaca", "iex", "yahoo")
CLOCK = FixedClock(datetime(2024, 3, 9, tzinfo=UTC))  # a Saturday
MARKET, OTHER = (SimulatedSource(seed, clock=CLOCK) for seed in (0, 1))
TIMEOUT = timedelta(seconds=0.3)
TOO_LATE = 1.5  # seconds, where the server would hang or drip for minutes
AT_ONCE, HANGING = 4, 6  # threads of a source, and calls
ADJUSTMENT = {"alpaca": "split", "iex": "raw", "yahoo": "split"}


def request(name, symbols="SPY", limit=78):
    return BarsRequest(symbols, "5Min", limit=limit, adjustment=ADJUSTMENT[name])


@cache
def close(market, name, symbol="SPY"):
    """The last price, as the market behind the providers has it."""
    return asyncio.run(market.fetch(request(name, symbol, 1)))[symbol].close[-1]


def is_true(market, name, fetched):
    return not fetched.failures and all(
        np.isclose(bars.close[-1], close(market, name, symbol), rtol=1e-9) and len(bars) == 78
        for symbol, bars in fetched.bars.items()
    )


def fetch(source, symbols="SPY"):
    return asyncio.run(source.fetch(request(source.name, symbols)))


@pytest.fixture(params=PROVIDERS)
def name(request):
    """A source whose client is loaded."""
    with FakeProviders(MARKET) as fake:
        fetch(getattr(fake, request.param)())
    return request.param


@pytest.fixture
def fake():
    with FakeProviders(MARKET, seed=3) as fake:
        yield fake


def test_one_source_serves_ten_event_loops_one_after_another(fake, name):
    source = getattr(fake, name)()
    assert all(is_true(MARKET, name, fetch(source)) for _ in range(10))


def test_one_source_serves_three_threads_with_loops_of_their_own(fake, name):
    source, together = getattr(fake, name)(), threading.Barrier(3)

    async def many(symbol):
        together.wait(5)
        asked = request(name, symbol)
        return await asyncio.gather(*(source.fetch(asked) for _ in range(6)))

    symbols = ("SPY", "QQQ", "IWM")
    with ThreadPoolExecutor(3) as pool:
        told = list(pool.map(lambda symbol: asyncio.run(many(symbol)), symbols))
    assert [set(fetched.bars) for each in told for fetched in each] == [
        {symbol} for symbol in symbols for _ in range(6)
    ]
    assert all(is_true(MARKET, name, fetched) for each in told for fetched in each)


def test_two_sources_with_two_truths_never_mix_them(name):
    with FakeProviders(MARKET) as here, FakeProviders(OTHER) as there:
        sources = {MARKET: getattr(here, name)(), OTHER: getattr(there, name)()}
        assert not np.isclose(close(MARKET, name), close(OTHER, name), rtol=1e-3)

        def ask(market):
            return market, fetch(sources[market], ("SPY", "QQQ"))

        with ThreadPoolExecutor(4) as pool:
            told = list(pool.map(ask, [MARKET, OTHER] * 8))
    assert all(is_true(market, name, fetched) for market, fetched in told)


def test_yahoo_is_one_more_user_of_yfinance_and_not_the_only_one():
    import yfinance

    with FakeProviders(MARKET) as here, FakeProviders(OTHER) as there:
        theirs = yfinance.Ticker("SPY", session=there.yahoo_session())
        source = here.yahoo()
        for _ in range(3):
            assert is_true(MARKET, "yahoo", fetch(source))
            days = theirs.history(start="2024-03-04", end="2024-03-09", interval="5m")
            assert np.isclose(days["Close"].iloc[-1], close(OTHER, "yahoo"))


async def has_struck(fake, times=1):
    async with asyncio.timeout(5):
        while sum(asked.fault is not None for asked in fake.requests) < times:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("fault", ["hang", "slow_drip"])
def test_who_gives_up_waiting_leaves_nothing_in_the_way_of_the_next(fake, name, fault):
    source = getattr(fake, name)(timeout=TIMEOUT)

    async def impatient():
        fake.break_next(name, fault)
        call = asyncio.create_task(source.fetch(request(name)))
        await has_struck(fake)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return await source.fetch(request(name))

    begun = monotonic()
    assert is_true(MARKET, name, asyncio.run(impatient()))
    assert monotonic() - begun < TOO_LATE


def mend(fake, name):
    """Let nothing more go wrong: calls that never began have left their faults behind."""
    fake._faults[name]._forced.clear()


@pytest.mark.parametrize("fault", ["hang", "slow_drip", "drop"])
@pytest.mark.parametrize("name", PROVIDERS, indirect=True)
def test_however_many_calls_hang_they_end_in_time_and_so_does_the_next(fake, name, fault):
    source = getattr(fake, name)(timeout=TIMEOUT)
    fake.break_next(name, fault, HANGING)

    async def crowd():
        return await asyncio.gather(*(source.fetch(request(name)) for _ in range(HANGING)))

    begun = monotonic()
    told = asyncio.run(crowd())
    assert monotonic() - begun < TOO_LATE
    assert {fetched.failures["SPY"].fault for fetched in told} == {"transient"}
    mend(fake, name)
    begun = monotonic()
    assert is_true(MARKET, name, fetch(source))
    assert monotonic() - begun < TOO_LATE


def test_a_call_waits_for_its_turn_behind_those_that_hang(fake, name):
    source = getattr(fake, name)(timeout=TIMEOUT)

    async def in_line():
        fake.break_next(name, "hang", AT_ONCE)
        hanging = [asyncio.create_task(source.fetch(request(name))) for _ in range(AT_ONCE)]
        await has_struck(fake, AT_ONCE)
        told = await source.fetch(request(name, "QQQ"))
        return told, await asyncio.gather(*hanging)

    told, failed = asyncio.run(in_line())
    assert is_true(MARKET, name, told)
    assert {fetched.failures["SPY"].fault for fetched in failed} == {"transient"}


@pytest.mark.parametrize("fault", ["slow_drip"])
@pytest.mark.parametrize("name", PROVIDERS, indirect=True)
def test_one_call_that_drips_is_given_up_however_well_others_are_served(fake, name, fault):
    source = getattr(fake, name)(timeout=TIMEOUT)

    async def in_company():
        fake.break_next(name, fault)
        begun, calls = monotonic(), 0
        slow = asyncio.create_task(source.fetch(request(name)))
        await has_struck(fake)
        while not slow.done() and monotonic() - begun < TOO_LATE:
            calls += is_true(MARKET, name, await source.fetch(request(name, "QQQ")))
        slow.cancel()
        return slow.done(), calls

    ended, calls = asyncio.run(in_company())
    assert ended
    assert calls > 1


def test_a_process_ends_at_once_though_calls_hang():
    script = """
        import asyncio, warnings
        from datetime import timedelta
        from tradekit import BarsRequest
        from tradekit.data import SimulatedSource
        from tradekit.testing import FakeProviders

        warnings.simplefilter("ignore")
        fake = FakeProviders(SimulatedSource()).__enter__()  # and nobody ever leaves
        slow = {"timeout": timedelta(seconds=60)}
        sources = fake.alpaca(**slow), fake.iex(**slow), fake.yahoo(**slow)

        async def impatient():
            calls = []
            for source in sources:
                fake.break_next(source.name, "hang")
                request = BarsRequest("SPY", "5Min", limit=1, adjustment="split")
                calls.append(asyncio.create_task(source.fetch(request)))
            while sum(asked.fault == "hang" for asked in fake.requests) < 3:
                await asyncio.sleep(0.01)
            for call in calls:
                call.cancel()

        asyncio.run(impatient())
        print("over")
    """
    run = [sys.executable, "-c", textwrap.dedent(script)]
    process = subprocess.run(run, capture_output=True, text=True, timeout=30, check=False)
    # A call alone would last a minute.
    assert (process.stdout.strip(), process.returncode) == ("over", 0), process.stderr


WEEK = {"start": datetime(2024, 3, 4, tzinfo=UTC), "end": datetime(2024, 3, 8, 21, tzinfo=UTC)}
MANY = [f"S{number}" for number in range(500)]
GONE = [f"GONE{number}" for number in range(20)]


class Flat(DataSource):
    """Bars of every symbol for ever, but those of some that are gone."""

    name = "flat"
    batch = True
    clock = CLOCK

    async def _fetch(self, request):
        spy = (await MARKET.fetch(attrs.evolve(request, symbols="SPY")))["SPY"]
        return {s: spy._replace(symbol=s) for s in request.symbols if s not in GONE}


def asked_of_alpaca(monkeypatch, symbols, **window):
    """What comes back, and how many rows, calls of the client and requests it took."""
    from alpaca.data.historical.stock import StockHistoricalDataClient as Client

    real, calls = Client.get_stock_bars, []
    monkeypatch.setattr(Client, "get_stock_bars", lambda *args: calls.append(args) or real(*args))
    with FakeProviders(Flat()) as fake:
        source = fake.alpaca(timeout=timedelta(seconds=60))
        told = asyncio.run(source.fetch(BarsRequest(symbols, "5Min", **window)))
        return told, sum(map(len, told.bars.values())), len(calls), len(fake.requests)


@pytest.mark.parametrize(
    ("window", "each"), [({"limit": 1}, 1), ({"limit": 20}, 20), ({"limit": 100}, 100), (WEEK, 390)]
)
def test_500_symbols_are_one_call_and_one_page_too_many_at_most(monkeypatch, window, each):
    symbols = MANY[: 100 if each == 390 else 500]
    told, rows, calls, pages = asked_of_alpaca(monkeypatch, symbols, **window)
    assert (told.failures, rows, calls) == ({}, len(symbols) * each, 1)
    assert pages <= ceil(rows / 10_000) + 1


def test_those_who_no_longer_trade_cost_one_more_question_whoever_they_are(monkeypatch):
    told, rows, calls, pages = asked_of_alpaca(monkeypatch, MANY[:480] + GONE, limit=20)
    assert sorted(told.failures) == sorted(GONE)
    assert (rows, calls) == (9_600, 2)
    assert pages <= 2


def test_however_many_symbols_cannot_be_the_others_are_served(monkeypatch):
    cannot_be = [f"^{symbol}" for symbol in MANY]
    told, rows, _, _ = asked_of_alpaca(monkeypatch, ["SPY", *cannot_be], limit=1)
    assert (sorted(told.failures), rows) == (sorted(cannot_be), 1)
