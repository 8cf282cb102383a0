"""What can be seen in the last closes: trend, movement and time since a high."""

from __future__ import annotations

from math import log, sqrt

import attrs
import numpy as np

from .._core.columns import Float
from .._core.timeframe import Timeframe

MONTH, QUARTER, HALF_YEAR, YEAR = 21, 63, 126, 252
_TRADING_SECONDS = 23_400  # of a session from 9:30 to 16:00
# A daily 0.01 % is no movement; it also keeps a price that stands still from dividing by zero.
_STILL = 1e-4


@attrs.frozen
class Features:
    """What the last closes show, each figure over as many bars as there are.

    Parameters
    ----------
    distance : float
        Logarithm of the last close over its mean.
    deviations : float
        The same in standard deviations of a walk without drift.
    movement : float
        Root mean square of the log returns of a month's bars; never below 0.0001.
    drawdown : float
        Logarithm of the last close over the highest of a year's bars; 0 or less.
    drift : float
        Log return over a quarter's bars.
    age : int
        Bars since the highest close of half a year's bars.

    Notes
    -----
    A driftless walk with a variance of s**2 a bar lies about its own mean of k bars with a variance
    of nearly s**2 * k / 3; s is measured over a quarter.
    """

    distance: float
    deviations: float
    movement: float
    drawdown: float
    drift: float
    age: int


def look(closes: Float, trend: int) -> Features:
    """Look at the closes so far.

    Parameters
    ----------
    closes : ndarray of float64, shape (n,)
        Latest last; at least one.
    trend : int
        Bars of the mean.

    Returns
    -------
    Features
        As of the last one.
    """
    logs = np.log(closes)
    steps = np.diff(logs[-QUARTER - 1 :])
    averaged = closes[-trend:]
    distance = float(logs[-1] - log(averaged.mean()))
    return Features(
        distance,
        distance / (_rms(steps) * sqrt(averaged.size / 3)),
        _rms(steps[-MONTH:]),
        float(logs[-1] - logs[-YEAR:].max()),
        float(steps.sum()),
        int(np.argmax(logs[-HALF_YEAR:][::-1])),
    )


def bars_a_year(timeframe: Timeframe) -> float:
    """Count the bars of a year, by the sessions and hours of US stocks.

    Parameters
    ----------
    timeframe : Timeframe
        Length of a bar.

    Returns
    -------
    float
        252 for daily bars.

    Examples
    --------
    >>> bars_a_year(Timeframe("1Day")), bars_a_year(Timeframe("5Min"))
    (252.0, 19656.0)
    """
    if timeframe.is_intraday:
        return YEAR * max(1.0, _TRADING_SECONDS / timeframe.seconds)
    return float(YEAR) if timeframe.seconds <= 86_400 else 52.0


def _rms(steps: Float) -> float:
    return max(float(np.sqrt(np.mean(steps**2))), _STILL) if steps.size else _STILL
