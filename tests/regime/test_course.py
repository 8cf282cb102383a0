from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tradekit import Regime
from tradekit.regime._course import Course

FIRST = datetime(2023, 1, 2, 21, tzinfo=UTC)


def shares(regime: str) -> dict[Regime, float]:
    return {each: 0.97 if each == regime else 0.01 for each in Regime}


def travelled(*regimes: str, persistence: float = 0.0) -> Course:
    course = Course()
    for day, regime in enumerate(regimes):
        course = course.advance(FIRST + timedelta(days=day), shares(regime), persistence)
    return course


def test_before_the_first_bar_nothing_is_known():
    statistics = Course().statistics()
    assert statistics["current_regime"] == "unknown"
    assert statistics["current_regime_duration_days"] == 0
    assert statistics["total_regime_changes"] == 0


def test_statistics_count_what_a_reader_counts():
    said = travelled("bull", "bull", "bear", "bull", "bull", "bull", "bear", "bear").statistics()
    assert said["current_regime"] == "bear"
    assert said["current_regime_duration_days"] == 1  # from the 8th to the 9th
    assert said["total_regime_changes"] == 3
    assert said["transitions"] == {"bear -> bull": 1, "bull -> bear": 2}
    assert said["occupancy"] == {"bull": 5 / 8, "bear": 3 / 8, "sideways": 0, "volatile": 0}
    assert said["mean_spell_bars"] == {"bull": 2.5, "bear": 1.5}
    assert json.loads(json.dumps(said)) == said


def test_only_the_changes_of_the_last_year_are_recent():
    course = travelled("bull", "bear", "bull")
    later = course.advance(FIRST + timedelta(days=366), shares("bull"), 0)
    assert (later.statistics()["changes_last_year"], len(later.changes)) == (1, 2)


def test_a_change_tells_when_and_from_what_to_what():
    (change,) = travelled("bull", "volatile").changes
    assert (change.time, change.previous, change.regime) == (
        FIRST + timedelta(days=1),
        "bull",
        "volatile",
    )


def test_no_more_than_a_thousand_changes_are_kept_and_all_are_counted():
    course = travelled(*["bull", "bear"] * 600)
    assert (len(course.changes), course.statistics()["total_regime_changes"]) == (1000, 1199)


def test_another_regime_must_outweigh_the_persistence():
    # Each day adds log(.97 / .01) = 4.6 nats against the one that is held.
    assert travelled("bull", "bull", "bear", persistence=5.0).regime == "bull"
    assert travelled("bull", "bull", "bear", "bear", persistence=5.0).regime == "bear"


def test_a_change_that_is_coming_is_told():
    course = travelled("bull", "bear", persistence=5.0)
    pending = course.pending(shares("bear"), 5.0)
    # On the first day bear fell behind by 4.57 nats, on the second it caught up as much.
    assert pending == {"regime": "bear", "evidence": pytest.approx(5.0), "needed": 5.0}
    assert course.pending(shares("bull"), 5.0) is None
