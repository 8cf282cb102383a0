from __future__ import annotations

from tradekit import NoDataError, SourceError
from tradekit.data._heard import Heard, nobody

OLD, DOWN = SourceError("old", fault="stale"), SourceError("gone")


def test_what_is_bad_is_a_sources_own_fault_or_proven_by_others():
    assert Heard(errors=[NoDataError("who?"), OLD]).bad == []
    assert Heard(errors=[DOWN, OLD]).bad == [DOWN]
    assert Heard(errors=[OLD], proven=[OLD]).bad == [OLD]


def test_old_answers_of_nobodys_fault_are_one():
    assert Heard(errors=[OLD] * 6).old == [OLD]
    assert Heard(served={"SPY"}, errors=[OLD]).old == []
    assert Heard(errors=[OLD], proven=[OLD]).old == []


def test_asking_again_may_help_where_it_may_help_with_one_source():
    for_ever, passing = NoDataError("unknown"), SourceError("gone")
    assert not nobody("has it", {"a": for_ever}).retryable
    assert nobody("has it", {"a": for_ever, "b": passing}).retryable
    assert "got no source" in str(nobody("has it", {}))


def test_who_could_not_look_has_not_seen_nothing():
    unable = SourceError("never serves that", retryable=False)
    for causes, fault in (
        ({"a": NoDataError("nothing"), "b": unable}, "no_data"),
        ({"a": NoDataError("nothing"), "b": SourceError("gone")}, "transient"),
        ({"a": unable}, "unable"),
        ({"a": NoDataError("who?", fault="unknown_symbol"), "b": unable}, "unknown_symbol"),
        ({}, "no_data"),
    ):
        assert nobody("has it", causes).fault == fault
