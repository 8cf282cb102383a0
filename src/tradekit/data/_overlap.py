"""Does an answer fit what was answered before? If not, the same bars jump."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from .._core.answers import source_name
from .._core.bars import Bars
from .._core.columns import Bool, Float, Int
from .._core.errors import SourceError
from .._core.source import DataSource
from ._known import Known

_ENOUGH = 3  # bars, of which one or two may have been corrected
TAPES = 0.01  # as a fraction of the price: so far two tapes may lie apart
_EVEN = 0.005  # the same of each bar's ratio, where all were adjusted by one
_DIVIDEND = 0.95  # what the largest leave of a price, but for a few; splits leave less
_PRICES = "close", "open", "high", "low"


def jump(source: DataSource, known: Known, bars: Bars, now: datetime) -> SourceError | None:
    """Say that an answer lies far from what is known of the same bars, where that cannot be.

    Settled bars do not change, but for adjusted prices when a session has begun: by what a dividend
    leaves of them, all by the same. A split does so too, and looks like an error of unit: another
    source, or the same once more, must tell it.

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
    found = _apart(known, bars, now)
    if found is None:
        return None
    (price, ratio), name = found, source_name(source)
    return SourceError(
        f"{name} contradicts what is known of {bars.symbol}",
        expected=f"the prices that {known.bars.source} told before",
        got=f"{price} prices {ratio:.3g} times as high",
        source=name,
        symbol=bars.symbol,
        fault="jump",
    )


def told_before(known: Known, fresh: Bars) -> Bool:
    """Find the bars that were told before, at the same prices but for what two tapes differ by.

    Parameters
    ----------
    known : Known
        Of whatever source.
    fresh : Bars
        Of the same symbol, timeframe and adjustment.

    Returns
    -------
    ndarray of bool
        A value a bar.
    """
    _, mine, theirs = _common(known, fresh)
    told = np.zeros(len(fresh), dtype=bool)
    told[theirs] = np.all(
        [np.abs(_ratios(known, fresh, price, mine, theirs) - 1) < TAPES for price in _PRICES],
        axis=0,
    )
    return told


def _apart(known: Known, fresh: Bars, now: datetime) -> tuple[str, float] | None:
    """Which price lies apart from what is known, in the median, and how many times."""
    _, mine, theirs = _common(known, fresh)
    if len(mine) < _ENOUGH:
        return None
    # Of adjusted prices that were kept on disk nobody knows since when they were told.
    is_adjusted = known.bars.adjustment != "raw"
    may_change = (is_adjusted and bool(known.covered)) or known.may_be_adjusted_since(now)
    # Who sees fewer trades sees highs that are lower: by the width of a bar at most.
    width = float(np.median(known.bars.high[mine] / known.bars.low[mine])) - 1
    for price in _PRICES:
        ratios = _ratios(known, fresh, price, mine, theirs)
        ratio = float(np.median(ratios))
        allowed = TAPES if price == "close" else TAPES + width
        if abs(ratio - 1) >= allowed and not (may_change and _is_dividend(ratios, ratio)):
            return price, ratio
    return None


def _common(known: Known, fresh: Bars) -> tuple[Int, Int, Int]:
    return np.intersect1d(known.bars.time, fresh.time, True, True)


def _ratios(known: Known, fresh: Bars, price: str, mine: Int, theirs: Int) -> Float:
    return np.asarray(getattr(fresh, price)[theirs] / getattr(known.bars, price)[mine])


def _is_dividend(ratios: Float, ratio: float) -> bool:
    return _DIVIDEND <= ratio < 1 and bool(np.abs(ratios / ratio - 1).max() < _EVEN)
