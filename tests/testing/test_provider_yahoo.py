"""The real yfinance asks the fake Yahoo."""

from __future__ import annotations

import asyncio
import json
import warnings
from datetime import UTC, datetime

import httpx
import numpy as np
import pytest

from tradekit import BarsRequest, FixedClock
from tradekit.data import SimulatedSource
from tradekit.testing import FakeProviders

pytest.importorskip("yfinance")
# yfinance leaves its time-zone cache, a SQLite file, to the garbage collector; and it calls pandas
# in ways that pandas will retire.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Exception ignored in. <sqlite3"),
    pytest.mark.filterwarnings("ignore:.*is deprecated"),
]

NOW = datetime(2024, 3, 8, 18, tzinfo=UTC)
SOURCE = SimulatedSource(clock=FixedClock(NOW))
RANKED = ("SPY", "QQQ", "AAPL", "MSFT", "IBM")


@pytest.fixture(scope="module")
def fake():
    with FakeProviders(SOURCE, symbols=RANKED) as fake:
        yield fake


@pytest.fixture(scope="module")
def yfinance(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import yfinance
    yfinance.set_tz_cache_location(str(tmp_path_factory.mktemp("cache")))
    return yfinance


def history(yfinance, fake, symbol="SPY", **options):
    ticker = yfinance.Ticker(symbol, session=fake.yahoo_session())
    try:
        return ticker.history(**options)
    finally:
        yfinance.data.YfData.cache_get.cache_clear()


def truth(timeframe, start, end, adjustment="split", symbol="SPY"):
    request = BarsRequest(symbol, timeframe, start=start, end=end, adjustment=adjustment)
    return asyncio.run(SOURCE.fetch(request))[symbol]


def assert_same(frame, bars):
    assert frame.index.tz_convert("UTC").as_unit("ns").asi8.tolist() == bars.time.tolist()
    for name in ("Open", "High", "Low", "Close", "Volume"):
        np.testing.assert_allclose(frame[name], getattr(bars, name.lower()), rtol=1e-9)


def test_bars_within_the_day_are_those_of_the_source(yfinance, fake):
    span = {"start": datetime(2024, 3, 6, tzinfo=UTC), "end": datetime(2024, 3, 8, tzinfo=UTC)}
    frame = history(yfinance, fake, interval="5m", **span)
    assert_same(frame, truth("5Min", **span))
    assert len(frame) == 2 * 78


def test_days_are_adjusted_for_splits_and_on_request_for_dividends(yfinance, fake):
    span = {"start": datetime(2023, 11, 1, tzinfo=UTC), "end": datetime(2024, 3, 1, tzinfo=UTC)}
    assert_same(history(yfinance, fake, auto_adjust=False, **span), truth("1Day", **span))
    adjusted = truth("1Day", adjustment="all", **span)
    frame = history(yfinance, fake, auto_adjust=True, **span)
    np.testing.assert_allclose(frame["Close"], adjusted.close, rtol=1e-9)
    assert (adjusted.close != truth("1Day", **span).close).any()  # there was a dividend


def test_the_bar_that_runs_comes_too(yfinance, fake):
    frame = history(yfinance, fake, interval="1d", period="5d", auto_adjust=False)
    begun = truth("1Min", datetime(2024, 3, 8, tzinfo=UTC), NOW)
    assert f"{frame.index[-1]:%Y-%m-%d}" == "2024-03-08"
    assert frame["Close"].iloc[-1] == begun.close[-1]
    assert frame["High"].iloc[-1] == begun.high.max()


def test_days_before_and_after_the_clocks_change_are_their_own(yfinance):
    with FakeProviders(
        SimulatedSource(clock=FixedClock(datetime(2024, 3, 12, 22, tzinfo=UTC)))
    ) as late:
        span = {"start": datetime(2024, 3, 8, tzinfo=UTC), "end": datetime(2024, 3, 12, tzinfo=UTC)}
        frame = history(yfinance, late, interval="1h", **span)
    assert {f"{time:%H:%M}" for time in frame.index} == {f"{hour:02}:30" for hour in range(9, 16)}
    assert len(frame) == 2 * 7


def test_class_shares_are_written_with_a_dash():
    class Renamed(SimulatedSource):
        """Knows SPY as BRK.B."""

        async def _fetch(self, request):
            assert request.symbols == ("BRK.B",)
            return {}

    with FakeProviders(Renamed(clock=FixedClock(NOW))) as fake:
        answer = httpx.get(f"{fake.urls['yahoo']}/v8/finance/chart/BRK-B")
    assert answer.status_code == 404


def test_a_cold_client_asks_for_cookie_crumb_and_zone_before_bars(fake):
    asked = [
        ("/", {}),
        ("/v1/test/getcrumb", {}),
        ("/v8/finance/chart/SPY", {"range": "1d", "interval": "1d"}),
    ]
    fake.break_next("yahoo", "500")
    answers = [httpx.get(f"{fake.urls['yahoo']}{path}", params=params) for path, params in asked]
    assert [answer.status_code for answer in answers] == [404, 200, 200]
    assert answers[0].headers["Set-Cookie"].startswith("A3=")
    meta = answers[2].json()["chart"]["result"][0]["meta"]
    assert meta["exchangeTimezoneName"] == "America/New_York"
    assert httpx.get(f"{fake.urls['yahoo']}/v8/finance/chart/SPY").status_code == 500


def test_unknown_symbols_and_windows_without_bars_are_told_apart(fake, market_data):
    chart = f"{fake.urls['yahoo']}/v8/finance/chart"
    name = "recorded/yahoo/chart_error_not_found.json"
    recorded = json.loads((market_data / name).read_text("utf-8"))["response"]
    answer = httpx.get(f"{chart}/NOPE", params={"range": "1mo"})
    assert (answer.status_code, answer.json()) == (recorded["status"], recorded["body"])
    weekend = {"period1": 1709370000, "period2": 1709420000, "interval": "5m"}  # 2024-03-02
    (result,) = httpx.get(f"{chart}/SPY", params=weekend).json()["chart"]["result"]
    assert "timestamp" not in result
    assert result["indicators"] == {"quote": [{}]}
    assert httpx.get(f"{chart}/SPY", params={"interval": "7m"}).status_code == 422


@pytest.mark.parametrize(("screen", "sign"), [("day_gainers", 1), ("day_losers", -1)])
def test_screens_rank_the_day_that_runs(yfinance, fake, screen, sign):
    yfinance.Ticker("SPY", session=fake.yahoo_session())  # yfinance has one session for all
    told = yfinance.screen(screen, count=5)["quotes"]
    changes = [sign * quote["regularMarketChangePercent"] for quote in told]
    assert changes == sorted(changes, reverse=True)
    assert {quote["symbol"] for quote in told} == set(RANKED)
    before = truth("1Day", datetime(2024, 3, 7, tzinfo=UTC), NOW).close[-1]
    last = truth("1Min", datetime(2024, 3, 8, tzinfo=UTC), NOW).close[-1]
    (spy,) = (quote for quote in told if quote["symbol"] == "SPY")
    assert spy["regularMarketChange"] == pytest.approx(last - before)


def test_a_screen_that_yahoo_does_not_have_is_refused(fake):
    path = "/v1/finance/screener/predefined/saved"
    assert httpx.get(f"{fake.urls['yahoo']}{path}?scrIds=winners").status_code == 404


def test_replies_have_the_shape_of_those_that_were_recorded(fake, market_data):
    def recorded(name):
        text = (market_data / f"recorded/yahoo/{name}.json").read_text("utf-8")
        return json.loads(text)["response"]["body"]

    theirs = recorded("2025_chart-AAPL-2020-01-01-to-2020-01-03")["chart"]["result"][0]
    url = f"{fake.urls['yahoo']}/v8/finance/chart/AAPL?range=5d&interval=1d&includePrePost=False"
    ours = httpx.get(url).json()["chart"]["result"][0]
    assert set(ours) == set(theirs)
    assert set(ours["meta"]) <= set(theirs["meta"])
    for name in ("quote", "adjclose"):
        assert set(ours["indicators"][name][0]) == set(theirs["indicators"][name][0])
    # Both stamp a day with the moment of its open, 09:30 in New York: 14:30 in winter.
    assert ours["timestamp"][0] % 86_400 == theirs["timestamp"][0] % 86_400 == 52_200
    path = "/v1/finance/screener/predefined/saved?scrIds=most_actives"
    screen = httpx.get(f"{fake.urls['yahoo']}{path}").json()["finance"]["result"][0]
    theirs = recorded("2025_screener-aggressive_small_caps")["finance"]["result"][0]
    assert set(screen) <= set(theirs)
    assert set(screen["quotes"][0]) <= set(theirs["quotes"][0])
