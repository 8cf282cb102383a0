from __future__ import annotations

from datetime import timedelta

import pytest

from tradekit import NoDataError
from tradekit.timeframes import TimeframeLook, TimeframeScan
from tradekit.timeframes._scan import direction_of

from .conftest import NOW, signal

EARLIER = NOW - timedelta(minutes=5)


@pytest.mark.parametrize(
    ("signals", "direction"),
    [
        ([], None),
        ([signal()], "bullish"),
        ([signal("bearish", family="a"), signal(family="b")], "mixed"),
        ([signal("bearish", family="a"), signal(family="b"), signal(family="c")], "bullish"),
        # Two names for the same thing are one vote.
        ([signal("bearish", name="E"), signal("bearish", name="F"), signal(family="b")], "mixed"),
        # Of one family, the newest counts.
        ([signal("bearish"), signal(at=EARLIER, name="E")], "bearish"),
        ([signal("bearish"), signal(name="E")], "mixed"),
    ],
)
def test_each_family_has_one_vote(signals, direction):
    assert direction_of(signals) == direction
    assert direction_of(signals[::-1]) == direction


def scan(*looks):
    return TimeframeScan("X", NOW, {look.timeframe: look for look in looks})


def test_a_scan_is_a_sequence_of_signals():
    fast, slow = signal(), signal(timeframe="1Day")
    found = scan(TimeframeLook("5Min", signals=(fast,)), TimeframeLook("1Day", signals=(slow,)))
    assert list(found) == [fast, slow] == list(found.signals)
    assert (len(found), found[1], found[:1], slow in found) == (2, slow, (fast,), True)


def test_new_signals_are_those_of_the_newest_bar():
    now, before = signal(), signal(at=EARLIER, name="E")
    found = scan(TimeframeLook("5Min", signals=(now, before), newest_close=NOW))
    assert found.new == (now,)


def test_nothing_seen_and_nothing_looked_at_are_two_things():
    seen_nothing = scan(TimeframeLook("5Min", bars=300, newest_close=NOW))
    blind = scan(TimeframeLook("5Min", failure=NoDataError("no bars")))
    assert (bool(seen_nothing), seen_nothing.ok) == (False, True)
    assert (bool(blind), blind.ok) == (False, False)
    assert blind != seen_nothing
    assert "nothing to say; 300 bars to 2024-03-08 18:07 UTC" in repr(seen_nothing)
    assert "could not look: no bars" in repr(blind)


def test_a_look_says_what_it_rests_on():
    look = TimeframeLook("1Day", signals=(signal(),), bars=9, newest_close=NOW, age=2)
    assert str(look) == "1Day   bullish, newest 2 bars ago; 9 bars to 2024-03-08 18:07 UTC"
    worse = TimeframeLook("1Day", bars=9, newest_close=NOW, not_ready=("D/1",), stale=True)
    assert str(worse).endswith("; 1 detectors need more bars; stale")
    assert (look.ready, worse.ready) == (True, False)
