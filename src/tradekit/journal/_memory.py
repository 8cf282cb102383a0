"""Events in memory: for tests and notebooks."""

from __future__ import annotations

from collections.abc import Iterable

from .._core.event import Event
from .._core.sink import EventQuery, Sink


class MemorySink(Sink):
    """Keep events in a list, and give them back; they end with the process.

    Examples
    --------
    >>> from tradekit.journal import ComprehensiveLogger
    >>> sink = MemorySink()
    >>> event = ComprehensiveLogger(sinks=[sink]).log_system_error("data", "no route to host")
    >>> sink.read() == (event,)
    True
    """

    def __init__(self) -> None:
        self._kept: list[Event] = []

    def _write(self, events: tuple[Event, ...]) -> None:
        self._kept.extend(events)

    def _read(self, query: EventQuery) -> Iterable[Event]:
        return filter(query.matches, self._kept)
