"""A SQLite file that holds nothing that cannot be had again: whatever befalls it, life goes on."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TypeVar

from .._core.errors import UsageError

log = logging.getLogger("tradekit.data")
T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_VERSION = 1
_NEWER = 100  # versions that may come one day; what lies beyond is damage
# "tkbr": tells a cache of bars from any other database.
_APPLICATION = 0x746B6272
# As bytes, for a damaged text may be none.
_TABLES = (
    b"""CREATE TABLE chunks (
    series TEXT NOT NULL,
    number INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (series, number)
)""",
    b"""CREATE TABLE series (
    name TEXT PRIMARY KEY,
    coverage BLOB NOT NULL
)""",
)
_BEGINNING = f"""
BEGIN IMMEDIATE;
{";".join(table.decode() for table in _TABLES)};
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
COMMIT;
"""
# Our statements never change, so that one which SQLite cannot read tells of other tables.
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
# A connection must not be used, nor closed, in a process that was forked from its owner.
_INHERITED: list[sqlite3.Connection] = []


class DamagedError(Exception):
    """What is in the file is not what was written there."""


# SQLite quotes in its messages what it found, which may be no text.
_DAMAGED = (DamagedError, UnicodeDecodeError)
# What comes of reading what nobody has written: no JSON, a number where a text was, nothing.
_UNREADABLE = (ValueError, TypeError, LookupError)
_TROUBLE = (sqlite3.Error, OSError, *_DAMAGED)


class Database:
    """A file of bars and coverage, one transaction at a time.

    Trouble with the file is never an exception: it is said once in the log, in ``trouble`` as long
    as it lasts, and the caller gets what it named for this case. What is damaged is set aside as
    ``<name>.corrupt-<n>``, and the work is done on a new file.

    Parameters
    ----------
    path : Path
        The file; made, with its folders, where there is none.
    busy_timeout : timedelta
        How long work waits for another process that writes.

    Raises
    ------
    UsageError
        When a newer tradekit, or another program, wrote the file; it is left as it is.
    """

    _file: os.stat_result  # the one that was opened last
    _owner: int  # the process that opened it
    _let_go: weakref.finalize[..., Database]

    def __init__(self, path: Path, busy_timeout: timedelta) -> None:
        self.path, self.busy_timeout = path, busy_timeout
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None
        self._trouble: dict[str, str] = {}
        try:
            self._attempt("BEGIN", lambda _: None)
        except _TROUBLE as error:
            self._tell("read", error)

    @property
    def trouble(self) -> str | None:
        """Why the file could not be used when it was last tried; None when it could."""
        return "; ".join(f"not {what}: {why}" for what, why in self._trouble.copy().items()) or None

    def read(self, work: Work[T], otherwise: T) -> T:
        """Do work that sees one state of the file, whoever writes meanwhile.

        Parameters
        ----------
        work : callable
            Takes the connection; raises `DamagedError`, or stumbles, when what it finds cannot be.
        otherwise : object
            What is given when the file cannot be used.
        """
        return self._do("read", "BEGIN", work, otherwise)

    def write(self, work: Work[None]) -> bool:
        """Do work that is in the file as a whole or not at all, and tell whether it is.

        Parameters
        ----------
        work : callable
            As for `read`.
        """

        def done(database: sqlite3.Connection) -> bool:
            work(database)
            return True

        return self._do("written", "BEGIN IMMEDIATE", done, False)

    def close(self) -> None:
        """Let go of the file; the next work opens it again."""
        with self._lock:
            self._close()

    def _do(self, what: str, begin: str, work: Work[T], otherwise: T) -> T:
        with self._lock:
            try:
                answer = self._attempt(begin, work)
            except (*_TROUBLE, UsageError) as error:
                self._tell(what, error)
                return otherwise
            if self._trouble.pop(what, None):
                log.info("the cache of bars %s is %s again", self.path, what)
            return answer

    def _attempt(self, begin: str, work: Work[T]) -> T:
        try:
            return self._transact(begin, work)
        except (sqlite3.Error, *_DAMAGED) as error:
            if not _is_damage(error):
                raise
            self._set_aside(str(error))
        return self._transact(begin, work)

    def _transact(self, begin: str, work: Work[T]) -> T:
        try:
            database = self._connected()
            database.execute(begin)
            answer = _made(work, database)
            database.execute("COMMIT")
        except BaseException:
            self._close()  # which takes back what was begun; the next work starts afresh
            raise
        return answer

    def _connected(self) -> sqlite3.Connection:
        if self._open is not None and self._owner != os.getpid():
            self._let_go.detach()
            _INHERITED.append(self._open)
            self._open = None
        if self._open is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(
                self.path,
                timeout=self.busy_timeout.total_seconds(),
                isolation_level=None,
                check_same_thread=False,  # the lock lets one thread in at a time
            )
            try:
                self._file = self.path.stat()
                self._prepare(database)
            except BaseException:
                database.close()
                raise
            self._open, self._owner = database, os.getpid()
            # Whoever forgets to close lets go of the file all the same, at the latest at exit.
            self._let_go = weakref.finalize(self, database.close)
        return self._open

    def _prepare(self, database: sqlite3.Connection) -> None:
        if _facts(database) == (0, 0) and not _tables(database):
            # Two processes may begin at once: the slower one finds what the other one made.
            with suppress(sqlite3.OperationalError):
                database.execute("PRAGMA journal_mode = WAL")
            try:
                database.executescript(_BEGINNING)
            except sqlite3.OperationalError:
                if _facts(database) == (0, 0):
                    raise
                with suppress(sqlite3.OperationalError):
                    database.execute("ROLLBACK")
        (application, version), tables = _facts(database), _tables(database)
        if application == _APPLICATION and _VERSION < version < _NEWER:
            raise self._refusal(f"version {version}", "a newer tradekit, or another path")
        if application != _APPLICATION and tables not in ((), _TABLES):
            raise self._refusal("a database of another program", "another path")
        if (application, version, tables) != (_APPLICATION, _VERSION, _TABLES):
            raise DamagedError("it has other tables than a cache of bars")
        # A commit survives the death of the process; only a power cut can undo the last ones.
        database.execute("PRAGMA synchronous = NORMAL")

    def _refusal(self, got: str, hint: str) -> UsageError:
        problem = f"{self.path} is no cache of bars that this version knows"
        expected = f"a cache of version {_VERSION}"
        return UsageError(problem, expected=expected, got=got, hint=hint)

    def _set_aside(self, why: str) -> None:
        """Move a damaged file out of the way, unless another process was quicker."""
        with suppress(FileNotFoundError):
            if not os.path.samestat(self._file, self.path.stat()):
                return
            names = (f"{self.path}.corrupt-{n}" for n in count(1))
            aside = next(name for name in names if not os.path.lexists(name))
            # Its log goes first: a new file must not find the log of an old one.
            for ending in ("-wal", "-shm"):
                with suppress(FileNotFoundError):
                    os.rename(f"{self.path}{ending}", f"{aside}{ending}")
            os.rename(self.path, aside)
            log.warning(
                "the cache of bars %s is damaged (%s): it lies now in %s, and a new one is begun",
                *(self.path, why, aside),
            )

    def _tell(self, what: str, error: Exception) -> None:
        why = str(error)
        if why not in self._trouble.values():
            log.warning("the cache of bars %s cannot be %s: %s", self.path, what, why)
        self._trouble[what] = why

    def _close(self) -> None:
        if self._open is not None and self._owner == os.getpid():
            self._let_go()
            self._open = None


def _made(work: Work[T], database: sqlite3.Connection) -> T:
    try:
        return work(database)
    except _UNREADABLE as error:
        raise DamagedError(f"it cannot be read: {error!r}") from error


def _is_damage(error: Exception) -> bool:
    # The lowest byte is the error itself; the others say more of it.
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, _DAMAGED) or (code is not None and code & 0xFF in _DAMAGE)


def _facts(database: sqlite3.Connection) -> tuple[int, int]:
    """Whose file it is, and of which version."""
    names = ("application_id", "user_version")
    first, second = (database.execute(f"PRAGMA {name}").fetchone()[0] for name in names)
    return first, second


def _tables(database: sqlite3.Connection) -> tuple[bytes, ...]:
    said = database.execute(
        "SELECT CAST(sql AS BLOB) FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
    )
    return tuple(sql for (sql,) in said)
