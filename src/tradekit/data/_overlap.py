"""Does an answer fit what was answered before? If not, the same bars jump."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from .._core.answers import source_name
from .._core.bars import Bars
from .._core.columns import Float
from .._core.errors import SourceError
from .._core.source import DataSource
from ._known import Known

_ENOUGH = 3  # bars, of which one or two may have been corrected
_TAPES = 0.01  # as a fraction of the price: so far two tapes may lie apart
_EVEN = 0.005  # the same of each bar's ratio, where all were adjusted by one
_REVERSE = 1.2  # a reverse split of 5 for 6; hardly any is smaller


def jump(source: DataSource, known: Known, bars: Bars, now: datetime) -> SourceError | None:
    """Say that an answer lies far from what is known of the same bars, where that cannot be.

    Settled bars do not change, but for adjusted prices when a session has begun: by what a split or
    a dividend leaves of them, all by the same.

    Parameters
    ----------
    source : DataSource
        Who answered.
    known : Known
        Of whatever source.
    bars : Bars
        The answer, of the same symbol, timeframe and adjustment.
    now : datetime
        Aware.

    Returns
    -------
    SourceError or None
        Carries ``fault="jump"``; None where they fit, or where that cannot be told. Who of the two
        is wrong, only a third answer can tell.
    """
    ratio = _apart(known, bars, now)
    if ratio is None:
        return None
    name = source_name(source)
    return SourceError(
        f"{name} contradicts what is known of {bars.symbol}",
        expected=f"the closes that {known.bars.source} told before",
        got=f"closes {ratio:.3g} times as high",
        source=name,
        symbol=bars.symbol,
        fault="jump",
    )


def _apart(known: Known, fresh: Bars, now: datetime) -> float | None:
    """The median of fresh over known closes, where it should not be what it is."""
    _, mine, theirs = np.intersect1d(known.bars.time, fresh.time, True, True)
    if len(mine) < _ENOUGH:
        return None
    ratios = fresh.close[theirs] / known.bars.close[mine]
    ratio = float(np.median(ratios))
    if abs(ratio - 1) < _TAPES:
        return None
    # Of adjusted prices that were kept on disk nobody knows since when they were told.
    is_adjusted = known.bars.adjustment != "raw"
    may_change = (is_adjusted and bool(known.covered)) or known.may_be_adjusted_since(now)
    return None if may_change and _by_one_factor(ratios, ratio) else ratio


def _by_one_factor(ratios: Float, ratio: float) -> bool:
    even = bool(np.abs(ratios / ratio - 1).max() < _EVEN)
    return even and (ratio < 1 or ratio > _REVERSE)
