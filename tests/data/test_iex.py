from __future__ import annotations

import asyncio
import logging
import threading
import traceback
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
from tradekit.data import IEXSource, SimulatedSource
from tradekit.testing import FakeProviders, check_source

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
    return IEXSource(
        TOKEN, url_override=provider.url, timeout=timedelta(seconds=seconds), clock=NOW
    )


def fetch(source, symbols=("SPY",), timeframe="5Min", adjustment="raw", **window):
    request = BarsRequest(symbols, timeframe, adjustment=adjustment, **window or WEEK)
    return asyncio.run(source.fetch(request))


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


OVER = "Error: You have run over your hourly request allocation. Please upgrade."
HALF = [{"date": "2024-03-08T15:00:00Z", "open": 1.0}]
DAY = [{"date": "2024-03-08T00:00:00.000Z", **dict.fromkeys(COLUMNS, 5.0)}]
LOCAL = [{"date": "2024-03-08T10:00:00-05:00", **dict.fromkeys(COLUMNS, 5.0)}]


@pytest.mark.parametrize(
    ("answer", "kind", "fault", "retryable"),
    [
        ((401, {"detail": f"Invalid token {TOKEN}"}), CredentialsError, "credentials", False),
        ((403, {"detail": "You do not have permission"}), CredentialsError, "entitlement", False),
        ((404, {"detail": "Not found."}), NoDataError, "unknown_symbol", False),
        ((200, []), NoDataError, "empty", False),
        ((429, "slow down", {"Retry-After": "30"}), RateLimitError, "rate_limit", True),
        ((200, OVER), RateLimitError, "rate_limit", True),
        ((200, {"detail": OVER}), RateLimitError, "rate_limit", True),
        ((400, {"detail": "Bad resampleFreq"}), SourceError, "unable", False),
        ((500, "oops"), SourceError, "transient", True),
        ((502, "<html>"), SourceError, "transient", True),
        ((200, "null"), SourceError, "bad_data", True),
        ((200, '[{"date": "2024-03-'), SourceError, "bad_data", True),
        ((200, "<html>be right back</html>"), SourceError, "bad_data", True),
        ((200, "date,close\n2024-03-08,5.0\n"), SourceError, "bad_data", True),
        ((200, ""), SourceError, "bad_data", True),
        ((200, {"detail": "what?"}), SourceError, "bad_data", True),
        ((200, [["2024-03-08T15:00:00Z", 1.0]]), SourceError, "bad_data", True),
        ((200, HALF), SourceError, "bad_data", True),
        ((200, DAY), SourceError, "bad_data", True),
        ((200, LOCAL), SourceError, "bad_data", True),
    ],
)
def test_every_refusal_is_told_apart(provider, caplog, answer, kind, fault, retryable):
    caplog.set_level(logging.DEBUG)
    provider.answer = lambda *_: answer
    error = fetch(source(provider)).failures["SPY"]
    assert (type(error), error.fault, error.retryable) == (kind, fault, retryable)
    assert TOKEN not in f"{error!r} {error} {error.__cause__} {caplog.text} {source(provider)!r}"


def bars_of(source):
    fetch(source)["SPY"]


def quotes_of(source):
    asyncio.run(source.quotes("SPY"))


def report_of(ask, source):
    """What a debugger prints, with the variables of every frame."""
    with pytest.raises(SourceError) as caught:
        ask(source)
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    return "".join(report.format())


@pytest.mark.parametrize("ask", [bars_of, quotes_of])
@pytest.mark.parametrize("status", [200, 401, 429, 500])
def test_a_token_that_is_echoed_is_in_no_frame(provider, ask, status):
    def echo(path, params, headers):
        return status, f"I do not like {headers['Authorization']}", {"X-Said": TOKEN}

    provider.answer = echo
    report = report_of(ask, source(provider))
    assert "***" in report  # it was echoed
    assert TOKEN not in report


@pytest.mark.parametrize("ask", [bars_of, quotes_of])
def test_a_connection_that_fails_shows_no_token(provider, ask):
    nobody = IEXSource(TOKEN, url_override="http://127.0.0.1:9", clock=NOW)
    assert TOKEN not in report_of(ask, nobody)
    provider.answer = provider.hang
    assert TOKEN not in report_of(ask, source(provider, seconds=0.2))


def test_a_limit_says_how_long_to_wait(provider):
    provider.answer = lambda *_: (429, "", {"Retry-After": "30"})
    assert fetch(source(provider)).failures["SPY"].retry_after == 30
    reset = str(int(NOW.at.timestamp()) + 12)
    provider.answer = lambda *_: (429, "", {"X-RateLimit-Reset": reset})
    assert fetch(source(provider)).failures["SPY"].retry_after == 12
    provider.answer = lambda *_: (200, OVER)  # which does not tell
    assert fetch(source(provider)).failures["SPY"].retry_after is None


def test_refused_keys_are_shown_once_and_not_for_every_symbol(provider):
    provider.answer = lambda *_: (401, {})
    symbols = tuple(f"S{i}" for i in range(50))
    assert set(fetch(source(provider), symbols).failures) == set(symbols)
    assert len(provider.asked) <= 4


def test_a_server_that_hangs_is_given_up_with_its_thread(provider, ends_by_itself):
    provider.answer = provider.hang
    error = fetch(source(provider, seconds=0.2)).failures["SPY"]
    assert (error.fault, error.retryable) == ("transient", True)
    assert "iex cannot be reached: expected an answer within 0.2 s, got " in str(error)
    assert ends_by_itself("tradekit-iex")


def test_an_answer_that_drips_is_given_up_with_its_thread(ends_by_itself):
    with FakeProviders(SimulatedSource(clock=NOW)) as fake:
        fake.break_next("iex", "slow_drip")  # a byte every 50 ms
        error = fetch(fake.iex(timeout=timedelta(seconds=0.2))).failures["SPY"]
        assert (error.fault, error.retryable) == ("transient", True)
        assert ends_by_itself("tradekit-iex")
        assert len(fetch(fake.iex())["SPY"]) > 350


def test_one_source_serves_several_loops_and_threads(tiingo):
    shared, answers = source(tiingo), []
    loops = [threading.Thread(target=lambda: answers.append(fetch(shared))) for _ in range(6)]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join()
    answers += [
        fetch(shared),
        shared.blocking.fetch(BarsRequest("SPY", "5Min", adjustment="raw", **WEEK)),
    ]
    assert [len(answer["SPY"]) for answer in answers] == [390] * 8


@pytest.mark.parametrize(
    ("day", "bars", "last"),
    [
        (datetime(2024, 7, 3, tzinfo=UTC), 7, "16:30"),  # closes at one in the afternoon
        (datetime(2024, 3, 8, tzinfo=UTC), 13, "20:30"),  # the days before and after the clocks
        (datetime(2024, 3, 11, tzinfo=UTC), 13, "19:30"),  # go forward
        (datetime(2024, 11, 1, tzinfo=UTC), 13, "19:30"),
        (datetime(2024, 11, 4, tzinfo=UTC), 13, "20:30"),  # and back
    ],
)
def test_days_have_the_hours_of_the_exchange(day, bars, last):
    clock = FixedClock(datetime(2024, 12, 1, tzinfo=UTC))
    with FakeProviders(SimulatedSource(clock=clock)) as fake:
        found = fetch(fake.iex(), timeframe="30Min", start=day, end=day + timedelta(days=1))["SPY"]
    assert len(found) == bars
    assert f"{found[-1].time:%H:%M}" == last


@pytest.mark.parametrize(("timeframe", "closed"), [("5Min", "16:00"), ("1Hour", "15:30")])
def test_the_bar_that_runs_is_not_among_them(timeframe, closed):
    clock = FixedClock(datetime(2024, 3, 8, 16, 2, tzinfo=UTC))
    with FakeProviders(SimulatedSource(clock=clock)) as fake:
        newest = fetch(fake.iex(), timeframe=timeframe, limit=3)["SPY"][-1]
    assert f"{newest.close_time:%d %H:%M}" == f"08 {closed}"


def top(ticker, bid=None, ask=None):
    sides = {"bidPrice": bid, "bidSize": bid and 300, "askPrice": ask, "askSize": ask and 200}
    return {"ticker": ticker, "last": 100.0, **sides}


def test_quotes_of_many_symbols_are_one_question(provider):
    provider.answer = lambda *_: (200, [top("SPY", 99.9, 100.1), top("BRK-B", 400.0)])
    quotes = asyncio.run(source(provider).quotes(("SPY", "BRK.B", "NOPE")))
    assert provider.asked == [("/iex/", {"tickers": "SPY,BRK-B,NOPE"})]
    assert quotes == {
        "SPY": {"bid": 99.9, "bid_size": 300, "ask": 100.1, "ask_size": 200},
        "BRK.B": {"bid": 400.0, "bid_size": 300},
    }


def test_no_quote_at_all_is_told_as_such(provider):
    provider.answer = lambda *_: (200, [top("SPY")])  # as after the close
    with pytest.raises(NoDataError, match="tells no bid and no ask of SPY"):
        asyncio.run(source(provider).quotes("SPY"))
    provider.answer = lambda *_: (200, OVER)
    with pytest.raises(RateLimitError):
        asyncio.run(source(provider).quotes("SPY"))
    provider.answer = lambda *_: (200, [top("OTHER", 1.0, 2.0)])
    with pytest.raises(SourceError) as caught:
        asyncio.run(source(provider).quotes("SPY"))
    assert caught.value.fault == "bad_data"


def test_quotes_come_from_the_fake_book_too():
    clock = FixedClock(datetime(2024, 3, 8, 16, tzinfo=UTC))
    with FakeProviders(SimulatedSource(clock=clock)) as fake:
        quote = fake.iex().blocking.quotes("SPY")["SPY"]
    assert 0 < quote["bid"] < quote["ask"]


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


def test_it_keeps_what_every_source_promises(tiingo):
    request = BarsRequest(("SPY", "QQQ"), "30Min", adjustment="raw", **WEEK)
    for check in check_source(source(tiingo), request):
        check()
