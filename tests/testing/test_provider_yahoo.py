"""The real yfinance asks the fake Yahoo."""

from __future__ import annotations

import asyncio
import json
import warnings
from datetime import UTC, datetime, timedelta

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


def chart(fake, **params):
    return httpx.get(f"{fake.urls['yahoo']}/v8/finance/chart/SPY", params=params)


@pytest.mark.parametrize(
    ("interval", "days", "told"),
    [
        ("1m", 30, "The requested range must be within the last 30 days."),
        ("2m", 60, "The requested range must be within the last 60 days."),
        ("90m", 60, "The requested range must be within the last 60 days."),
        ("1h", 730, "The requested range must be within the last 730 days."),
    ],
)
def test_bars_within_the_day_reach_back_so_many_days(fake, interval, days, told):
    first = int((NOW - timedelta(days=days)).timestamp())
    span = {"interval": interval, "period2": first + 86_400}
    assert chart(fake, period1=first, **span).status_code == 200
    refused = chart(fake, period1=first - 1, **span)
    error = refused.json()["chart"]["error"]
    assert (refused.status_code, error["code"]) == (422, "Unprocessable Entity")
    asked = f"startTime={first - 1} and endTime={first + 86_400}"
    assert error["description"] == f"{interval} data not available for {asked}. {told}"


def test_one_answer_holds_eight_days_of_minutes(fake):
    last = int(NOW.timestamp())
    eight = {"interval": "1m", "period1": last - 8 * 86_400, "period2": last}
    assert chart(fake, **eight).status_code == 200
    refused = chart(fake, **{**eight, "period1": last - 8 * 86_400 - 1})
    assert refused.status_code == 422
    assert "Only 8 days worth of 1m granularity" in refused.json()["chart"]["error"]["description"]


def test_windows_that_cannot_be_are_refused(fake):
    assert chart(fake, period1="yesterday").status_code == 400
    assert chart(fake, period1=1709900000, period2=1709800000).status_code == 400


def test_the_price_of_this_moment_comes_off_the_grid_while_the_exchange_is_open():
    now = datetime(2024, 3, 8, 18, 2, 7, tzinfo=UTC)
    source = SimulatedSource(clock=FixedClock(now))
    with FakeProviders(source) as fake:
        (told,) = chart(fake, range="1d", interval="5m", events="").json()["chart"]["result"]
        day = chart(fake, range="5d", interval="1d").json()["chart"]["result"][0]
        past = chart(fake, period1=1709821800, period2=1709920800, interval="5m").json()
    minutes = asyncio.run(source.fetch(BarsRequest("SPY", "1Min", limit=2, adjustment="split")))
    bar, live = ({n: c[i] for n, c in told["indicators"]["quote"][0].items()} for i in (-2, -1))
    assert told["timestamp"][-2:] == [1709920800, 1709920927]  # 18:00:00 and 18:02:07
    price = minutes["SPY"].close[-1]
    assert bar["close"] == price
    assert live == {**dict.fromkeys(("open", "high", "low", "close"), price), "volume": 0}
    assert day["timestamp"][-1] == 1709920927  # today's row is stamped now
    assert past["chart"]["result"][0]["timestamp"][-1] == 1709920500  # 17:55: it ends before now


def test_yfinance_makes_one_bar_of_the_one_that_runs_and_the_price_of_this_moment(yfinance):
    now = datetime(2024, 3, 8, 18, 2, 7, tzinfo=UTC)
    with FakeProviders(SimulatedSource(clock=FixedClock(now))) as fake:
        frame = history(yfinance, fake, interval="5m", period="1d")
    assert [f"{time:%H:%M:%S}" for time in frame.index[-2:]] == ["12:55:00", "13:00:00"]


def test_dividends_and_splits_are_those_of_the_source(yfinance):
    span = {"start": datetime(2023, 1, 1, tzinfo=UTC), "end": datetime(2024, 3, 1, tzinfo=UTC)}
    source = SimulatedSource(clock=FixedClock(datetime(2024, 3, 1, tzinfo=UTC)))
    actions = [a for a in source.actions("SPY") if a.session.year >= 2023]
    with FakeProviders(source) as fake:
        frame = history(yfinance, fake, actions=True, **span)
    for column, kind in (("Dividends", "dividend"), ("Stock Splits", "split")):
        told = {time.date(): value for time, value in frame[column].items() if value}
        wanted = {a.session: pytest.approx(a.value, abs=1e-6) for a in actions if a.kind == kind}
        assert told == wanted
    assert frame["Dividends"].any()


def test_a_dividend_stands_in_the_first_bar_of_its_day(yfinance, fake):
    # SPY pays 2.0214 on 2024-02-12, a Monday.
    span = {"start": datetime(2024, 2, 9, tzinfo=UTC), "end": datetime(2024, 2, 14, tzinfo=UTC)}
    frame = history(yfinance, fake, interval="5m", auto_adjust=False, **span)
    (paid,) = frame["Dividends"][frame["Dividends"] > 0].items()
    assert (f"{paid[0]:%Y-%m-%d %H:%M}", paid[1]) == ("2024-02-12 09:30", pytest.approx(2.0214))


def test_screens_can_be_asked_by_a_query_and_from_a_rank_on(yfinance, fake):
    yfinance.Ticker("SPY", session=fake.yahoo_session())
    everybody = yfinance.screen("most_actives", count=5)["quotes"]
    rising = yfinance.EquityQuery("gt", ["percentchange", 0])
    told = yfinance.screen(rising, sortField="percentchange", sortAsc=True)["quotes"]
    changes = [quote["regularMarketChangePercent"] for quote in told]
    assert changes == sorted(changes)
    assert {q["symbol"] for q in told} == {
        q["symbol"] for q in everybody if q["regularMarketChangePercent"] > 0
    }
    # The query behind the name asks for more than five million shares, as all of these have.
    rest = yfinance.screen("most_actives", offset=3)["quotes"]
    busy = [q["symbol"] for q in everybody if q["regularMarketVolume"] > 5_000_000]
    assert [quote["symbol"] for quote in rest] == busy[3:]
