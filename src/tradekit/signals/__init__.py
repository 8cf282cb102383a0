"""Signals: detectors that look at bars, a family in each file, and their aggregate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._core.lazy import front

if TYPE_CHECKING:
    from ._aggregator import MultiSourceSignalAggregator as MultiSourceSignalAggregator
    from ._aggregator import aggregate_signals as aggregate_signals
    from ._answer import AggregatedSignals as AggregatedSignals
    from ._breakout import DonchianBreakout as DonchianBreakout
    from ._breakout import SqueezeBreakout as SqueezeBreakout
    from ._candles import Engulfing as Engulfing
    from ._candles import Hammer as Hammer
    from ._divergence import RsiDivergence as RsiDivergence
    from ._gap import OpeningGap as OpeningGap
    from ._levels import LevelBounce as LevelBounce
    from ._momentum import MacdCross as MacdCross
    from ._momentum import RocThrust as RocThrust
    from ._reversion import BollingerReversal as BollingerReversal
    from ._reversion import RsiReversal as RsiReversal
    from ._trend import AdxTrend as AdxTrend
    from ._trend import EmaCross as EmaCross
    from ._volume import VolumeSurge as VolumeSurge

_HOME = {
    "AdxTrend": "_trend",
    "AggregatedSignals": "_answer",
    "BollingerReversal": "_reversion",
    "DonchianBreakout": "_breakout",
    "EmaCross": "_trend",
    "Engulfing": "_candles",
    "Hammer": "_candles",
    "LevelBounce": "_levels",
    "MacdCross": "_momentum",
    "MultiSourceSignalAggregator": "_aggregator",
    "OpeningGap": "_gap",
    "RocThrust": "_momentum",
    "RsiDivergence": "_divergence",
    "RsiReversal": "_reversion",
    "SqueezeBreakout": "_breakout",
    "VolumeSurge": "_volume",
    "aggregate_signals": "_aggregator",
}
__all__ = list(_HOME)
__getattr__, __dir__ = front(__name__, _HOME)
