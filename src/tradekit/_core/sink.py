"""Where events go: the interface of everything that keeps them."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Iterable
from datetime import datetime
from types import TracebackType
from typing import ClassVar, Self, TypeVar, final

import attrs
from attrs.converters import optional

from .clock import to_utc
from .doors import Interface, breach
from .errors import ContractError, SinkError, UsageError
from .event import KINDS, Event
from .figures import count
from .words import words

T = TypeVar("T")


def _limit(value: object) -> int:
    return count(value, "a limit counts events", "limit=100")


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

    Raises
    ------
    UsageError
        When a kind is unknown, the window is empty or the limit is not above zero.

    Examples
    --------
    >>> EventQuery(kinds=("SetupMissed",), symbol="SPY").limit is None
    True
    """

    kinds: tuple[str, ...] = attrs.field(default=(), converter=words, kw_only=True)
    start: datetime | None = attrs.field(default=None, converter=optional(to_utc), kw_only=True)
    end: datetime | None = attrs.field(default=None, converter=optional(to_utc), kw_only=True)
    symbol: str | None = attrs.field(default=None, kw_only=True)
    setup: str | None = attrs.field(default=None, kw_only=True)
    run: str | None = attrs.field(default=None, kw_only=True)
    limit: int | None = attrs.field(default=None, converter=optional(_limit), kw_only=True)

    def __attrs_post_init__(self) -> None:
        if strangers := [kind for kind in self.kinds if kind not in KINDS]:
            raise UsageError(
                "no such kind of event",
                expected=f"names among {', '.join(sorted(KINDS))}",
                got=", ".join(map(repr, strangers)),
                hint="kinds=('SetupMissed',), or import the module that defines it",
            )
        if self.start and self.end and self.start >= self.end:
            window = f"{self.start} to {self.end}"
            raise UsageError("an empty window", expected="start before end", got=window)

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
        return (
            (not self.kinds or event.kind in self.kinds)
            and (self.start is None or event.time >= self.start)
            and (self.end is None or event.time < self.end)
            and (self.run is None or event.run == self.run)
            and (self.setup is None or event.setup == self.setup)
            and (self.symbol is None or getattr(event, "symbol", None) == self.symbol)
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
    _kit: ClassVar[str] = "check_sink"
    _closed: bool = False
    _lock: threading.RLock

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
        UsageError
            When something else is handed in.
        SinkError
            When they could not be kept, or the sink is closed; ``events`` carries them.
        """
        batch: tuple[Event, ...] = words(events)
        if strangers := [event for event in batch if not isinstance(event, Event)]:
            raise UsageError(
                "only events can be kept",
                expected="Event",
                got=f"a {type(strangers[0]).__name__}",
                hint="one of the kinds in tradekit.journal",
            )
        with self._lock:
            if self._closed:
                raise _failure(self, batch, "it is closed")
            if batch:
                _run(self, batch, self._write, batch)

    @final
    def flush(self) -> None:
        """Hand on what is buffered, so that it survives this process.

        Raises
        ------
        SinkError
            When that failed.
        """
        with self._lock:
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
        with self._lock:
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
        UsageError
            When the query is none.
        SinkError
            When this sink only writes, or cannot be read now.
        ContractError
            When ``_read`` gives something that was not asked for.
        """
        query = EventQuery() if query is None else query
        if not isinstance(query, EventQuery):
            got, hint = repr(query), "EventQuery(symbol='SPY')"
            raise UsageError("no query", expected="an EventQuery", got=got, hint=hint)
        with self._lock:
            self.flush()
            found = _run(self, (), _found, self, query)
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


def _found(sink: Sink, query: EventQuery) -> tuple[Event, ...]:
    found = words(sink._read(query))
    if wrong := [e for e in found if not isinstance(e, Event) or not query.matches(e)]:
        raise breach(sink, "_read gave what was not asked for", f"{query}", f"{wrong[0]!r}")
    return found


def _run(sink: Sink, events: tuple[Event, ...], hook: Callable[..., T], *args: object) -> T:
    try:
        return hook(*args)
    except Exception as error:
        told = isinstance(error, SinkError) and "events" in error.context
        if told or (not events and isinstance(error, SinkError | ContractError)):
            raise
        raise _failure(sink, events, f"{type(error).__name__}: {error}") from error


def _failure(sink: Sink, events: tuple[Event, ...], why: str) -> SinkError:
    if not events:
        return SinkError(f"{sink!r} failed", got=why, hint="a second sink beside it", events=())
    return SinkError(
        f"{sink!r} did not keep {len(events)} events",
        got=why,
        hint="the error carries them: write error.events elsewhere",
        events=events,
    )
