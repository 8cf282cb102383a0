"""Gaps: a session opens away from where the one before closed."""

from __future__ import annotations

import numpy as np

from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.columns import Float
from .._core.detector import SignalDetector
from .._core.signal import SignalType
from ._settings import number
from ._strength import LEAST_RANGE, before, scored


class OpeningGap(SignalDetector):
    """A session opens far from the close before, and its first bar goes on that way.

    Parameters
    ----------
    size : float
        How far, 0.1 to 10: in average true ranges of a session.

    Notes
    -----
    ``(open - close of the session before) / (atr(14) * sqrt(n))``, with the average true range of
    the bar before (at least a ten-thousandth of its close), and ``n`` bars in a session: 1 for
    days and weeks, 78 for 5-minute bars of New York, since a random walk spreads by the square root
    of time. Fires at the first bar of a session where that is beyond `size` and the bar closes
    further the same way. The larger, in halves, the higher the score. Bars outside regular hours
    are passed over. Where bars around the opening are missing it is not known. Gaps that are noise
    are filled within the day.

    Examples
    --------
    >>> OpeningGap().source_method
    'OpeningGap(size=0.5)/1'
    """

    signal_type, family = SignalType.GAP, "gap"

    def __init__(self, *, size: float = 0.5) -> None:
        self.size = number(self, "size", size, 0.1, 10)

    def _scan(self, bars: Bars) -> Float:
        usual = before(np.maximum(bars.ind.atr(14), LEAST_RANGE * bars.close))
        gap = _jumps(bars) / (usual * np.sqrt(_bars_in_session(bars)))
        body = bars.close - bars.open
        up, down = (gap > self.size) & (body > 0), (gap < -self.size) & (body < 0)
        return scored(up, down, 2.0 * (np.abs(gap) - self.size))


def _jumps(bars: Bars) -> Float:
    """How far each session opens from the close before; 0 elsewhere, NaN where not known."""
    jumps, inside = np.zeros(len(bars)), np.flatnonzero(bars.session >= 0)
    jumps[inside[:1]] = np.nan
    last, first = inside[:-1], inside[1:]
    missing = np.diff(np.cumsum(bars.gap_before)[inside]) > 0
    jump = np.where(missing, np.nan, bars.open[first] - bars.close[last])
    jumps[first] = np.where(bars.session[first] != bars.session[last], jump, 0.0)
    return jumps


def _bars_in_session(bars: Bars) -> Float:
    calendar = calendar_for(bars.calendar)
    length = calendar.closes[bars.session] - calendar.opens[bars.session]
    return np.maximum(length / bars.timeframe.ns, 1.0)
