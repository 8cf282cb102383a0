"""Answers that may be wrong: held for want of a better one, and weighed once another has come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from math import log

import attrs
import numpy as np

from .._core.bars import Bars
from .._core.errors import SourceError
from .._core.faults import PRICES
from .._core.source import DataSource
from ._overlap import TAPES

_FAR = 2.0  # by this factor two tapes differ in no bar
# What is told of such an answer is right, as far as it goes.
_BENIGN = ("short", "behind", "gaps")
_MISSING = ("stale", "behind", "gaps")  # bars in between, or the newest


def alike(mine: Bars, other: Bars) -> bool:
    """Tell whether two sources tell the same bars, but for what two tapes differ by.

    Parameters
    ----------
    mine, other : Bars
        Of one symbol and timeframe.
    """
    return (
        np.array_equal(mine.time, other.time)
        and bool(abs(np.median(mine.close / other.close) - 1) < TAPES)
        and all(
            np.abs(np.log(getattr(mine, price) / getattr(other, price))).max() < log(_FAR)
            for price in PRICES
        )
    )


@attrs.frozen(eq=False)
class Doubtful:
    """An answer that may be wrong.

    Parameters
    ----------
    source : DataSource
        Whose.
    bars : Bars
        What it told.
    why : SourceError
        What is odd about it.
    """

    source: DataSource
    bars: Bars
    why: SourceError

    @property
    def is_benign(self) -> bool:
        """Whether it is right as far as it goes: no row was left out for what it said."""
        return self.why.fault in _BENIGN and not (self.why.fault == "gaps" and self.bars.dropped)

    @property
    def worth(self) -> tuple[int, bool, int]:
        """What makes it better than others."""
        return len(self.bars), self.is_benign, int(self.bars.close_time[-1])

    def lacks_nothing_of(self, given: Bars) -> bool:
        """Tell whether it has all bars of another answer, but for those before its first.

        Parameters
        ----------
        given : Bars
            The other answer.
        """
        lacking = self.why.fault in _MISSING and not self.bars.dropped
        since = given.time[given.time >= self.bars.time[0]]
        return lacking and bool(np.isin(since, self.bars.time).all())


class Doubts:
    """The doubtful answers to one question, by symbol and by source."""

    def __init__(self) -> None:
        self._held: defaultdict[str, dict[str, Doubtful]] = defaultdict(dict)

    def hold(self, name: str, source: DataSource, bars: Bars, why: SourceError) -> bool:
        """Hold an answer, unless one that is held bears it out; tell whether it is held now.

        Parameters
        ----------
        name : str
            Under which the source is known.
        source : DataSource
            Whose.
        bars : Bars
            What it told.
        why : SourceError
            What is odd about it.
        """
        held = self._held[bars.symbol]
        if any(alike(bars, other.bars) for other in held.values()):
            return False
        held[name] = Doubtful(source, bars, why)
        return True

    def of(self, symbol: str) -> Mapping[str, Doubtful]:
        """Give those of a symbol, by source, in the order in which they came."""
        return self._held.get(symbol, {})

    def symbols(self) -> list[str]:
        """Name all symbols that there are any of."""
        return [symbol for symbol, held in self._held.items() if held]

    def is_benign(self, symbol: str) -> bool:
        """Tell whether one of them is right as far as it goes."""
        return any(answer.is_benign for answer in self.of(symbol).values())

    def best(self, symbol: str) -> str:
        """Name the source whose answer is taken where there is no other."""
        held = self.of(symbol)
        return max(held, key=lambda name: held[name].worth)

    def first_as_good(self, symbol: str, given: Bars) -> str | None:
        """Name the source that was asked first and lacks nothing of what another one told since."""
        held = self.of(symbol).items()
        return next((name for name, answer in held if answer.lacks_nothing_of(given)), None)
