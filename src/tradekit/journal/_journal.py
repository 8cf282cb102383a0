"""The journal itself: one run that stamps its events and keeps them."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import attrs

from .._core.clock import Clock, SystemClock
from .._core.errors import SinkError, UsageError
from .._core.event import Event, MissReason, Mode, RunEnded, SetupMissed
from .._core.sink import EventQuery, Sink
from ._fanout import FanoutSink
from ._recorder import Recorder
from ._redaction import Redactor
from ._sqlite import SQLiteSink

_LOG = logging.getLogger("tradekit.journal")
# Days that are told again: two runs may tell the same ones, and do not add up.
_RETOLD = (Mode.SIMULATED, Mode.REPLAY)
E = TypeVar("E", bound=Event)


class Journal:
    """Keeps the events of one run: stamped, without secrets, each setup under one name."""

    def __init__(
        self,
        *,
        path: str | Path | None = None,
        sinks: Iterable[Sink] | None = None,
        clock: Clock | None = None,
        run: str | None = None,
        mode: Mode | str = Mode.PAPER,
        calendar: str = "XNYS",
    ) -> None:
        if path is not None and sinks is not None:
            hint = "sinks=[SQLiteSink(path), ...]"
            raise UsageError(
                "two places", expected="path or sinks", got=f"{path} and {sinks}", hint=hint
            )
        if not isinstance(run, str | None) or run == "":
            raise UsageError("no run", expected="a name", got=repr(run), hint="run='monday'")
        self.mode = Mode(mode)
        self.clock = clock or SystemClock()
        self.calendar = calendar
        self._sink = FanoutSink(_default(path) if sinks is None else sinks)
        self._recorder, self._redactor = Recorder(), Redactor()
        self._lock = threading.RLock()
        self._named, self._run = run, ""
        self._batch: list[Event] = []
        self._batches = 0
        self._is_closed = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._sink.sinks))})"

    @property
    def path(self) -> Path | None:
        """The file of the first sink that has one."""
        paths = (getattr(sink, "path", None) for sink in self._sink.sinks)
        return next((Path(path) for path in paths if path), None)

    @property
    def run(self) -> str:
        """Name of this run: the given one, else its mode and the time of its first event.

        A given name that the journal knows is taken up where it stopped; a name that is derived
        is never one that the journal knows.
        """
        return self._began()._run

    def log(self, event: E) -> E:
        """Keep an event of any kind, stamped with run, mode, number and setup.

        Parameters
        ----------
        event : Event
            What happened; `SetupDetected` and the decisions on setups find their setup unless
            they name one.

        Returns
        -------
        Event
            As it was kept; or the earlier event, where this one only repeats what was said of
            the same setup.

        Raises
        ------
        UsageError
            When it is no event.
        SinkError
            When the journal is closed.
        """
        if not isinstance(event, Event):
            hint = "one of the kinds in tradekit.journal"
            raise UsageError("no event", expected="an Event", got=repr(event), hint=hint)
        with self._lock:
            run, event = self.run, self._redactor.clean(event)
            link = self._recorder.link(run, event)
            if link.earlier is not None:
                return link.earlier  # type: ignore[return-value]  # of the same kind
            opens: dict[str, Any] = {"unlinked": True} if link.unlinked else {}
            seq, setup = self._recorder.seq, link.setup
            event = attrs.evolve(event, run=run, mode=self.mode, seq=seq, setup=setup, **opens)
            self._keep(event)
            self._recorder.note(event)
            return event

    def read(self, query: EventQuery | None = None) -> tuple[Event, ...]:
        """Read back what the journal holds, oldest first, whatever its run or mode.

        Parameters
        ----------
        query : EventQuery, optional
            Which events; all without it. What a `batch` holds back is written first.

        Returns
        -------
        tuple of Event
            As they were kept, and what still waits to be.

        Raises
        ------
        UsageError
            When the query is none.
        SinkError
            When the journal cannot be read now.

        Examples
        --------
        >>> from tradekit import EventQuery
        >>> from tradekit.journal import ComprehensiveLogger, MemorySink
        >>> journal = ComprehensiveLogger(sinks=[MemorySink()])
        >>> miss = journal.log_opportunity_missed("SPY", "breakout", "no_capital")
        >>> journal.read(EventQuery(kinds="SetupMissed", symbol="SPY")) == (miss,)
        True
        """
        with self._lock:
            self._write_batch()
            return self._sink.read(query)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Write the events of a ``with`` block together when it ends: fast, for replays.

        Until then they are only in memory. Reading writes them first.

        Yields
        ------
        None
            The block.

        Examples
        --------
        >>> from tradekit.journal import ComprehensiveLogger, MemorySink
        >>> journal = ComprehensiveLogger(sinks=[MemorySink()])
        >>> with journal.batch():
        ...     for symbol in ("SPY", "QQQ"):
        ...         _ = journal.log_opportunity_missed(symbol, "breakout", "no_capital")
        >>> journal.get_missed_opportunity_analysis()["reasons"]
        {'no_capital': 2}
        """
        with self._lock:
            self._batches += 1
        try:
            yield
        finally:
            with self._lock:
                self._batches -= 1
                if not self._batches:
                    self._write_batch()

    def close(self) -> None:
        """End the run: undecided setups are missed, and the sinks are closed; twice is no harm.

        Raises
        ------
        SinkError
            When the first sink still cannot keep everything; ``events`` carries what is missing.
        """
        self._end("closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end("closed" if kind is None else kind.__name__)

    def _end(self, reason: str) -> None:
        with self._lock:
            if self._is_closed:
                return
            if self._run:
                self._end_run(reason)
            self._write_batch()
            self._is_closed = True
            self._sink.close()

    def _end_run(self, reason: str) -> None:
        with self.batch():
            for setup in list(self._recorder.undecided):
                self._say(
                    SetupMissed,
                    None,
                    setup=setup.id,
                    symbol=setup.symbol,
                    signal_type=setup.signal_type,
                    code=MissReason.EXPIRED,
                    reason="undecided when the run ended",
                )
            if self._recorder.is_running:
                self._say(RunEnded, None, reason=reason)

    @property
    def _said(self) -> Recorder:
        """What this run has said, also before a restart."""
        return self._began()._recorder

    def _began(self) -> Self:
        with self._lock:
            if not self._run:
                self._run = self._named or self._free_name()
                if self._named:
                    for event in self._known(run=self._run):
                        self._recorder.note(event)
                _LOG.info("run %s is written to %r", self._run, self._sink)
            return self

    def _say(self, kind: type[E], time: datetime | None, **facts: Any) -> E:
        now = self.clock.now()
        return self.log(kind(now if time is None else time, seen_at=now, **facts))

    def _keep(self, event: Event) -> None:
        if self._is_closed or not self._batches:
            self._sink.write(event)
        else:
            self._batch.append(event)

    def _write_batch(self) -> None:
        batch, self._batch = self._batch, []
        if batch:
            self._sink.write(batch)

    def _read(self, **wanted: Any) -> tuple[Event, ...]:
        """Events of this mode; of a replay this run's alone, for another is another past."""
        if self.mode in _RETOLD:
            wanted["run"] = self.run
        found = self.read(EventQuery(**wanted))
        return tuple(event for event in found if event.mode is self.mode)

    def _free_name(self) -> str:
        name = f"{self.mode}-{self.clock.now():%Y%m%dT%H%M%SZ}"
        names = (name if n == 1 else f"{name}-{n}" for n in itertools.count(1))
        return next(name for name in names if not self._known(run=name, limit=1))

    def _known(self, **wanted: Any) -> tuple[Event, ...]:
        """What the journal knows already, where it can be read."""
        try:
            return self._sink.read(EventQuery(**wanted))
        except SinkError as error:
            # No reason not to begin: what happens now waits until it can be kept.
            _LOG.warning("the journal cannot be read at its start: %s", error)
            return ()


def _default(path: str | Path | None) -> tuple[Sink, ...]:
    if path is None:
        from platformdirs import user_data_path

        path = user_data_path("tradekit") / "journal.db"
    return (SQLiteSink(path),)
