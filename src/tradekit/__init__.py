"""tradekit: six independent rooms for people who run a trading bot.

The names below are looked up when they are first used, so that ``import tradekit`` loads no
vendor, no disk, no clock and no network.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._core.bar import Bar
    from ._core.barriers import Exit, Outcomes, triple_barrier
    from ._core.bars import Bars
    from ._core.blocking import Blocking
    from ._core.calendar import Calendar, calendar_for
    from ._core.candidate import Candidate
    from ._core.clock import Clock, FixedClock, ReplayClock, SystemClock
    from ._core.columns import Extra
    from ._core.detector import Detections, SignalDetector
    from ._core.errors import (
        ContractError,
        CredentialsError,
        NoDataError,
        PluginError,
        RateLimitError,
        SinkError,
        SourceError,
        TradekitError,
        UsageError,
    )
    from ._core.event import Event
    from ._core.indicators import Indicators, crossed_above, crossed_below
    from ._core.regime import Regime, RegimeAnalysis, RegimeModel
    from ._core.request import BarsRequest, Capabilities, Fetched
    from ._core.resample import resample
    from ._core.signal import Direction, Signal, SignalStrength, SignalType
    from ._core.sink import EventQuery, Sink
    from ._core.source import BarsProvider, DataSource
    from ._core.timeframe import Timeframe
    from .data import MultiSourceDataManager
    from .execution import PaperBroker, RiskGate
    from .journal import ComprehensiveLogger
    from .regime import MarketRegimeDetector
    from .signals import MultiSourceSignalAggregator, aggregate_signals
    from .timeframes import MultiTimeframeScanner
    from .watchlist import DynamicWatchlistManager, WatchlistCategory

# What we log is for whoever configures logging; nobody else is shown any of it.
logging.getLogger("tradekit").addHandler(logging.NullHandler())

_HOMES = {
    "_core.barriers": ("Exit", "Outcomes", "triple_barrier"),
    "_core.bar": ("Bar",),
    "_core.bars": ("Bars",),
    "_core.blocking": ("Blocking",),
    "_core.calendar": ("Calendar", "calendar_for"),
    "_core.candidate": ("Candidate",),
    "_core.columns": ("Extra",),
    "_core.clock": ("Clock", "FixedClock", "ReplayClock", "SystemClock"),
    "_core.detector": ("Detections", "SignalDetector"),
    "_core.errors": (
        "ContractError",
        "CredentialsError",
        "NoDataError",
        "PluginError",
        "RateLimitError",
        "SinkError",
        "SourceError",
        "TradekitError",
        "UsageError",
    ),
    "_core.event": ("Event",),
    "_core.indicators": ("Indicators", "crossed_above", "crossed_below"),
    "_core.regime": ("Regime", "RegimeAnalysis", "RegimeModel"),
    "_core.resample": ("resample",),
    "_core.signal": ("Direction", "Signal", "SignalStrength", "SignalType"),
    "_core.sink": ("EventQuery", "Sink"),
    "_core.request": ("BarsRequest", "Capabilities", "Fetched"),
    "_core.source": ("BarsProvider", "DataSource"),
    "_core.timeframe": ("Timeframe",),
    "data": ("MultiSourceDataManager",),
    "execution": ("PaperBroker", "RiskGate"),
    "journal": ("ComprehensiveLogger",),
    "regime": ("MarketRegimeDetector",),
    "signals": ("MultiSourceSignalAggregator", "aggregate_signals"),
    "timeframes": ("MultiTimeframeScanner",),
    "watchlist": ("DynamicWatchlistManager", "WatchlistCategory"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Bar",
    "Bars",
    "BarsProvider",
    "BarsRequest",
    "Blocking",
    "Calendar",
    "Candidate",
    "Capabilities",
    "Clock",
    "ComprehensiveLogger",
    "ContractError",
    "CredentialsError",
    "DataSource",
    "Detections",
    "Direction",
    "DynamicWatchlistManager",
    "Event",
    "EventQuery",
    "Exit",
    "Extra",
    "Fetched",
    "FixedClock",
    "Indicators",
    "MarketRegimeDetector",
    "MultiSourceDataManager",
    "MultiSourceSignalAggregator",
    "MultiTimeframeScanner",
    "NoDataError",
    "Outcomes",
    "PaperBroker",
    "PluginError",
    "RateLimitError",
    "Regime",
    "RegimeAnalysis",
    "RegimeModel",
    "ReplayClock",
    "RiskGate",
    "Signal",
    "SignalDetector",
    "SignalStrength",
    "SignalType",
    "Sink",
    "SinkError",
    "SourceError",
    "SystemClock",
    "Timeframe",
    "TradekitError",
    "UsageError",
    "WatchlistCategory",
    "aggregate_signals",
    "calendar_for",
    "crossed_above",
    "crossed_below",
    "resample",
    "triple_barrier",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("tradekit")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'tradekit' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
