"""Who agrees with whom: one family, one vote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby

import attrs

from .._core.signal import Direction, Signal
from ._glance import Glance, Voice

Votes = dict[str, Direction | None]


def deduplicate(signals: Iterable[Signal]) -> tuple[list[Signal], list[Signal]]:
    """Keep one signal of each family and direction: the most confident, which names the others.

    Parameters
    ----------
    signals : iterable of Signal
        What was said about one symbol at one bar.

    Returns
    -------
    tuple of list of Signal
        What is kept and what is not, each the most confident first.
    """
    kept, left = [], []
    for _, group in groupby(sorted(signals, key=_kind), _kind):
        first, *others = ranked(group)
        left += others
        also = ", ".join(f"{other.source_method} ({other.confidence:.0f})" for other in others)
        kept.append(reasoned(first, f"also seen by {also}") if also else first)
    return ranked(kept), ranked(left)


def votes_of(glances: Iterable[Glance]) -> Votes:
    """Give each family that spoke lately its one vote: the side that it took last.

    Parameters
    ----------
    glances : iterable of Glance
        Of all detectors, in any order.

    Returns
    -------
    dict of str to Direction or None
        By family in alphabetical order; None where a family contradicts itself evenly.
    """
    voices: dict[str, list[Voice]] = {}
    for each in glances:
        if each.voice:
            voices.setdefault(each.family, []).append(each.voice)
    return {family: _side(voices[family]) for family in sorted(voices)}


def carried(votes: Mapping[str, Direction | None], threshold: float) -> Direction | None:
    """Find the side that carries the vote.

    Parameters
    ----------
    votes : mapping of str to Direction or None
        By family; None abstains.
    threshold : float
        Share of the votes that the larger side must reach, 0 to 1.

    Returns
    -------
    Direction or None
        None when both sides are equally large, or the larger one is too small. A single vote is
        no question of consensus: it carries.

    Examples
    --------
    >>> up, down = Direction.BULLISH, Direction.BEARISH
    >>> carried({"breakout": up, "gap": up, "trend": down}, 0.6).value
    'bullish'
    >>> carried({"breakout": up, "trend": down}, 0.5) is None
    True
    """
    cast = [side for side in votes.values() if side]
    bullish, bearish = (cast.count(side) for side in (Direction.BULLISH, Direction.BEARISH))
    if bullish == bearish or max(bullish, bearish) / len(cast) < threshold:
        return None
    return Direction.BULLISH if bullish > bearish else Direction.BEARISH


def supported(signal: Signal, votes: Mapping[str, Direction | None]) -> Signal:
    """Add to a signal's reasons which other families agree; its confidence stays as it is.

    Parameters
    ----------
    signal : Signal
        On the side that carried.
    votes : mapping of str to Direction or None
        By family.

    Returns
    -------
    Signal
        The same where no other family agrees.
    """
    agree = [f for f, side in votes.items() if side == signal.direction and f != signal.family]
    return reasoned(signal, f"families that agree: {', '.join(agree)}") if agree else signal


def reasoned(signal: Signal, reason: str) -> Signal:
    """Add a reason to a signal.

    Parameters
    ----------
    signal : Signal
        Any.
    reason : str
        In words.

    Returns
    -------
    Signal
        The same otherwise.
    """
    return attrs.evolve(signal, reasons=(*signal.reasons, reason))


def ranked(signals: Iterable[Signal]) -> list[Signal]:
    """Sort signals, the most confident first; equals by who said it.

    Parameters
    ----------
    signals : iterable of Signal
        In any order.

    Returns
    -------
    list of Signal
        In the same order whatever order they came in.
    """
    return sorted(signals, key=lambda signal: (-signal.confidence, signal.source_method))


def _kind(signal: Signal) -> tuple[str, str]:
    return signal.family, signal.direction


def _side(voices: list[Voice]) -> Direction | None:
    """The side of the newest voice; of several at one bar, of the more confident."""
    age = min(voice.age for voice in voices)
    best = dict.fromkeys(Direction, 0.0)
    for voice in voices:
        if voice.age == age:
            best[voice.direction] = max(best[voice.direction], voice.confidence)
    if best[Direction.BULLISH] == best[Direction.BEARISH]:
        return None
    return max(best, key=lambda side: best[side])
