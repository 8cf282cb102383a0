"""Print a first look: the scores, the latest signals, and what is said now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from tradekit import Signal, calendar_for

from .look import COST, Look, Score

if TYPE_CHECKING:
    from rich.console import Console

_EXITS = ("pending", "target", "stop", "time out")
_LATEST = 12


def show(console: Console, title: str, looks: list[Look], scores: list[Score]) -> None:
    """Print all of it; the same looks print the same text."""
    console.print(Text(title, style="bold"))
    console.print(_scores(scores))
    console.print(
        "Hit rate: share of ended signals that reached their target before their stop or their\n"
        "time; entered at the next open, the stop first when one bar touches both. Base rate: the\n"
        f"same levels at any bar. Net: mean return after {COST:.2%} of costs. Confidence is a\n"
        "heuristic score here: nothing was fitted.\n",
        highlight=False,
    )
    console.print(_latest(looks))
    _now(console, looks)


def _scores(scores: Iterable[Score]) -> Table:
    table = _table("Over history", "Timeframe", "Detector")
    for name in ("Signals", "Ended", "Hit rate", "Base rate", "Net"):
        table.add_column(name, justify="right")
    for score in scores:
        rates = (_percent(score.hit_rate, 1), _percent(score.base_rate, 1))
        counts = (str(score.signals), str(score.ended))
        table.add_row(
            score.timeframe, score.detector, *counts, *rates, _percent(score.net_return, 3)
        )
    return table


def _latest(looks: list[Look]) -> Table:
    """The latest signals of every detector together, each with what became of it."""
    said = [
        (signal, one, row)
        for one in looks
        for row, signal in enumerate(one.signals[-_LATEST:], max(len(one.signals) - _LATEST, 0))
    ]
    said.sort(key=lambda item: (item[0].time, item[0].symbol, item[0].timeframe, item[0].id))
    table = _table("Latest signals", "Known at", "Symbol", "Bars", "Detector", "Says")
    for name in ("Sure", "Price", "Target", "Stop", "Became", "Net"):
        table.add_column(name, justify="right")
    for signal, one, row in said[-_LATEST:]:
        outcome = one.outcomes.net_return[row]
        became = _EXITS[int(one.outcomes.exit[row])]
        table.add_row(*_cells(signal, one), became, _percent(float(outcome), 2))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0, pad_edge=False)
    for name in columns:
        table.add_column(name, no_wrap=True)
    return table


def _cells(signal: Signal, one: Look) -> tuple[str, ...]:
    zone = ZoneInfo(calendar_for(one.bars.calendar).tz)
    known = f"{signal.time.astimezone(zone):%Y-%m-%d %H:%M}"
    levels = (signal.price, signal.price_target, signal.stop_loss)
    who = type(one.detector).__name__
    sure = f"{signal.confidence:.0f}"
    prices = ("-" if level is None else f"{level:.2f}" for level in levels)
    return (known, signal.symbol, signal.timeframe, who, signal.direction, sure, *prices)


def _now(console: Console, looks: list[Look]) -> None:
    said = [one.now for one in looks]
    now = [signal for signals in said for signal in signals]
    unready = [o for o, signals in zip(looks, said, strict=True) if not signals and not o.ready]
    console.print(Text("At the last bar", style="italic"))
    console.print(
        f"{len(looks)} looks: {len(now)} say something, {len(looks) - len(now) - len(unready)} "
        f"saw nothing, {len(unready)} are not ready.",
        highlight=False,
    )
    for signal in now[:_LATEST]:
        note = ", still warming up" if signal.warmup else ""
        console.print(
            f"  {signal.symbol} {signal.timeframe} {signal.source_method}: {signal.direction} at "
            f"{signal.price:.2f}, target {signal.price_target:.2f}, stop {signal.stop_loss:.2f}"
            f"{note}",
            highlight=False,
        )
    if unready:
        console.print(_why_not(unready), highlight=False)


def _why_not(unready: list[Look]) -> str:
    """Say the commonest reason once, with the shortest history as its example."""
    shortest = min(unready, key=lambda one: (len(one.bars), one.bars.symbol))
    volume = np.isnan(shortest.bars.volume).any()
    cause = "some volume is not known" if volume else f"{len(shortest.bars)} bars are too few"
    who = f"{type(shortest.detector).__name__} on {shortest.bars.symbol} {shortest.bars.timeframe}"
    return f"  Not ready, for example: {who}: {cause}; give it more history."


def _percent(fraction: float, digits: int) -> str:
    return "-" if np.isnan(fraction) else f"{fraction:.{digits}%}"
