"""Bars come in: the sources, and the manager that asks them in turn until an answer is right.

A question enters at `MultiSourceDataManager` (``_manager``), with the settings of that moment
(``_settings``). ``_desk`` answers it from memory (``_cache``) or from a call that is under way
(``_single_flight``); else ``_inquiry`` looks on disk (``_disk_cache``, over ``_store``, ``_shelf``,
``_coverage`` and ``_database``), has the sources asked, holds their answers against each other
(``_cross_check``, ``_comparison``), and says whether trades may be opened on them.

``_pool`` knows the sources: ``_lineup`` who there is, ``_health`` who may be asked (``_standing``,
``_breaker``, ``_budget``). ``_race`` makes the attempts, retries and hedges within one deadline;
``_failover`` keeps what came, and why the rest is missing; ``_known`` and ``_parts`` ask only for
what is missing. Answers are judged by ``_checks``, ``_freshness``, ``_soundness`` and ``_overlap``;
doubtful ones wait in ``_doubts``. ``_live``, ``_stream`` and ``_ledger`` follow bars as they
complete, and ``_offers`` asks for quotes and screens.

To read it, begin with manager, desk, inquiry, pool, race and failover.
"""

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
