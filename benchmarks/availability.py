"""How often bars come, and are right, while providers fail: the manager beside its peers.

Real clients talk over sockets to an Alpaca, a Tiingo (IEX) and a Yahoo of this machine, which fail
independently of each other. A question is one symbol's past session of five-minute bars. Its answer
is correct when all 78 times, opens, highs, lows and closes are those of the market behind, and
wrong when bars come and are others; else nothing came. Several questions are under way at once, and
the clock goes on by two seconds with each. Everybody is asked the same, and answers nothing from
memory.

Then providers are down two at a time, and all of them, while a watchlist is followed; and at last
they tell prices that are half a percent to two percent off and look like any others.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from itertools import combinations
from typing import Any

import attrs
import manager as costs
import numpy as np
from peers import PEERS, columns
from rich.console import Console
from rich.table import Table
from world import BARS, PROVIDERS, Providers, Question, World
from world import columns as of_bars

from tradekit import Bars, BarsRequest, MultiSourceDataManager, NoDataError

IN_FLIGHT = 8
PACE, ROUND = timedelta(seconds=2), timedelta(minutes=5)
MORNING = datetime(2024, 3, 12, 13, 35, 5, tzinfo=UTC)
MIX = {
    "500": 0.05,
    "hang": 0.02,
    "no_rows": 0.02,
    "truncated_json": 0.01,
    **dict.fromkeys(("stale_day", "missing_tail", "price_x100", "swapped_high_low"), 0.0025),
}
SHIFTS = {"plausible_shift": 0.01}
OURS, FREE = "tradekit", "tradekit, IEX's free plan"
GRACE = 30.0  # seconds after the last answer, in which threads may end


@attrs.define
class Tally:
    """What came of questions, and how long each took."""

    counts: Counter[str] = attrs.field(factory=Counter)
    seconds: list[float] = attrs.field(factory=list)
    givers: Counter[str] = attrs.field(factory=Counter)

    def add(self, outcome: str, seconds: float, giver: str = "") -> None:
        self.counts[outcome] += 1
        self.seconds.append(seconds)
        self.givers[giver] += 1

    def percent(self, *outcomes: str) -> float:
        return 100 * sum(self.counts[each] for each in outcomes) / max(1, len(self.seconds))

    def quantile(self, share: float) -> float:
        return float(np.quantile(self.seconds, share))


def ready(world: World, sources: Sequence[Any], **options: Any) -> MultiSourceDataManager:
    """Manage sources whose clients are imported, as the peers' are; the answers do not count."""
    question = world.sessions[0]
    request = BarsRequest(question.symbol, "5Min", limit=BARS, end=question.end)
    for source in sources:
        asyncio.run(source.fetch(attrs.evolve(request, adjustment=costs.ADJUSTMENT)))
    return costs.managed(sources, **options)


async def at_once(work: Callable[[Any], Any], items: Sequence[Any]) -> None:
    """Do some pieces of work at a time, the next one as soon as one is done."""
    waiting = iter(items)

    async def take_turns() -> None:
        for item in waiting:
            await work(item)

    await asyncio.gather(*(take_turns() for _ in range(IN_FLIGHT)))


def of_manager(
    world: World, manager: MultiSourceDataManager, questions: Sequence[Question]
) -> Tally:
    tally = Tally()

    async def put(question: Question) -> None:
        world.clock.move_to(world.clock.now() + PACE)
        begun = time.perf_counter()
        fetched = await manager.fetch_many([question.symbol], "5Min", BARS, question.end)
        took = time.perf_counter() - begun
        if (bars := fetched.bars.get(question.symbol)) is None:
            tally.add("none", took, f"none ({fetched.failures[question.symbol].fault})")
        else:
            right = question.is_answered_by(*of_bars(bars))
            tally.add("correct" if right else "wrong", took, bars.source)

    asyncio.run(at_once(put, questions))
    return tally


def of_peer(ask: Callable[..., Any], questions: Sequence[Question]) -> Tally:
    tally = Tally()

    def put(question: Question) -> None:
        begun = time.perf_counter()
        try:
            frame = ask(question.symbol, question.start, question.end)
            found = columns(frame) if len(frame) else None
        except Exception:
            found = None
        took = time.perf_counter() - begun
        if found is None:
            tally.add("none", took)
        else:
            tally.add("correct" if question.is_answered_by(*found) else "wrong", took)

    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        list(pool.map(put, questions))
    return tally


def hanging(before: set[threading.Thread]) -> int:
    """Count threads that were not there before, and do not end."""
    until = time.monotonic() + GRACE
    for thread in set(threading.enumerate()) - before:
        thread.join(max(0.0, until - time.monotonic()))
    return len(set(threading.enumerate()) - before)


@attrs.define
class Followed:
    """What came of a watchlist's newest bars, in rounds while these were down."""

    counts: Counter[str] = attrs.field(factory=Counter)
    slowest: float = 0.0


def follow(world: World, providers: Providers, rounds: int) -> dict[str, Followed]:
    """Ask for the newest bars of all symbols every five minutes, while providers go and come."""
    providers.open(MIX)
    manager = ready(world, providers.sources(), max_stale=timedelta(hours=1))
    found = {"two down": Followed(), "all down": Followed(), "none down": Followed()}
    for number, down in enumerate(_outages(rounds)):
        providers.take_down(down)
        providers.move_to(MORNING + number * ROUND)
        kind = {0: "none down", 2: "two down", 3: "all down"}[len(down)]
        asyncio.run(_round(world.symbols, world.newest(), manager, found[kind]))
    providers.take_down(())
    return found


def _outages(rounds: int) -> Iterator[tuple[str, ...]]:
    yield ()
    for pair in combinations(PROVIDERS, 2):  # one comes back as another goes down
        yield from [pair] * rounds
    yield from [PROVIDERS] * 3


async def _round(
    symbols: Sequence[str],
    truths: Mapping[str, Bars],
    manager: MultiSourceDataManager,
    into: Followed,
) -> None:
    async def put(symbol: str) -> None:
        begun = time.perf_counter()
        try:
            bars = await manager.fetch(symbol, "5Min", BARS)
        except NoDataError:
            outcome = "typed error"
        else:
            outcome = _outcome(bars, *of_bars(truths[symbol]))
        into.counts[outcome] += 1
        into.slowest = max(into.slowest, time.perf_counter() - begun)

    await at_once(put, symbols)


def _outcome(bars: Any, time: np.ndarray, prices: np.ndarray) -> str:
    mine, told = of_bars(bars)
    common, here, there = np.intersect1d(mine, time, return_indices=True)
    if not len(common) or not np.allclose(told[:, here], prices[:, there], rtol=1e-6, atol=0):
        return "wrong"
    if mine[-1] == time[-1]:
        return "newest" if len(mine) == len(time) and bars.stale_since is None else "wrong"
    return "old, not marked" if bars.stale_since is None else "old, marked"


def shifted(world: World, providers: Providers, count: int) -> dict[str, Tally]:
    """Ask while each provider shifts one answer in a hundred; what nobody bears out is refused."""
    found = {}
    for mode in ("off", "sampled", "always"):
        providers.open(SHIFTS)
        settings = {"cross_check": mode, "unconfirmed": "refuse", "cache_duration": costs.NEVER}
        manager = ready(world, providers.sources(), **settings)
        found[mode] = of_manager(world, manager, world.questions(count))
    return found


def table_of(title: str, *names: str) -> Table:
    table = Table(title=title, title_justify="left")
    for number, name in enumerate(names):
        table.add_column(name, justify="right" if number else "left")
    return table


def show_faults(
    console: Console, tallies: dict[str, Tally | None], seconds: float
) -> dict[str, float]:
    title = (
        f"Independent faults; alpaca-py alone would wait for ever, and is cut off at {seconds} s"
    )
    table = table_of(title, "", "correct %", "wrong %", "none %", "p50 s", "p99 s", "n")
    figures = {}
    for name, tally in tallies.items():
        if tally is None:
            table.add_row(name, "absent")
            continue
        shares = [tally.percent(each) for each in ("correct", "wrong", "none")]
        times = [tally.quantile(share) for share in (0.5, 0.99)]
        told = [f"{share:.2f}" for share in shares] + [f"{took:.3f}" for took in times]
        table.add_row(name, *told, str(len(tally.seconds)))
        whose = "" if name == OURS else f"{name}: "
        figures |= {
            f"{whose}correct_percent": round(shares[0], 3),
            f"{whose}wrong_percent": round(shares[1], 3),
            f"{whose}p50_seconds": round(times[0], 4),
            f"{whose}p99_seconds": round(times[1], 4),
        }
    console.print(table)
    return figures


def show_outages(console: Console, found: dict[str, Followed]) -> dict[str, float]:
    outcomes = ("newest", "old, marked", "old, not marked", "wrong", "typed error")
    table = table_of("Outages, beside the same faults: answers", "", *outcomes, "slowest s")
    for name, each in found.items():
        numbers = (str(each.counts[outcome]) for outcome in outcomes)
        table.add_row(name, *numbers, f"{each.slowest:.2f}")
    console.print(table)
    two, every = found["two down"].counts, Counter()
    for each in found.values():
        every += each.counts
    return {
        "two_down_percent": round(100 * (two["newest"] + two["old, marked"]) / two.total(), 3),
        "two_down_newest_percent": round(100 * two["newest"] / two.total(), 3),
        "stale_not_marked": every["old, not marked"],
        "outage_wrong": every["wrong"],
        "all_down_slowest_seconds": round(found["all down"].slowest, 3),
    }


def show_shifts(console: Console, found: dict[str, Tally]) -> dict[str, float]:
    table = table_of(
        "Plausible shifts in 1 % of answers", "cross_check", "wrong %", "refused %", "n"
    )
    figures = {}
    for mode, tally in found.items():
        wrong, refused = tally.percent("wrong"), tally.percent("none")
        table.add_row(mode, f"{wrong:.3f}", f"{refused:.3f}", str(len(tally.seconds)))
        figures |= {f"shift_wrong_percent_{mode}": round(wrong, 3)}
        figures |= {f"shift_refused_percent_{mode}": round(refused, 3)}
    console.print(table)
    return figures


def ours(world: World, providers: Providers, count: int) -> tuple[Tally, dict[str, float]]:
    """Ask the manager, and tell what it left behind and what it asked."""
    providers.open(MIX)
    before = set(threading.enumerate())
    manager = ready(world, providers.sources(), cache_duration=costs.NEVER)
    tally = of_manager(world, manager, world.questions(count))
    figures = {"hung_threads": hanging(before), "requests": count}
    figures["calls_a_request"] = round(providers.told().total() / count, 3)
    return tally, figures


def theirs(
    world: World, providers: Providers, count: int, seconds: float
) -> dict[str, Tally | None]:
    """Ask the manager with a free plan of Tiingo, and the peers that are installed."""
    providers.open(MIX)
    free = ready(world, providers.sources(free=True), cache_duration=costs.NEVER)
    found: dict[str, Tally | None] = {FREE: of_manager(world, free, world.questions(count))}
    for name, (needs, make) in PEERS.items():
        found[name] = None
        if needs is None or find_spec(needs) is not None:
            providers.open(MIX)
            found[name] = of_peer(make(providers.urls, seconds), world.questions(count))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of the same, under 45 seconds")
    parser.add_argument("--seed", type=int, default=0, help="of the market and of the faults")
    options = parser.parse_args()
    quick, console = options.quick, Console(width=100)
    count, few, seconds = (500, 60, 2.0) if quick else (12_000, 1_000, 30.0)
    world = World(options.seed, 8 if quick else 40)
    with Providers(world) as providers:
        tally, figures = ours(world, providers, count)
        others = theirs(world, providers, few, seconds)
        outages = follow(world, providers, 2 if quick else 20)
        shifts = shifted(world, providers, few if quick else 5_000)
        hits = costs.cache_hit(providers, 5 if quick else 20)
        fetches = costs.cold_fetch(world, providers, 20 if quick else 200)
    figures |= show_faults(console, {OURS: tally, **others}, seconds)
    console.print(f"answered by: {dict(tally.givers)}")
    figures |= show_outages(console, outages) | show_shifts(console, shifts)
    figures |= costs.show_hits(console, hits, {}) | costs.show_fetches(console, fetches)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
