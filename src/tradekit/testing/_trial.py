"""A detector before the kit: on which bars it is tried, and by which copies."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cached_property

import attrs
import numpy as np

from .._core.bars import Bars
from .._core.detector import Detections, SignalDetector
from .._core.errors import UsageError
from ._check import fail
from ._cuts import Cuts, telling_cuts
from ._series import kit_bars, rebuilt

_LEAST_LENGTH = 600


@attrs.frozen
class Market:
    """Bars, what is said about them, how long that takes to warm up, and where to cut them."""

    bars: Bars
    said: Detections
    needs: int
    cuts: Cuts


class Trial:
    """One detector, the markets it is tried on, and where they are cut.

    Parameters
    ----------
    detector : SignalDetector
        Never used itself: copies of it are.
    bars : Bars or tuple of Bars, optional
        What to try it on.
    seed : int
        For the kit's markets and for where to cut.

    Raises
    ------
    UsageError
        When bars are given and one has none.
    """

    def __init__(
        self, detector: SignalDetector, bars: Bars | tuple[Bars, ...] | None, seed: int
    ) -> None:
        self.detector, self.seed = detector, seed
        self.given = (bars,) if isinstance(bars, Bars) else bars
        if self.given is not None and not (self.given and all(map(len, self.given))):
            raise UsageError(
                "nothing to try a detector on",
                expected="Bars, or a tuple of them, each with a bar at least",
                got=str(bars),
                hint="leave bars out, and the kit makes its own",
            )
        self.who = type(detector).__name__
        self.intraday = detector.anchor == "session"

    def no(self, problem: str, *, expected: str, got: str, hint: str) -> None:
        """Refuse it."""
        fail(self.who, problem, expected=expected, got=got, hint=hint)

    def fresh(self) -> SignalDetector:
        """Give a copy that has seen nothing."""
        return copy.deepcopy(self.detector)

    @cached_property
    def markets(self) -> tuple[Market, ...]:
        """The given bars, or the kit's markets, long enough for its look-back."""
        if self.given is not None:
            return tuple(map(self._looked_at, self.given))
        markets = self._made(_LEAST_LENGTH)
        needs = max(market.needs for market in markets)
        return markets if 3 * needs <= _LEAST_LENGTH else self._made(3 * needs)

    def _made(self, length: int) -> tuple[Market, ...]:
        return tuple(map(self._looked_at, kit_bars(self.seed, length, intraday=self.intraday)))

    def _looked_at(self, bars: Bars) -> Market:
        detector, rng = self.fresh(), np.random.default_rng(self.seed)
        said = detector.scan(rebuilt(bars))
        few = self.given is not None and len(self.given) < 4
        cuts = telling_cuts(bars, said.fired, rng, 4 if few else 1)
        if _sees_windows_only(detector):  # they end at their row; a few cuts make sure of it
            cuts = Cuts(cuts.short[::5], cuts.poison[::5])
        return Market(bars, said, _needs(detector, bars, said), cuts)

    def tried(self, name: str) -> Iterator[tuple[Market, Bars, SignalDetector]]:
        """Give each market under a name, and to a copy, that have not met before.

        Parameters
        ----------
        name : str
            Goes behind the symbol; given bars keep theirs.

        Yields
        ------
        Market, Bars, SignalDetector
            The market, its bars under that name, and the copy.
        """
        for market in self.markets:
            symbol = market.bars.symbol
            bars = rebuilt(market.bars, f"{symbol}-{name}" if self.given is None else symbol)
            _ = bars.close_time, bars.gap_before, bars.session  # once, for all slices
            yield market, bars, self.fresh()


def _needs(detector: SignalDetector, bars: Bars, said: Detections) -> int:
    return int(np.argmax(said.ready)) + 1 if said.ready.any() else detector._needs(bars)


def written(detector: SignalDetector) -> tuple[type, ...]:
    """Give the classes that are the user's: those before the interface.

    Parameters
    ----------
    detector : SignalDetector
        Any.

    Returns
    -------
    tuple of type
        In the order in which they are searched.
    """
    lineage = type(detector).__mro__
    return lineage[: lineage.index(SignalDetector)]


def _sees_windows_only(detector: SignalDetector) -> bool:
    return not any({"_scan", "_levels"} & set(vars(owner)) for owner in written(detector))
