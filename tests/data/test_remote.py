from __future__ import annotations

import asyncio
import time
from datetime import UTC, date, datetime, timedelta

import pytest

from tradekit import (
    BarsRequest,
    Capabilities,
    FixedClock,
    NoDataError,
    SourceError,
    Timeframe,
    UsageError,
)
from tradekit.data import SimulatedSource
from tradekit.data._remote import DAILY, INTRADAY, Query, Remote, dashed

NOW = FixedClock(datetime(2024, 3, 8, 18, tzinfo=UTC))  # a Friday, 13:00 in New York


class Vendor(Remote):
    """Writes down what it is asked, and has nothing."""

    name = "vendor"
    _since = date(2020, 1, 2)
    _natives = ("1Min", "5Min", "30Min", "1Day")
    capabilities = Capabilities(timeframes=(*INTRADAY, *DAILY))

    def __init__(self, **options):
        super().__init__("hush", **{"timeout": timedelta(seconds=4), "clock": NOW, **options})
        self.asked = []

    async def _ask(self, query):
        self.asked.append(query)
        return {}


def asked(timeframe, **window):
    vendor = Vendor()
    asyncio.run(vendor.fetch(BarsRequest("SPY", timeframe, **window)))
    return vendor.asked


@pytest.mark.parametrize(
    ("timeframe", "native"),
    [("1Min", "1Min"), ("20Min", "5Min"), ("45Min", "5Min"), ("4Hour", "30Min"), ("1Week", "1Day")],
)
def test_what_is_not_served_is_made_of_the_longest_that_divides_it(timeframe, native):
    assert asked(timeframe, limit=1)[0].timeframe == native


@pytest.mark.parametrize(
    ("timeframe", "limit", "first"),
    [
        # 86 bars with a tenth to spare: 42 of this morning, 44 before Thursday's close at 21:00.
        ("5Min", 78, "2024-03-07T17:20"),
        # 22 days: 5 of March before this one, 17 of the 20 of February, whose fourth is the 6th.
        ("1Day", 20, "2024-02-06T05:00"),
        # 3 weeks before this one, which began on the 4th.
        ("1Week", 2, "2024-02-12T05:00"),
    ],
)
def test_a_limit_becomes_a_start_as_far_back_in_the_calendar(timeframe, limit, first):
    near, far = asked(timeframe, limit=limit)
    assert near.start == datetime.fromisoformat(f"{first}+00:00")
    assert far.start < near.start  # once more, since there was nothing
    assert near.end == far.end == NOW.at


def test_a_start_is_moved_on_to_the_first_bar_that_opens_then():
    wednesday, sunday = (datetime(2024, 3, day, 17, 3, tzinfo=UTC) for day in (6, 3))
    assert asked("1Hour", start=wednesday)[0].start == datetime(2024, 3, 6, 17, 30, tzinfo=UTC)
    assert asked("1Week", start=sunday)[0].start == datetime(2024, 3, 4, 5, tzinfo=UTC)
    assert not asked("1Week", start=wednesday)  # the next week has not begun


class Moody(Vendor):
    """Has three bars of SPY nearby, and fails whoever asks for more."""

    async def _ask(self, query):
        if (await super()._ask(query), len(self.asked))[1] > 1:
            raise SourceError("too far")
        request = BarsRequest(query.symbols, query.timeframe, limit=3, end=query.end)
        return (await SimulatedSource().fetch(request)).bars


def test_what_came_is_kept_when_the_second_question_fails():
    vendor = Moody()
    fetched = asyncio.run(vendor.fetch(BarsRequest(("SPY", "NOPE"), "5Min", limit=10)))
    assert len(vendor.asked) == 2
    assert len(fetched["SPY"]) == 3
    assert fetched.failures["NOPE"].problem == "too far"


class Bazaar(Vendor):
    """Coins trade around the clock there."""

    def _calendar(self, symbol):
        return "24/7" if "/" in symbol else "XNYS"

    def _served(self, calendar):
        return ("1Min", "1Hour") if calendar == "24/7" else self._natives


def test_each_market_is_asked_for_by_its_own_calendar():
    bazaar = Bazaar()
    symbols = ("BTC/USD", "SPY", "ETH/USD")
    asyncio.run(bazaar.fetch(BarsRequest(symbols, "1Day", end=NOW.at, limit=10)))
    coins, stocks = (query for query in bazaar.asked[::2])
    assert (coins.symbols, coins.timeframe) == (("BTC/USD", "ETH/USD"), "1Hour")
    assert (stocks.symbols, stocks.timeframe) == (("SPY",), "1Day")
    # 11 days that are over, the last of them the 7th of March; of stocks 5 of March and 6 before.
    assert coins.start == datetime(2024, 2, 26, tzinfo=UTC)
    assert stocks.start == datetime(2024, 2, 22, 5, tzinfo=UTC)


def test_without_start_and_limit_everything_is_asked_for():
    assert [query.start.date() for query in asked("1Day")] == [date(2020, 1, 2)]


def test_a_start_before_the_first_day_and_one_in_the_future_are_no_data():
    vendor = Vendor()
    for start in (datetime(2019, 1, 1, tzinfo=UTC), datetime(2024, 3, 11, tzinfo=UTC)):
        fetched = asyncio.run(vendor.fetch(BarsRequest("SPY", "1Day", start=start)))
        assert isinstance(fetched.failures["SPY"], NoDataError)
    assert not vendor.asked


def test_class_shares_are_written_with_a_dash_and_foreign_ones_are_left():
    assert [dashed(s) for s in ("BRK.B", "SPY", "VOD.L", "7203.T")] == [
        "BRK-B",
        "SPY",
        "VOD.L",
        "7203.T",
    ]


def test_a_client_that_is_not_installed_is_said_with_the_cure():
    class Missing(Vendor):
        name = "yahoo"
        _vendor = "no_such_vendor"

    with pytest.raises(SourceError, match=r"pip install 'tradekit\[yahoo\]'") as caught:
        Missing()
    assert not caught.value.retryable


def test_a_client_that_cannot_be_imported_is_no_matter_of_trying_again():
    failure = Vendor()._failure(ImportError("cannot import name 'x' from 'websockets'"))
    assert "cannot be used without its client" in str(failure)
    assert not failure.retryable


def test_keys_are_blotted_out_whoever_echoes_them():
    assert "hush" not in str(Vendor()._refusal(500, "you said hush", {}))


@pytest.mark.parametrize("timeout", [4, timedelta(0)])
def test_a_timeout_is_a_duration(timeout):
    with pytest.raises(UsageError, match="a timeout is a duration"):
        Vendor(timeout=timeout)


def query(symbols, ends=None):
    return Query(symbols, Timeframe("5Min"), NOW.at, NOW.at, "all", "XNYS", ends)


def many(vendor, outcome):
    tried = []

    async def ask(symbol):
        tried.append(symbol)
        await asyncio.sleep(0)
        return outcome(symbol)

    symbols = tuple(f"S{i}" for i in range(20))
    return asyncio.run(vendor._each(query(symbols), ask)), tried


def test_a_dead_network_is_tried_a_few_times_and_not_for_every_symbol():
    def dead(symbol):
        raise ConnectionRefusedError(111, "Connection refused")

    answers, tried = many(Vendor(), dead)
    assert len(answers) == 20
    assert len(tried) <= 4
    assert "Connection refused" in str(answers["S19"])


def test_one_that_drops_does_not_end_what_works_for_others():
    def drops_now_and_then(symbol):
        if symbol in ("S5", "S6"):
            raise ConnectionResetError(104, "Connection reset by peer")

    answers, tried = many(Vendor(), drops_now_and_then)
    assert len(tried) == 20
    assert {s for s, answer in answers.items() if answer is not None} == {"S5", "S6"}


def test_what_has_come_in_time_is_kept_and_the_rest_is_late():
    async def ask(symbol):
        if symbol != "SPY":
            await asyncio.Event().wait()

    symbols = ("A", "SPY", "B", "C", "D", "E")
    answers = asyncio.run(Vendor()._each(query(symbols, time.monotonic() + 0.02), ask))
    assert list(answers) == list(symbols)
    assert answers["SPY"] is None
    assert {answers[s].fault for s in symbols if s != "SPY"} == {"late"}


def test_a_request_says_how_long_its_answer_may_take():
    vendor, before = Vendor(), time.monotonic()
    request = BarsRequest("SPY", "5Min", limit=1, timeout=timedelta(seconds=60))
    asyncio.run(vendor.fetch(request))
    assert 60 <= vendor.asked[0].ends - before < 70
