from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit._core.clock import (
    Clock,
    FixedClock,
    ReplayClock,
    SystemClock,
    from_ns,
    to_ns,
    to_utc,
)
from tradekit._core.errors import UsageError

NOON = datetime(2024, 3, 8, 12, tzinfo=UTC)
NAIVE = [NOON.replace(tzinfo=None), pd.Timestamp("2024-03-08"), pd.NaT, None]


@given(st.datetimes(timezones=st.just(UTC)))
def test_moments_survive_the_way_to_nanoseconds_and_back(moment):
    assert from_ns(to_ns(moment)) == moment


@given(st.integers(-(2**62), 2**62))
def test_nanoseconds_are_cut_to_the_microseconds_that_python_knows(ns):
    assert 0 <= ns - to_ns(from_ns(ns)) < 1_000


def test_the_last_digits_are_exact():
    # 2024-03-08 12:00 UTC is 19,790 days and 12 hours after 1970: 1,709,899,200 seconds.
    moment = NOON + timedelta(microseconds=1)
    assert to_ns(moment) == 1_709_899_200_000_001_000


def test_pandas_nanoseconds_are_kept():
    assert to_ns(pd.Timestamp(1_709_899_200_000_000_123, tz="UTC")) == 1_709_899_200_000_000_123


def test_a_moment_is_the_same_in_every_zone():
    tokyo = NOON.astimezone(timezone(timedelta(hours=9)))
    assert to_ns(tokyo) == to_ns(NOON)
    assert (to_utc(tokyo), to_utc(tokyo).tzinfo) == (NOON, UTC)
    assert type(to_utc(pd.Timestamp(NOON))) is datetime


@pytest.mark.parametrize("naive", NAIVE)
@pytest.mark.parametrize("door", [to_ns, to_utc, FixedClock, ReplayClock])
def test_a_time_without_a_zone_is_refused(door, naive):
    with pytest.raises(UsageError) as caught:
        door(naive)
    assert str(caught.value) == (
        f"a time needs a zone: expected an aware datetime, got {naive!r}. "
        "Try: datetime(..., tzinfo=UTC), or .astimezone(UTC)"
    )


class Nowhere(tzinfo):
    def utcoffset(self, moment):
        return None


def test_a_zone_that_knows_no_offset_is_none():
    with pytest.raises(UsageError, match="a time needs a zone"):
        to_ns(NOON.replace(tzinfo=Nowhere()))


@pytest.mark.parametrize("clock", [SystemClock(), FixedClock(NOON), ReplayClock(NOON)])
def test_every_clock_says_now_in_utc(clock):
    assert isinstance(clock, Clock)
    assert clock.now().tzinfo is UTC


def test_the_systems_clock_goes_on():
    clock = SystemClock()
    before, first, second, after = datetime.now(UTC), clock.now(), clock.now(), datetime.now(UTC)
    assert before <= first <= second <= after


def test_a_fixed_clock_stands_still_and_cannot_be_moved():
    clock = FixedClock(NOON)
    assert clock.now() == clock.now() == NOON
    with pytest.raises(AttributeError):
        clock.at = NOON + timedelta(hours=1)


def test_a_clock_set_in_new_york_shows_utc():
    eastern = timezone(timedelta(hours=-5))
    assert FixedClock(datetime(2024, 3, 8, 16, tzinfo=eastern)).now().hour == 21
    clock = ReplayClock(NOON)
    clock.move_to(datetime(2024, 3, 8, 16, tzinfo=eastern))
    assert (clock.now().hour, clock.now().tzinfo) == (21, UTC)


def test_a_replay_moves_on_and_may_stay():
    clock = ReplayClock(NOON)
    clock.move_to(NOON)
    clock.move_to(NOON + timedelta(minutes=5))
    assert clock.now() == NOON + timedelta(minutes=5)


def test_a_replay_never_goes_back():
    clock = ReplayClock(NOON)
    with pytest.raises(UsageError) as caught:
        clock.move_to(NOON - timedelta(microseconds=1))
    assert str(caught.value) == (
        "a replay clock cannot go back: expected 2024-03-08T12:00:00+00:00 or later, "
        "got 2024-03-08T11:59:59.999999+00:00. Try: a new ReplayClock for a new replay"
    )
    assert clock.now() == NOON
