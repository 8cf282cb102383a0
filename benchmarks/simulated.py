"""What the simulated market costs, and how it looks beside real bars.

`--data DIR` names a folder laid out as bars/<timeframe>/<collection>/<SYMBOL>.parquet.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np

from tradekit import BarsRequest, Fetched
from tradekit.data import SimulatedSource

FIRST, LAST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)  # 7,559 sessions
YEAR = datetime(2019, 1, 1, tzinfo=UTC)
DAYS = YEAR, datetime(2019, 4, 1, tzinfo=UTC)
LARGE = "AAPL MSFT ORCL INTC CSCO IBM GOOGL NFLX DIS VZ AMZN HD MCD WMT PG KO JPM BAC UNH JNJ"
GROUP = 5  # symbols asked for at once
COLUMNS = ("open", "high", "low", "close", "volume")
Table = dict[str, np.ndarray]


def ask(source: SimulatedSource, symbols: str | list[str], timeframe: str, **window) -> Fetched:
    return asyncio.run(source.fetch(BarsRequest(symbols, timeframe, **window)))


def fetch(source: SimulatedSource, symbol: str, timeframe: str, **window) -> Table:
    """Bars of one symbol as columns, and which session each belongs to."""
    bars = ask(source, symbol, timeframe, **window)[symbol]
    return {name: getattr(bars, name) for name in COLUMNS} | {"session": bars.session}


def timed(work: Iterable[Callable[[], object]]) -> list[float]:
    """Milliseconds of the processor that each piece of work takes; others' work does not count."""
    times = []
    for piece in work:
        start = time.process_time()
        piece()
        times.append((time.process_time() - start) * 1e3)
    return times


def speed(seed: int, count: int) -> dict[str, list[float]]:
    """Times of work that no cache has seen."""
    source, whole = SimulatedSource(seed), {"start": FIRST, "end": LAST}
    quarter = {"start": DAYS[0], "end": DAYS[1]}
    lasting = (s for s in source.symbols[20:] if source.lifetime(s)[1] is None)
    groups = list(zip(*[islice(lasting, count)] * GROUP, strict=False))
    ask(source, "SPY", "1Day", **whole)
    others = [SimulatedSource(seed + i) for i in range(1, 6)]
    once = timed(lambda s=s: ask(s, "SPY", "1Day", limit=1) for s in others)
    ask(source, "SPY", "1Min", **quarter)
    rng = np.random.default_rng(seed)
    daily = timed(lambda g=g: ask(source, g, "1Day", **whole) for g in groups)
    walk = timed(lambda: np.exp(np.cumsum(rng.standard_normal((4, 7559)))) for _ in groups)
    minutes = timed(lambda g=g: ask(source, g, "1Min", **quarter) for g in groups[:4])
    newest = timed(lambda g=g: ask(source, g, "5Min", limit=300, end=LAST) for g in groups[:4])
    return {
        "market_ms_per_seed": once,
        "daily_ms_per_symbol": [ms / GROUP for ms in daily],
        "random_walk_ms_per_symbol": walk,
        "minute_ms_per_day": [ms / GROUP / 61 for ms in minutes],
        "newest_300_five_minutes_ms": [ms / GROUP for ms in newest],
    }


def autocorrelation(x: np.ndarray, lag: int) -> float:
    x = x - x.mean()
    return float((x[lag:] * x[:-lag]).mean() / (x**2).mean())


def kurtosis(x: np.ndarray) -> float:
    x = x - x.mean()
    return float((x**4).mean() / (x**2).mean() ** 2 - 3)


def daily_facts(bars: Table) -> dict[str, float]:
    night = np.log(bars["open"][1:] / bars["close"][:-1])
    day = np.log(bars["close"] / bars["open"])[1:]
    r, moved = night + day, abs(night + day)
    leverage = [np.corrcoef(r[:-k], moved[k:])[0, 1] for k in range(1, 6)]
    return {
        "volatility a year": r.std() * np.sqrt(252),
        "excess kurtosis": kurtosis(r),
        "autocorrelation of r": autocorrelation(r, 1),
        "of |r|, 1 day": autocorrelation(moved, 1),
        "of |r|, 20 days": autocorrelation(moved, 20),
        "of |r|, 100 days": autocorrelation(moved, 100),
        "leverage": float(np.mean(leverage)),
        "night's share of variance": night.var() / (night.var() + day.var()),
        "after a rise, in sigmas": float(np.mean(np.sign(r[:-1]) * r[1:]) / r.std()),
    }


def minute_facts(bars: Table) -> dict[str, float]:
    """Medians over full sessions."""
    found = []
    for session in np.unique(bars["session"]):
        own = bars["session"] == session
        close, volume = bars["close"][own], bars["volume"][own]
        if len(close) != 390:
            continue
        r = np.diff(np.log(np.append(bars["open"][own][0], close)))
        five, share = r.reshape(78, 5).sum(axis=1), volume.reshape(13, 30).sum(axis=1)
        found.append(
            {
                "excess kurtosis, minutes": kurtosis(r),
                "autocorrelation, minutes": autocorrelation(r, 1),
                "of |r|, minutes": autocorrelation(abs(r), 1),
                "volume and |r|": np.corrcoef(np.log(volume + 1), abs(r))[0, 1],
                "volume, first half-hour": share[0] / share.sum(),
                "volume, noon half-hour": share[6] / share.sum(),
                "volume, last half-hour": share[12] / share.sum(),
                "after a rise, 5 minutes": np.mean(np.sign(five[:-1]) * five[1:]) / five.std(),
            }
        )
    return medians(found)


def medians(facts: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.median([each[name] for each in facts])) for name in facts[0]}


def pair_correlation(tables: list[Table]) -> dict[str, float]:
    n = min(len(table["close"]) for table in tables)
    returns = np.corrcoef([np.diff(np.log(table["close"][-n:])) for table in tables])
    pairs = returns[np.triu_indices(len(tables), 1)]
    return {"pairwise correlation": float(pairs.mean())}


def simulated_facts(seed: int) -> dict[str, dict[str, float]]:
    source, window = SimulatedSource(seed), {"start": FIRST, "end": LAST}
    stocks = [fetch(source, symbol, "1Day", **window) for symbol in LARGE.split()]
    spy = fetch(source, "SPY", "1Day", **window)
    minutes = fetch(source, "SPY", "1Min", start=YEAR, end=LAST)
    return {
        "large companies": medians([*map(daily_facts, stocks)]) | pair_correlation(stocks),
        "SPY": daily_facts(spy),
        "SPY, minutes": minute_facts(minutes),
    }


def read(path: Path, *, regular: bool = False) -> Table:
    import pandas as pd

    frame = pd.read_parquet(path).set_index("ts").tz_convert("America/New_York")
    frame = frame.between_time("09:30", "15:59") if regular else frame
    frame = frame[(frame[list(COLUMNS[:4])] > 0).all(axis=1)]
    days = pd.factorize(frame.index.date)[0]
    return {name: frame[name].to_numpy(float) for name in COLUMNS} | {"session": days}


def real_facts(data: Path | None) -> dict[str, dict[str, float]]:
    """The same facts of real bars; a collection that is not there is left out."""
    if data is None or not (data / "bars").is_dir():
        return {}
    folder = data / "bars"
    stocks = [
        read(p) for s in LARGE.split() if (p := folder / f"1d/sp500-adj/{s}.parquet").exists()
    ]
    whole = [table for table in stocks if len(table["close"]) > 5000]
    found = {"large companies": medians([*map(daily_facts, whole)]) | pair_correlation(whole)}
    found["SPY"] = daily_facts(read(folder / "1d/etf-split/SPY.parquet"))
    minutes = folder / "1m/spy-ext-2024q1/SPY.parquet"
    return found | {"SPY, minutes": minute_facts(read(minutes, regular=True))}


def print_speed(times: dict[str, list[float]]) -> None:
    print(f"{'processor ms, never seen before':<32}{'median':>9}{'spread':>9}{'n':>5}")
    for name, each in times.items():
        quarters = statistics.quantiles(each, n=4) if len(each) > 1 else [0, 0, 0]
        wide = quarters[2] - quarters[0]
        print(f"{name:<32}{statistics.median(each):>9.3f}{wide:>9.3f}{len(each):>5}")


def print_facts(
    worlds: list[dict[str, dict[str, float]]], real: dict[str, dict[str, float]]
) -> None:
    for group, facts in worlds[0].items():
        print(f"\n{group:<28}{'seed 0':>9}{'lowest':>9}{'highest':>9}{'real':>9}")
        for name, figure in facts.items():
            seeds = [world[group][name] for world in worlds]
            known = f"{real[group][name]:>9.3f}" if real else f"{'absent':>9}"
            print(f"{name:<28}{figure:>9.3f}{min(seeds):>9.3f}{max(seeds):>9.3f}{known}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer symbols and seeds")
    parser.add_argument("--data", type=Path, help="a folder of real bars to compare with")
    options = parser.parse_args()
    times = speed(1000, 30 if options.quick else 200)
    worlds = [simulated_facts(seed) for seed in range(2 if options.quick else 8)]
    print_speed(times)
    print_facts(worlds, real_facts(options.data))
    figures = {name: round(statistics.median(each), 3) for name, each in times.items()}
    figures["symbols"] = len(SimulatedSource().symbols)
    for group, facts in worlds[0].items():
        figures |= {f"{group}: {name}": round(figure, 4) for name, figure in facts.items()}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
