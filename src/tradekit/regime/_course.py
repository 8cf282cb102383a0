"""The course of a regime: what is held, since when, and how often it changed."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from .._core.analysis import Regime, coming
from .._core.persistence import hold, weigh

_ORDER = tuple(Regime)
_CHANGES_KEPT = 1000
_YEAR = timedelta(days=365)
_NEVER = datetime.min.replace(tzinfo=UTC)

Shares = dict[Regime, float]


@attrs.frozen
class RegimeChange:
    """One regime gave way to another.

    Parameters
    ----------
    time : datetime
        Close of the bar at which the new one was first held, aware UTC.
    previous, regime : Regime
        The old one and the new one.

    Examples
    --------
    >>> from datetime import UTC
    >>> change = RegimeChange(datetime(2020, 2, 27, 21, tzinfo=UTC), "bull", "bear")
    >>> f"{change.previous} -> {change.regime}"
    'bull -> bear'
    """

    time: datetime
    previous: Regime = attrs.field(converter=Regime)
    regime: Regime = attrs.field(converter=Regime)


@attrs.frozen
class Course:
    """How a regime came to be held; a value, advanced bar by bar.

    Parameters
    ----------
    costs : tuple of float
        Of each regime, in nats.
    held : int, optional
        Position of the regime that is held; None before the first bar.
    time, since : datetime
        The last bar's close, and the one since which the regime is held.
    bars : tuple of int
        Bars that each regime was held for.
    spells : tuple of int
        How often each was taken up.
    transitions : Counter
        How often one regime gave way to another, by both names.
    changes : tuple of RegimeChange
        The latest thousand.
    """

    costs: tuple[float, ...] = (0.0,) * len(_ORDER)
    held: int | None = None
    time: datetime = _NEVER
    since: datetime = _NEVER
    bars: tuple[int, ...] = (0,) * len(_ORDER)
    spells: tuple[int, ...] = (0,) * len(_ORDER)
    transitions: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    changes: tuple[RegimeChange, ...] = ()

    @property
    def regime(self) -> Regime | None:
        """The regime that is held."""
        return None if self.held is None else _ORDER[self.held]

    def advance(self, time: datetime, shares: Shares, persistence: float) -> Course:
        """Take the probabilities of one more bar.

        Parameters
        ----------
        time : datetime
            Its close.
        shares : dict of Regime to float
            Their probabilities.
        persistence : float
            Evidence, in nats, that another regime must gather.

        Returns
        -------
        Course
            A new one.
        """
        costs = weigh(self.costs, tuple(shares.values()), persistence)
        held = hold(costs, self.held)
        on = attrs.evolve(self, costs=costs, held=held, time=time, bars=_raised(self.bars, held))
        if held == self.held:
            return on
        on = attrs.evolve(on, since=time, spells=_raised(self.spells, held))
        if self.regime is None:
            return on
        return on._after(RegimeChange(time, self.regime, _ORDER[held]))

    def _after(self, change: RegimeChange) -> Course:
        names = (change.previous.value, change.regime.value)
        changes = (*self.changes, change)[-_CHANGES_KEPT:]
        return attrs.evolve(self, transitions=self.transitions + Counter([names]), changes=changes)

    def pending(self, shares: Shares, persistence: float) -> dict[str, Any] | None:
        """Tell which other regime is likelier now, and how near it is.

        Parameters
        ----------
        shares : dict of Regime to float
            Of the last bar.
        persistence : float
            Evidence that it must gather.

        Returns
        -------
        dict, optional
            ``regime``, ``evidence`` and ``needed``, in nats; None when none is likelier.
        """
        return coming(shares, self.costs, self.regime, persistence)

    def statistics(self) -> dict[str, Any]:
        """Count what was held, for how long and how often it changed.

        Returns
        -------
        dict
            Plain JSON values; `MarketRegimeDetector.get_regime_statistics` names them.
        """
        total = sum(self.bars)
        counts = zip(_ORDER, self.bars, self.spells, strict=True)
        held = {regime.value: (bars, spells) for regime, bars, spells in counts}
        return {
            "current_regime": self.regime.value if self.regime else "unknown",
            "current_regime_duration_days": (self.time - self.since).days,
            "total_regime_changes": self.transitions.total(),
            "changes_last_year": sum(self.time - change.time < _YEAR for change in self.changes),
            "total_bars": total,
            "occupancy": {name: bars / max(total, 1) for name, (bars, _) in held.items()},
            "mean_spell_bars": {name: bars / n for name, (bars, n) in held.items() if n},
            "transitions": {
                f"{old} -> {new}": n for (old, new), n in sorted(self.transitions.items())
            },
        }


def _raised(counts: tuple[int, ...], row: int) -> tuple[int, ...]:
    return tuple(n + (at == row) for at, n in enumerate(counts))
