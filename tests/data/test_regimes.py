from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import UsageError, calendar_for
from tradekit.data import _regimes as regimes
from tradekit.data import simulate_regimes

SEEDS = st.integers(0, 2**40)


def filtered(world):
    """Hamilton's filter (1989): P(state today | returns up to today), with the true parameters."""
    dof, scale = world.dof, world.sigmas * math.sqrt((world.dof - 2) / world.dof)
    z = (world.returns[:, None] - world.means) / scale
    likely = (1 + z**2 / dof) ** (-(dof + 1) / 2) / scale
    chance, out = world.initial, []  # stationary: a step leaves it as it is
    for row in likely:
        chance = (chance @ world.transition) * row
        chance = chance / chance.sum()
        out.append(chance)
    return np.array(out)


@pytest.fixture(scope="module")
def judged():
    worlds = [simulate_regimes(seed, sessions=4000) for seed in range(8)]
    return np.concatenate([w.states for w in worlds]), np.concatenate([*map(filtered, worlds)])


def test_a_filter_with_the_true_parameters_beats_the_most_frequent_regime(judged):
    states, chances = judged
    frequent = np.bincount(states).max() / len(states)
    assert (chances.argmax(axis=1) == states).mean() > frequent + 0.15


def test_a_filter_with_the_true_parameters_is_calibrated(judged):
    # A probability of 70 % comes true in 70 of 100 days: that is what "true parameters" means.
    states, chances = judged
    for state in range(4):
        said, true = chances[:, state], states == state
        bins = np.digitize(said, np.linspace(0.1, 0.9, 9))
        gaps = [abs(said[bins == b].mean() - true[bins == b].mean()) for b in np.unique(bins)]
        assert np.average(gaps, weights=np.bincount(bins)[np.unique(bins)]) < 0.03


def test_the_template_spends_its_time_as_dated_labels_of_the_s_and_p_500_do():
    # Shares of bull, bear, sideways and volatile days, 1950 to 1998.
    template = regimes.transition_matrix(regimes.SPELLS, regimes.EXITS)
    assert regimes.stationary(template) == pytest.approx([0.42, 0.20, 0.25, 0.13], abs=0.005)


@given(SEEDS)
def test_each_seed_varies_the_template_within_its_bounds(seed):
    world = simulate_regimes(seed, sessions=2)
    mean = world.means * 252 / [0.25, -0.40, 0.02, 0.10]
    common = world.sigmas * math.sqrt(252) / [0.11, 0.22, 0.11, 0.28]
    spell = 1 / (1 - np.diag(world.transition)) / [130, 120, 90, 45]
    assert (abs(mean - 1) <= 0.25 + 1e-9).all()
    assert 0.7 * 0.85 - 1e-9 <= common.min() <= common.max() <= 1.4 * 1.15 + 1e-9
    assert common.max() / common.min() <= 1.15 / 0.85 + 1e-9
    assert (abs(spell - 1) <= 0.35 + 1e-9).all()
    assert 3.5 <= world.dof <= 8
    assert world.transition.sum(axis=1) == pytest.approx(1)


@given(SEEDS, st.integers(2, 300))
def test_a_shorter_world_is_the_start_of_a_longer_one(seed, sessions):
    short, long = simulate_regimes(seed, sessions=sessions), simulate_regimes(seed, sessions=400)
    assert (short.states == long.states[:sessions]).all()
    assert short.bars == long.bars[:sessions]


def test_returns_have_the_mean_and_deviation_of_their_regime():
    world = simulate_regimes(3, sessions=15_000)  # 6.3 degrees of freedom: its deviations settle
    for state in range(4):
        own = world.returns[world.states == state]
        assert abs(own.mean() - world.means[state]) < 4 * world.sigmas[state] / math.sqrt(len(own))
        assert own.std() == pytest.approx(world.sigmas[state], rel=0.08)


def test_regimes_follow_each_other_as_the_transition_matrix_says():
    world = simulate_regimes(1, sessions=15_000)
    counts = np.zeros((4, 4))
    np.add.at(counts, (world.states[:-1], world.states[1:]), 1)
    assert counts / counts.sum(axis=1, keepdims=True) == pytest.approx(world.transition, abs=0.006)


def test_the_bars_are_daily_and_their_closes_hold_the_returns():
    world, nyse = simulate_regimes(5, sessions=600), calendar_for("XNYS")
    assert np.diff(np.log(world.bars.close)) == pytest.approx(world.returns[1:])
    assert math.log(world.bars.close[0] / 100) == pytest.approx(world.returns[0])
    assert (np.diff(world.bars.session) == 1).all()
    assert str(nyse.sessions[world.bars.session[0]]) == "1990-01-02"
    assert (world.bars.open[1:] != world.bars.close[:-1]).all()


def test_labels_name_the_states():
    world = simulate_regimes(0)
    assert world.names.tolist() == ["bull", "bear", "sideways", "volatile"]
    assert (world.labels == world.names[world.states]).all()


def test_the_truth_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        simulate_regimes(0).states[0] = 1


@pytest.mark.parametrize("seed", [-1, 1.5, "0", True, None])
def test_a_seed_that_is_no_whole_number_is_refused(seed):
    with pytest.raises(UsageError, match="a seed is a whole number: expected an int of 0 or more"):
        simulate_regimes(seed)


@pytest.mark.parametrize("sessions", [1, 15_001])
def test_a_world_that_leaves_the_calendar_is_refused(sessions):
    with pytest.raises(UsageError, match="expected 2 to 15,000 sessions"):
        simulate_regimes(0, sessions=sessions)


def test_the_range_of_a_day_is_that_of_brownian_motion():
    # For variance 1: mean maximum sqrt(2/pi) by the reflection principle, mean range sqrt(8/pi)
    # (Feller 1951), mean square range 4 ln 2 (Parkinson 1980).
    rng = np.random.default_rng(3)
    step, draws, more = rng.standard_normal(200_000), *rng.random((2, 200_000))
    high, low = regimes.excursions(step, 1.0, draws, more)
    assert (high >= np.maximum(step, 0)).all()
    assert (low <= np.minimum(step, 0)).all()
    assert high.mean() == pytest.approx(math.sqrt(2 / math.pi), abs=0.005)
    assert -low.mean() == pytest.approx(math.sqrt(2 / math.pi), abs=0.005)
    assert (high - low).mean() == pytest.approx(math.sqrt(8 / math.pi), abs=0.005)
    assert ((high - low) ** 2).mean() == pytest.approx(4 * math.log(2), abs=0.02)


def test_streams_differ_by_seed_purpose_symbol_and_row():
    streams = [(0, "a"), (1, "a"), (0, "b"), (0, "a", "X"), (0, "a", "X", 1)]
    assert len({regimes.stream(*key).random() for key in streams}) == len(streams)
