from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime

import pytest

from tradekit._core import errors
from tradekit._core.errors import (
    ContractError,
    CredentialsError,
    NoDataError,
    PluginError,
    RateLimitError,
    SinkError,
    SourceError,
    TradekitError,
    UsageError,
)
from tradekit._core.event import AlertRaised

KINDS = [kind for name, kind in vars(errors).items() if name.endswith("Error")]
SOURCES = [SourceError, NoDataError, RateLimitError, CredentialsError]


def test_the_sentence_has_problem_facts_and_what_to_try():
    error = TradekitError("no such dial", expected="1 to 11", got="12", hint="turn it down")
    assert str(error) == "no such dial: expected 1 to 11, got 12. Try: turn it down"


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({}, "gone"),
        ({"got": 0}, "gone: got 0"),
        ({"expected": "more"}, "gone: expected more"),
        ({"hint": "look again"}, "gone. Try: look again"),
    ],
)
def test_parts_that_are_not_given_leave_no_trace(parts, sentence):
    assert str(TradekitError("gone", **parts)) == sentence


def test_an_error_carries_its_objects():
    error = UsageError("impossible bar", symbol="SPY", row=7, value=None)
    assert (error.symbol, error.row, error.value) == ("SPY", 7, None)
    assert error.context == {"symbol": "SPY", "row": 7, "value": None}


def test_what_an_error_does_not_carry_is_an_attribute_error_that_says_so():
    with pytest.raises(AttributeError, match="'SinkError' carries no 'events'"):
        _ = SinkError("lost").events
    assert not hasattr(TradekitError("gone"), "__wrapped__")


def test_errors_sort_by_who_must_act():
    parents = {
        UsageError: (TradekitError, ValueError),
        ContractError: (TradekitError, TypeError),
        SourceError: (TradekitError,),
        NoDataError: (SourceError,),
        RateLimitError: (SourceError,),
        CredentialsError: (SourceError,),
        SinkError: (TradekitError,),
        PluginError: (TradekitError,),
        TradekitError: (Exception,),
    }
    assert {kind: kind.__bases__ for kind in KINDS} == parents


@pytest.mark.parametrize(
    ("kind", "builtin"), [(UsageError, ValueError), (ContractError, TypeError)]
)
def test_errors_of_the_caller_are_caught_as_the_builtin_ones_too(kind, builtin):
    with pytest.raises(builtin):
        raise kind("wrong")


@pytest.mark.parametrize(
    ("kind", "may_pass"),
    [(SourceError, True), (RateLimitError, True), (NoDataError, False), (CredentialsError, False)],
)
def test_a_source_error_says_whether_asking_again_may_help(kind, may_pass):
    assert kind("gone").retryable is may_pass
    assert kind("gone", retryable=not may_pass).retryable is not may_pass


def test_a_rate_limit_carries_how_long_to_wait():
    assert RateLimitError("slow down", retry_after=2.5).retry_after == 2.5
    assert RateLimitError("slow down", retry_after=0).retry_after == 0
    assert RateLimitError("slow down").retry_after is None


@pytest.mark.parametrize("told", [float("inf"), float("nan"), -5, "7", True, 10**400])
def test_a_wait_that_is_none_does_not_hide_the_rate_limit(told):
    error = RateLimitError("slow down", retry_after=told, source="alpaca")
    assert (error.retry_after, error.fault, error.source) == (None, "rate_limit", "alpaca")
    assert error.__notes__ == [f"retry_after={told!r} is no number of seconds to wait"]
    assert not hasattr(RateLimitError("slow down", retry_after=7), "__notes__")


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
@pytest.mark.parametrize("kind", KINDS)
def test_every_error_survives_copying_and_processes(kind, again):
    error = kind("gone", expected="1", got=2, hint="wait", symbol="SPY", at=1.5)
    twin = again(error)
    assert type(twin) is kind
    assert str(twin) == str(error)
    assert twin.context == error.context
    assert (twin.problem, twin.expected, twin.got, twin.hint) == ("gone", "1", 2, "wait")
    assert twin.symbol == "SPY"


@pytest.mark.parametrize("kind", SOURCES)
def test_whether_to_ask_again_survives_processes(kind):
    for retryable in (True, False):
        assert pickle.loads(pickle.dumps(kind("gone", retryable=retryable))).retryable is retryable
    assert pickle.loads(pickle.dumps(RateLimitError("slow", retry_after=2.5))).retry_after == 2.5


def test_the_events_that_were_not_kept_survive_processes():
    event = AlertRaised(datetime(2024, 3, 8, tzinfo=UTC), name="heat", message="too hot")
    assert pickle.loads(pickle.dumps(SinkError("lost", events=(event,)))).events == (event,)


def test_a_note_and_a_kind_of_your_own_survive_processes():
    error = pickle.loads(pickle.dumps(_noted(UnpluggedError("gone", socket=3))))
    assert (type(error), error.socket, error.__notes__) == (UnpluggedError, 3, ["at noon"])


def _noted(error):
    error.add_note("at noon")
    return error


class UnpluggedError(SourceError):
    pass


def test_the_page_draws_every_class_and_no_other():
    drawn = {word for word in errors.__doc__.split() if word.endswith("Error")}
    assert drawn == {kind.__name__ for kind in KINDS}


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (SourceError("down"), "transient"),
        (SourceError("no such bars", retryable=False), "unable"),
        (SourceError("nonsense", fault="bad_data"), "bad_data"),
        (NoDataError("nothing", retryable=True), "no_data"),
        (NoDataError("who", fault="unknown_symbol"), "unknown_symbol"),
        (RateLimitError("slower"), "rate_limit"),
        (CredentialsError("no"), "credentials"),
    ],
)
def test_every_failure_of_a_source_says_of_what_kind_it_is(error, fault):
    assert error.fault == fault
