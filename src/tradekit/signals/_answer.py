"""The aggregate's answer: signals, and how they came about or why there are none."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import attrs

from .._core.signal import Direction, Signal
from .._core.timeframe import Timeframe
from ._explanation import explain, short_names
from ._glance import NotReady

# Bars are asked for in round numbers.
_ROUND = 100


@attrs.define(init=False, repr=False, eq=False, slots=False, kw_only=True)
class AggregatedSignals(list[Signal]):
    """A list of signals that can say how it came about, and why it is empty when it is.

    Everything that fired is found once: in the list itself, in `duplicates`, `below_threshold` or
    `against_consensus`. A slice or a sum of it is a plain list.

    Parameters
    ----------
    signals : iterable of Signal
        What is said, the most confident first.
    **explanation : object
        The attributes below, by name; the first four are needed.

    Attributes
    ----------
    symbol : str
        About whom.
    timeframe : Timeframe
        Length of the bars.
    bars : int
        How many there were to look at.
    time : datetime
        When the last of them was known, aware UTC.
    min_confidence : float
        What signals had to reach, 0 to 100.
    min_edge : float, optional
        Points above their base rate that they had to reach as well.
    consensus_threshold : float
        Share of the families' votes that had to agree, 0 to 1.
    looked : tuple of str
        Which detectors were asked, by ``source_method``.
    fired : tuple of Signal
        Everything that was said at the last bar.
    duplicates : tuple of Signal
        Same family and direction as a more confident one, whose reasons name them.
    below_threshold : tuple of Signal
        Below ``min_confidence`` or ``min_edge``.
    against_consensus : tuple of Signal
        On the side that did not carry; both sides when none did.
    votes : dict of str to Direction
        Each family's vote; None where a family contradicts itself evenly and abstains.
    consensus : Direction, optional
        The side that carried the votes.
    not_ready : dict of str to NotReady
        ``(needed, there)``: bars that a detector needs to agree with its own history, and bars
        there are, since the last gap where that matters.
    warming : tuple of str
        Those of `not_ready` that know something already; their signals say ``warmup``.
    errors : dict of str to str
        Detectors that could not look, and why.

    Examples
    --------
    >>> import numpy as np
    >>> from tradekit import Bars, SignalDetector, aggregate_signals
    >>> class Record(SignalDetector):
    ...     '''The close is above every high of the ten bars before.'''
    ...
    ...     def _scan(self, bars):
    ...         return 60.0 * (bars.close > bars.ind.donchian(10).upper)
    >>> minutes, p = np.arange(78) * 300 * 10**9, 100 - np.arange(78) / 100
    >>> bars = Bars("X", "5Min", minutes, p, p, p, p, p, calendar="24/7")
    >>> said = aggregate_signals(bars, detectors=[Record()])
    >>> len(said), said.not_ready["Record/1"]
    (0, NotReady(needed=135, there=78))
    >>> said
    <AggregatedSignals of X 5Min, 78 bars until 1970-01-01 06:30 UTC: no signals>
      looked     1 detector: Record
      fired      none at the last bar
      below      none (below min_confidence=40)
      not ready  1 of 1: Record needs 135 bars
      try        200 bars: get_market_data("X", "5Min", limit=200)
    """

    symbol: str
    timeframe: Timeframe
    bars: int
    time: datetime
    min_confidence: float = 40.0
    min_edge: float | None = None
    consensus_threshold: float = 0.6
    looked: tuple[str, ...] = ()
    fired: tuple[Signal, ...] = ()
    duplicates: tuple[Signal, ...] = ()
    below_threshold: tuple[Signal, ...] = ()
    against_consensus: tuple[Signal, ...] = ()
    votes: dict[str, Direction | None] = attrs.field(factory=dict)
    consensus: Direction | None = None
    not_ready: dict[str, NotReady] = attrs.field(factory=dict)
    warming: tuple[str, ...] = ()
    errors: dict[str, str] = attrs.field(factory=dict)

    def __init__(self, signals: Iterable[Signal] = (), **explanation: Any) -> None:
        super().__init__(signals)
        self.__attrs_init__(**explanation)

    @property
    def names(self) -> dict[str, str]:
        """What a person calls each detector that looked, or whose signal was added since."""
        return short_names([*self.looked, *(signal.source_method for signal in self)])

    @property
    def conflict(self) -> bool:
        """Whether something would have been said, had the families agreed."""
        return bool(self.against_consensus) and self.consensus is None

    @property
    def short(self) -> dict[str, int]:
        """Detectors that more bars would make ready, and how many they need."""
        lacking = self.not_ready.items()
        return {name: lack.needed for name, lack in lacking if lack.needed > self.bars}

    @property
    def limit(self) -> int | None:
        """How many bars to ask for so that all of `short` are ready; None when none is."""
        return -(-max(self.short.values()) // _ROUND) * _ROUND if self.short else None

    def __repr__(self) -> str:
        return explain(self)
