"""Events in a SQLite file: what was acknowledged is there, whatever happens to the process."""

from __future__ import annotations

import json
import os
import sqlite3
import weakref
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from .._core.clock import to_ns
from .._core.errors import SinkError, UsageError
from .._core.event import Event
from .._core.figures import duration
from .._core.sink import EventQuery, Sink

_VERSION = 1
# "tkjl": tells a journal from any other database.
_APPLICATION = 0x746B6A6C
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE events (
    row INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    time INTEGER NOT NULL, -- microseconds since 1970 UTC
    kind TEXT NOT NULL,
    run TEXT NOT NULL,
    seq INTEGER NOT NULL,
    symbol TEXT,
    setup TEXT,
    payload TEXT NOT NULL -- the whole event as JSON
);
CREATE INDEX events_by_kind ON events (kind, time);
CREATE INDEX events_by_run ON events (run, kind);
CREATE INDEX events_by_symbol ON events (symbol, time) WHERE symbol IS NOT NULL;
CREATE INDEX events_by_setup ON events (setup) WHERE setup IS NOT NULL;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
COMMIT;
"""
_INSERT = """
INSERT INTO events (id, time, kind, run, seq, symbol, setup, payload)
VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING
"""
_compact = json.JSONEncoder(separators=(",", ":")).encode
_CURES = {
    "locked": "close the other writer, or give each its own file; several may read",
    "readonly": "another path, or the right to write to this one",
    "unable to open": "another path, or the right to write to its folder",
    "full": "free some room on this disk",
    "not a database": "move the file away: a new one is made in its place",
    "malformed": "move the file away, and rescue it with sqlite3's .recover",
}


class SQLiteSink(Sink):
    """Keep events in a SQLite file, one commit for each `write`.

    What was written survives a killed process; the last moments before a power cut may be lost.
    Writing the same event twice keeps one. The same writes give the same file, byte for byte, once
    it is closed. Several processes may read a journal while one writes.

    Parameters
    ----------
    path : path
        The file; made, with its folders, at the first write or read.
    busy_timeout : timedelta
        How long a call waits for another writer before it fails.

    Raises
    ------
    UsageError
        When the path is none, or the wait is not above zero.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import UTC, datetime
    >>> from tradekit import EventQuery
    >>> from tradekit.journal import ErrorOccurred
    >>> gone = ErrorOccurred(datetime(2024, 3, 8, tzinfo=UTC), component="data", message="gone")
    >>> with tempfile.TemporaryDirectory() as folder, SQLiteSink(f"{folder}/journal.db") as sink:
    ...     sink.write([gone, gone])
    ...     sink.read(EventQuery(kinds="ErrorOccurred")) == (gone,)
    True
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        busy_timeout: timedelta = timedelta(milliseconds=250),
    ) -> None:
        if not isinstance(path, str | os.PathLike) or not str(path).strip():
            hint = "SQLiteSink('journal.db')"
            raise UsageError("no file", expected="a path", got=repr(path), hint=hint)
        self.path = Path(path)
        self.busy_timeout = duration(busy_timeout, "no wait", "timedelta(seconds=1)")
        self._open: sqlite3.Connection | None = None

    def __repr__(self) -> str:
        return f"SQLiteSink({str(self.path)!r})"

    def _write(self, events: tuple[Event, ...]) -> None:
        rows = [_row(event) for event in events]
        try:
            database = self._database()
            database.execute("BEGIN IMMEDIATE")
            database.executemany(_INSERT, rows)
            database.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise self._failure("cannot be written", error, events) from error

    def _read(self, query: EventQuery) -> Iterable[Event]:
        clauses, values = _conditions(query)
        where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
        newest = f"ORDER BY row DESC LIMIT {query.limit or -1}"
        try:
            found = self._database().execute(
                f"SELECT payload FROM events {where} {newest}",  # noqa: S608 - our own words only
                values,
            )
            payloads = [payload for (payload,) in found]
        except (sqlite3.Error, OSError) as error:
            raise self._failure("cannot be read", error) from error
        finally:
            if self._closed:  # then nobody will let go of what was opened to read
                self._close()
        return [Event.from_dict(json.loads(payload)) for payload in reversed(payloads)]

    def _close(self) -> None:
        # The last to close a write-ahead log merges it into the file.
        if self._open is not None:
            self._let_go()
        self._open = None

    def _database(self) -> sqlite3.Connection:
        if self._open is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(
                self.path,
                timeout=self.busy_timeout.total_seconds(),
                isolation_level=None,
                check_same_thread=False,  # the sink's lock lets one thread in at a time
            )
            try:
                self._prepare(database)
            except BaseException:
                database.close()
                raise
            self._open = database
            # A sink that nobody closes lets go of its file all the same, at the latest at exit.
            self._let_go = weakref.finalize(self, database.close)
        return self._open

    def _prepare(self, database: sqlite3.Connection) -> None:
        if _facts(database) == (0, 0) and not _tables(database):
            database.execute("PRAGMA journal_mode = WAL")
            try:
                database.executescript(_SCHEMA)
            except sqlite3.OperationalError:
                # Another process may have been quicker: then its tables are there.
                if _facts(database) == (0, 0):
                    raise
                with suppress(sqlite3.OperationalError):
                    database.execute("ROLLBACK")
        if (facts := _facts(database)) != (_APPLICATION, _VERSION):
            ours = facts[0] == _APPLICATION
            raise SinkError(
                f"{self.path} is not a journal that this version knows",
                expected=f"a journal of version {_VERSION}",
                got=f"version {facts[1]}" if ours else "another database",
                hint="a newer tradekit" if ours else "another path",
            )
        # A commit survives the death of the process; only a power cut can undo the last ones.
        database.execute("PRAGMA synchronous = NORMAL")

    def _failure(self, what: str, error: Exception, events: tuple[Event, ...] = ()) -> SinkError:
        self._close()  # the next call starts afresh, when the cause may be gone
        cures = (cure for words, cure in _CURES.items() if words in str(error))
        return SinkError(
            f"{self.path} {what}",
            got=f"{type(error).__name__}: {error}",
            hint=next(cures, "another path, or a second sink beside it"),
            events=events,
        )


def _facts(database: sqlite3.Connection) -> tuple[int, int]:
    """Whose file it is, and of which version."""
    names = ("application_id", "user_version")
    first, second = (database.execute(f"PRAGMA {name}").fetchone()[0] for name in names)
    return first, second


def _tables(database: sqlite3.Connection) -> bool:
    return database.execute("SELECT 1 FROM sqlite_master").fetchone() is not None


def _row(event: Event) -> tuple[object, ...]:
    said = event.to_dict()
    names = (said["run"], event.seq, said.get("symbol"), said["setup"])
    columns = (_column(name) for name in names)
    return said["id"], _moment(event.time), event.kind, *columns, _compact(said)


def _column(value: object) -> object:
    """A text as SQLite can keep it: half of a surrogate pair is no Unicode."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _moment(time: datetime) -> int:
    return to_ns(time) // 1_000


def _conditions(query: EventQuery) -> tuple[list[str], list[object]]:
    clauses: list[str] = []
    values: list[object] = []
    if query.kinds:
        clauses.append(f"kind IN ({', '.join('?' * len(query.kinds))})")
        values += query.kinds
    for clause, time in (("time >= ?", query.start), ("time < ?", query.end)):
        if time is not None:
            clauses.append(clause)
            values.append(_moment(time))
    for name in ("symbol", "setup", "run"):
        if (wanted := getattr(query, name)) is not None:
            clauses.append(f"{name} = ?")
            values.append(_column(wanted))
    return clauses, values
