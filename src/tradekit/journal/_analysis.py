"""What the journal answers: pure functions over its events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from .._core.calendar import Calendar
from .._core.clock import from_ns, to_ns
from .._core.event import (
    ErrorOccurred,
    Event,
    MarketConditionChanged,
    Mode,
    OrderFilled,
    SetupMissed,
    TradeEntered,
    TradeExited,
)
from ._setup import Setup, funnel, percent

_HOUR = 3_600 * 10**9
_BUYS = frozenset({"buy", "long"})


def missed_analysis(setups: Sequence[Setup]) -> dict[str, Any]:
    """Tell which setups were let go, why, and what they would have earned."""
    counts = funnel(setups)
    misses = [(setup, setup.missed) for setup in setups if setup.missed and setup.is_missed]
    return {
        "reasons": _ranked(miss.reason for _, miss in misses),
        "codes": _ranked(miss.code.value for _, miss in misses),
        "by_symbol": _ranked(setup.symbol for setup, _ in misses),
        "by_signal_type": _ranked(setup.signal_type for setup, _ in misses),
        "total_detected": counts["detected"],
        "total_executed": counts["executed"],
        "total_missed": counts["missed"],
        "total_undecided": counts["undecided"],
        "total_unlinked": counts["unlinked"],
        **_capture(counts),
        "outcomes": _outcomes_by_reason(misses),
    }


def period_summary(
    setups: Sequence[Setup], events: Sequence[Event], start: datetime
) -> dict[str, Any]:
    """Sum up a period: its setups, and what else happened from ``start`` on.

    Earlier events only open positions and regimes.
    """
    counts = funnel(setups)
    kinds = Counter(type(event) for event in events if event.time >= start)
    changes = [event for event in events if isinstance(event, MarketConditionChanged)]
    return {
        "opportunities_detected": counts["detected"],
        "opportunities_executed": counts["executed"],
        "opportunities_missed": counts["missed"],
        "opportunities_undecided": counts["undecided"],
        "opportunities_unlinked": counts["unlinked"],
        **_capture(counts),
        "trades_entered": kinds[TradeEntered],
        "trades_exited": kinds[TradeExited],
        "fills": kinds[OrderFilled],
        "pnl": profit(events, start),
        "errors": kinds[ErrorOccurred],
        "regime": changes[-1].regime if changes else None,
        "regime_changes": [_change(event) for event in changes if event.time >= start],
    }


def profit(events: Iterable[Event], start: datetime) -> float | None:
    """Give what fills since ``start`` realised, fees taken off; None where there are none.

    Positions are carried at their average price. A simulated or replayed run is a world of its
    own; paper and live positions outlive a run.
    """
    books: dict[tuple[str, str], _Book] = {}
    earned: list[float] = []
    for fill in events:
        if isinstance(fill, OrderFilled):
            world = fill.run if fill.mode in (Mode.SIMULATED, Mode.REPLAY) else ""
            realised = books.setdefault((world, fill.symbol), _Book()).fill(fill)
            if fill.time >= start:
                earned.append(realised - fill.fee)
    return sum(earned) if earned else None


class _Book:
    """One position at its average price; below zero it is short."""

    def __init__(self) -> None:
        self.held = self.price = 0.0

    def fill(self, fill: OrderFilled) -> float:
        change = fill.quantity if fill.side.lower() in _BUYS else -fill.quantity
        if self.held * change >= 0:
            total = self.held + change
            if total:
                self.price = (self.held * self.price + change * fill.price) / total
            self.held = total
            return 0.0
        closed = min(abs(change), abs(self.held)) * np.sign(self.held)
        earned = float(closed * (fill.price - self.price))
        if abs(change) > abs(self.held):
            self.price = fill.price
        self.held += change
        return earned


def open_hours(calendar: Calendar, start: datetime, end: datetime) -> float:
    """Count the hours between two moments in which the exchange was open."""
    first, last = to_ns(start), to_ns(end)
    overlap = np.minimum(calendar.closes, last) - np.maximum(calendar.opens, first)
    return float(np.maximum(overlap, 0).sum() / _HOUR)


def session_window(calendar: Calendar, day: np.datetime64) -> tuple[str, datetime, datetime]:
    """Give the date of the last session up to a day, and its first and last moment.

    What happens on a closed day belongs to the session before it.
    """
    row = max(int(np.searchsorted(calendar.sessions, day, side="right")) - 1, 0)
    start = calendar.midnights[row]
    if row + 1 < len(calendar.sessions):
        end = from_ns(calendar.midnights[row + 1])
    else:
        end = from_ns(start) + timedelta(days=1)
    return str(calendar.sessions[row]), from_ns(start), end - timedelta(microseconds=1)


def _capture(counts: dict[str, int]) -> dict[str, Any]:
    return {
        "capture_rate": percent(counts["executed"], counts["setups"]),
        "capture_rate_known": counts["setups"] > 0,
    }


def _ranked(words: Iterable[str]) -> dict[str, int]:
    """Count words, the most frequent first, ties by name."""
    return dict(sorted(Counter(words).items(), key=lambda item: (-item[1], item[0])))


def _outcomes_by_reason(misses: list[tuple[Setup, SetupMissed]]) -> dict[str, dict[str, Any]]:
    reasons = _ranked(miss.reason for _, miss in misses)
    return {
        reason: _outcome(setup for setup, miss in misses if miss.reason == reason)
        for reason in reasons
    }


def _outcome(setups: Iterator[Setup]) -> dict[str, Any]:
    every = [setup.resolved for setup in setups]
    ended = [resolved for resolved in every if resolved]
    returns = [resolved.net_return for resolved in ended]
    hits = sum(resolved.exit == "target" for resolved in ended)
    return {
        "resolved": len(ended),
        "pending": len(every) - len(ended),
        "hit_rate_percent": percent(hits, len(ended)) if ended else None,
        "mean_net_return": sum(returns) / len(ended) if ended else None,
        "sum_net_return": sum(returns) if ended else None,
    }


def _change(event: MarketConditionChanged) -> dict[str, Any]:
    return {
        "time": event.time.isoformat(),
        "from": event.previous,
        "to": event.regime,
        "confidence": event.confidence,
    }
