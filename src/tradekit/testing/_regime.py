"""Checks of regime models: causal, pure, resumable, the same to the last bit."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence

import attrs
import numpy as np

from .._core.bars import Bars
from .._core.errors import ContractError, UsageError
from .._core.faults import PRICES
from .._core.regime import Regime, RegimeAnalysis, RegimeModel
from .._core.state import encode
from ._check import Check, as_checks, fail
from ._futures import poisoned
from ._series import altered, kit_bars, odd_bars

Said = Sequence[RegimeAnalysis]

_LENGTH, _CUTS = 300, 3
# A state may grow while it warms up, not for ever.
_GROWTH = 1.5
_SCALE, _SCALE_TOLERANCE = 4.0, 1e-6


def check_regime_model(
    model: RegimeModel,
    *,
    bars: Bars | None = None,
    seed: int = 0,
    known_failures: Mapping[str, str] | None = None,
) -> tuple[Check, ...]:
    """Give the checks that every regime model should pass, by name.

    Parameters
    ----------
    model : RegimeModel
        The one to try; copies of it are used.
    bars : Bars, optional
        Daily bars to try it on; else a market made from the seed.
    seed : int
        For that market and for where to cut.
    known_failures : mapping of str to str, optional
        Checks that are known to fail, each with the reason; one that passes is an error.

    Returns
    -------
    tuple of Check
        For ``@pytest.mark.parametrize("check", check_regime_model(...))``.

    Notes
    -----
    - ``prefix`` and ``poisoned_future``: later bars change nothing of what was said.
    - ``stream_is_history``: `update` bar by bar says what `classify` says of all.
    - ``resumes``: a snapshot that went through JSON goes on to the last bit.
    - ``steps_are_pure``: ``_step`` leaves the state that it was handed as it was.
    - ``same_every_time``, and ``state_stays_small``: no memory beside the state, none that grows.
    - ``scale_free``: the same at four times the price, so that a split is no change of regime.
    - ``odd_bars``: few, flat, untraded, tiny or huge ones are answered too.
    - ``fit_changes_nothing``: `fit` gives a new model; left out where there is nothing to fit.

    Examples
    --------
    >>> import tradekit
    >>> class UpIsBull(tradekit.RegimeModel):
    ...     '''Bull after a bar that closed up.'''
    ...
    ...     def _start(self):
    ...         return ()
    ...
    ...     def _step(self, state, bar):
    ...         return state, {"bull": 0.9, "bear": 0.1} if bar.close > bar.open else {"bear": 1.0}
    >>> for check in check_regime_model(UpIsBull()):
    ...     check()
    """
    trial = _Trial(model, bars, seed)
    questions: dict[str, Callable[[], None]] = {
        "prefix": trial.prefix,
        "poisoned_future": trial.poisoned_future,
        "stream_is_history": trial.stream_is_history,
        "resumes": trial.resumes,
        "steps_are_pure": trial.steps_are_pure,
        "same_every_time": trial.same_every_time,
        "state_stays_small": trial.state_stays_small,
        "scale_free": trial.scale_free,
        "odd_bars": trial.odd_bars,
        "fit_changes_nothing": trial.fit_changes_nothing,
    }
    if type(model).fit is RegimeModel.fit:
        del questions["fit_changes_nothing"]  # it learns nothing
    return as_checks(questions, known_failures)


class _Trial:
    def __init__(self, model: RegimeModel, bars: Bars | None, seed: int) -> None:
        self.model, self.given, self.seed = model, bars, seed
        self.who = type(model).__name__

    def bars(self) -> Bars:
        if self.given is not None:
            return self.given
        return kit_bars(self.seed, max(_LENGTH, self.model.lookback + _LENGTH // 2))[0]

    def fresh(self) -> RegimeModel:
        return copy.deepcopy(self.model)

    def cuts(self) -> list[int]:
        rng = np.random.default_rng(self.seed)
        return [int(cut) for cut in rng.integers(1, max(len(self.bars()), 2), _CUTS)]

    def prefix(self) -> None:
        bars = self.bars()
        said = self.fresh().classify(bars)
        for cut in self.cuts():
            self._same(said[:cut], self.fresh().classify(bars[:cut]), "when later bars are cut off")

    def poisoned_future(self) -> None:
        bars = self.bars()
        said = self.fresh().classify(bars)
        for cut in self.cuts():
            for other in poisoned(bars, cut):
                self._same(said[:cut], self.fresh().classify(other)[:cut], "when later bars change")

    def stream_is_history(self) -> None:
        bars, live = self.bars(), self.fresh()
        self._same(self.fresh().classify(bars), _fed(live, bars), "bar by bar")

    def resumes(self) -> None:
        bars = self.bars()
        said = _fed(self.fresh(), bars)
        for cut in self.cuts():
            before, after = self.fresh(), self.fresh()
            _fed(before, bars[:cut])
            try:
                after.restore(json.loads(json.dumps(before.snapshot())))
            except UsageError as error:
                fail(
                    self.who,
                    "does not take its own snapshot back",
                    expected=f"to go on from row {cut}",
                    got=str(error),
                    hint="keep all that changes in the state, nothing on self",
                )
            self._same(said[cut:], _fed(after, bars[cut:]), "from a snapshot")

    def steps_are_pure(self) -> None:
        model = self.fresh()
        state = model._start()
        for bar in self.bars():
            before = json.dumps(encode(state))
            after, _ = model._step(state, bar)
            if json.dumps(encode(state)) != before:
                fail(
                    self.who,
                    "changes the state that _step was handed",
                    expected="the same state, and a new one in the answer",
                    got="another one",
                    hint="copy what you change: {**state, 'mean': mean}",
                )
            state = after

    def same_every_time(self) -> None:
        bars, used = self.bars(), self.fresh()
        first = used.classify(bars)
        self._same(first, used.classify(bars), "the second time")
        self._same(first, self.fresh().classify(bars), "from a copy")

    def state_stays_small(self) -> None:
        bars, model, sizes = self.bars(), self.fresh(), []
        for bar in bars:
            model.update(bar)
            sizes.append(len(json.dumps(model.snapshot())))
        half = sizes[len(sizes) // 2]
        if sizes[-1] > _GROWTH * half:
            fail(
                self.who,
                "remembers ever more",
                expected=f"a state of about {half} characters, as half way",
                got=f"{sizes[-1]} at the end",
                hint="keep running sums, not bars: update must stay O(1)",
            )

    def scale_free(self) -> None:
        bars = self.bars()
        dear = {name: getattr(bars, name) * _SCALE for name in PRICES}
        said, again = self.fresh().classify(bars), self.fresh().classify(altered(bars, **dear))
        for row, (then, now) in enumerate(zip(said, again, strict=True)):
            change = max(abs(then.probabilities[r] - now.probabilities[r]) for r in Regime)
            if change > _SCALE_TOLERANCE:
                fail(
                    self.who,
                    "depends on how many dollars a share costs",
                    expected=f"{_told(then.probabilities)} in row {row}",
                    got=f"{_told(now.probabilities)} when every price is {_SCALE:g} times as high",
                    hint="returns, or distances in units of their own volatility",
                )

    def odd_bars(self) -> None:
        for what, bars in odd_bars("1Day"):
            try:
                self.fresh().classify(bars)
            except ContractError as error:
                fail(
                    self.who,
                    f"fails on {what}",
                    expected="probabilities, whatever the bars",
                    got=f"{error.problem}, {error.got}",
                    hint="guard divisions and logarithms; volume may be NaN",
                )

    def fit_changes_nothing(self) -> None:
        bars, model = self.bars(), self.fresh()
        before, fitted = model.classify(bars), model.fit(bars)
        if not isinstance(fitted, RegimeModel):
            fail(
                self.who,
                "is not fitted by fit",
                expected="a new model",
                got=f"a {type(fitted).__name__}",
                hint="return a new model from fit",
            )
        self._same(before, model.classify(bars), "after fit, which gives a new model")

    def _same(self, said: Said, again: Said, when: str) -> None:
        for row, (then, now) in enumerate(zip(said, again, strict=True)):
            if then != now:
                self._differ(row, then, now, when)

    def _differ(self, row: int, then: RegimeAnalysis, now: RegimeAnalysis, when: str) -> None:
        names = [field.name for field in attrs.fields(RegimeAnalysis)]
        name = next(name for name in names if getattr(then, name) != getattr(now, name))
        fail(
            self.who,
            f"says something else {when}",
            expected=f"{name} {_told(getattr(then, name))} in row {row}",
            got=_told(getattr(now, name)),
            hint="a step may rest on its state and its bar alone",
        )


def _fed(model: RegimeModel, bars: Bars) -> Said:
    return [model.update(bar) for bar in bars]


def _told(value: object) -> str:
    """A value in plain words: regimes by their names."""
    if isinstance(value, Mapping):
        return str({str(key): item for key, item in value.items()})
    return str(value)
