from __future__ import annotations

import itertools
from collections import Counter
from statistics import mean

import numpy as np
import pytest

from tradekit import Bars, UsageError, plugins
from tradekit.data import FileSource, simulate_regimes
from tradekit.regime import TrendVolRegimeModel
from tradekit.testing import check_regime_model

WALK = 0.008 * np.random.default_rng(0).standard_normal(2000)


def regimes(bars: Bars, **parameters: float) -> list[str]:
    return [said.regime.value for said in TrendVolRegimeModel(**parameters).classify(bars)]


@pytest.mark.parametrize("check", check_regime_model(TrendVolRegimeModel()))
def test_it_keeps_what_the_interface_promises(check):
    check()


def test_it_is_found_by_its_name():
    assert plugins.load("regimes", "trend_vol") is TrendVolRegimeModel


def test_a_long_rise_is_bull_and_a_long_fall_is_bear(daily):
    rise, fall = np.cumsum(WALK[:500] + 0.001), np.cumsum(WALK[500:800] - 0.004)
    said = regimes(daily(np.exp(np.r_[rise, rise[-1] + fall])))
    assert (said[499], said[799]) == ("bull", "bear")


def test_a_range_without_new_highs_is_sideways(daily):
    # Up for two years, then four months within 2 % of a level: no downtrend, and no new high.
    rise = np.cumsum(WALK[:500] + 0.001)
    level = rise[-1] + 0.01 * np.sin(np.arange(85) / 5) - 0.01
    said = regimes(daily(np.exp(np.r_[rise, level])))
    assert said[499] == "bull"
    assert said[-1] == "sideways"


def test_wild_days_above_the_mean_are_volatile(daily):
    rise = np.cumsum(WALK[:600] + 0.003)
    wild = np.where(np.arange(30) % 2, 0.05, -0.045).cumsum()
    assert regimes(daily(np.exp(np.r_[rise, rise[-1] + wild])))[-1] == "volatile"


def test_bear_goes_before_volatile(daily):
    rise = np.cumsum(WALK[:600] + 0.001)
    crash = np.where(np.arange(40) % 2, 0.05, -0.07).cumsum()
    assert regimes(daily(np.exp(np.r_[rise, rise[-1] + crash])))[-1] == "bear"


def test_a_wider_band_changes_its_mind_less_often(daily):
    bars = daily(np.exp(np.cumsum(WALK)))
    flips = [
        sum(a != b for a, b in itertools.pairwise(said))
        for said in (regimes(bars, band=band, persistence=0) for band in (0.0, 0.35, 1.0))
    ]
    assert flips[0] > 1.5 * flips[1] >= flips[2]


def test_a_downtrend_begins_below_the_band_and_ends_above_it():
    model, turns = TrendVolRegimeModel(), []
    state = model._start()
    for bar in simulate_regimes(4, sessions=900).bars:
        before, (state, _) = state["down"], model._step(state, bar)
        sigmas = model._describe(state, bar).get("distance_to_mean_sigmas")
        if sigmas is not None and before != state["down"]:
            turns.append((state["down"], sigmas))
    assert {down for down, _ in turns} == {0, 1}
    assert all(sigmas < -0.35 if down else sigmas > 0.35 for down, sigmas in turns)


def test_volatility_becomes_high_at_one_percentile_and_calm_at_a_lower_one():
    model, turns = TrendVolRegimeModel(), []
    state = model._start()
    for bar in simulate_regimes(4, sessions=900).bars:
        before, (state, _) = state["high"], model._step(state, bar)
        if before != state["high"]:
            turns.append((state["high"], model._describe(state, bar)["volatility_percentile"]))
    assert {high for high, _ in turns} == {False, True}
    assert all(percentile > 80 if high else percentile < 65 for high, percentile in turns)


def test_noise_in_a_market_of_one_volatility_is_hardly_ever_volatile(daily):
    said = regimes(daily(np.exp(np.cumsum(WALK[:900] + 0.0005))))
    assert said.count("volatile") < 0.03 * 900


def test_the_first_bar_says_little_more_than_what_usually_holds(daily):
    (said,) = TrendVolRegimeModel().classify(daily([100.0]))
    assert said.warmup
    assert said.probabilities["bull"] == pytest.approx(0.42, abs=0.01)
    assert said.probabilities["volatile"] == pytest.approx(0.13, abs=0.01)


def test_it_is_warm_after_a_year(daily):
    said = TrendVolRegimeModel().classify(daily(np.exp(np.cumsum(WALK[:260]))))
    assert [row.warmup for row in said].index(False) == 251
    assert TrendVolRegimeModel(trend=300).lookback == 300


def test_it_is_never_certain(daily):
    said = TrendVolRegimeModel().classify(daily(np.exp(np.cumsum(WALK[:400] + 0.01))))
    # Four fifths of certainty, and a fifth of what is usual: 0.8 + 0.2 * 0.42.
    assert 70 < max(row.confidence for row in said) < 88.4


def test_what_it_looked_at_is_told_as_soon_as_it_is_known(daily):
    bars = daily(100 * 1.01 ** np.arange(260.0))
    said = TrendVolRegimeModel().classify(bars)
    names = [set(row.key_indicators) for row in said]
    assert names[0] == {"drawdown_percent"}
    first = {name: next(i for i, known in enumerate(names) if name in known) for name in names[-1]}
    assert first == {
        "drawdown_percent": 0,
        "volatility_percent": 21,
        "volatility_percentile": 21,
        "change_63_bars_percent": 63,
        "bars_since_high": 125,
        "distance_to_mean_percent": 199,
        "distance_to_mean_sigmas": 199,
    }
    assert said[-1].key_indicators["volatility_percent"] == pytest.approx(
        100 * np.log(1.01) * np.sqrt(252)
    )
    assert said[-1].key_indicators["change_63_bars_percent"] == pytest.approx(100 * (1.01**63 - 1))


def test_the_percentile_is_low_when_it_is_quieter_than_ever(daily):
    bars = daily(np.exp(np.cumsum(np.r_[WALK[:600], WALK[600:640] / 4])))
    assert TrendVolRegimeModel().classify(bars)[-1].key_indicators["volatility_percentile"] < 2


@pytest.mark.parametrize("factor", [100.0, 0.01])
def test_a_jump_by_a_factor_of_a_hundred_is_answered(daily, factor: float):
    closes = np.exp(np.cumsum(WALK[:400])) * np.where(np.arange(400) < 300, 1, factor)
    said = TrendVolRegimeModel().classify(daily(closes))
    assert said[320].regime == ("volatile" if factor > 1 else "bear")


@pytest.mark.parametrize(
    "wrong",
    [
        {"trend": 19},
        {"trend": 200.5},
        {"band": -0.1},
        {"band": float("nan")},
        {"high": 1.0},
        {"calm": 0.9},
        {"quiet": 127},
        {"quiet": True},
        {"persistence": -1},
        {"persistence": "2"},
    ],
)
def test_parameters_out_of_range_are_refused(wrong: dict):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        TrendVolRegimeModel(**wrong)


def test_the_answer_names_the_parameters():
    assert TrendVolRegimeModel(trend=100).model == (
        "TrendVolRegimeModel(trend=100, band=0.35, high=0.8, calm=0.65, quiet=42, "
        "persistence=2.0)/1"
    )


@pytest.mark.parametrize("symbol", ["SPY", "QQQ"])
def test_it_reads_the_years_that_everybody_knows(market_data, symbol: str):
    source = FileSource(market_data / "bars/1d/etf-split", layout="{symbol}")
    bars = source.blocking.fetch(_request(symbol))[symbol]
    said = TrendVolRegimeModel().classify(bars[-6200:])
    by_year = {
        year: Counter(row.regime.value for row in said if row.time.year == year)
        for year in range(2008, 2024)
    }
    share = {
        year: {name: n / found.total() for name, n in found.items()}
        for year, found in by_year.items()
    }
    assert share[2008]["bear"] > 0.9
    assert share[2022]["bear"] + share[2022].get("volatile", 0) > 0.85
    assert share[2013]["bull"] > 0.7
    assert share[2017]["bull"] > 0.95
    assert {row.regime.value for row in said if f"{row.time:%Y-%m}" == "2020-03"} <= {
        "bear",
        "volatile",
    }
    flips = mean(a.regime != b.regime for a, b in itertools.pairwise(said)) * 252
    assert flips < 5


def _request(symbol: str):
    from tradekit import BarsRequest

    return BarsRequest(symbol, "1Day", adjustment="split")
