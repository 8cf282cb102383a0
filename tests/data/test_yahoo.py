from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import numpy as np
import pytest

from tradekit import (
    BarsRequest,
    CredentialsError,
    FixedClock,
    NoDataError,
    RateLimitError,
    SourceError,
)
from tradekit.data import MultiSourceDataManager, YahooSource, _yahoo
from tradekit.testing import check_source

pytest.importorskip("yfinance")
# yfinance leaves its time-zone cache, a SQLite file, to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <sqlite3:pytest.PytestUnraisableExceptionWarning"
)

NOW = FixedClock(datetime(2024, 3, 9, tzinfo=UTC))  # a Saturday
WEEK = {"start": datetime(2024, 3, 4, tzinfo=UTC), "end": datetime(2024, 3, 8, 21, tzinfo=UTC)}
COLUMNS = ("open", "high", "low", "close", "volume")
FRAMES = {"1m": "1Min", "5m": "5Min", "15m": "15Min", "1h": "1Hour", "1d": "1Day"}
NOT_FOUND = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
HOURS = {"timezone": "EST", "start": 0, "end": 0, "gmtoffset": -18_000}


def chart(bars, params):
    """The rows of one window, or what is known of the symbol alone; adjusted closes are halves."""
    meta = {
        "currency": "USD",
        "instrumentType": "EQUITY",
        "priceHint": 2,
        "exchangeTimezoneName": "America/New_York",
        "validRanges": ["1d"],
        "currentTradingPeriod": {k: dict(HOURS) for k in ("pre", "regular", "post")},
    }
    result = {"meta": meta, "indicators": {"quote": [{}]}}
    seconds = bars.time // 10**9
    first, last = (int(params.get(name, 0)) for name in ("period1", "period2"))
    rows = np.flatnonzero((seconds >= first) & (seconds < last))
    if len(rows):
        result["timestamp"] = seconds[rows].tolist()
        quote = {name: getattr(bars, name)[rows].tolist() for name in COLUMNS}
        result["indicators"] = {"quote": [quote]}
        if bars.timeframe.is_intraday:
            midnights = sorted({second // 86_400 * 86_400 for second in result["timestamp"]})
            regular = [HOURS | {"start": m + 52_200, "end": m + 75_600} for m in midnights]
            meta["tradingPeriods"] = [[period] for period in regular]
        else:
            adjusted = [{"adjclose": (bars.close[rows] / 2).tolist()}]
            result["indicators"]["adjclose"] = adjusted
    return {"chart": {"result": [result], "error": None}}


def cookies(path, params, headers):
    return (200, "crumb") if path.endswith("getcrumb") else (404, "")


@pytest.fixture
def yahoo(provider, market):
    def answer(path, params, headers):
        if "/chart/" not in path:
            return cookies(path, params, headers)
        bars = market(path.rpartition("/")[2], FRAMES[params["interval"]])
        if bars is None:
            return 404, {"chart": {"result": None, "error": NOT_FOUND}}
        return 200, chart(bars, params)

    provider.answer = answer
    return provider


@pytest.fixture(autouse=True, scope="module")
def caches(tmp_path_factory):
    """yfinance's files do not go into the home of who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        _yahoo._yfinance.cache_clear()
        yield


def loopback(provider):
    """A session that asks the provider on this machine, whatever host is meant."""
    from curl_cffi import requests

    class Loopback(requests.Session):
        def request(self, method, url, *args, **kwargs):
            here = urlsplit(url)._replace(scheme="http", netloc=urlsplit(provider.url).netloc)
            return super().request(method, here.geturl(), *args, **kwargs)

    return Loopback()


def source(provider, seconds=4.0, clock=NOW):
    session = loopback(provider)
    return YahooSource(timeout=timedelta(seconds=seconds), clock=clock, session=session)


def fetch(source, symbols=("SPY",), timeframe="5Min", **window):
    return asyncio.run(source.fetch(BarsRequest(symbols, timeframe, **window or WEEK)))


def broken(chart_answer):
    def answer(path, params, headers):
        return chart_answer if "/chart/" in path else cookies(path, params, headers)

    return answer


def charts(provider):
    return [params for path, params in provider.asked if "/chart/" in path]


def test_bars_within_the_day_are_those_that_were_served(yahoo, market):
    bars = fetch(source(yahoo))["SPY"]
    truth = market("SPY", "5Min")
    truth = truth[(truth.time >= bars.time[0]).argmax() :].until(WEEK["end"])
    assert len(bars) == 5 * 78
    for name in ("time", *COLUMNS):
        np.testing.assert_allclose(getattr(bars, name), getattr(truth, name), rtol=1e-12)
    assert (bars.source, bars.feed, bars.adjustment) == ("yahoo", "yahoo", "all")


def test_dividends_are_taken_out_within_the_day_as_well(yahoo):
    whole = yahoo.answer
    wednesday = 1_709_735_400  # 2024-03-06 14:30 UTC

    def with_dividend(path, params, headers):
        status, body = whole(path, params, headers)
        if "period1" in params:
            paid = {f"{wednesday}": {"amount": 1.5, "date": wednesday}}
            body["chart"]["result"][0]["events"] = {"dividends": paid}
        return status, body

    yahoo.answer = with_dividend
    plain = fetch(source(yahoo), adjustment="split", **WEEK)["SPY"]
    bars = fetch(source(yahoo))["SPY"]
    before = plain.time < wednesday * 10**9
    assert (before.sum(), plain.adjustment) == (2 * 78, "split")
    expected = plain.close.copy()
    expected[before] *= 1 - 1.5 / plain.close[before][-1]  # of Tuesday's last bar
    np.testing.assert_allclose(bars.close, expected, rtol=1e-12)
    np.testing.assert_array_equal(bars.volume, plain.volume)


def test_a_manager_without_keys_has_bars_within_the_day(yahoo):
    manager = MultiSourceDataManager(sources=[source(yahoo)], clock=NOW)
    assert len(manager.blocking.get_market_data("SPY", "5Min", 100)) == 100
    assert manager.get_health_score() == 100


@pytest.mark.parametrize(("adjustment", "factor"), [("all", 0.5), ("split", 1.0), ("raw", 1.0)])
def test_days_are_adjusted_as_is_asked_and_say_so(yahoo, market, adjustment, factor):
    bars = fetch(source(yahoo), timeframe="1Day", limit=10, adjustment=adjustment)["SPY"]
    truth = market("SPY", "1Day").until(NOW.at)[-10:]
    np.testing.assert_array_equal(bars.time, truth.time)
    np.testing.assert_allclose(bars.close, factor * truth.close)
    np.testing.assert_allclose(bars.high, factor * truth.high)
    assert bars.adjustment == ("all" if adjustment == "all" else "split")


@pytest.mark.parametrize(
    ("timeframe", "interval"), [("30Min", "15m"), ("2Hour", "1h"), ("1Week", "1d")]
)
def test_other_timeframes_are_made_of_shorter_bars(yahoo, market, timeframe, interval):
    bars = fetch(source(yahoo), timeframe=timeframe, limit=4, adjustment="split")["SPY"]
    truth = market("SPY", timeframe).until(NOW.at)[-4:]
    np.testing.assert_array_equal(bars.time, truth.time)
    np.testing.assert_allclose(bars.close, truth.close)
    assert {p["interval"] for p in charts(yahoo) if "period1" in p} == {interval}


def test_the_bar_that_is_not_over_is_left_out(yahoo):
    noon = FixedClock(datetime(2024, 3, 8, 17, 2, tzinfo=UTC))
    assert f"{fetch(source(yahoo, clock=noon), limit=1)['SPY'][-1].time:%H:%M}" == "16:55"
    day = fetch(source(yahoo, clock=noon), timeframe="1Day", limit=1)["SPY"]
    assert f"{day[-1].time:%Y-%m-%d}" == "2024-03-07"


def test_rows_without_a_price_are_left_out_and_counted(yahoo):
    whole = yahoo.answer

    def with_holes(path, params, headers):
        status, body = whole(path, params, headers)
        if "period1" in params:
            body["chart"]["result"][0]["indicators"]["quote"][0]["low"][3] = None
        return status, body

    yahoo.answer = with_holes
    bars = fetch(source(yahoo))["SPY"]
    assert (len(bars), bars.dropped) == (389, 1)


def test_a_start_that_yahoo_no_longer_has_is_refused_with_the_first_day(yahoo):
    window = {"start": datetime(2023, 6, 1, tzinfo=UTC), "end": NOW.at}
    with pytest.raises(NoDataError, match="expected a start from 2024-01-10 on"):
        fetch(source(yahoo), **window)["SPY"]  # 59 days before 2024-03-09
    assert len(fetch(source(yahoo), timeframe="1Min", limit=5000)["SPY"]) == 5 * 390


def test_an_unknown_symbol_fails_beside_a_known_one_after_one_question(yahoo):
    fetched = fetch(source(yahoo), ("NOPE", "SPY"))
    assert len(fetched["SPY"]) == 390
    with pytest.raises(NoDataError, match="404 No data found, symbol may be delisted"):
        fetched["NOPE"]
    assert len([path for path, _ in yahoo.asked if path.endswith("NOPE")]) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "retryable"),
    [
        ((401, {"finance": {"error": {"code": "Unauthorized"}}}), CredentialsError, False),
        ((403, "forbidden"), CredentialsError, False),
        ((422, {"chart": {"result": None, "error": NOT_FOUND}}), SourceError, False),
        ((429, "Too Many Requests", {"Retry-After": "30"}), RateLimitError, True),
        ((500, "oops"), SourceError, True),
        ((503, "<html>"), SourceError, True),
        ((200, '{"chart": {"result": [{"met'), SourceError, True),
        ((200, "<html>be right back</html>"), SourceError, True),
        ((200, ""), SourceError, True),
        ((200, {}), SourceError, True),
        ((200, {"chart": {"result": None, "error": None}}), SourceError, True),
        ((200, {"chart": {"result": None, "error": NOT_FOUND}}), NoDataError, False),
    ],
)
def test_every_refusal_is_told_apart(yahoo, answer, kind, retryable):
    healthy, yahoo.answer = yahoo.answer, broken(answer)
    asking = source(yahoo)
    error = fetch(asking).failures["SPY"]
    assert type(error) is kind
    assert error.retryable is retryable
    yahoo.answer = healthy
    assert len(fetch(asking)["SPY"]) == 390  # nothing bad is remembered


def test_a_window_without_bars_is_no_data(yahoo):
    weekend = {"start": datetime(2024, 3, 9, tzinfo=UTC), "end": datetime(2024, 3, 10, tzinfo=UTC)}
    late = FixedClock(weekend["end"])
    with pytest.raises(NoDataError, match="yahoo has no bars of SPY"):
        fetch(source(yahoo, clock=late), **weekend)["SPY"]


def test_a_limit_says_how_long_to_wait(yahoo):
    yahoo.answer = broken((429, "", {"Retry-After": "30"}))
    assert fetch(source(yahoo)).failures["SPY"].retry_after == 30


@pytest.mark.parametrize("hanging", ["/chart/", "getcrumb", "/"])
def test_a_server_that_hangs_is_given_up(yahoo, hanging, ends_by_itself):
    healthy = yahoo.answer
    fetch(source(yahoo))  # so that yfinance itself is loaded

    def answer(path, *rest):
        return yahoo.hang() if hanging in path else healthy(path, *rest)

    yahoo.answer = answer
    error = fetch(source(yahoo, seconds=0.2), ("QQQ",)).failures.get("QQQ")
    if hanging != "getcrumb":  # without a crumb it may still answer
        assert error.retryable
        assert "yahoo cannot be reached: expected an answer within 0.2 s" in str(error)
    assert ends_by_itself("tradekit-yahoo")


def test_nobody_who_listens_is_said_with_cause_and_cure(provider):
    provider.url = "http://127.0.0.1:9"
    symbols = tuple(f"S{i}" for i in range(20))
    fetched = fetch(source(provider), symbols)
    assert set(fetched.failures) == set(symbols)
    error = fetched.failures["S19"]
    assert error.retryable
    assert "Could not connect to server" in str(error) or "Failed to connect" in str(error)
    assert "Try: look at the network" in str(error)


def test_a_home_that_cannot_be_written_does_not_matter(yahoo, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    _yahoo._yfinance.cache_clear()
    assert len(fetch(source(yahoo))["SPY"]) == 390


def test_recorded_days_are_read(provider, market_data):
    name = "recorded/yahoo/2025_chart-AAPL-2020-08-31-to-2020-11-07.json"
    body = json.loads((market_data / name).read_text("utf-8"))["response"]["body"]
    provider.answer = broken((200, body))
    window = {
        "start": datetime(2020, 8, 31, 4, tzinfo=UTC),
        "end": datetime(2020, 11, 7, tzinfo=UTC),
    }
    bars = fetch(source(provider), ("AAPL",), "1Day", adjustment="split", **window)["AAPL"]
    quote = body["chart"]["result"][0]["indicators"]["quote"][0]
    np.testing.assert_allclose(bars.close, quote["close"])
    assert len(bars) == 49


def test_it_keeps_what_every_source_promises(yahoo):
    request = BarsRequest(("SPY", "QQQ"), "15Min", **WEEK)
    for check in check_source(source(yahoo), request):
        check()
