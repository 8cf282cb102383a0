from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tradekit.journal import SetupDetected, SetupExecuted, SetupMissed, SetupResolved, TradeEntered
from tradekit.journal._setup import funnel, gather, percent, seen_between

NOON = datetime(2024, 3, 8, 16, 30, tzinfo=UTC)

ABOUT = {"symbol": "SPY", "signal_type": "gap"}


def detected(setup, time=NOON):
    return SetupDetected(time, setup=setup, direction="bullish", confidence=60.0, **ABOUT)


def executed(setup):
    return SetupExecuted(NOON, setup=setup, confidence=60.0, size=1.0, **ABOUT)


def missed(setup, code="regime", time=NOON, **more):
    return SetupMissed(time, setup=setup, code=code, reason=code, **ABOUT, **more)


def entered(setup):
    return TradeEntered(NOON, setup=setup, symbol="SPY", side="BUY", quantity=1.0)


def resolved(setup):
    prices = {"entry_price": 1.0, "exit_price": 2.0, "net_return": 1.0}
    return SetupResolved(NOON, setup=setup, symbol="SPY", exit="target", bars_held=1, **prices)


@pytest.mark.parametrize(
    ("events", "counted"),
    [
        ([detected("a")], "undecided"),
        ([detected("a"), executed("a")], "executed"),
        ([detected("a"), entered("a")], "executed"),
        ([detected("a"), entered("a"), executed("a")], "executed"),
        ([detected("a"), missed("a")], "missed"),
        ([detected("a"), missed("a"), executed("a")], "executed"),
        ([detected("a"), executed("a"), missed("a")], "executed"),
        ([missed("a", unlinked=True)], "missed"),
    ],
)
def test_a_setup_is_counted_once_as_what_became_of_it(events, counted):
    counts = funnel(gather(events).values())
    assert {word: counts[word] for word in ("executed", "missed", "undecided")} == (
        {"executed": 0, "missed": 0, "undecided": 0} | {counted: 1}
    )
    assert counts["unlinked"] == 1 - counts["detected"]


def test_a_failed_execution_is_an_attempt():
    counts = funnel(gather([missed("a", "execution_failed"), missed("b")]).values())
    assert (counts["missed"], counts["failed"]) == (2, 1)


def test_the_outcome_of_a_setup_that_is_not_known_opens_none():
    assert gather([resolved("gone")]) == {}
    assert gather([detected("a"), resolved("a")])["a"].resolved == resolved("a")


def test_a_setup_belongs_to_the_moment_at_which_it_was_first_seen():
    later = NOON + timedelta(hours=1)
    events = [
        *(detected("a"), detected("b", later), missed("a", time=later)),
        missed("unlinked", time=later, unlinked=True),
        missed("of an earlier setup", time=later),
    ]
    setups = gather(events).values()
    assert [setup.id for setup in seen_between(setups, NOON, NOON)] == ["a"]
    assert [setup.id for setup in seen_between(setups, later, later)] == ["b", "unlinked"]


def test_only_a_decision_that_opened_its_setup_is_unlinked():
    setups = gather([missed("a", unlinked=True), missed("b"), detected("c"), missed("c")])
    assert [setup.id for setup in setups.values() if setup.is_unlinked] == ["a"]


def test_a_share_of_nothing_is_zero():
    assert (percent(0, 0), percent(1, 4)) == (0.0, 25.0)
