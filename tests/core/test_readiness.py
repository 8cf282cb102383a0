from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tradekit._core.bars import Bars
from tradekit._core.detector import SignalDetector

NAN = np.nan
OPEN = np.datetime64("2024-03-08T14:30", "ns").astype("i8")  # of New York's session, in winter


class Asks(SignalDetector):
    """Asks for some indicators; says nothing of its look-back."""

    def __init__(self, *names, lookback=None):
        self._names, self.lookback = names, lookback

    def _scan(self, bars):
        lines = [getattr(bars.ind, name)(period) for name, period in self._names]
        return (
            np.where(np.any(np.isnan(lines), axis=0), NAN, 9.0) if lines else np.full(len(bars), 9)
        )

    def _levels(self, bars):
        return 1.0, 1.0


def first(flags):
    return int(np.argmax(flags)) if flags.any() else None


def phases(detector, bars):
    """Rows where something is first known, and where it is first ready."""
    said = detector.scan(bars)
    return first(~np.isnan(said.score)), first(said.ready)


@pytest.fixture(scope="module")
def walk():
    return 100 + np.random.default_rng(3).normal(size=400).cumsum() * 0.1


@pytest.mark.parametrize(
    ("detector", "known", "ready"),
    [
        # A mean of 20 is known and right from the 20th bar, row 19.
        (Asks(("sma", 20)), 19, 19),
        # RSI(14) is known from row 14 and agrees with full history from 140 bars on.
        (Asks(("rsi", 14)), 14, 139),
        (Asks(("rsi", 14), ("sma", 200)), 199, 199),
        (Asks(("rsi", 14), lookback=50), 14, 49),
        (Asks(("rsi", 14), lookback=300), 14, 299),
        (Asks(("sma", 5), lookback=20), 4, 19),
        (Asks(lookback=1), 0, 0),
        (Asks(), 0, 0),
    ],
)
def test_a_detector_warms_up_from_what_is_known_to_its_look_back(
    walk, minutes, detector, known, ready
):
    bars = minutes(walk)
    assert phases(detector, bars) == (known, ready)
    for length in (ready, ready + 1):
        said = detector.scan(bars[len(bars) - length :])
        assert said.ready.any() == (length > ready)
    warming = detector.scan(bars).warming
    assert warming.tolist() == [known <= row < ready for row in range(len(bars))]


def test_signals_of_the_warm_up_say_so(walk, minutes):
    signals = Asks(("rsi", 14), lookback=20).signals(minutes(walk[:30]))
    assert [signal.warmup for signal in signals] == [True] * 5 + [False] * 11


def test_a_gap_restarts_the_warm_up_of_what_is_recursive(walk, minutes):
    at = np.r_[0:200, 201:401]
    gone = minutes(walk, at=at)
    said = Asks(("rsi", 14)).scan(gone)
    assert said.ready.tolist() == [139 <= row < 200 or row >= 339 for row in range(400)]
    assert np.isnan(said.score[200:214]).all()
    assert said.warming[214:339].all()


def test_a_gap_restarts_it_by_the_look_back_that_is_declared(walk, minutes):
    said = Asks(("rsi", 14), lookback=50).scan(minutes(walk, at=np.r_[0:200, 201:401]))
    assert said.ready.tolist() == [49 <= row < 200 or row >= 249 for row in range(400)]


def test_a_window_runs_across_a_gap(walk, minutes):
    said = Asks(("sma", 20)).scan(minutes(walk, at=np.r_[0:200, 201:401]))
    assert said.ready.tolist() == [row >= 19 for row in range(400)]


def test_only_what_is_recursive_waits_after_a_gap(walk, minutes):
    said = Asks(("sma", 200), ("rsi", 14)).scan(minutes(walk, at=np.r_[0:240, 241:401]))
    assert first(said.ready) == 199
    assert first(said.ready[240:]) == 139


def test_unknown_volume_makes_a_volume_detector_not_ready(walk, minutes):
    class Burst(SignalDetector):
        def _scan(self, bars):
            z = bars.ind.zscore(20, of="volume")
            return np.where(np.isnan(z), NAN, 9.0)

    volume = np.random.default_rng(4).integers(1, 99, 400).astype(float)
    volume[300] = NAN
    said = Burst().scan(minutes(walk, volume=volume))
    assert said.ready[299]
    assert not said.ready[300:319].any()
    assert not said.fired[300:319].any()
    assert said.ready[330]
    nothing = Burst().scan(minutes(walk, volume=np.full(400, NAN)))
    assert not (nothing.ready | nothing.fired | nothing.warming).any()


class FromTheOpen(Asks):
    anchor = "session"


def session_bars(start, count):
    """Minutes of New York's session of 2024-03-08 and the one after, from a minute on."""
    length = 390
    monday = OPEN + 3 * 86_400 * 10**9 - 3600 * 10**9  # clocks go forward over the weekend
    time = np.r_[OPEN + np.arange(length) * 60 * 10**9, monday + np.arange(length) * 60 * 10**9]
    flat = np.full(2 * length, 100.0)
    bars = Bars("SPY", "1Min", time, flat, flat, flat, flat, flat)
    return bars[start : start + count]


@pytest.mark.parametrize(("start", "first_ready"), [(0, 0), (1, 389), (200, 190), (390, 0)])
def test_a_session_that_is_seen_from_the_middle_is_not_ready(start, first_ready):
    assert phases(FromTheOpen(), session_bars(start, 400))[1] == first_ready


def test_a_session_that_is_seen_from_before_its_open_is_ready():
    early = np.arange(-30, 30) * 60 * 10**9 + OPEN
    flat = np.full(60, 100.0)
    said = FromTheOpen().scan(Bars("SPY", "1Min", early, flat, flat, flat, flat, flat))
    assert said.ready.all()


def test_detectors_that_share_bars_do_not_share_needs(walk, minutes):
    bars = minutes(walk)
    for needs in (100, 10) * 2:
        assert phases(Asks(("sma", needs)), bars)[1] == needs - 1
    assert phases(Asks(("sma", 10)), bars[20:])[1] == 9


def test_threads_that_share_bars_do_not_share_needs(walk, minutes):
    bars, needs = minutes(walk), [100, 10] * 20
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda need: phases(Asks(("sma", need)), bars)[1] + 1, needs)
    assert list(found) == needs


class Made(Asks):
    """Says what another one says."""

    def __init__(self, other, door="scan"):
        super().__init__()
        self._other, self._door = other, door

    def _scan(self, bars):
        said = getattr(self._other, self._door)(bars)
        return said.score if self._door == "scan" else said


@pytest.mark.parametrize("door", ["scan", "_scan"])
def test_a_detector_that_is_made_of_another_needs_what_that_one_needs(walk, minutes, door):
    bars = minutes(walk, at=np.r_[0:200, 201:401])
    for other in (Asks(("sma", 100)), Asks(("rsi", 14))):
        made = Made(other, door).scan(bars)
        assert made.ready.tolist() == other.scan(bars).ready.tolist()


@pytest.mark.parametrize("lookback", [50, 300])
def test_the_look_back_of_the_other_one_counts_where_it_says_one(walk, minutes, lookback):
    bars = minutes(walk, at=np.r_[0:50, 51:401])
    for other in (Asks(("sma", 100), lookback=lookback), Asks(("rsi", 14), lookback=lookback)):
        assert Made(other).scan(bars).ready.tolist() == other.scan(bars).ready.tolist()


def test_what_is_asked_is_told_to_the_one_that_asks_alone(walk, minutes):
    bars = minutes(walk)
    Made(Asks(("sma", 100))).scan(bars)
    assert phases(Asks(("sma", 10)), bars)[1] == 9
