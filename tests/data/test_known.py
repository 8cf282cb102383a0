from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tradekit import Bars, BarsRequest, SourceError
from tradekit._core.clock import from_ns, to_ns
from tradekit.data._known import Known, Stretch

SETTLE = timedelta(minutes=15)
REQUEST = BarsRequest("SPY", "5Min", limit=60)


def at(text):
    return datetime.fromisoformat(f"{text}+00:00")


def bars(first=0, last=60, price=1.0, **facts):
    """Some of the 5-minute bars from 14:30 on; each costs a little more than the one before."""
    return rows(range(first, last), price, **facts)


def rows(numbers, price=1.0, **facts):
    numbers = np.array(numbers)
    times = np.datetime64("2024-03-08T14:30", "ns") + numbers * np.timedelta64(5, "m")
    p = price * (100.0 + numbers)
    facts = {"source": "a", "feed": "sip", "adjustment": "all", **facts}
    return Bars("SPY", "5Min", times, p, p, p, p, p, **facts)


KNOWN = Known("a", bars(), at("2024-03-08T19:30"))


def test_what_may_still_be_corrected_is_read_again_and_three_settled_bars_with_it():
    # By 19:15 the bar of 19:10 is settled; it and the two before it are read again.
    found = KNOWN.stretches(REQUEST, at("2024-03-08T19:35"), SETTLE)
    assert found == (Stretch(at("2024-03-08T19:00")),)


def test_nearly_all_of_it_is_asked_for_as_a_whole():
    for known in (Known("a", bars(0, 3), KNOWN.since), Known("a", bars(), at("2024-03-08T14:45"))):
        assert known.stretches(REQUEST, at("2024-03-08T19:35"), SETTLE) is None
    # A day later all 60 bars are new.
    assert KNOWN.stretches(REQUEST, at("2024-03-11T20:00"), SETTLE) is None


def test_days_settle_within_a_day():
    days = np.array([f"2024-03-0{d}T05:00" for d in (1, 4, 5, 6, 7, 8)], "M8[ns]")
    p = np.ones(6)
    known = Known("a", Bars("SPY", "1Day", days, p, p, p, p, p), at("2024-03-09T02:00"))
    request = BarsRequest("SPY", "1Day", limit=6)
    # The 8th closed five hours before; the 7th is settled, and read again with the 6th and 5th.
    found = known.stretches(request, at("2024-03-09T02:00"), SETTLE)
    assert found == (Stretch(at("2024-03-05T05:00")),)


def test_adjusted_days_are_asked_for_as_a_whole_once_a_session():
    days = np.array([f"2024-03-0{d}T05:00" for d in (1, 4, 5, 6, 7)], "M8[ns]")
    p, request = np.ones(5), BarsRequest("SPY", "1Day", limit=6)
    for adjustment, again in (("raw", (Stretch(at("2024-03-04T05:00")),)), ("all", None)):
        told = Bars("SPY", "1Day", days, p, p, p, p, p, adjustment=adjustment)
        known = Known("a", told, at("2024-03-08T03:00"))
        assert known.stretches(request, at("2024-03-08T22:00"), SETTLE) == again


def test_the_end_is_put_in_place():
    end = Stretch(at("2024-03-08T19:00"))
    assert KNOWN.joined([(end, bars(54, 66))]) == bars(0, 66)


def test_rows_before_what_was_to_be_read_again_do_not_matter():
    end = Stretch(at("2024-03-08T19:00"))
    assert KNOWN.joined([(end, bars(50, 66))]) == bars(0, 66)  # asked for with another symbol


@pytest.mark.parametrize(
    ("fresh", "got"),
    [
        (bars(54, 66, price=0.5), "other prices of the same bars"),
        (bars(54, 66, feed="iex"), "another source, feed or adjustment"),
        (bars(54, 66, source="b"), "another source, feed or adjustment"),
        (bars(59, 66), "other prices of the same bars"),
        (bars(61, 66), "other prices of the same bars"),
        (bars(40, 50), "other prices of the same bars"),
    ],
)
def test_what_does_not_agree_is_not_joined(fresh, got):
    with pytest.raises(SourceError, match="has rewritten the history of SPY") as caught:
        KNOWN.joined([(Stretch(at("2024-03-08T19:00")), fresh)])
    assert caught.value.got == got
    assert caught.value.retryable


def test_what_is_not_settled_may_have_been_corrected():
    fresh = bars(54, 66)
    corrected = fresh._replace(volume=fresh.volume * 2)
    joined = KNOWN.joined([(Stretch(at("2024-03-08T19:00")), corrected)])
    assert joined.volume[-12:].tolist() == corrected.volume.tolist()


# Of the 78 bars of that session, known on the evening of the next.
NEXT = at("2024-03-11T23:00")
SESSION = BarsRequest("SPY", "5Min", limit=78, end=at("2024-03-08T21:00"))


def pieces(*ranges, adjustment="all"):
    known = rows([n for first, last in ranges for n in range(first, last)], adjustment=adjustment)
    starts = known.time[0] - ranges[0][0] * 300 * 10**9
    covered = [(int(starts + a * 300 * 10**9), int(starts + b * 300 * 10**9)) for a, b in ranges]
    return Known("a", known, from_ns(known.close_time[-1]), tuple(covered))


def minute(number):
    return at("2024-03-08T14:30") + number * timedelta(minutes=5)


def stretches(*ranges, request=SESSION, **facts):
    return pieces(*ranges, **facts).stretches(request, NEXT, SETTLE)


# The first three bars, which change with whatever is split or paid since.
SAMPLE = Stretch(minute(0), minute(3), before=True, is_sample=True)


def test_of_what_lies_between_only_the_gap_is_asked_for_with_three_bars_at_each_end():
    gap = Stretch(minute(17), minute(33), before=True)
    assert stretches((0, 20), (30, 78), adjustment="raw") == (gap,)
    assert stretches((0, 20), (30, 78)) == (SAMPLE, gap)


def test_what_lacks_at_the_beginning_and_at_the_end_is_asked_for_apart():
    assert stretches((20, 50)) == (
        Stretch(minute(0), minute(23), after=False, before=True),
        Stretch(minute(47)),
    )


def test_settled_raw_prices_of_the_past_need_no_question_and_others_a_sample():
    assert stretches((0, 78), adjustment="raw") == ()
    assert stretches((0, 78)) == (SAMPLE,)
    newest = BarsRequest("SPY", "5Min", limit=78, adjustment="raw")
    since = Known("a", bars(0, 78, adjustment="raw"), NEXT)
    assert since.stretches(newest, at("2024-03-11T11:00"), SETTLE) is not None


def test_of_adjusted_prices_on_disk_the_beginning_is_read_again_beside_the_end():
    newest = BarsRequest("SPY", "5Min", start=minute(0))
    assert stretches((0, 78), request=newest) == (SAMPLE, Stretch(minute(75)))
    assert stretches((0, 78), request=newest, adjustment="raw") == (Stretch(minute(75)),)
    assert stretches((0, 5), request=newest) is None  # too few for both


def test_what_is_on_disk_is_settled_up_to_its_last_bar():
    known = pieces((0, 40))
    found = known.stretches(BarsRequest("SPY", "5Min", start=minute(0)), minute(42), SETTLE)
    assert found == (SAMPLE, Stretch(minute(37)))


def test_a_split_that_is_told_late_is_seen_at_the_beginning():
    known = pieces((0, 78))
    with pytest.raises(SourceError, match="rewritten"):
        known.joined([(SAMPLE, bars(0, 3, price=0.5))])
    assert known.joined([(SAMPLE, bars(0, 3))]) == bars(0, 78)


def test_of_an_answer_that_goes_on_only_the_stretch_is_read():
    known = pieces((0, 20), (30, 78))
    gap = Stretch(minute(17), minute(33), before=True)
    answers = [(SAMPLE, bars(0, 25)), (gap, bars(10, 40))]
    assert known.joined(answers) == bars(0, 78)


def test_answers_that_nothing_shows_to_fit_together_are_held_together():
    seam = Stretch(minute(37), minute(43), before=True)
    assert stretches((0, 40), (40, 78), adjustment="raw") == (seam,)
    assert stretches((0, 40), (40, 78)) == (SAMPLE, seam)


def test_many_gaps_or_short_pieces_are_asked_for_as_a_whole():
    assert stretches((0, 10), (20, 30), (60, 78)) is not None
    assert stretches((0, 10), (20, 30), (40, 50), (60, 78)) is None
    assert stretches((0, 20), (30, 35), (40, 78)) is None


CUTS = st.lists(st.integers(0, 78), min_size=2, max_size=8, unique=True).map(sorted)


@given(CUTS, st.booleans(), st.sampled_from(["raw", "all"]))
def test_all_that_was_asked_for_makes_the_whole(cuts, touching, adjustment):
    pairs = [*pairwise(cuts)][:: 1 if touching else 2]
    known, whole = pieces(*pairs, adjustment=adjustment), bars(0, 78, adjustment=adjustment)
    asked = known.stretches(SESSION, NEXT, SETTLE)
    assume(asked is not None)
    spans = [(to_ns(each.start), to_ns(each.end or SESSION.end)) for each in asked]
    answers = [whole[slice(*map(int, whole.time.searchsorted(span)))] for span in spans]
    assert known.joined([*zip(asked, answers, strict=True)]) == whole


def test_a_gap_whose_ends_are_told_otherwise_is_not_filled():
    known, (_, gap) = pieces((0, 20), (30, 78)), stretches((0, 20), (30, 78))
    fresh = bars(17, 33)
    halved = bars(17, 33, price=0.5)
    for close in (
        np.concatenate([halved.close[:13], fresh.close[13:]]),
        np.concatenate([fresh.close[:13], halved.close[13:]]),
    ):
        bent = fresh._replace(open=close, high=close, low=close, close=close)
        with pytest.raises(SourceError, match="rewritten"):
            known.joined([(SAMPLE, bars(0, 3)), (gap, bent)])
