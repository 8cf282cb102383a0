"""What an answer of the aggregate costs in a replay: each window looked at, or prepared at once.

The windows are 300 bars long and end at one bar after the other; both ways take turns, and the
cost of preparing is part of the second. An answer differs where the last digit of a mean decides.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from datetime import UTC, datetime

from tradekit import Bars, BarsRequest, FixedClock, MultiSourceSignalAggregator
from tradekit.data import SimulatedSource

NOW = datetime(2024, 6, 28, 22, tzinfo=UTC)
WINDOW = 300


def history(seed: int, bars: int) -> Bars:
    request = BarsRequest("SPY", "15Min", limit=bars + WINDOW)
    source = SimulatedSource(seed, clock=FixedClock(NOW))
    return asyncio.run(source.fetch(request))["SPY"]


def replay(bars: Bars, *, prepared: bool) -> tuple[float, list[list[str]]]:
    """Milliseconds of the processor for each answer, and the signals that each gave."""
    aggregator = MultiSourceSignalAggregator()
    aggregator.detectors  # noqa: B018  # loaded before the clock runs
    ids: list[list[str]] = []

    async def told() -> None:
        for stop in range(WINDOW, len(bars)):
            answer = await aggregator.aggregate_signals("SPY", bars[stop - WINDOW : stop])
            ids.append([signal.id for signal in answer])

    start = time.process_time()
    if prepared:
        aggregator.prepare(bars)
    asyncio.run(told())
    return (time.process_time() - start) * 1e3 / (len(bars) - WINDOW), ids


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of the same")
    parser.add_argument("--seed", type=int, default=0, help="of the simulated market")
    options = parser.parse_args()
    bars, rounds = history(options.seed, 500 if options.quick else 5000), 3 if options.quick else 7
    looked, prepared = [], []
    for _ in range(rounds):
        cost, one_by_one = replay(bars, prepared=False)
        looked.append(cost)
        cost, at_once = replay(bars, prepared=True)
        prepared.append(cost)
    other = sum(one != two for one, two in zip(one_by_one, at_once, strict=True))
    figures = {"answers": len(at_once), "signals": sum(map(len, at_once)), "other": other}
    for name, costs in {"looked": looked, "prepared": prepared}.items():
        median = figures[f"{name}_ms"] = round(statistics.median(costs), 4)
        print(f"{name:9} {median:8.3f} ms an answer ({min(costs):.3f} to {max(costs):.3f})")
    figures["ratio"] = round(figures["looked_ms"] / figures["prepared_ms"], 1)
    print(f"prepared answers are {figures['ratio']} times as fast; {other} of them differ")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
