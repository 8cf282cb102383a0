"""Candlesticks: what one or two bars look like, after a rise or a fall."""

from __future__ import annotations

import numpy as np

from .._core.bars import Bars
from .._core.columns import Bool, Float
from .._core.signal import SignalType
from ._strength import before, scored, usual_range
from ._window import WindowDetector

# Bars of the average that tells whether prices have fallen or risen so far.
_COURSE = 10


class Engulfing(WindowDetector):
    """A large body swallows the one before it, of the other colour, after a fall or a rise.

    Notes
    -----
    Bullish: the bar before closed below its open and below the average of its last 10 closes;
    this one opens at its close or lower, and closes above its open, with a body of at least half
    a usual range. Bearish the other way round. The larger the body, in usual ranges, the higher
    the score. Nison, *Japanese Candlestick Charting Techniques* (1991). Marshall, Young and Rose
    (2006) found no profit in candlesticks on thirty stocks: take them as votes, not as proof.

    Examples
    --------
    >>> Engulfing().source_method
    'Engulfing/1'
    """

    signal_type, family = SignalType.CANDLESTICK, "candlestick"

    def _scan(self, bars: Bars) -> Float:
        size = (bars.close - bars.open) / usual_range(bars)
        opened, closed = before(bars.open), before(bars.close)
        fell, rose = _course(bars)
        up = fell & (closed < opened) & (bars.open <= closed) & (bars.close > opened)
        down = rose & (closed > opened) & (bars.open >= closed) & (bars.close < opened)
        return scored(up & (size >= 0.5), down & (size <= -0.5), size)


class Hammer(WindowDetector):
    """A hammer, a long shadow below a small body after a fall; or a shooting star, its opposite.

    Notes
    -----
    Bullish: the bar before closed below the average of its last 10 closes; this one ranges at
    least as far as usual, its lower shadow is at least twice its body and its upper shadow at most
    a tenth of its range. Bearish, the shooting star, the other way round. The longer the shadow,
    in usual ranges, the higher the score. Nison, *Japanese Candlestick Charting Techniques*
    (1991). One bar says little; see `Engulfing` for what is known about candlesticks.

    Examples
    --------
    >>> Hammer().source_method
    'Hammer/1'
    """

    signal_type, family = SignalType.CANDLESTICK, "candlestick"

    def _scan(self, bars: Bars) -> Float:
        top, bottom = np.maximum(bars.open, bars.close), np.minimum(bars.open, bars.close)
        body, span = top - bottom, bars.high - bars.low
        above, below, usual = bars.high - top, bottom - bars.low, usual_range(bars)
        fell, rose = _course(bars)
        hammer = fell & (span >= usual) & (below >= 2 * body) & (above <= span / 10)
        star = rose & (span >= usual) & (above >= 2 * body) & (below <= span / 10)
        return scored(hammer, star, np.maximum(above, below) / usual)


def _course(bars: Bars) -> tuple[Bool, Bool]:
    """Whether prices had fallen, or risen, one bar ago."""
    away = before(bars.close - bars.ind.sma(_COURSE))
    return away < 0, away > 0
