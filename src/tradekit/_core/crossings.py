"""Where one line crosses another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .columns import Float
from .errors import UsageError


def crossed_above(line: npt.ArrayLike, level: npt.ArrayLike) -> Float:
    """Tell at which bars a line has just come above a level or another line.

    Parameters
    ----------
    line, level : ndarray of float, shape (n,), or float
        At least one of them an array; a number is a level that stays.

    Returns
    -------
    ndarray of float64, shape (n,)
        1.0 where the line was at or below the level one bar ago and is above it now, else 0.0;
        NaN where either is not known now or one bar ago, so always at the first bar.

    Raises
    ------
    UsageError
        When neither is an array, or their lengths differ.

    Notes
    -----
    Touching is not crossing, and a line that leaves a level it sat on has crossed it.

    Examples
    --------
    >>> crossed_above([29.0, 30.0, 31.0, 32.0], 30)
    array([nan,  0.,  1.,  0.])
    """
    line, level = _aligned(line, level)
    crossed = np.full(line.shape, np.nan)
    known = ~np.isnan(line) & ~np.isnan(level)
    came = (line[1:] > level[1:]) & (line[:-1] <= level[:-1])
    crossed[1:] = np.where(known[1:] & known[:-1], came, np.nan)
    return crossed


def crossed_below(line: npt.ArrayLike, level: npt.ArrayLike) -> Float:
    """Tell at which bars a line has just come below a level or another line.

    Parameters
    ----------
    line, level : ndarray of float, shape (n,), or float
        At least one of them an array; a number is a level that stays.

    Returns
    -------
    ndarray of float64, shape (n,)
        1.0 where the line was at or above the level one bar ago and is below it now, else 0.0;
        NaN where either is not known now or one bar ago, so always at the first bar.

    Raises
    ------
    UsageError
        When neither is an array, or their lengths differ.

    Examples
    --------
    >>> crossed_below([71.0, 70.0, 69.0, 68.0], 70)
    array([nan,  0.,  1.,  0.])
    """
    return crossed_above(level, line)


def _aligned(line: npt.ArrayLike, level: npt.ArrayLike) -> tuple[Float, Float]:
    pair = np.asarray(line, dtype=np.float64), np.asarray(level, dtype=np.float64)
    shapes = {side.shape for side in pair if side.ndim}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
        raise UsageError(
            "these cannot cross",
            expected="an array and a number, or two arrays of one length",
            got=f"shapes {pair[0].shape} and {pair[1].shape}",
            hint="take both from the same bars",
        )
    one, other = np.broadcast_arrays(*pair)
    return one, other
