"""How strong an event is: what all detectors share when they turn it into a score."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .._core.bars import Bars
from .._core.columns import Float

_WEAKEST, _STRONGEST = 40.0, 80.0
# A market that stands still has no range; a size in ranges needs one all the same.
LEAST_RANGE = 1e-4


def scored(up: npt.ArrayLike, down: npt.ArrayLike, clarity: Float) -> Float:
    """Give events their scores: from 40 for one that barely is, towards 80 for a clear one.

    Parameters
    ----------
    up, down : array_like of bool or float, shape (n,)
        Where something bullish or bearish happens; NaN where that is not known.
    clarity : ndarray of float64, shape (n,)
        How clear it is, in any unit of which 1 is usual; only its size counts.

    Returns
    -------
    ndarray of float64, shape (n,)
        0 where nothing happens, NaN where anything is not known.

    Notes
    -----
    ``80 - 40 / (1 + clarity)``: 40 at 0, 60 at 1, 70 at 3. A heuristic, not a probability.

    Examples
    --------
    >>> scored([True, False, False], [False, True, False], np.array([1.0, 3.0, 9.0]))
    array([ 60., -70.,   0.])
    """
    side = np.subtract(up, down, dtype=np.float64)
    size = _STRONGEST - (_STRONGEST - _WEAKEST) / (1.0 + np.abs(clarity))
    return np.asarray(side * size)


def usual_range(bars: Bars) -> Float:
    """Tell how far apart high and low usually are: the unit that events are measured in.

    Parameters
    ----------
    bars : Bars
        What to look at.

    Returns
    -------
    ndarray of float64, shape (n,)
        Price, at least a ten-thousandth of the close; known from row 13 on.

    Notes
    -----
    Average of ``high - low`` over 14 bars, the current one among them. Unlike the average true
    range it forgets: two windows agree on it to the last digits.

    Examples
    --------
    >>> time, p = np.arange(20) * 60 * 10**9, np.full(20, 10.0)
    >>> usual_range(Bars("X", "1Min", time, p, p + 1, p - 1, p, p, calendar="24/7"))[-1]
    np.float64(2.0)
    """
    mean = bars.ind.sma(14, of="high") - bars.ind.sma(14, of="low")
    return np.maximum(mean, bars.close * LEAST_RANGE)


def before(line: npt.ArrayLike) -> Float:
    """Give each bar what was known one bar ago.

    Parameters
    ----------
    line : array_like of float, shape (n,)
        A line of the bars.

    Returns
    -------
    ndarray of float64, shape (n,)
        Moved on by a bar; NaN at the first.

    Examples
    --------
    >>> before([1.0, 2.0, 3.0])
    array([nan,  1.,  2.])
    """
    return np.append(np.nan, np.asarray(line)[:-1])
