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
)
from tradekit.data import IEXSource
from tradekit.testing import check_source

TOKEN = "tiingo-token-of-nobody"
NOW = FixedClock(datetime(2024, 3, 9, tzinfo=UTC))  # a Saturday
WEEK = {"start": datetime(2024, 3, 4, tzinfo=UTC), "end": datetime(2024, 3, 8, 21, tzinfo=UTC)}
COLUMNS = ("open", "high", "low", "close", "volume")


def rows_of(bars, params):
    """Whole days, times in Z, and of the columns only those that are named."""
    times = bars.time.astype("M8[ns]")
    days = times.astype("M8[D]").astype(str)  # of regular hours, so the same in New York
    names = params.get("columns", "open,high,low,close").split(",")
    return [
        {"date": f"{times[i].astype('M8[ms]')}Z"}
        | {name: float(getattr(bars, name)[i]) for name in names}
        for i in np.flatnonzero((days >= params["startDate"]) & (days <= params["endDate"]))
    ]


@pytest.fixture
def tiingo(provider, market):
    def answer(path, params, headers):
        assert headers["Authorization"] == f"Token {TOKEN}"
        bars = market(path.split("/")[2], params["resampleFreq"].replace("min", "Min"))
        return (200, rows_of(bars, params)) if bars else (404, {"detail": "Not found."})

    provider.answer = answer
    return provider


def source(provider, seconds=4.0):
    return IEXSource(TOKEN, url_override=provider.url, timeout=timedelta(seconds=seconds), clock=NOW)


def fetch(source, symbols=("SPY",), timeframe="5Min", **window):
    return asyncio.run(source.fetch(BarsRequest(symbols, timeframe, **window or WEEK)))


def assert_same_prices(bars, wanted):
    for name in ("time", *COLUMNS):
        np.testing.assert_array_equal(getattr(bars, name), getattr(wanted, name), err_msg=name)


def test_bars_are_those_that_were_served(tiingo, market):
    bars = fetch(source(tiingo))["SPY"]
    week = market("SPY", "5Min")
    assert len(bars) == 5 * 78
    assert_same_prices(bars, week[(week.time >= bars.time[0]).argmax() :].until(WEEK["end"]))
    assert (bars.source, bars.feed, bars.adjustment) == ("iex", "iex", "raw")


def test_hours_are_counted_from_the_open(tiingo, market):
    hours = fetch(source(tiingo), timeframe="1Hour", limit=7)["SPY"]
    assert [f"{bar.time:%H:%M}" for bar in hours] == [f"{h}:30" for h in range(14, 21)]
    assert {params["resampleFreq"] for _, params in tiingo.asked} == {"30min"}
    assert_same_prices(hours, market("SPY", "1Hour").until(NOW.at)[-7:])


def test_a_long_window_is_asked_for_in_pieces_of_2000_rows(tiingo, market):
    window = {"start": datetime(2024, 1, 2, tzinfo=UTC), "end": datetime(2024, 3, 1, tzinfo=UTC)}
    bars = fetch(source(tiingo), **window)["SPY"]
    # 41 sessions of 78 bars; 25 sessions have 1950 rows, 26 more than 2000.
    assert len(bars) == 41 * 78
    assert [(p["startDate"], p["endDate"]) for _, p in tiingo.asked] == [
        ("2024-01-02", "2024-02-06"),
        ("2024-02-07", "2024-02-29"),
    ]


def test_one_who_trades_seldom_is_asked_for_from_farther_back(tiingo, provider):
    whole = tiingo.answer

    def on_fridays(path, params, headers):
        status, rows = whole(path, params, headers)
        fridays = ("2024-02-23", "2024-03-01", "2024-03-08")
        return status, [row for row in rows if row["date"][:10] in fridays]

    provider.answer = on_fridays
    assert len(fetch(source(provider), limit=200)["SPY"]) == 200


def test_volume_that_is_not_told_is_not_known(tiingo):
    told = tiingo.answer

    def without_volume(path, params, headers):
        return told(path, {**params, "columns": "open,high,low,close"}, headers)

    tiingo.answer = without_volume
    assert np.isnan(fetch(source(tiingo))["SPY"].volume).all()


def test_an_unknown_symbol_fails_beside_a_known_one(tiingo):
    fetched = fetch(source(tiingo), ("NOPE", "SPY"))
    assert len(fetched["SPY"]) == 390
    with pytest.raises(NoDataError, match="does not know NOPE"):
        fetched["NOPE"]


def test_days_are_refused_at_once(provider):
    with pytest.raises(SourceError, match="iex serves no 1Day bars") as caught:
        fetch(source(provider), timeframe="1Day")["SPY"]
    assert not caught.value.retryable
    assert not provider.asked


@pytest.mark.parametrize(
    ("answer", "kind", "retryable"),
    [
        ((401, {"detail": f"Invalid token {TOKEN}"}), CredentialsError, False),
        ((403, {"detail": "no"}), CredentialsError, False),
        ((404, {"detail": "Not found."}), NoDataError, False),
        ((200, []), NoDataError, False),
        ((429, "slow down", {"Retry-After": "30"}), RateLimitError, True),
        ((200, "Error: You have run over your hourly request allocation"), RateLimitError, True),
        ((200, "null"), SourceError, True),
        ((400, {"detail": "Bad resampleFreq"}), SourceError, False),
        ((500, "oops"), SourceError, True),
        ((502, "<html>"), SourceError, True),
        ((200, '[{"date": "2024-03-'), SourceError, True),
        ((200, "<html>be right back</html>"), SourceError, True),
        ((200, ""), SourceError, True),
        ((200, {"detail": "what?"}), SourceError, True),
        ((200, [{"date": "2024-03-08T15:00:00Z", "open": 1.0}]), SourceError, True),
    ],
)
def test_every_refusal_is_told_apart(provider, caplog, answer, kind, retryable):
    caplog.set_level(logging.DEBUG)
    provider.answer = lambda *_: answer
    error = fetch(source(provider)).failures["SPY"]
    assert type(error) is kind
    assert error.retryable is retryable
    assert TOKEN not in f"{error!r} {error} {error.__cause__} {caplog.text} {source(provider)!r}"


def test_a_limit_says_how_long_to_wait(provider):
    provider.answer = lambda *_: (429, "", {"Retry-After": "30"})
    assert fetch(source(provider)).failures["SPY"].retry_after == 30
    reset = str(int(NOW.at.timestamp()) + 12)
    provider.answer = lambda *_: (429, "", {"X-RateLimit-Reset": reset})
    assert fetch(source(provider)).failures["SPY"].retry_after == 12


def test_refused_keys_are_shown_once_and_not_for_every_symbol(provider):
    provider.answer = lambda *_: (401, {})
    symbols = tuple(f"S{i}" for i in range(50))
    assert set(fetch(source(provider), symbols).failures) == set(symbols)
    assert len(provider.asked) <= 4


def test_a_server_that_hangs_is_given_up(provider):
    provider.answer = provider.hang
    error = fetch(source(provider, seconds=0.2)).failures["SPY"]
    assert error.retryable
    assert "iex cannot be reached: expected an answer within 0.2 s, got " in str(error)


def test_nobody_who_listens_is_said_with_cause_and_cure(provider):
    nobody = IEXSource(TOKEN, url_override="http://127.0.0.1:9", clock=NOW)
    error = fetch(nobody).failures["SPY"]
    assert error.retryable
    assert "got ConnectError" in str(error)
    assert "Try: look at the network" in str(error)


def test_a_token_is_needed_and_may_come_from_the_environment(monkeypatch):
    monkeypatch.delenv("TIINGO_API_KEY", raising=False)
    with pytest.raises(CredentialsError, match="expected TIINGO_API_KEY"):
        IEXSource()
    monkeypatch.setenv("TIINGO_API_KEY", TOKEN)
    assert IEXSource()._token == TOKEN


def test_recorded_bars_are_read(provider, market_data):
    recorded = json.loads((market_data / "recorded/tiingo/intraday_price.json").read_text("utf-8"))
    rows = recorded["response"]["body"]
    provider.answer = lambda *_: (200, rows)
    day = {"start": datetime(2018, 1, 2, tzinfo=UTC), "end": datetime(2018, 1, 3, tzinfo=UTC)}
    bars = fetch(source(provider), ("GOOGL",), "30Min", **day)["GOOGL"]
    assert bars.close.tolist() == [row["close"] for row in rows][: len(bars)]
    assert len(bars) == 13


def test_it_keeps_what_every_source_promises(tiingo):
    request = BarsRequest(("SPY", "QQQ"), "30Min", **WEEK)
    for check in check_source(source(tiingo), request):
        check()
