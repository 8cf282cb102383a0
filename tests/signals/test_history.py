from __future__ import annotations

import numpy as np
import pytest

from tradekit import Bars, ContractError, SignalDetector, UsageError, plugins
from tradekit.signals import MultiSourceSignalAggregator
from tradekit.signals._glance import glance
from tradekit.signals._history import History

BUILT_IN = [plugins.load("detectors", name)() for name in plugins.names("detectors")]
NEEDED = 224  # of AdxTrend, the slowest


@pytest.fixture(scope="module")
def walk():
    random = np.random.default_rng(11)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.004, 700)))
    reach = close * np.abs(random.normal(0, 0.003, (2, 700)))
    minutes = np.arange(700) * 300 * 10**9
    edges = np.append(close[:1], close[:-1]), close
    high, low = np.maximum(*edges) + reach[0], np.minimum(*edges) - reach[1]
    return Bars(
        "X",
        "5Min",
        minutes,
        edges[0],
        high,
        low,
        close,
        random.lognormal(9, 1, 700),
        calendar="24/7",
    )


def facts(seen):
    voice = seen.voice and (seen.voice.age, seen.voice.direction)
    return seen.name, seen.family, seen.signal and seen.signal.id, voice, seen.lack, seen.warming


def test_a_window_is_answered_as_whoever_looked_at_it_would(walk):
    history = History(walk, BUILT_IN)
    spoken = 0
    for stop in range(300, 700):
        window = walk[stop - 300 : stop]
        seen = history.glances(window)
        assert [*map(facts, seen)] == [facts(glance(detector, window)) for detector in BUILT_IN]
        spoken += sum(each.signal is not None for each in seen)
    assert spoken > 100


def test_the_beginning_of_a_history_is_still_warming(walk):
    window = walk[:100]
    seen = History(walk, BUILT_IN).glances(window)
    assert [*map(facts, seen)] == [facts(glance(detector, window)) for detector in BUILT_IN]
    assert {each.name for each in seen if each.lack}


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda walk: walk[400 : 400 + NEEDED - 1], id="too short"),
        pytest.param(
            lambda walk: Bars(
                "X", "5Min", *(getattr(walk, n)[300:600] for n in ("time", "open", "high", "low")),
                walk.close[300:600], walk.volume[300:600] * 2, calendar="24/7",
            ),
            id="another volume",
        ),
        pytest.param(
            lambda walk: walk[300:600].with_extra("mood", [1.0], [int(walk.close_time[0])]),
            id="with a column more",
        ),
    ],
)  # fmt: skip
def test_bars_that_are_no_part_of_it_have_to_be_looked_at(walk, other):
    assert History(walk, BUILT_IN).glances(other(walk)) is None


def test_a_later_window_than_the_history_has_to_be_looked_at(walk):
    assert History(walk[:500], BUILT_IN).glances(walk[300:501]) is None


def test_a_detector_that_fails_is_told_at_once(walk):
    class Broken(SignalDetector):
        """It raises."""

        def _scan(self, bars):
            raise RuntimeError("no idea")

    with pytest.raises(ContractError, match="no idea"):
        History(walk, [Broken()])


def test_the_aggregate_answers_from_it_and_says_the_same(walk):
    asked, prepared = MultiSourceSignalAggregator(), MultiSourceSignalAggregator()
    prepared.prepare(walk)
    for stop in range(300, 700, 7):
        window = walk[stop - 300 : stop]
        live, told = (each.blocking.aggregate_signals("X", window) for each in (asked, prepared))
        assert [signal.id for signal in told] == [signal.id for signal in live]
        assert told.votes == live.votes
        assert [s.confidence for s in told] == pytest.approx([s.confidence for s in live], abs=0.1)


def test_the_aggregate_looks_at_other_bars_as_ever(walk):
    class Counting(SignalDetector):
        """It counts how often it is asked."""

        asked = 0

        def _scan(self, bars):
            type(self).asked += 1
            return 0.0 * bars.close

    aggregator = MultiSourceSignalAggregator([Counting()])
    aggregator.prepare(walk)
    aggregator.blocking.aggregate_signals("X", walk[300:600])
    assert Counting.asked == 1
    aggregator.blocking.aggregate_signals("X", walk[550:600])
    assert Counting.asked == 2


def test_a_history_is_bars(walk):
    with pytest.raises(UsageError, match="no history to prepare"):
        MultiSourceSignalAggregator().prepare(walk.to_frame())
