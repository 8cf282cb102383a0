"""A setup: one tradable occasion, put together from the events about it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import attrs

from .._core.event import (
    Event,
    MissReason,
    SetupDetected,
    SetupExecuted,
    SetupMissed,
    SetupResolved,
    TradeEntered,
)

Decision = SetupExecuted | SetupMissed | TradeEntered


@attrs.define
class Setup:
    """What is known of one occasion; of events of one kind, the last.

    Parameters
    ----------
    id : str
        As its events name it.
    opened : Event
        The first of its events: its detection, or a decision that no detection came before.
    detected, entered, executed, missed, resolved : Event, optional
        Its events.
    """

    id: str
    opened: SetupDetected | Decision
    detected: SetupDetected | None = None
    entered: TradeEntered | None = None
    executed: SetupExecuted | None = None
    missed: SetupMissed | None = None
    resolved: SetupResolved | None = None

    def add(self, event: SetupDetected | Decision | SetupResolved) -> None:
        """Take in one more of its events; after a whole execution, another half begins anew."""
        if self.entered and self.executed and isinstance(event, TradeEntered | SetupExecuted):
            self.entered = self.executed = None
        if isinstance(event, SetupDetected):
            self.detected = event
        elif isinstance(event, TradeEntered):
            self.entered = event
        elif isinstance(event, SetupExecuted):
            self.executed = event
        elif isinstance(event, SetupMissed):
            self.missed = event
        else:
            self.resolved = event

    @property
    def symbol(self) -> str:
        """Whose occasion it is."""
        return self.opened.symbol

    @property
    def signal_type(self) -> str:
        """Of which kind of signal; empty where its first event does not say."""
        return signal_type_of(self.opened)

    @property
    def is_unlinked(self) -> bool:
        """Whether a decision opened it without a detection."""
        return not isinstance(self.opened, SetupDetected) and self.opened.unlinked

    @property
    def is_executed(self) -> bool:
        """Whether it was traded, whatever was said of it besides."""
        return self.executed is not None or self.entered is not None

    @property
    def is_missed(self) -> bool:
        """Whether it was let go, and not traded before or after."""
        return self.missed is not None and not self.is_executed

    @property
    def is_undecided(self) -> bool:
        """Whether it is neither executed nor missed yet."""
        return self.missed is None and not self.is_executed


def gather(events: Iterable[Event]) -> dict[str, Setup]:
    """Put setups together from events, oldest first; what became of unknown ones is left out."""
    setups: dict[str, Setup] = {}
    for event in events:
        collect(setups, event)
    return setups


def collect(setups: dict[str, Setup], event: Event) -> None:
    """Add one event to the setup that it belongs to."""
    if isinstance(event, SetupDetected | Decision):
        name = event.setup or event.id
        if name not in setups:
            setups[name] = Setup(name, event)
        setups[name].add(event)
    elif isinstance(event, SetupResolved) and event.setup in setups:
        setups[event.setup].add(event)


def seen_between(setups: Iterable[Setup], start: datetime, end: datetime) -> list[Setup]:
    """Keep setups that were first seen from ``start`` to ``end``, both included.

    A decision that neither opens its setup nor comes with the detection speaks of an earlier one.
    """
    return [
        setup
        for setup in setups
        if (setup.detected or setup.is_unlinked) and start <= setup.opened.time <= end
    ]


def signal_type_of(event: SetupDetected | Decision) -> str:
    """Tell which kind of signal an event is about; empty where it does not say."""
    if isinstance(event, TradeEntered):
        return str(event.details.get("signal_type") or "")
    return event.signal_type


def funnel(setups: Iterable[Setup]) -> dict[str, int]:
    """Count setups from their detection to what was decided."""
    known = list(setups)
    return {
        "setups": len(known),
        "detected": sum(s.detected is not None for s in known),
        "executed": sum(s.is_executed for s in known),
        "missed": sum(s.is_missed for s in known),
        "undecided": sum(s.is_undecided for s in known),
        "unlinked": sum(s.is_unlinked for s in known),
        "failed": sum(
            s.missed is not None and s.is_missed and s.missed.code is MissReason.EXECUTION_FAILED
            for s in known
        ),
    }


def percent(part: int, whole: int) -> float:
    """Give a share in percent; 0.0 of nothing, which is for the caller to say."""
    return 100.0 * part / whole if whole else 0.0
