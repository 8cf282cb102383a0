"""Breakout: prices leave the range that held them."""

from __future__ import annotations

import numpy as np

from .._core.bars import Bars
from .._core.columns import Float
from .._core.crossings import crossed_above, crossed_below
from .._core.detector import SignalDetector
from .._core.signal import SignalType
from ._settings import number, whole
from ._strength import before, scored, usual_range
from ._window import WindowDetector


class DonchianBreakout(WindowDetector):
    """The close leaves the range of the bars before it, upwards (bullish) or downwards (bearish).

    Parameters
    ----------
    period : int
        Bars whose highest high and lowest low are the range; the current one is not among them.

    Notes
    -----
    Fires where the close crosses above the upper line of ``donchian(period)``, or below the lower
    one; further closes outside in a row are no news. The further outside, in usual ranges, the
    higher the score. Donchian's four-week rule; the Turtles traded it with 20 and 55 days. Most
    breaks of a quiet range come to nothing; the few that do not must pay for them.

    Examples
    --------
    >>> DonchianBreakout(period=55).source_method
    'DonchianBreakout(period=55)/1'
    """

    signal_type, family = SignalType.BREAKOUT, "breakout"

    def __init__(self, *, period: int = 20) -> None:
        self.period, self._window = whole(self, "period", period, 2), period + 2

    def _scan(self, bars: Bars) -> Float:
        upper, lower = bars.ind.donchian(self.period)
        up, down = crossed_above(bars.close, upper), crossed_below(bars.close, lower)
        beyond = np.where(up > 0, bars.close - upper, lower - bars.close)
        return scored(up, down, 2.0 * beyond / usual_range(bars))


class SqueezeBreakout(SignalDetector):
    """After a squeeze, Bollinger's bands within Keltner's, the close leaves the bands.

    Parameters
    ----------
    period : int
        Bars of all averages, at least 5.
    width : float
        Standard deviations from the middle to one of Bollinger's bands, 0.5 to 4.
    reach : float
        Average true ranges from the middle to one of Keltner's, 0.5 to 4.

    Notes
    -----
    A bar is squeezed when ``width * stdev(period) < reach * atr(period)``. Fires where the close
    crosses Bollinger's bands of the bar before, and that bar was squeezed: bullish above them,
    bearish below. The further outside, in usual ranges, the higher the score. Carter, *Mastering
    the Trade* (2005). Quiet tells that a move may come, not which way: the first is often false.

    Examples
    --------
    >>> SqueezeBreakout().source_method
    'SqueezeBreakout(period=20, width=2.0, reach=1.5)/1'
    """

    signal_type, family = SignalType.BREAKOUT, "breakout"

    def __init__(self, *, period: int = 20, width: float = 2.0, reach: float = 1.5) -> None:
        self.period = whole(self, "period", period, 5)
        self.width = number(self, "width", width, 0.5, 4)
        self.reach = number(self, "reach", reach, 0.5, 4)

    def _scan(self, bars: Bars) -> Float:
        bands = bars.ind.bollinger(self.period, self.width)
        room = self.reach * bars.ind.atr(self.period) - (bands.upper - bands.middle)
        upper, lower, room = before(bands.upper), before(bands.lower), before(room)
        squeezed = np.where(np.isnan(room), np.nan, room > 0)
        up, down = crossed_above(bars.close, upper), crossed_below(bars.close, lower)
        beyond = np.where(up > 0, bars.close - upper, lower - bars.close)
        return scored(up * squeezed, down * squeezed, 2.0 * beyond / usual_range(bars))
