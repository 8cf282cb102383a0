"""From when on a detector can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .bars import Bars
from .calendar import calendar_for
from .columns import Bool
from .lines import Need

if TYPE_CHECKING:
    from .detector import SignalDetector

Touched = dict[Any, Need]


def readiness(detector: SignalDetector, bars: Bars, touched: Touched) -> Bool:
    """Tell at which bars history is long enough, as far as bars alone can tell.

    Parameters
    ----------
    detector : SignalDetector
        Its look-back counts where it says one.
    bars : Bars
        At least one.
    touched : dict
        What the indicators need that it asked for.

    Returns
    -------
    ndarray of bool, shape (n,)
        From the look-back on; after a gap anew, where an indicator is recursive; not in a
        session that is seen from the middle, where the detector is anchored in it.
    """
    rows = np.arange(len(bars))
    needs = detector.lookback or max((need.lookback for need in touched.values()), default=1)
    ready = rows + 1 >= needs
    recursive = [need.lookback for need in touched.values() if need.recursive]
    if recursive:
        since_gap = rows - np.maximum.accumulate(np.where(bars.gap_before, rows, 0))
        ready &= since_gap + 1 >= (detector.lookback or max(recursive))
    if detector.anchor == "session":
        opens = calendar_for(bars.calendar).opens
        whole = bars.time[0] <= opens[bars.session[0]] or bars.session[0] < 0
        ready &= whole | (bars.session != bars.session[0])
    return ready


def tell(detector: SignalDetector, bars: Bars, touched: Touched) -> None:
    """Tell whoever watches what was needed: a detector made of others needs what they need.

    Parameters
    ----------
    detector : SignalDetector
        Which looked at the bars.
    bars : Bars
        What it was handed; watched when another detector asked it.
    touched : dict
        What the indicators need that it asked for.
    """
    if bars._touched is None:
        return
    if detector.lookback:
        recursive = any(need.recursive for need in touched.values())
        touched = {detector.source_method: Need(detector.lookback, recursive)}
    bars._touched.update(touched)
