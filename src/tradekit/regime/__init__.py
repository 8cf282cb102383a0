"""What kind of market it is, and what a strategy should make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._core.lazy import front

if TYPE_CHECKING:
    from ._course import RegimeChange as RegimeChange
    from ._detector import MarketRegimeDetector as MarketRegimeDetector
    from ._trend_vol import TrendVolRegimeModel as TrendVolRegimeModel

_HOME = {
    "MarketRegimeDetector": "_detector",
    "RegimeChange": "_course",
    "TrendVolRegimeModel": "_trend_vol",
}
__all__ = list(_HOME)
__getattr__, __dir__ = front(__name__, _HOME)
