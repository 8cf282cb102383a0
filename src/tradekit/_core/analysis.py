"""What kind of market it was held to be, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from .clock import to_utc
from .errors import UsageError
from .words import Word


class Regime(Word):
    """Four kinds of market; equal to the plain text.

    Examples
    --------
    >>> Regime.BEAR == "bear", Regime("bull").name
    (True, 'BULL')
    """

    BULL = "bull"
    BEAR = "bear"
    SIDEWAYS = "sideways"
    VOLATILE = "volatile"


_ORDER = tuple(Regime)
_SUM_TOLERANCE = 1e-6


def by_regime(probabilities: Mapping[Any, float]) -> dict[Regime, float]:
    """Give every regime its probability; 0 for those that are left out.

    Parameters
    ----------
    probabilities : mapping of str to float
        By name.

    Returns
    -------
    dict of Regime to float
        In the order of `Regime`.

    Raises
    ------
    UsageError
        When a name is unknown.

    Examples
    --------
    >>> [p for p in by_regime({"bear": 0.25, "bull": 0.75}).values()]
    [0.75, 0.25, 0.0, 0.0]
    """
    given = {Regime(name): float(p) for name, p in probabilities.items()}
    return {regime: given.get(regime, 0.0) for regime in Regime}


def _copy(named: Mapping[str, Any]) -> dict[str, Any]:
    return dict(named)


def are_shares(probabilities: Mapping[Regime, float]) -> bool:
    """Tell whether these are probabilities: each from 0 to 1, and 1 together.

    Parameters
    ----------
    probabilities : mapping of Regime to float
        All of them.

    Returns
    -------
    bool
        Whether they are; the sum may be off by a millionth.
    """
    shares = probabilities.values()
    return all(0 <= share <= 1 for share in shares) and abs(sum(shares) - 1) <= _SUM_TOLERANCE


def coming(
    shares: Mapping[Regime, float], costs: Sequence[float], held: Regime | None, needed: float
) -> dict[str, Any] | None:
    """Tell which other regime is likelier than the one that is held, and how near it is.

    Parameters
    ----------
    shares : dict of Regime to float
        Of the last bar.
    costs : sequence of float
        Of each regime, in nats, in the order of `Regime`; the cheapest is 0.
    held : Regime, optional
        Which one is held.
    needed : float
        Evidence that another one must gather, in nats.

    Returns
    -------
    dict, optional
        ``regime``, ``evidence`` and ``needed``; None when none is likelier.

    Examples
    --------
    >>> shares = by_regime({"bull": 0.4, "bear": 0.6})
    >>> coming(shares, (0.0, 1.5, 2.0, 2.0), Regime.BULL, 2.0)
    {'regime': 'bear', 'evidence': 0.5, 'needed': 2.0}
    """
    likely = max(_ORDER, key=lambda regime: (shares[regime], regime == held))
    if likely == held:
        return None
    evidence = max(needed - costs[_ORDER.index(likely)], 0.0)
    return {"regime": likely.value, "evidence": evidence, "needed": needed}


@attrs.frozen
class RegimeAnalysis:
    """What kind of market it was held to be when a bar closed.

    Parameters
    ----------
    time : datetime
        Close of that bar, aware UTC.
    regime : Regime
        The one that is held, after persistence.
    probabilities : dict of Regime to float
        What the model gives each of the four now; they add up to 1.
    since : datetime
        When the regime was first held, aware UTC.
    model : str
        Who says it: the model with its parameters, and its version.
    key_indicators : dict of str to float
        What it looked at; what is not known yet is left out.
    pending : dict, optional
        A change that is coming: ``regime``, ``evidence`` so far and ``needed``, in nats.
    per_asset : dict of str to Regime
        What each asset says alone, where several were looked at.
    warmup : bool
        Whether the model had less history than it needs.

    Raises
    ------
    UsageError
        When the probabilities are none, a regime is unknown, or it is held since later.

    Examples
    --------
    >>> from datetime import UTC
    >>> day = datetime(2024, 3, 8, 21, tzinfo=UTC)
    >>> said = RegimeAnalysis(day, "bull", {"bull": 0.7, "sideways": 0.3}, day, "TrendVol/1")
    >>> said.regime.value, said.confidence, said.axes["trend"]
    ('bull', 70.0, 0.7)
    """

    time: datetime = attrs.field(converter=to_utc)
    regime: Regime = attrs.field(converter=Regime)
    probabilities: dict[Regime, float] = attrs.field(converter=by_regime)
    since: datetime = attrs.field(converter=to_utc)
    model: str
    key_indicators: dict[str, float] = attrs.field(factory=dict, kw_only=True, converter=_copy)
    pending: dict[str, Any] | None = attrs.field(default=None, kw_only=True)
    per_asset: dict[str, Regime] = attrs.field(factory=dict, kw_only=True, converter=_copy)
    warmup: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not are_shares(self.probabilities):
            raise UsageError(
                f"{self.model} gives no probabilities",
                expected="four shares from 0 to 1 that add up to 1",
                got=str({name.value: share for name, share in self.probabilities.items()}),
                hint="divide them by their sum",
            )
        if self.since > self.time:
            raise UsageError(
                "a regime from the future",
                expected=f"since by {self.time}",
                got=str(self.since),
                hint="the close of the bar at which it was first held",
            )

    @property
    def confidence(self) -> float:
        """Probability of the regime that is held, 0 to 100."""
        return 100.0 * self.probabilities[self.regime]

    @property
    def axes(self) -> dict[str, float]:
        """``trend`` from -1 (bear) to 1 (bull), ``volatility`` from 0 to 1."""
        p = self.probabilities
        return {"trend": p[Regime.BULL] - p[Regime.BEAR], "volatility": p[Regime.VOLATILE]}
