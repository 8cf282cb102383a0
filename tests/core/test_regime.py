from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from math import exp, log

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit._core.bar import Bar
from tradekit._core.errors import ContractError, UsageError
from tradekit._core.regime import Regime, RegimeModel
from tradekit.testing import any_bars

MIDNIGHT = datetime(2024, 1, 1, tzinfo=UTC)


def bar(day=0, close=100.0, symbol="SPY", timeframe="1Day"):
    at = MIDNIGHT + timedelta(days=day)
    return Bar(symbol, timeframe, at, 100.0, 200.0, 50.0, close, 1.0, at + timedelta(hours=21))


class Script(RegimeModel):
    """Answers what it was made with, one answer a bar."""

    def __init__(self, *answers, **options):
        self._answers = answers
        vars(self).update(options)

    def _start(self):
        return 0

    def _step(self, state, bar):
        answer = self._answers[state]
        if isinstance(answer, BaseException):
            raise answer
        return (state + 1, answer) if isinstance(answer, dict) else answer

    def said(self):
        return self.classify(bar(day) for day in range(len(self._answers)))


@attrs.frozen
class Drift(RegimeModel):
    """A running mean of returns: with a state of many kinds, and parameters."""

    speed: float = 0.1
    scale: float = 50.0
    persistence = 0.5
    lookback = 3

    def _start(self):
        return {"mean": np.float64(0), "last": None, "recent": (), "counts": np.zeros(2, int)}

    def _step(self, state, bar):
        change = log(bar.close / state["last"]) if state["last"] else 0.0
        mean = state["mean"] + self.speed * (change - state["mean"])
        bull = 1 / (1 + exp(-max(min(self.scale * float(mean), 30), -30)))
        after = {
            "mean": mean,
            "last": bar.close,
            "recent": (*state["recent"], bar.time)[-3:],
            "counts": state["counts"] + [change > 0, 1],
        }
        wild = float(np.float32(0.1))
        return after, {"bull": bull * (1 - wild), "bear": (1 - bull) * (1 - wild), "volatile": wild}

    def _describe(self, state, bar):
        return {"mean": state["mean"], "ups": state["counts"][0]}


def test_a_regime_is_held_until_the_evidence_outweighs_persistence():
    """With a persistence of 2 nats.

    Day 0: bull .7, the others .1 each. Bull is cheapest; bear is ln 7 = 1.9459 behind, so
    2 - 1.9459 = 0.0541 of 2 nats speak for it already.
    Day 1: bear .6 against .4 adds ln 1.5 = 0.4055: 0.4596.
    Day 2: bear .7 against .3 adds ln 7/3 = 0.8473: 1.3069, which is 2 - ln 2.
    Day 3: the same again would be 2.1542, more than 2: bear is held, since day 3.
    Day 4: bear is no likelier than bull, and stays.
    """
    shares = [
        {"bull": 0.7, "bear": 0.1, "sideways": 0.1, "volatile": 0.1},
        {"bull": 0.4, "bear": 0.6},
        {"bull": 0.3, "bear": 0.7},
        {"bull": 0.3, "bear": 0.7},
        {"bull": 0.5, "bear": 0.5},
    ]
    said = Script(*shares).said()
    assert [each.regime.value for each in said] == ["bull", "bull", "bull", "bear", "bear"]
    assert [each.since for each in said] == [said[0].time] * 3 + [said[3].time] * 2
    assert [each.confidence for each in said] == pytest.approx([70, 40, 30, 70, 50])
    assert said[0].pending is said[3].pending is said[4].pending is None
    for each, evidence in ((said[1], 0.4596), (said[2], 1.3069)):
        assert each.pending["regime"] == "bear"
        assert each.pending["evidence"] == pytest.approx(evidence, abs=5e-5)
        assert each.pending["needed"] == 2.0


def test_odds_of_seven_to_one_do_not_turn_a_persistence_of_two_and_eight_to_one_do():
    # e^2 is 7.39.
    for odds, regime in ((7, "bull"), (8, "bear")):
        turn = {"bull": 1 / (1 + odds), "bear": odds / (1 + odds)}
        assert Script({"bull": 1.0}, turn).said()[-1].regime == regime


def test_without_persistence_the_likeliest_is_held_at_once_and_a_tie_changes_nothing():
    for first, second in (("bull", "bear"), ("bear", "bull")):
        shares = [{first: 1.0}, {first: 0.49, second: 0.51}, {"bull": 0.5, "bear": 0.5}]
        said = Script(*shares, persistence=0.0).said()
        assert [each.regime for each in said] == [first, second, second]
        assert [each.pending for each in said] == [None] * 3


def test_certainty_can_be_outweighed_again():
    said = Script({"bull": 1.0}, {"bear": 1.0}, {"bull": 1.0}).said()
    assert [each.regime for each in said] == ["bull", "bear", "bull"]


@pytest.mark.parametrize("persistence", [-1.0, float("nan")])
def test_persistence_is_some_evidence(persistence):
    with pytest.raises(UsageError, match="persistence is evidence: expected nats from 0"):
        Script({"bull": 1.0}, persistence=persistence).said()


@given(any_bars("1Day", max_size=25), st.data())
def test_history_stream_and_snapshots_say_the_same_to_the_last_bit(bars, data):
    said = Drift().classify(bars)
    live = Drift()
    cut = data.draw(st.integers(0, len(bars)))
    before = [live.update(each) for each in bars[:cut]]
    kept = json.dumps(live.snapshot(), allow_nan=False)
    resumed = Drift()
    resumed.restore(json.loads(kept))
    after = [resumed.update(each) for each in bars[cut:]]
    assert tuple(before + after) == said
    assert tuple(before + [live.update(each) for each in bars[cut:]]) == said
    assert live.snapshot() == resumed.snapshot()


@given(any_bars("1Day", max_size=25), st.integers(0, 25))
def test_later_bars_change_nothing_that_was_said(bars, cut):
    assert Drift().classify(bars[:cut]) == Drift().classify(bars)[:cut]


def test_classifying_leaves_a_stream_alone():
    model = Drift()
    first = model.update(bar(0))
    model.classify([bar(5), bar(6, 60.0)])
    assert model.update(bar(1)) == Drift().classify([bar(0), bar(1)])[1]
    assert first.time == bar(0).close_time


def test_no_bars_give_no_answer():
    assert Drift().classify([]) == ()


def test_a_model_before_its_first_bar_can_be_kept_and_resumed():
    fresh, resumed = Drift(), Drift()
    resumed.update(bar(7))
    resumed.restore(fresh.snapshot())
    assert resumed.update(bar(0)) == fresh.update(bar(0))


def test_models_do_not_share_what_they_know():
    one, other = Drift(), Drift()
    one.update(bar(0))
    assert other._fold is None is RegimeModel._fold
    assert other.update(bar(0)) == Drift().classify([bar(0)])[0]


@pytest.mark.parametrize(
    "decorate",
    [attrs.frozen, attrs.define, dataclasses.dataclass(frozen=True), dataclasses.dataclass],
)
def test_decorated_models_are_fed_too(decorate):
    @decorate
    class Constant(RegimeModel):
        share: float = 0.75

        def _start(self):
            return ()

        def _step(self, state, bar):
            return state, {"bull": self.share, "bear": 1 - self.share}

    model = Constant(0.25)
    assert model.update(bar(0)).regime == "bear"
    assert model.update(bar(1)).model.endswith("Constant(share=0.25)/1")


def test_an_answer_says_when_it_was_known_by_whom_and_from_what():
    (said,) = Drift(speed=0.2).classify([bar(0)])
    assert said.time == said.since == bar(0).close_time
    assert said.model == "Drift(speed=0.2, scale=50.0)/1"
    assert said.key_indicators == {"mean": 0.0, "ups": 0.0}
    assert said.probabilities[Regime.SIDEWAYS] == 0.0


def test_a_model_is_warm_after_its_lookback():
    said = Drift().classify(bar(day) for day in range(5))
    assert [each.warmup for each in said] == [True, True, False, False, False]
    assert not Script({"bull": 1.0}).said()[0].warmup


@pytest.mark.parametrize("day", [3, 2])
def test_bars_go_on_and_a_refused_bar_leaves_no_trace(day):
    model = Drift()
    model.update(bar(3))
    before = model.snapshot()
    sentence = (
        r"bars must go on: expected a bar after 2024-01-04T00:00:00\+00:00, got one from 2024"
    )
    with pytest.raises(UsageError, match=sentence):
        model.update(bar(day))
    assert model.snapshot() == before
    with pytest.raises(UsageError, match="bars must go on"):
        model.classify([bar(3), bar(day)])


@pytest.mark.parametrize("other", [bar(1, symbol="QQQ"), bar(1, timeframe="1Hour")])
def test_a_model_follows_one_line_of_bars(other):
    model = Drift()
    model.update(bar(0))
    with pytest.raises(UsageError, match="expected bars of SPY 1Day, got one of"):
        model.update(other)


@pytest.mark.parametrize("stranger", [None, "SPY", 3.0, {"close": 1.0}])
def test_a_model_is_fed_bars(stranger):
    with pytest.raises(UsageError, match="expected a Bar at a time, got a"):
        Drift().update(stranger)
    with pytest.raises(UsageError, match="expected a Bar at a time, got a"):
        Drift().classify(stranger)


def test_a_frame_is_not_classified_column_by_column(minutes):
    with pytest.raises(UsageError, match=r"got a str\. Try: model\.classify\(bars\)"):
        Drift().classify(minutes([1.0, 2.0]).to_frame())


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"bull": 1.1}, "_step gave no probabilities"),
        ({"bull": 0.6, "bear": 0.5}, "_step gave no probabilities: .* got {'bull': 0.6, 'bear'"),
        ({"bull": 1.1, "bear": -0.1}, "_step gave no probabilities"),
        ({"bull": float("nan")}, "_step gave no probabilities"),
        ({}, "_step gave no probabilities"),
        ({"crab": 1.0}, "_step answered otherwise: .* no such Regime"),
        ({"bull": "likely"}, "_step answered otherwise"),
        (None, "_step answered otherwise"),
        ((1, 2, 3), "_step answered otherwise"),
        ((1, 0.5), "_step answered otherwise"),
        ((1, [0.5, 0.5]), "_step answered otherwise"),
        (KeyError("mean"), "_step raised: expected an answer, got KeyError: 'mean'"),
    ],
)
def test_what_is_no_answer_is_the_subclass_to_mend(answer, sentence):
    with pytest.raises(ContractError, match=f"Script: {sentence}") as caught:
        Script(answer).said()
    assert "tradekit.testing.check_regime_model(...)" in str(caught.value)


def test_the_cause_of_a_failed_step_is_chained_and_the_model_can_go_on():
    model = Script({"bull": 1.0}, ZeroDivisionError("flat"))
    model.update(bar(0))
    before = model.snapshot()
    with pytest.raises(ContractError) as caught:
        model.update(bar(1))
    assert type(caught.value.__cause__) is ZeroDivisionError
    assert model.snapshot() == before


def test_numbers_out_of_arrays_are_probabilities():
    shares = dict(zip(Regime, np.array([0.5, 0.25, 0.125, 0.125], dtype=np.float32), strict=True))
    (said,) = Script(shares).said()
    assert all(type(share) is float for share in said.probabilities.values())
    assert said.confidence == 50


def test_a_start_that_fails_is_the_subclass_to_mend():
    class Stuck(Script):
        def _start(self):
            raise OSError("no file")

    with pytest.raises(ContractError, match=r"Stuck: _start raised: .* OSError: no file"):
        Stuck({"bull": 1.0}).said()
    with pytest.raises(ContractError, match="Stuck: _start raised"):
        Stuck().snapshot()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (None, "_describe answered otherwise: expected numbers by name"),
        ([1.0], "_describe answered otherwise"),
        ({"trend": "up"}, "_describe answered otherwise"),
        ({"mean": 1.0, "trend": float("nan")}, "_describe does not know: .* left out, got trend"),
    ],
)
def test_what_it_looked_at_is_numbers_that_are_known(answer, sentence):
    class Describing(Script):
        def _describe(self, state, bar):
            return answer

    with pytest.raises(ContractError, match=f"Describing: {sentence}"):
        Describing({"bull": 1.0}).said()


def test_a_state_that_cannot_be_kept_is_told_when_it_is_asked_for():
    model = Script((lambda: None, {"bull": 1.0}))
    model.update(bar(0))
    with pytest.raises(ContractError, match=r"a state that cannot be kept: .* got a function"):
        model.snapshot()


@pytest.mark.parametrize(
    ("snapshot", "got"),
    [
        (None, "none"),
        ({}, "none"),
        ("text", "none"),
        (Drift(speed=0.2).snapshot(), "one of Drift(speed=0.2, scale=50.0)/1"),
        (Script().snapshot(), "one of Script/1"),
    ],
)
def test_a_snapshot_of_another_model_is_refused(snapshot, got):
    model = Drift()
    with pytest.raises(UsageError, match="no snapshot to go on from") as caught:
        model.restore(snapshot)
    assert (caught.value.expected, caught.value.got) == (f"one of {model.model}", got)
    assert model._fold is None


@pytest.mark.parametrize(
    "fold", [None, 3, {}, {"dict": {}}, {"dict": {"nonsense": 1}}, {"odd": 1}, {"list": [{}]}]
)
def test_a_torn_snapshot_is_refused(fold):
    model = Drift()
    with pytest.raises(UsageError, match="no snapshot to go on from: expected what snapshot"):
        model.restore({"model": model.model, "fold": fold})
    with pytest.raises(UsageError, match="got KeyError: 'fold'"):
        model.restore({"model": model.model})
    assert model._fold is None


def test_fitting_gives_a_model_and_what_needs_none_is_fitted_already(minutes):
    @attrs.frozen
    class Fitted(Drift):
        def fit(self, history):
            return attrs.evolve(self, scale=float(history.close.std()))

    bars, model = minutes([100.0, 102.0]), Fitted()
    assert Drift().fit(bars) == Drift()
    assert (model.fit(bars).scale, model.scale) == (1.0, 50.0)


def test_a_model_needs_both_hooks():
    class Idle(RegimeModel):
        def _start(self):
            return ()

    with pytest.raises(TypeError, match="abstract"):
        Idle()


@pytest.mark.parametrize("door", ["classify", "update", "snapshot", "restore"])
def test_no_door_can_be_replaced(door):
    with pytest.raises(ContractError, match=f"Own overrides RegimeModel.{door}: "):
        type("Own", (Script,), {door: lambda self: None})
