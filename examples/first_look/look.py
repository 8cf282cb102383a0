"""Look at bars through detectors, and see what became of what they said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs
import numpy as np

from tradekit import Bars, Outcomes, Signal, SignalDetector, UsageError, resample, triple_barrier

TIMEFRAMES = ("5Min", "1Hour", "1Day")
# Going in and out together costs two hundredths of a percent of the price: a liquid US stock.
COST = 0.0002


@attrs.frozen(eq=False)
class Look:
    """What one detector said over one history, and what the same levels did at any other bar."""

    bars: Bars
    detector: SignalDetector
    signals: tuple[Signal, ...]
    outcomes: Outcomes
    anytime: tuple[Outcomes, Outcomes]
    ready: bool

    @property
    def now(self) -> tuple[Signal, ...]:
        """What it says at the last bar."""
        return self.detector.detect(self.bars)


def histories(bars: Bars) -> Iterator[Bars]:
    """Give the bars at each of the three timeframes that they can make."""
    for timeframe in TIMEFRAMES:
        if bars.timeframe == timeframe:
            yield bars
        elif bars.timeframe < timeframe:
            try:
                longer = resample(bars, timeframe)
            except UsageError:
                continue  # bars on clock hours straddle the open, so they make no longer ones
            if len(longer):
                yield longer


def look(bars: Bars, detector: SignalDetector) -> Look:
    """Scan a history; enter at the next open, and leave at the target, the stop or in time."""
    said = detector.scan(bars)
    ahead, behind = detector.levels(bars)
    rows = np.flatnonzero(said.fired & said.ready)
    outcomes = _walk(bars, detector, rows, said.direction[rows], ahead, behind)
    anywhere = np.flatnonzero(said.ready)
    both = tuple(
        _walk(bars, detector, anywhere, np.full(len(anywhere), side), ahead, behind)
        for side in (1, -1)
    )
    ready = bool(len(bars) and said.ready[-1])
    warm = tuple(signal for signal in detector.signals(bars) if not signal.warmup)
    return Look(bars, detector, warm, outcomes, both, ready)


def _walk(bars, detector, rows, side, ahead, behind) -> Outcomes:
    close = bars.close[rows]
    target, stop = close + side * ahead[rows], close - side * behind[rows]
    return triple_barrier(bars, rows, side, target, stop, horizon=detector.horizon, cost=COST)


@attrs.frozen
class Score:
    """How often a detector was right, beside how often anyone would have been."""

    timeframe: str
    detector: str
    signals: int
    ended: int
    hit_rate: float
    base_rate: float
    net_return: float


def scores(looks: Iterable[Look]) -> list[Score]:
    """Pool the looks of each detector at each timeframe."""
    pools: dict[tuple[str, str], list[Look]] = {}
    for one in looks:
        pools.setdefault((one.bars.timeframe, type(one.detector).__name__), []).append(one)
    return [_score(*key, pool) for key, pool in pools.items()]


def _score(timeframe: str, detector: str, pool: list[Look]) -> Score:
    said = [one.outcomes for one in pool]
    up = sum(signal.direction == "bullish" for one in pool for signal in one.signals)
    signals = sum(len(one.signals) for one in pool)
    share = up / signals if signals else 0.5
    # As many of the comparisons go up as of the signals, or a rising market would be a skill.
    base = share * _hits(one.anytime[0] for one in pool)
    base += (1 - share) * _hits(one.anytime[1] for one in pool)
    net = np.concatenate([outcomes.net_return[outcomes.decided] for outcomes in said])
    mean = float(net.mean()) if len(net) else float("nan")
    return Score(timeframe, detector, signals, len(net), _hits(said), base, mean)


def _hits(outcomes: Iterable[Outcomes]) -> float:
    exits = np.concatenate([each.exit[each.decided] for each in outcomes])
    return float((exits == 1).mean()) if len(exits) else float("nan")
