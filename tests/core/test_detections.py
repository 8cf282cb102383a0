"""What hooks may answer."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from tradekit._core.bars import Bars
from tradekit._core.detections import Detections
from tradekit._core.detector import SignalDetector
from tradekit._core.errors import ContractError, UsageError

NAN = np.nan


class Canned(SignalDetector):
    """Answers what it was made with."""

    def __init__(self, score=None, levels=(2.0, 1.0)):
        self._score, self._distances = score, levels

    def _scan(self, bars):
        return self._score if self._score is not None else np.zeros(len(bars))

    def _levels(self, bars):
        return self._distances


class Window(Canned):
    """Answers a score for each window."""

    _scan = SignalDetector._scan

    def _detect(self, window):
        return self._score


def raising(error):
    def hook(self, bars):
        raise error

    return hook


def test_columns_say_what_a_score_says():
    score = np.array([NAN, 0.0, 60.0, -0.5])
    ready = np.array([False, False, False, True])
    said = Detections(score, np.full(4, NAN), np.full(4, NAN), ready)
    assert len(said) == 4
    assert said.direction.tolist() == [0, 0, 1, -1]
    assert said.direction.dtype == np.int8
    assert np.array_equal(said.confidence, [NAN, 0, 60, 0.5], equal_nan=True)
    assert said.fired.tolist() == [False, False, True, True]
    assert said.warming.tolist() == [False, True, True, False]


def test_columns_are_of_one_length():
    one, two = np.zeros(1), np.zeros(2)
    for columns in ((one, two, one, one), (two, two, two, one), (one[:, None],) * 4):
        with pytest.raises(UsageError, match="the columns of detections differ in shape"):
            Detections(*columns)


@pytest.mark.parametrize(
    "answer",
    [
        [0, 50, -100],
        (0.0, 50.0, -100.0),
        np.array([0, 50, -100], np.int8),
        np.array([0, 50, -100], np.float32),
    ],
)
def test_any_line_of_numbers_is_an_answer(minutes, answer):
    said = Canned(answer).scan(minutes([10.0, 10.0, 10.0]))
    assert said.score.tolist() == [0, 50, -100]
    assert said.score.dtype == np.float64


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            [0.0],
            r"_scan answered in another length: expected one score a bar, got shape \(1,\) for 3",
        ),
        (np.zeros(4), r"_scan answered in another length: .* got shape \(4,\) for 3 bars"),
        (np.zeros((3, 1)), r"got shape \(3, 1\) for 3 bars"),
        (7.0, r"got shape \(\) for 3 bars"),
        ((score for score in (1, 2, 3)), r"_scan gives no scores: .* one a bar, got a generator"),
        ({0: 1.0, 1: 1.0, 2: 1.0}, r"_scan gives no scores: .* got a dict"),
        ([[1], [2, 3], []], r"_scan gives no scores: expected numbers from -100 to 100"),
        ([None, 1, 2], r"_scan gives no scores: .* got an array of object"),
        (["1", "2", "3"], r"_scan gives no scores: .* got an array of <U1"),
        ([True, False, True], r"_scan gives no scores: .* got an array of bool"),
        ([1j, 0, 0], r"_scan gives no scores: .* got an array of complex128"),
        (
            [0, 100.1, 0],
            r"_scan is out of range: expected scores from -100 to 100, got 100.1 in row 1",
        ),
        ([100, -100, -101], r"_scan is out of range: .* got -101.0 in row 2"),
        ([0, np.inf, 0], r"_scan is out of range: .* got inf in row 1"),
        ([-np.inf, NAN, 0], r"_scan is out of range: .* got -inf in row 0"),
    ],
)
def test_what_is_no_line_of_scores_is_refused(minutes, answer, sentence):
    with pytest.raises(ContractError, match=f"Canned: .*{sentence}") as caught:
        Canned(answer).scan(minutes([10.0, 10.0, 10.0]))
    assert "Try: tradekit.testing.check_detector(...) tries it in every way" in str(caught.value)


class Silent(SignalDetector):
    def _scan(self, bars):
        return None


class SilentLive(SignalDetector):
    def _detect(self, window):
        return None


@pytest.mark.parametrize("detector", [Silent(), SilentLive()])
@pytest.mark.parametrize("door", ["scan", "detect", "signals"])
def test_no_answer_is_refused_at_every_door(minutes, detector, door):
    with pytest.raises(ContractError, match=f"{type(detector).__name__}: _"):
        getattr(detector, door)(minutes([10.0, 10.0]))


@pytest.mark.parametrize("answer", [101.0, np.inf, "50", [50.0], 1j])
@pytest.mark.parametrize("door", ["scan", "detect", "signals"])
def test_one_score_for_a_window_is_held_to_the_same(minutes, answer, door):
    with pytest.raises(ContractError, match="Window: _detect"):
        getattr(Window(answer), door)(minutes([10.0, 10.0]))


@pytest.mark.parametrize("hook", ["_scan", "_detect", "_levels"])
@pytest.mark.parametrize("door", ["scan", "detect", "signals"])
def test_what_a_hook_raises_names_the_detector_and_the_hook_and_keeps_the_cause(
    minutes, hook, door
):
    hooks = {"_scan": lambda self, bars: np.zeros(len(bars)), hook: raising(KeyError("rsi"))}
    if hook == "_detect":
        del hooks["_scan"]
    failing = type("Failing", (SignalDetector,), hooks)()
    with pytest.raises(ContractError) as caught:
        getattr(failing, door)(minutes([10.0, 10.0]))
    said = f"Failing: {hook} raised: expected an answer, got KeyError: 'rsi'. Try: tradekit.testing"
    assert str(caught.value).startswith(said)
    assert type(caught.value.__cause__) is KeyError


def test_a_hook_cannot_write_into_its_bars(minutes):
    class Writer(SignalDetector):
        def _scan(self, bars):
            bars.close[0] = 1.0

    with pytest.raises(ContractError, match=r"Writer: _scan raised: .* read-only"):
        Writer().scan(minutes([10.0]))


@pytest.mark.parametrize(
    "levels",
    [(2.0, 1.0), (np.full(3, 2.0), [1, 1, 1]), (2, np.float32(1)), [2.0, 1.0], deque([2, 1])],
)
def test_levels_are_two_distances_each_a_number_or_one_a_bar(minutes, levels):
    said = Canned([50, 0, -50], levels).scan(minutes([10.0, 11.0, 12.0]))
    assert np.array_equal(said.target, [12, NAN, 10], equal_nan=True)
    assert np.array_equal(said.stop, [9, NAN, 13], equal_nan=True)


@pytest.mark.parametrize(
    ("levels", "sentence"),
    [
        (None, "_levels answered otherwise: expected two distances, each a number or one a bar"),
        (2.0, "_levels answered otherwise"),
        ((2.0,), "_levels answered otherwise"),
        ((2.0, 1.0, 1.0), "_levels answered otherwise"),
        (("far", "near"), "_levels answered otherwise"),
        ((None, None), "_levels answered otherwise"),
        ((np.ones(2), 1.0), "_levels answered otherwise"),
        ((2.0, np.ones((3, 1))), "_levels answered otherwise"),
        ((np.inf, 1.0), "_levels leads nowhere: expected finite distances"),
        ((2.0, [1.0, -np.inf, 1.0]), "_levels leads nowhere"),
        ((-2.0, 1.0), "_levels leads nowhere: .* got -2.0 and 1.0 at their smallest"),
        ((2.0, 0.0), "_levels leads nowhere: .* got 2.0 and 0.0 at their smallest"),
        ((1e-20, 1.0), "_levels leads nowhere: expected distances above zero, large enough"),
        ((2.0, 1e-20), "_levels leads nowhere"),
    ],
)
def test_levels_that_lead_nowhere_are_refused(minutes, levels, sentence):
    detector, bars = Canned([50, 0, -50], levels), minutes([10.0, 11.0, 12.0])
    for door in (detector.scan, detector.detect, detector.signals):
        with pytest.raises(ContractError, match=f"Canned: {sentence}"):
            door(bars)


def test_levels_only_matter_where_something_is_said(minutes):
    levels = (np.array([-1.0, 2.0, 0.0]), 1.0)
    said = Canned([0, 50, 0], levels).scan(minutes([10.0, 11.0, 12.0]))
    assert said.target[1] == 13


def test_where_a_level_is_not_known_the_detector_is_not_ready(minutes):
    said = Canned([50, 0, 50], ([NAN, NAN, 2.0], [1.0, 1.0, 1.0])).scan(minutes([10.0] * 3))
    assert np.array_equal(said.score, [NAN, NAN, 50], equal_nan=True)
    assert said.ready.tolist() == [False, False, True]


def test_the_usual_levels_are_two_and_one_and_a_half_average_ranges():
    # Twenty minutes that each reach from 1 below to 1 above the close of 100: the range is 2.
    n = 20
    time, close = np.arange(n) * 60 * 10**9, np.full(n, 100.0)
    bars = Bars("X", "1Min", time, close, close + 1, close - 1, close, close, calendar="24/7")
    usual = type("Usual", (SignalDetector,), {"_scan": lambda self, bars: np.full(len(bars), -9.0)})
    said = usual().scan(bars)
    assert np.isnan(said.score[:14]).all()
    assert (said.target[14:] == 96).all()
    assert (said.stop[14:] == 103).all()


def test_a_market_that_stands_still_has_levels_all_the_same(minutes):
    usual = type("Usual", (SignalDetector,), {"_scan": lambda self, bars: np.full(len(bars), 9.0)})
    said = usual().scan(minutes([100.0] * 20))
    # A ten-thousandth of 100 is 0.01.
    assert said.target[-1] == pytest.approx(100.02)
    assert said.stop[-1] == pytest.approx(99.985)


def test_levels_are_told_at_every_bar_whether_it_fires_or_not(minutes):
    ahead, behind = Canned([0, 0, 0], (2.0, [1, 2, 3])).levels(minutes([10.0] * 3))
    assert (ahead.tolist(), behind.tolist()) == ([2, 2, 2], [1, 2, 3])


def test_a_level_below_zero_is_no_trade_to_speak_of():
    class Sure(SignalDetector):
        """Down at every bar, to a target twice the price away."""

        def _scan(self, bars):
            return np.full(len(bars), -60.0)

        def _levels(self, bars):
            return bars.close * np.where(np.arange(len(bars)) % 2, 2.0, 0.5), bars.close * 0.1

    minutes, p = np.arange(4) * 60 * 10**9, np.full(4, 10.0)
    said = Sure().scan(Bars("X", "1Min", minutes, p, p, p, p, p, calendar="24/7"))
    assert said.fired.tolist() == [True, False, True, False]
    assert np.isnan(said.score[1])
