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
from tradekit.data._checks import doubt, lack, may_be_short, objection, shortage, unsuited
from tradekit.data._known import Known
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


def test_a_delay_that_a_source_states_is_granted():
    source = able(delay=timedelta(minutes=15))
    request, newest = BarsRequest("SPY", "5Min"), bars("2024-03-08T15:00")
    assert objection(source, request, newest, at("2024-03-08T15:30")) is None
    assert objection(SOURCE, request, newest, at("2024-03-08T15:30")).fault == "stale"


def test_of_the_past_only_what_was_complete_then_is_due():
    request = BarsRequest("SPY", "5Min", end=at("2024-03-08T15:12"))
    assert objection(SOURCE, request, bars("2024-03-08T15:00"), at("2024-06-03T15:00")) is None
    assert objection(SOURCE, request, bars("2024-03-08T14:50"), at("2024-06-03T15:00"))


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
    known_by = answer[-1].close_time
    told = lack(SOURCE, BarsRequest("SPY", answer.timeframe, start=at(start)), answer, known_by)
    assert (told is not None and told.fault == "short") == late


def test_a_window_that_holds_fewer_bars_than_the_limit_is_not_short():
    both = BarsRequest("SPY", "5Min", start=at("2024-03-08T14:30"), limit=9)
    assert shortage(SOURCE, both, bars("2024-03-08T14:30", "2024-03-08T14:35")) is None
    assert shortage(SOURCE, both, bars("2024-03-08T14:35")).fault == "short"


def test_the_lunch_break_in_tokyo_is_no_late_beginning():
    # Tokyo rests from 02:30 to 03:30 UTC.
    afternoon = bars("2024-03-08T03:30", calendar="XTKS")
    request = BarsRequest("7203", "5Min", start=at("2024-03-08T02:30"))
    assert lack(SOURCE, request, afternoon, at("2024-03-08T03:35")) is None


def run(count, *missing, newest="2024-03-08T20:55", **known):
    """So many five-minute bars of one session, but for those that are missing, from the end."""
    back = np.setdiff1d(np.arange(count), missing)[::-1]
    return bars(*np.datetime64(newest) - back * np.timedelta64(5, "m"), **known)


def lacks(answer, asked=None, now=NOW, **window):
    told = lack(SOURCE, BarsRequest("SPY", "5Min", limit=asked, **window), answer, now)
    return told and told.fault


def test_a_hole_among_the_wanted_bars_of_an_unbroken_tape_is_told():
    holed = run(63, 4, 5, 6)
    told = lack(SOURCE, BarsRequest("SPY", "5Min", limit=10), holed, NOW)
    assert told.fault == "gaps"
    assert "got 1 holes, the first before 2024-03-08 20:40 UTC" in str(told)
    assert lacks(holed, 4) is None  # it lies before those that are wanted
    assert lacks(run(63, 4, 5, 6, feed="iex"), 10) is None


def test_of_a_symbol_that_trades_seldom_holes_are_not_told():
    # Four holes in sixty bars are more than one of twenty, and three are not.
    assert lacks(run(64, 4, 20, 30, 40), 10) is None
    assert lacks(run(63, 4, 20, 30), 10) == "gaps"


def test_a_minute_without_a_trade_is_not_told_and_two_are():
    def minutes(*missing):
        back = np.setdiff1d(np.arange(60), missing)[::-1]
        labels = np.datetime64("2024-03-08T20:59") - back * np.timedelta64(1, "m")
        return lacks(bars(*labels, timeframe="1Min"), 40)

    assert minutes(7) is None
    assert minutes(7, 8) == "gaps"


def test_where_rows_were_left_out_any_hole_may_be_one_of_them():
    labels = "2024-03-08T20:40", "2024-03-08T20:50", "2024-03-08T20:55"
    assert lacks(bars(*labels)) is None
    assert lacks(bars(*labels, dropped=1)) == "gaps"
    assert lacks(bars(*labels, dropped=1, feed="iex")) is None


def test_the_newest_bar_that_others_have_by_now_is_told():
    # The bar after 14:55 is complete at 15:00 UTC.
    answer = run(5, newest="2024-03-08T14:50")
    for second, fault in ((15, None), (16, "behind")):
        assert lacks(answer, now=at(f"2024-03-08T15:00:{second}")) == fault
    source = able(delay=timedelta(minutes=1))
    request = BarsRequest("SPY", "5Min")
    assert lack(source, request, answer, at("2024-03-08T15:01:15")) is None
    assert "the bar that was complete at 2024-03-08 15:00 UTC" in str(
        lack(source, request, answer, at("2024-03-08T15:01:16"))
    )


def test_an_old_answer_that_one_hole_excuses_is_told():
    # It ends at 18:55 UTC after a hole of two hours, and now it is 20:55.
    hole = run(53, *range(12, 36), newest="2024-03-08T18:50")
    assert objection(SOURCE, BarsRequest("SPY", "5Min"), hole, at("2024-03-08T20:55")) is None
    assert lacks(hole, now=at("2024-03-08T20:55")) == "stale"


def leaping():
    high = np.ones(5)
    high[2] = 3.0
    return run(5)._replace(high=high)


def test_a_price_that_leaps_is_told_unless_it_was_told_before():
    answer, request = leaping(), BarsRequest("SPY", "5Min")
    told = doubt(SOURCE, request, answer)
    assert told.fault == "spike"
    assert "got 1 to 1, at most 3, at least 1 after 1 at 2024-03-08 20:45 UTC" in str(told)
    assert doubt(SOURCE, request, answer, Known("a", answer, NOW)) is None
    assert doubt(SOURCE, request, answer, Known("a", run(5), NOW)) is not None


def test_labels_that_are_shifted_are_refused_on_a_tape_that_skips_no_bars():
    first, second = (np.datetime64(f"2024-03-0{day}T15:30") for day in "78")
    steps = np.arange(78) * np.timedelta64(5, "m")
    request, now = BarsRequest("SPY", "5Min"), at("2024-03-08T22:00")
    late = bars(*first + steps, *second + steps)
    wrong = objection(SOURCE, request, late, now)
    assert wrong.fault == "bad_data"
    assert "labels the bars of SPY too late" in str(wrong)
    assert "got labels that are shifted by 60 minutes" in str(wrong)
    assert objection(SOURCE, request, late._replace(feed="iex"), now) is None


def test_a_day_at_a_weekend_is_refused():
    answer = days("2024-02-29", "2024-03-01", "2024-03-02", "2024-03-04")
    wrong = objection(SOURCE, BarsRequest("SPY", "1Day"), answer, at("2024-03-05T15:00"))
    assert "labels 1 of 4 bars of SPY by odd times: expected 1Day bars that begin on its days" in (
        str(wrong)
    )


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
