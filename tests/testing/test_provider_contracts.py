"""What the fake providers say, beside Alpaca's contract and what the real ones once said."""

from __future__ import annotations

import json
import re
import warnings
from datetime import UTC, datetime

import httpx
import numpy as np
import pytest

from tradekit import Bars, FixedClock
from tradekit.data import MemorySource, SimulatedSource
from tradekit.testing import FakeProviders

NOW = datetime(2024, 3, 8, 22, tzinfo=UTC)
CLOCK = FixedClock(NOW)
KEYS = {"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}
RANKED = ("SPY", "QQQ", "AAPL", "MSFT", "IBM")
WEEK = {"start": "2024-03-04T00:00:00Z", "end": "2024-03-08T21:00:00Z"}
BARS, QUOTES = "/v2/stocks/bars", "/v2/stocks/quotes/latest"
COINS, COIN_QUOTES = "/v1beta3/crypto/us/bars", "/v1beta3/crypto/us/latest/quotes"
ACTIVES, MOVERS = "/v1beta1/screener/stocks/most-actives", "/v1beta1/screener/stocks/movers"
MOMENT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$"


def coins():
    """Two days of minutes of two pairs, one of which rose and one of which fell."""
    time = np.datetime64("2024-03-07", "ns") + np.arange(2640) * np.timedelta64(1, "m")
    for symbol, way in (("BTC/USD", 1), ("DOGE/USD", -1e-6)):
        price = 60_000 * abs(way) + way * np.arange(2640.0)
        volume = np.where(np.arange(2640) % 3, 0.01, 0.0)  # not every minute has a trade
        yield Bars(symbol, "1Min", time, *[price] * 4, volume, calendar="24/7")


@pytest.fixture(scope="module")
def fake():
    with FakeProviders(SimulatedSource(clock=CLOCK), symbols=RANKED) as fake:
        yield fake


@pytest.fixture(scope="module")
def crypto():
    with FakeProviders(MemorySource(coins(), clock=CLOCK), symbols=("BTC/USD", "DOGE/USD")) as fake:
        yield fake


@pytest.fixture(scope="module")
def contract(market_data):
    path = market_data.parent / "contracts" / "alpaca-market-data.json"
    if not path.is_file():
        pytest.skip(f"Alpaca's contract is absent: no {path.name}")
    return json.loads(path.read_text("utf-8"))


def as_schema(part):
    """JSON Schema of a part of an OpenAPI 3.0 document; it takes no key that it does not name."""
    if isinstance(part, list):
        return [as_schema(each) for each in part]
    if not isinstance(part, dict):
        return part
    schema = {name: as_schema(each) for name, each in part.items()}
    if schema.get("type") == "object" and isinstance(schema.get("properties"), dict):
        schema.setdefault("additionalProperties", False)
    if schema.pop("nullable", False) is True:
        schema["type"] = [schema["type"], "null"]
    if schema.get("format") == "date-time":
        schema["pattern"] = MOMENT
    return schema


def complaints(contract, schema, value):
    jsonschema = pytest.importorskip("jsonschema")
    document = as_schema({"components": contract["components"]})
    validator = jsonschema.Draft202012Validator({**document, "$ref": schema["$ref"]})
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def operation(contract, path):
    """What the contract says of a path, whose template may have a place in it."""
    for template, said in contract["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return said["get"]
    raise AssertionError(f"the contract has no {path}")


def told(fake, path, **params):
    return httpx.get(f"{fake.urls['alpaca']}{path}", params=params, headers=KEYS)


ASKED = {
    "bars of two": (BARS, {"symbols": "SPY,QQQ", "timeframe": "5Min", **WEEK}),
    "a page": (BARS, {"symbols": "SPY", "timeframe": "5Min", "limit": "7", **WEEK}),
    "days, newest first": (BARS, {"symbols": "SPY", "timeframe": "1Day", "sort": "desc", **WEEK}),
    "bars of one exchange": (BARS, {"symbols": "SPY", "timeframe": "1T", "feed": "iex", **WEEK}),
    "bars of nobody": (BARS, {"symbols": "NOPE", "timeframe": "1Hour", **WEEK}),
    "quotes": (QUOTES, {"symbols": "SPY,AAPL"}),
    "quotes of a quarter of an hour ago": (QUOTES, {"symbols": "SPY", "feed": "delayed_sip"}),
    "most active": (ACTIVES, {"by": "trades", "top": "3"}),
    "movers": (MOVERS, {"top": "2"}),
}
COINS_ASKED = {
    "bars": (COINS, {"symbols": "BTC/USD,DOGE/USD", "timeframe": "1Hour", "start": "2024-03-07"}),
    "a page": (COINS, {"symbols": "BTC/USD", "timeframe": "1Min", "limit": "9", **WEEK}),
    "quotes": (COIN_QUOTES, {"symbols": "BTC/USD,DOGE/USD"}),
    "movers": ("/v1beta1/screener/crypto/movers", {}),
}


@pytest.mark.parametrize("name", ASKED)
def test_replies_keep_the_contract(fake, contract, name):
    holds(fake, contract, *ASKED[name])


@pytest.mark.parametrize("name", COINS_ASKED)
def test_replies_about_crypto_keep_the_contract(crypto, contract, name):
    holds(crypto, contract, *COINS_ASKED[name])


def holds(fake, contract, path, params):
    answer = told(fake, path, **params)
    said = operation(contract, path)["responses"][str(answer.status_code)]
    assert answer.status_code == 200
    schema = said["content"]["application/json"]["schema"]
    assert complaints(contract, schema, answer.json()) == []
    assert any(answer.json().values()) or params["symbols"] == "NOPE"


def test_a_reply_that_breaks_the_contract_would_be_noticed(fake, contract):
    schema = {"$ref": "#/components/schemas/stock_bars_resp"}
    for fault, part in (("missing_fields", "'c' is a required property"), ("null_bars", "None")):
        fake.break_next("alpaca", fault)
        answer = told(fake, BARS, **ASKED["a page"][1]).json()
        assert any(part in told for told in complaints(contract, schema, answer))


@pytest.fixture(scope="module")
def vendor():
    pytest.importorskip("alpaca")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of websockets.legacy
        import alpaca.data as vendor
    return vendor


def test_what_the_real_client_asks_is_in_the_contract(fake, crypto, vendor, contract):
    jsonschema = pytest.importorskip("jsonschema")
    before = len(fake.requests), len(crypto.requests)
    ask_everything(vendor, fake, crypto)
    asked = [*fake.requests[before[0] :], *crypto.requests[before[1] :]]
    assert len(asked) == 6
    for request in asked:
        said = operation(contract, request.path)["parameters"]
        names = [part["$ref"].rsplit("/", 1)[1] for part in said]
        known = {p["name"]: p for p in (contract["components"]["parameters"][n] for n in names)}
        assert set(request.params) <= set(known)
        for name, text in request.params.items():
            schema = as_schema({**known[name]["schema"], "components": contract["components"]})
            schema.pop("pattern", None)  # dates are allowed too
            value = int(text) if schema.get("type") == "integer" else text
            jsonschema.Draft202012Validator(schema).validate(value)
        assert {n for n, p in known.items() if p.get("required") and p["in"] == "query"} <= set(
            request.params
        )


def ask_everything(vendor, fake, crypto):
    days = {"start": datetime(2024, 3, 4, tzinfo=UTC), "end": datetime(2024, 3, 8, tzinfo=UTC)}
    keys = {"api_key": "k", "secret_key": "s"}
    stocks = vendor.StockHistoricalDataClient(**keys, url_override=fake.urls["alpaca"])
    screener = vendor.ScreenerClient(**keys, url_override=fake.urls["alpaca"])
    coins = vendor.CryptoHistoricalDataClient(url_override=crypto.urls["alpaca"])
    minutes = vendor.TimeFrame(15, vendor.TimeFrameUnit.Minute)
    stocks.get_stock_bars(
        vendor.StockBarsRequest(
            symbol_or_symbols=["SPY", "QQQ"],
            timeframe=minutes,
            limit=50,
            adjustment=vendor.Adjustment.ALL,
            feed=vendor.DataFeed.SIP,
            sort="desc",
            asof="2024-03-08",
            currency="USD",
            **days,
        )
    )
    quotes = vendor.StockLatestQuoteRequest(symbol_or_symbols="SPY", feed=vendor.DataFeed.IEX)
    stocks.get_stock_latest_quote(quotes)
    by = vendor.MostActivesBy.TRADES
    screener.get_most_actives(vendor.MostActivesRequest(by=by, top=5))
    screener.get_market_movers(vendor.MarketMoversRequest(top=5))
    pairs = {"symbol_or_symbols": ["BTC/USD"]}
    coins.get_crypto_bars(vendor.CryptoBarsRequest(timeframe=minutes, limit=50, **pairs, **days))
    coins.get_crypto_latest_quote(vendor.CryptoLatestQuoteRequest(**pairs))


# Objects whose keys are data: symbols, and the stamps of events.
OF_DATA = {"bars", "quotes", "dividends", "splits"}
KINDS = {bool: "boolean", int: "number", float: "number", str: "string", type(None): "null"}


def shape(value, path=""):
    """Types by path: ``{"bars.*[].t": {"string"}}``; empty lists and objects tell nothing."""
    found = {}
    if isinstance(value, dict):
        by_data = path.rsplit(".", 1)[-1] in OF_DATA
        parts = [(f"{path}.{'*' if by_data else k}".lstrip("."), v) for k, v in value.items()]
    elif isinstance(value, list):
        parts = [(f"{path}[]", each) for each in value]
    else:
        return {path: {KINDS[type(value)]}}
    for name, part in parts:
        for inner, kinds in shape(part, name).items():
            found.setdefault(inner, set()).update(kinds)
    return found


def differences(ours, theirs, optional=()):
    """What they say and we do not, what we say and they do not, and what is of another type."""
    ours, theirs = shape(ours), shape(theirs)
    missing = {p for p in theirs.keys() - ours.keys() if not any(re.search(o, p) for o in optional)}
    other = {p for p in ours.keys() & theirs.keys() if not ours[p] <= theirs[p]}
    return {"missing": missing, "beyond": ours.keys() - theirs.keys(), "other": other}


SAME = {"missing": set(), "beyond": set(), "other": set()}


@pytest.fixture
def recorded(market_data):
    def read(name):
        path = market_data / "recorded" / f"{name}.json"
        return json.loads(path.read_text("utf-8"))["response"]["body"]

    return read


def test_a_difference_in_shape_would_be_noticed():
    theirs = {"bars": {"A": [{"t": "x", "v": 1, "n": None}]}, "token": None}
    assert (
        differences({"bars": {"B": [{"t": "y", "v": 2, "n": None}]}, "token": None}, theirs) == SAME
    )
    ours = {"bars": {"B": [{"t": 5, "vw": 2}]}, "token": None}
    expected = {"missing": {"bars.*[].v", "bars.*[].n"}, "beyond": {"bars.*[].vw"}}
    assert differences(ours, theirs) == {**expected, "other": {"bars.*[].t"}}


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("go_TestGetBars_1", "bars of two"),
        ("py_get_bars_1", "a page"),
        ("go_TestGetBars_Asof_1", "a page"),
        ("openapi_v2_stocks_bars_bars", "a page"),
        ("py_get_bars_single_empty_response_1", "bars of nobody"),
        ("openapi_v2_stocks_quotes_latest_quotes", "quotes"),
        ("py_get_latest_quote_1", "quotes"),
        ("py_get_market_movers_1", "movers"),
        ("openapi_v1beta1_screener_market_type_movers_movers", "movers"),
    ],
)
def test_alpaca_answers_in_the_shape_of_what_was_recorded(fake, recorded, name, asked):
    path, params = ASKED[asked]
    params = {**params, "limit": "10000"} if asked == "bars of two" else params
    assert differences(told(fake, path, **params).json(), recorded(f"alpaca/{name}")) == SAME


def test_tokens_lead_to_pages_of_one_shape(fake, recorded):
    params = ASKED["a page"][1]
    first = told(fake, BARS, **params).json()
    second = told(fake, BARS, **params, page_token=first["next_page_token"]).json()
    for ours, name in ((first, "Asof_1"), (second, "Asof_2")):
        assert differences(ours, recorded(f"alpaca/go_TestGetBars_{name}")) == SAME


# Facts of the day and of the year, which come of no window; yfinance reads none of them.
NOT_OF_BARS = (
    r"meta\.(firstTradeDate|regularMarket(Price|DayHigh|DayLow|Volume))$",
    r"meta\.(fiftyTwoWeek(High|Low)|chartPreviousClose|previousClose|scale)$",
)


def chart(fake, name="AAPL", **params):
    url = f"{fake.urls['yahoo']}/v8/finance/chart/{name}"
    return httpx.get(url, params={"events": "div,splits,capitalGains", **params})


def test_yahoo_answers_in_the_shape_of_a_day_that_was_recorded(fake, recorded):
    ours = chart(fake, range="5d", interval="1d", includePrePost="False").json()
    theirs = recorded("yahoo/2025_chart-AAPL-2020-01-01-to-2020-01-03")
    assert differences(ours, theirs, NOT_OF_BARS) == SAME


def test_yahoo_answers_in_the_shape_of_an_empty_window_that_was_recorded(fake, recorded):
    weekend = {"period1": "1709370000", "period2": "1709420000"}
    ours = chart(fake, interval="1m", **weekend).json()
    name = "2025_chart-AAPL-2025-02-01-to-2025-02-02-includePrePost-false-interval-1m"
    assert differences(ours, recorded(f"yahoo/{name}"), NOT_OF_BARS) == SAME


def test_yahoo_tells_hours_beside_bars_within_the_day_and_nothing_else_beyond(fake, recorded):
    ours = chart(fake, range="5d", interval="5m").json()
    theirs = recorded("yahoo/2025_chart-AAPL-2020-01-01-to-2020-01-03")
    found = differences(ours, theirs, (*NOT_OF_BARS, "adjclose"))
    hours = {f"chart.result[].meta.tradingPeriods[][].{n}" for n in ("timezone", "start", "end")}
    assert found == {**SAME, "beyond": {*hours, "chart.result[].meta.tradingPeriods[][].gmtoffset"}}


def test_yahoo_refuses_in_the_words_that_were_recorded(fake, recorded):
    assert chart(fake, "NOPE", range="1mo").json() == recorded("yahoo/chart_error_not_found")


def test_yahoo_tells_splits_and_dividends_in_the_shape_that_was_recorded(recorded):
    theirs = recorded("yahoo/2025_chart-AAPL-2020-08-31-to-2020-11-07")
    close = np.arange(100.0, 110.0)
    day = np.datetime64("2024-02-26", "ns") + np.arange(5) * np.timedelta64(24, "h")
    held = [
        Bars("AAPL", "1Day", day + np.timedelta64(5, "h"), *[price] * 4, close[:5], adjustment=kind)
        for kind, price in (
            ("raw", np.array([400.0, 404.0, 102.0, 103.0, 104.0])),
            ("split", np.array([100.0, 101.0, 102.0, 103.0, 104.0])),
            ("all", np.array([99.0, 99.99, 100.98, 103.0, 104.0])),
        )
    ]
    with FakeProviders(MemorySource(held, clock=CLOCK)) as fake:
        ours = chart(fake, range="1mo", interval="1d").json()
    assert differences(ours, theirs, NOT_OF_BARS) == SAME
    # On 2024-02-28 four new shares for one; on the 29th a hundredth of 102 is paid. 14:30 is 52200.
    assert ours["chart"]["result"][0]["events"] == {
        "splits": {
            "1709130600": {
                "date": 1709130600,
                "numerator": 4,
                "denominator": 1,
                "splitRatio": "4:1",
            }
        },
        "dividends": {"1709217000": {"amount": 1.02, "date": 1709217000}},
    }


def test_yahoo_screens_in_the_shape_that_was_recorded(fake, recorded):
    path = "/v1/finance/screener/predefined/saved?scrIds=most_actives&count=5"
    ours = httpx.get(f"{fake.urls['yahoo']}{path}").json()
    theirs = recorded("yahoo/2025_screener-aggressive_small_caps")
    # How the screen was made, and hundreds of facts about companies that bars do not tell.
    screen = "criteriaMeta|rawCriteria|description|creationDate|lastUpdated|versionId|iconUrl"
    flags = "useRecords|predefinedScr|isPremium"
    quote = "|".join(shape(ours["finance"]["result"][0]["quotes"][0]))
    optional = (rf"result\[\]\.({screen}|{flags})", rf"quotes\[\]\.(?!({quote})$)")
    assert differences(ours, theirs, optional) == SAME


def test_tiingo_answers_in_the_shape_of_what_was_recorded(fake, recorded):
    days = {"startDate": "2024-03-07", "endDate": "2024-03-08", "token": "t"}
    url = f"{fake.urls['iex']}/iex/SPY"
    ours = httpx.get(f"{url}/prices", params={**days, "resampleFreq": "5min"}).json()
    assert differences(ours, recorded("tiingo/intraday_price")) == SAME
    top = httpx.get(url, params={"token": "t"}).json()
    assert differences(top, recorded("tiingo/iex_top_of_book_MSFT")) == SAME
