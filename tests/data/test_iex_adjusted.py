"""Prices of IEX, adjusted by Tiingo's end-of-day rows; Apple's are as they were traded."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tradekit import (
    BarsRequest,
    FixedClock,
    MultiSourceDataManager,
    NoDataError,
    RateLimitError,
    ReplayClock,
    SourceError,
)
from tradekit.data import IEXSource, SimulatedSource
from tradekit.testing import FakeProviders

pytestmark = pytest.mark.slow

OVER = "Error: You have run over your hourly request allocation."
# The last half hour of Friday, August 28, 2020, and the first of Monday, when one became four.
MINUTES = [
    ("2020-08-28T19:30:00.000Z", 501.0, 501.4, 498.6, 499.2, 2000),
    ("2020-08-31T13:30:00.000Z", 127.6, 128.8, 126.4, 128.0, 9000),
]
DAYS = [
    ("2020-08-27", 500.04, 125.01, 1.0),
    ("2020-08-28", 499.23, 124.8075, 1.0),
    ("2020-08-31", 129.04, 129.04, 4.0),
    ("2020-09-01", 134.18, 134.18, 1.0),
]
WINDOW = {
    "start": datetime(2020, 8, 28, tzinfo=UTC),
    "end": datetime(2020, 8, 31, 14, tzinfo=UTC),
}
WEDNESDAY = datetime(2020, 9, 2, 15, tzinfo=UTC)


@pytest.fixture
def apple(provider):
    """Tiingo, with a split of Apple's; ``provider.days`` is its answer of days."""
    names = ("date", "open", "high", "low", "close", "volume")
    day = ("date", "close", "adjClose", "splitFactor")
    rows = [dict(zip(names, row, strict=True)) for row in MINUTES]
    provider.days = 200, [{**dict(zip(day, row, strict=True)), "divCash": 0.0} for row in DAYS]

    def answer(path, params, headers):
        if path == "/tiingo/daily/AAPL/prices":
            return provider.days
        first, last = params["startDate"], params["endDate"]
        return 200, [row for row in rows if first <= row["date"][:10] <= last]

    provider.answer = answer
    return provider


def source(provider, clock=None, **options):
    clock = clock or FixedClock(WEDNESDAY)
    return IEXSource("token", url_override=provider.url, clock=clock, **options)


def fetch(source, adjustment="all", symbol="AAPL", **window):
    request = BarsRequest(symbol, "30Min", adjustment=adjustment, **window or WINDOW)
    return asyncio.run(source.fetch(request))


def questions(provider):
    return [path.split("/")[1] for path, _ in provider.asked]


@pytest.mark.parametrize("adjustment", ["split", "all"])
def test_prices_before_a_split_are_those_of_new_shares(apple, adjustment):
    bars = fetch(source(apple), adjustment)["AAPL"]
    assert bars.open.tolist() == [125.25, 127.6]
    assert bars.close.tolist() == [124.8, 128.0]
    assert bars.volume.tolist() == [8000, 9000]
    assert (bars.adjustment, bars.feed) == (adjustment, "iex")
    days = {"startDate": "2020-01-01", "endDate": "2020-09-02"}
    assert apple.asked[-1] == ("/tiingo/daily/AAPL/prices", days)


def test_raw_prices_are_as_they_were_traded_and_ask_nothing_more(apple):
    bars = fetch(source(apple), "raw")["AAPL"]
    assert (bars.close.tolist(), bars.adjustment) == ([499.2, 128.0], "raw")
    assert questions(apple) == ["iex"]


def test_within_the_newest_session_there_is_nothing_to_adjust(apple):
    monday = FixedClock(datetime(2020, 8, 31, 15, tzinfo=UTC))
    today = WINDOW | {"start": datetime(2020, 8, 31, tzinfo=UTC)}
    bars = fetch(source(apple, monday), **today)["AAPL"]
    assert (bars.close.tolist(), bars.adjustment) == ([128.0], "all")
    assert questions(apple) == ["iex"]


def test_days_are_asked_for_once_until_the_evening_brings_a_new_one(apple):
    clock = ReplayClock(WEDNESDAY)
    shared = source(apple, clock)
    for adjustment in ("all", "split", "all"):
        fetch(shared, adjustment)
    assert questions(apple) == ["iex", "tiingo", "iex", "iex"]
    clock.move_to(WEDNESDAY + timedelta(hours=6, minutes=29))
    fetch(shared)
    assert questions(apple)[4:] == ["iex"]
    clock.move_to(WEDNESDAY + timedelta(hours=6, minutes=30))  # 17:30 in New York
    fetch(shared)
    assert questions(apple)[5:] == ["iex", "tiingo"]


def test_those_who_want_the_same_days_at_once_ask_for_them_once(apple):
    whole, together = apple.answer, threading.Barrier(4)

    def answer(path, *rest):
        if path.startswith("/iex"):
            together.wait(5)
        return whole(path, *rest)

    apple.answer, shared, answers = answer, source(apple), []
    threads = [threading.Thread(target=lambda: answers.append(fetch(shared))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer["AAPL"].open.tolist() for answer in answers] == [[125.25, 127.6]] * 4
    assert sorted(questions(apple)) == ["iex"] * 4 + ["tiingo"]


@pytest.mark.parametrize(
    ("days", "kind", "fault", "said"),
    [
        ((404, {"detail": "Not found."}), SourceError, "transient", "iex cannot adjust AAPL"),
        ((200, []), SourceError, "bad_data", "no end-of-day rows"),
        ((429, ""), RateLimitError, "rate_limit", "often enough"),
        ((200, OVER), RateLimitError, "rate_limit", "hourly request allocation"),
        ((503, ""), SourceError, "transient", "could not answer"),
        ((200, "<html>"), SourceError, "bad_data", "<html>"),
        ((200, [{"date": "2020-08-28", "close": 499.23}]), SourceError, "bad_data", "adjClose"),
    ],
)
def test_what_cannot_be_adjusted_is_a_failure_and_never_raw(apple, days, kind, fault, said):
    good, apple.days = apple.days, days
    shared = source(apple)
    fetched = fetch(shared)
    error = fetched.failures["AAPL"]
    assert (type(error), error.fault) == (kind, fault)
    assert said in str(error)
    assert not isinstance(error, NoDataError)
    apple.days = good
    assert len(fetch(shared)["AAPL"]) == 2  # nothing is remembered of a bad answer


def test_days_that_lack_the_newest_actions_are_refused(apple):
    status, rows = apple.days
    apple.days = status, rows[:2]  # up to Friday, whose adjClose knows the split
    assert "end too early, on 2020-08-28" in str(fetch(source(apple)).failures["AAPL"])
    apple.days = status, [row for row in rows if row["splitFactor"] == 1]
    assert "adjClose of 2020-08-28 tells of more" in str(fetch(source(apple)).failures["AAPL"])


def test_days_that_hang_end_in_time(apple):
    whole = apple.answer

    def answer(path, *rest):
        return apple.hang() if path.startswith("/tiingo") else whole(path, *rest)

    apple.answer = answer
    error = fetch(source(apple, timeout=timedelta(seconds=0.2))).failures["AAPL"]
    assert (error.fault, error.retryable) == ("transient", True)


NOW = FixedClock(datetime(2024, 3, 9, tzinfo=UTC))
MARKET = SimulatedSource(clock=NOW)
# Dividends from March to December 2023 and two for one on October 17; and the same without a split.
PAYING = {"start": datetime(2023, 3, 10, tzinfo=UTC), "end": datetime(2023, 11, 7, tzinfo=UTC)}


@pytest.mark.parametrize("adjustment", ["raw", "split", "all"])
def test_prices_are_those_of_the_market_behind_whatever_happened(adjustment):
    assert {action.kind for action in MARKET.actions("TAAO")} == {"split", "dividend"}
    with FakeProviders(MARKET) as fake:
        bars = fetch(fake.iex(), adjustment, "TAAO", **PAYING)["TAAO"]
    # As of now, for which the simulated market is asked up to now.
    request = BarsRequest("TAAO", "30Min", adjustment=adjustment, start=PAYING["start"])
    truth = asyncio.run(MARKET.fetch(request))["TAAO"]
    rows = np.isin(truth.time, bars.time)
    assert len(bars) > 2000
    for name in ("open", "high", "low", "close"):
        np.testing.assert_allclose(getattr(bars, name), getattr(truth, name)[rows], rtol=1e-8)
    # Two to four percent of the volume, in today's shares.
    assert 0.019 < (bars.volume / truth.volume[rows]).mean() < 0.041


def test_the_manager_gets_adjusted_bars_when_the_others_are_down():
    with FakeProviders(MARKET) as fake, fake.outage("alpaca"):
        manager = MultiSourceDataManager(sources=[fake.alpaca(), fake.iex()], clock=NOW)
        bars = manager.blocking.fetch("TAAO", "30Min", 100)
    assert (bars.source, bars.feed, bars.adjustment, len(bars)) == ("iex", "iex", "all", 100)


@pytest.mark.parametrize("fault", ["stale_day", "missing_tail", "out_of_order", "missing_fields"])
def test_end_of_day_rows_that_are_bad_make_no_wrong_prices(fault):
    with FakeProviders(MARKET) as fake:
        iex = fake.iex()
        truth = fetch(iex, "all", "TAAO", **PAYING)["TAAO"]
        whole, fresh = fetch(iex, "raw", "TAAO", **PAYING), fake.iex()
        assert len(whole["TAAO"]) == len(truth)
        asked = len(fake.requests)
        answer = _with_bad_days(fake, fresh, fault)
        struck = [request.path for request in fake.requests[asked:] if request.fault]
    assert struck == ["/tiingo/daily/TAAO/prices"]
    if "TAAO" in answer.bars:
        np.testing.assert_allclose(answer["TAAO"].close, truth.close, rtol=1e-8)
    else:
        assert answer.failures["TAAO"].fault in ("bad_data", "transient")


def _with_bad_days(fake, iex, fault):
    """Let the fault wait for the question for days."""
    rows = iex._rows

    def waiting(call, path, params, symbol):
        if path.startswith("/tiingo"):
            fake.break_next("iex", fault)
        return rows(call, path, params, symbol)

    iex._rows = waiting
    return fetch(iex, "all", "TAAO", **PAYING)
