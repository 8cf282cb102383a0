"""A symbol that a screen proposes."""

from __future__ import annotations

from datetime import datetime

import attrs

from .clock import to_ns
from .errors import UsageError


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

    Examples
    --------
    >>> from datetime import UTC
    >>> day = datetime(2024, 3, 8, 21, tzinfo=UTC)
    >>> Candidate("NVDA", "trending", 1, 3.2, "3.2 ATR above its 20-day mean", "screen", day).rank
    1
    """

    symbol: str = attrs.field(validator=attrs.validators.min_len(1))
    category: str
    rank: int
    score: float
    reason: str
    source: str
    asof: datetime

    def __attrs_post_init__(self) -> None:
        to_ns(self.asof)
        if self.rank < 1 or not abs(self.score) < float("inf"):
            raise UsageError(
                f"{self.symbol}: no place in a ranking",
                expected="a rank from 1 and a finite score",
                got=f"rank {self.rank}, score {self.score}",
            )
