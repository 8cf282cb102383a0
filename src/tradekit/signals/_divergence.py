"""Divergence: prices go further, and their momentum does not."""

from __future__ import annotations

import numpy as np

from .._core.bars import Bars
from .._core.columns import Float
from .._core.signal import SignalType
from ._settings import whole
from ._strength import scored
from ._window import WindowDetector


class RsiDivergence(WindowDetector):
    """A lower low with a higher RSI (bullish), or a higher high with a lower RSI (bearish).

    Parameters
    ----------
    period : int
        Of the RSI, in bars.
    span : int
        Bars on both sides that a turning point must stand out from.
    apart : int
        Bars that may lie between the two turning points.

    Notes
    -----
    Compares each turning point with the one before of its kind, and their RSI. A turning point is
    known `span` bars after it happened, and not before: there it fires, and nothing is ever drawn
    back into the past. The further apart the two RSI, in tens, the higher the score. Wilder, *New
    Concepts in Technical Trading Systems* (1978). In a strong trend, divergence follows divergence
    before prices turn, if they do.

    Examples
    --------
    >>> RsiDivergence().source_method
    'RsiDivergence(period=14, span=5, apart=60)/1'
    """

    signal_type, family = SignalType.DIVERGENCE, "divergence"

    def __init__(self, *, period: int = 14, span: int = 5, apart: int = 60) -> None:
        self.period, self.span = whole(self, "period", period, 2), whole(self, "span", span, 1)
        self.apart = whole(self, "apart", apart, span + 1)
        # The RSI of the older turning point must be as good as that of the newer one.
        self._window = max(10 * period, span + 1) + span + apart

    def _scan(self, bars: Bars) -> Float:
        rsi, pivots = bars.ind.rsi(self.period), bars.ind.pivots(self.span, self.span)
        up, down = self._lag(-pivots.low, -rsi), self._lag(pivots.high, rsi)
        return scored(up > 0, down > 0, np.where(up > 0, up, down) / 10.0 + 0.0 * rsi)

    def _lag(self, high: Float, rsi: Float) -> Float:
        """How much lower the RSI is at a higher high; 0 where there is none."""
        lower, row = np.zeros(len(rsi)), np.flatnonzero(~np.isnan(high))
        before, now = row[:-1], row[1:]
        further = (high[now] > high[before]) & (now - before <= self.apart)
        fall = rsi[before - self.span] - rsi[now - self.span]
        lower[now] = np.where(further, np.maximum(fall, 0.0), 0.0)
        return lower
