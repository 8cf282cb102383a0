from __future__ import annotations

import copy
import json
import pickle
from datetime import timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit._core.errors import UsageError
from tradekit._core.timeframe import Timeframe

INTRADAY = st.one_of(
    st.integers(1, 86_400).map(lambda n: f"{n}Sec"),
    st.integers(1, 1_440).map(lambda n: f"{n}Min"),
    st.integers(1, 24).map(lambda n: f"{n}Hour"),
)
TIMEFRAMES = st.one_of(INTRADAY, st.sampled_from(["1Day", "1Week"])).map(Timeframe)


@pytest.mark.parametrize(
    ("spellings", "canonical"),
    [
        (["1s", "1Sec", "1 second", timedelta(seconds=1)], "1Sec"),
        (["1m", "1T", "1min", "1Min", "60s", "01Min"], "1Min"),
        (["5Min", "5m", "5T", " 5 minutes ", timedelta(minutes=5)], "5Min"),
        (["90m", timedelta(hours=1.5)], "90Min"),
        (["1h", "1H", "1Hour", "60Min", "60T", "3600s", timedelta(hours=1)], "1Hour"),
        (["24h", "24Hour", "1440Min", "86400s"], "24Hour"),
        (["1D", "1d", "1Day", timedelta(days=1)], "1Day"),
        (["1W", "1w", "1Week", timedelta(weeks=1)], "1Week"),
    ],
)
def test_every_spelling_of_the_field_is_read(spellings, canonical):
    assert [str(Timeframe(each)) for each in spellings] == [canonical] * len(spellings)


def test_timeframes_of_alpaca_are_read(alpaca):
    minute, hour = alpaca.TimeFrameUnit.Minute, alpaca.TimeFrameUnit.Hour
    assert Timeframe(alpaca.TimeFrame(5, minute)) == "5Min"
    assert Timeframe(alpaca.TimeFrame(2, hour)) == "2Hour"
    assert [Timeframe(tf) for tf in (alpaca.TimeFrame.Day, alpaca.TimeFrame.Week)] == [
        *("1Day", "1Week")
    ]
    with pytest.raises(UsageError, match="unknown timeframe"):
        Timeframe(alpaca.TimeFrame.Month)


def test_it_is_the_text_that_it_prints():
    tf = Timeframe("5m")
    assert (f"{tf}", str(tf), repr(tf), json.dumps(tf)) == ("5Min", "5Min", "'5Min'", '"5Min"')
    assert tf == "5Min"
    assert {tf: 1}["5Min"] == 1


def test_a_day_is_a_session_and_no_24_hours():
    assert Timeframe("24Hour") != Timeframe("1Day")
    assert Timeframe("24Hour") < Timeframe("1Day")


def test_lengths_compare_where_texts_would_lie():
    five, fifteen = Timeframe("5Min"), Timeframe("15Min")
    assert str.__gt__(five, fifteen)
    assert five < fifteen
    assert five <= fifteen
    assert fifteen > five
    assert fifteen >= five
    assert five <= Timeframe("5m") <= five


def test_plain_texts_compare_by_length_on_either_side():
    assert Timeframe("5Min") < "1h"
    assert "5Min" < Timeframe("1h")  # noqa: SIM300
    assert sorted(["1Week", "15Min", "4Hour", "5Min", "1Day"], key=Timeframe) == [
        *("5Min", "15Min", "4Hour", "1Day", "1Week")
    ]


@given(TIMEFRAMES, TIMEFRAMES, TIMEFRAMES)
def test_the_order_is_total_and_agrees_with_equality_and_hash(a, b, c):
    assert (a < b) + (a == b) + (a > b) == 1
    assert (a <= b) == (a < b or a == b)
    assert (a >= b) == (a > b or a == b)
    assert (hash(a) == hash(b)) or a != b
    assert not (a <= b <= c) or a <= c


@given(TIMEFRAMES)
def test_what_is_printed_is_read_again(tf):
    assert Timeframe(str(tf)) == tf
    assert Timeframe(f"{tf.amount}{tf.unit}") == tf
    assert tf == "24Hour" or Timeframe(tf.delta) == tf
    assert (tf.delta.total_seconds(), tf.ns) == (tf.seconds, tf.seconds * 10**9)


@given(INTRADAY)
def test_equal_lengths_within_a_day_are_equal_timeframes(text):
    tf = Timeframe(text)
    assert Timeframe(f"{tf.seconds}s") == tf


@pytest.mark.parametrize(
    ("text", "amount", "unit", "seconds", "intraday"),
    [
        ("1Sec", 1, "Sec", 1, True),
        ("5Min", 5, "Min", 300, True),
        ("4Hour", 4, "Hour", 14_400, True),
        ("24Hour", 24, "Hour", 86_400, True),
        ("1Day", 1, "Day", 86_400, False),
        ("1Week", 1, "Week", 604_800, False),
    ],
)
def test_it_tells_its_parts(text, amount, unit, seconds, intraday):
    tf = Timeframe(text)
    assert (tf.amount, tf.unit, tf.seconds, tf.is_intraday) == (amount, unit, seconds, intraday)


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda tf: pickle.loads(pickle.dumps(tf))]
)
def test_copies_are_timeframes(again):
    tf = again(Timeframe("60m"))
    assert (type(tf), tf, tf.seconds) == (Timeframe, "1Hour", 3600)


@pytest.mark.parametrize(
    "nonsense",
    [
        *("", "Min", "5", "0Min", "-5Min", "1.5h", "7 parsecs", "5Min5", "2Day", "2W", "1Y"),
        *("25Hour", "1441Min", "1Month", "9" * 5000 + "Min", None, 3.5, 5, True, b"5Min", ["5Min"]),
        *(timedelta(seconds=1.5), timedelta(0), timedelta(minutes=-5), timedelta(days=2)),
        *(timedelta(hours=25), SimpleNamespace(amount_value=5), SimpleNamespace(unit_value="Min")),
    ],
)
def test_nonsense_is_refused_with_what_there_is(nonsense):
    with pytest.raises(UsageError) as caught:
        Timeframe(nonsense)
    expected = "expected a count of seconds, minutes or hours up to a day, one day or one week"
    assert str(caught.value).startswith(f"unknown timeframe: {expected}, got ")
    assert str(caught.value).endswith("'1Day' or '1Week'")


def test_the_error_repeats_what_came():
    with pytest.raises(UsageError, match=r"got '7 parsecs'\. Try: '1Min', '5Min'"):
        Timeframe("7 parsecs")


@pytest.mark.parametrize(("text", "cure"), [("1M", "1Min"), ("3M", "3Min")])
def test_m_may_be_a_minute_or_a_month(text, cure):
    with pytest.raises(UsageError) as caught:
        Timeframe(text)
    assert str(caught.value) == (
        f"timeframe '{text}' is ambiguous: expected minutes as '1Min' or months as calendar "
        "months, which are no bar here, got M, which may mean either. "
        f"Try: {cure}, or resample days to your months"
    )


@pytest.mark.parametrize("other", ["soon", None, 5])
def test_nothing_compares_with_what_is_no_timeframe(other):
    with pytest.raises(UsageError, match="unknown timeframe"):
        assert Timeframe("5Min") < other
