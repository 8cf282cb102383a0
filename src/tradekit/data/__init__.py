"""Sources: where bars come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._core.lazy import front

if TYPE_CHECKING:
    from ._alpaca import AlpacaSource as AlpacaSource
    from ._files import FileSource as FileSource
    from ._iex import IEXSource as IEXSource
    from ._manager import MultiSourceDataManager as MultiSourceDataManager
    from ._memory import MemorySource as MemorySource
    from ._regimes import SimulatedRegimes as SimulatedRegimes
    from ._regimes import simulate_regimes as simulate_regimes
    from ._simulated import CorporateAction as CorporateAction
    from ._simulated import SimulatedSource as SimulatedSource
    from ._yahoo import YahooSource as YahooSource

_HOME = {
    "AlpacaSource": "_alpaca",
    "CorporateAction": "_simulated",
    "FileSource": "_files",
    "IEXSource": "_iex",
    "MemorySource": "_memory",
    "MultiSourceDataManager": "_manager",
    "SimulatedRegimes": "_regimes",
    "SimulatedSource": "_simulated",
    "YahooSource": "_yahoo",
    "simulate_regimes": "_regimes",
}
__all__ = list(_HOME)
__getattr__, __dir__ = front(__name__, _HOME)
