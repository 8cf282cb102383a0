"""Reversion: prices went too far and come back."""

from __future__ import annotations

from math import sqrt

from .._core.bars import Bars
from .._core.columns import Float
from .._core.crossings import crossed_above, crossed_below
from .._core.detector import SignalDetector
from .._core.signal import SignalType
from ._settings import number, whole
from ._strength import before, scored
from ._window import WindowDetector


class RsiReversal(SignalDetector):
    """The RSI comes back up from oversold (bullish), or back down from overbought (bearish).

    Parameters
    ----------
    period : int
        Of the RSI, in bars.
    oversold : float
        Where oversold ends, 5 to 45; overbought begins at 100 minus it.

    Notes
    -----
    Fires where ``rsi(period)`` crosses above `oversold`, or below ``100 - oversold``. The larger
    that step, in fives of the RSI, the higher the score. Wilder, *New Concepts in Technical
    Trading Systems* (1978). In a strong trend the RSI comes back many times before prices do.

    Examples
    --------
    >>> RsiReversal().source_method
    'RsiReversal(period=14, oversold=30.0)/1'
    """

    signal_type, family = SignalType.MEAN_REVERSION, "reversion"

    def __init__(self, *, period: int = 14, oversold: float = 30.0) -> None:
        self.period = whole(self, "period", period, 2)
        self.oversold = number(self, "oversold", oversold, 5, 45)

    def _scan(self, bars: Bars) -> Float:
        rsi = bars.ind.rsi(self.period)
        up, down = crossed_above(rsi, self.oversold), crossed_below(rsi, 100.0 - self.oversold)
        return scored(up, down, (rsi - before(rsi)) / 5.0)


class BollingerReversal(WindowDetector):
    """The close comes back between Bollinger's bands, from below (bullish) or above (bearish).

    Parameters
    ----------
    period : int
        Bars of the average and of the standard deviation, at least 5.
    width : float
        Standard deviations from the middle to a band, from 0.5 to the square root of
        ``period - 1``, which no close can be beyond.

    Notes
    -----
    ``z = (close - sma(period)) / stdev(period)``; fires where ``z`` crosses above ``-width``, or
    below ``width``. The larger that step of ``z``, the higher the score. Bollinger, *Bollinger on
    Bollinger Bands* (2001), who warns that a close outside is as often the beginning of a trend:
    then this comes back too early.

    Examples
    --------
    >>> BollingerReversal().source_method
    'BollingerReversal(period=20, width=2.0)/1'
    """

    signal_type, family = SignalType.MEAN_REVERSION, "reversion"

    def __init__(self, *, period: int = 20, width: float = 2.0) -> None:
        self.period, self._window = whole(self, "period", period, 5), period + 1
        self.width = number(self, "width", width, 0.5, sqrt(period - 1))

    def _scan(self, bars: Bars) -> Float:
        z = bars.ind.zscore(self.period)
        return scored(crossed_above(z, -self.width), crossed_below(z, self.width), z - before(z))
