from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tradekit import Timeframe
from tradekit.testing._provider_actions import Action
from tradekit.testing._provider_chart import columns, events, meta, periods
from tradekit.testing._provider_rows import Rows, calendar_of

NYSE, DAY = calendar_of("SPY"), Timeframe("1Day")


def ns(text):
    return int(np.datetime64(text, "ns").astype("i8"))


def rows(*labels):
    time = np.array([ns(label) for label in labels])
    price = np.arange(float(len(time)))
    return Rows("SPY", time, dict.fromkeys(("open", "high", "low", "close", "volume"), price))


@pytest.mark.parametrize(
    ("now", "stamp"),
    [
        ("2024-03-08T18:00:07", "2024-03-08T18:00:07"),  # open: now
        ("2024-03-08T22:00", "2024-03-08T21:00"),  # after the close: when the last price was made
        ("2024-03-09T03:00", "2024-03-08T21:00"),  # still Friday in New York
        ("2024-03-09T06:00", "2024-03-08T14:30"),  # Saturday: a day as all others
    ],
)
def test_today_is_stamped_with_its_newest_price_and_other_days_with_their_open(now, stamp):
    told = columns(rows("2024-03-07T05:00", "2024-03-08T05:00"), DAY, NYSE, ns(now))["timestamp"]
    assert told == [ns(moment) // 10**9 for moment in ("2024-03-07T14:30", stamp)]


def test_the_hours_of_a_half_day_end_early():
    ((regular,),) = periods(rows("2024-07-03T14:00"), NYSE, wide=False)
    assert [np.datetime64(regular[name], "s").item().hour for name in ("start", "end")] == [
        13,
        17,
    ]
    around = periods(rows("2024-07-03T14:00"), NYSE, wide=True)
    assert around["pre"][0][0]["end"] == regular["start"]
    assert around["post"][0][0]["start"] == regular["end"]


def test_a_chart_says_in_which_hours_it_is():
    told = meta("SPY", "5m", "5d", NYSE, ns("2024-07-05T14:00"))
    assert (told["timezone"], told["gmtoffset"]) == ("EDT", -14_400)
    assert told["regularMarketTime"] == ns("2024-07-05T14:00") // 10**9


def test_only_events_that_are_asked_for_are_told():
    both = [Action(ns("2024-03-08T14:30"), Fraction(1, 10), 0.25)]
    stamp = ns("2024-03-08T14:30") // 10**9
    paid = {"dividends": {str(stamp): {"amount": 0.25, "date": stamp}}}
    ratio = {"date": stamp, "numerator": 1, "denominator": 10, "splitRatio": "1:10"}
    assert events(both, ("div",)) == paid
    assert events(both, ("div", "splits")) == {**paid, "splits": {str(stamp): ratio}}
    assert events(both, ("capitalGains",)) == {}


def test_what_is_not_known_is_null():
    unknown = rows("2024-03-07T05:00").put(close=np.array([np.nan]))
    told = columns(unknown, DAY, NYSE, ns("2024-03-09T06:00"))["indicators"]["quote"][0]
    assert (told["close"], told["open"]) == ([None], [0.0])
