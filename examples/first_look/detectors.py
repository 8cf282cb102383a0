"""Four detectors of four families, written as you would write yours."""

from __future__ import annotations

import numpy as np

from tradekit import SignalDetector, SignalType, crossed_above, crossed_below


class RsiReversal(SignalDetector):
    """RSI(14) crosses back above 30 (bullish) or below 70 (bearish)."""

    signal_type, family = SignalType.MEAN_REVERSION, "reversion"

    def _scan(self, bars):
        rsi = bars.ind.rsi(14)
        return 60.0 * crossed_above(rsi, 30) - 60.0 * crossed_below(rsi, 70)


class RangeBreak(SignalDetector):
    """The close leaves the range of the 20 bars before it."""

    signal_type, family = SignalType.BREAKOUT, "breakout"

    def _scan(self, bars):
        upper, lower = bars.ind.donchian(20)
        return 55.0 * crossed_above(bars.close, upper) - 55.0 * crossed_below(bars.close, lower)


class MacdCross(SignalDetector):
    """MACD(12, 26, 9) crosses its signal line."""

    signal_type, family = SignalType.TREND, "trend"

    def _scan(self, bars):
        macd = bars.ind.macd()
        up, down = crossed_above(macd.macd, macd.signal), crossed_below(macd.macd, macd.signal)
        return 50.0 * up - 50.0 * down


class VolumeBurst(SignalDetector):
    """Three deviations more volume than usual, in the direction of the bar."""

    signal_type, family = SignalType.VOLUME, "volume"

    def _scan(self, bars):
        burst = bars.ind.zscore(50, of="volume")
        side = np.sign(bars.close - bars.open)
        return np.where(np.isnan(burst), np.nan, np.where(burst > 3, 50.0 * side, 0.0))


FOUR = (RsiReversal(), RangeBreak(), MacdCross(), VolumeBurst())
