from __future__ import annotations

import numpy as np
import pytest

from tradekit import Bars, ContractError, SignalDetector, UsageError
from tradekit.signals._glance import FRESH, NotReady, Voice, base_rate, glance


class Swing(SignalDetector):
    """The close is above or below the mean of the last eight."""

    def _scan(self, bars):
        return 50.0 * np.sign(bars.close - bars.ind.sma(8))


class Windowed(SignalDetector):
    """The same, one window at a time."""

    lookback = 140

    def _detect(self, window):
        return float(50.0 * np.sign(window.close[-1] - window.close[-8:].mean()))


@pytest.fixture(scope="module")
def walk():
    p = 100 * np.exp(np.cumsum(np.random.default_rng(7).normal(0, 0.002, 400)))
    minutes = np.arange(400) * 60 * 10**9
    return Bars("X", "1Min", minutes, p, p * 1.001, p * 0.999, p, p, calendar="24/7")


@pytest.mark.parametrize("detector", [Swing(), Windowed()])
def test_a_glance_says_what_the_doors_say_at_the_last_bars(detector, walk):
    for stop in range(200, 230):
        bars = walk[:stop]
        seen = glance(detector, bars)
        now = detector.detect(bars)
        assert [seen.signal.id] == [signal.id for signal in now]
        assert (seen.voice.direction, seen.voice.age) == (now[0].direction, 0)
        assert (seen.lack, seen.warming) == (None, False)


@pytest.mark.parametrize("silent", range(FRESH + 1))
def test_a_voice_is_heard_for_three_bars(silent, speaker, bars):
    seen = glance(speaker("A", *[0.0] * silent, -55.0), bars())
    assert seen.voice == (Voice(silent, "bearish", 55.0) if silent < 3 else None)


def test_a_voice_is_heard_no_longer_than_the_detectors_horizon(speaker, bars):
    detector = speaker("A", 0.0, -55.0)
    detector.horizon = 1
    assert glance(detector, bars()).voice is None


def test_a_window_detector_is_heard_at_older_bars_too(bars):
    class Once(SignalDetector):
        """It speaks in a window that ends at the 77th bar."""

        lookback = 5

        def _detect(self, window):
            return 60.0 if window.time[-1] == 76 * 300 * 10**9 else 0.0

    assert glance(Once(), bars(78)).voice == Voice(1, "bullish", 60.0)
    assert glance(Once(), bars(77)).signal.confidence == 60.0


def test_what_is_not_known_is_not_ready_and_what_comes_from_too_few_bars_is_warming(walk):
    # ATR(14) of the levels is known from bar 15 on, and needs 5 * (2 * 14 - 1) = 135 bars.
    assert glance(Swing(), walk[:14]).lack == NotReady(135, 14)
    assert not glance(Swing(), walk[:14]).warming
    warming = glance(Swing(), walk[:134])
    assert (warming.lack, warming.warming, warming.signal.warmup) == (
        NotReady(135, 134),
        True,
        True,
    )
    assert glance(Swing(), walk[:135]).lack is None


def test_bars_are_counted_from_the_last_gap_where_an_indicator_starts_anew(bars):
    assert glance(Swing(), bars(300, gap_at=200)).lack == NotReady(135, 100)


def test_a_window_runs_across_gaps(bars, speaker):
    assert glance(speaker("A", needs=400), bars(300, gap_at=200)).lack == NotReady(400, 300)


def test_the_base_rate_is_that_of_a_fair_game():
    # A walk of +1 and -1 from 100 reaches 103 before 98 in 2 of 5 cases.
    assert base_rate(100.0, 103.0, 98.0) == pytest.approx(40.0)
    assert base_rate(100.0, 97.0, 102.0) == pytest.approx(40.0)


def test_signals_carry_the_base_rate_of_their_levels(speaker, bars):
    signal = glance(speaker("A", -60.0), bars()).signal
    assert (signal.price_target, signal.stop_loss) == (98.0, 101.5)
    assert signal.base_rate == pytest.approx(100 * 1.5 / 3.5)
    assert not signal.calibrated


def test_what_a_hook_does_wrong_is_told(bars):
    class Broken(SignalDetector):
        def _scan(self, bars):
            return [1.0]

    with pytest.raises(ContractError, match="Broken: _scan answered in another length"):
        glance(Broken(), bars())


@pytest.mark.parametrize("window", [True, False])
def test_an_impossible_horizon_is_told(window, bars):
    class Odd(SignalDetector):
        horizon = 0

    hook = (lambda self, window: 0.0) if window else (lambda self, bars: 0.0 * bars.close)
    setattr(Odd, "_detect" if window else "_scan", hook)
    with pytest.raises(UsageError, match="Odd: horizon counts bars"):
        glance(Odd(), bars())
