"""One asset as it is followed: which bars were seen, and what its model said last."""

from __future__ import annotations

from copy import copy

import attrs
import numpy as np

from .._core.analysis import RegimeAnalysis
from .._core.bar import Bar
from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.columns import Float
from .._core.faults import PRICES
from .._core.regime import RegimeModel

# Corrections and rounding are smaller; a history that differs by more is another one.
_SAME = 1e-4
# A trading halt leaves a few bars out; where more are missing, nobody handed them in.
_HALT = 5


@attrs.frozen
class Asset:
    """One asset's model and what it has seen; a value, so that a failure leaves no half.

    Parameters
    ----------
    model : RegimeModel
        Fed with the bars so far.
    seen : Bars
        The last window that was handed in.
    said : RegimeAnalysis
        Of the last bar.
    scale : float
        What prices are multiplied by, so that they go on at the level at which they began.
    """

    model: RegimeModel
    seen: Bars
    said: RegimeAnalysis
    scale: float = 1.0


@attrs.frozen
class Progress:
    """What came of new bars.

    Parameters
    ----------
    asset : Asset
        As it is now.
    news : tuple of RegimeAnalysis
        One for each bar that was new.
    restart : str
        Why the asset was begun anew; empty when it went on or was new.
    goes_on : bool
        Whether it went on from what was known.
    """

    asset: Asset
    news: tuple[RegimeAnalysis, ...]
    restart: str = ""
    goes_on: bool = False


def follow(asset: Asset | None, bars: Bars, model: RegimeModel) -> Progress:
    """Take the bars that are newer than the last one seen, or begin anew.

    Parameters
    ----------
    asset : Asset, optional
        As it was left.
    bars : Bars
        Complete ones, at least one.
    model : RegimeModel
        What to begin with; a copy of it is fed.

    Returns
    -------
    Progress
        A new asset, and what its model said.
    """
    if asset is None:
        return _begin(bars, model)
    if restart := _break(asset.seen, bars):
        return attrs.evolve(_begin(bars, model), restart=restart)
    change = _rescaled(asset.seen, bars)
    scale, fed = asset.scale / change, copy(asset.model)
    newer = bars[int(np.searchsorted(bars.time, asset.seen.time[-1], side="right")) :]
    news = tuple(fed.update(_at(bar, scale)) for bar in newer)
    last = news[-1] if news else asset.said
    return Progress(Asset(fed, bars, last, scale), news, goes_on=True)


def _begin(bars: Bars, model: RegimeModel) -> Progress:
    fed = copy(model)  # its past is a value that is replaced, never changed
    news = tuple(fed.update(bar) for bar in bars)
    return Progress(Asset(fed, bars, news[-1]), news)


def _break(seen: Bars, bars: Bars) -> str:
    """Why bars do not go on from those that were seen."""
    if bars.timeframe != seen.timeframe:
        return f"its bars are {bars.timeframe} now, and were {seen.timeframe}"
    if bars.time[-1] < seen.time[-1]:
        return "its last bar is older than the one before: it went back in time"
    if _is_apart(seen, bars):
        return f"more than {_HALT} bars are missing since the last one seen: longer windows help"
    ratios = _ratios(seen, bars)
    # One bar alone cannot tell another scale from another price.
    moved = ratios.size == 1 and abs(ratios[0] - 1) > _SAME
    if moved or (ratios.size and np.ptp(ratios) > _SAME * ratios.min()):
        return "closes that were seen have changed: its history was rewritten"
    return ""


def _is_apart(seen: Bars, bars: Bars) -> bool:
    """Whether the windows leave bars out between them that the exchange must have seen."""
    due = calendar_for(bars.calendar).later(int(seen.close_time[-1]), seen.timeframe, _HALT + 1)
    return int(bars.close_time[0]) > due


def _rescaled(seen: Bars, bars: Bars) -> float:
    """How many times as high the same closes are now: a split or a dividend moves them all."""
    ratios = _ratios(seen, bars)
    moved = ratios.size and abs(ratios[-1] - 1) > _SAME
    return float(ratios[-1]) if moved else 1.0


def _ratios(seen: Bars, bars: Bars) -> Float:
    _, old, new = np.intersect1d(seen.time, bars.time, assume_unique=True, return_indices=True)
    return bars.close[new] / seen.close[old]


def _at(bar: Bar, scale: float) -> Bar:
    if scale == 1.0:
        return bar
    return attrs.evolve(bar, **{name: getattr(bar, name) * scale for name in PRICES})
