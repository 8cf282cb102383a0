"""The demo's main job: bars in, signals out, and what became of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from tradekit import Bars, BarsRequest, DataSource, FixedClock, SourceError, Timeframe
from tradekit.data import FileSource, SimulatedSource

from .detectors import FOUR
from .look import Look, histories, look, scores
from .report import show

BANNER = "SIMULATED MARKET: prices are drawn from a seed, and tell nothing about any real market."
# A fixed moment, so that every run shows the same; a Friday evening after the close.
NOW = datetime(2024, 6, 28, 22, tzinfo=UTC)
SESSIONS = 500
_ENDINGS = (".csv", ".csv.gz", ".parquet")


def run(data: str | None, symbols: list[str], seed: int) -> int:
    """Look at the simulated market, or at every bar file below a folder."""
    console = Console(width=None if sys.stdout.isatty() else 110)
    if data is None:
        console.print(BANNER, style="bold yellow", highlight=False)
        source = SimulatedSource(seed, clock=FixedClock(NOW))
        bars = _fetch(console, source, symbols or ["SPY", "QQQ", "IWM"], Timeframe("1Min"))
        return _report(console, f"Simulated market, seed {seed}, {SESSIONS} sessions", bars)
    read = _read(console, Path(data), symbols)
    return _report(console, f"Real bars in {Path(data).name}", read)


def _fetch(
    console: Console, source: DataSource, symbols: list[str], timeframe: Timeframe
) -> Iterator[Bars]:
    limit = SESSIONS * 390 if isinstance(source, SimulatedSource) else None
    for symbol in symbols:
        request = BarsRequest(symbol, timeframe, limit=limit)
        try:
            yield source.blocking.fetch(request)[symbol]
        except SourceError as error:
            console.print(f"Left out: {error}", style="red", highlight=False)


def _read(console: Console, folder: Path, symbols: list[str]) -> Iterator[Bars]:
    """Read each folder that holds bar files on its own: two may hold the same symbol."""
    for leaf in _leaves(folder):
        source = FileSource(leaf)
        for symbol in source.symbols:
            if not symbols or symbol in symbols:
                yield from _shortest(console, source, symbol)


def _shortest(console: Console, source: FileSource, symbol: str) -> Iterator[Bars]:
    try:
        shortest = min(source.timeframes(symbol))
    except SourceError as error:
        console.print(f"Left out: {error}", style="red", highlight=False)
        return
    yield from _fetch(console, source, [symbol], shortest)


def _leaves(folder: Path) -> list[Path]:
    found = {path.parent for path in folder.rglob("*") if path.name.lower().endswith(_ENDINGS)}
    return sorted(found) or [folder]


def _report(console: Console, title: str, several: Iterator[Bars]) -> int:
    looks: list[Look] = []
    symbols = set()
    for bars in several:
        symbols.add(bars.symbol)
        for history in histories(bars):
            looks += [look(history, detector) for detector in FOUR]
    if not looks:
        console.print("No bars to look at: check the folder and --symbols.", style="red")
        return 1
    rows = sum({id(one.bars): len(one.bars) for one in looks}.values())
    show(console, f"{title}: {len(symbols)} symbols, {rows:,} bars", looks, scores(looks))
    return 0
