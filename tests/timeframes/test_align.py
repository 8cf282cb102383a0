from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from tradekit import NoDataError, Timeframe
from tradekit._core.clock import to_ns
from tradekit.timeframes._align import is_stale, view

from .conftest import minutes

FIVE = Timeframe("5Min")


def at(hour, minute, second=0, day=8):
    return to_ns(datetime(2024, 3, day, hour, minute, second, tzinfo=UTC))


@pytest.mark.parametrize(
    ("now", "closes"),
    [(at(14, 39, 59), [5.0]), (at(14, 40), [5.0, 10.0]), (at(14, 44, 59), [5.0, 10.0])],
)
def test_a_longer_bar_counts_on_its_close(now, closes):
    bars = minutes(np.arange(1.0, 61.0))  # the minute from 14:30 closes at 1, and so on
    assert view(bars, FIVE, 300, now).close.tolist() == closes


def test_a_longer_bar_waits_for_a_feed_that_lags():
    bars = minutes(np.arange(1.0, 10.0))  # up to 14:39
    assert view(bars, FIVE, 300, at(14, 50)).close.tolist() == [5.0]


def test_a_first_bar_without_its_beginning_is_left_out():
    bars = minutes(np.arange(3.0, 61.0), first="2024-03-08T14:32")
    assert view(bars, FIVE, 300, at(15, 0)).close.tolist()[:2] == [10.0, 15.0]


def test_the_newest_bars_are_kept():
    assert view(minutes(np.arange(1.0, 61.0)), FIVE, 2, at(15, 0)).close.tolist() == [25.0, 30.0]


def test_bars_outside_regular_hours_are_left_out():
    bars = minutes(np.arange(1.0, 61.0), first="2024-03-08T14:00")  # half an hour too early
    assert view(bars, Timeframe("1Min"), 300, at(15, 0)).close.tolist() == list(range(31, 61))
    assert view(bars, FIVE, 300, at(15, 0)).close.tolist() == [35, 40, 45, 50, 55, 60]


def test_no_complete_bar_is_a_reason():
    with pytest.raises(NoDataError, match="no complete 5Min bar of X"):
        view(minutes([1.0, 2.0]), FIVE, 300, at(15, 0))


def test_bars_off_the_grid_are_a_reason():
    odd = minutes(np.arange(1.0, 61.0), first="2024-03-08T14:30:20")
    with pytest.raises(NoDataError, match="off its session's grid"):
        view(odd, FIVE, 300, at(15, 30))


@pytest.mark.parametrize(
    ("now", "stale"),
    [
        (at(14, 40), False),
        (at(14, 42, 59), False),
        (at(14, 43), True),  # the third minute after 14:40 should be there
    ],
)
def test_bars_are_stale_when_three_are_missing(now, stale):
    assert is_stale(minutes(np.arange(1.0, 11.0)), now) is stale


def test_a_weekend_makes_nothing_stale():
    to_the_close = minutes(np.ones(390))
    assert not is_stale(to_the_close, at(13, 30, day=11))
    assert is_stale(to_the_close, at(13, 33, day=11))


def test_bars_that_call_themselves_stale_are():
    bars = minutes(np.ones(10), stale_since=datetime(2024, 3, 8, 14, 39, tzinfo=UTC))
    assert is_stale(bars, at(14, 40))
