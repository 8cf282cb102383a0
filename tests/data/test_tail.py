from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from tradekit import Bars, BarsRequest, SourceError
from tradekit.data._tail import Known

SETTLE = timedelta(minutes=15)
REQUEST = BarsRequest("SPY", "5Min", limit=60)


def at(text):
    return datetime.fromisoformat(f"{text}+00:00")


def bars(first=0, last=60, price=1.0, **facts):
    """Some of the 5-minute bars from 14:30 on; each costs a little more than the one before."""
    rows = np.arange(first, last)
    times = np.datetime64("2024-03-08T14:30", "ns") + rows * np.timedelta64(5, "m")
    p = price * (100.0 + rows)
    facts = {"source": "a", "feed": "sip", "adjustment": "all", **facts}
    return Bars("SPY", "5Min", times, p, p, p, p, p, **facts)


KNOWN = Known("a", bars(), at("2024-03-08T19:30"))


def test_what_may_still_be_corrected_is_read_again_and_three_settled_bars_with_it():
    # By 19:15 the bar of 19:10 is settled; it and the two before it are read again.
    start = KNOWN.start(REQUEST, at("2024-03-08T19:35"), SETTLE)
    assert start == at("2024-03-08T19:00")


def test_nearly_all_of_it_is_asked_for_as_a_whole():
    for known in (Known("a", bars(0, 3), KNOWN.since), Known("a", bars(), at("2024-03-08T14:45"))):
        assert known.start(REQUEST, at("2024-03-08T19:35"), SETTLE) is None
    # A day later all 60 bars are new.
    assert KNOWN.start(REQUEST, at("2024-03-11T20:00"), SETTLE) is None


def test_days_settle_within_a_day():
    days = np.array([f"2024-03-0{d}T05:00" for d in (1, 4, 5, 6, 7, 8)], "M8[ns]")
    p = np.ones(6)
    known = Known("a", Bars("SPY", "1Day", days, p, p, p, p, p), at("2024-03-09T02:00"))
    request = BarsRequest("SPY", "1Day", limit=6)
    # The 8th closed five hours before; the 7th is settled, and read again with the 6th and 5th.
    start = known.start(request, at("2024-03-09T02:00"), SETTLE)
    assert start == at("2024-03-05T05:00")


def test_the_end_is_put_in_place():
    assert KNOWN.joined(bars(54, 66)) == bars(0, 66)


@pytest.mark.parametrize(
    ("fresh", "got"),
    [
        (bars(54, 66, price=0.5), "other prices of the same bars"),
        (bars(54, 66, feed="iex"), "another source, feed or adjustment"),
        (bars(54, 66, source="b"), "another source, feed or adjustment"),
        (bars(59, 66), "other prices of the same bars"),
        (bars(61, 66), "other prices of the same bars"),
    ],
)
def test_what_does_not_agree_is_not_joined(fresh, got):
    with pytest.raises(SourceError, match="has rewritten the history of SPY") as caught:
        KNOWN.joined(fresh)
    assert caught.value.got == got
    assert caught.value.retryable


def test_what_is_not_settled_may_have_been_corrected():
    fresh = bars(54, 66)
    corrected = fresh._replace(volume=fresh.volume * 2)
    assert KNOWN.joined(corrected).volume[-12:].tolist() == corrected.volume.tolist()
