"""Momentum: prices gather speed."""

from __future__ import annotations

from math import sqrt

from .._core.bars import Bars
from .._core.columns import Float
from .._core.crossings import crossed_above, crossed_below
from .._core.detector import SignalDetector
from .._core.signal import SignalType
from ._settings import number, speeds, whole
from ._strength import before, scored, usual_range
from ._window import WindowDetector


class MacdCross(SignalDetector):
    """The MACD crosses above (bullish) or below (bearish) its signal line.

    Parameters
    ----------
    fast, slow : int
        Periods of the two exponential averages, in bars; fast below slow.
    signal : int
        Period of the average of their difference, in bars.

    Notes
    -----
    Fires where the histogram, MACD minus signal line, changes its sign. The faster it does, in
    tenths of a usual range a bar, the higher the score. Appel (1979). It measures a change of
    speed, not of direction: in a strong trend the crossings against it are mere pauses.

    Examples
    --------
    >>> MacdCross().source_method
    'MacdCross(fast=12, slow=26, signal=9)/1'
    """

    signal_type, family = SignalType.MOMENTUM, "momentum"

    def __init__(self, *, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        self.fast, self.slow = speeds(self, fast, slow)
        self.signal = whole(self, "signal", signal, 2)

    def _scan(self, bars: Bars) -> Float:
        lead = bars.ind.macd(self.fast, self.slow, self.signal).histogram
        pace = (lead - before(lead)) / usual_range(bars)
        return scored(crossed_above(lead, 0.0), crossed_below(lead, 0.0), 10.0 * pace)


class RocThrust(WindowDetector):
    """Prices move further within some bars than chance would take them: a thrust that way.

    Parameters
    ----------
    period : int
        Bars that the move may take.
    size : float
        How far it must go, 0.5 to 5: in usual ranges times the square root of `period`.

    Notes
    -----
    ``(close - close[period ago]) / (range * sqrt(period))``, with the average range of 14 bars;
    fires where it crosses `size` upwards, or its negative downwards. A random walk spreads by the
    square root of time, and by about 0.6 of its range a bar, so 1.25 are two standard deviations.
    The further it goes beyond `size`, in tenths, the higher the score. Momentum: Jegadeesh and
    Titman (1993). News that is all in the price by then looks the same.

    Examples
    --------
    >>> RocThrust().source_method
    'RocThrust(period=10, size=1.25)/1'
    """

    signal_type, family = SignalType.MOMENTUM, "momentum"

    def __init__(self, *, period: int = 10, size: float = 1.25) -> None:
        self.period, self._window = whole(self, "period", period, 2), period + 2
        self.size = number(self, "size", size, 0.5, 5)

    def _scan(self, bars: Bars) -> Float:
        change = bars.ind.roc(self.period)
        moved = bars.close * change / (100.0 + change)
        thrust = moved / (usual_range(bars) * sqrt(self.period))
        up, down = crossed_above(thrust, self.size), crossed_below(thrust, -self.size)
        return scored(up, down, 10.0 * (abs(thrust) - self.size))
