"""What one detector says at the newest bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import attrs
import numpy as np

from .._core.bars import Bars
from .._core.detections import Detections, look, signal_at
from .._core.detector import SignalDetector
from .._core.lines import Need
from .._core.signal import Direction, Signal

# A family's vote counts for this many bars: events that belong together seldom share a bar.
FRESH = 3


class NotReady(NamedTuple):
    """How many bars a detector needs, and how many there are without a gap where that matters."""

    needed: int
    there: int


class Voice(NamedTuple):
    """The newest thing that a detector said, `age` bars before the last one."""

    age: int
    direction: Direction
    confidence: float

    @classmethod
    def of(cls, age: int, score: float) -> Voice:
        """Read a score: its sign is the direction, its size the confidence."""
        return cls(age, Direction.BULLISH if score > 0 else Direction.BEARISH, abs(score))


@attrs.frozen
class Glance:
    """What one detector says at the newest bars.

    Parameters
    ----------
    name, family : str
        Who looked: the detector's ``source_method``, and its family.
    signal : Signal or None
        What it says at the last bar, with the base rate of its levels.
    voice : Voice or None
        The newest thing that it said in the last `FRESH` bars, and within its horizon.
    lack : NotReady or None
        Set where history is too short to agree with itself.
    warming : bool
        Whether it knows something already, from too short a history.
    """

    name: str
    family: str
    signal: Signal | None
    voice: Voice | None
    lack: NotReady | None
    warming: bool


def glance(detector: SignalDetector, bars: Bars) -> Glance:
    """Ask a detector what it says at the newest bars, in one look where it can score them all.

    Parameters
    ----------
    detector : SignalDetector
        Whom.
    bars : Bars
        At least one.

    Returns
    -------
    Glance
        As its doors would say it one bar after the other.

    Raises
    ------
    ContractError
        When a hook raises, or answers in another shape or range than it should.
    """
    watched, touched = bars._watched()
    said = _newest(detector, watched)
    lack = None if said.ready[-1] else lack_of(bars, tuple(touched.values()))
    return glance_of(detector, bars[-len(said) :], said, lack)


def glance_of(
    detector: SignalDetector, bars: Bars, said: Detections, lack: NotReady | None
) -> Glance:
    """Read what a detector says at the newest bars off what it said at each of them.

    Parameters
    ----------
    detector : SignalDetector
        Who said it.
    bars : Bars
        The newest bars, at least one.
    said : Detections
        What it said at these.
    lack : NotReady or None
        What it lacks at the last one.

    Returns
    -------
    Glance
        Of the last bar.
    """
    scores = said.score[::-1][: min(FRESH, detector.horizon)]
    voices = (Voice.of(age, float(score)) for age, score in enumerate(scores) if abs(score) > 0)
    return Glance(
        detector.source_method,
        detector.family,
        _signal(detector, bars, said) if said.fired[-1] else None,
        next(voices, None),
        lack,
        bool(said.warming[-1]),
    )


def base_rate(price: float, target: float, stop: float) -> float:
    """How often prices without drift reach the target before the stop, 0 to 100.

    Parameters
    ----------
    price, target, stop : float
        Where it starts, and the two levels, one on either side.

    Returns
    -------
    float
        100 times the stop's distance over both distances: the gambler's ruin of a fair game.

    Examples
    --------
    >>> round(base_rate(100.0, 102.0, 98.5), 1)
    42.9
    """
    ahead, behind = abs(target - price), abs(price - stop)
    return 100.0 * behind / (ahead + behind)


def lack_of(bars: Bars, needs: Sequence[Need]) -> NotReady:
    """Tell what bars lack for a detector.

    Parameters
    ----------
    bars : Bars
        At least one.
    needs : sequence of Need
        Of the indicators that it asked for.

    Returns
    -------
    NotReady
        Bars since the last gap count, where an indicator is recursive.
    """
    needed = max((need.lookback for need in needs), default=1)
    if not any(need.recursive for need in needs):
        return NotReady(needed, len(bars))
    gaps = np.append(0, np.flatnonzero(bars.gap_before))
    return NotReady(needed, len(bars) - int(gaps[-1]))


def _newest(detector: SignalDetector, bars: Bars) -> Detections:
    """What is said at the newest bars at least."""
    if type(detector)._scan is not SignalDetector._scan:
        return detector.scan(bars)
    # It scores one window at a time: only the newest bars are asked for, behind the door, which
    # checks the detector and asks no hook where there are no bars.
    detector.scan(bars[:0])
    stops = range(max(len(bars) - min(FRESH, detector.horizon), 0) + 1, len(bars) + 1)
    looks = [look(detector, bars[:stop], detector._live, "_detect") for stop in stops]
    names = (field.name for field in attrs.fields(Detections))
    return Detections(*(np.array([getattr(each, name)[-1] for each in looks]) for name in names))


def _signal(detector: SignalDetector, bars: Bars, said: Detections) -> Signal:
    signal = signal_at(detector, bars, said, len(bars) - 1)
    rate = base_rate(signal.price, float(said.target[-1]), float(said.stop[-1]))
    return attrs.evolve(signal, base_rate=rate)
