"""Detectors that are wrong on purpose, each in one way that is found in the wild.

A check without a twin that it catches proves nothing, so each twin names the checks that must
refuse it.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np

from .._core.bars import Bars
from .._core.crossings import crossed_above, crossed_below
from .._core.detector import SignalDetector
from .._core.resample import resample


class _Twin(SignalDetector):
    """Wrong on purpose."""

    caught_by: ClassVar[tuple[str, ...]] = ()


class ComparesWithTomorrow(_Twin):
    """``close < close.shift(-1)``."""

    caught_by = ("prefix", "poisoned_future")

    def _scan(self, bars: Bars) -> Any:
        return 50.0 * np.sign(np.append(np.diff(bars.close), 0.0))


class PeeksAtLargeBars(_Twin):
    """Looks at the next bar, but only before those that are large."""

    caught_by = ("prefix", "poisoned_future")

    def _scan(self, bars: Bars) -> Any:
        after = np.append(np.diff(np.log(bars.close)), 0.0)
        usual = bars.ind.atr(14) / bars.close
        return np.where(np.abs(after) > 4 * usual, 50 * np.sign(after), 0.0)


class KnowsTheDaysHigh(_Twin):
    """Compares each bar with the high of its whole day: ``groupby(date).high.transform("max")``."""

    caught_by = ("prefix", "poisoned_future")
    mirror = None
    mirror_reason = "it looks at highs only"

    def _scan(self, bars: Bars) -> Any:
        days, which = np.unique(bars.session, return_inverse=True)
        highest = np.zeros(len(days))
        np.maximum.at(highest, which, bars.high)
        return np.where(bars.high >= highest[which], -50.0, 0.0)


class JoinsAtTheOpen(_Twin):
    """Sees a longer bar from its opening time on, when it has only begun."""

    caught_by = ("prefix", "poisoned_future")

    def _scan(self, bars: Bars) -> Any:
        longer = resample(bars, "1Hour" if bars.timeframe.is_intraday else "1Week")
        at = np.searchsorted(longer.time, bars.time, side="right") - 1
        rose = np.sign(np.append(longer.close - longer.open, 0.0))
        return 50.0 * rose[at]


class UnconfirmedPivot(_Twin):
    """Calls a high a pivot before the bars after it are there."""

    caught_by = ("prefix", "poisoned_future")

    def _scan(self, bars: Bars) -> Any:
        score = np.zeros(len(bars))
        for row in range(5, len(bars)):
            near = slice(row - 5, row + 6)
            score[row] -= 50.0 * (bars.high[row] == bars.high[near].max())
            score[row] += 50.0 * (bars.low[row] == bars.low[near].min())
        return score


class ZigzagLastLeg(_Twin):
    """Marks the extreme of a leg that may go on: the last one moves with each new bar."""

    caught_by = ("prefix", "poisoned_future")

    def _scan(self, bars: Bars) -> Any:
        score = np.zeros(len(bars))
        if len(bars):
            recent = bars.close[-20:]
            score[len(bars) - len(recent) + int(recent.argmax())] = -50.0
            score[len(bars) - len(recent) + int(recent.argmin())] = 50.0
        return score


class SignalMovedBack(_Twin):
    """Moves its own signals one bar back."""

    caught_by = ("prefix", "poisoned_future")

    def _scan(self, bars: Bars) -> Any:
        rsi = bars.ind.rsi(14)
        score = 60.0 * crossed_above(rsi, 30) - 60.0 * crossed_below(rsi, 70)
        return np.append(score[1:], [0.0][: len(score)])


class WholeSeriesZScore(_Twin):
    """Measures each close by mean and deviation of the whole series."""

    caught_by = ("prefix", "poisoned_future", "window_parity")

    def _scan(self, bars: Bars) -> Any:
        spread = bars.close.std() if len(bars) else 0.0
        z = (bars.close - bars.close.mean()) / spread if spread else np.zeros(len(bars))
        return np.where(np.abs(z) > 1.5, -50.0 * np.sign(z), 0.0)


class ScaledByMaximum(_Twin):
    """Scales its score by the largest one of the series."""

    caught_by = ("prefix", "poisoned_future", "window_parity")

    def _scan(self, bars: Bars) -> Any:
        move = np.diff(bars.close, prepend=bars.close[:1])
        most = np.abs(move).max(initial=0.0)
        return 99.0 * move / most if most else np.zeros(len(bars))


class WholeSeriesPercentile(_Twin):
    """Compares with a percentile of the whole series."""

    caught_by = ("prefix", "poisoned_future", "window_parity")
    mirror = None
    mirror_reason = "it looks at one tail only"

    def _scan(self, bars: Bars) -> Any:
        if not len(bars):
            return np.empty(0)
        return np.where(bars.close > np.percentile(bars.close, 90), -50.0, 0.0)


class LastBarEverywhere(_Twin):
    """Gives every row the opinion of the last one."""

    caught_by = ("prefix", "poisoned_future")

    def _scan(self, bars: Bars) -> Any:
        last = np.sign(bars.close[-1] - bars.open[-1]) if len(bars) else 0.0
        return np.full(len(bars), 50.0 * last)


class CentredMean(_Twin):
    """Smooths with as many bars after as before."""

    caught_by = ("prefix", "poisoned_future")

    def _scan(self, bars: Bars) -> Any:
        if len(bars) < 11:
            return np.zeros(len(bars))
        mean = np.convolve(bars.close, np.ones(11) / 11, mode="same")
        return 50.0 * np.sign(bars.close - mean)


class FilledBackwards(_Twin):
    """Fills its warm-up with the first value that it knows: ``bfill``."""

    caught_by = ("early_cut",)

    def _scan(self, bars: Bars) -> Any:
        rsi = bars.ind.rsi(14).copy()
        known = np.flatnonzero(~np.isnan(rsi))
        if len(known):
            rsi[: known[0]] = rsi[known[0]]
        return np.where(rsi > 50, 40.0, -40.0) if len(known) else np.full(len(bars), np.nan)

    def _levels(self, bars: Bars) -> tuple[Any, Any]:
        return 0.02 * bars.close, 0.01 * bars.close


class WarmsUpTooEarly(_Twin):
    """Says that ten bars are enough to know the highest close of them all."""

    lookback = 10
    caught_by = ("window_parity",)
    mirror = None
    mirror_reason = "it looks at highs only"

    def _scan(self, bars: Bars) -> Any:
        highest = np.maximum.accumulate(bars.close)
        return np.where(bars.close >= highest, 30.0, 0.0)


class PeeksInHistoryOnly(_Twin):
    """Has a fast path for history that looks one bar further than the live one."""

    lookback = 20
    caught_by = ("live_is_last_of_history", "poisoned_future")

    def _scan(self, bars: Bars) -> Any:
        return 50.0 * np.sign(np.append(np.diff(bars.close), 0.0))

    def _detect(self, window: Bars) -> float:
        return float(50.0 * np.sign(window.close[-1] - window.close[-2:][0]))


class LiveIsAnother(_Twin):
    """Has a short cut for live bars that is stricter than its history."""

    caught_by = ("live_is_last_of_history",)

    def _scan(self, bars: Bars) -> Any:
        return 50.0 * np.sign(bars.close - bars.open)

    def _detect(self, window: Bars) -> float:
        bar = window[-1]
        return 50.0 * (bar.close > 1.001 * bar.open) - 50.0 * (bar.close < 0.999 * bar.open)


class LooksBehindTheView(_Twin):
    """Finds later bars in the array that its window is a view of."""

    lookback = 20
    caught_by = ("poisoned_future",)

    def _detect(self, window: Bars) -> float:
        whole = window.close if window.close.base is None else window.close.base
        now = np.flatnonzero(whole == window.close[-1])[-1]
        return float(50.0 * np.sign(whole[now : now + 2][-1] - window.close[-1]))


class Remembers(_Twin):
    """Alternates from call to call."""

    caught_by = ("same_every_time",)
    calls = 0

    def _scan(self, bars: Bars) -> Any:
        self.calls += 1
        return 50.0 * np.sign(bars.close - bars.open) * (-1) ** self.calls


class CachesBySymbol(_Twin):
    """Keeps its answers for good, by symbol, timeframe and length."""

    caught_by = ("same_every_time",)
    answers: ClassVar[dict[tuple[str, str, int], Any]] = {}

    def _scan(self, bars: Bars) -> Any:
        key = bars.symbol, str(bars.timeframe), len(bars)
        return self.answers.setdefault(key, 50.0 * np.sign(bars.close - bars.open))


class KeepsBarsOnItself(_Twin):
    """Puts its bars where another thread finds them."""

    caught_by = ("same_every_time",)

    def _scan(self, bars: Bars) -> Any:
        self._bars = bars
        rose = np.sign(self._bars.close - self._bars.open)
        return 50.0 * rose * (self._bars.close > 0)


class ReadsTheClock(_Twin):
    """Says more or less, depending on when it is asked."""

    caught_by = ("same_every_time", "looks_at_bars_only")

    def _scan(self, bars: Bars) -> Any:
        return np.sign(bars.close - bars.open) * (time.perf_counter_ns() % 99 + 1)


class ReadsAFile(_Twin):
    """Looks into a file beside the bars."""

    caught_by = ("looks_at_bars_only",)

    def _scan(self, bars: Bars) -> Any:
        with open(__file__, encoding="utf-8"):
            return 50.0 * np.sign(bars.close - bars.open)


class ChangesItsBars(_Twin):
    """Fills in volumes within the bars that it was handed."""

    caught_by = ("leaves_bars_alone",)

    def _scan(self, bars: Bars) -> Any:
        bars.volume.flags.writeable = True
        bars.volume[bars.volume < bars.volume.mean()] = 0.0
        bars.volume.flags.writeable = False
        return 50.0 * np.sign(bars.close - bars.open)


class FailsOnOddBars(_Twin):
    """Divides by a range that may be nothing, and fails on it."""

    caught_by = ("odd_bars",)

    def _scan(self, bars: Bars) -> Any:
        with np.errstate(divide="raise", invalid="raise"):
            return 50.0 * (bars.close - bars.open) / (bars.high - bars.low)


class UnknownVolumeIsNone(_Twin):
    """Takes volume that is not known for volume that is low."""

    caught_by = ("unknown_volume",)
    mirror = None
    mirror_reason = "volume has no direction"

    def _scan(self, bars: Bars) -> Any:
        with np.errstate(invalid="ignore"):
            burst = bars.volume > 1.2 * bars.ind.sma(5, of="volume")
        return np.where(burst, 50.0, 0.0)


class OnlyPercentages(_Twin):
    """Says that it has an arithmetic mirror, and buys dips of a fixed size alone."""

    caught_by = ("mirror",)

    def _scan(self, bars: Bars) -> Any:
        move = np.diff(bars.close, prepend=bars.close[:1])
        return np.where(move < 0, 50.0, np.where(move > 3 * bars.ind.atr(14), -50.0, 0.0))


class SaysNothing(_Twin):
    """Never fires, so that nothing can be said of it."""

    caught_by = ("fires",)

    def _scan(self, bars: Bars) -> Any:
        return np.zeros(len(bars))


def broken_detectors() -> tuple[SignalDetector, ...]:
    """Give one of each broken detector; its ``caught_by`` names the checks that must refuse it.

    Returns
    -------
    tuple of SignalDetector
        Wrong on purpose.

    Examples
    --------
    >>> next(d.caught_by for d in broken_detectors() if type(d).__name__ == "SaysNothing")
    ('fires',)
    """
    return tuple(kind() for kind in _Twin.__subclasses__())
