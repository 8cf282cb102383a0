from __future__ import annotations

import numpy as np
import pytest

from tradekit.timeframes import _sight
from tradekit.timeframes._sight import SightMemo, look_at

from .conftest import Deep, Never, Up, minutes


def test_the_newest_signal_that_is_still_news_is_told():
    sight = look_at(minutes([1.0, 2.0, 3.0, 3.0, 3.0]), (Up(),))  # two bars ago, of three
    assert ([s.price for s in sight.signals], sight.age) == ([3.0], 2)
    assert look_at(minutes([1.0, 2.0, 3.0, 3.0, 3.0, 3.0]), (Up(),)).signals == ()


def test_what_it_tells_is_what_the_detector_said_then():
    bars = minutes([1.0, 2.0, 3.0, 3.0])
    assert look_at(bars, (Up(),)).signals == Up().detect(bars[:3])


def test_who_is_not_ready_is_named_and_not_heard():
    sight = look_at(minutes([1.0, 2.0, 3.0]), (Deep(), Never()))
    assert (sight.signals, sight.not_ready) == ((), ("Deep/1",))


def test_the_newest_comes_first():
    class Other(Up):
        """Speaks of the step before."""

        def _scan(self, bars):
            return np.concatenate(([np.nan], super()._scan(bars)[:-1]))

    bars = minutes([1.0, 2.0, 3.0, 3.0])
    assert [s.source_method for s in look_at(bars, (Other(), Up())).signals] == ["Other/1", "Up/1"]


def test_the_same_view_is_looked_at_once():
    memo, bars = SightMemo(), minutes([1.0, 2.0, 3.0])
    before = Up.scans
    first, again = memo.look(bars, (Up(),)), memo.look(minutes([1.0, 2.0, 3.0]), (Up(),))
    assert (first, memo.hits, Up.scans - before) == (again, 1, 1)


@pytest.mark.parametrize(
    "other",
    [
        minutes([1.0, 2.0, 3.5]),
        minutes([1.5, 2.0, 3.0]),  # history was adjusted: the newest bar is the same
        minutes([2.0, 3.0], first="2024-03-08T14:31"),
        minutes([1.0, 2.0, 3.0], symbol="Y"),
        minutes([1.0, 2.0, 3.0], feed="iex"),
        minutes([1.0, 2.0, 3.0]).with_extra("mood", [1.0], np.array(["2024-03-08"], "M8[ns]")),
    ],
)
def test_another_view_is_looked_at_again(other):
    memo = SightMemo()
    memo.look(minutes([1.0, 2.0, 3.0]), (Up(),))
    assert memo.look(other, (Up(),)) == look_at(other, (Up(),))
    assert memo.hits == 0


def test_the_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(_sight, "_KEPT", 3)
    memo = SightMemo()
    for price in range(1, 9):
        memo.look(minutes([1.0, float(price)]), (Up(),))
    assert len(memo) == 3
