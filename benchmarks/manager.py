"""What the manager costs: a hit in its memory, a fetch, a watchlist, and a day within a budget."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Any

import attrs
import peers
from rich.console import Console
from rich.table import Table
from world import ADJUSTMENT, BARS, Providers, Question, World

from tradekit import MultiSourceDataManager

TIMEFRAMES = ("1Min", "5Min", "15Min", "30Min", "1Hour", "1Day")
WATCHED, MANY, LIMIT, OPEN = 50, 500, 200, datetime(2024, 3, 12, 13, 30, tzinfo=UTC)
NEVER = timedelta(0)
PACE = timedelta(seconds=2)  # between two cold questions: within a real budget
Times = dict[str, list[float]]


def managed(sources: Sequence[Any], **options: Any) -> MultiSourceDataManager:
    return MultiSourceDataManager(sources=sources, adjustment=ADJUSTMENT, **options)


def seconds(work: Callable[[], object], times: int = 1) -> float:
    begun = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - begun) / times


def cache_hit(providers: Providers, rounds: int) -> Times:
    """Times of a hit of 100 bars, and of the least there is: to find a frame and to copy it."""
    providers.open({})
    manager = managed(providers.sources())
    found: Times = {"dict lookup and copy": [], "get_market_data": [], "fetch": []}

    async def measure() -> None:
        frame = await manager.get_market_data("SPY", "5Min", 100)
        kept, key = {("SPY", "5Min", ADJUSTMENT): frame}, ("SPY", "5Min", ADJUSTMENT)
        for _ in range(rounds):
            least = seconds(lambda: kept[key].copy(), 200)  # noqa: PLW0108  # the lookup counts
            found["dict lookup and copy"].append(least)
            for name in ("get_market_data", "fetch"):
                ask, begun = getattr(manager, name), time.perf_counter()
                for _ in range(200):
                    await ask("SPY", "5Min", 100)
                found[name].append((time.perf_counter() - begun) / 200)

    asyncio.run(measure())
    return found


def peer_hits(world: World, providers: Providers, rounds: int) -> Times:
    """Times in which peers answer what they have just answered; they have a cache, or have not."""
    found: Times = {}
    question = world.sessions[0]
    for name, (needs, make) in peers.PEERS.items():
        if needs is None:
            continue
        found[name] = []
        if find_spec(needs) is None:
            continue
        providers.open({})
        options = {"cached": True} if name == "stockfeed" else {}
        ask = make(providers.urls, 10.0, **options)
        for turn in range(rounds + 1):
            took = seconds(lambda: ask(question.symbol, question.start, question.end))  # noqa: B023
            if turn:
                found[name].append(took)
    return found


def cold_fetch(world: World, providers: Providers, rounds: int) -> dict[str, Times]:
    """Times of a session's bars as a frame, through a client alone and through the manager."""
    providers.open({})
    makers = {"alpaca": peers.alpaca, "iex": peers.tiingo, "yahoo": peers.yahoo}
    bare = {name: make(providers.urls, 10.0) for name, make in makers.items()}
    # What was asked before must not be answered from memory.
    ours = {each.name: managed([each], cache_duration=NEVER) for each in providers.sources()}
    found = {name: {"client": [], "manager": []} for name in makers}

    async def ask(name: str, question: Question) -> None:
        fetched = await ours[name].fetch_many([question.symbol], "5Min", BARS, question.end)
        fetched[question.symbol].to_frame()

    async def measure() -> None:
        for turn, question in enumerate(world.questions(rounds + 5)):
            world.clock.move_to(world.clock.now() + PACE)
            for name in makers:
                # Another session, that yfinance has not yet seen.
                client = seconds(lambda: bare[name](*_window(question)))  # noqa: B023
                begun = time.perf_counter()
                await ask(name, question)
                if turn >= 5:
                    found[name]["client"].append(client)
                    found[name]["manager"].append(time.perf_counter() - begun)

    asyncio.run(measure())
    return found


def _window(question: Question) -> tuple[str, datetime, datetime]:
    return question.symbol, question.start, question.end


def crowd(world: World, providers: Providers) -> dict[str, float]:
    """The newest hundred bars of 500 symbols, in one call."""
    symbols = world.alive(MANY)
    figures: dict[str, float] = {}
    for name in ("cold", "warm"):
        if name == "cold":
            providers.open({})
            # This machine draws the bars of so many for longer than a source usually waits.
            manager = managed(providers.sources(seconds=30), timeout=timedelta(seconds=60))
        begun = time.perf_counter()
        fetched = manager.blocking.fetch_many(symbols, "5Min", 100)
        figures[f"fetch_many_{name}_seconds"] = time.perf_counter() - begun
        figures[f"fetch_many_{name}_calls"] = providers.told().total()
    return figures | {"fetch_many_answered": len(fetched.bars)}


@attrs.define
class Minute:
    """What one minute of the session cost."""

    number: int
    calls: int
    refused: int
    missing: int
    took: float


def session(world: World, providers: Providers, minutes: int) -> list[Minute]:
    """Ask for a watchlist in six timeframes, each minute, while Alpaca grants 200 calls of them."""
    providers.open({}, LIMIT)
    manager = managed(providers.sources())
    symbols = world.alive(WATCHED)
    plan = []
    for number in range(minutes):
        providers.move_to(OPEN + timedelta(minutes=number + 1, seconds=2))
        begun, missing = time.perf_counter(), 0
        for timeframe in TIMEFRAMES:
            fetched = manager.blocking.fetch_many(symbols, timeframe, 100)
            missing += len(fetched.failures)
        took, told = time.perf_counter() - begun, providers.told()
        refused = sum(n for (_, fault), n in told.items() if fault == "limit")
        plan.append(Minute(number, told.total(), refused, missing, took))
    return plan


def row(table: Table, name: str, each: Sequence[float], scale: float, least: float | None) -> None:
    if not each:
        table.add_row(name, "absent", "", "", "")
        return
    middle, quarters = statistics.median(each), statistics.quantiles(each, n=4)
    ratio = f"{middle / least:.2f}" if least else ""
    wide = (quarters[2] - quarters[0]) * scale
    table.add_row(name, f"{middle * scale:,.1f}", f"{wide:,.1f}", ratio, str(len(each)))


def titled(title: str, unit: str, against: str) -> Table:
    table = Table(title=title, title_justify="left")
    for name in ("", f"median {unit}", f"spread {unit}", f"x {against}", "n"):
        table.add_column(name, justify="right" if name else "left")
    return table


def show_hits(console: Console, own: Times, others: Times) -> dict[str, float]:
    table = titled("A hit: 100 bars (peers: 78) asked for again", "us", "dict")
    least = statistics.median(own["dict lookup and copy"])
    for name, each in (own | others).items():
        row(table, name, each, 1e6, least)
    console.print(table)
    hit = statistics.median(own["get_market_data"])
    known = [statistics.median(each) for each in others.values() if each]
    figures = {"cache_hit_ratio": round(hit / least, 2), "cache_hit_us": round(hit * 1e6, 1)}
    return figures | ({"peer_hit_ratio": round(min(known) / hit, 1)} if known else {})


def show_fetches(console: Console, found: Mapping[str, Times]) -> dict[str, float]:
    table = titled("A fetch: 78 bars for the first time", "ms", "client")
    ratios = {}
    for name, times in found.items():
        least = statistics.median(times["client"])
        for who, each in times.items():
            row(table, f"{name}: {who}", each, 1e3, least)
        ratios[name] = round(statistics.median(times["manager"]) / least, 2)
    console.print(table)
    each = {f"cold_fetch_ratio_{name}": ratio for name, ratio in ratios.items()}
    return {"cold_fetch_ratio": max(ratios.values()), **each}


def show_plan(console: Console, plan: Sequence[Minute]) -> dict[str, float]:
    """Print how many calls which minutes took: more where more timeframes have a new bar."""
    table = Table(
        title=f"{WATCHED} symbols x {len(TIMEFRAMES)} timeframes, each minute", title_justify="left"
    )
    for name in ("minutes", "n", "calls a minute", "most", "429", "missing", "seconds"):
        table.add_column(name, justify="right" if name != "minutes" else "left")
    for name, group in _kinds(plan).items():
        calls = [minute.calls for minute in group]
        middle = statistics.mean(calls)
        told = [sum(getattr(m, what) for m in group) for what in ("refused", "missing")]
        took = f"{statistics.median(m.took for m in group):.2f}"
        table.add_row(
            name, str(len(group)), f"{middle:.1f}", str(max(calls)), *map(str, told), took
        )
    console.print(table)
    warm = [minute.calls for minute in plan[1:]]
    return {
        "calls_first_minute": plan[0].calls,
        "calls_a_minute": round(statistics.mean(warm), 2),
        "calls_a_minute_most": max(warm),
        "refused_429": sum(minute.refused for minute in plan),
        "answers_missing": sum(minute.missing for minute in plan),
    }


def _kinds(plan: Sequence[Minute]) -> dict[str, list[Minute]]:
    kinds: dict[str, list[Minute]] = {"first": [plan[0]]}
    for minute in plan[1:]:
        due = [length for length in (60, 30, 15, 5, 1) if (minute.number + 1) % length == 0]
        kinds.setdefault(f"that end a bar of {due[0]}", []).append(minute)
    return kinds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of the same, under 45 seconds")
    parser.add_argument("--seed", type=int, default=0, help="of the market")
    options = parser.parse_args()
    quick, console = options.quick, Console(width=100)
    world = World(options.seed, 10)
    with Providers(world) as providers:
        hits = cache_hit(providers, 7 if quick else 40)
        others = peer_hits(world, providers, 7 if quick else 40)
        fetches = cold_fetch(world, providers, 40 if quick else 400)
        many = crowd(world, providers)
        plan = session(world, providers, 35 if quick else 390)
    figures = show_hits(console, hits, others) | show_fetches(console, fetches)
    figures |= {name: round(figure, 2) for name, figure in many.items()}
    figures |= show_plan(console, plan)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
