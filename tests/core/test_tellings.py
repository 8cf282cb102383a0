from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tradekit._core.bar import Bar
from tradekit._core.tellings import Tellings

OPEN = datetime(2024, 3, 8, 15, tzinfo=UTC)


def at(minutes, seconds=0):
    return OPEN + timedelta(minutes=minutes, seconds=seconds)


def minute(number, volume=9.0, **facts):
    return Bar("SPY", "1Min", at(number), 1.0, 1.0, 1.0, 1.0, volume, at(number + 1), **facts)


def given(*tellings):
    """The numbers and volumes of the bars that are given of what is told at these moments."""
    account = Tellings("wire")
    bars = [bar for bar, now in tellings for bar in account.take(bar, now)]
    return [((bar.time - OPEN) // timedelta(minutes=1), bar.volume) for bar in bars]


def test_each_bar_is_given_once_and_in_order():
    told = [(minute(number), at(9)) for number in (0, 1, 1, 0, 2)]
    assert given(*told) == [(0, 9.0), (1, 9.0), (2, 9.0)]


def test_a_bar_that_still_runs_is_left_out():
    assert given((minute(0, 3.0), at(0, 30)), (minute(1), at(2))) == [(1, 9.0)]


@pytest.mark.parametrize("second", [56, 59])
def test_a_snapshot_of_the_last_seconds_gives_way_to_the_bar(second):
    assert given((minute(0, 3.0), at(0, second)), (minute(0), at(1))) == [(0, 9.0)]


def test_what_is_only_told_in_its_last_seconds_comes_with_the_next():
    early = [(minute(number), at(number, 58)) for number in (0, 1, 2)]
    assert given(*early) == [(0, 9.0), (1, 9.0)]


def test_an_old_bar_does_not_make_a_waiting_one_forgotten():
    told = [(minute(1), at(1, 58)), (minute(0), at(1, 59)), (minute(2), at(3))]
    assert given(*told) == [(0, 9.0), (1, 9.0), (2, 9.0)]


def test_a_bar_names_who_told_it():
    (bar,) = Tellings("wire").take(minute(0), at(1))
    assert bar.source == "wire"
    (bar,) = Tellings("wire").take(minute(0, source="vendor", trusted_for_entries=True), at(1))
    assert (bar.source, bar.trusted_for_entries) == ("vendor", True)
