"""From what many detectors say at one bar to one answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs

from .._core.bars import Bars
from .._core.clock import from_ns
from .._core.detector import SignalDetector
from .._core.errors import TradekitError, UsageError
from .._core.figures import as_float
from .._core.signal import Signal
from ._answer import AggregatedSignals
from ._consensus import carried, deduplicate, ranked, supported, votes_of
from ._glance import Glance, glance
from ._history import History

# Lowest, highest, and one that makes sense.
_RANGES = {
    "min_confidence": (0, 100, 40),
    "consensus_threshold": (0, 1, 0.6),
    "min_edge": (-100, 100, 5),
}


@attrs.frozen
class Limits:
    """What signals must reach.

    Parameters
    ----------
    min_confidence : float
        0 to 100.
    consensus_threshold : float
        Share of the families' votes, 0 to 1.
    min_edge : float or None
        Points above the base rate, -100 to 100.

    Raises
    ------
    UsageError
        When a number is out of range.
    """

    min_confidence: float
    consensus_threshold: float
    min_edge: float | None

    def __attrs_post_init__(self) -> None:
        for name, (low, high, good) in _RANGES.items():
            given = getattr(self, name)
            value = as_float(given)
            if given is None and name == "min_edge":
                continue
            if not isinstance(value, float) or not low <= value <= high:
                raise UsageError(
                    f"no such {name}",
                    expected=f"a number from {low} to {high}",
                    got=repr(given),
                    hint=f"{name} = {good}",
                )

    def admit(self, signal: Signal) -> bool:
        """Tell whether a signal claims enough.

        Parameters
        ----------
        signal : Signal
            Any.

        Returns
        -------
        bool
            True where its confidence reaches what is asked, and its edge where one is asked.
        """
        edge = signal.confidence - (signal.base_rate or 0.0)
        enough = self.min_edge is None or edge >= self.min_edge
        return enough and signal.confidence >= self.min_confidence


def weigh(
    bars: Bars,
    detectors: Iterable[SignalDetector],
    limits: Limits,
    history: History | None = None,
) -> AggregatedSignals:
    """Ask detectors about the last bar, and weigh what they say.

    Parameters
    ----------
    bars : Bars
        At least one.
    detectors : iterable of SignalDetector
        Whom.
    limits : Limits
        What signals must reach.
    history : History, optional
        What the same detectors say over a series of which the bars may be a part.

    Returns
    -------
    AggregatedSignals
        Who was not ready and who failed stand in the order of the detectors.
    """
    known = history.glances(bars) if history else None
    glances, errors = _look(bars, detectors) if known is None else (known, {})
    fired = ranked(each.signal for each in glances if each.signal)
    kept, duplicates = deduplicate(fired)
    clear, weak = _split(kept, limits.admit)
    votes = votes_of(glances)
    side = carried(votes, limits.consensus_threshold)
    said, against = _split(clear, lambda signal: signal.direction == side)
    return AggregatedSignals(
        [supported(signal, votes) for signal in said],
        symbol=bars.symbol,
        timeframe=bars.timeframe,
        bars=len(bars),
        time=from_ns(bars.close_time[-1]),
        looked=tuple(sorted([*errors, *(each.name for each in glances)])),
        fired=tuple(fired),
        duplicates=tuple(duplicates),
        below_threshold=tuple(weak),
        against_consensus=tuple(against),
        votes=votes,
        consensus=side,
        not_ready={each.name: each.lack for each in glances if each.lack},
        warming=tuple(each.name for each in glances if each.warming),
        errors=errors,
        **attrs.asdict(limits),
    )


def _look(bars: Bars, detectors: Iterable[SignalDetector]) -> tuple[list[Glance], dict[str, str]]:
    """Ask each detector; one that fails is named and does not silence the others."""
    glances, errors = [], {}
    for detector in detectors:
        try:
            glances.append(glance(detector, bars))
        except TradekitError as error:
            problem = str(error).removeprefix(f"{type(detector).__name__}: ")
            errors[detector.source_method] = problem
    return glances, errors


def _split(
    signals: Iterable[Signal], keeps: Callable[[Signal], bool]
) -> tuple[list[Signal], list[Signal]]:
    sides: dict[bool, list[Signal]] = {True: [], False: []}
    for signal in signals:
        sides[keeps(signal)].append(signal)
    return sides[True], sides[False]
