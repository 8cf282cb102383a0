from __future__ import annotations

import copy
import math
import pickle
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tradekit._core.bar import Bar
from tradekit._core.errors import UsageError

OPENED = datetime(2024, 3, 8, 14, 30, tzinfo=UTC)
GOOD = {
    "symbol": "SPY",
    "timeframe": "1Min",
    "time": OPENED,
    "open": 512.0,
    "high": 512.4,
    "low": 511.9,
    "close": 512.3,
    "volume": 9_000.0,
    "close_time": OPENED + timedelta(minutes=1),
}


def test_a_bar_holds_what_it_was_given():
    bar = Bar(**GOOD)
    assert {name: getattr(bar, name) for name in GOOD} == GOOD
    assert bar.timeframe.seconds == 60


def test_bars_are_equal_by_value_and_cannot_change():
    bar = Bar(**GOOD)
    assert bar == Bar(**GOOD) == pickle.loads(pickle.dumps(bar)) == copy.deepcopy(bar)
    assert hash(bar) == hash(Bar(**GOOD))
    assert bar != Bar(**GOOD | {"close": 512.2})
    with pytest.raises(AttributeError):
        bar.close = 1.0


def test_who_told_it_and_what_it_is_worth_makes_no_other_bar_of_it():
    bar = Bar(**GOOD)
    assert (bar.source, bar.trusted_for_entries) == ("", False)
    told = Bar(**GOOD, source="alpaca", trusted_for_entries=True)
    assert (told.source, told.trusted_for_entries) == ("alpaca", True)
    assert told == bar
    assert hash(told) == hash(bar)


def test_times_are_shown_in_utc_whatever_zone_they_came_in():
    eastern = OPENED.astimezone(timezone(timedelta(hours=-5)))
    bar = Bar(**GOOD | {"time": eastern})
    assert (bar.time, bar.time.tzinfo) == (OPENED, UTC)


def test_unknown_volume_is_nan():
    assert math.isnan(Bar(**GOOD | {"volume": math.nan}).volume)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"close": math.nan}, "price missing"),
        ({"close": None}, "price missing"),
        ({"high": math.inf}, "price infinite"),
        ({"low": 0.0}, "price not above zero"),
        ({"high": 511.0}, "high below low"),
        ({"high": 512.2}, "high below open or close"),
        ({"low": 512.1}, "low above open or close"),
        ({"volume": -1.0}, "negative volume"),
        ({"volume": math.inf}, "infinite volume"),
    ],
)
def test_an_impossible_bar_is_refused_with_its_symbol_time_and_values(change, fault):
    with pytest.raises(UsageError, match=rf"^SPY: impossible bar in row 0, {fault} \(") as caught:
        Bar(**GOOD | change)
    assert "got 2024-03-08T14:30:00Z {'open': 512.0" in str(caught.value)
    assert (caught.value.symbol, caught.value.row, caught.value.fault) == ("SPY", 0, fault)
    assert caught.value.value["open"] == 512.0


@pytest.mark.parametrize("text", ["512.3", "much", b"1"])
def test_texts_are_no_prices(text):
    with pytest.raises(UsageError, match=r"^bars need numbers: expected arrays of float64"):
        Bar(**GOOD | {"close": text})


@pytest.mark.parametrize("name", ["time", "close_time"])
def test_times_need_a_zone(name):
    with pytest.raises(UsageError, match="a time needs a zone"):
        Bar(**GOOD | {name: OPENED.replace(tzinfo=None)})


@pytest.mark.parametrize("early", [OPENED, OPENED - timedelta(minutes=1)])
def test_a_bar_is_not_known_before_it_began(early):
    with pytest.raises(UsageError) as caught:
        Bar(**GOOD | {"close_time": early})
    assert str(caught.value) == (
        "SPY: a bar is known after it began: expected a close_time after "
        f"2024-03-08T14:30:00+00:00, got {early.isoformat()}. "
        "Try: close_time is when the bar was complete"
    )


def test_the_timeframe_is_checked_too():
    with pytest.raises(UsageError, match="unknown timeframe"):
        Bar(**GOOD | {"timeframe": "soon"})
