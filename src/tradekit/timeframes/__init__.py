"""Timeframes: one market at several speeds."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._plan import PlannedCall as PlannedCall
    from ._scan import TimeframeLook as TimeframeLook
    from ._scan import TimeframeScan as TimeframeScan
    from ._scanner import MultiTimeframeScanner as MultiTimeframeScanner

_HOME = {
    "MultiTimeframeScanner": "_scanner",
    "PlannedCall": "_plan",
    "TimeframeLook": "_scan",
    "TimeframeScan": "_scan",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
