"""Timeframes: one market at several speeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._core.lazy import front

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
__getattr__, __dir__ = front(__name__, _HOME)
