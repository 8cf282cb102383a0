from __future__ import annotations

import numpy as np
import pytest

from tradekit import Bars, SourceError
from tradekit.data import MemorySource
from tradekit.data._doubts import Doubts, alike

SOURCE = MemorySource()


def bars(*closes, skip=0, dropped=0):
    time = np.datetime64("2024-03-08T14:30", "ns") + np.arange(
        skip, skip + len(closes)
    ) * np.timedelta64(5, "m")
    price = np.array(closes, dtype=float)
    return Bars("SPY", "5Min", time, price, price, price, price, price, dropped=dropped)


def held(**answers):
    """Doubts about answers, each with its fault, by source."""
    doubts = Doubts()
    for name, (told, fault) in answers.items():
        doubts.hold(name, SOURCE, told, SourceError("odd", fault=fault))
    return doubts


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (bars(10, 11.1, 12), True),  # two tapes
        (bars(10.2, 11.2, 12.2), False),  # two percent in the median
        (bars(10, 11, 30), False),  # one is two and a half times as high
        (bars(10, 11), False),
        (bars(10, 11, 12, skip=1), False),
    ],
)
def test_two_tapes_tell_the_same_but_for_a_little(other, same):
    assert alike(bars(10, 11, 12), other) is same


def test_an_answer_that_another_bears_out_is_not_held():
    doubts = held(a=(bars(10, 11), "short"))
    assert not doubts.hold("b", SOURCE, bars(10, 11), SourceError("odd", fault="short"))
    assert doubts.hold("c", SOURCE, bars(10, 11, 12), SourceError("odd", fault="short"))
    assert list(doubts.of("SPY")) == ["a", "c"]


def test_the_best_is_the_longest_and_then_the_one_whose_prices_are_not_doubted():
    assert held(a=(bars(9, 9), "short"), b=(bars(1, 9, 1), "spike")).best("SPY") == "b"
    assert held(a=(bars(1, 9), "spike"), b=(bars(9, 9), "short")).best("SPY") == "b"


def test_who_has_left_out_rows_may_be_wrong_where_it_has_gaps():
    assert held(a=(bars(9, 9), "gaps")).is_benign("SPY")
    assert not held(a=(bars(9, 9, dropped=1), "gaps")).is_benign("SPY")
    assert not held(a=(bars(9, 9), "split")).is_benign("SPY")
    assert not Doubts().is_benign("SPY")


def test_who_was_asked_first_keeps_its_place_where_it_lacks_nothing_of_what_came_since():
    late = held(a=(bars(1, 2, 3), "behind"))
    assert late.first_as_good("SPY", bars(1, 2, 3)) == "a"
    assert late.first_as_good("SPY", bars(1, 2, 3, 4)) is None
    assert held(a=(bars(1, 2, 3), "split")).first_as_good("SPY", bars(1, 2, 3)) is None
