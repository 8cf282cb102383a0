"""Who is watched, and why."""

from __future__ import annotations

from collections.abc import Iterable, Set
from datetime import datetime

import attrs

from .._core.candidate import Candidate
from .._core.clock import to_utc
from .._core.figures import count
from .._core.request import as_symbols
from .._core.words import Word, words


class WatchlistCategory(Word):
    """Why a symbol is watched: a screen chose it, it is held, or it always is.

    Examples
    --------
    >>> WatchlistCategory.TRENDING == "trending"
    True
    """

    TRENDING = "trending"
    VOLUME_LEADERS = "volume_leaders"
    GAINERS = "gainers"
    LOSERS = "losers"
    VOLATILITY = "volatility"
    BREAKOUTS = "breakouts"
    HELD = "held"
    STATIC = "static"


# Memberships that no screen decides, and that no cap counts.
STANDING = (WatchlistCategory.HELD, WatchlistCategory.STATIC)


def _stayed(value: object) -> int:
    return count(value, "a member has been through refreshes", "refreshes=1 for a new one")


@attrs.frozen
class WatchlistMember(Candidate):
    """One membership: a symbol may be in several categories.

    Parameters
    ----------
    symbol : str
        The name.
    category : str
        Why it is watched.
    rank : int
        1 is the best of its category, among eligible symbols, at ``asof``.
    score : float
        What the category ranks by; 0 where it does not rank.
    reason : str
        Why, in words that a person reads.
    source : str
        Whose bars say so.
    asof : datetime
        Aware; when rank, score and reason were known. Older than the list where a member stays
        although its screen ranks it no longer.
    since : datetime
        Aware; when it entered this category.
    refreshes : int
        In how many refreshes it has been on the list, this one included.

    Examples
    --------
    >>> from datetime import UTC
    >>> day = datetime(2024, 3, 8, 21, tzinfo=UTC)
    >>> member = WatchlistMember("SPY", "held", 1, 0.0, "held", "portfolio", day, day)
    >>> member.refreshes
    1
    """

    since: datetime = attrs.field(converter=to_utc)
    refreshes: int = attrs.field(default=1, converter=_stayed)


def names(given: Iterable[str]) -> tuple[str, ...]:
    """Take symbols as a caller has them: one or several, none, or some of them twice.

    Parameters
    ----------
    given : str or iterable of str
        A set, which has no order, is sorted.

    Returns
    -------
    tuple of str
        Each once.

    Raises
    ------
    UsageError
        When one is no name.
    """
    once = dict.fromkeys(sorted(given) if isinstance(given, Set) else words(given))
    return as_symbols(tuple(once)) if once else ()


def standing(
    symbol: str, category: WatchlistCategory, rank: int, why: str, since: datetime
) -> WatchlistMember:
    """Make a member that no screen chose.

    Parameters
    ----------
    symbol : str
        The name.
    category : WatchlistCategory
        Held or static.
    rank : int
        Its place.
    why : str
        In words.
    since : datetime
        Aware.

    Returns
    -------
    WatchlistMember
        With the category as its source, and without a score.
    """
    return WatchlistMember(symbol, category, rank, 0.0, why, str(category), since, since)


def ordered(members: Iterable[WatchlistMember]) -> list[str]:
    """Give every symbol once: held, static, then by the best rank in any category, then by name.

    Parameters
    ----------
    members : iterable of WatchlistMember
        Memberships in any order.

    Returns
    -------
    list of str
        Symbols.
    """
    best: dict[str, tuple[int, int]] = {}
    for member in members:
        place = (*STANDING, member.category).index(member.category), member.rank
        best[member.symbol] = min(best.get(member.symbol, place), place)
    return sorted(best, key=lambda symbol: (best[symbol], symbol))
