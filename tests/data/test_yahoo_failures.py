"""How asking Yahoo fails: in which words, how soon, and that nothing of it is remembered."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest

from tradekit import (
    BarsRequest,
    CredentialsError,
    FixedClock,
    NoDataError,
    RateLimitError,
    SourceError,
)
from tradekit.data import SimulatedSource
from tradekit.testing import FakeProviders

pytest.importorskip("yfinance")
pytestmark = pytest.mark.slow

FRIDAY = {
    "start": datetime(2024, 3, 8, 14, 30, tzinfo=UTC),
    "end": datetime(2024, 3, 8, 21, tzinfo=UTC),
}
OPEN = 1709908200  # 2024-03-08 14:30 UTC
NOT_FOUND = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
NO_WINDOW = {
    "code": "Bad Request",
    "description": "Data doesn't exist for startDate = 1709528400, endDate = 1709931600",
}
TOO_DEEP = {"code": "Unprocessable Entity", "description": "1m data not available"}


def rows(*prices, step=300, **meta):
    """A chart of flat bars from the open on."""
    meta = {"symbol": "SPY", "dataGranularity": "5m", "instrumentType": "ETF"} | meta
    quote = {name: list(prices) for name in ("open", "high", "low", "close")}
    result = {
        "meta": {"exchangeTimezoneName": "America/New_York"} | meta,
        "timestamp": [OPEN + step * i for i in range(len(prices))],
        "indicators": {"quote": [quote | {"volume": [100] * len(prices)}]},
    }
    return 200, {"chart": {"result": [result], "error": None}}


def fetch(source, symbols=("SPY",), **window):
    return asyncio.run(source.fetch(BarsRequest(symbols, "5Min", **window or FRIDAY)))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (rows(10.0, symbol="QQQ"), "expected bars of SPY, got those of QQQ"),
        (rows(10.0, dataGranularity="1d"), "expected 5m bars, got 1d bars"),
        (rows(10.0, 11.0, step=0), "duplicate time"),
        (rows(10.0, 11.0, step=-300), "time goes back"),
        (rows(10.0, -1.0), "price not above zero"),
        (rows(None, None), "2 rows and no bar"),
    ],
)
def test_nobody_is_believed(yahoo_chart, yahoo_source, answer, told):
    yahoo_chart(answer)
    error = fetch(yahoo_source()).failures["SPY"]
    assert told in str(error)
    assert (error.fault, error.retryable, error.symbol) == ("bad_data", True, "SPY")


@pytest.mark.parametrize(
    ("symbol", "kind", "zone"),
    [
        ("OCDO.L", "EQUITY", "Europe/London"),
        ("BTC-USD", "CRYPTOCURRENCY", "UTC"),
        ("GC=F", "FUTURE", "America/New_York"),
    ],
)
def test_other_markets_are_refused_since_their_hours_are_others(
    yahoo_chart, yahoo_source, symbol, kind, zone
):
    yahoo_chart(rows(10.0, symbol=symbol, instrumentType=kind, exchangeTimezoneName=zone))
    error = fetch(yahoo_source(), (symbol,)).failures[symbol]
    assert (error.fault, error.retryable, error.got) == ("unable", False, f"{kind} in {zone}")


@pytest.mark.parametrize(
    ("answer", "kind", "fault", "retryable"),
    [
        ((401, {"finance": {"error": NOT_FOUND}}), CredentialsError, "credentials", False),
        ((403, "forbidden"), CredentialsError, "credentials", False),
        ((404, {"chart": {"error": NOT_FOUND}}), NoDataError, "unknown_symbol", False),
        ((200, {"chart": {"error": NOT_FOUND}}), NoDataError, "unknown_symbol", False),
        ((400, {"chart": {"error": NO_WINDOW}}), NoDataError, "empty", False),
        ((422, {"chart": {"error": TOO_DEEP}}), SourceError, "unable", False),
        ((429, "Too Many Requests", {"Retry-After": "30"}), RateLimitError, "rate_limit", True),
        ((200, "Edge: Too Many Requests"), RateLimitError, "rate_limit", True),
        ((500, "oops"), SourceError, "transient", True),
        ((503, "<html>"), SourceError, "transient", True),
        ((200, '{"chart": {"result": [{"met'), SourceError, "bad_data", True),
        ((200, "<html>Will be right back</html>"), SourceError, "bad_data", True),
        ((200, ""), SourceError, "bad_data", True),
        ((200, "null"), SourceError, "bad_data", True),
        ((200, {}), SourceError, "bad_data", True),
        ((200, {"chart": None}), SourceError, "bad_data", True),
        ((200, {"chart": {"result": None, "error": None}}), SourceError, "bad_data", True),
        ((200, {"chart": {"result": [], "error": None}}), SourceError, "bad_data", True),
    ],
)
def test_every_refusal_is_told_apart(
    provider, yahoo_source, yahoo_chart, answer, kind, fault, retryable
):
    asking = yahoo_source()
    yahoo_chart(answer)
    error = fetch(asking).failures["SPY"]
    assert (type(error), error.fault, error.retryable) == (kind, fault, retryable)
    charts = [path for path, _ in provider.asked if "/chart/" in path]
    assert len(charts) == (2 if fault == "credentials" else 1)  # an old cookie is worth another
    yahoo_chart(lambda path, *_: rows(10.0, 11.0, symbol=path.rpartition("/")[2]))
    fetched = fetch(asking, ("SPY", "QQQ"))  # nothing bad is remembered
    assert (len(fetched["SPY"]), len(fetched["QQQ"])) == (2, 2)


def test_an_answer_that_drips_ends_in_time_with_its_thread(ends_by_itself):
    clock = FixedClock(datetime(2024, 3, 8, 22, tzinfo=UTC))
    with FakeProviders(SimulatedSource(clock=clock)) as fake:
        asking = fake.yahoo(timeout=timedelta(seconds=0.5))
        fake.break_next("yahoo", "slow_drip")
        begun = monotonic()
        error = fetch(asking, limit=30).failures["SPY"]
        assert (error.fault, monotonic() - begun < 2) == ("transient", True)
        assert ends_by_itself("tradekit-yahoo")
        assert len(fetch(asking, limit=30)["SPY"]) == 30


def test_a_limit_says_how_long_to_wait(yahoo_chart, yahoo_source):
    yahoo_chart((429, "", {"Retry-After": "30"}))
    assert fetch(yahoo_source()).failures["SPY"].retry_after == 30


@pytest.mark.parametrize("hanging", ["/chart/", "/"])
def test_a_server_that_hangs_is_given_up(
    provider, yahoo_chart, yahoo_source, hanging, ends_by_itself
):
    yahoo_chart(rows(10.0))
    fetch(yahoo_source())  # so that yfinance itself is loaded
    healthy, asking = provider.answer, yahoo_source(seconds=0.4)
    provider.answer = lambda path, *rest: (
        provider.hang() if hanging in path else healthy(path, *rest)
    )
    error = fetch(asking, ("QQQ",)).failures["QQQ"]
    assert (error.retryable, error.fault) == (True, "transient")
    assert "yahoo cannot be reached: expected an answer within 0.4 s" in str(error)
    assert ends_by_itself("tradekit-yahoo")


def test_nobody_who_listens_is_said_with_cause_and_cure(provider, yahoo_source):
    provider.url = "http://127.0.0.1:9"
    symbols = tuple(f"S{i}" for i in range(20))
    fetched = fetch(yahoo_source(), symbols)
    assert set(fetched.failures) == set(symbols)
    error = fetched.failures["S19"]
    assert error.retryable
    assert "Could not connect to server" in str(error) or "Failed to connect" in str(error)
    assert "Try: look at the network" in str(error)
