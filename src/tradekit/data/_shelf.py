"""One series of bars in a database: its rows in chunks, and what of it is known."""

from __future__ import annotations

import json
import sqlite3
from functools import cached_property
from zlib import crc32

import attrs
import numpy as np

from .._core.bars import Adjustment, Bars
from .._core.columns import Int
from .._core.faults import COLUMNS, ROUNDING
from .._core.timeframe import Timeframe
from ._coverage import Coverage, Interval
from ._database import DamagedError, log

# As many bars as a day has minutes: a chunk holds one session of minutes, small enough to be
# written anew with each bar and large enough that years of them are read at once.
_BARS_A_CHUNK = 1440
_ROWS = ("time", *COLUMNS)
_PRICES = slice(1, 5)
_SEAL = 4  # bytes


@attrs.frozen
class Series:
    """What bars must have in common to lie in one row.

    Parameters
    ----------
    symbol : str
        What was traded.
    timeframe : Timeframe or str
        Length of the bars.
    adjustment : {"raw", "split", "all", "unknown"}
        What the prices were adjusted for.
    feed, source : str
        From which tape, and who answered.
    calendar : str
        Exchange code.

    Examples
    --------
    >>> Series("SPY", "1m", "all", "iex", "alpaca").timeframe
    '1Min'
    """

    symbol: str
    timeframe: Timeframe = attrs.field(converter=Timeframe)
    adjustment: Adjustment
    feed: str
    source: str
    calendar: str = "XNYS"

    @classmethod
    def of(cls, bars: Bars) -> Series:
        """Tell to which series bars belong.

        Parameters
        ----------
        bars : Bars
            Any.
        """
        return cls(**{name: getattr(bars, name) for name in _FACTS})

    @property
    def name(self) -> str:
        """All of it as one text, whose beginning is that of all its feeds."""
        return json.dumps([getattr(self, name) for name in _NAMED])


_FACTS = tuple(field.name for field in attrs.fields(Series))
_NAMED = (*(name for name in _FACTS if name != "feed"), "feed")


class Shelf:
    """A series within one transaction.

    Rows are an array of int64 of shape (6, n): times, and the bits of prices and volumes. What is
    written is sealed with a checksum, for SQLite has none: a page that went bad is noticed.

    Parameters
    ----------
    database : Connection
        In a transaction.
    series : Series
        Whose rows.
    """

    def __init__(self, database: sqlite3.Connection, series: Series) -> None:
        self._database, self._series = database, series
        self._width = series.timeframe.ns * _BARS_A_CHUNK

    @cached_property
    def coverage(self) -> Coverage:
        """What of the series is known."""
        select = "SELECT coverage FROM series WHERE name = ?"
        found = self._database.execute(select, (self._series.name,)).fetchone()
        return Coverage.from_json(self._opened(found[0], self._count())) if found else Coverage()

    @property
    def feeds(self) -> tuple[str, ...]:
        """From which tapes the same series is here, its own or not."""
        prefix = self._series.name.removesuffix(f"{json.dumps(self._series.feed)}]")
        select = "SELECT name FROM series WHERE name BETWEEN ? AND ? ORDER BY name"
        found = self._database.execute(select, (prefix, f"{prefix}\U0010ffff"))
        return tuple(json.loads(name)[-1] for (name,) in found)

    def put(self, bars: Bars, start: int, end: int) -> None:
        """Keep bars, and that there is no other in the interval.

        Parameters
        ----------
        bars : Bars
            Of this series, all labelled within the interval.
        start, end : int
            The interval.
        """
        old, new, coverage = self._rows(start, end), _rows_of(bars), self.coverage
        if _same_prices(old, new) is False:
            log.info("prices of %s were adjusted anew: it is begun anew", self._series.name)
            self.forget()
            old, coverage = old[:, :0], Coverage()
        apart = self._apart(coverage, np.intersect1d(old[0], new[0], assume_unique=True))
        rows = [old[:, old[0] < start], new, old[:, old[0] >= end]]
        self._replace(start, end, np.concatenate(rows, axis=1))
        coverage = coverage.with_answer(start, end, bars.dropped, apart=apart)
        insert = "INSERT OR REPLACE INTO series VALUES (?, ?)"
        sealed = self._sealed(coverage.to_json(), self._count())
        self._database.execute(insert, (self._series.name, sealed))

    def get(self, start: int, end: int) -> tuple[Bars | None, tuple[Interval, ...]]:
        """Give the bars of a window, None where nothing is known, and the pieces that is known in.

        Parameters
        ----------
        start, end : int
            The window.
        """
        pieces = self.coverage.within(start, end)
        if not pieces:
            return None, pieces
        rows = self._rows(start, end)
        first, last = np.searchsorted(rows[0], (start, end))
        return self._bars(rows[:, first:last], self.coverage.dropped_in(start, end)), pieces

    def forget(self) -> None:
        """Drop all of it."""
        for delete in ("DELETE FROM chunks WHERE series = ?", "DELETE FROM series WHERE name = ?"):
            self._database.execute(delete, (self._series.name,))

    def _apart(self, coverage: Coverage, common: Int) -> list[Interval]:
        """Name the intervals that share no bar with an answer: nothing shows that they fit it."""
        shared = [np.searchsorted(common, interval) for interval in coverage.intervals]
        pairs = zip(coverage.intervals, shared, strict=True)
        return [interval for interval, (first, last) in pairs if first == last]

    def _rows(self, start: int, end: int) -> Int:
        """All rows of the chunks in which the interval lies: more than lie in it."""
        select = (
            "SELECT number, data FROM chunks WHERE series = ? AND number BETWEEN ? AND ? "
            "ORDER BY number"
        )
        found = self._database.execute(select, (self._series.name, *self._chunks(start, end)))
        parts = [_unpacked(self._opened(data, number)) for number, data in found]
        rows = np.concatenate([_unpacked(b""), *parts], axis=1)
        rows.flags.writeable = False  # so that bars need no copy
        return rows

    def _replace(self, start: int, end: int, rows: Int) -> None:
        first, last = self._chunks(start, end)
        delete = "DELETE FROM chunks WHERE series = ? AND number BETWEEN ? AND ?"
        self._database.execute(delete, (self._series.name, first, last))
        numbers = rows[0] // self._width
        begins = np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1))
        parts = zip(numbers[begins].tolist(), np.split(rows, begins[1:], axis=1), strict=True)
        self._database.executemany(
            "INSERT INTO chunks VALUES (?, ?, ?)",
            ((self._series.name, n, self._sealed(part.tobytes(), n)) for n, part in parts),
        )

    def _count(self) -> int:
        """Of all chunks, which seals what is known: one that has gone is noticed."""
        select = "SELECT count(*) FROM chunks WHERE series = ?"
        found: tuple[int] = self._database.execute(select, (self._series.name,)).fetchone()
        return found[0]

    def _chunks(self, start: int, end: int) -> Interval:
        return start // self._width, (end - 1) // self._width

    def _bars(self, rows: Int, dropped: int) -> Bars:
        columns = dict(zip(_ROWS, [rows[0], *rows[1:].view(np.float64)], strict=True))
        return Bars(**attrs.asdict(self._series), **columns, dropped=dropped)

    def _sealed(self, said: bytes, number: int) -> bytes:
        return said + self._seal(said, number)

    def _opened(self, data: bytes, number: int) -> memoryview:
        if isinstance(data, bytes):  # as it was written, but who knows what is there now
            said = memoryview(data)[:-_SEAL]
            if self._seal(said, number) == data[-_SEAL:]:
                return said
        raise DamagedError(f"a checksum of {self._series.name} is wrong")

    def _seal(self, said: bytes | memoryview, number: int) -> bytes:
        place = f"{self._series.name}{number}".encode()  # what lies elsewhere is wrong as well
        return crc32(said, crc32(place)).to_bytes(_SEAL, "little")


def forget(database: sqlite3.Connection, source: str) -> None:
    """Drop all series of a source.

    Parameters
    ----------
    database : Connection
        In a transaction.
    source : str
        Whose.
    """
    for (name,) in database.execute("SELECT name FROM series").fetchall():
        facts = dict(zip(_NAMED, json.loads(name), strict=True))
        if facts["source"] == source:
            Shelf(database, Series(**facts)).forget()


def _rows_of(bars: Bars) -> Int:
    return np.stack([getattr(bars, name).view(np.int64) for name in _ROWS])


def _unpacked(data: bytes | memoryview) -> Int:
    return np.frombuffer(data, np.int64).reshape(len(_ROWS), -1)


def _same_prices(old: Int, new: Int) -> bool | None:
    """Whether bars that are in both have the same prices; None when there are none."""
    _, mine, theirs = np.intersect1d(old[0], new[0], assume_unique=True, return_indices=True)
    if not mine.size:
        return None
    was, now = old[_PRICES, mine], new[_PRICES, theirs]
    return bool(np.allclose(was.view(np.float64), now.view(np.float64), rtol=ROUNDING, atol=0))
