from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest

from tradekit import (
    Capabilities,
    CredentialsError,
    NoDataError,
    RateLimitError,
    ReplayClock,
    SourceError,
)
from tradekit.data import MemorySource
from tradekit.data._health import HealthBook
from tradekit.data._heard import Heard, faults
from tradekit.data._settings import Settings

START = datetime(2024, 3, 8, 15, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DOWN = SourceError("gone")
LATE = SourceError("slow", fault="late")
TERMS = Settings()


class Story:
    """A book, its clock and the events that it tells."""

    def __init__(self, *names):
        self.clock, self.events = ReplayClock(START), []
        self.book = HealthBook(self.clock, self.events.append)
        self.book.enroll({name: MemorySource() for name in names})

    def after(self, seconds):
        self.clock.move_to(START + timedelta(seconds=seconds))
        return self

    def hear(self, name, *bad, good=0, times=1):
        for _ in range(times):
            said = Heard(served=set(map(str, range(good))), proven=list(bad))
            self.book.heard(name, said, TERMS)
        return self

    def admitted(self, *names, **how):
        return self.book.admitted(names, **how)

    def told(self):
        return [(event.source, event.status) for event in self.events]


@pytest.mark.parametrize(
    ("error", "alone", "beside"),
    [
        (DOWN, True, True),
        (RateLimitError("slow down"), True, True),
        (NoDataError("no such symbol"), False, False),
        (NoDataError("an empty answer", fault="empty"), False, False),
        (SourceError("old", fault="stale"), False, False),
        (SourceError("few", fault="short"), False, False),
    ],
)
def test_what_is_a_fault_alone_and_beside_good_answers(error, alone, beside):
    assert bool(faults([error], 0)) is alone
    assert bool(faults([error], 9)) is beside


def test_several_symbols_do_not_stop_trading_at_once():
    old = [SourceError("old", fault="stale", symbol=symbol) for symbol in "ABC"]
    assert faults(old[:2], 0) == faults([old[0]] * 6, 0) == faults(old, 1) == []
    assert faults(old, 0) == old


def test_five_errors_in_a_row_disable_a_source():
    story = Story("a", "b").hear("a", DOWN, times=4)
    assert story.admitted("a", "b") == ["a", "b"]
    assert story.hear("a", DOWN).admitted("a", "b") == ["b"]
    assert story.told() == [("a", "disabled")]
    assert str(story.book.barred("a")) == (
        "a is not asked: disabled until 2024-03-08 15:01:00 UTC: got gone."
        " Try: reset_data_source('a') when it works again"
    )


def test_an_answer_in_between_begins_the_count_anew():
    story = Story("a", "b").hear("a", DOWN, times=4).hear("a", good=1).hear("a", DOWN, times=4)
    assert story.admitted("a", "b") == ["a", "b"]


def test_an_unknown_symbol_neither_counts_nor_begins_the_count_anew():
    story = Story("a", "b").hear("a", DOWN, times=4).hear("a", times=9)
    assert story.admitted("a", "b") == ["a", "b"]
    assert story.hear("a", DOWN).admitted("a", "b") == ["b"]


def test_after_the_pause_one_call_tries_a_disabled_source():
    story = Story("a", "b").hear("a", DOWN, times=5)
    assert story.after(59).admitted("a", "b") == ["b"]
    assert story.after(60).admitted("a", "b") == ["a", "b"]
    assert story.book.claim("a")
    assert not story.book.claim("a")
    assert story.book.is_probed(["a"])
    story.book.release("a")
    assert story.book.claim("a")


def test_a_try_that_fails_disables_for_another_pause_twice_as_long():
    story = Story("a", "b").hear("a", DOWN, times=5).after(60).hear("a", DOWN)
    assert story.after(179).admitted("a", "b") == ["b"]
    assert story.after(180).admitted("a", "b") == ["a", "b"]
    assert story.told() == [("a", "disabled")]


def test_a_try_that_is_answered_restores_a_source():
    story = Story("a", "b").hear("a", DOWN, times=5).after(60).hear("a", good=1)
    assert story.told() == [("a", "disabled"), ("a", "restored")]
    assert story.hear("a", DOWN, times=4).admitted("a", "b") == ["a", "b"]


def test_where_all_are_disabled_nobody_is_asked_before_a_pause_is_over():
    story = Story("a", "b").hear("b", DOWN, times=5).after(10).hear("a", DOWN, times=5)
    assert story.after(59).admitted("a", "b") == []
    assert story.after(60).admitted("a", "b") == ["b"]


def test_disabled_sources_are_the_last_resort_of_who_has_others_to_ask():
    story = Story("a", "b", "c", "d").hear("b", DOWN, times=5).after(1).hear("a", DOWN, times=5)
    story.hear("d", CredentialsError("wrong key"))  # which no try changes
    assert story.admitted("a", "b", "c", "d", last_resort=True) == ["c", "b", "a"]
    assert story.admitted("a", "b", "c", "d") == ["c"]


def test_where_all_are_disabled_each_is_tried_a_pause_after_its_last_try():
    story = Story("a", "b")
    for seconds in (0, 60, 180, 420):  # pauses of one, two and four minutes, and now of eight
        story.after(seconds).hear("a", DOWN, times=5)
    story.after(450).hear("b", DOWN, times=5)
    assert story.after(479).admitted("a", "b") == []
    assert story.after(480).admitted("a", "b") == ["a"]
    story.hear("a", DOWN)
    assert story.after(509).admitted("a", "b") == []
    assert story.after(511).admitted("a", "b") == ["b"]
    assert story.after(570).hear("b", good=1).admitted("a", "b") == ["b"]  # which is enough


def test_refused_keys_disable_at_once_and_until_a_reset():
    story = Story("a", "b").hear("a", CredentialsError("wrong key"))
    assert story.after(9999).admitted("a", "b") == ["b"]
    assert story.admitted("a") == []
    assert "refused until reset: got wrong key" in str(story.book.barred("a"))
    story.book.reset("a")
    assert story.admitted("a", "b") == ["a", "b"]
    assert story.told() == [("a", "disabled"), ("a", "restored")]


def test_a_source_that_asks_for_rest_is_not_asked_before():
    story = Story("a").hear("a", RateLimitError("slow down", retry_after=30.0))
    assert story.admitted("a") == []
    assert story.after(29).admitted("a") == []
    assert story.after(30).admitted("a") == ["a"]


def test_an_answer_that_was_on_its_way_does_not_end_the_rest():
    story = Story("a").hear("a", RateLimitError("slow down", retry_after=30.0)).hear("a", good=1)
    assert story.admitted("a") == []


def test_a_source_that_does_not_say_how_long_rests_for_the_pause():
    story = Story("a").hear("a", RateLimitError("slow down"))
    assert story.after(59).admitted("a") == []
    assert story.after(60).admitted("a") == ["a"]


def test_the_score_is_the_mean_share_of_good_answers_and_nothing_for_who_is_not_asked():
    assert HealthBook(ReplayClock(START), None).score() == 100
    story = Story("a", "b")
    assert story.book.score() == 100
    # a: 3 of 4, then 1 of 1: (0.75 + 1) / 2 = 87.5 %; b: never asked.
    story.hear("a", DOWN, good=3).hear("a", good=1)
    assert story.book.score() == (87.5 + 100) / 2
    assert story.hear("b", DOWN, times=5).book.score() == 87.5 / 2


def test_where_no_source_is_present_the_score_is_zero():
    assert Story().book.score() == 0


def test_a_standing_is_plain_data():
    story = Story("a").hear("a", DOWN, times=5)
    assert story.book.standings() == {
        "a": {
            "status": "disabled",
            "score": 0.0,
            "errors": 5,
            "until": "2024-03-08T15:01:00+00:00",
            "reason": "gone",
            "reasons": ["gone", "100% of its last answers were not sound"],
            "quarantined_until": None,
            "success": 0.0,
            "latency": 1.0,
            "freshness": 1.0,
            "agreement": 1.0,
            "seconds": {"p50": None, "p95": None},
            "budget": {"left": None, "wait_seconds": 0.0},
        }
    }


def test_a_source_that_fails_says_why_before_it_is_disabled():
    story = Story("a").hear("a", DOWN)
    standing = story.book.standings()["a"]
    assert (standing["status"], standing["errors"], standing["reason"]) == ("ok", 1, "gone")
    assert story.hear("a", DOWN, good=3).book.standings()["a"]["reason"] == "gone"
    assert story.hear("a", good=1).book.standings()["a"]["reason"] is None


def test_a_source_in_quarantine_is_asked_last_for_a_while():
    story = Story("a", "b")
    story.book.quarantine("a", MINUTE, "the odd one out")
    assert story.admitted("a", "b") == ["b", "a"]
    assert story.book.is_quarantined("a")
    assert story.told() == [("a", "quarantined")]
    assert story.after(60).admitted("a", "b") == ["a", "b"]
    story.book.quarantine("a", None, "again")
    assert story.after(9e7).admitted("a", "b") == ["b", "a"]
    story.book.reset("a")
    assert story.admitted("a", "b") == ["a", "b"]


def test_a_quarantine_is_told_once_with_its_reason_and_so_is_the_reset_that_ends_it():
    story = Story("a")
    for symbol in ("SPY", "QQQ"):
        story.book.quarantine("a", MINUTE, f"its prices of {symbol} differ")
    assert story.told() == [("a", "quarantined")]
    standing = story.book.standings()["a"]
    assert (standing["status"], standing["reason"]) == ("ok", "its prices of QQQ differ")
    story.book.reset("a")
    assert story.told()[1:] == [("a", "restored")]
    story.book.quarantine("a", MINUTE, "again")
    assert story.after(60).book.standings()["a"]["reason"] is None


def test_one_late_call_of_a_source_may_go_on_at_a_time():
    book = Story("a", "b").book
    assert book.may_straggle("a", 60)
    assert not book.may_straggle("a", 60)
    assert book.may_straggle("b", -1)
    assert book.may_straggle("b", 60)  # the one before has ended, though nobody told
    book.straggled("a", 1, None)
    assert book.may_straggle("a", 60)


def test_who_was_disabled_for_being_late_is_restored_when_its_answer_comes():
    story = Story("a", "b").hear("a", SourceError("slow", fault="late"), times=5)
    story.book.straggled("a", 1, None)
    assert story.admitted("a", "b") == ["b"]
    story.book.straggled("a", 1, 0.3)
    assert story.admitted("a", "b") == ["a", "b"]
    assert story.told() == [("a", "disabled"), ("a", "restored")]
    assert story.events[-1].reason == "it answered after 0.30 s"
    assert story.book.standings()["a"]["errors"] == 0


def test_a_clock_that_goes_back_ends_what_was_to_last_until_some_moment():
    story = Story("a", "b", "c", "d").after(3600)
    story.hear("a", DOWN, times=5).hear("b", RateLimitError("slower", retry_after=900.0))
    story.hear("c", CredentialsError("wrong key"))
    story.book.quarantine("d", MINUTE, "the odd one out")
    story.book._clock = ReplayClock(START + timedelta(seconds=3541))
    assert story.admitted("a", "b", "c", "d") == ["d"]  # threads come in whatever order
    story.book._clock = ReplayClock(START + timedelta(seconds=3539))
    assert story.admitted("a", "b", "c", "d") == ["a", "b", "d"]
    assert not story.book.is_quarantined("d")
    assert story.told()[-2:] == [("a", "restored"), ("b", "restored")]
    assert story.events[-1].reason == "the clock went back"
    # What is disabled in the new time lasts as long there.
    assert story.hear("a", DOWN, times=5).admitted("a", "b") == ["b"]
    story.book._clock = ReplayClock(START + timedelta(seconds=3539 + 60))
    assert story.admitted("a", "b") == ["a", "b"]


def test_a_quarantine_until_a_reset_outlasts_a_clock_that_goes_back():
    story = Story("a", "b").after(3600)
    story.book.quarantine("a", None, "the odd one out")
    story.book._clock = ReplayClock(START)
    assert story.book.is_quarantined("a")


def test_a_reset_leaves_what_a_call_is_good_for_as_it_was():
    class Many(MemorySource):
        batch = True
        capabilities = Capabilities(calls_per_minute=4, symbols_per_call=100)

    story = Story("b")
    story.book.enroll({"a": Many()})
    story.book.reset("a")
    assert story.book.room("a") == 400


def test_another_source_that_answers_is_told_and_so_is_the_way_back():
    story = Story("a", "b")
    story.book.answered("a", {})
    story.book.answered("b", {"a": "gone"})
    story.book.answered("b", {"a": "gone"})
    story.book.answered("a", {})
    assert [(e.source, e.status, e.reason) for e in story.events] == [
        ("b", "answering", "instead of a: gone"),
        ("a", "answering", "it answers again"),
    ]
    assert story.events[0].time == START


def test_a_symbol_that_only_the_second_source_knows_is_no_failover():
    story = Story("a", "b")
    story.book.answered("b", {})
    assert story.events == []


def test_a_listener_that_fails_stops_nothing(caplog):
    def fail(event):
        raise ZeroDivisionError

    book = HealthBook(ReplayClock(START), fail)
    book.enroll({"a": MemorySource()})
    with caplog.at_level(logging.WARNING, logger="tradekit.data"):
        book.heard("a", Heard(errors=[CredentialsError("wrong key")]), TERMS)
    assert book.standings()["a"]["status"] == "refused"
    assert [record.exc_info is not None for record in caplog.records] == [False, True]


def test_a_source_whose_budget_is_used_is_passed_over_until_there_is_more():
    class Counted(MemorySource):
        capabilities = Capabilities(calls_per_minute=4)

    story = Story("b")
    story.book.enroll({"a": Counted(), "b": MemorySource()})
    for _ in range(2):
        assert story.book.spare("a")
        story.book.asked("a")
    story.book.asked("a")
    assert not story.book.spare("a")  # less than half is left
    assert story.book.may_again("a")
    story.book.asked("a")
    assert story.admitted("a", "b") == ["b"]
    assert not story.book.may_again("a")
    error = story.book.barred("a")
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 60
    assert story.after(60).admitted("a", "b") == ["a", "b"]


def told_of(symbols, *, served=(), bad=DOWN):
    errors = [] if set(symbols) == set(served) else [bad]
    return Heard(asked=set(symbols), served=set(served), errors=errors)


def test_what_fails_of_the_same_symbols_alone_is_theirs_while_others_are_answered():
    book = Story("a").book
    book.heard("a", told_of("ABC", served="AB"), TERMS)
    for _ in range(9):  # of A and B the bars of this hour are known by now
        book.heard("a", told_of("C"), TERMS)
    assert (book.standings()["a"]["status"], book.standings()["a"]["errors"]) == ("ok", 0)
    book.heard("a", told_of("CA"), TERMS)
    for _ in range(4):  # and the line is dead
        book.heard("a", told_of("C", bad=LATE), TERMS)
    assert book.standings()["a"]["status"] == "disabled"


def test_what_fails_of_one_symbol_counts_where_no_other_was_answered_lately():
    story = Story("a")
    story.book.heard("a", told_of("AB", served="B"), TERMS)
    story.after(301)  # seconds: longer than answers are kept
    for _ in range(5):
        story.book.heard("a", told_of("A"), TERMS)
    assert story.book.standings()["a"]["status"] == "disabled"


def test_a_wish_for_rest_is_heeded_before_the_question_is_answered():
    story = Story("a")
    story.book.heed("a", [DOWN], MINUTE)
    assert story.book.may_again("a")
    story.book.heed("a", [RateLimitError("slower", retry_after=9.0)], MINUTE)
    assert not story.book.may_again("a")
    assert story.told() == [("a", "disabled")]


def test_the_end_of_a_quarantine_is_told():
    story = Story("a")
    story.book.quarantine("a", MINUTE, "the odd one out")
    story.after(60).admitted("a")
    story.admitted("a")
    assert story.told() == [("a", "quarantined"), ("a", "restored")]
    assert story.book.standings()["a"]["quarantined_until"] is None
