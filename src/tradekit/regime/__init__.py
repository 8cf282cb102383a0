"""What kind of market it is, and what a strategy should make of it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
