from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from tradekit import (
    Bars,
    BarsRequest,
    Capabilities,
    DataSource,
    FixedClock,
    SourceError,
    calendar_for,
)
from tradekit.data import MemorySource, SimulatedSource
from tradekit.data._checks import (
    doubt,
    may_be_short,
    next_close,
    objection,
    overdue,
    shortage,
    unsuited,
)
from tradekit.testing._provider_rows import Rows, bent

SOURCE = MemorySource()
NOW = datetime(2024, 3, 8, 21, tzinfo=UTC)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def bars(*labels, timeframe="5Min", **known):
    time = np.array(labels, "M8[ns]")
    one = np.ones(len(labels))
    return Bars("SPY", timeframe, time, one, one, one, one, one, **known)


def days(*dates, **known):
    labels = calendar_for("XNYS").labels(np.array(dates, "M8[D]"))
    return bars(*labels.astype("M8[ns]"), timeframe="1Day", **known)


def able(**facts):
    source = MemorySource()
    source.capabilities = Capabilities(**facts)
    return source


# Sessions run from 14:30 to 21:00 UTC until 10 March 2024, from then on from 13:30 to 20:00.
@pytest.mark.parametrize(
    ("newest", "on_time", "late", "due"),
    [
        # Within a session: the bar after 15:00-15:05 is complete at 15:10 and may come until 15:15.
        ("2024-03-08T15:00", "2024-03-08T15:15", "2024-03-08T15:15:01", "2024-03-08T15:10"),
        # The last bar of Thursday: nothing is due before Friday's first bar is.
        ("2024-03-07T20:55", "2024-03-08T14:40", "2024-03-08T14:40:01", "2024-03-08T14:35"),
        # Friday's last bar, over the weekend and the change of clocks.
        ("2024-03-08T20:55", "2024-03-11T13:40", "2024-03-11T13:40:01", "2024-03-11T13:35"),
        # The half day before Independence Day ends at 17:00, the next session is on the 5th.
        ("2024-07-03T16:55", "2024-07-05T13:40", "2024-07-05T13:40:01", "2024-07-05T13:35"),
        # The last bar of a session may not stay away for the night.
        ("2024-03-08T20:50", "2024-03-08T21:05", "2024-03-08T21:05:01", "2024-03-08T21:00"),
    ],
)
def test_a_bar_is_overdue_when_the_next_one_is_late_by_its_own_length(newest, on_time, late, due):
    assert overdue(bars(newest), at(on_time)) is None
    assert overdue(bars(newest), at(late)) == at(due)


def test_a_day_is_overdue_six_hours_after_its_close():
    friday = days("2024-03-08")
    # Monday closes at 20:00 UTC, in the new summer time.
    assert overdue(friday, at("2024-03-12T02:00")) is None
    assert overdue(friday, at("2024-03-12T02:00:01")) == at("2024-03-11T20:00")


def test_a_week_is_overdue_after_its_last_session():
    # Good Friday 2024-03-29 was a holiday: that week was complete on Thursday at 20:00 UTC.
    week = bars("2024-03-18T04:00", timeframe="1Week")
    assert overdue(week, at("2024-03-29T02:00")) is None
    assert overdue(week, at("2024-03-29T02:00:01")) == at("2024-03-28T20:00")


def test_a_delay_that_a_source_states_is_granted():
    source = able(delay=timedelta(minutes=15))
    request, newest = BarsRequest("SPY", "5Min"), bars("2024-03-08T15:00")
    assert objection(source, request, newest, at("2024-03-08T15:30")) is None
    assert objection(SOURCE, request, newest, at("2024-03-08T15:30")).fault == "stale"


def test_an_unbroken_answer_of_a_window_that_is_over_goes_on_to_its_end():
    # 60 bars from 14:30 end at 19:30; the one to 19:35 is due exactly then, five minutes later
    # for who asks at once, and never late for an answer that may have holes.
    opening, end = np.datetime64("2024-03-08T14:30"), at("2024-03-08T19:35")
    unbroken = bars(*opening + np.arange(60) * np.timedelta64(5, "m"))
    month_later, at_once = at("2024-04-08T15:00"), at("2024-03-08T19:39")
    assert overdue(unbroken, month_later, end) == end
    assert overdue(unbroken, at_once, end) is None
    assert overdue(unbroken[1:], month_later, end) is None
    assert overdue(unbroken, month_later, at("2024-03-08T19:34")) is None


def test_of_the_past_only_what_was_complete_then_is_due():
    request = BarsRequest("SPY", "5Min", end=at("2024-03-08T15:12"))
    assert objection(SOURCE, request, bars("2024-03-08T15:00"), at("2024-06-03T15:00")) is None
    assert objection(SOURCE, request, bars("2024-03-08T14:50"), at("2024-06-03T15:00"))


def test_bars_with_a_pause_may_pause_again_for_as_long():
    # 14:40 to 14:55 is missing, which is three bars, so three more may be: the fourth, complete at
    # 15:20, may be late by a bar.
    sparse = bars("2024-03-08T14:35", "2024-03-08T14:55")
    assert overdue(sparse, at("2024-03-08T15:25")) is None
    assert overdue(sparse, at("2024-03-08T15:25:01")) == at("2024-03-08T15:20")


def test_no_pause_excuses_more_than_half_a_session():
    # Thursday is missing: that does not make Friday's bars optional. 3 hours are 36 bars: the 37th
    # after 14:35 on Friday is complete at 14:35 + 185 minutes = 17:40.
    hole = bars("2024-03-06T20:55", "2024-03-08T14:30")
    assert overdue(hole, at("2024-03-08T17:45")) is None
    assert overdue(hole, at("2024-03-08T17:45:01")) == at("2024-03-08T17:40")


def test_days_with_a_hole_may_miss_as_many_days():
    # The 5th is missing, so the 7th may be: the 8th, complete at 21:00, is due six hours later.
    sparse = days("2024-03-04", "2024-03-06")
    assert overdue(sparse, at("2024-03-09T03:00")) is None
    assert overdue(sparse, at("2024-03-09T03:00:01")) == at("2024-03-08T21:00")


def test_the_feed_of_one_exchange_may_miss_a_bar():
    assert overdue(bars("2024-03-08T15:00", feed="iex"), at("2024-03-08T15:20")) is None
    assert overdue(bars("2024-03-08T15:00", feed="iex"), at("2024-03-08T15:20:01"))


def test_prices_that_are_adjusted_otherwise_are_refused_with_the_cure():
    request, now = BarsRequest("SPY", "5Min"), at("2024-03-08T15:06")
    wrong = objection(SOURCE, request, bars("2024-03-08T15:00", adjustment="raw"), now)
    assert "memory answered raw prices of SPY: expected adjustment 'all', got 'raw'" in str(wrong)
    assert wrong.hint == "MultiSourceDataManager(..., adjustment='raw')"
    for adjustment in ("all", "unknown"):
        good = bars("2024-03-08T15:00", adjustment=adjustment)
        assert objection(SOURCE, request, good, now) is None


def test_a_bar_a_day_is_no_answer_to_a_question_for_minutes():
    lie = bars("2024-03-06T14:30", "2024-03-07T14:30", "2024-03-08T14:30")
    wrong = objection(SOURCE, BarsRequest("SPY", "5Min"), lie, at("2024-03-08T14:36"))
    assert "longer bars of SPY than it says: expected 5Min bars, got one a day" in str(wrong)
    minutes = bars("2024-03-07T20:55", "2024-03-08T14:30", "2024-03-08T14:35")
    assert objection(SOURCE, BarsRequest("SPY", "5Min"), minutes, at("2024-03-08T14:41")) is None


def test_a_bar_a_week_is_no_answer_to_a_question_for_days():
    lie = days("2024-02-20", "2024-02-27", "2024-03-05")
    wrong = objection(SOURCE, BarsRequest("SPY", "1Day"), lie, at("2024-03-06T15:00"))
    assert "got one a week" in str(wrong)


@pytest.mark.parametrize(
    ("timeframe", "label", "odd"),
    [
        ("5Min", "2024-03-08T15:03:27", True),  # a live row that is labelled by its last trade
        ("5Min", "2024-03-08T15:05", False),
        ("1Hour", "2024-03-08T15:30", False),  # an hour after the open
        ("1Hour", "2024-03-08T16:00", False),  # by the clock
        ("1Hour", "2024-03-08T15:45", True),
        ("45Min", "2024-03-08T15:15", False),
    ],
)
def test_bars_begin_with_the_session_or_by_the_clock(timeframe, label, odd):
    answer = bars("2024-03-08T14:30", label, timeframe=timeframe)
    wrong = objection(SOURCE, BarsRequest("SPY", timeframe), answer, at("2024-03-08T16:40"))
    assert (wrong is not None and "labels 1 of 2 bars of SPY by odd times" in str(wrong)) == odd


@pytest.mark.parametrize(
    "window",
    [{"start": at("2024-03-08T14:31")}, {"end": at("2024-03-08T14:44")}],
)
def test_bars_outside_the_window_are_refused(window):
    answer = bars("2024-03-08T14:30", "2024-03-08T14:40")
    wrong = objection(SOURCE, BarsRequest("SPY", "5Min", **window), answer, at("2024-03-08T14:45"))
    assert wrong.fault == "bad_data"
    assert "got 2024-03-08 14:30 to 2024-03-08 14:45 UTC" in str(wrong)


def test_fewer_bars_than_asked_are_told():
    few = bars("2024-03-08T14:55", "2024-03-08T15:00")
    short = shortage(SOURCE, BarsRequest("SPY", "5Min", limit=3), few)
    assert short.fault == "short"
    assert "expected 3 5Min bars, got 2 since 2024-03-08 14:55 UTC" in str(short)
    assert shortage(SOURCE, BarsRequest("SPY", "5Min", limit=2), few) is None
    assert shortage(SOURCE, BarsRequest("SPY", "5Min"), few) is None


@pytest.mark.parametrize(
    ("start", "answer", "late"),
    [
        ("2024-03-08T14:30", bars("2024-03-08T14:30"), False),
        ("2024-03-08T14:30", bars("2024-03-08T14:35"), True),
        ("2024-03-08T14:31", bars("2024-03-08T14:35"), False),
        ("2024-03-07T21:00", bars("2024-03-08T14:30"), False),  # overnight
        ("2024-03-07T20:55", bars("2024-03-08T14:30"), True),
        ("2024-03-08T14:30", bars("2024-03-08T15:00", timeframe="1Hour"), False),  # by the clock
        ("2024-03-08T14:30", bars("2024-03-08T17:30", feed="iex"), False),
        ("2024-03-08T14:30", bars("2024-03-08T17:35", feed="iex"), True),
        ("2024-03-08T05:00", days("2024-03-08"), False),
        ("2024-03-08T05:01", days("2024-03-11"), False),
        ("2024-03-08T05:00", days("2024-03-11"), True),
        ("2024-03-05T05:00", bars("2024-03-11T04:00", timeframe="1Week"), False),
        ("2024-03-04T05:00", bars("2024-03-18T04:00", timeframe="1Week"), True),
    ],
)
def test_a_window_that_begins_late_is_short(start, answer, late):
    told = doubt(SOURCE, BarsRequest("SPY", answer.timeframe, start=at(start)), answer)
    assert (told is not None and told.fault == "short") == late


def test_a_window_that_holds_fewer_bars_than_the_limit_is_not_short():
    both = BarsRequest("SPY", "5Min", start=at("2024-03-08T14:30"), limit=9)
    assert shortage(SOURCE, both, bars("2024-03-08T14:30", "2024-03-08T14:35")) is None
    assert shortage(SOURCE, both, bars("2024-03-08T14:35")).fault == "short"


def test_the_lunch_break_in_tokyo_is_no_late_beginning():
    # Tokyo rests from 02:30 to 03:30 UTC.
    afternoon = bars("2024-03-08T03:30", calendar="XTKS")
    assert (
        doubt(SOURCE, BarsRequest("7203", "5Min", start=at("2024-03-08T02:30")), afternoon) is None
    )


def test_holes_are_doubted_where_a_tape_should_have_none():
    labels = "2024-03-08T14:30", "2024-03-08T14:40", "2024-03-08T14:45", "2024-03-08T15:00"
    told = doubt(SOURCE, BarsRequest("SPY", "5Min"), bars(*labels))
    assert told.fault == "gaps"
    assert "got 2 holes, the first before 2024-03-08 14:40 UTC" in str(told)
    assert doubt(SOURCE, BarsRequest("SPY", "5Min"), bars(*labels, feed="iex")) is None


def test_a_source_may_be_short_where_its_history_begins_or_its_tape_skips():
    now = at("2024-03-08T22:00")
    assert may_be_short(able(depth=timedelta(days=10)), days("2024-02-29", "2024-03-01"), now)
    assert not may_be_short(able(depth=timedelta(days=60)), days("2024-02-29", "2024-03-01"), now)
    assert not may_be_short(SOURCE, days("2024-02-29", "2024-03-01"), now)
    assert may_be_short(SOURCE, days("2024-02-28", "2024-03-01"), now)
    assert may_be_short(SOURCE, days("2024-03-01", feed="iex"), now)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"timeframes": ("1Day",)}, "no such timeframe: expected 1Day, got 5Min"),
        ({"adjustments": ("raw", "split")}, "no such adjustment: expected raw or split, got all"),
    ],
)
def test_a_source_that_has_no_such_bars_is_not_asked(facts, sentence):
    assert sentence in str(unsuited(able(**facts), BarsRequest("SPY", "5Min"), NOW))


def test_a_source_is_not_asked_for_what_lies_deeper_than_it_reaches():
    shallow = able(depth={"5Min": timedelta(days=59)})
    for days, asked in ((58, True), (59, False), (98, False)):
        end = NOW - timedelta(days=days)
        why = unsuited(shallow, BarsRequest("SPY", "5Min", end=end, limit=9), NOW)
        assert (why is None) is asked
    assert (why.fault, why.retryable) == ("unable", False)
    assert unsuited(shallow, BarsRequest("SPY", "1Day", end=end, limit=9), NOW) is None
    assert unsuited(shallow, BarsRequest("SPY", "5Min", limit=9), NOW) is None


def test_a_source_that_does_not_know_its_adjustment_is_asked():
    assert unsuited(able(adjustments=("unknown",)), BarsRequest("SPY", "5Min"), NOW) is None
    assert unsuited(SOURCE, BarsRequest("SPY", "5Min"), NOW) is None


def test_the_next_close_is_the_calendars():
    # Hour bars end at 21:00 on Friday; the second one of Monday at 15:30 summer time.
    hours = bars("2024-03-08T20:30", timeframe="1Hour")
    assert next_close(hours, 2) == np.datetime64("2024-03-11T15:30", "ns").astype(np.int64)


class Bent(DataSource):
    """Answers the simulated market's bars, made wrong."""

    name = "bent"

    def __init__(self, fault, seed, clock):
        self.truth, self.clock = SimulatedSource(clock=clock), clock
        self.fault, self.luck = fault, np.random.default_rng(seed)

    async def _fetch(self, request):
        bars = (await self.truth.fetch(request))[request.symbols[0]]
        rows = bent(Rows.of(bars), self.fault, self.luck)
        frame = pd.DataFrame(rows.columns, index=pd.to_datetime(rows.time, utc=True))
        facts = {"symbol": rows.symbol, "timeframe": bars.timeframe, "adjustment": bars.adjustment}
        frame.attrs.update(facts)
        return frame


MONDAY = at("2024-03-11T17:32")
QUESTIONS = {
    "window": (
        BarsRequest("NVDA", "5Min", start=at("2024-03-08T14:30"), end=at("2024-03-08T21:00")),
        MONDAY,
    ),
    "live": (BarsRequest("NVDA", "5Min", limit=100), MONDAY),
    "days": (BarsRequest("NVDA", "1Day", limit=100), MONDAY),
}
BELIEVED = {"": 8}
REFUSED = {"bad_data": 8}


@pytest.mark.parametrize(
    ("fault", "window", "live", "days"),
    [
        (None, BELIEVED, BELIEVED, BELIEVED),
        ("no_rows", {"empty": 8}, {"empty": 8}, {"empty": 8}),
        ("missing_fields", REFUSED, REFUSED, REFUSED),
        ("stale_day", {"empty": 8}, {"stale": 8}, {"stale": 8}),
        ("missing_tail", {"stale": 8}, {"stale": 8}, {"stale": 8}),
        ("price_x100", REFUSED, REFUSED, REFUSED),
        ("swapped_high_low", REFUSED, REFUSED, REFUSED),
        ("duplicate_rows", REFUSED, REFUSED, REFUSED),
        ("out_of_order", REFUSED, REFUSED, REFUSED),
        ("wrong_symbol", REFUSED, REFUSED, REFUSED),
        # Within what one answer can tell, these are right: another source must say otherwise.
        ("plausible_shift", BELIEVED, BELIEVED, BELIEVED),
        ("unadjusted_split", {"doubt: split": 8}, {"doubt: split": 8}, {"doubt: split": 8}),
    ],
)
def test_what_is_made_of_each_fault(fault, window, live, days):
    for expected, (request, now) in zip((window, live, days), QUESTIONS.values(), strict=True):
        judged = Counter()
        for seed in range(8):
            source = Bent(fault, seed, FixedClock(now))
            answer = asyncio.run(source.fetch(request))
            if (error := answer.failures.get("NVDA")) is None:
                bars = answer["NVDA"]
                error = objection(source, request, bars, now)
                if error is None and (odd := doubt(source, request, bars)):
                    error = SourceError("", fault=f"doubt: {odd.fault}")
            judged[error.fault if error else ""] += 1
        assert judged == expected
