from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tradekit import (
    BarsRequest,
    CredentialsError,
    FixedClock,
    NoDataError,
    RateLimitError,
    SourceError,
    UsageError,
)
from tradekit.data import AlpacaSource
from tradekit.testing import check_source

pytest.importorskip("alpaca")

KEY, SECRET = "key-of-nobody", "secret-of-nobody"
NOW = FixedClock(datetime(2024, 3, 9, tzinfo=UTC))  # a Saturday
WEEK = {"start": datetime(2024, 3, 4, tzinfo=UTC), "end": datetime(2024, 3, 8, 21, tzinfo=UTC)}
COLUMNS = ("open", "high", "low", "close", "volume")
NO_SIP = {"message": "subscription does not permit querying recent SIP data"}


def bar(time, *prices, volume):
    text = f"{np.datetime64(int(time), 'ns').astype('M8[s]')}Z"
    return {"t": text, **dict(zip("ohlc", map(float, prices), strict=True)), "v": float(volume)}


def rows_of(bars, params):
    """From start to end, both included, with an hour before the open that Alpaca has too."""
    first, last = (np.datetime64(params[k][:19], "ns") for k in ("start", "end"))
    times = bars.time.astype("M8[ns]")
    rows = []
    for i in np.flatnonzero((times >= first) & (times <= last)):
        if bars.timeframe.is_intraday and f"{times[i]}"[11:16] == "14:30":
            rows.append(bar(bars.time[i] - 3_600 * 10**9, 1, 1, 1, 1, volume=5))
        row = (getattr(bars, name)[i] for name in ("time", "open", "high", "low", "close"))
        rows.append(bar(*row, volume=bars.volume[i]))
    return rows


@pytest.fixture
def alpaca(provider, market):
    """Symbol after symbol, 300 rows a page; symbols that do not exist are left out in silence."""

    def answer(path, params, headers):
        assert path == "/v2/stocks/bars"
        assert (headers["APCA-API-KEY-ID"], headers["APCA-API-SECRET-KEY"]) == (KEY, SECRET)
        series = [market(s, params["timeframe"]) for s in sorted(params["symbols"].split(","))]
        rows = [(s.symbol, row) for s in series if s for row in rows_of(s, params)]
        first = int(params.get("page_token", 0))
        page = {}
        for symbol, row in rows[first : first + 300]:
            page.setdefault(symbol, []).append(row)
        token = str(first + 300) if len(rows) > first + 300 else None
        return 200, {"bars": page, "next_page_token": token}

    provider.answer = answer
    return provider


def source(provider, seconds=4.0, **options):
    timeout = timedelta(seconds=seconds)
    return AlpacaSource(
        KEY, SECRET, url_override=provider.url, timeout=timeout, clock=NOW, **options
    )


def fetch(source, symbols=("SPY",), timeframe="5Min", **window):
    return asyncio.run(source.fetch(BarsRequest(symbols, timeframe, **window or WEEK)))


def assert_same_prices(bars, wanted):
    for name in ("time", *COLUMNS):
        np.testing.assert_array_equal(getattr(bars, name), getattr(wanted, name), err_msg=name)


def test_bars_of_many_symbols_come_from_all_pages_and_from_regular_hours(alpaca, market):
    fetched = fetch(source(alpaca), ("SPY", "QQQ"))
    for symbol in ("SPY", "QQQ"):
        bars, truth = fetched[symbol], market(symbol, "5Min")
        assert len(bars) == 5 * 78
        assert_same_prices(bars, truth[(truth.time >= bars.time[0]).argmax() :].until(WEEK["end"]))
        assert (bars.source, bars.feed, bars.adjustment) == ("alpaca", "sip", "all")
    assert [params.get("page_token") for _, params in alpaca.asked] == [None, "300", "600"]


def test_the_newest_are_found_by_a_start_and_not_by_the_vendors_limit(alpaca, market):
    bars = fetch(source(alpaca), ("SPY", "QQQ"), limit=100)["QQQ"]
    assert_same_prices(bars, market("QQQ", "5Min").until(NOW.at)[-100:])
    # 78 bars are of Friday; 22 are left of Thursday, from 16:00 - 22 * 5 min in New York on.
    assert {p["start"] for _, p in alpaca.asked} == {"2024-03-07T19:10:00+00:00"}


@pytest.mark.parametrize(
    ("timeframe", "native"), [("1Hour", "30Min"), ("4Hour", "30Min"), ("1Week", "1Day")]
)
def test_hours_and_weeks_are_made_of_shorter_bars(alpaca, market, timeframe, native):
    window = {"start": datetime(2024, 2, 5, tzinfo=UTC), "end": NOW.at}
    bars = fetch(source(alpaca), timeframe=timeframe, **window)["SPY"]
    truth = market("SPY", timeframe).until(NOW.at)
    truth = truth[(truth.time >= bars.time[0]).argmax() :]
    np.testing.assert_array_equal(bars.time, truth.time)
    np.testing.assert_array_equal(bars.close, truth.close)
    np.testing.assert_allclose(bars.volume, truth.volume)
    assert {params["timeframe"] for _, params in alpaca.asked} == {native}


@pytest.mark.parametrize("adjustment", ["all", "split", "raw"])
def test_the_adjustment_is_passed_on_and_stated(alpaca, adjustment):
    bars = fetch(source(alpaca), timeframe="1Day", adjustment=adjustment, **WEEK)["SPY"]
    assert bars.adjustment == adjustment
    assert alpaca.asked[0][1]["adjustment"] == adjustment


def test_an_unknown_symbol_fails_beside_a_known_one(alpaca):
    fetched = fetch(source(alpaca), ("NOPE", "SPY"))
    assert len(fetched["SPY"]) == 390
    with pytest.raises(NoDataError, match="alpaca has no bars of NOPE"):
        fetched["NOPE"]


def test_a_symbol_that_alpaca_refuses_does_not_take_the_others_along(alpaca):
    whole = alpaca.answer

    def strict(path, params, headers):
        for symbol in params["symbols"].split(","):
            if len(symbol) > 5:
                return 400, {"message": f"invalid symbol: {symbol}"}
        return whole(path, params, headers)

    alpaca.answer = strict
    fetched = fetch(source(alpaca), ("TOOLONG", "SPY", "ALSOLONG"))
    assert len(fetched["SPY"]) == 390
    assert {type(error) for error in fetched.failures.values()} == {NoDataError}
    assert set(fetched.failures) == {"TOOLONG", "ALSOLONG"}


def free_plan(alpaca):
    """Refuse SIP of the last quarter of an hour."""
    whole = alpaca.answer

    def answer(path, params, headers):
        recent = params["end"] > "2024-03-08T23:45"
        return (403, NO_SIP) if recent and params["feed"] == "sip" else whole(path, params, headers)

    alpaca.answer = answer


def feeds(provider):
    return [p["feed"] for _, p in provider.asked if "page_token" not in p]


def test_keys_that_do_not_see_recent_sip_are_given_iex_and_told_so(alpaca, caplog):
    free_plan(alpaca)
    free = source(alpaca)
    assert fetch(free, limit=10)["SPY"].feed == "iex"
    assert fetch(free, limit=10)["SPY"].feed == "iex"
    assert fetch(free)["SPY"].feed == "sip"  # a window of the past
    assert feeds(alpaca) == ["sip", "iex", "iex", "sip"]
    assert caplog.text.count("do not see the newest SIP data") == 1


def test_a_plan_belongs_to_the_keys_and_not_to_a_source(alpaca):
    free_plan(alpaca)
    fetch(source(alpaca), limit=10)
    assert fetch(source(alpaca), limit=10)["SPY"].feed == "iex"
    assert feeds(alpaca) == ["sip", "iex", "iex"]
    others = AlpacaSource("other", SECRET, url_override=alpaca.url, clock=NOW)
    asyncio.run(others.fetch(BarsRequest("SPY", "5Min", limit=10)))
    assert feeds(alpaca)[3] == "sip"


def test_keys_that_see_no_sip_at_all_are_not_refused_again(alpaca):
    whole = alpaca.answer
    alpaca.answer = lambda path, params, headers: (
        (403, NO_SIP) if params["feed"] == "sip" else whole(path, params, headers)
    )
    poor = source(alpaca)
    assert [fetch(poor)["SPY"].feed for _ in range(3)] == ["iex"] * 3
    assert feeds(alpaca) == ["sip", "iex", "iex", "iex"]


def test_another_symbols_bars_are_not_believed(provider):
    rows = {"ZVZZT": [bar(NOW.at.timestamp() * 10**9, 1, 1, 1, 1, volume=1)]}
    provider.answer = lambda *_: (200, {"bars": rows, "next_page_token": None})
    error = fetch(source(provider)).failures["SPY"]
    assert (error.fault, error.retryable) == ("bad_data", True)
    assert "expected SPY, got ZVZZT" in str(error)


def test_one_bad_series_does_not_spoil_the_others(alpaca):
    whole = alpaca.answer

    def with_a_hole(path, params, headers):
        status, body = whole(path, params, headers)
        for row in body["bars"].get("QQQ", [])[:1]:
            row["h"] = None
        return status, body

    alpaca.answer = with_a_hole
    fetched = fetch(source(alpaca), ("SPY", "QQQ"))
    assert len(fetched["SPY"]) == 390
    assert fetched.failures["QQQ"].fault == "bad_data"


def coin(hour, price):
    return bar(
        np.datetime64("2024-03-07", "ns").astype(int) + hour * 3_600 * 10**9, *[price] * 4, volume=2
    )


def test_coins_trade_around_the_clock_and_their_days_are_those_of_utc(provider):
    rows = [coin(hour, 60_000 + hour) for hour in range(47)]  # the 8th lacks its last hour
    provider.answer = lambda *_: (200, {"bars": {"BTC/USD": rows}, "next_page_token": None})
    days = fetch(source(provider), ("BTC/USD",), "1Day", start=datetime(2024, 3, 7, tzinfo=UTC))
    (day,) = days["BTC/USD"]  # it may be that the 8th goes on
    assert (day.open, day.close, day.volume) == (60_000, 60_023, 48)
    assert (days["BTC/USD"].feed, days["BTC/USD"].calendar) == ("crypto", "24/7")
    ((path, params),) = provider.asked
    assert (path, params["timeframe"]) == ("/v1beta3/crypto/us/bars", "1Hour")
    assert "feed" not in params
    assert "adjustment" not in params


def test_stocks_and_coins_are_asked_for_beside_each_other(alpaca):
    whole = alpaca.answer

    def both(path, params, headers):
        if "crypto" in path:
            return 503, "down"
        return whole(path, params, headers)

    alpaca.answer = both
    fetched = fetch(source(alpaca), ("BTC/USD", "SPY"))
    assert len(fetched["SPY"]) == 390
    assert fetched.failures["BTC/USD"].fault == "transient"


@pytest.mark.parametrize(
    ("answer", "kind", "retryable"),
    [
        ((401, {"message": f"unauthorized {KEY} {SECRET}"}), CredentialsError, False),
        ((403, {"message": "forbidden."}), CredentialsError, False),
        ((404, {"message": "endpoint not found."}), NoDataError, False),
        ((422, {"message": "unexpected end"}), SourceError, False),
        ((429, {"message": "too many requests."}), RateLimitError, True),
        ((500, "oops"), SourceError, True),
        ((504, ""), SourceError, True),
        ((200, '{"bars": {"SPY": [{"t": '), SourceError, True),
        ((200, "<html>be right back</html>"), SourceError, True),
        ((200, ""), SourceError, True),
        ((200, {}), SourceError, True),
        ((200, {"bars": None}), SourceError, True),
        ((200, {"bars": {}, "next_page_token": None}), NoDataError, False),
        ((200, {"bars": {"SPY": [{"t": "2024-03-08T15:00:00Z", "o": 1.0}]}}), SourceError, True),
    ],
)
def test_every_refusal_is_told_apart(provider, caplog, answer, kind, retryable):
    caplog.set_level(logging.DEBUG)
    provider.answer = lambda *_: answer
    error = fetch(source(provider)).failures["SPY"]
    assert type(error) is kind
    assert error.retryable is retryable
    told = f"{error!r} {error} {error.__cause__} {error.__context__} {caplog.text}"
    assert KEY not in told
    assert SECRET not in told
    assert len(provider.asked) == 1  # nobody repeats in secret


def test_a_limit_says_how_long_to_wait(provider):
    reset = str(int(NOW.at.timestamp()) + 12)
    provider.answer = lambda *_: (429, "", {"X-RateLimit-Reset": reset})
    assert fetch(source(provider)).failures["SPY"].retry_after == 12


def test_a_server_that_hangs_is_given_up(provider, ends_by_itself):
    provider.answer = provider.hang
    error = fetch(source(provider, seconds=0.2)).failures["SPY"]
    assert error.retryable
    assert "alpaca cannot be reached: expected an answer within 0.2 s" in str(error)
    assert ends_by_itself("tradekit-alpaca")


def test_nobody_who_listens_is_said_with_cause_and_cure():
    nobody = AlpacaSource(KEY, SECRET, url_override="http://127.0.0.1:9", clock=NOW)
    error = fetch(nobody).failures["SPY"]
    assert error.retryable
    assert "Connection refused" in str(error)
    assert "Try: look at the network" in str(error)


def test_keys_are_needed_and_may_come_from_the_environment(monkeypatch):
    for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "ALPACA_API_KEY", "ALPACA_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CredentialsError, match="APCA_API_KEY_ID or ALPACA_API_KEY and APCA_API_S"):
        AlpacaSource(KEY)
    monkeypatch.setenv("ALPACA_API_KEY", KEY)
    monkeypatch.setenv("APCA_API_SECRET_KEY", SECRET)
    assert KEY not in repr(AlpacaSource())
    with pytest.raises(UsageError, match="no such feed"):
        AlpacaSource(feed="otc")


def test_quotes_are_told_by_name(provider):
    quote = {"t": "2022-03-18T14:02:43Z", "ap": 161.11, "as": 13, "bp": 161.1, "bs": 2, "c": ["R"]}
    provider.answer = lambda *_: (200, {"quotes": {"AAPL": quote}})
    assert asyncio.run(source(provider).quotes("AAPL")) == {
        "AAPL": {"bid": 161.1, "ask": 161.11, "bid_size": 2.0, "ask_size": 13.0}
    }


def test_a_side_where_nobody_offers_is_left_out(provider):
    quote = {"t": "2022-01-03T09:00:00Z", "ap": 0, "as": 0, "bp": 177.92, "bs": 4}
    provider.answer = lambda *_: (200, {"quotes": {"AAPL": quote}})
    assert asyncio.run(source(provider).quotes("AAPL")) == {"AAPL": {"bid": 177.92, "bid_size": 4}}


def test_a_symbol_where_nobody_offers_on_either_side_has_no_quote(provider):
    some, none = {"bp": 1, "bs": 4, "ap": 2, "as": 3}, {"bp": 0, "bs": 0, "ap": 0, "as": 0}
    at = {"t": "2022-01-03T09:00:00Z"}
    told = {"AAPL": at | some, "TSLA": at | none}
    provider.answer = lambda *_: (200, {"quotes": told})
    assert list(asyncio.run(source(provider).quotes(("AAPL", "TSLA")))) == ["AAPL"]


def test_coins_are_quoted_beside_stocks(provider):
    quote = {"t": "2024-03-08T14:02:43Z", "ap": 2, "as": 3, "bp": 1, "bs": 4}

    def answer(path, params, headers):
        return 200, {"quotes": {params["symbols"]: quote}}

    provider.answer = answer
    told = asyncio.run(source(provider).quotes(("AAPL", "BTC/USD")))
    assert told.keys() == {"AAPL", "BTC/USD"}
    assert [path for path, _ in provider.asked] == [
        "/v2/stocks/quotes/latest",
        "/v1beta3/crypto/us/latest/quotes",
    ]


def test_screens_are_ranked_and_dated(provider):
    rows = [
        {"symbol": "AAA", "volume": 5_000_000, "trade_count": 3},
        {"symbol": "BBB", "volume": 4_000_000, "trade_count": 9},
    ]
    movers = [{"symbol": "CCC", "percent_change": -12.5, "change": -1, "price": 7}]
    asof = {"last_updated": "2024-03-08T20:59:00.123456789Z"}

    def answer(path, params, headers):
        if path.endswith("most-actives"):
            return 200, {"most_actives": rows, **asof}
        return 200, {"gainers": [], "losers": movers, "market_type": "stocks", **asof}

    provider.answer = answer
    leaders = asyncio.run(source(provider).discover("volume_leaders", 2))
    assert [(c.symbol, c.rank, c.score) for c in leaders] == [("AAA", 1, 5e6), ("BBB", 2, 4e6)]
    assert leaders[0].asof == datetime(2024, 3, 8, 20, 59, 0, 123456, tzinfo=UTC)
    (loser,) = asyncio.run(source(provider).discover("losers"))
    assert (loser.symbol, loser.reason) == ("CCC", "-12.5 % today")
    with pytest.raises(SourceError, match="no screen for 'trending'"):
        asyncio.run(source(provider).discover("trending"))


def test_recorded_pages_are_joined(provider, market_data):
    pages = [
        json.loads((market_data / f"recorded/alpaca/go_TestGetBars_Asof_{i}.json").read_text())
        for i in (1, 2)
    ]
    over = {"bars": {}, "next_page_token": None}
    bodies = iter([*(page["response"]["body"] for page in pages), over])
    provider.answer = lambda *_: (200, next(bodies))
    window = {"start": datetime(2022, 6, 8, tzinfo=UTC), "end": datetime(2022, 6, 14, tzinfo=UTC)}
    bars = fetch(source(provider), ("META",), "1Day", **window)["META"]
    recorded = [row for page in pages for row in page["response"]["body"]["bars"]["META"]]
    assert bars.close.tolist() == [row["c"] for row in recorded]


def test_it_keeps_what_every_source_promises(alpaca):
    request = BarsRequest(("SPY", "QQQ"), "30Min", **WEEK)
    for check in check_source(source(alpaca), request):
        check()
