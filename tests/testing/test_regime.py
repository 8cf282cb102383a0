"""The kit passes causal models, and refuses each that is not."""

from __future__ import annotations

import math
import re
from typing import ClassVar

import attrs
import pytest

from tradekit import ContractError, RegimeModel
from tradekit.testing import check_regime_model
from tradekit.testing._series import kit_bars

NAMES = ("bull", "bear", "sideways", "volatile")


class UpIsBull(RegimeModel):
    """Bull after a bar that closed up."""

    def _start(self):
        return {"seen": 0}

    def _step(self, state, bar):
        return {"seen": 1}, self._view(state, bar)

    def _view(self, state, bar):
        up = bar.close > bar.open
        return {"bull": 0.9, "bear": 0.1} if up else {"bull": 0.1, "bear": 0.9}


class MarkovFilter(RegimeModel):
    """A Hamilton filter: four normal distributions of log returns, and a sticky chain."""

    persistence = 1.0
    lookback = 50
    means = (0.001, -0.002, 0.0, 0.0)
    sizes = (0.008, 0.02, 0.006, 0.03)

    def __init__(self, stay=0.97):
        self.stay = stay

    def _start(self):
        return {"close": None, "p": (0.25,) * 4}

    def _step(self, state, bar):
        if state["close"] is None:
            return {**state, "close": bar.close}, dict(zip(NAMES, state["p"], strict=True))
        move, leave = math.log(bar.close / state["close"]), (1 - self.stay) / 3
        prior = [self.stay * p + leave * (1 - p) for p in state["p"]]
        fits = [
            -0.5 * ((move - mean) / size) ** 2 - math.log(size)
            for mean, size in zip(self.means, self.sizes, strict=True)
        ]
        weights = [p * math.exp(fit - max(fits)) for p, fit in zip(prior, fits, strict=True)]
        after = tuple(weight / sum(weights) for weight in weights)
        return {"close": bar.close, "p": after}, dict(zip(NAMES, after, strict=True))

    def _describe(self, state, bar):
        return {"close": bar.close}

    def fit(self, history):
        return MarkovFilter(stay=0.98)


@pytest.mark.parametrize("model", [UpIsBull(), MarkovFilter()], ids=lambda m: type(m).__name__)
def test_an_honest_model_passes(model):
    for check in check_regime_model(model):
        check()


class KnowsTomorrow(UpIsBull):
    """Looks up the next close among all that it ever saw."""

    seen: ClassVar[dict] = {}

    def _step(self, state, bar):
        before = state.get("time")
        if before is not None:
            self.seen[before] = bar.close
        later = self.seen.get(bar.time.isoformat(), bar.close)
        up = later > bar.close
        return {"time": bar.time.isoformat()}, {"bull": float(up), "bear": float(not up)}


class ScaledByTheWildest(UpIsBull):
    """Measures each bar by the largest jump that any bars ever made, if it was a large one."""

    wildest: ClassVar[list] = [1.0]

    def _step(self, state, bar):
        move = abs(math.log(bar.close / state.get("close", bar.close)))
        if move > 0.9:
            self.wildest.append(move)
        share = min(move / max(self.wildest), 1.0)
        return {"close": bar.close}, {"volatile": share, "sideways": 1 - share}


class LiveIsAnother(UpIsBull):
    """Is surer of itself when it is fed bar by bar."""

    def _view(self, state, bar):
        return {"bull": 1.0} if self._fold is not None else super()._view(state, bar)


class KeepsItsMean(UpIsBull):
    """Keeps a part of its state on itself, where no snapshot finds it."""

    _mean = 0.0

    def _start(self):
        self._mean = 0.0
        return {"seen": 0}

    def _view(self, state, bar):
        change = bar.close / bar.open - 1
        self._mean += 0.05 * (change - self._mean)
        return {"bull": 1.0} if change > self._mean else {"bear": 1.0}


class NamesItsState(UpIsBull):
    """Keeps a number on itself, and so has another name with every bar."""

    def _view(self, state, bar):
        self.close = bar.close
        return super()._view(state, bar)


class ChangesItsState(UpIsBull):
    """Writes into the state that it was handed."""

    def _step(self, state, bar):
        state["seen"] += 1
        return state, self._view(state, bar)


class CountsItsCalls(UpIsBull):
    """Says something else with every history."""

    calls = 0

    def _start(self):
        self.calls += 1
        return {"seen": self.calls}

    def _view(self, state, bar):
        share = 1 / (1 + state["seen"])
        return {"bull": share, "bear": 1 - share}

    def _step(self, state, bar):
        return state, self._view(state, bar)


class KeepsEveryClose(UpIsBull):
    """Keeps all closes."""

    def _step(self, state, bar):
        return {"closes": [*state.get("closes", []), bar.close]}, self._view(state, bar)


class OneHundredIsMuch(UpIsBull):
    """Holds a price above 100 for a bull market."""

    def _view(self, state, bar):
        return {"bull": 1.0} if bar.close > 100 else {"bear": 1.0}


class DividesByTheRange(UpIsBull):
    """Asks where in its range a bar closed."""

    def _view(self, state, bar):
        place = (bar.close - bar.low) / (bar.high - bar.low)
        return {"bull": place, "bear": 1 - place}


class FitsItself(UpIsBull):
    """Learns a threshold, and keeps it."""

    least = 0.0

    def fit(self, history):
        self.least = 0.01
        return self

    def _view(self, state, bar):
        return {"bull": 1.0} if bar.close / bar.open - 1 > self.least else {"bear": 1.0}


class FitsToNothing(UpIsBull):
    """Forgets to give the fitted model."""

    def fit(self, history):
        return None


TWINS = {
    "prefix": (KnowsTomorrow, "something else when later bars are cut off"),
    "poisoned_future": (ScaledByTheWildest, "something else when later bars change"),
    "stream_is_history": (LiveIsAnother, "something else bar by bar"),
    "resumes": (KeepsItsMean, "something else from a snapshot"),
    "steps_are_pure": (ChangesItsState, "changes the state that _step was handed"),
    "same_every_time": (CountsItsCalls, "something else the second time"),
    "state_stays_small": (KeepsEveryClose, "remembers ever more"),
    "scale_free": (OneHundredIsMuch, "depends on how many dollars a share costs"),
    "odd_bars": (DividesByTheRange, "fails on 1 1Day bars: .* float division by zero"),
    "fit_changes_nothing": (FitsItself, "something else after fit"),
}


def failures(model):
    found = {}
    for check in check_regime_model(model):
        try:
            check()
        except ContractError as error:
            found[check.name] = str(error)
    return found


@pytest.mark.parametrize("name", TWINS)
def test_the_kit_refuses_a_broken_twin(name):
    twin, message = TWINS[name]
    refused = failures(twin())
    assert re.search(f"{twin.__name__} .*{message}", refused.pop(name))
    # Whoever remembers bars, or counts, breaks more than one promise.
    assert not refused or twin in (KnowsTomorrow, CountsItsCalls)


def test_a_model_with_another_name_after_every_bar_does_not_resume():
    message = failures(NamesItsState())["resumes"]
    assert "does not take its own snapshot back" in message
    assert "nothing on self" in message


def test_every_check_has_a_twin():
    assert set(TWINS) == {check.name for check in check_regime_model(MarkovFilter())}


def test_a_model_that_learns_nothing_is_not_asked_to_fit():
    names = [check.name for check in check_regime_model(UpIsBull())]
    assert "fit_changes_nothing" not in names


def test_fit_must_give_a_model():
    with pytest.raises(ContractError, match="expected a new model, got a NoneType"):
        next(c for c in check_regime_model(FitsToNothing()) if c.name == "fit_changes_nothing")()


def test_the_difference_is_told_by_field_and_row():
    message = failures(LiveIsAnother())["stream_is_history"]
    assert "expected regime bear in row 1, got bull" in message


def test_own_bars_replace_the_markets_of_the_kit():
    @attrs.frozen
    class Knows(UpIsBull):
        symbol: str = "MINE"

        def _view(self, state, bar):
            assert bar.symbol == self.symbol
            return {"bull": 1.0}

    mine = kit_bars(3, 60)[1]._replace(symbol="MINE")
    for check in check_regime_model(Knows(), bars=mine):
        if check.name != "odd_bars":
            check()
