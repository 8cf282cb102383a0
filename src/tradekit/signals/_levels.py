"""Levels: prices come back to where they turned before."""

from __future__ import annotations

import numpy as np

from .._core.bars import Bars
from .._core.columns import Float
from .._core.signal import SignalType
from ._settings import number, whole
from ._strength import before, scored, usual_range
from ._window import WindowDetector


class LevelBounce(WindowDetector):
    """Prices dip to support and close above it (bullish), or rise to resistance and close below.

    Parameters
    ----------
    span : int
        Bars on both sides that a turning point must stand out from.
    age : int
        Bars for which it counts after it is known.
    reach : float
        How close prices must come, 0 to 2 usual ranges.

    Notes
    -----
    Support is the newest turning point below that was known before the bar, known `span` bars
    after it happened. Fires where the low comes within `reach` of it, the low before had not, and
    the close is beyond that reach again. Resistance likewise, of highs. The further the close is
    from the bar's low, or high, in usual ranges, the higher the score. Osler (2000) found that
    published levels do stop exchange rates more often than chance. A level that is touched often
    gives way in the end.

    Examples
    --------
    >>> LevelBounce().source_method
    'LevelBounce(span=5, age=60, reach=0.25)/1'
    """

    signal_type, family = SignalType.LEVEL, "level"

    def __init__(self, *, span: int = 5, age: int = 60, reach: float = 0.25) -> None:
        self.span, self.age = whole(self, "span", span, 1), whole(self, "age", age, 1)
        self.reach, self._window = number(self, "reach", reach, 0, 2), age + 2 * span + 2

    def _scan(self, bars: Bars) -> Float:
        usual, pivots = usual_range(bars), bars.ind.pivots(self.span, self.span)
        support = self._standing(pivots.low) + self.reach * usual
        resistance = self._standing(pivots.high) - self.reach * usual
        up = (before(bars.low) > support) & (bars.low <= support) & (bars.close > support)
        down = (before(bars.high) < resistance) & (bars.high >= resistance)
        down &= bars.close < resistance
        return scored(up, down, np.where(up, bars.close - bars.low, bars.high - bars.close) / usual)

    def _standing(self, level: Float) -> Float:
        """The newest level that was known one bar ago; NaN where none is young enough."""
        row = np.arange(len(level))
        newest = np.maximum.accumulate(np.where(np.isnan(level), -1, row))
        standing = (newest >= 0) & (row - newest <= self.age)
        return before(np.where(standing, level[newest], np.nan))
