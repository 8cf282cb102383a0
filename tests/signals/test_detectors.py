"""What holds for every built-in detector, by its registered name."""

from __future__ import annotations

import numpy as np
import pytest

from tradekit import Bars, SignalDetector, calendar_for, triple_barrier
from tradekit.plugins import load
from tradekit.testing import check_detector

FAMILIES = {
    "adx_trend": "trend",
    "bollinger_reversal": "reversion",
    "donchian_breakout": "breakout",
    "ema_cross": "trend",
    "engulfing": "candlestick",
    "hammer": "candlestick",
    "level_bounce": "level",
    "macd_cross": "momentum",
    "opening_gap": "gap",
    "roc_thrust": "momentum",
    "rsi_divergence": "divergence",
    "rsi_reversal": "reversion",
    "squeeze_breakout": "breakout",
    "volume_surge": "volume",
}
DETECTORS = {name: load("detectors", name)() for name in FAMILIES}
# From the look-backs of the indicators by hand: ten for one in RSI, sixteen in ADX, five in MACD.
NEEDS = {"adx_trend": 224, "rsi_divergence": 205, "squeeze_breakout": 195, "macd_cross": 175}
NEEDS |= {"rsi_reversal": 140, "ema_cross": 135, "opening_gap": 135}
DAYS, TICKS, HORIZON = 20_000, 24, 20


def kept():
    return [
        pytest.param(check, id=f"{name}-{check.name}")
        for name, detector in DETECTORS.items()
        for check in check_detector(detector)
    ]


@pytest.mark.parametrize("check", kept())
def test_it_keeps_every_promise_of_a_detector(check):
    check()


@pytest.mark.parametrize("name", FAMILIES)
def test_it_belongs_to_its_family_and_has_a_mirror(name):
    detector = DETECTORS[name]
    assert detector.family == FAMILIES[name]
    assert detector.mirror == "arithmetic"


@pytest.mark.parametrize("name", FAMILIES)
def test_its_settings_can_be_read_off_its_name(name):
    detector = DETECTORS[name]
    assert repr(eval(repr(detector), {type(detector).__name__: type(detector)})) == repr(detector)
    assert detector.source_method == f"{detector!r}/1".replace("()/", "/")


@pytest.mark.parametrize("name", FAMILIES)
def test_it_is_ready_from_its_look_back_on_and_before_300_bars(name):
    ready = np.flatnonzero(DETECTORS[name].scan(walk(0)[:300]).ready)
    assert ready[0] + 1 == NEEDS.get(name, 78)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_score_is_a_strength_from_40_to_80(name):
    confidence = DETECTORS[name].scan(walk(0)).confidence
    assert set(np.unique(confidence[confidence > 0] // 40)) <= {1.0}


def walk(seed: int) -> Bars:
    """Days of a walk that leads nowhere: a jump overnight, then as many small steps."""
    rng, calendar = np.random.default_rng(seed), calendar_for()
    first = int(np.searchsorted(calendar.sessions, np.datetime64("1950-01-03")))
    steps = rng.standard_normal((DAYS, TICKS + 1)) / np.sqrt(TICKS)
    steps[:, 0] *= 0.3 * np.sqrt(TICKS)
    path = 2000 + np.cumsum(steps).reshape(steps.shape)
    prices = path[:, 0], path.max(axis=1), path.min(axis=1), path[:, -1]
    volume = 1e5 * np.exp(0.5 * rng.standard_normal(DAYS))
    return Bars("NULL", "1Day", calendar.midnights[first : first + DAYS], *prices, volume)


def apart(rows: np.ndarray) -> np.ndarray:
    """Leave out events whose outcome would hang on the same bars as the one before."""
    chosen = [-HORIZON]
    for row in rows:
        if row >= chosen[-1] + HORIZON:
            chosen.append(row)
    return np.array(chosen[1:], dtype=int)


def edge(detector: SignalDetector, bars: Bars) -> tuple[float, float]:
    """By how many hits its events exceed those of any bars on the same sides, and the variance."""
    said, (ahead, behind) = detector.scan(bars), detector.levels(bars)
    rows, known = apart(np.flatnonzero(said.fired & said.ready)), np.flatnonzero(said.ready)
    side, levels = said.direction[rows], (said.target[rows], said.stop[rows])
    hits, expected, variance = triple_barrier(bars, rows, side, *levels, horizon=HORIZON), 0.0, 0.0
    for way in (1, -1):
        close, events = bars.close[known], hits.decided[side == way].sum()
        levels = close + way * ahead[known], close - way * behind[known]
        all_bars = np.full(len(known), way)
        base = triple_barrier(bars, known, all_bars, *levels, horizon=HORIZON).hit_rate
        expected, variance = expected + events * base, variance + events * base * (1 - base)
    return (hits.exit == 1).sum() - expected, variance


def standing(detector: SignalDetector) -> float:
    """How many deviations its hit rate is away from the base rate, on three walks."""
    surplus, variance = np.sum([edge(detector, walk(seed)) for seed in (1, 2, 3)], axis=0)
    return float(surplus / np.sqrt(variance))


@pytest.mark.parametrize("name", FAMILIES)
def test_it_has_no_edge_where_there_is_none(name):
    assert abs(standing(DETECTORS[name])) < 3


def test_an_edge_would_be_seen():
    class Prophet(SignalDetector):
        """It sees a little of the next bar, now and then."""

        def _scan(self, bars):
            step = np.append(np.diff(bars.close), 0.0)
            return 50.0 * np.sign(step) * (np.abs(step) > 1.0)

    assert standing(Prophet()) > 3
