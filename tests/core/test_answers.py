"""What a source's hook may answer, and what becomes of it at the door."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from tradekit._core.bars import Bars
from tradekit._core.clock import FixedClock
from tradekit._core.errors import ContractError, NoDataError, SourceError
from tradekit._core.request import BarsRequest, Capabilities, Fetched
from tradekit._core.resample import resample
from tradekit._core.source import DataSource

# A Friday to the Wednesday after; New York goes to summer time in between.
DAYS = ["2024-03-08", "2024-03-11", "2024-03-12", "2024-03-13"]
NOW = datetime(2024, 3, 13, 19, 59, 59, tzinfo=UTC)  # a second before Wednesday's close


class Canned(DataSource):
    """Answers what it was made with."""

    clock = FixedClock(NOW)

    def __init__(self, answer, batch=True):
        self._answer, self.batch = answer, batch

    async def _fetch(self, request):
        return self._answer(request) if callable(self._answer) else self._answer


def days(count=4, **attrs):
    prices = {name: np.arange(1.0, count + 1) for name in ("open", "high", "low", "close")}
    frame = pd.DataFrame(prices | {"volume": 9.0}, index=pd.DatetimeIndex(DAYS[:count]))
    frame.attrs = attrs
    return frame


def bars(symbol="SPY", timeframe="1Day", **provenance):
    return Bars.from_frame(days(), symbol, timeframe, **provenance)


def fetch(answer, symbols="SPY", batch=True, **window):
    source = Canned(answer, batch)
    return asyncio.run(source.fetch(BarsRequest(symbols, "1Day", **window)))


def dates(got):
    return [str(date) for date in got.time.astype("M8[ns]").astype("M8[D]")]


@pytest.mark.parametrize(
    "answer",
    [
        days(),
        bars(),
        {"SPY": days()},
        {"SPY": bars()},
        Fetched({"SPY": bars()}),
        pd.concat({"SPY": days()}, names=["symbol", "timestamp"]),
    ],
)
def test_a_frame_or_bars_or_a_dict_of_them_will_do(answer):
    got = fetch(answer)
    assert dates(got["SPY"]) == DAYS[:3]
    assert got["SPY"].close.tolist() == [1, 2, 3]
    assert got.failures == {}


def test_the_bar_that_is_not_complete_by_the_clock_is_left_out():
    assert dates(fetch(days())["SPY"]) == DAYS[:3]


def test_an_end_in_the_future_does_not_let_an_unfinished_bar_in():
    assert dates(fetch(days(), end=datetime(2024, 4, 1, tzinfo=UTC))["SPY"]) == DAYS[:3]


def test_bars_after_the_end_are_left_out():
    # Tuesday closes at 20:00 UTC, after the change of clocks.
    almost, just = (
        datetime(2024, 3, 12, 19, 59, 59, tzinfo=UTC),
        datetime(2024, 3, 12, 20, tzinfo=UTC),
    )
    assert dates(fetch(days(), end=almost)["SPY"]) == DAYS[:2]
    assert dates(fetch(days(), end=just)["SPY"]) == DAYS[:3]


def test_bars_that_open_before_the_start_are_left_out():
    # Monday's label is its midnight in New York, 04:00 UTC.
    midnight, later = (
        datetime(2024, 3, 11, 4, tzinfo=UTC),
        datetime(2024, 3, 11, 4, 0, 1, tzinfo=UTC),
    )
    assert dates(fetch(days(), start=midnight)["SPY"]) == DAYS[1:3]
    assert dates(fetch(days(), start=later)["SPY"]) == DAYS[2:3]


@pytest.mark.parametrize(
    ("limit", "kept"), [(1, DAYS[2:3]), (2, DAYS[1:3]), (3, DAYS[:3]), (9, DAYS[:3])]
)
def test_a_limit_keeps_the_newest(limit, kept):
    assert dates(fetch(days(), limit=limit)["SPY"]) == kept


def test_window_and_limit_together_keep_the_newest_of_the_window():
    start = datetime(2024, 3, 8, tzinfo=UTC)
    assert dates(fetch(days(), start=start, limit=2)["SPY"]) == DAYS[1:3]
    assert dates(fetch(days(), start=start.replace(day=12), limit=2)["SPY"]) == DAYS[2:3]


@pytest.mark.parametrize(
    "answer", [None, days().iloc[:0], bars()[:0], {}, {"SPY": None}, Fetched()]
)
def test_nothing_is_told_as_no_data(answer):
    failure = fetch(answer).failures["SPY"]
    assert type(failure) is NoDataError
    assert not failure.retryable
    assert "Canned has no bars of SPY: expected 1Day bars from the beginning to now" in str(failure)
    assert (failure.source, failure.symbol) == ("Canned", "SPY")


def test_an_empty_answer_says_that_it_was_one():
    # An unknown symbol, which a source tells by itself, is not the source's fault; this may be.
    assert fetch(None).failures["SPY"].fault == "empty"
    outside = fetch(days(), start=datetime(2024, 3, 14, tzinfo=UTC)).failures["SPY"]
    assert outside.fault == "no_data"


def test_bars_outside_the_window_are_no_data():
    failure = fetch(days(), start=datetime(2024, 3, 14, tzinfo=UTC)).failures["SPY"]
    assert type(failure) is NoDataError
    assert failure.got == "no complete bar in the window"


@pytest.mark.parametrize(
    ("answer", "got"),
    [(bars("QQQ"), "QQQ 1Day"), (resample(bars(), "1Week"), "SPY 1Week")],
)
def test_bars_of_something_else_are_a_failure(answer, got):
    failure = fetch(answer).failures["SPY"]
    assert str(failure) == f"Canned answered something else: expected SPY 1Day, got {got}"


def test_bars_under_another_symbols_name_are_a_failure():
    failure = fetch({"SPY": bars("QQQ"), "QQQ": bars("QQQ")}, ("SPY", "QQQ")).failures
    assert list(failure) == ["SPY"]
    assert "expected SPY 1Day, got QQQ 1Day" in str(failure["SPY"])


@pytest.mark.parametrize("answer", [{"spy": days()}, {None: days(), 3: days()}])
def test_an_answer_for_symbols_that_were_not_asked_is_a_failure(answer):
    failure = fetch(answer).failures["SPY"]
    assert str(failure).startswith("Canned answered for symbols that were not asked: expected SPY")


def test_a_frame_that_is_about_another_symbol_is_a_failure():
    failure = fetch(pd.concat({"QQQ": days()}, names=["symbol", "timestamp"])).failures["SPY"]
    assert "Canned sent bad bars: the frame is not about SPY" in str(failure)


def test_impossible_bars_are_a_failure_that_says_which_row():
    failure = fetch(days().assign(high=0.5)).failures["SPY"]
    assert "Canned sent bad bars: SPY: impossible bar in row 0" in str(failure)
    assert failure.__cause__.row == 0


@pytest.mark.parametrize("answer", [[1, 2], "bars", 3.0, object(), {"SPY": [1]}, days().close])
def test_what_is_no_answer_at_all_is_the_subclass_to_mend(answer):
    with pytest.raises(
        ContractError, match="Canned: _fetch answered otherwise: expected a DataFrame"
    ):
        fetch(answer)


def test_one_call_may_serve_many_symbols():
    calls = []

    def answer(request):
        calls.append(request.symbols)
        return {symbol: bars(symbol) for symbol in request.symbols}

    assert list(fetch(answer, ("SPY", "QQQ")).bars) == ["SPY", "QQQ"]
    assert calls == [("SPY", "QQQ")]


def test_else_each_symbol_has_its_own_call():
    calls = []

    def answer(request):
        calls.append(request.symbols)
        return days()

    got = fetch(answer, ("SPY", "QQQ"), batch=False)
    assert calls == [("SPY",), ("QQQ",)]
    assert [got[symbol].symbol for symbol in ("SPY", "QQQ")] == ["SPY", "QQQ"]


def test_a_symbol_that_is_missing_in_the_answer_has_a_reason():
    got = fetch({"SPY": days()}, ("SPY", "QQQ"))
    assert list(got.bars) == ["SPY"]
    assert type(got.failures["QQQ"]) is NoDataError


@pytest.mark.parametrize(
    "answer",
    [
        pd.concat({"SPY": days()}, names=["symbol", "timestamp"]),
        days().assign(symbol="SPY"),
        days(symbol="SPY"),
        bars(),
    ],
)
def test_one_answer_to_several_symbols_serves_those_it_names(answer):
    got = fetch(answer, ("SPY", "QQQ"))
    assert list(got.bars) == ["SPY"]
    assert type(got.failures["QQQ"]) is NoDataError


def test_one_answer_to_several_symbols_that_names_none_is_not_taken_for_all():
    with pytest.raises(ContractError, match="Canned: _fetch says nothing of whom it is about"):
        fetch(days(), ("SPY", "QQQ"))


@pytest.mark.parametrize("answer", [[1, 2], "bars", 3.0])
def test_what_is_no_answer_at_all_is_so_for_several_symbols_too(answer):
    with pytest.raises(ContractError, match="Canned: _fetch says nothing of whom it is about"):
        fetch(answer, ("SPY", "QQQ"))


def test_a_reason_among_the_answers_is_that_symbols_failure():
    reason = SourceError("halted", retryable=True)
    got = fetch({"SPY": days(), "QQQ": reason}, ("SPY", "QQQ"))
    assert (list(got.bars), got.failures) == (["SPY"], {"QQQ": reason})
    assert fetch(Fetched(failures={"SPY": reason})).failures == {"SPY": reason}


def test_bars_say_where_they_come_from():
    class Tape(Canned):
        name = "tape"
        capabilities = Capabilities(feed="sip")

    def of(answer):
        got = asyncio.run(Tape(answer).fetch(BarsRequest("SPY", "1Day")))["SPY"]
        return got.source, got.feed, got.adjustment

    assert of(days()) == ("tape", "sip", "unknown")
    assert of(bars(source="other", feed="iex", adjustment="split")) == ("other", "iex", "split")
    assert of(days(feed="iex", adjustment="raw")) == ("tape", "iex", "raw")


def test_a_pair_trades_every_day_unless_its_frame_says_otherwise():
    week = pd.DatetimeIndex(pd.date_range("2024-03-07", "2024-03-12"))
    prices = {name: np.arange(1.0, 7.0) for name in ("open", "high", "low", "close")}
    frame = pd.DataFrame(prices | {"volume": 9.0}, index=week)
    got = fetch(frame, "BTC/USD")["BTC/USD"]
    assert (got.calendar, dates(got)[2:4]) == ("24/7", ["2024-03-09", "2024-03-10"])
    stated = days(calendar="XNYS")
    assert fetch(stated, "BTC/USD")["BTC/USD"].calendar == "XNYS"
    assert fetch(days())["SPY"].calendar == "XNYS"
