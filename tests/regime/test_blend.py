from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tradekit import Regime, RegimeAnalysis, UsageError
from tradekit.regime import TrendVolRegimeModel
from tradekit.regime._blend import Blend, speakers, weights_for
from tradekit.regime._course import Course

DAY = datetime(2024, 3, 8, 21, tzinfo=UTC)
CALM = TrendVolRegimeModel(persistence=0)


def said(bull: float, *, days: int = 0, **facts: object) -> RegimeAnalysis:
    regime = "bull" if bull > 0.5 else "bear"
    time = DAY + timedelta(days=days)
    return RegimeAnalysis(time, regime, {"bull": bull, "bear": 1 - bull}, time, "M/1", **facts)


def blend(**weights: float) -> Blend:
    return Blend(CALM, weights, timedelta(days=5))


def test_the_first_asset_has_two_thirds_and_the_others_share_the_rest():
    assert weights_for(("SPY", "QQQ", "IWM"), None) == {
        "SPY": 0.67,
        "QQQ": pytest.approx(0.165),
        "IWM": pytest.approx(0.165),
    }


@pytest.mark.parametrize("weights", [{"SPY": 1}, {"SPY": 1, "QQQ": 0}, {"SPY": 1, "QQQ": "1"}])
def test_every_asset_needs_a_weight_above_zero(weights: dict):
    with pytest.raises(UsageError, match="QQQ needs a weight"):
        weights_for(("SPY", "QQQ"), weights)


def test_probabilities_are_averaged_by_weight():
    shares = blend(SPY=3, QQQ=1).shares({"SPY": said(0.8), "QQQ": said(0.4)})
    assert shares[Regime.BULL] == pytest.approx(0.75 * 0.8 + 0.25 * 0.4)


def test_the_weight_of_the_silent_is_shared_out():
    shares = blend(SPY=0.6, QQQ=0.3, IWM=0.1).shares({"QQQ": said(0.8), "IWM": said(0.4)})
    assert shares[Regime.BULL] == pytest.approx(0.75 * 0.8 + 0.25 * 0.4)


def test_the_warm_speak_for_those_that_are_not():
    warm, cold = said(0.8), said(0.4, warmup=True)
    assert speakers({"SPY": cold, "QQQ": warm}) == {"QQQ": warm}
    assert speakers({"SPY": cold}) == {"SPY": cold}


def test_a_word_counts_while_it_is_not_too_old():
    words = {"SPY": said(0.8, days=6), "QQQ": said(0.4, days=1), "IWM": said(0.4)}
    assert list(blend(SPY=1, QQQ=1, IWM=1).current(words, words["SPY"].time)) == ["SPY", "QQQ"]


def test_bars_are_taken_in_order_of_time_and_each_step_once():
    first = {"SPY": (said(0.9), said(0.9, days=1)), "QQQ": (said(0.9),)}
    both = blend(SPY=1, QQQ=1)
    course, words = both.fold(Course(), {}, first)
    assert (course.time, sum(course.bars)) == (DAY + timedelta(days=1), 2)
    late, words = both.fold(course, words, {"QQQ": (said(0.1, days=1),)})
    assert late == course  # the step was taken without it
    assert both.analysis(late, words).probabilities[Regime.BULL] == pytest.approx(0.5)


def test_the_analysis_tells_how_many_agree():
    words = {
        "SPY": said(0.9, key_indicators={"distance_to_mean_percent": 4.0, "drawdown_percent": 0.0}),
        "QQQ": said(0.2, key_indicators={"distance_to_mean_percent": -1.0}),
        "IWM": said(0.9),
    }
    course, _ = blend(SPY=1, QQQ=1, IWM=1).fold(Course(), {}, {n: (w,) for n, w in words.items()})
    analysis = blend(SPY=1, QQQ=1, IWM=1).analysis(course, words)
    assert analysis.per_asset == {"SPY": "bull", "QQQ": "bear", "IWM": "bull"}
    assert analysis.key_indicators == {
        "distance_to_mean_percent": 4.0,
        "drawdown_percent": 0.0,
        "breadth": 0.5,  # of the two that know their mean
        "disagreement": pytest.approx(1 / 3),
    }
