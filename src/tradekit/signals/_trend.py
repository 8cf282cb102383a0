"""Trend: prices begin to go one way."""

from __future__ import annotations

from .._core.bars import Bars
from .._core.columns import Float
from .._core.crossings import crossed_above, crossed_below
from .._core.detector import SignalDetector
from .._core.signal import SignalType
from ._settings import number, speeds, whole
from ._strength import before, scored, usual_range


class EmaCross(SignalDetector):
    """A fast exponential average crosses above (bullish) or below (bearish) a slow one.

    Parameters
    ----------
    fast, slow : int
        Periods of the two averages, in bars; fast below slow.

    Notes
    -----
    Fires where ``ema(fast) - ema(slow)`` changes its sign. The faster it does, in fifths of a
    usual range a bar, the higher the score. The oldest of trading rules; Brock, Lakonishok and
    LeBaron (1992) tested it on a century of prices. It is late by design, and wrong again and
    again where prices go sideways.

    Examples
    --------
    >>> EmaCross().source_method
    'EmaCross(fast=9, slow=21)/1'
    """

    signal_type, family = SignalType.TREND, "trend"

    def __init__(self, *, fast: int = 9, slow: int = 21) -> None:
        self.fast, self.slow = speeds(self, fast, slow)

    def _scan(self, bars: Bars) -> Float:
        lead = bars.ind.ema(self.fast) - bars.ind.ema(self.slow)
        pace = (lead - before(lead)) / usual_range(bars)
        return scored(crossed_above(lead, 0.0), crossed_below(lead, 0.0), 5.0 * pace)


class AdxTrend(SignalDetector):
    """The ADX rises above its threshold: a trend begins, the way that the DI lines lean.

    Parameters
    ----------
    period : int
        Of the directional indices and of their average, in bars.
    threshold : float
        What the ADX has to cross, 5 to 60; Wilder's trends begin at 25.

    Notes
    -----
    Fires where ``adx(period)`` crosses above ``threshold``: bullish if ``+DI > -DI``, else
    bearish. The further the two lie apart, in units of 25, the higher the score. Wilder, *New
    Concepts in Technical Trading Systems* (1978). An average of an average: a short trend is over
    when it speaks.

    Examples
    --------
    >>> AdxTrend(threshold=20).source_method
    'AdxTrend(period=14, threshold=20.0)/1'
    """

    signal_type, family = SignalType.TREND, "trend"

    def __init__(self, *, period: int = 14, threshold: float = 25.0) -> None:
        self.period = whole(self, "period", period, 2)
        self.threshold = number(self, "threshold", threshold, 5, 60)

    def _scan(self, bars: Bars) -> Float:
        plus, minus = bars.ind.di(self.period)
        begins = crossed_above(bars.ind.adx(self.period), self.threshold)
        return scored(begins * (plus > minus), begins * (plus < minus), (plus - minus) / 25.0)
