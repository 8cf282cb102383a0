"""Screens: each ranks a universe by its daily bars, and says why."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, final

import numpy as np

from .. import plugins
from .._core.bars import Bars
from .._core.candidate import Candidate
from .._core.columns import Float
from .._core.errors import ContractError, UsageError
from .._core.words import words
from ._members import STANDING, WatchlistCategory
from ._panel import Panel

_SPAN = 20  # a month of sessions


class Ranking(list[Candidate]):
    """Candidates, best first, and the symbols that the screen could not look at.

    Parameters
    ----------
    candidates : iterable of Candidate
        Best first.
    unready : mapping of str to str
        Why, by symbol.

    Examples
    --------
    >>> Ranking([], {"NEWCO": "fewer than 21 bars"}).unready
    {'NEWCO': 'fewer than 21 bars'}
    """

    def __init__(self, candidates: Iterable[Candidate], unready: Mapping[str, str]) -> None:
        super().__init__(candidates)
        self.unready = dict(unready)


class Screen(ABC):
    """A rule that proposes symbols: write ``_figure`` and ``_words``, and ask ``rank``.

    The manager takes anything that has a ``category`` and a ``rank``; this base spares you the
    sorting. It looks at complete bars only, so a list of the past is the list of that day.

    Examples
    --------
    >>> class Opening(Screen):
    ...     '''Symbols that opened far from where they had closed.'''
    ...
    ...     category, lookback = "opening", 2
    ...
    ...     def _figure(self, panel):
    ...         return panel.open[:, -1] / panel.close[:, -2] - 1
    ...
    ...     def _words(self, figure):
    ...         return f"opened {figure:+.1%} from its last close"
    >>> from datetime import UTC
    >>> days, p = np.array(["2024-03-07T05:00", "2024-03-08T05:00"], "M8[ns]"), [10.0, 11.0]
    >>> bars = Bars("SPY", "1Day", days, p, p, p, p, [500.0, 100.0])
    >>> ranking = Opening().rank({"SPY": bars}, datetime(2024, 3, 8, 21, tzinfo=UTC))
    >>> [candidate.reason for candidate in ranking]
    ['opened +10.0% from its last close']
    """

    category: str
    lookback: int = _SPAN + 1
    unknown: ClassVar[str] = "cannot be told"

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @abstractmethod
    def _figure(self, panel: Panel) -> Float:
        """One number a symbol, ranked by its size: 0 for no candidate, NaN for could not look."""

    @abstractmethod
    def _words(self, figure: float) -> str:
        """Say what the number means."""

    @final
    def rank(self, universe: Mapping[str, Bars], asof: datetime) -> Ranking:
        """Rank a universe as it was known at a moment.

        Parameters
        ----------
        universe : mapping of str to Bars
            Daily bars by symbol.
        asof : datetime
            Aware; later bars are not looked at.

        Returns
        -------
        Ranking
            Best first, equal ones by name; ``unready`` names those with too few bars or without
            a number that it needs.
        """
        panel = Panel.of(universe, asof, self.lookback)
        figure = np.asarray(self._figure(panel), dtype=float)
        names = np.array(panel.symbols, dtype=str)
        order = np.lexsort((names, -np.abs(figure)))
        best = order[np.abs(figure[order]) > 0]
        candidates = (
            self._candidate(panel.bars[row], rank, float(figure[row]), asof)
            for rank, row in enumerate(best.tolist(), 1)
        )
        untold = dict.fromkeys(names[np.isnan(figure)].tolist(), self.unknown)
        return Ranking(candidates, panel.unready | untold)

    def _candidate(self, bars: Bars, rank: int, figure: float, asof: datetime) -> Candidate:
        words = self._words(figure)
        return Candidate(bars.symbol, self.category, rank, abs(figure), words, bars.source, asof)


def _in_ranges(distance: Float, panel: Panel) -> Float:
    """A distance in average ranges; bars that never moved are no distance away."""
    unit = panel.average_range
    return np.divide(distance, unit, out=np.zeros_like(unit), where=unit > 0)


class Trending(Screen):
    """Symbols that have gone far from their 20-day mean, either way.

    Notes
    -----
    ``(close - mean of 20 closes) / average true range of 20 bars``, ranked by its size.

    Examples
    --------
    >>> Trending().category.value, Trending().lookback
    ('trending', 21)
    """

    category = WatchlistCategory.TRENDING

    def _figure(self, panel: Panel) -> Float:
        close = panel.close
        return _in_ranges(close[:, -1] - close[:, -_SPAN:].mean(axis=1), panel)

    def _words(self, figure: float) -> str:
        side = "above" if figure > 0 else "below"
        return f"{abs(figure):.1f} ATR {side} its {_SPAN}-day mean"


class VolumeLeaders(Screen):
    """Symbols that trade more than they used to.

    Notes
    -----
    ``volume / mean volume of the 20 bars before``, where that is above 1. A symbol with an unknown
    volume among them, or with none traded before, is not ranked but named in ``unready``.

    Examples
    --------
    >>> VolumeLeaders().category.value, VolumeLeaders().lookback
    ('volume_leaders', 21)
    """

    category = WatchlistCategory.VOLUME_LEADERS
    unknown = "volume unknown"

    def _figure(self, panel: Panel) -> Float:
        volume = panel.volume
        usual = volume[:, :-1].mean(axis=1)
        times = np.divide(volume[:, -1], usual, out=np.full_like(usual, np.nan), where=usual > 0)
        return np.where(times <= 1, 0.0, times)

    def _words(self, figure: float) -> str:
        return f"volume {figure:.1f}x its {_SPAN}-day average"


def _change(panel: Panel) -> Float:
    close = panel.close
    return close[:, -1] / close[:, -2] - 1


class Gainers(Screen):
    """Symbols that rose most on their last close.

    Notes
    -----
    ``close / close before - 1``, where that is above 0.

    Examples
    --------
    >>> Gainers().category.value, Gainers().lookback
    ('gainers', 2)
    """

    category, lookback = WatchlistCategory.GAINERS, 2

    def _figure(self, panel: Panel) -> Float:
        return np.maximum(_change(panel), 0.0)

    def _words(self, figure: float) -> str:
        return f"up {figure:.1%} on its last close"


class Losers(Screen):
    """Symbols that fell most from their last close.

    Notes
    -----
    ``close / close before - 1``, where that is below 0.

    Examples
    --------
    >>> Losers().category.value, Losers().lookback
    ('losers', 2)
    """

    category, lookback = WatchlistCategory.LOSERS, 2

    def _figure(self, panel: Panel) -> Float:
        return np.minimum(_change(panel), 0.0)

    def _words(self, figure: float) -> str:
        return f"down {-figure:.1%} from its last close"


class Volatility(Screen):
    """Symbols that move most in a day.

    Notes
    -----
    ``average true range of 20 bars / close``.

    Examples
    --------
    >>> Volatility().category.value, Volatility().lookback
    ('volatility', 21)
    """

    category = WatchlistCategory.VOLATILITY

    def _figure(self, panel: Panel) -> Float:
        return np.asarray(panel.average_range / panel.close[:, -1])

    def _words(self, figure: float) -> str:
        return f"moves {figure:.1%} a day, on the average of {_SPAN} days"


class Breakouts(Screen):
    """Symbols that closed beyond every price of the 20 bars before, either way.

    Notes
    -----
    ``(close - highest high before) / average true range of 20 bars``, or the same below the lowest
    low; the bar itself is no part of the range that it breaks (Donchian).

    Examples
    --------
    >>> Breakouts().category.value, Breakouts().lookback
    ('breakouts', 21)
    """

    category = WatchlistCategory.BREAKOUTS

    def _figure(self, panel: Panel) -> Float:
        close = panel.close[:, -1]
        above = np.maximum(close - panel.high[:, :-1].max(axis=1), 0.0)
        below = np.minimum(close - panel.low[:, :-1].min(axis=1), 0.0)
        return _in_ranges(above + below, panel)

    def _words(self, figure: float) -> str:
        edge = "above the highest high" if figure > 0 else "below the lowest low"
        return f"{abs(figure):.1f} ATR {edge} of the {_SPAN} days before"


def chosen_screens(given: Any) -> tuple[Any, ...]:
    """Take screens by their registered name, as classes, or as they are.

    Parameters
    ----------
    given : str, Screen or iterable of them
        At least one.

    Returns
    -------
    tuple of Screen
        Each of another category.

    Raises
    ------
    UsageError
        When there is none, one is no screen, or two have the same category.
    PluginError
        When a name is not registered.
    """
    found = tuple(map(_screen, words(given)))
    categories = [str(screen.category) for screen in found]
    if not found or len({*categories, *STANDING}) < len(categories) + len(STANDING):
        raise UsageError(
            "no such screens",
            expected="at least one, each of another category, none held or static",
            got=repr(categories),
            hint="screens=['trending', MyScreen()]",
        )
    return found


def _screen(given: Any) -> Any:
    made = plugins.load("screens", given) if isinstance(given, str) else given
    made = made() if isinstance(made, type) else made
    category = getattr(made, "category", None)
    if isinstance(category, str) and category and callable(getattr(made, "rank", None)):
        return made
    hint = "subclass Screen"
    raise UsageError("no screen", expected="a category and a rank", got=repr(given), hint=hint)


def proposals(
    screen: Any, bars: Mapping[str, Bars], asof: datetime
) -> tuple[list[Candidate], dict[str, str]]:
    """Ask a screen, anybody's, and hold its answer against what screens promise.

    Parameters
    ----------
    screen : Screen
        Anything with a ``category`` and a ``rank``.
    bars : mapping of str to Bars
        Daily bars, complete ones only.
    asof : datetime
        Aware.

    Returns
    -------
    candidates : list of Candidate
        Best first.
    unready : dict of str to str
        Symbols that it could not look at, and why.

    Raises
    ------
    ContractError
        When it answers with something else, another category, a stranger, or a symbol twice.
    """
    ranking = screen.rank(bars, asof)
    found = list(ranking)
    own = [c for c in found if isinstance(c, Candidate) and c.category == screen.category]
    if len({candidate.symbol for candidate in own if candidate.symbol in bars}) < len(found):
        raise ContractError(
            f"{screen!r} ranked otherwise",
            expected=f"candidates of {str(screen.category)!r}, each symbol of the universe once",
            got=repr(found)[:200],
            hint="subclass Screen",
        )
    return sorted(own, key=lambda c: c.rank), dict(getattr(ranking, "unready", {}))
