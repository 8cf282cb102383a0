"""Which setup an event belongs to: re-detections are one setup, and decisions find theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b

import attrs

from .._core.clock import to_ns
from .._core.errors import UsageError
from .._core.event import (
    ErrorOccurred,
    Event,
    MarketConditionChanged,
    RunEnded,
    RunStarted,
    SetupDetected,
    SetupExecuted,
    SetupMissed,
    TradeEntered,
)
from .._core.timeframe import Timeframe
from ._setup import Decision, Setup, collect, signal_type_of

# What makes one setup: symbol, strategy, side, and the first bar.
_Occasion = tuple[str, str, str, str]


@attrs.frozen
class Link:
    """Where an event belongs.

    Parameters
    ----------
    setup : str, optional
        Of which setup it speaks.
    unlinked : bool
        Whether it opens that setup without a detection.
    earlier : Event, optional
        The event that has said the same of the same setup before.
    """

    setup: str | None = None
    unlinked: bool = False
    earlier: Event | None = None


class Recorder:
    """What a run has said so far: a fold over its events, so that it can be taken up again."""

    def __init__(self) -> None:
        self.setups: dict[str, Setup] = {}
        self.seq = 0
        self.errors = 0
        self.since: datetime | None = None
        self.regime: str | None = None
        self.is_running = False
        self._occasions: dict[_Occasion, str] = {}
        # By symbol, the last one that was spoken of at the end: those that a decision may join.
        self._open: dict[str, dict[str, Setup]] = {}
        self._seen_again: set[str] = set()

    @property
    def undecided(self) -> Iterator[Setup]:
        """Setups that are neither executed nor missed, oldest first."""
        return (setup for setup in self.setups.values() if setup.is_undecided)

    def note(self, event: Event) -> None:
        """Take in an event of this run that has its setup, run and number."""
        self.seq = max(self.seq, event.seq + 1)
        self.since = self.since or event.time
        self.errors += isinstance(event, ErrorOccurred)
        if isinstance(event, MarketConditionChanged):
            self.regime = event.regime
        elif isinstance(event, RunStarted | RunEnded):
            self.is_running = isinstance(event, RunStarted)
        collect(self.setups, event)
        if isinstance(event, SetupDetected):
            self._open_setup(event)
        elif isinstance(event, Decision):
            self._decide(event)

    def link(self, run: str, event: Event) -> Link:
        """Find the setup of an event, or the event that it would repeat."""
        if isinstance(event, SetupDetected):
            return self._link_detected(run, event)
        if isinstance(event, Decision):
            return self._link_decision(run, event)
        return Link(event.setup)

    def _link_detected(self, run: str, event: SetupDetected) -> Link:
        name = event.setup or self._occasions.get(_occasion(event)) or self._same_idea(event)
        if name in self.setups and (earlier := self.setups[name].detected):
            self._seen_again.add(earlier.setup or "")
            self._mention(self.setups[name])
            return Link(name, earlier=earlier)
        return Link(name or _digest(run, *_occasion(event)))

    def _same_idea(self, event: SetupDetected) -> str | None:
        """The undecided setup that an event of a later bar sees again."""
        open_here = self._open.get(event.symbol, {}).values()
        return next(
            (
                setup.id
                for setup in open_here
                if setup.is_undecided
                and setup.detected
                and _occasion(setup.detected)[:3] == _occasion(event)[:3]
            ),
            None,
        )

    def _link_decision(self, run: str, event: Decision) -> Link:
        if event.setup:
            return Link(event.setup, unlinked=event.setup not in self.setups)
        setup = self._joined(event)
        if setup is None:
            number = f"{self.seq}"
            return Link(_digest(run, event.symbol, signal_type_of(event), number), unlinked=True)
        if isinstance(event, SetupMissed) and _says_the_same(setup.missed, event):
            self._seen_again.discard(setup.id)
            return Link(setup.id, earlier=setup.missed)
        return Link(setup.id)

    def _joined(self, event: Decision) -> Setup | None:
        """The other half of an execution, else the newest undecided one, else one seen again."""
        asked = signal_type_of(event)
        fitting = [
            setup
            for setup in reversed(self._open.get(event.symbol, {}).values())
            if asked in ("", setup.signal_type) or not setup.signal_type
        ]
        ways: tuple[Callable[[Setup], bool], ...] = (
            lambda setup: _other_half(setup, event),
            lambda setup: setup.is_undecided,
            lambda setup: setup.id in self._seen_again,
        )
        return next((setup for way in ways for setup in fitting if way(setup)), None)

    def _open_setup(self, event: SetupDetected) -> None:
        setup = self.setups[event.setup or event.id]
        self._occasions[_occasion(event)] = setup.id
        here = self._open.setdefault(event.symbol, {})
        for old in [s for s in here.values() if s.signal_type == setup.signal_type]:
            if not old.is_undecided:  # nobody has come back to it, and now there is a new one
                self._forget(old)
        self._mention(setup)

    def _decide(self, event: Decision) -> None:
        setup = self.setups[event.setup or event.id]
        self._seen_again.discard(setup.id)
        if (setup.executed and setup.entered) or setup.is_missed:
            self._forget(setup)
        else:
            self._mention(setup)

    def _mention(self, setup: Setup) -> None:
        here = self._open.setdefault(setup.symbol, {})
        here.pop(setup.id, None)
        here[setup.id] = setup

    def _forget(self, setup: Setup) -> None:
        self._open.get(setup.symbol, {}).pop(setup.id, None)
        self._seen_again.discard(setup.id)


def _other_half(setup: Setup, event: Decision) -> bool:
    """Whether a trade was entered and this says executed, or the other way round."""
    if isinstance(event, SetupExecuted):
        return setup.entered is not None and setup.executed is None
    if isinstance(event, TradeEntered):
        return setup.executed is not None and setup.entered is None
    return False


def _says_the_same(earlier: SetupMissed | None, event: SetupMissed) -> bool:
    return earlier is not None and (earlier.code, earlier.reason) == (event.code, event.reason)


def _occasion(event: SetupDetected) -> _Occasion:
    strategy = event.source_method or event.signal_type
    return event.symbol, strategy, event.direction, event.signal_id or f"{_bar(event)}"


def _bar(event: SetupDetected) -> int:
    """Number of the bar that a detection falls into; without a timeframe, its moment."""
    return to_ns(event.time) // _length(event.timeframe)


@lru_cache(maxsize=64)
def _length(timeframe: str | None) -> int:
    """Nanoseconds of a bar; of a moment where it is none."""
    try:
        return Timeframe(timeframe).ns
    except UsageError:
        return 1


def _digest(*parts: str) -> str:
    return blake2b("|".join(parts).encode(errors="backslashreplace"), digest_size=8).hexdigest()
