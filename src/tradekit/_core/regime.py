"""What kind of market it is: the interface of everything that can tell."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from datetime import datetime
from math import isfinite
from typing import Any, ClassVar, Self, final

import attrs

from .analysis import Regime, RegimeAnalysis, are_shares, by_regime, coming
from .bar import Bar
from .bars import Bars
from .doors import Author, answer_of, breach
from .errors import UsageError
from .persistence import hold, weigh
from .state import decode, encode

__all__ = ["Regime", "RegimeAnalysis", "RegimeModel"]

_ORDER = tuple(Regime)
_STEP = "(state, {'bull': p, 'bear': p, 'sideways': p, 'volatile': p}), adding up to 1"


@attrs.frozen
class _Fold:
    """All that a model knows after some bars; a value, so that it can be kept and resumed."""

    state: Any
    costs: tuple[float, ...] = (0.0,) * len(Regime)
    held: int | None = None
    since: datetime | None = None
    time: datetime | None = None
    about: tuple[str, ...] = ()
    count: int = 0


class RegimeModel(Author):
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
    cost of each regime grows by its surprise, but never beyond the cheapest plus the penalty. The
    regime that is held stays until another one is cheaper.

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
    >>> import numpy as np
    >>> days = np.array(["2024-03-07T05:00", "2024-03-08T05:00"], "M8[ns]")
    >>> bars = Bars("SPY", "1Day", days, [510.0, 515], [516.0, 518], [509.0, 511], [514.8, 511.7],
    ...             [6e7, 8e7])
    >>> [said.regime.value for said in UpIsBull().classify(bars)]
    ['bull', 'bear']
    """

    persistence: float = 2.0
    lookback: int = 0
    _fold: _Fold | None = None
    _doors: ClassVar[dict[str, str]] = {
        "classify": "_step",
        "update": "_step",
        "snapshot": "_start",
        "restore": "_start",
    }
    _kit: ClassVar[str] = "check_regime_model"

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
        return self._signature

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
        UsageError
            When it is something else, or the bars do not go on.
        ContractError
            When a hook raises, or gives no probabilities.
        """
        fold, said = _begin(self), []
        for bar in history if isinstance(history, Iterable) else (history,):
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
            When it is no bar, not later than the last one, or about something else.
        ContractError
            When a hook raises, or gives no probabilities.
        """
        fold, analysis = _advance(self, self._fold or _begin(self), bar)
        self._keep(fold)
        return analysis

    @final
    def snapshot(self) -> dict[str, Any]:
        """Give all that the model knows, as plain JSON values.

        Returns
        -------
        dict
            What `restore` takes; it survives ``json.dumps`` to the last bit.

        Raises
        ------
        ContractError
            When the state holds something that cannot be kept.
        """
        fold = self._fold or _begin(self)
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
            When it is another model's, or no snapshot.
        """
        model = snapshot.get("model") if isinstance(snapshot, Mapping) else None
        if model != self.model:
            raise _no_snapshot(f"one of {self.model}", f"one of {model}" if model else "none")
        try:
            fold = _Fold(**decode(snapshot["fold"]))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            got = f"{type(error).__name__}: {error}"
            raise _no_snapshot("what snapshot() gave", got) from error
        self._keep(fold)

    def _keep(self, fold: _Fold) -> None:
        object.__setattr__(self, "_fold", fold)  # a model may be frozen; its past is not part of it


def _no_snapshot(expected: str, got: str) -> UsageError:
    hint = "classify the history again"
    return UsageError("no snapshot to go on from", expected=expected, got=got, hint=hint)


def _begin(model: RegimeModel) -> _Fold:
    return _Fold(answer_of(model, "_start", model._start))


def _advance(model: RegimeModel, fold: _Fold, bar: Bar) -> tuple[_Fold, RegimeAnalysis]:
    _check_bar(model, fold, bar)
    state, shares = _stepped(model, fold, bar)
    costs = weigh(fold.costs, tuple(shares.values()), model.persistence)
    held = hold(costs, fold.held)
    since = fold.since if fold.held == held and fold.since else bar.close_time
    about = (bar.symbol, str(bar.timeframe))
    after = _Fold(state, costs, held, since, bar.time, about, fold.count + 1)
    analysis = RegimeAnalysis(
        bar.close_time,
        _ORDER[held],
        shares,
        since,
        model.model,
        key_indicators=_described(model, state, bar),
        pending=coming(shares, costs, _ORDER[held], model.persistence),
        warmup=after.count < model.lookback,
    )
    return after, analysis


def _check_bar(model: RegimeModel, fold: _Fold, bar: Any) -> None:
    if not isinstance(bar, Bar):
        expected, got = "a Bar at a time", f"a {type(bar).__name__}"
        hint = "model.classify(bars), or model.update(bars[-1])"
    elif fold.time is not None and bar.time <= fold.time:
        expected, got = f"a bar after {fold.time.isoformat()}", f"one from {bar.time.isoformat()}"
        hint = "model.classify(history) to begin anew"
    elif fold.about and fold.about != (bar.symbol, bar.timeframe):
        expected, got = f"bars of {' '.join(fold.about)}", f"one of {bar.symbol} {bar.timeframe}"
        hint = "a model each"
    else:
        return
    problem = f"{model.model}: bars must go on"
    raise UsageError(problem, expected=expected, got=got, hint=hint)


def _stepped(model: RegimeModel, fold: _Fold, bar: Bar) -> tuple[Any, dict[Regime, float]]:
    answer = answer_of(model, "_step", model._step, fold.state, bar)
    try:
        state, probabilities = answer
        shares = by_regime(probabilities)
    except (TypeError, ValueError, AttributeError) as error:
        raise breach(model, "_step answered otherwise", _STEP, f"{answer!r}: {error}") from error
    if not are_shares(shares):
        raise breach(model, "_step gave no probabilities", _STEP, f"{dict(probabilities)}")
    return state, shares


def _described(model: RegimeModel, state: Any, bar: Bar) -> dict[str, float]:
    answer = answer_of(model, "_describe", model._describe, state, bar)
    try:
        numbers = {str(name): float(number) for name, number in answer.items()}
    except (TypeError, ValueError, AttributeError) as error:
        expected = "numbers by name"
        raise breach(model, "_describe answered otherwise", expected, f"{answer!r}") from error
    if unknown := [name for name, number in numbers.items() if not isfinite(number)]:
        expected = "what is not known yet left out"
        raise breach(model, "_describe does not know", expected, ", ".join(unknown))
    return numbers
