from __future__ import annotations

from datetime import datetime, timedelta

import attrs
import numpy as np
import pytest

from tradekit import Bars, BarsRequest, NoDataError, SourceError
from tradekit.data._known import Known
from tradekit.data._parts import Parts

NOW = datetime.fromisoformat("2024-03-11T23:00+00:00")
CLOSE = datetime.fromisoformat("2024-03-08T21:00+00:00")
STEP = timedelta(minutes=5)


def bars(symbol, *ranges):
    """Some of the 78 bars of a session."""
    numbers = np.array([n for first, last in ranges for n in range(first, last)])
    times = np.datetime64("2024-03-08T14:30", "ns") + numbers * np.timedelta64(5, "m")
    p = 100.0 + numbers
    return Bars(symbol, "5Min", times, p, p, p, p, p, source="a", adjustment="all")


def known(symbol, *ranges):
    open_ = int(np.datetime64("2024-03-08T14:30", "ns").astype("i8"))
    covered = tuple((open_ + a * 300 * 10**9, open_ + b * 300 * 10**9) for a, b in ranges)
    return Known("a", bars(symbol, *ranges), NOW, covered)


def parts_of(limit=78, **ranges):
    """The questions for some symbols of which these rows are known."""
    request = BarsRequest(tuple(ranges), "5Min", limit=limit, end=CLOSE)
    told = {symbol: known(symbol, *each) for symbol, each in ranges.items() if each}
    return Parts(request, told, timedelta(minutes=15), NOW)


def at(number):
    return CLOSE - timedelta(minutes=390) + number * STEP


def asked(parts):
    return {
        (each.request.start, each.request.end): each.request.symbols for each in parts.questions()
    }


def test_those_who_lack_the_same_are_asked_for_at_once():
    gap = [(0, 20), (30, 78)]
    parts = parts_of(A=gap, B=gap, C=[(0, 40)], D=[(0, 50)], E=[], F=[])
    assert asked(parts) == {
        (None, CLOSE): ("E", "F"),
        (at(17), at(33)): ("A", "B"),
        (at(0), at(3)): ("A", "B", "C", "D"),  # whose beginnings show that nothing was adjusted
        (at(37), CLOSE): ("C", "D"),  # D from earlier on than it needs
    }


def test_beginnings_that_differ_are_asked_for_at_once():
    parts = parts_of(limit=70, A=[(0, 60)], B=[(2, 60)], C=[(4, 60)], D=[(6, 60)])
    assert asked(parts) == {(at(0), at(9)): tuple("ABCD"), (at(57), CLOSE): tuple("ABCD")}
    samples, end = parts.questions()
    for name, first in (("A", 0), ("D", 6)):
        assert parts.whole(samples, name, bars(name, (0, 9))) is None
        assert parts.whole(end, name, bars(name, (57, 78))) == bars(name, (first, 78))[-70:]


def test_where_everybody_lacks_something_else_all_of_it_is_asked_for_at_once():
    gaps = {name: [(0, 10 + n), (30, 78)] for n, name in enumerate("ABCDE")}
    (whole,) = parts_of(**gaps).questions()
    assert (whole.request.symbols, whole.request.start) == (tuple("ABCDE"), None)


def test_an_answer_is_whole_when_all_its_parts_are_there():
    parts = parts_of(A=[(0, 20), (30, 60)])
    gap, sample, end = parts.questions()
    assert parts.whole(sample, "A", bars("A", (0, 3))) is None
    assert parts.whole(end, "A", bars("A", (57, 78))) is None
    assert parts.whole(gap, "A", bars("A", (17, 33))) == bars("A", (0, 78))


def test_what_is_new_is_whole_as_it_comes():
    parts = parts_of(A=[], B=[(0, 60)])
    new, sample, end = parts.questions()
    assert parts.whole(new, "A", bars("A", (0, 78))) == bars("A", (0, 78))
    assert parts.whole(sample, "B", bars("B", (0, 3))) is None
    assert parts.whole(end, "B", bars("B", (40, 78))) == bars("B", (0, 78))


def test_one_symbol_of_a_question_can_be_asked_for_alone():
    _, end = parts_of(A=[(0, 60)], B=[(0, 60)]).questions()
    assert end.of("B").request.symbols == ("B",)
    assert end.of("B").stretches == end.stretches


def test_an_error_is_the_symbols():
    parts = parts_of(A=[(0, 60)])
    _, end = parts.questions()
    gone = SourceError("gone")
    with pytest.raises(SourceError) as caught:
        parts.whole(end, "A", gone)
    assert caught.value is gone


def test_nothing_where_something_is_known_is_another_history():
    parts = parts_of(A=[(0, 60)])
    _, end = parts.questions()
    with pytest.raises(SourceError, match="rewritten the history of A") as caught:
        parts.whole(end, "A", NoDataError("nothing there"))
    assert caught.value.retryable


def test_fewer_bars_than_were_asked_for_may_reach_back_farther():
    parts = parts_of(limit=70, A=[(9, 60)])
    lead, end = parts.questions()
    assert parts.whole(lead, "A", bars("A", (8, 12))) is None
    with pytest.raises(SourceError) as caught:
        parts.whole(end, "A", bars("A", (57, 60), (70, 78)))
    assert caught.value.fault == "rewritten"


def test_what_is_known_for_good_but_does_not_do_is_asked_for_as_a_whole():
    raw = attrs.evolve(known("A", (0, 78)), bars=bars("A", (0, 78))._replace(adjustment="raw"))
    request = BarsRequest("A", "5Min", limit=78, end=CLOSE, adjustment="raw")
    assert raw.stretches(request, NOW, timedelta(minutes=15)) == ()
    (whole,) = Parts(request, {"A": raw}, timedelta(minutes=15), NOW).questions()
    assert whole.request == request


def test_one_answer_is_continued_as_a_whole_though_fewer_are_wanted():
    long = Known("a", bars("A", (0, 70)), NOW)
    request = BarsRequest(("A", "B"), "5Min", limit=10, end=CLOSE)
    parts = Parts(request, {"A": long}, timedelta(minutes=15), NOW)
    new, end = parts.questions()
    assert (new.request.symbols, new.request.limit) == (("B",), 10)
    assert (end.request.start, end.request.limit) == (at(67), None)
    assert parts.whole(end, "A", bars("A", (67, 78))) == bars("A", (8, 78))
