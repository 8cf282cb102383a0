from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import numpy as np
import pytest

from tradekit import Bars, BarsRequest, FixedClock, NoDataError, UsageError
from tradekit.data import MemorySource
from tradekit.testing import check_source


def days(symbol="SPY", first="2024-03-04", count=5, **provenance):
    """Sessions from a Monday in winter on; each closes one higher than the one before."""
    time = np.datetime64(f"{first}T05:00", "ns") + np.arange(count) * np.timedelta64(1, "D")
    close = np.arange(100.0, 100.0 + count)
    known = {"source": "here", "feed": "sip", "adjustment": "all"} | provenance
    return Bars(symbol, "1Day", time, close, close + 1, close - 1, close, close * 10, **known)


def minutes(symbol="SPY", count=390, day="2024-03-08"):
    time = np.datetime64(f"{day}T14:30", "ns") + np.arange(count) * np.timedelta64(1, "m")
    price = np.arange(200.0, 200.0 + count)
    return Bars(symbol, "1Min", time, price, price + 1, price - 1, price, np.ones(count))


def fetch(source, *args, **kwargs):
    return asyncio.run(source.fetch(BarsRequest(*args, **kwargs)))


WINDOW = {
    "start": datetime(2024, 3, 8, 15, tzinfo=UTC),
    "end": datetime(2024, 3, 8, 21, tzinfo=UTC),
}
KNOWN = minutes()._replace(source="here", feed="sip", adjustment="raw")


@pytest.mark.parametrize(
    "check", check_source(MemorySource([KNOWN]), BarsRequest("SPY", "5Min", **WINDOW))
)
def test_it_keeps_what_every_source_promises(check):
    check()


def test_it_answers_with_the_very_bars_it_holds():
    bars = days()
    assert fetch(MemorySource({"SPY": bars}), "SPY", "1Day")["SPY"] == bars


def test_an_unknown_symbol_fails_beside_a_known_one():
    fetched = fetch(MemorySource([days()]), ("SPY", "QQQ"), "1Day")
    assert fetched["SPY"].symbol == "SPY"
    with pytest.raises(NoDataError, match=r"no 1Day bars of QQQ in memory.*got none.*one of SPY"):
        fetched["QQQ"]


def test_a_longer_timeframe_is_made_of_the_bars_that_are_held():
    # Minute i opens and closes at 200 + i: the second hour runs from minute 60 to minute 119.
    hours = fetch(MemorySource([minutes()]), "SPY", "1Hour")["SPY"]
    assert hours.open.tolist() == [200, 260, 320, 380, 440, 500, 560]
    assert hours.close.tolist() == [259, 319, 379, 439, 499, 559, 589]
    assert hours.volume.tolist() == [60] * 6 + [30]


def test_the_longest_timeframe_that_fits_is_taken():
    week = fetch(MemorySource([minutes(day="2024-03-08"), days()]), "SPY", "1Week")["SPY"]
    assert week.volume.tolist() == [5100]  # 1000 + 1010 + 1020 + 1030 + 1040 from the days


def test_a_shorter_timeframe_is_refused_with_what_is_there():
    error = fetch(MemorySource([days()]), "SPY", "5Min").failures["SPY"]
    assert "expected 5Min bars, or shorter ones" in str(error)
    assert "got 1Day (all)" in str(error)


def test_the_adjustment_that_is_asked_for_comes_first():
    source = MemorySource([days(adjustment="raw"), days(adjustment="all")])
    assert fetch(source, "SPY", "1Day", adjustment="raw")["SPY"].adjustment == "raw"
    assert fetch(source, "SPY", "1Day", adjustment="all")["SPY"].adjustment == "all"
    assert fetch(source, "SPY", "1Day", adjustment="split")["SPY"].adjustment in ("raw", "all")


def test_bars_beyond_the_clock_are_not_told():
    noon = FixedClock(datetime(2024, 3, 6, 17, tzinfo=UTC))
    assert fetch(MemorySource([days()], clock=noon), "SPY", "1Day")["SPY"].close.tolist() == [
        100,
        101,
    ]
    hour = FixedClock(datetime(2024, 3, 8, 15, 45, tzinfo=UTC))
    assert len(fetch(MemorySource([minutes()], clock=hour), "SPY", "1Hour")["SPY"]) == 1


@pytest.mark.parametrize(
    ("bars", "sentence"),
    [
        ({"QQQ": days("SPY")}, "expected Bars of QQQ"),
        ([days().to_frame()], "expected Bars, got"),
        ([days(), days(count=2)], "SPY comes twice"),
    ],
)
def test_what_it_cannot_hold_is_refused_at_birth(bars, sentence):
    with pytest.raises(UsageError, match=sentence):
        MemorySource(bars)
