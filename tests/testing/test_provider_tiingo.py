"""A plain HTTP client asks the fake Tiingo, as its users do."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from itertools import pairwise

import httpx
import numpy as np
import pytest

from tradekit import BarsRequest, FixedClock
from tradekit.data import SimulatedSource
from tradekit.testing import FakeProviders

NOW = datetime(2024, 3, 8, 18, tzinfo=UTC)
SOURCE = SimulatedSource(clock=FixedClock(NOW))
COLUMNS = "open,high,low,close,volume"


@pytest.fixture(scope="module")
def fake():
    with FakeProviders(SOURCE) as fake:
        yield fake


def ask(fake, path="/iex/SPY/prices", token="t", **params):
    headers = {"Authorization": f"Token {token}"} if token else {}
    return httpx.get(f"{fake.urls['iex']}{path}", params=params, headers=headers)


def truth(timeframe="5Min", day=7, adjustment="raw"):
    bounds = {
        "start": datetime(2024, 3, day, tzinfo=UTC),
        "end": datetime(2024, 3, day, 23, tzinfo=UTC),
    }
    request = BarsRequest("SPY", timeframe, adjustment=adjustment, **bounds)
    return asyncio.run(SOURCE.fetch(request))["SPY"]


def test_bars_of_a_day_are_those_of_the_source_as_traded(fake):
    day = {"startDate": "2024-03-07", "endDate": "2024-03-07"}
    rows = ask(fake, resampleFreq="5min", columns=COLUMNS, **day).json()
    wanted = truth()
    assert rows[0]["date"] == "2024-03-07T14:30:00.000Z"
    assert [
        np.datetime64(row["date"][:-1], "ns").astype("i8") for row in rows
    ] == wanted.time.tolist()
    for name in ("open", "high", "low", "close"):
        assert [row[name] for row in rows] == getattr(wanted, name).tolist()
    assert 0.02 < sum(row["volume"] for row in rows) / wanted.volume.sum() < 0.04


def test_some_minutes_are_missing(fake):
    day = {"startDate": "2024-03-07", "endDate": "2024-03-07"}
    rows = ask(fake, resampleFreq="1min", **day).json()
    assert 350 <= len(rows) < 385  # of 390, 95 percent


def test_volume_comes_only_when_it_is_named(fake):
    day = {"startDate": "2024-03-07", "endDate": "2024-03-07"}
    assert set(ask(fake, resampleFreq="5min", **day).json()[0]) == {
        "date",
        "open",
        "high",
        "low",
        "close",
    }
    assert set(ask(fake, columns="volume", **day).json()[0]) == {"date", "volume"}


def test_without_dates_the_newest_session_comes_with_the_bar_that_runs(fake):
    rows = ask(fake, resampleFreq="4hour").json()
    # 09:30 to 13:30 in New York is not over at 13:00.
    assert [row["date"] for row in rows] == ["2024-03-08T14:30:00.000Z"]
    assert rows[0]["close"] == truth("1Min", day=8).close[-1]


def test_unknown_tickers_and_bad_questions_are_refused(fake):
    assert ask(fake, "/iex/NOPE/prices").json() == {"detail": "Not found."}
    assert ask(fake, startDate="2024-03-09", endDate="2024-03-10").json() == []  # a weekend
    assert ask(fake, resampleFreq="1day").status_code == 400
    assert ask(fake, startDate="soon").status_code == 400
    assert ask(fake, token="").status_code == 401
    assert ask(fake, "/tiingo/daily/SPY").status_code == 404


def days_of(fake, symbol="TAAO", first="2023-01-03", last="2024-03-08"):
    return ask(fake, f"/tiingo/daily/{symbol}/prices", startDate=first, endDate=last).json()


def test_days_tell_the_splits_and_dividends_of_the_source(fake):
    rows = days_of(fake)
    splits = {row["date"][:10]: row["splitFactor"] for row in rows if row["splitFactor"] != 1}
    cash = {row["date"][:10]: row["divCash"] for row in rows if row["divCash"] != 0}
    happened = [a for a in SOURCE.actions("TAAO") if a.session.year >= 2023]
    assert splits == {str(a.session): a.value for a in happened if a.kind == "split"}
    paid = {str(a.session): a.value for a in happened if a.kind == "dividend"}
    assert splits
    assert cash == pytest.approx(paid, abs=1e-6)


def test_days_are_as_they_were_traded_and_adjusted_as_tiingo_does(fake):
    rows = days_of(fake)
    older, newer = next(
        (older, newer) for older, newer in pairwise(rows) if newer["splitFactor"] != 1
    )
    assert newer["date"] == "2023-10-17T00:00:00.000Z"
    assert older["close"] / newer["close"] == pytest.approx(2, rel=0.1)
    assert older["adjVolume"] == 2 * older["volume"]
    assert older["adjClose"] / newer["adjClose"] == pytest.approx(
        older["close"] / 2 / newer["close"]
    )
    # It holds a dividend against the close of its ex-day.
    older, newer = next((older, newer) for older, newer in pairwise(rows) if newer["divCash"] > 0)
    left = newer["close"] / (newer["close"] + newer["divCash"])
    assert older["adjClose"] / newer["adjClose"] == pytest.approx(
        left * older["close"] / newer["close"]
    )
    assert rows[-1]["adjClose"] == rows[-1]["close"]


def test_the_row_of_a_day_is_out_in_the_evening():
    newest = {}
    for hour, minute in ((22, 29), (22, 30)):  # 17:30 in New York
        clock = FixedClock(NOW.replace(hour=hour, minute=minute))
        with FakeProviders(SimulatedSource(clock=clock)) as fake:
            newest[minute] = days_of(fake, first="2024-03-01")[-1]["date"][:10]
    assert newest == {29: "2024-03-07", 30: "2024-03-08"}


def test_days_of_the_past_are_adjusted_as_of_now(fake):
    past = days_of(fake, last="2023-10-16")  # the day before it split
    assert past == days_of(fake)[: len(past)]
    assert past[-1]["adjClose"] < 0.51 * past[-1]["close"]


def test_days_of_nobody_are_refused(fake):
    answer = ask(fake, "/tiingo/daily/NOPE/prices")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})
    assert days_of(fake, first="2024-03-02", last="2024-03-03") == []  # a weekend


def test_what_is_wrong_with_prices_of_the_day_waits_for_them():
    with FakeProviders(SOURCE) as fake:
        fake.break_next("iex", "price_x100")
        fake.break_next("iex", "503")
        assert ask(fake, "/tiingo/daily/SPY/prices").status_code == 503
        fake.break_next("iex", "missing_fields")
        rows = days_of(fake, first="2024-03-01")
        assert sum("close" not in row for row in rows) == 1
        day = {"startDate": "2024-03-07", "endDate": "2024-03-07"}
        closes = [row["close"] for row in ask(fake, **day).json()]
    assert max(closes) > 50 * min(closes)


def test_a_used_budget_is_a_sentence_with_status_200():
    with FakeProviders(SOURCE, limit_per_minute={"iex": 1}) as fake:
        ask(fake)
        answer = ask(fake)
    assert answer.status_code == 200
    assert "run over your hourly request allocation" in answer.text


def test_the_top_of_the_book_is_empty_after_the_close(fake):
    (top,) = ask(fake, "/iex/spy").json()
    last = truth("1Min", day=8, adjustment="split").close[-1]
    assert top["bidPrice"] < top["last"] == last < top["askPrice"]
    with FakeProviders(SimulatedSource(clock=FixedClock(NOW.replace(hour=22)))) as late:
        tops = ask(late, "/iex/", tickers="spy,qqq").json()
    assert [top["ticker"] for top in tops] == ["SPY", "QQQ"]
    assert {top["bidPrice"] for top in tops} == {None}


def test_replies_have_the_shape_of_those_that_were_recorded(fake, market_data):
    def body(name):
        text = (market_data / f"recorded/tiingo/{name}.json").read_text("utf-8")
        return json.loads(text)["response"]["body"]

    assert set(ask(fake, "/iex/", tickers="msft").json()[0]) == set(body("iex_top_of_book_MSFT")[0])
    day = {"startDate": "2024-03-07", "endDate": "2024-03-07", "resampleFreq": "30Min"}
    ours, theirs = ask(fake, **day).json(), body("intraday_price")
    assert list(ours[0]) == list(theirs[0])
    assert [r["date"][11:] for r in ours] == [r["date"][11:] for r in theirs]
    ours, theirs = days_of(fake, "SPY"), body("ticker_price_pandas_daily_metric_name")
    assert set(ours[0]) == set(theirs[0])
    assert {r["date"][10:] for r in ours} == {r["date"][10:] for r in theirs}
