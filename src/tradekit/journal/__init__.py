"""The journal: what happened goes out as events, and answers come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._core.lazy import front

if TYPE_CHECKING:
    from .._core.event import AlertRaised as AlertRaised
    from .._core.event import ErrorOccurred as ErrorOccurred
    from .._core.event import MarketConditionChanged as MarketConditionChanged
    from .._core.event import MissReason as MissReason
    from .._core.event import Mode as Mode
    from .._core.event import OrderFilled as OrderFilled
    from .._core.event import OrderRejected as OrderRejected
    from .._core.event import OrderSubmitted as OrderSubmitted
    from .._core.event import RunEnded as RunEnded
    from .._core.event import RunStarted as RunStarted
    from .._core.event import SetupDetected as SetupDetected
    from .._core.event import SetupExecuted as SetupExecuted
    from .._core.event import SetupMissed as SetupMissed
    from .._core.event import SetupResolved as SetupResolved
    from .._core.event import SourceStatusChanged as SourceStatusChanged
    from .._core.event import TradeEntered as TradeEntered
    from .._core.event import TradeExited as TradeExited
    from .._core.event import WatchlistChanged as WatchlistChanged
    from ._console import ConsoleSink as ConsoleSink
    from ._export import read_export as read_export
    from ._fanout import FanoutSink as FanoutSink
    from ._logger import ComprehensiveLogger as ComprehensiveLogger
    from ._memory import MemorySink as MemorySink
    from ._sqlite import SQLiteSink as SQLiteSink

_HOME = {
    "AlertRaised": ".._core.event",
    "ComprehensiveLogger": "_logger",
    "ConsoleSink": "_console",
    "ErrorOccurred": ".._core.event",
    "FanoutSink": "_fanout",
    "MarketConditionChanged": ".._core.event",
    "MemorySink": "_memory",
    "MissReason": ".._core.event",
    "Mode": ".._core.event",
    "OrderFilled": ".._core.event",
    "OrderRejected": ".._core.event",
    "OrderSubmitted": ".._core.event",
    "RunEnded": ".._core.event",
    "RunStarted": ".._core.event",
    "SQLiteSink": "_sqlite",
    "SetupDetected": ".._core.event",
    "SetupExecuted": ".._core.event",
    "SetupMissed": ".._core.event",
    "SetupResolved": ".._core.event",
    "SourceStatusChanged": ".._core.event",
    "TradeEntered": ".._core.event",
    "TradeExited": ".._core.event",
    "WatchlistChanged": ".._core.event",
    "read_export": "_export",
}
__all__ = list(_HOME)
__getattr__, __dir__ = front(__name__, _HOME)
