"""Volume: many trade at once."""

from __future__ import annotations

from math import sqrt

from .._core.bars import Bars
from .._core.columns import Float
from .._core.crossings import crossed_above
from .._core.signal import SignalType
from ._settings import number, whole
from ._strength import scored
from ._window import WindowDetector


class VolumeSurge(WindowDetector):
    """Far more volume than usual, in a bar that closes up (bullish) or down (bearish).

    Parameters
    ----------
    period : int
        Bars that say what is usual, the current one among them; at least 10.
    size : float
        How many standard deviations above the average it takes, from 1 to the square root of
        ``period - 1``, which no bar can be beyond.

    Notes
    -----
    Fires where ``(volume - average) / standard deviation`` crosses above `size`: the way from
    the bar's open to its close. The more deviations, the higher the score. Volume carries
    information beside price: Blume, Easley and O'Hara (1994). Intraday, the first and the last
    bars of a session are busy every day; and feeds of one exchange see a few percent of all
    trades. Where the volume is not known, neither is the score.

    Examples
    --------
    >>> VolumeSurge().source_method
    'VolumeSurge(period=50, size=3.0)/1'
    """

    signal_type, family = SignalType.VOLUME, "volume"

    def __init__(self, *, period: int = 50, size: float = 3.0) -> None:
        self.period, self._window = whole(self, "period", period, 10), period + 1
        self.size = number(self, "size", size, 1, sqrt(period - 1))

    def _scan(self, bars: Bars) -> Float:
        busy = bars.ind.zscore(self.period, of="volume")
        surge, body = crossed_above(busy, self.size), bars.close - bars.open
        return scored(surge * (body > 0), surge * (body < 0), busy - self.size)
