"""The kit passes honest detectors of every kind, and says in plain words what the others do."""

from __future__ import annotations

from unittest import SkipTest

import attrs
import numpy as np
import pytest
import talib

from tradekit import (
    ContractError,
    SignalDetector,
    UsageError,
    crossed_above,
    crossed_below,
)
from tradekit._core.calendar import calendar_for
from tradekit._core.resample import resample
from tradekit.testing import check_detector
from tradekit.testing._series import kit_bars

SEEDS = range(2)


def crossings(one, two):
    return 50.0 * crossed_above(one, two) - 50.0 * crossed_below(one, two)


def either(up, down, known):
    return np.where(np.isnan(known), np.nan, 50.0 * up - 50.0 * down)


class RsiReversal(SignalDetector):
    """RSI(14) crosses back above 30 (bullish) or below 70 (bearish)."""

    def _scan(self, bars):
        rsi = bars.ind.rsi(14)
        return 60.0 * crossed_above(rsi, 30) - 60.0 * crossed_below(rsi, 70)


class RsiDepth(SignalDetector):
    """How far RSI(14) is from its middle, live by a hook of its own."""

    def _scan(self, bars):
        return self._depth(bars.ind.rsi(14))

    def _detect(self, window):
        return float(self._depth(window.ind.rsi(14))[-1])

    def _depth(self, rsi):
        return np.clip(2 * (50 - rsi), -100, 100) * (np.abs(rsi - 50) > 15)


@attrs.frozen
class AverageCross(SignalDetector):
    """A fast average crosses a slow one."""

    fast: int = 20
    slow: int = 50

    def _scan(self, bars):
        return crossings(bars.ind.sma(self.fast), bars.ind.sma(self.slow))


class SlowTrend(SignalDetector):
    """On the side of the mean of 200 bars, and of that of 20."""

    def _scan(self, bars):
        slow, fast = bars.ind.sma(200), bars.ind.sma(20)
        above = (bars.close > slow) & (bars.close > fast)
        return either(above, (bars.close < slow) & (bars.close < fast), slow)


class ChannelBreak(SignalDetector):
    """The close leaves the range of the 20 bars before it."""

    def _scan(self, bars):
        channel = bars.ind.donchian(20)
        up, down = (
            crossed_above(bars.close, channel.upper),
            crossed_below(bars.close, channel.lower),
        )
        return 50.0 * up - 50.0 * down


class ObvBreak(SignalDetector):
    """OBV crosses its own mean; where it starts to count matters."""

    lookback, anchor = 200, "history"

    def _scan(self, bars):
        obv = bars.ind.obv()
        mean = np.full(len(bars), np.nan)
        for row in range(20, len(bars)):
            mean[row] = obv[row - 20 : row].mean()
        return crossings(obv, mean)


class VwapCross(SignalDetector):
    """The close crosses the session's volume-weighted average price; minutes only."""

    anchor = "session"

    def _scan(self, bars):
        return crossings(bars.close, bars.ind.vwap())


class PivotDivergence(SignalDetector):
    """A confirmed low below the one before it, while RSI there is higher; and the reverse."""

    lookback = 220

    def _scan(self, bars):
        rsi, pivots = bars.ind.rsi(14), bars.ind.pivots(5, 5)
        return self._side(pivots.low, rsi, 1.0) + self._side(-pivots.high, -rsi, -1.0)

    def _side(self, price, rsi, sign):
        score, last = np.where(np.isnan(rsi), np.nan, 0.0), None
        for row in np.flatnonzero(~np.isnan(price)):
            then = rsi[row - 5]
            near = last is not None and row - last[2] < 60
            if near and price[row] < last[0] and then > last[1]:
                score[row] = 60.0 * sign
            last = (price[row], then, row)
        return score


class DailyGap(SignalDetector):
    """Opens 2 % away from the close before; in percent, and silent about mirrors."""

    def _scan(self, bars):
        gap = np.full(len(bars), np.nan)
        gap[1:] = bars.open[1:] / bars.close[:-1] - 1
        return either(gap > 0.02, gap < -0.02, gap)


class SessionGap(SignalDetector):
    """The first bar of a session opens more than its usual range away from the last close."""

    def _scan(self, bars):
        gap, usual = np.zeros(len(bars)), bars.ind.atr(14)
        new = np.diff(bars.session) != 0
        gap[1:] = np.where(new, bars.open[1:] - bars.close[:-1], 0.0)
        return either(gap > usual, gap < -usual, usual)


class Engulfing(SignalDetector):
    """TA-Lib's engulfing pattern."""

    def _scan(self, bars):
        return 0.6 * talib.CDLENGULFING(bars.open, bars.high, bars.low, bars.close)


class Hammer(SignalDetector):
    """TA-Lib's hammer, which is bullish only."""

    lookback = 40

    def _scan(self, bars):
        if not len(bars):
            return np.zeros(0)
        return 0.5 * talib.CDLHAMMER(bars.open, bars.high, bars.low, bars.close)


class VolumeBurst(SignalDetector):
    """Three times the usual volume, on the side of the bar; not ready without volume."""

    def _scan(self, bars):
        usual = bars.ind.sma(20, of="volume")
        rose = np.sign(bars.close - bars.open)
        with np.errstate(invalid="ignore"):
            burst = bars.volume > 3 * usual
        return either(burst & (rose > 0), burst & (rose < 0), usual)


class WindowMomentum(SignalDetector):
    """The last close above all of the 20 before it, or below; written for a window."""

    lookback = 150

    def _detect(self, window):
        past = window.close[-21:-1]
        if len(past) < 20:
            return float("nan")
        return 40.0 * (window.close[-1] > past.max()) - 40.0 * (window.close[-1] < past.min())


class EarlyHours(SignalDetector):
    """A short RSI at its limits, in the first two hours of a session."""

    def _scan(self, bars):
        rsi, opened = bars.ind.rsi(7), calendar_for(bars.calendar).opens[bars.session]
        early = bars.close_time - opened < 2 * 3600 * 10**9
        return either(early & (rsi < 35), early & (rsi > 65), rsi)


class LongerBars(SignalDetector):
    """On the side of the last longer bar that is complete."""

    lookback = 300

    def _scan(self, bars):
        longer = resample(bars, "1Hour" if bars.timeframe.is_intraday else "1Week")
        last = np.searchsorted(longer.close_time, bars.close_time, side="right") - 1
        side = np.append(np.sign(longer.close - longer.open), np.nan)[last]
        return either(side > 0, side < 0, side)


class Slope(SignalDetector):
    """Slope of 30 closes by a matrix product, which rounds differently in longer arrays."""

    lookback = 30

    def _scan(self, bars):
        slope, x = np.full(len(bars), np.nan), np.arange(30) - 14.5
        if len(bars) >= 30:
            windows = np.lib.stride_tricks.sliding_window_view(bars.close, 30)
            slope[29:] = np.clip(30 * (windows @ x) / (x @ x), -100, 100)
        return slope


class PandasScore(SignalDetector):
    """Distance from the mean of 50 closes, by pandas."""

    lookback = 60

    def _scan(self, bars):
        close = bars.to_frame()["close"]
        away = (close - close.rolling(50).mean()) / close.rolling(50).std()
        return np.clip(-25 * away.to_numpy(), -100, 100)


HONEST = [
    *(RsiReversal(), RsiDepth(), AverageCross(), AverageCross(50, 200), SlowTrend()),
    *(ChannelBreak(), ObvBreak(), VwapCross(), PivotDivergence(), DailyGap(), SessionGap()),
    *(Engulfing(), Hammer(), VolumeBurst(), WindowMomentum(), EarlyHours(), LongerBars()),
    *(Slope(), PandasScore()),
]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("detector", HONEST, ids=repr)
def test_an_honest_detector_passes(detector, seed):
    skipped = []
    for check in check_detector(detector, seed=seed):
        try:
            check()
        except SkipTest:
            skipped.append(check.name)
    assert skipped == (["mirror"] if isinstance(detector, Hammer) else [])


def message(name, detector, **options):
    check = next(check for check in check_detector(detector, **options) if check.name == name)
    with pytest.raises(ContractError) as caught:
        check()
    return str(caught.value)


def test_one_sided_detectors_are_told_how_to_say_so():
    check = next(check for check in check_detector(Hammer()) if check.name == "mirror")
    with pytest.raises(SkipTest, match="Hammer has one side: mirror = None, with a mirror_reason"):
        check()


def test_a_detector_without_a_mirror_is_not_asked_for_one():
    class BullishOnly(Hammer):
        mirror, mirror_reason = None, "a hammer is bullish"

    assert "mirror" not in [check.name for check in check_detector(BullishOnly())]


def test_falls_that_must_be_twice_as_large_as_rises_are_no_mirror():
    class Lopsided(DailyGap):
        def _scan(self, bars):
            gap = np.full(len(bars), np.nan)
            gap[1:] = bars.open[1:] / bars.close[:-1] - 1
            return either(gap > 0.02, gap < -0.04, gap)

    assert "treats falling and rising prices differently" in message("mirror", Lopsided())


def test_a_detector_that_starts_with_history_is_not_asked_for_parity():
    assert "window_parity" not in [check.name for check in check_detector(ObvBreak())]


def test_a_session_detector_meets_bars_within_sessions_only():
    class Strict(VwapCross):
        def _scan(self, bars):
            assert bars.timeframe.is_intraday
            return super()._scan(bars)

    for check in check_detector(Strict()):
        check()


def test_a_long_look_back_gets_longer_markets():
    class Long(SlowTrend):
        lookback = 400

    for check in check_detector(Long()):
        check()


def test_own_bars_replace_the_markets_of_the_kit(one_session):
    assert "never fires: expected something to say" in message(
        "fires", AverageCross(), bars=one_session[:20]
    )


def test_own_bars_may_have_joined_columns_and_their_future_changes_too():
    bars = kit_bars(0, 300)[0]
    mood = np.random.default_rng(0).standard_normal(300)
    joined = bars.with_extra("mood", mood, bars.close_time)

    class Mood(SignalDetector):
        ahead = 0

        def _scan(self, bars):
            mood = bars.extra["mood"].values
            return 40.0 * np.sign(np.append(mood[self.ahead :], np.zeros(self.ahead)))

    honest = {c.name: c for c in check_detector(Mood(), bars=joined) if c.name != "odd_bars"}
    for name in ("fires", "prefix", "poisoned_future", "early_cut", "window_parity"):
        honest[name]()
    Mood.ahead = 1
    assert "looks ahead" in message("poisoned_future", Mood(), bars=joined)


@pytest.mark.parametrize("length", [1, 2])
def test_own_bars_may_be_hardly_any(length):
    for check in check_detector(Slope(), bars=kit_bars(0, 300)[0][:length]):
        if check.name not in ("fires", "mirror"):
            check()


@pytest.mark.parametrize("nothing", [(), kit_bars(0, 300)[0][:0]])
def test_nothing_to_try_it_on_is_refused(nothing):
    with pytest.raises(UsageError, match="nothing to try a detector on: expected Bars"):
        check_detector(Slope(), bars=nothing)


def test_the_kit_tries_copies_and_leaves_the_detector_as_it_was():
    class Counts(RsiReversal):
        calls = 0

        def _scan(self, bars):
            self.calls += 1
            return super()._scan(bars)

    detector = Counts()
    for check in check_detector(detector):
        if check.name in ("prefix", "leaves_bars_alone"):
            check()
    assert detector.calls == 0


def test_a_look_ahead_is_told_by_row_and_both_answers():
    class Peeks(SignalDetector):
        def _scan(self, bars):
            return 50.0 * (np.arange(len(bars)) == len(bars) - 1)

    told = message("prefix", Peeks(), bars=kit_bars(0, 300)[0])
    assert "Peeks looks ahead: expected the same score in row" in told
    assert "of JUMPS (1Day, 2024-10" in told
    assert "are not there yet, got 0 on all bars, and 50 then" in told
    assert "Try: row i may rest on rows up to i only: look for shift(-1)" in told


def test_a_hook_is_never_asked_about_no_bars():
    class Naive(SignalDetector):
        lookback = 20

        def _scan(self, bars):
            before = np.append(bars.close[0], bars.close[:-1])
            return 50.0 * np.sign(bars.close - before)

        def _levels(self, bars):
            return 0.02 * bars.close, 0.01 * bars.close[0]

    nothing = kit_bars(0, 300)[0][:0]
    assert len(Naive().scan(nothing)) == 0
    assert Naive().signals(nothing) == Naive().detect(nothing) == ()
    assert [len(side) for side in Naive().levels(nothing)] == [0, 0]
