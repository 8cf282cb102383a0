from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import Regime, UsageError
from tradekit.regime._policy import adjusted, default_strategies

GUIDE = {
    "position_size": 1.0,
    "risk_tolerance": 1.0,
    "min_confidence": 0.75,
    "stop_loss_multiplier": 1.0,
}


def answer(params: dict, regime: Regime | None = Regime.BULL, *, warm: bool = True, **edits):
    strategies = default_strategies()
    if regime:
        strategies[regime].update(edits)
    return adjusted(params, strategies, regime, warm=warm)


def test_a_bull_market_leaves_the_callers_figures_as_they_are():
    assert answer(GUIDE) == {**GUIDE, "min_confidence": 75.0, "position_size_multiplier": 1.0}


def test_a_bear_market_asks_for_more_and_risks_less():
    assert answer(GUIDE, Regime.BEAR) == {
        "position_size": 1.0,  # the multiplier stands beside it
        "position_size_multiplier": 0.25,
        "stop_loss_multiplier": 1.9,
        "risk_tolerance": 0.25,
        "min_confidence": 97.5,  # 75 * 0.65 / 0.50, exactly: a signal of 97.5 reaches it
    }


@pytest.mark.parametrize(("regime", "threshold"), [("sideways", 60), ("volatile", 60)])
def test_without_a_figure_the_threshold_itself_is_answered(regime: str, threshold: float):
    assert answer({}, Regime(regime))["min_confidence"] == pytest.approx(threshold)


def test_what_the_caller_handed_in_stays_as_it_was():
    params = dict(GUIDE, min_edge=5, note="mine")
    before = dict(params)
    said = answer(params, Regime.BEAR)
    assert params == before
    assert (said["min_edge"], said["note"]) == (5, "mine")


@given(
    base=st.floats(0.0, 100.0),
    regime=st.sampled_from(Regime),
    warm=st.booleans(),
    factor=st.floats(0.0, 1.0),
)
def test_a_lowered_threshold_lowers_the_answer_in_proportion(base, regime, warm, factor):
    params = {"min_confidence": base}
    usual = default_strategies()[regime]["confidence_threshold"]
    before = answer(params, regime, warm=warm)["min_confidence"]
    after = answer(params, regime, warm=warm, confidence_threshold=usual * factor)
    assert after["min_confidence"] == pytest.approx(before * factor, abs=1e-8)
    assert 0 <= before <= 100


def test_the_answer_never_exceeds_a_hundred():
    assert answer({"min_confidence": 95}, Regime.BEAR)["min_confidence"] == 100
    assert answer(GUIDE, confidence_threshold=1.0)["min_confidence"] == 100


def test_a_fraction_and_a_percentage_are_the_same():
    assert answer({"min_confidence": 0.6}) == answer({"min_confidence": 60})


@pytest.mark.parametrize("regime", [None, *Regime])
def test_what_is_not_known_well_counts_as_the_most_cautious(regime: Regime | None):
    cautious = answer(GUIDE, Regime.BEAR)
    assert answer(GUIDE, regime, warm=False) == pytest.approx(cautious)


def test_the_most_cautious_row_is_the_one_with_the_smallest_position():
    strategies = default_strategies()
    strategies[Regime.SIDEWAYS]["position_size_multiplier"] = 0.1
    assert adjusted(GUIDE, strategies, None, warm=False)["position_size_multiplier"] == 0.1


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_confidence": 100.5},
        {"min_confidence": -0.1},
        {"min_confidence": float("nan")},
        {"min_confidence": "0.7"},
        {"stop_loss_multiplier": float("inf")},
        {"risk_tolerance": True},
    ],
)
def test_a_parameter_out_of_range_is_refused(wrong: dict):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        answer(wrong)


@pytest.mark.parametrize(
    "wrong", [{"confidence_threshold": 1.1}, {"position_size_multiplier": float("nan")}]
)
def test_a_row_out_of_range_is_refused(wrong: dict):
    with pytest.raises(UsageError, match=rf"\['bull'\]\['{next(iter(wrong))}'\]"):
        answer(GUIDE, **wrong)


def test_rows_are_found_by_their_plain_names_too():
    strategies = default_strategies()
    strategies["bull"]["position_size_multiplier"] = 0.9
    said = adjusted({}, strategies, Regime.BULL, warm=True)
    assert said == {
        "min_confidence": 50.0,
        "position_size_multiplier": 0.9,
        "stop_loss_multiplier": 1.0,
    }


def test_a_row_that_lacks_a_figure_is_refused():
    strategies = default_strategies()
    del strategies[Regime.BULL]["stop_loss_multiplier"]
    with pytest.raises(UsageError, match="stop_loss_multiplier"):
        adjusted(GUIDE, strategies, Regime.BULL, warm=True)


def test_parameters_have_names():
    with pytest.raises(UsageError, match="names"):
        answer([1, 2])
