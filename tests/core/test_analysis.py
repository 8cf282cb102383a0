from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from tradekit._core.analysis import Regime, RegimeAnalysis, are_shares, by_regime
from tradekit._core.errors import UsageError

CLOSE = datetime(2024, 3, 8, 21, tzinfo=UTC)
FACTS = {
    "time": CLOSE,
    "regime": "bull",
    "probabilities": {"bull": 0.6, "bear": 0.1, "volatile": 0.3},
    "since": CLOSE - timedelta(days=7),
    "model": "TrendVol/1",
}


def analysis(**changes):
    return RegimeAnalysis(**FACTS | changes)


def test_an_analysis_says_all_that_the_guide_reads():
    said = analysis(key_indicators={"drawdown": -0.05}, warmup=True)
    assert said.regime is Regime.BULL
    assert said.confidence == pytest.approx(60)
    assert said.probabilities == {"bull": 0.6, "bear": 0.1, "sideways": 0.0, "volatile": 0.3}
    assert said.axes == pytest.approx({"trend": 0.5, "volatility": 0.3})
    assert (said.pending, said.per_asset, said.warmup) == (None, {}, True)


def test_confidence_is_that_of_the_regime_that_is_held_and_not_of_the_likeliest():
    assert analysis(regime="bear").confidence == pytest.approx(10)


def test_the_axes_go_from_bear_to_bull_and_from_calm_to_wild():
    assert analysis(probabilities={"bear": 1.0}).axes == {"trend": -1.0, "volatility": 0.0}
    assert analysis(probabilities={"volatile": 1.0}).axes == {"trend": 0.0, "volatility": 1.0}
    assert analysis(probabilities={"sideways": 1.0}).axes == {"trend": 0.0, "volatility": 0.0}


def test_every_regime_has_a_probability_in_one_order():
    assert list(by_regime({"volatile": 1})) == list(Regime)
    assert all(type(share) is float for share in by_regime({"volatile": 1}).values())


@pytest.mark.parametrize(
    ("shares", "good"),
    [
        ((0.25, 0.25, 0.25, 0.25), True),
        ((1, 0, 0, 0), True),
        ((0.5, 0.5 + 9e-7, 0, 0), True),
        ((0.5, 0.5 + 2e-6, 0, 0), False),
        ((0.5, 0.5 - 2e-6, 0, 0), False),
        ((0.5, 0.6, 0, 0), False),
        ((1.5, -0.5, 0, 0), False),
        ((0, 0, 0, 0), False),
        ((float("nan"), 1, 0, 0), False),
        ((float("inf"), 0, 0, 0), False),
    ],
)
def test_shares_add_up_to_one(shares, good):
    probabilities = dict(zip(Regime, shares, strict=True))
    assert are_shares(probabilities) is good
    if not good:
        with pytest.raises(UsageError, match="TrendVol/1 gives no probabilities: expected four"):
            analysis(probabilities=probabilities)


@pytest.mark.parametrize("change", [{"regime": "crab"}, {"probabilities": {"crab": 1.0}}])
def test_an_unknown_regime_is_refused(change):
    with pytest.raises(UsageError, match="no such Regime: expected 'bull' or 'bear' or 'sideways'"):
        analysis(**change)


def test_a_regime_is_held_since_now_at_the_latest():
    assert analysis(since=CLOSE).since == CLOSE
    with pytest.raises(UsageError, match="a regime from the future: expected since by 2024-03-08"):
        analysis(since=CLOSE + timedelta(microseconds=1))


@pytest.mark.parametrize("name", ["time", "since"])
def test_times_have_a_zone_and_are_kept_in_utc(name):
    zoned = datetime.fromisoformat("2024-03-08T16:00-05:00")
    assert str(getattr(analysis(**{name: zoned}), name)) == "2024-03-08 21:00:00+00:00"
    with pytest.raises(UsageError, match="a time needs a zone"):
        analysis(**{name: datetime(2024, 3, 8)})  # noqa: DTZ001


def test_an_analysis_is_a_copy_that_does_not_change():
    mine = {"drawdown": -0.05}, {"SPY": "bull"}
    said = analysis(key_indicators=mine[0], per_asset=mine[1])
    mine[0].clear(), mine[1].clear()
    assert (said.key_indicators, said.per_asset) == ({"drawdown": -0.05}, {"SPY": "bull"})
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        said.regime = Regime.BEAR


def test_what_is_seldom_said_is_given_by_name():
    with pytest.raises(TypeError, match="positional"):
        RegimeAnalysis(*FACTS.values(), {})
    assert not analysis().warmup
