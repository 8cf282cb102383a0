"""Holding on to one of several states until the evidence for another one outweighs it."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from .errors import UsageError

# Below this, a probability counts as this: certainty must not outweigh all later evidence.
LEAST = 1e-12


def weigh(costs: Sequence[float], shares: Sequence[float], penalty: float) -> tuple[float, ...]:
    """Add the surprise of each state to its cost, which the penalty keeps in reach.

    Parameters
    ----------
    costs : sequence of float
        Of each state so far, in nats; the cheapest is 0.
    shares : sequence of float
        Probability of each state now.
    penalty : float
        What it costs to change the state, in nats; from 0.

    Returns
    -------
    tuple of float
        Costs now; the cheapest is 0.

    Raises
    ------
    UsageError
        When the penalty is no such number.

    Notes
    -----
    ``min(cost, min(costs) + penalty) - log(share)``, less the smallest: the jump penalty of
    Nystrup, Lindstrom and Madsen (2020) on ``-log p``, as a dynamic programme would add it up.

    Examples
    --------
    >>> weigh((0.0, 2.0), (0.5, 0.5), 2.0)
    (0.0, 2.0)
    """
    if not penalty >= 0:
        raise UsageError(
            "persistence is evidence", expected="nats from 0", got=repr(penalty), hint="2.0"
        )
    ceiling = min(costs) + penalty
    raw = [
        min(cost, ceiling) - log(max(share, LEAST))
        for cost, share in zip(costs, shares, strict=True)
    ]
    # Only differences matter; without this the costs would grow for ever.
    return tuple(cost - min(raw) for cost in raw)


def hold(costs: Sequence[float], held: int | None) -> int:
    """Choose the cheapest state; the one that is held stays while no other is cheaper.

    Parameters
    ----------
    costs : sequence of float
        Of each state.
    held : int, optional
        Which one is held.

    Returns
    -------
    int
        Which one is held now.

    Examples
    --------
    >>> hold((0.0, 0.0), held=1), hold((0.0, 0.1), held=1)
    (1, 0)
    """
    least = min(costs)
    return held if held is not None and costs[held] == least else list(costs).index(least)
