"""A symbol that a screen proposes."""

from __future__ import annotations

from datetime import datetime

import attrs

from .clock import to_utc
from .errors import UsageError
from .figures import as_float, count, finite


def _rank(value: object) -> int:
    return count(value, "candidates are ranked", "rank=1 for the best")


@attrs.frozen
class Candidate:
    """A symbol proposed for the watchlist, with the reason and the moment it was known.

    Parameters
    ----------
    symbol : str
        The name.
    category : str
        Which screen proposed it (``trending``, ``volume_leaders``, ...).
    rank : int
        1 is the best of its category.
    score : float
        What the screen ranks by; finite.
    reason : str
        Why, in words that a person reads.
    source : str
        Who looked.
    asof : datetime
        Aware; everything it rests on was known by then.

    Raises
    ------
    UsageError
        When there is no symbol, rank, finite score or aware moment.

    Examples
    --------
    >>> from datetime import UTC
    >>> day = datetime(2024, 3, 8, 21, tzinfo=UTC)
    >>> Candidate("NVDA", "trending", 1, 3.2, "3.2 ATR above its 20-day mean", "screen", day).rank
    1
    """

    symbol: str
    category: str
    rank: int = attrs.field(converter=_rank)
    score: float = attrs.field(converter=as_float, validator=finite)
    reason: str
    source: str
    asof: datetime = attrs.field(converter=to_utc)

    def __attrs_post_init__(self) -> None:
        if not self.symbol:
            raise UsageError("a candidate is a symbol", expected="its name", got=repr(self.symbol))
