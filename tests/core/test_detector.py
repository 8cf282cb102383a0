from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import attrs
import numpy as np
import pytest
from hypothesis import given

from tradekit import SignalType, crossed_above, crossed_below
from tradekit._core.bars import Bars
from tradekit._core.detector import SignalDetector
from tradekit._core.errors import ContractError, UsageError
from tradekit.testing import any_bars

NAN = np.nan


class RsiReversal(SignalDetector):
    """RSI(14) crosses back above 30 (bullish) or below 70 (bearish)."""

    signal_type, family = SignalType.MEAN_REVERSION, "reversion"

    def _scan(self, bars):
        rsi = bars.ind.rsi(14)
        return 60.0 * crossed_above(rsi, 30) - 60.0 * crossed_below(rsi, 70)


class Near(SignalDetector):
    """Levels that are always known."""

    def _levels(self, bars):
        return 0.02 * bars.close, 0.01 * bars.close


class UpByWindow(Near):
    """The close is the highest or the lowest of five."""

    lookback = 5

    def _detect(self, window):
        if len(window) < 5:
            return NAN
        return 40.0 * (window.close[-1] > window.close[:-1].max()) - 40.0 * (
            window.close[-1] < window.close[:-1].min()
        )


class UpByScan(Near):
    """The same for every bar at once."""

    lookback = 5

    def _scan(self, bars):
        score = np.full(len(bars), NAN)
        for row in range(4, len(bars)):
            before = bars.close[row - 4 : row]
            score[row] = 40.0 * (bars.close[row] > before.max())
            score[row] -= 40.0 * (bars.close[row] < before.min())
        return score


class UpByBoth(UpByScan):
    """Both hooks."""

    _detect = UpByWindow._detect


class RsiByWindow(Near):
    """A window whose length nobody declares."""

    def _detect(self, window):
        rsi = window.ind.rsi(5)
        return NAN if np.isnan(rsi[-1]) else float(np.clip(rsi[-1] - 50, -50, 50))


def walk(length=400, seed=5):
    return 100 * np.exp(np.random.default_rng(seed).normal(0, 0.01, length).cumsum())


def same(one, other):
    names = ("score", "target", "stop", "ready")
    return all(
        np.array_equal(getattr(one, n), getattr(other, n), equal_nan=n != "ready") for n in names
    )


def test_the_example_of_the_design_says_what_it_should(minutes):
    """RSI(14) by hand: 20 closes down by 1 give 0, then up by 3 a bar.

    After the fall the mean loss is 1 and the mean gain 0. One rise of 3 makes the gain 3/14 and the
    loss 13/14: RSI = 100 * 3/16 = 18.75. The second: gain (13 * 3/14 + 3) / 14 = 0.4133, loss
    (13/14)^2 = 0.8622: 32.4, above 30, so row 22 is bullish.
    """
    close = np.r_[100 - np.arange(21.0), 83, 86, 89]
    said = RsiReversal().scan(minutes(close))
    assert np.flatnonzero(said.fired).tolist() == [22]
    (signal,) = RsiReversal().signals(minutes(close))
    assert (signal.direction, signal.confidence, signal.price) == ("bullish", 60, 86)
    assert signal.signal_type is SignalType.MEAN_REVERSION
    assert (signal.family, signal.source_method) == ("reversion", "RsiReversal/1")
    assert signal.reasons == ("RSI(14) crosses back above 30 (bullish) or below 70 (bearish).",)
    assert signal.warmup
    assert RsiReversal().detect(minutes(close)) == ()
    assert RsiReversal().detect(minutes(close)[:23]) == (signal,)


def test_a_signal_is_known_at_its_close_and_expires_with_its_horizon(minutes):
    (signal,) = UpByWindow().detect(minutes([1.0, 1.0, 1.0, 1.0, 2.0]))
    assert signal.time == datetime(1970, 1, 1, 0, 5, tzinfo=UTC)
    assert signal.expires_at == datetime(1970, 1, 1, 0, 25, tzinfo=UTC)
    assert (signal.price_target, signal.stop_loss) == pytest.approx((2.04, 1.98))


@pytest.mark.parametrize("detector", [UpByWindow(), UpByScan(), UpByBoth()])
def test_any_hook_gives_every_door(minutes, detector):
    bars = minutes([5.0, 5, 5, 5, 6, 6, 4, 5, 7])
    said = detector.scan(bars)
    assert np.array_equal(said.score, [NAN] * 4 + [40, 0, -40, 0, 40], equal_nan=True)
    assert said.ready.tolist() == [False] * 4 + [True] * 5
    assert [signal.direction for signal in detector.signals(bars)] == [
        "bullish",
        "bearish",
        "bullish",
    ]
    assert detector.detect(bars) == detector.signals(bars)[-1:]
    assert detector.detect(bars[:8]) == ()


def test_where_both_hooks_are_written_each_door_uses_its_own(minutes):
    class Both(Near):
        lookback = 1

        def _scan(self, bars):
            return np.full(len(bars), 10.0)

        def _detect(self, window):
            return -20.0

    bars = minutes([5.0, 5.0])
    assert Both().scan(bars).score.tolist() == [10, 10]
    assert Both().detect(bars)[0].direction == "bearish"


def test_a_detector_without_a_hook_says_so(minutes):
    class Idle(Near):
        pass

    for door in (Idle().scan, Idle().detect, Idle().signals):
        with pytest.raises(ContractError, match="Idle: neither _scan nor _detect: expected one of"):
            door(minutes([5.0]))


DETECTORS = [RsiReversal(), UpByWindow(), UpByScan(), UpByBoth(), RsiByWindow()]


@pytest.mark.parametrize("detector", DETECTORS)
@given(bars=any_bars(max_size=60))
def test_now_is_the_last_step_of_history(detector, bars):
    now, history = detector.detect(bars), detector.signals(bars)
    said = detector.scan(bars)
    assert now == (history[-1:] if said.fired[-1] else ())
    assert len(history) == said.fired.sum()
    assert same(said, detector.scan(bars))
    half = len(bars) // 2
    early = detector.scan(bars[:half])
    assert np.array_equal(early.score, said.score[:half], equal_nan=True)
    assert np.array_equal(early.ready, said.ready[:half])


def test_a_live_window_and_history_name_the_same_signals(minutes):
    bars, detector = minutes(walk()), RsiReversal()
    history = {signal.id for signal in detector.signals(bars) if not signal.warmup}
    live = [
        signal
        for stop in range(200, 401)
        for signal in detector.detect(bars[stop - 200 : stop])
        if not signal.warmup
    ]
    known = {signal.id for signal in live}
    assert len(known) > 3
    assert known == {
        s.id for s in detector.signals(bars) if s.id in history and s.time >= live[0].time
    }


def test_a_window_hook_sees_as_many_bars_as_it_needs(minutes):
    seen = []

    class Counting(Near):
        lookback = 3

        def _detect(self, window):
            seen.append(len(window))
            return 0.0

    Counting().scan(minutes([5.0] * 6))
    assert seen == [1, 2, 3, 3, 3, 3]
    seen.clear()
    Counting().detect(minutes([5.0] * 6))
    assert seen == [3]


def test_a_window_is_long_enough_for_the_levels_too(minutes):
    seen = []

    class Counting(SignalDetector):
        def _detect(self, window):
            seen.append(len(window))
            return 0.0

    Counting().detect(minutes(walk(200)))
    assert seen[-1] == 135  # the range of 14 bars agrees with full history after 5 * 27


def test_a_line_of_scores_rests_on_all_bars_live_as_in_history(minutes):
    class Depth(Near):
        def _scan(self, bars):
            return bars.ind.rsi(5) - 50

    bars = minutes(walk(200))
    assert Depth().detect(bars)[0].confidence == abs(Depth().scan(bars).score[-1])


def test_a_hook_may_build_on_the_one_that_is_derived(minutes):
    class Half(UpByScan):
        def _detect(self, window):
            return super()._detect(window) / 2

    assert Half().detect(minutes([5.0, 5, 5, 5, 6]))[0].confidence == 20


def test_a_window_is_as_long_as_the_indicators_in_it_need(minutes):
    bars, detector = minutes(walk(120)), RsiByWindow()
    # RSI(5) agrees with full history to four digits after 50 bars.
    row = 100
    window = bars[row - 49 : row + 1].ind.rsi(5)[-1] - 50
    assert detector.scan(bars).score[row] == window
    assert detector.detect(bars[: row + 1])[0].confidence == abs(window)


def test_hooks_are_asked_about_bars_only_where_there_are_some(minutes):
    class Eager(Near):
        def _scan(self, bars):
            return np.full(len(bars), bars.close[0])

        def _levels(self, bars):
            return bars.close[0], bars.close[0]

    none = minutes([5.0])[:0]
    assert len(Eager().scan(none)) == 0
    assert Eager().detect(none) == Eager().signals(none) == ()
    assert [len(side) for side in Eager().levels(none)] == [0, 0]


@pytest.mark.parametrize("detector", DETECTORS)
@pytest.mark.parametrize("length", [1, 2, 300])
def test_a_market_that_stands_still_is_no_surprise(minutes, detector, length):
    bars = minutes([100.0] * length)
    assert not detector.scan(bars).fired.any()
    assert detector.detect(bars) == ()


@pytest.mark.parametrize("door", ["scan", "detect", "signals", "levels"])
@pytest.mark.parametrize("stranger", [None, [1.0, 2.0], "SPY"])
def test_detectors_look_at_bars(door, stranger):
    message = f"RsiReversal looks at bars: expected Bars, got a {type(stranger).__name__}"
    with pytest.raises(UsageError, match=message):
        getattr(RsiReversal(), door)(stranger)


def test_a_frame_is_told_how_to_become_bars(minutes):
    with pytest.raises(UsageError, match=r"got a DataFrame\. Try: Bars\.from_frame\(frame"):
        RsiReversal().scan(minutes([1.0]).to_frame())


def test_a_detector_without_a_mirror_says_why():
    with pytest.raises(ContractError, match="OneSided has no mirror and does not say why"):

        class OneSided(RsiReversal):
            mirror = None

    class Excused(RsiReversal):
        mirror, mirror_reason = None, "prices fall faster than they rise"

    assert Excused().mirror is None


@pytest.mark.parametrize(
    ("facts", "error", "sentence"),
    [
        ({"lookback": 0}, UsageError, "Odd: lookback counts bars: expected a whole number from 1"),
        ({"lookback": 2.5}, UsageError, "Odd: lookback counts bars"),
        ({"lookback": True}, UsageError, "Odd: lookback counts bars"),
        ({"horizon": 0}, UsageError, "Odd: horizon counts bars"),
        ({"horizon": None}, UsageError, "Odd: horizon counts bars"),
        ({"anchor": "open"}, ContractError, "Odd: no such anchor: expected 'session' or 'history'"),
        ({"mirror": "upside"}, ContractError, "Odd: no such mirror: expected 'arithmetic' or"),
    ],
)
def test_what_a_class_says_of_itself_makes_sense(minutes, facts, error, sentence):
    odd = type("Odd", (UpByScan,), facts)()
    with pytest.raises(error, match=sentence):
        odd.scan(minutes([5.0]))


@attrs.frozen
class Slow(Near):
    """Parameters by attrs."""

    period: int = 3
    lookback: int = attrs.field(default=attrs.Factory(lambda self: self.period, takes_self=True))

    def _scan(self, bars):
        return np.full(len(bars), 10.0)


class Mean(Near):
    """Parameters by hand; says something wherever a mean is known."""

    def __init__(self, period):
        self.period = period

    def _scan(self, bars):
        return np.where(np.isnan(bars.ind.sma(self.period)), NAN, 10.0)


@pytest.mark.parametrize(("kind", "one", "two"), [(Slow, 3, 4), (Mean, 3, 4)])
def test_other_parameters_are_another_author(minutes, kind, one, two):
    bars = minutes(np.r_[[0.5] * 40, 9.0])
    signals = [kind(value).detect(bars)[0] for value in (one, two, one)]
    assert signals[0].source_method != signals[1].source_method
    assert signals[0].id == signals[2].id != signals[1].id
    assert f"={one}" in signals[0].source_method


def test_a_look_back_may_be_a_parameter(minutes):
    assert Slow(3).scan(minutes([5.0] * 6)).ready.tolist() == [False, False] + [True] * 4
    assert Slow(5).scan(minutes([5.0] * 6)).ready.tolist() == [False] * 4 + [True] * 2


def test_another_version_is_another_author(minutes):
    class Newer(Mean):
        version = "2"

    assert Newer(3).source_method == "Newer(period=3)/2"


@pytest.mark.parametrize("door", ["scan", "detect", "signals", "levels"])
@pytest.mark.parametrize(
    "decorate", [attrs.frozen(slots=True), attrs.define, dataclasses.dataclass, lambda cls: cls]
)
def test_no_door_can_be_replaced(door, decorate):
    with pytest.raises(ContractError, match=f"Own overrides SignalDetector.{door}: "):
        decorate(type("Own", (RsiReversal,), {door: lambda self, bars: ()}))


class RisenSinceStart(Near):
    """How far the close is from the first close that it sees, in whole steps."""

    anchor = "history"

    def _detect(self, window):
        return float(np.clip(window.close[-1] - window.close[0], -100, 100))


def test_a_detector_anchored_in_history_sees_it_from_the_first_bar(minutes):
    bars = minutes([5.0, 6.0, 8.0, 1.0])
    assert RisenSinceStart().scan(bars).score.tolist() == [0, 1, 3, -4]
    assert RisenSinceStart().detect(bars)[0].confidence == 4


class RisenSinceOpen(RisenSinceStart):
    anchor, lookback = "session", 2

    def _detect(self, window):
        today = window.session == window.session[-1]
        return float(window.close[-1] - window.close[today][0])


def test_a_detector_anchored_in_the_session_sees_all_of_it():
    # Friday and Monday, two minutes and three.
    opens = np.array(["2024-03-08T14:30", "2024-03-11T13:30"], "M8[ns]").astype("i8")
    time = np.r_[opens[0] + np.arange(2) * 60 * 10**9, opens[1] + np.arange(3) * 60 * 10**9]
    close = np.array([5.0, 6.0, 10.0, 13.0, 12.0])
    bars = Bars("SPY", "1Min", time, close, close, close, close, close)
    assert RisenSinceOpen().scan(bars).score.tolist() == [0, 1, 0, 3, 2]
    assert RisenSinceOpen().detect(bars)[0].confidence == 2
