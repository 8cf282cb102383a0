"""Where events go: the interface of everything that keeps them."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Iterable
from datetime import datetime
from types import TracebackType
from typing import ClassVar, Self, final

import attrs

from .clock import to_ns
from .doors import Interface
from .errors import ContractError, SinkError, UsageError
from .event import Event


@attrs.frozen
class EventQuery:
    """Which events to read back; without a word, all of them.

    Parameters
    ----------
    kinds : tuple of str
        Names of event classes (``"SetupMissed"``); empty for every kind.
    start, end : datetime, optional
        Aware; events that happened at or after ``start`` and before ``end``.
    symbol, setup, run : str, optional
        Of which symbol, setup or run.
    limit : int, optional
        At most the newest so many.

    Examples
    --------
    >>> EventQuery(kinds=("SetupMissed",), symbol="SPY").limit is None
    True
    """

    kinds: tuple[str, ...] = attrs.field(default=(), converter=tuple, kw_only=True)
    start: datetime | None = attrs.field(default=None, kw_only=True)
    end: datetime | None = attrs.field(default=None, kw_only=True)
    symbol: str | None = attrs.field(default=None, kw_only=True)
    setup: str | None = attrs.field(default=None, kw_only=True)
    run: str | None = attrs.field(default=None, kw_only=True)
    limit: int | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        for edge in (self.start, self.end):
            if edge is not None:
                to_ns(edge)
        if self.limit is not None and self.limit < 1:
            raise UsageError("a limit counts events", expected="from 1", got=str(self.limit))

    def matches(self, event: Event) -> bool:
        """Tell whether an event is asked for (the limit aside).

        Parameters
        ----------
        event : Event
            Any.

        Returns
        -------
        bool
            Whether every condition holds.
        """
        wanted = {"symbol": self.symbol, "setup": self.setup, "run": self.run}
        return (
            (not self.kinds or event.kind in self.kinds)
            and (self.start is None or event.time >= self.start)
            and (self.end is None or event.time < self.end)
            and all(getattr(event, k, None) == v for k, v in wanted.items() if v is not None)
        )


class Sink(Interface):
    """A place where events are kept: write ``_write``, and ``_close`` where something must end.

    What `write` was given and did not raise for is kept, in order. The doors may be used from
    several threads; a closed sink takes nothing more, and closing it twice is no harm.

    Examples
    --------
    >>> class Printer(Sink):
    ...     '''Prints what happened.'''
    ...
    ...     def _write(self, events):
    ...         for event in events:
    ...             print(event.kind, event.message)
    >>> from datetime import UTC
    >>> from tradekit._core.event import ErrorOccurred
    >>> with Printer() as sink:
    ...     sink.write([ErrorOccurred(datetime(2024, 3, 8, tzinfo=UTC), component="data",
    ...                               message="no route to host")])
    ErrorOccurred no route to host
    """

    _doors: ClassVar[dict[str, str]] = {
        "write": "_write",
        "flush": "_flush",
        "close": "_close",
        "read": "_read",
    }
    _closed: bool = False

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        sink: Self = super().__new__(cls, *args, **kwargs)
        object.__setattr__(sink, "_lock", threading.RLock())
        return sink

    @abstractmethod
    def _write(self, events: tuple[Event, ...]) -> None:
        """Keep these events, in order; raise when you cannot."""

    def _flush(self) -> None:
        """Hand on what is buffered."""

    def _close(self) -> None:
        """Let go of files and connections."""

    def _read(self, query: EventQuery) -> Iterable[Event]:
        """Give the events that are asked for, oldest first."""
        raise SinkError(
            f"{self!r} cannot be read",
            expected="a sink that answers",
            got="one that only writes",
            hint="write to a second sink that can be read",
        )

    @final
    def write(self, events: Event | Iterable[Event]) -> None:
        """Keep events, in the order given.

        Parameters
        ----------
        events : Event or iterable of Event
            What happened.

        Raises
        ------
        SinkError
            When they could not be kept, or the sink is closed; ``events`` carries them.
        """
        batch = (events,) if isinstance(events, Event) else tuple(events)
        if strangers := [event for event in batch if not isinstance(event, Event)]:
            raise UsageError(
                "only events can be kept",
                expected="Event",
                got=f"a {type(strangers[0]).__name__}",
                hint="one of the kinds in tradekit.journal",
            )
        with self._lock:  # type: ignore[attr-defined]
            if self._closed:
                raise _lost(self, batch, "it is closed")
            if batch:
                _run(self, batch, lambda: self._write(batch))

    @final
    def flush(self) -> None:
        """Hand on what is buffered, so that it survives this process.

        Raises
        ------
        SinkError
            When that failed.
        """
        with self._lock:  # type: ignore[attr-defined]
            if not self._closed:
                _run(self, (), self._flush)

    @final
    def close(self) -> None:
        """Hand on what is buffered and let go; once is enough, twice is no harm.

        Raises
        ------
        SinkError
            When that failed.
        """
        with self._lock:  # type: ignore[attr-defined]
            if self._closed:
                return
            try:
                _run(self, (), self._flush)
            finally:
                object.__setattr__(self, "_closed", True)
                _run(self, (), self._close)

    @final
    def read(self, query: EventQuery | None = None) -> tuple[Event, ...]:
        """Read events back, oldest first.

        Parameters
        ----------
        query : EventQuery, optional
            Which; all without it.

        Returns
        -------
        tuple of Event
            As they were written.

        Raises
        ------
        SinkError
            When this sink only writes.
        """
        query = query or EventQuery()
        with self._lock:  # type: ignore[attr-defined]
            found = tuple(self._read(query))
        if wrong := [event for event in found if not query.matches(event)]:
            raise ContractError(
                f"{self!r}: _read gave an event that was not asked for",
                expected=str(query),
                got=str(wrong[0]),
                hint="filter by query.matches(event)",
            )
        return found[-query.limit :] if query.limit else found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _run(sink: Sink, events: tuple[Event, ...], act: object) -> None:
    try:
        act()  # type: ignore[operator]
    except SinkError:
        raise
    except Exception as error:
        raise _lost(sink, events, f"{type(error).__name__}: {error}") from error


def _lost(sink: Sink, events: tuple[Event, ...], why: str) -> SinkError:
    return SinkError(
        f"{sink!r} did not keep {len(events)} events",
        got=why,
        hint="the error carries them: write error.events elsewhere",
        events=events,
    )
