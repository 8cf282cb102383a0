"""One sink in front of several: what one of them fails to keep waits for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial

from .._core.errors import SinkError, TradekitError, UsageError
from .._core.event import Event
from .._core.sink import EventQuery, Sink
from .._core.words import words

_LOG = logging.getLogger("tradekit.journal")
# So that a long backlog does not make each further attempt slower.
_AT_ONCE = 1_000


class FanoutSink(Sink):
    """Write to several sinks; a failing one holds up neither the others nor the caller.

    What a sink did not keep waits in memory and is offered again at each write, at `flush` and at
    `close`. The first sink is the primary one: if it has not kept everything when it is closed, a
    `SinkError` carries what is missing. Each cause of failure is logged once.

    Parameters
    ----------
    sinks : iterable of Sink
        The primary one first. The first that can be read answers.

    Raises
    ------
    UsageError
        When there are none, or something else is among them.

    Examples
    --------
    >>> from tradekit.journal import MemorySink
    >>> sink = FanoutSink([MemorySink(), MemorySink()])
    >>> sink.waiting
    (0, 0)
    """

    def __init__(self, sinks: Iterable[Sink]) -> None:
        self.sinks: tuple[Sink, ...] = words(sinks)
        if not self.sinks or not all(isinstance(sink, Sink) for sink in self.sinks):
            raise UsageError(
                "a journal goes to sinks",
                expected="at least one Sink",
                got=repr(self.sinks),
                hint="sinks=[SQLiteSink('journal.db'), ConsoleSink()]",
            )
        self._backlogs: list[list[Event]] = [[] for _ in self.sinks]
        self._errors: list[str | None] = [None] * len(self.sinks)
        self._told: set[tuple[int, str]] = set()

    def __repr__(self) -> str:
        return f"FanoutSink({', '.join(map(repr, self.sinks))})"

    @property
    def waiting(self) -> tuple[int, ...]:
        """How many events each sink has still to keep."""
        return tuple(map(len, self._backlogs))

    @property
    def errors(self) -> tuple[str | None, ...]:
        """Why each sink failed the last time it was asked; None where it did not."""
        return tuple(self._errors)

    def _write(self, events: tuple[Event, ...]) -> None:
        for number in range(len(self.sinks)):
            self._offer(number, events)

    def _flush(self) -> None:
        for number, sink in enumerate(self.sinks):
            self._offer(number, ())
            if not self._backlogs[number]:
                self._attempt(number, sink.flush)

    def _close(self) -> None:
        causes = list(self._errors)
        for number, sink in enumerate(self.sinks):
            self._attempt(number, sink.close)
        lost, cause = tuple(self._backlogs[0]), causes[0] or self._errors[0]
        if lost or cause:
            raise SinkError(
                f"{self.sinks[0]!r} did not keep {len(lost)} events",
                got=cause,
                hint="the error carries them: write error.events elsewhere",
                events=lost,
            )

    def _read(self, query: EventQuery) -> Iterable[Event]:
        readable = (n for n, s in enumerate(self.sinks) if type(s)._read is not Sink._read)
        number = next(readable, 0)
        kept = self.sinks[number].read(query)
        return (*kept, *filter(query.matches, self._backlogs[number]))

    def _offer(self, number: int, events: tuple[Event, ...]) -> None:
        backlog, sink = self._backlogs[number], self.sinks[number]
        backlog.extend(events)
        while backlog:
            due = tuple(backlog[:_AT_ONCE])
            if not self._attempt(number, partial(sink.write, due)):
                return
            del backlog[:_AT_ONCE]

    def _attempt(self, number: int, act: Callable[[], None]) -> bool:
        try:
            act()
        except TradekitError as error:
            self._errors[number] = str(error)
            if (cause := (number, str(error.got))) not in self._told:
                self._told.add(cause)
                _LOG.warning("%r fails; its events wait in memory: %s", self.sinks[number], error)
            return False
        self._errors[number] = None
        return True
