"""Which symbols to watch: screens, eligibility, caps, and calm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._core.lazy import front

if TYPE_CHECKING:
    from ._calm import Calm as Calm
    from ._filters import Eligibility as Eligibility
    from ._manager import DynamicWatchlistManager as DynamicWatchlistManager
    from ._members import WatchlistCategory as WatchlistCategory
    from ._members import WatchlistMember as WatchlistMember
    from ._panel import Panel as Panel
    from ._screens import Breakouts as Breakouts
    from ._screens import Gainers as Gainers
    from ._screens import Losers as Losers
    from ._screens import Ranking as Ranking
    from ._screens import Screen as Screen
    from ._screens import Trending as Trending
    from ._screens import Volatility as Volatility
    from ._screens import VolumeLeaders as VolumeLeaders

_HOME = {
    "Breakouts": "_screens",
    "Calm": "_calm",
    "DynamicWatchlistManager": "_manager",
    "Eligibility": "_filters",
    "Gainers": "_screens",
    "Losers": "_screens",
    "Panel": "_panel",
    "Ranking": "_screens",
    "Screen": "_screens",
    "Trending": "_screens",
    "Volatility": "_screens",
    "VolumeLeaders": "_screens",
    "WatchlistCategory": "_members",
    "WatchlistMember": "_members",
}
__all__ = list(_HOME)
__getattr__, __dir__ = front(__name__, _HOME)
