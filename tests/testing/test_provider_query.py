"""What Alpaca can be asked: by the words of its contract."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import numpy as np
import pytest

from tradekit import FixedClock
from tradekit.data import SimulatedSource
from tradekit.testing import FakeProviders
from tradekit.testing._provider_query import span, stamp

NOW = datetime(2024, 3, 8, 22, tzinfo=UTC)
KEYS = {"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}
WEEK = {"start": "2024-03-04T00:00:00Z", "end": "2024-03-08T21:00:00Z"}
BARS, QUOTES = "/v2/stocks/bars", "/v2/stocks/quotes/latest"
COINS = "/v1beta3/crypto/us/bars"
ACTIVES, MOVERS = "/v1beta1/screener/stocks/most-actives", "/v1beta1/screener/stocks/movers"


@pytest.fixture(scope="module")
def fake():
    with FakeProviders(SimulatedSource(clock=FixedClock(NOW)), symbols=("SPY", "QQQ")) as fake:
        yield fake


def told(fake, path, **params):
    return httpx.get(f"{fake.urls['alpaca']}{path}", params=params, headers=KEYS)


@pytest.mark.parametrize(
    ("path", "params"),
    [
        (BARS, {"limit": "10001"}),
        (BARS, {"limit": "0"}),
        (BARS, {"limit": "many"}),
        (BARS, {"timeframe": "60Min"}),
        (BARS, {"timeframe": "24Hour"}),
        (BARS, {"timeframe": "2Day"}),
        (BARS, {"timeframe": "5m"}),
        (BARS, {"timeframe": ""}),
        (BARS, {"feed": "overnight"}),  # for quotes alone
        (BARS, {"adjustment": "none"}),
        (BARS, {"adjustment": "raw,split"}),
        (BARS, {"sort": "newest"}),
        (BARS, {"start": "2024-3-4"}),
        (BARS, {"start": "2024-02-30"}),
        (BARS, {"end": "2024-03-08T21:00:00"}),  # of which zone?
        (BARS, {"end": "1709900000"}),
        (BARS, {"start": "2024-03-08", "end": "2024-03-07"}),
        (BARS, {"page_token": "bm9ib2R5fDE="}),  # nobody|1
        (BARS, {"symbols": "BTC/USD"}),
        (COINS, {"symbols": "BTCUSD"}),
        (COINS.replace("/us/", "/mars/"), {"symbols": "BTC/USD"}),
        (QUOTES, {"feed": "nyse"}),
        (QUOTES, {"currency": "EUR"}),  # Alpaca converts; the truth cannot
        (ACTIVES, {"top": "101"}),
        (ACTIVES, {"by": "price"}),
        (MOVERS, {"top": "51"}),
        (MOVERS.replace("stocks", "bonds"), {}),
    ],
)
def test_what_the_contract_does_not_know_is_refused_with_its_status(fake, path, params):
    plain = {"symbols": "SPY", "timeframe": "5Min", **WEEK}
    answer = told(fake, path, **{**plain, **params})
    assert (answer.status_code, list(answer.json())) == (400, ["message"])


@pytest.mark.parametrize(
    "params",
    [
        {"timeframe": "59T"},
        {"timeframe": "23H"},
        {"timeframe": "1W"},
        {"adjustment": "dividend,split"},
        {"adjustment": "spin-off"},
        {"feed": "boats"},
        {"start": "2024-03-04T01:02:03.123456789Z"},
        {"start": "2024-03-04T09:30:00-05:00"},
        {"start": "0001-01-01T00:00:00Z", "end": "9999-12-31", "timeframe": "1Week"},
        {"asof": "2024-03-08", "currency": "USD"},
    ],
)
def test_what_the_contract_knows_is_answered(fake, params):
    assert told(fake, BARS, **{"symbols": "SPY", "timeframe": "5Min", **WEEK, **params}).is_success


def ns(text):
    return int(np.datetime64(text, "ns").astype("i8"))


@pytest.mark.parametrize(
    ("symbol", "first", "last"),
    [
        ("SPY", "2024-03-08T05:00", "2024-03-11T03:59:59.999999999"),  # summer begins on the 10th
        ("BTC/USD", "2024-03-08T00:00", "2024-03-10T23:59:59.999999999"),
    ],
)
def test_dates_are_whole_days_where_the_symbol_is_traded(symbol, first, last):
    asked = {"start": "2024-03-08", "end": "2024-03-10"}
    assert span(asked, ns("2024-03-12"), symbol) == (ns(first), ns(last))


def test_nothing_said_means_today_until_now():
    now = ns("2024-03-08T22:00")
    assert span({}, now, "SPY") == (ns("2024-03-08T05:00"), now)
    assert span({"start": "2024-03-08T09:30:00-05:00"}, now, "SPY") == (ns("2024-03-08T14:30"), now)


def test_stamps_have_no_more_digits_than_they_need():
    moments = ("2024-03-08T14:30:00", "2024-03-08T14:30:00.5", "2024-03-08T14:30:00.000000001")
    assert [stamp(ns(moment)) for moment in moments] == [f"{moment}Z" for moment in moments]
