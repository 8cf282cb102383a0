"""Where timeframes agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._core.errors import UsageError
from .._core.signal import Direction, Signal
from .._core.timeframe import Timeframe
from ._scan import TimeframeLook, TimeframeScan, direction_of
from ._settings import Setting, usual

UNKNOWN = "unknown"
MIXED = "mixed"


def consensus(
    opportunities: TimeframeScan | Iterable[Signal] | None,
    settings: Mapping[Timeframe, Setting],
    threshold: float,
) -> dict[str, Any]:
    """Weigh what the timeframes say against each other."""
    rows = _rows(opportunities, settings)
    looked = {name: row for name, row in rows.items() if row["failure"] is None}
    current = {name: row for name, row in looked.items() if not row["stale"]}
    voting = {name: row for name, row in current.items() if row["direction"]}
    sides = {side.value: _weight(voting, side.value) for side in Direction}
    said, best = _weight(voting), max(sides, key=lambda side: sides[side])
    agreement = sides[best] / said if said else 0.0
    verdict = best if agreement >= threshold and len(set(sides.values())) > 1 else MIXED
    everything = _weight(current)
    return {
        "consensus": UNKNOWN if rows and not current else verdict,
        "agreement": agreement,
        "agreeing_weight": sides[best] / everything if everything else 0.0,
        **{f"{side}_weight": weight for side, weight in sides.items()},
        "per_timeframe": rows,
        "silent": [name for name, row in looked.items() if row["direction"] is None],
        "stale": [name for name, row in looked.items() if row["stale"]],
        "could_not_look": [name for name in rows if name not in looked],
    }


def _weight(rows: Mapping[str, Mapping[str, Any]], side: str | None = None) -> float:
    return sum((row["weight"] for row in rows.values() if side in (None, row["direction"])), 0.0)


def _rows(
    opportunities: TimeframeScan | Iterable[Signal] | None, settings: Mapping[Timeframe, Setting]
) -> dict[str, dict[str, Any]]:
    if isinstance(opportunities, TimeframeScan):
        looks = opportunities.looks
        return {
            str(name): _of_look(look, _weight_of(name, settings)) for name, look in looks.items()
        }
    signals = tuple(opportunities or ())
    if not all(isinstance(signal, Signal) for signal in signals):
        expected, hint = "a TimeframeScan, or signals", "get_timeframe_consensus(scan)"
        raise UsageError("what should agree", expected=expected, got=repr(signals), hint=hint)
    return {
        str(name): {
            "direction": direction_of(tuple(s for s in signals if s.timeframe == name)),
            "age": None,
            "stale": False,
            "weight": _weight_of(name, settings),
            "signals": sum(signal.timeframe == name for signal in signals),
            "failure": None,
        }
        for name in sorted({signal.timeframe for signal in signals})
    }


def _of_look(look: TimeframeLook, weight: float) -> dict[str, Any]:
    return {
        "direction": look.direction,
        "age": look.age,
        "stale": look.stale,
        "weight": weight,
        "signals": len(look.signals),
        "failure": None if look.failure is None else str(look.failure),
    }


def _weight_of(timeframe: Timeframe, settings: Mapping[Timeframe, Setting]) -> float:
    known = settings.get(timeframe)
    return float(usual(timeframe)["weight"]) if known is None else known.weight
