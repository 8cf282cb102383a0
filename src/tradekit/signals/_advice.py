"""What an answer suggests to whoever asked: causes and their cures."""

from __future__ import annotations

from collections.abc import Iterator

from ._answer import AggregatedSignals
from ._explanation import counted

# From here on a threshold is more than uncalibrated scores usually claim.
_HIGH = 70.0


def advice(said: AggregatedSignals) -> Iterator[tuple[str, str]]:
    """Tell what stands in the way of signals, and what helps.

    Parameters
    ----------
    said : AggregatedSignals
        The answer.

    Yields
    ------
    tuple of str
        The cause, by which it is told once, and the sentence.
    """
    for name, problem in said.errors.items():
        what, *_ = problem.partition(":")  # what follows differs from bar to bar
        yield f"{name}: {what}", f"{said.names[name]} could not look: {problem}"
    if said.limit:
        yield "short", _short(said, said.limit)
    if 0 < said.min_confidence < 1:
        yield "scale", _scale(said.min_confidence)
    weak = said.below_threshold
    if said.min_confidence >= _HIGH and weak and not said:
        yield f"nothing reaches {said.min_confidence}", _high(said)


def _short(said: AggregatedSignals, limit: int) -> str:
    many = f"{len(said.short)} of {counted(len(said.looked), 'detector')}"
    return f"still warming on {counted(said.bars, 'bar')}: {many}; ask for limit={limit}"


def _scale(given: float) -> str:
    return (
        f"min_confidence={given:g} lets nearly everything pass: confidence goes from 0 to 100; "
        f"write {100 * given:g} if that is meant"
    )


def _high(said: AggregatedSignals) -> str:
    best = max(signal.confidence for signal in said.below_threshold)
    return (
        f"min_confidence={said.min_confidence:g} let nothing pass (the best claims {best:.0f}): "
        "few uncalibrated signals claim as much; lower it, and ask for points above the base rate "
        "instead (min_edge=5)"
    )
