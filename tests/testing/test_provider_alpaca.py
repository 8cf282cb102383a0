"""The real alpaca-py client asks the fake Alpaca."""

from __future__ import annotations

import asyncio
import json
import warnings
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import pytest

from tradekit import Bars, BarsRequest, FixedClock
from tradekit.data import MemorySource, SimulatedSource
from tradekit.testing import FakeProviders

pytest.importorskip("alpaca")

NOW = datetime(2024, 3, 8, 22, tzinfo=UTC)
SOURCE = SimulatedSource(clock=FixedClock(NOW))
START, END = datetime(2024, 3, 4, tzinfo=UTC), datetime(2024, 3, 8, 21, tzinfo=UTC)
KEYS = {"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}
RANKED = ("SPY", "QQQ", "AAPL", "MSFT", "IBM")


@pytest.fixture(scope="module")
def fake():
    with FakeProviders(SOURCE, symbols=RANKED) as fake:
        yield fake


@pytest.fixture(scope="module")
def vendor():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of websockets.legacy
        import alpaca.data as vendor
    return vendor


@pytest.fixture
def client(fake, vendor):
    return vendor.StockHistoricalDataClient("k", "s", url_override=fake.urls["alpaca"])


def ask(client, vendor, symbols=("SPY",), minutes=5, **options):
    options = {"start": START, "end": END, "adjustment": vendor.Adjustment.ALL, **options}
    length = vendor.TimeFrame(minutes, vendor.TimeFrameUnit.Minute)
    asked = vendor.StockBarsRequest(symbol_or_symbols=list(symbols), timeframe=length, **options)
    return client.get_stock_bars(asked).data


def truth(symbol, timeframe="5Min", start=START, **options):
    request = BarsRequest(symbol, timeframe, start=start, end=END, **options)
    return asyncio.run(SOURCE.fetch(request))[symbol]


def raw(fake, **params):
    params = {"symbols": "SPY", "timeframe": "5Min", "start": "2024-03-04T00:00:00Z", **params}
    return httpx.get(f"{fake.urls['alpaca']}/v2/stocks/bars", params=params, headers=KEYS)


def assert_same(bars, wanted):
    assert [bar.timestamp.timestamp() * 1e9 for bar in bars] == wanted.time.tolist()
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_allclose([getattr(bar, name) for bar in bars], getattr(wanted, name))


def test_bars_of_many_symbols_are_those_of_the_source(client, vendor):
    found = ask(client, vendor, ("SPY", "QQQ"))
    for symbol in ("SPY", "QQQ"):
        assert_same(found[symbol], truth(symbol))


def test_more_rows_than_a_page_holds_come_in_pages(fake, client, vendor):
    start = datetime(2024, 1, 29, tzinfo=UTC)
    before = len(fake.requests)
    bars = ask(client, vendor, minutes=1, start=start)["SPY"]
    # 29 sessions of 390 minutes: 11,310 rows in two pages of 10,000 at most.
    assert len(bars) == 29 * 390
    assert_same(bars, truth("SPY", "1Min", start))
    assert len(fake.requests) - before == 2


def test_a_limit_is_shared_and_counts_from_the_start(client, vendor):
    found = ask(client, vendor, ("QQQ", "SPY"), limit=400)
    assert [(symbol, len(bars)) for symbol, bars in found.items()] == [("QQQ", 390), ("SPY", 10)]
    assert_same(found["SPY"], truth("SPY")[:10])


def test_descending_rows_come_newest_first_across_pages(client, vendor):
    found = ask(client, vendor, limit=5, sort="desc")["SPY"]
    assert_same(found[::-1], truth("SPY")[-5:])


@pytest.mark.parametrize("sort", ["asc", "desc"])
def test_tokens_lead_through_every_row_once(fake, sort):
    rows, params = (
        [],
        {"symbols": "QQQ,SPY", "limit": 333, "sort": sort, "end": "2024-03-08T21:00:00Z"},
    )
    while True:
        page = raw(fake, **params).json()
        rows += [(symbol, bar["t"]) for symbol, bars in page["bars"].items() for bar in bars]
        if page["next_page_token"] is None:
            break
        params["page_token"] = page["next_page_token"]
    assert len(rows) == len(set(rows)) == 2 * 390
    assert rows == sorted(rows, key=lambda row: row[0])


def test_the_adjustment_is_the_one_that_is_asked_for(client, vendor):
    for name, adjustment in (("raw", vendor.Adjustment.RAW), ("split", vendor.Adjustment.SPLIT)):
        assert_same(
            ask(client, vendor, adjustment=adjustment)["SPY"], truth("SPY", adjustment=name)
        )


def test_the_iex_feed_sees_a_few_percent(client, vendor):
    everything = truth("SPY", "1Min")
    seen = ask(client, vendor, minutes=1, feed=vendor.DataFeed.IEX)["SPY"]
    assert 0.93 < len(seen) / len(everything) < 0.97
    assert 0.02 < sum(bar.volume for bar in seen) / everything.volume.sum() < 0.04


def test_unknown_symbols_are_left_out_and_names_that_cannot_be_refuse_all(fake, client, vendor):
    assert list(ask(client, vendor, ("NOPE", "SPY"))) == ["SPY"]
    answer = raw(fake, symbols="SPY,^VIX")
    assert (answer.status_code, answer.json()) == (400, {"message": "invalid symbol: ^VIX"})


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"timeframe": "5Lightyears"}, "invalid timeframe: 5Lightyears"),
        ({"limit": "0"}, "invalid limit: 0"),
        ({"limit": "10001"}, "invalid limit: 10001"),
        ({"start": "yesterday"}, "invalid start: yesterday"),
        ({"adjustment": "none"}, "invalid adjustment: none"),
        ({"page_token": "?"}, "invalid page_token: ?"),
        ({"symbols": ""}, "invalid symbols: none"),
    ],
)
def test_what_cannot_be_asked_is_refused(fake, params, told):
    answer = raw(fake, **params)
    assert (answer.status_code, answer.json()) == (400, {"message": told})


def test_keys_and_paths_are_needed(fake):
    assert httpx.get(f"{fake.urls['alpaca']}/v2/stocks/bars").status_code == 401
    assert httpx.get(f"{fake.urls['alpaca']}/v3/bars", headers=KEYS).status_code == 404


def test_only_the_sip_feed_can_be_refused_for_its_plan(fake):
    fake.break_next("alpaca", "403_sip")
    assert raw(fake, feed="iex").status_code == 200
    assert raw(fake, feed="sip").json()["message"].endswith("recent SIP data")
    assert raw(fake, feed="sip").status_code == 200


def test_quotes_lie_around_the_last_price(client, vendor):
    asked = vendor.StockLatestQuoteRequest(symbol_or_symbols=["SPY"])
    quote = client.get_stock_latest_quote(asked)["SPY"]
    last = truth("SPY", "1Day", adjustment="split").close[-1]
    assert quote.bid_price < last < quote.ask_price < 1.001 * last
    assert quote.timestamp == NOW


def test_screens_rank_the_days_of_the_source(fake, vendor):
    screener = vendor.ScreenerClient("k", "s", url_override=fake.urls["alpaca"])
    days = {s: truth(s, "1Day", adjustment="split") for s in RANKED}
    volume = {s: bars.volume[-1] for s, bars in days.items()}
    change = {s: 100 * (bars.close[-1] / bars.close[-2] - 1) for s, bars in days.items()}
    actives = screener.get_most_actives(
        vendor.MostActivesRequest(by=vendor.MostActivesBy.VOLUME, top=3)
    ).most_actives
    assert [row.symbol for row in actives] == sorted(volume, key=volume.get)[:-4:-1]
    movers = screener.get_market_movers(vendor.MarketMoversRequest(top=50))
    told = {row.symbol: row.percent_change for row in [*movers.gainers, *movers.losers]}
    assert told == {s: pytest.approx(c, abs=0.006) for s, c in change.items()}
    assert all(row.percent_change > 0 for row in movers.gainers)


@pytest.mark.parametrize(
    ("now", "is_open", "opens", "closes"),
    [
        ("2024-07-03T16:59", True, "2024-07-05T13:30", "2024-07-03T17:00"),  # a half day
        ("2024-07-03T17:00", False, "2024-07-05T13:30", "2024-07-05T20:00"),
    ],
)
def test_the_clock_knows_half_days_and_holidays(vendor, now, is_open, opens, closes):
    from alpaca.trading.client import TradingClient

    at, opens, closes = (
        datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (now, opens, closes)
    )
    with FakeProviders(SimulatedSource(clock=FixedClock(at))) as fake:
        told = TradingClient("k", "s", url_override=fake.urls["alpaca"]).get_clock()
    assert (told.timestamp, told.is_open, told.next_open, told.next_close) == (
        at,
        is_open,
        opens,
        closes,
    )


def test_a_limit_is_counted_down_in_the_headers():
    with FakeProviders(SOURCE, limit_per_minute={"alpaca": 2}, clock=FixedClock(NOW)) as fake:
        answers = [raw(fake) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    told = [[a.headers[f"X-RateLimit-{n}"] for n in ("Limit", "Remaining")] for a in answers]
    assert told == [["2", "1"], ["2", "0"], ["2", "0"]]
    reset = (NOW + timedelta(minutes=1)).timestamp()
    assert int(answers[2].headers["X-RateLimit-Reset"]) == reset


@pytest.mark.parametrize(
    ("recorded", "path", "at"),
    [
        (
            "py_get_bars_1",
            "/v2/stocks/bars?timeframe=1Day&start=2024-03-01&symbols=",
            ("bars", "AAPL", 0),
        ),
        ("py_get_latest_quote_1", "/v2/stocks/quotes/latest?symbols=", ("quotes", "AAPL")),
        ("py_get_market_movers_1", "/v1beta1/screener/stocks/movers?x=", ("losers", 0)),
    ],
)
def test_replies_have_the_shape_of_those_that_were_recorded(fake, market_data, recorded, path, at):
    text = (market_data / f"recorded/alpaca/{recorded}.json").read_text("utf-8")
    theirs = json.loads(text)["response"]["body"]
    ours = httpx.get(f"{fake.urls['alpaca']}{path}AAPL", headers=KEYS).json()
    assert set(ours) == set(theirs)
    for key in at:
        ours, theirs = ours[key], theirs[key]
    assert set(ours) == set(theirs)


def pairs():
    """Two days of minutes, a trade in every second of them."""
    time = np.datetime64("2024-03-07", "ns") + np.arange(2640) * np.timedelta64(1, "m")
    price, volume = 60_000.0 + np.arange(2640), np.where(np.arange(2640) % 2, 0.0, 0.25)
    return Bars("BTC/USD", "1Min", time, *[price] * 4, volume, calendar="24/7")


def test_crypto_is_served_to_everybody_around_the_clock(vendor):
    bars = pairs()
    with FakeProviders(MemorySource([bars], clock=FixedClock(NOW)), symbols=("BTC/USD",)) as fake:
        client = vendor.CryptoHistoricalDataClient(url_override=fake.urls["alpaca"])
        minute = vendor.TimeFrame(1, vendor.TimeFrameUnit.Minute)
        asked = {
            "symbol_or_symbols": ["BTC/USD", "ETH/USD"],
            "start": datetime(2024, 3, 7, tzinfo=UTC),
        }
        told = client.get_crypto_bars(vendor.CryptoBarsRequest(timeframe=minute, **asked)).data
        latest = vendor.CryptoLatestQuoteRequest(symbol_or_symbols="BTC/USD")
        quote = client.get_crypto_latest_quote(latest)["BTC/USD"]
        hours = vendor.TimeFrame(1, vendor.TimeFrameUnit.Hour)
        paged = client.get_crypto_bars(vendor.CryptoBarsRequest(timeframe=hours, limit=7, **asked))
        movers = httpx.get(f"{fake.urls['alpaca']}/v1beta1/screener/crypto/movers", headers=KEYS)
        stocks = httpx.get(f"{fake.urls['alpaca']}/v1beta1/screener/stocks/movers", headers=KEYS)
    assert list(told) == ["BTC/USD"]
    assert_same(told["BTC/USD"], bars[:2640])
    assert {bar.trade_count for bar in told["BTC/USD"]} == {0, 1}
    assert quote.bid_price < bars.close[-1] < quote.ask_price
    assert [bar.timestamp.hour for bar in paged.data["BTC/USD"]] == list(range(7))
    # The day before closed at 60000 + 1439, today's newest price is 60000 + 2639.
    (mover,) = movers.json()["gainers"]
    assert (mover["symbol"], mover["change"]) == ("BTC/USD", 1200.0)
    assert stocks.json()["gainers"] == []


def test_a_delayed_quote_is_a_quarter_of_an_hour_old(vendor):
    now = datetime(2024, 3, 8, 18, tzinfo=UTC)
    source = SimulatedSource(clock=FixedClock(now))
    early = BarsRequest("SPY", "1Min", end=now - timedelta(minutes=15), limit=1, adjustment="split")
    last = asyncio.run(source.fetch(early))["SPY"].close[-1]
    with FakeProviders(source) as fake:
        client = vendor.StockHistoricalDataClient("k", "s", url_override=fake.urls["alpaca"])
        feed = {"symbol_or_symbols": "SPY", "feed": vendor.DataFeed.DELAYED_SIP}
        quote = client.get_stock_latest_quote(vendor.StockLatestQuoteRequest(**feed))["SPY"]
    assert quote.timestamp == now - timedelta(minutes=15)
    assert quote.bid_price < last < quote.ask_price


def test_a_feed_on_which_nothing_was_traded_tells_nothing(fake):
    assert raw(fake, feed="otc").json() == {"bars": {}, "next_page_token": None}
