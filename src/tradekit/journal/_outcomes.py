"""What became of setups, taken or not: target, stop or time, on the bars that followed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

import attrs
import numpy as np

from .._core.barriers import Exit, triple_barrier
from .._core.bars import Bars
from .._core.clock import from_ns, to_ns
from .._core.event import SetupDetected, SetupResolved
from ._setup import Setup

_SIDES = {"bullish": 1, "long": 1, "buy": 1, "bearish": -1, "short": -1, "sell": -1}


@attrs.frozen
class _Entry:
    """A setup that could be entered after row ``row`` of the bars."""

    setup: str
    row: int
    side: int
    target: float
    stop: float
    horizon: int


def resolve_outcomes(
    setups: Iterable[Setup],
    bars: Mapping[str, Bars],
    *,
    horizon: int,
    cost: float,
    seen_at: datetime,
) -> list[SetupResolved]:
    """Give the outcome of each decided setup that the bars decide, in the order of the setups.

    A setup is entered at the open of the first bar that begins once it is known. Left out are
    setups without a side, a target or a stop, those whose bars are not there or have not gone
    far enough, and those that were past a level before they could be entered.
    """
    order: list[str] = []
    entries: dict[tuple[str, int], list[_Entry]] = defaultdict(list)
    for setup in setups:
        found = _entry(setup, bars.get(setup.symbol), horizon)
        if found is not None:
            order.append(setup.id)
            entries[setup.symbol, found.horizon].append(found)
    resolved = {
        str(event.setup): event
        for (symbol, bars_left), group in entries.items()
        for event in _outcomes(bars[symbol], group, bars_left, cost, seen_at)
    }
    return [resolved[name] for name in order if name in resolved]


def _entry(setup: Setup, bars: Bars | None, horizon: int) -> _Entry | None:
    said = setup.detected
    if said is None or setup.is_undecided or setup.resolved or bars is None:
        return None
    if said.price_target is None or said.stop_loss is None:
        return None
    side = _SIDES.get(said.direction.lower())
    row = int(np.searchsorted(bars.time, to_ns(said.time))) - 1
    if side is None or not 0 <= row < len(bars) - 1:
        return None
    close = bars.close[row]
    if side * (said.price_target - close) <= 0 or side * (close - said.stop_loss) <= 0:
        return None
    last = _horizon(said, bars, row, horizon)
    return _Entry(setup.id, row, side, said.price_target, said.stop_loss, last)


def _horizon(said: SetupDetected, bars: Bars, row: int, horizon: int) -> int:
    """Bars until the signal expires, where it says when; else the usual number."""
    if "expires_at" not in said.details:
        return horizon
    try:
        expires = to_ns(datetime.fromisoformat(str(said.details["expires_at"])))
    except ValueError:  # free text, or a time without a zone
        return horizon
    if expires > bars.close_time[-1]:
        return len(bars)  # beyond the last bar: nothing here is a time-out
    return max(int(np.searchsorted(bars.close_time, expires, side="right")) - 1 - row, 1)


def _outcomes(
    bars: Bars, group: list[_Entry], horizon: int, cost: float, seen_at: datetime
) -> Iterable[SetupResolved]:
    rows, sides, targets, stops = (
        np.array([getattr(entry, name) for entry in group])
        for name in ("row", "side", "target", "stop")
    )
    ends = triple_barrier(bars, rows, sides, targets, stops, horizon=horizon, cost=cost)
    for i in np.flatnonzero(ends.decided):
        last = ends.exit_row[i]
        yield SetupResolved(
            from_ns(bars.close_time[last]),
            seen_at=seen_at,
            setup=group[i].setup,
            symbol=bars.symbol,
            exit=Exit(ends.exit[i]).name.lower(),
            entry_price=ends.entry_price[i],
            exit_price=ends.exit_price[i],
            net_return=ends.net_return[i],
            bars_held=int(last) - group[i].row,
        )
