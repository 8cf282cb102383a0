"""What kind of market it is: the interface of everything that can tell."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Self, final

import attrs
import numpy as np

from .bar import Bar
from .bars import Bars
from .clock import to_ns
from .doors import Interface
from .errors import ContractError, UsageError
from .state import decode, encode
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


def _by_regime(probabilities: Mapping[str, float]) -> dict[Regime, float]:
    given = {Regime(name): float(p) for name, p in probabilities.items()}
    return {regime: given.get(regime, 0.0) for regime in Regime}


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
        When the probabilities are none.

    Examples
    --------
    >>> from datetime import UTC
    >>> day = datetime(2024, 3, 8, 21, tzinfo=UTC)
    >>> said = RegimeAnalysis(day, "bull", {"bull": 0.7, "sideways": 0.3}, day, "TrendVol/1")
    >>> said.regime.value, said.confidence, said.axes["trend"]
    ('bull', 70.0, 0.7)
    """

    time: datetime
    regime: Regime = attrs.field(converter=Regime)
    probabilities: dict[Regime, float] = attrs.field(converter=_by_regime)
    since: datetime
    model: str
    key_indicators: dict[str, float] = attrs.field(factory=dict, kw_only=True, converter=dict)
    pending: dict[str, Any] | None = attrs.field(default=None, kw_only=True)
    per_asset: dict[str, Regime] = attrs.field(factory=dict, kw_only=True, converter=dict)
    warmup: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        shares = list(self.probabilities.values())
        if not all(0 <= share <= 1 for share in shares) or abs(sum(shares) - 1) > _SUM_TOLERANCE:
            raise UsageError(
                f"{self.model} gives no probabilities",
                expected="four shares from 0 to 1 that add up to 1",
                got=str({str(name): share for name, share in self.probabilities.items()}),
            )
        if to_ns(self.since) > to_ns(self.time):
            raise UsageError(
                "a regime from the future", expected=f"since by {self.time}", got=str(self.since)
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


@attrs.frozen
class _Fold:
    """All that a model knows after some bars; a value, so that it can be kept and resumed."""

    state: Any
    costs: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    regime: str | None = None
    since: datetime | None = None
    time: datetime | None = None
    count: int = 0


class RegimeModel(Interface):
    """Something that tells what kind of market it is: write ``_start`` and ``_step``.

    ``_start()`` gives the state before the first bar. ``_step(state, bar)`` gives the next state
    and the probability of each regime, and changes nothing: both doors fold it, so that live is
    the last step of history. A state is made of numbers, texts, tuples, lists, dicts and arrays.
    The base holds on to a regime until the evidence for another one outweighs `persistence`.

    Attributes
    ----------
    version : str
        Raise it when what is said changes.
    persistence : float
        Evidence, in nats, that another regime must gather: 0 follows the probabilities at once,
        2 asks for odds of about 7 to 1.
    lookback : int
        Bars before it is warm.

    Notes
    -----
    Persistence is the jump penalty of Nystrup, Lindstrom and Madsen (2020) on ``-log p``: the
    cost of each regime grows by its surprise, but never beyond the cheapest plus the penalty, and
    the cheapest one is held.

    Examples
    --------
    >>> class UpIsBull(RegimeModel):
    ...     '''Bull after a bar that closed up.'''
    ...
    ...     persistence = 0.0
    ...
    ...     def _start(self):
    ...         return ()
    ...
    ...     def _step(self, state, bar):
    ...         return state, {"bull": 1.0} if bar.close > bar.open else {"bear": 1.0}
    >>> days = np.array(["2024-03-07T05:00", "2024-03-08T05:00"], "M8[ns]")
    >>> bars = Bars("SPY", "1Day", days, [510.0, 515], [516.0, 518], [509.0, 511], [514.8, 511.7],
    ...             [6e7, 8e7])
    >>> [said.regime.value for said in UpIsBull().classify(bars)]
    ['bull', 'bear']
    """

    version: str = "1"
    persistence: float = 2.0
    lookback: int = 0
    _fold: _Fold | None = None
    _doors: ClassVar[dict[str, str]] = {
        "classify": "_step",
        "update": "_step",
        "snapshot": "_start",
        "restore": "_start",
    }

    @abstractmethod
    def _start(self) -> Any:
        """Give the state before the first bar."""

    @abstractmethod
    def _step(self, state: Any, bar: Bar) -> tuple[Any, Mapping[str, float]]:
        """Give the next state and the probability of each regime; change nothing."""

    def _describe(self, state: Any, bar: Bar) -> Mapping[str, float]:
        """Name the numbers that it looked at; leave out what is not known yet."""
        return {}

    def fit(self, history: Bars) -> Self:
        """Learn from a history, and give a new model; this one is fitted already.

        Parameters
        ----------
        history : Bars
            What to learn from.

        Returns
        -------
        RegimeModel
            A model of the same kind.
        """
        return self

    @property
    def model(self) -> str:
        """Who says it: the model with its parameters, and its version."""
        return f"{repr(self).removesuffix('()')}/{self.version}"

    @final
    def classify(self, history: Bars | Iterable[Bar]) -> tuple[RegimeAnalysis, ...]:
        """Say at every bar what kind of market it was held to be when that bar closed.

        Parameters
        ----------
        history : Bars
            Complete bars, oldest first. `update` is not affected.

        Returns
        -------
        tuple of RegimeAnalysis
            One a bar; each rests on its bar and earlier ones only.

        Raises
        ------
        ContractError
            When a hook raises, or gives no probabilities.
        """
        fold, said = _Fold(_begin(self)), []
        for bar in history:
            fold, analysis = _advance(self, fold, bar)
            said.append(analysis)
        return tuple(said)

    @final
    def update(self, bar: Bar) -> RegimeAnalysis:
        """Take one more bar, and say what kind of market it is now.

        Parameters
        ----------
        bar : Bar
            Complete, and later than the one before.

        Returns
        -------
        RegimeAnalysis
            The same as the last of `classify` over all bars so far.

        Raises
        ------
        UsageError
            When the bar is not later than the last one.
        ContractError
            When a hook raises, or gives no probabilities.
        """
        if not isinstance(bar, Bar):
            raise UsageError(
                "a model is fed bar by bar",
                expected="a Bar",
                got=f"a {type(bar).__name__}",
                hint="model.classify(bars), or model.update(bars[-1])",
            )
        fold = self._fold or _Fold(_begin(self))
        self._fold, analysis = _advance(self, fold, bar)
        return analysis

    @final
    def snapshot(self) -> dict[str, Any]:
        """Give all that the model knows, as plain JSON values.

        Returns
        -------
        dict
            What `restore` takes; it survives ``json.dumps`` to the last bit.
        """
        fold = self._fold or _Fold(_begin(self))
        return {"model": self.model, "fold": encode(attrs.asdict(fold, recurse=False))}

    @final
    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go on from a snapshot, as if nothing had happened in between.

        Parameters
        ----------
        snapshot : mapping
            What `snapshot` gave.

        Raises
        ------
        UsageError
            When it is another model's.
        """
        if snapshot.get("model") != self.model:
            raise UsageError(
                "a snapshot of another model",
                expected=self.model,
                got=str(snapshot.get("model")),
                hint="classify the history again",
            )
        self._fold = _Fold(**decode(snapshot["fold"]))


_SUM_TOLERANCE = 1e-6
# Below this, a probability counts as this: certainty must not outweigh all later evidence.
_LEAST = 1e-12


def _begin(model: RegimeModel) -> Any:
    return _asked(model, "_start", model._start)


def _advance(model: RegimeModel, fold: _Fold, bar: Bar) -> tuple[_Fold, RegimeAnalysis]:
    if fold.time is not None and to_ns(bar.time) <= to_ns(fold.time):
        raise UsageError(
            f"{model.model}: bars must go on",
            expected=f"a bar after {fold.time.isoformat()}",
            got=f"one from {bar.time.isoformat()}",
            hint="model.classify(history) to begin anew",
        )
    state, probabilities = _stepped(model, fold, bar)
    costs = _costs(fold.costs, probabilities, model.persistence)
    held = list(Regime)[int(np.argmin(costs))]
    since = fold.since if fold.regime == held and fold.since else bar.close_time
    after = _Fold(state, costs, held.value, since, bar.time, fold.count + 1)
    analysis = RegimeAnalysis(
        bar.close_time,
        held,
        {regime.value: share for regime, share in probabilities.items()},
        since,
        model.model,
        key_indicators=_asked(model, "_describe", model._describe, state, bar),
        pending=_pending(held, probabilities, costs, model.persistence),
        warmup=after.count < model.lookback,
    )
    return after, analysis


def _stepped(model: RegimeModel, fold: _Fold, bar: Bar) -> tuple[Any, dict[Regime, float]]:
    answer = _asked(model, "_step", model._step, fold.state, bar)
    try:
        state, probabilities = answer
        shares = _by_regime(probabilities)
    except (TypeError, ValueError, AttributeError) as error:
        raise _contract(model, "_step answered otherwise", f"{error}") from error
    total = sum(shares.values())
    if not all(0 <= share <= 1 for share in shares.values()) or abs(total - 1) > _SUM_TOLERANCE:
        raise _contract(model, "_step gave no probabilities", f"{dict(probabilities)}")
    return state, shares


def _costs(
    before: tuple[float, ...], probabilities: Mapping[Regime, float], penalty: float
) -> tuple[float, ...]:
    ceiling = min(before) + penalty
    raw = [
        min(cost, ceiling) - float(np.log(max(probabilities[regime], _LEAST)))
        for cost, regime in zip(before, Regime, strict=True)
    ]
    # Only differences matter; without this the costs would grow for ever.
    return tuple(cost - min(raw) for cost in raw)


def _pending(
    held: Regime,
    probabilities: Mapping[Regime, float],
    costs: tuple[float, ...],
    penalty: float,
) -> dict[str, Any] | None:
    likely = max(probabilities, key=lambda regime: probabilities[regime])
    if likely == held:
        return None
    behind = costs[list(Regime).index(likely)]
    return {"regime": likely.value, "evidence": max(penalty - behind, 0.0), "needed": penalty}


def _asked(model: RegimeModel, name: str, hook: Any, *args: Any) -> Any:
    try:
        return hook(*args)
    except Exception as error:
        raise _contract(model, f"{name} raised {type(error).__name__}", str(error)) from error


def _contract(model: RegimeModel, problem: str, got: str) -> ContractError:
    return ContractError(
        f"{type(model).__name__}: {problem}",
        expected="(state, {'bull': p, 'bear': p, 'sideways': p, 'volatile': p}), adding up to 1",
        got=got,
        hint="tradekit.testing.check_regime_model(...) tries a model in every way",
    )
