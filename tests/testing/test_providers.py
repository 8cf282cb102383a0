"""What clients make of each fault, as measured with the real ones, and when faults come."""

from __future__ import annotations

import asyncio
import logging
import threading
import warnings
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx
import numpy as np
import pytest

from tradekit import BarsRequest, DataSource, FixedClock, ReplayClock, SourceError, UsageError
from tradekit.data import SimulatedSource
from tradekit.testing import FakeProviders

pytest.importorskip("alpaca")
pytest.importorskip("yfinance")
pytestmark = [
    pytest.mark.filterwarnings("ignore:Exception ignored in. <sqlite3"),
    pytest.mark.filterwarnings("ignore:.*is deprecated"),
]

CLOCK = FixedClock(datetime(2024, 3, 9, tzinfo=UTC))  # a Saturday
SOURCE = SimulatedSource(clock=CLOCK)
WEEK = {"start": datetime(2024, 3, 4, 5, tzinfo=UTC), "end": datetime(2024, 3, 8, 22, tzinfo=UTC)}
ROWS = 5 * 78  # of five minutes
PROVIDERS = ("alpaca", "iex", "yahoo")


@pytest.fixture(scope="module")
def fake(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        asyncio.run(SOURCE.fetch(BarsRequest("SPY", "5Min", **WEEK)))  # the first takes its time
        with FakeProviders(SOURCE, seed=3) as fake:
            yield fake


def alpaca(fake):
    """Closes that alpaca-py reads, with the timeout that it lacks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from alpaca.data import (
            StockBarsRequest,
            StockHistoricalDataClient,
            TimeFrame,
            TimeFrameUnit,
        )
    client = StockHistoricalDataClient("k", "s", url_override=fake.urls["alpaca"])
    client._session.request = partial(client._session.request, timeout=0.3)
    client._retry = 0
    length = TimeFrame(5, TimeFrameUnit.Minute)
    asked = StockBarsRequest(symbol_or_symbols="SPY", timeframe=length, **WEEK)
    bars = client.get_stock_bars(asked).data
    return [bar.close for bar in bars.get("SPY", ())]


def iex(fake):
    """Closes that httpx reads."""
    days = {"startDate": "2024-03-04", "endDate": "2024-03-08", "token": "t"}
    url = f"{fake.urls['iex']}/iex/SPY/prices"
    answer = httpx.get(url, params={**days, "resampleFreq": "5min"}, timeout=0.3)
    return [row["close"] for row in answer.raise_for_status().json()]


def yahoo(fake):
    """Closes that yfinance reads, told to raise."""
    import yfinance

    yfinance.config.debug.hide_exceptions = False
    try:
        ticker = yfinance.Ticker("SPY", session=fake.yahoo_session())
        return ticker.history(interval="5m", timeout=0.3, **WEEK)["Close"].tolist()
    finally:
        yfinance.data.YfData.cache_get.cache_clear()


CLIENTS = {"alpaca": alpaca, "iex": iex, "yahoo": yahoo}

# From research: what each client raises, by the name of the exception.
RAISED = {
    "alpaca": {
        **dict.fromkeys(("401", "403_sip", "404", "422", "429", "429_retry_after"), "APIError"),
        **dict.fromkeys(("500", "503", "504", "limit"), "APIError"),
        "hang": "ReadTimeout",
        "drop": "ConnectionError",
        **dict.fromkeys(("truncated_json", "html"), "JSONDecodeError"),
        "empty": "TypeError",
        "braces": "ValueError",
        "null_bars": "AttributeError",
        "missing_fields": "ValidationError",
    },
    "iex": {
        **dict.fromkeys(("401", "403_sip", "404", "422", "429"), "HTTPStatusError"),
        **dict.fromkeys(("429_retry_after", "500", "503", "504"), "HTTPStatusError"),
        "hang": "ReadTimeout",
        "drop": "RemoteProtocolError",
        **dict.fromkeys(("truncated_json", "html", "empty", "limit"), "JSONDecodeError"),
        "null_bars": "TypeError",
        "missing_fields": "KeyError",
    },
    "yahoo": {
        **dict.fromkeys(("404", "422"), "YFPricesMissingError"),
        **dict.fromkeys(("429", "429_retry_after", "limit"), "YFRateLimitError"),
        **dict.fromkeys(
            ("500", "503", "504", "truncated_json", "html", "empty"), "JSONDecodeError"
        ),
        "hang": "Timeout",
        "slow_drip": "Timeout",
        "drop": "ConnectionError",
        **dict.fromkeys(("braces", "null_bars", "no_rows"), "YFPricesMissingError"),
    },
}
FAILURES = [(who, fault, name) for who, told in RAISED.items() for fault, name in told.items()]


@pytest.mark.parametrize(("provider", "fault", "raised"), FAILURES)
def test_a_client_raises_what_it_raises_at_the_real_provider(fake, provider, fault, raised):
    always = FakeProviders(SOURCE, seed=3, faults={provider: {fault: 1.0}})
    with always as broken, pytest.raises(Exception) as caught:  # noqa: PT011 - its name is compared
        CLIENTS[provider](broken)
    assert type(caught.value).__name__ == raised
    assert len(CLIENTS[provider](fake)) == ROWS


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "fault", ["price_x100", "plausible_shift", "unadjusted_split", "wrong_symbol"]
)
def test_a_client_believes_wrong_prices(fake, provider, fault):
    true = CLIENTS[provider](fake)
    fake.break_next(provider, fault)
    told = CLIENTS[provider](fake)
    if (provider, fault) == ("alpaca", "wrong_symbol"):
        assert told == []  # they came under another name
        return
    ratio = np.array(told) / np.array(true)
    changed = ratio[~np.isclose(ratio, 1)]
    assert {
        "price_x100": lambda: np.allclose(changed, 100) and len(changed) == 1,
        "plausible_shift": lambda: len(changed) == ROWS and 0.005 <= abs(ratio[0] - 1) <= 0.02,
        "unadjusted_split": lambda: np.allclose(changed, 4) and len(changed) % 78 == 0,
        "wrong_symbol": lambda: len(changed) == ROWS and np.allclose(ratio, ratio[0]),
    }[fault]()


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(("fault", "rows"), [("stale_day", 4 * 78), ("missing_tail", 234)])
def test_a_client_believes_short_answers(fake, provider, fault, rows):
    fake.break_next(provider, fault)
    assert len(CLIENTS[provider](fake)) == rows


@pytest.mark.parametrize("provider", ["alpaca", "iex"])
def test_a_client_takes_no_rows_doubled_rows_and_rows_out_of_order(fake, provider):
    true = CLIENTS[provider](fake)
    told = {}
    for fault in ("no_rows", "duplicate_rows", "out_of_order"):
        fake.break_next(provider, fault)
        told[fault] = CLIENTS[provider](fake)
    assert told["no_rows"] == []
    assert len(told["duplicate_rows"]) == ROWS + 20  # 390 / 20, rounded up
    assert told["out_of_order"] != true
    assert sorted(told["out_of_order"]) == sorted(true)


@pytest.mark.parametrize("name", PROVIDERS)
def test_ready_sources_tell_what_the_truth_is(fake, name):
    source = getattr(fake, name)()
    request = BarsRequest("SPY", "5Min", adjustment={"iex": "raw"}.get(name, "split"), **WEEK)
    truth, told = (asyncio.run(s.fetch(request))["SPY"] for s in (SOURCE, source))
    assert source.name == told.source == name
    assert told.time.tolist() == truth.time.tolist()
    np.testing.assert_allclose(told.close, truth.close, rtol=1e-9)


@pytest.mark.parametrize("name", PROVIDERS)
def test_an_outage_is_over_when_it_is_over(fake, name):
    source, request = getattr(fake, name)(), BarsRequest("SPY", "5Min", **WEEK)
    with fake.outage(name):
        failure = asyncio.run(source.fetch(request)).failures["SPY"]
    assert "cannot be reached" in str(failure)
    assert {r.fault for r in fake.requests[-1:]} == {"outage"}
    assert len(asyncio.run(source.fetch(request))["SPY"]) == ROWS


def struck(seed, times=60):
    chances = {"500": 0.2, "truncated_json": 0.1, "plausible_shift": 0.2}
    with FakeProviders(SOURCE, seed=seed, faults={"iex": chances}) as fake:
        url = f"{fake.urls['iex']}/iex/SPY/prices?resampleFreq=2hour&token=t"
        with httpx.Client() as client:
            bodies = [client.get(url).text for _ in range(times)]
        return [request.fault for request in fake.requests], bodies


def test_one_seed_gives_the_same_faults_byte_for_byte_and_another_gives_others():
    faults, bodies = struck(7)
    assert (faults, bodies) == struck(7)
    assert faults != struck(8)[0]
    # 60 * 0.5 = 30, and three standard deviations: 3 * sqrt(60 * 0.25) = 12.
    assert 18 <= sum(fault is not None for fault in faults) <= 42


def test_providers_fail_independently():
    chances = {name: {"500": 0.5} for name in PROVIDERS}
    with FakeProviders(SOURCE, faults=chances) as fake, httpx.Client() as client:
        for name in PROVIDERS:
            for _ in range(40):
                client.get(f"{fake.urls[name]}/somewhere")
        told = {n: [r.fault for r in fake.requests if r.provider == n] for n in PROVIDERS}
    assert len({tuple(faults) for faults in told.values()}) == 3


def test_the_limit_runs_by_the_clock_that_is_handed_in():
    clock = ReplayClock(datetime(2024, 3, 8, 22, tzinfo=UTC))
    with FakeProviders(SimulatedSource(clock=clock), limit_per_minute=200, clock=clock) as fake:
        url = f"{fake.urls['alpaca']}/v2/clock"
        keys = {"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}
        with httpx.Client(headers=keys) as client:
            told = [client.get(url).status_code for _ in range(203)]
            clock.move_to(clock.now() + timedelta(seconds=60))
            assert client.get(url).status_code == 200
    assert told == [200] * 200 + [429] * 3


@pytest.mark.parametrize(("fault", "told"), [("429", None), ("429_retry_after", "2")])
def test_a_429_says_how_long_to_wait_or_does_not(fake, fault, told):
    for provider in PROVIDERS:
        fake.break_next(provider, fault)
        answer = httpx.get(f"{fake.urls[provider]}/iex/SPY")
        assert (answer.status_code, answer.headers.get("Retry-After")) == (429, told)


def test_a_limit_that_is_only_said_says_when_it_is_over(fake):
    fake.break_next("alpaca", "limit")
    headers = httpx.get(f"{fake.urls['alpaca']}/v2/clock").headers
    told = {name: int(headers[f"X-RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset")}
    reset = CLOCK.now().timestamp() + 60
    assert told == {"Limit": 200, "Remaining": 0, "Reset": reset}
    assert "X-RateLimit-Limit" not in httpx.get(f"{fake.urls['alpaca']}/v2/clock").headers


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_is_only_read_cannot_be_written(fake, provider):
    url = f"{fake.urls[provider]}/iex/SPY"
    assert [httpx.request(how, url).status_code for how in ("POST", "DELETE")] == [405, 405]
    assert httpx.head(url).content == b""


def test_a_hundred_questions_at_once_are_answered_alike(fake):
    async def ask():
        params = {"resampleFreq": "30min", "token": "t"}
        url = f"{fake.urls['iex']}/iex/SPY/prices"
        async with httpx.AsyncClient(timeout=30) as client:
            answers = await asyncio.gather(*(client.get(url, params=params) for _ in range(100)))
        return {answer.text for answer in answers}

    (told,) = asyncio.run(ask())
    assert told.count("date") == 13  # of 30 minutes


def test_several_listen_at_once_and_each_fails_alone():
    with FakeProviders(SOURCE) as one, FakeProviders(SOURCE) as other:
        one.break_next("iex", "503")
        told = [
            httpx.get(f"{fake.urls['iex']}/iex/SPY?token=t").status_code for fake in (one, other)
        ]
    assert told == [503, 200]
    assert len(one.requests) == len(other.requests) == 1


def test_every_request_is_recorded(fake):
    before = len(fake.requests)
    fake.break_next("iex", "404")
    httpx.get(f"{fake.urls['iex']}/iex/SPY", params={"token": "t"})
    (request,) = fake.requests[before:]
    assert (request.provider, request.path, request.params, request.fault) == (
        *("iex", "/iex/SPY", {"token": "t"}),
        "404",
    )


def test_leaving_the_block_leaves_no_thread_and_no_address():
    before = threading.active_count()
    with FakeProviders(SOURCE) as fake:
        url = fake.urls["iex"]
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    with pytest.raises(UsageError, match="not listening"):
        fake.alpaca()


def test_it_can_listen_again_and_is_closed_by_an_error_too():
    fake = FakeProviders(SOURCE)
    for _ in range(2):
        with pytest.raises(httpx.HTTPStatusError), fake:
            httpx.get(f"{fake.urls['yahoo']}/nowhere").raise_for_status()
    assert [request.path for request in fake.requests] == ["/nowhere", "/nowhere"]


def test_a_source_that_fails_is_an_error_of_the_server_and_told_in_the_log(caplog):
    class Dead(DataSource):
        async def _fetch(self, request):
            raise SourceError("the line is dead")

    with FakeProviders(Dead()) as fake, caplog.at_level(logging.ERROR, "tradekit.testing"):
        answer = httpx.get(f"{fake.urls['iex']}/iex/SPY/prices?token=t")
    assert answer.status_code == 500
    assert "the line is dead" in caplog.text


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"faults": {"bloomberg": {}}}, "no such provider: expected alpaca or iex or yahoo"),
        ({"faults": {"iex": {"flood": 0.1}}}, "no such fault: expected 401 or .* got 'flood'"),
        ({"limit_per_minute": 0}, "a limit counts requests"),
        ({"limit_per_minute": {"stream": 9}}, "expected alpaca or iex or yahoo, got 'stream'"),
        ({"seed": -1}, "no seed"),
        ({"source": "SPY"}, "no source"),
    ],
)
def test_what_cannot_be_is_refused(options, told):
    with pytest.raises(UsageError, match=told):
        FakeProviders(**{"source": SOURCE, **options})


def test_only_what_is_known_can_be_broken(fake):
    with pytest.raises(UsageError, match="no such fault: expected 401 or 403_sip"):
        fake.break_next("iex", "505")
    with pytest.raises(UsageError, match="no such provider"):
        fake.break_next("reuters", "500")
    with pytest.raises(UsageError, match="no such provider"), fake.outage("reuters"):
        pass
    with pytest.raises(UsageError, match="a fault is counted"):
        fake.break_next("iex", "500", times=0)
