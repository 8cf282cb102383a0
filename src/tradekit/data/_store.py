"""Bars on disk: settled ones, with what is known of which stretches of time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from datetime import timedelta
from numbers import Integral
from pathlib import Path
from types import TracebackType

import attrs

from .._core.bars import Bars
from .._core.errors import UsageError
from .._core.figures import duration
from ._coverage import Coverage, Interval
from ._database import Database
from ._shelf import Series, Shelf, forget


@attrs.frozen
class Kept:
    """What the store has of a window.

    Parameters
    ----------
    bars : Bars or None
        The bars of all that is covered, perhaps none in all that time; None when nothing is.
    window : tuple of int
        Its start and end in nanoseconds since 1970 UTC.
    pieces : tuple of tuple of int
        What is covered of it, in order. Prices fit together within each, and only perhaps from one
        to the next.
    """

    bars: Bars | None
    window: Interval
    pieces: tuple[Interval, ...] = ()

    @property
    def gaps(self) -> tuple[Interval, ...]:
        """What is not covered, in order."""
        return Coverage(self.pieces).gaps(*self.window)


class BarsStore:
    """Settled bars in a SQLite file, and the intervals in which no other bar exists.

    Each series has bars of one source, one feed and one adjustment. An answer is in the file as a
    whole or not at all, whenever the process is killed. Several processes, threads and event loops
    may share a file. Calls block: some tenths of a millisecond as a rule, and up to
    ``busy_timeout`` while another process writes.

    The state of the disk is never an exception. Where the file is locked, cannot be written, or
    lies on a full disk, the store has nothing and keeps nothing, says so once in the log
    ``tradekit.data``, and says in ``trouble`` that it could not look. A damaged file is set aside
    as ``<name>.corrupt-<n>``, its name is logged, and a new one is begun.

    Parameters
    ----------
    path : path, optional
        The file, made with its folders where there is none; else ``bars.db`` in the user's folder
        for caches.
    busy_timeout : timedelta
        How long a call waits for another process that writes.

    Raises
    ------
    UsageError
        When the path is none, the wait is not above zero, or a newer tradekit or another program
        wrote the file; such a file is left as it is.

    Examples
    --------
    >>> import tempfile
    >>> price = [549.0]
    >>> bars = Bars("SPY", "1Min", [60 * 10**9], price, price, price, price, [1e3], source="me")
    >>> with tempfile.TemporaryDirectory() as folder, BarsStore(f"{folder}/bars.db") as store:
    ...     store.put(Series.of(bars), bars, 0, 120 * 10**9)
    ...     kept = store.get(Series.of(bars), 0, 180 * 10**9)
    True
    >>> kept.bars == bars, kept.gaps
    (True, ((120000000000, 180000000000),))
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        busy_timeout: timedelta = timedelta(milliseconds=250),
    ) -> None:
        wait = duration(busy_timeout, "no wait", "timedelta(seconds=1)")
        self._database = Database(_place(path), wait)

    def __repr__(self) -> str:
        return f"BarsStore({str(self.path)!r})"

    def __enter__(self) -> BarsStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    @property
    def trouble(self) -> str | None:
        """Why the file could not be used when it was last tried; None when it could."""
        return self._database.trouble

    def put(self, series: Series, bars: Bars, start: int, end: int) -> bool:
        """Keep an answer: these bars, and that there is no other in the interval.

        It replaces what was known of the interval. Where it tells other prices of bars that are
        kept, their history was adjusted anew since: then the rest of the series is forgotten in
        the same transaction, so that a series never holds both.

        Parameters
        ----------
        series : Series
            Theirs.
        bars : Bars
            Settled, at least one, all labelled within the interval, without joined columns.
        start, end : int
            The interval, in nanoseconds since 1970 UTC, without its end.

        Returns
        -------
        bool
            Whether it is kept; if not, ``trouble`` says why.

        Raises
        ------
        UsageError
            When the bars are none, stale, of another series, outside the interval, or have joined
            columns.
        """
        start, end = _window(start, end)
        _same(series, bars)
        _settled(bars, start, end)
        return self._database.write(lambda file: Shelf(file, series).put(bars, start, end))

    def get(self, series: Series, start: int, end: int) -> Kept:
        """Give what is kept of a window, and what has still to be fetched.

        Parameters
        ----------
        series : Series
            Whose.
        start, end : int
            The window, in nanoseconds since 1970 UTC, without its end.

        Returns
        -------
        Kept
            Bars bit for bit as they were handed in. They count as ``dropped`` what was dropped
            from the answers that reach into the window.

        Raises
        ------
        UsageError
            When the window has no length.
        """
        window = _window(start, end)
        nothing: tuple[Bars | None, tuple[Interval, ...]] = None, ()
        bars, pieces = self._database.read(lambda file: Shelf(file, series).get(*window), nothing)
        return Kept(bars, window, pieces)

    def feeds(self, series: Series) -> tuple[str, ...]:
        """Tell from which tapes a series is kept.

        Parameters
        ----------
        series : Series
            Whose feed does not matter.

        Returns
        -------
        tuple of str
            None when nothing is.
        """
        nothing: tuple[str, ...] = ()
        return self._database.read(lambda file: Shelf(file, series).feeds, nothing)

    def change(self, steps: Iterable[str | Bars]) -> bool:
        """Forget sources and keep answers, in this order: all of it or nothing.

        Parameters
        ----------
        steps : iterable of str or Bars
            A source, as its bars call it, all of which is dropped; or bars that are all there are
            from the first to the last one, and are kept as by `put`.

        Returns
        -------
        bool
            Whether that is done; if not, ``trouble`` says why.

        Raises
        ------
        UsageError
            When bars are none, stale, or have joined columns.
        """
        todo = list(steps)
        for bars in (step for step in todo if isinstance(step, Bars)):
            _settled(bars, *_span(bars))

        def work(file: sqlite3.Connection) -> None:
            for step in todo:
                if isinstance(step, str):
                    forget(file, step)
                else:
                    Shelf(file, Series.of(step)).put(step, *_span(step))

        return self._database.write(work)

    def close(self) -> None:
        """Let go of the file; the next call opens it again."""
        self._database.close()


def _place(path: str | os.PathLike[str] | None) -> Path:
    if path is None:
        from platformdirs import user_cache_path

        return user_cache_path("tradekit") / "bars.db"
    is_path = isinstance(path, str | os.PathLike)
    if not is_path or not str(path).strip() or "\0" in str(path):
        raise UsageError("no file", expected="a path", got=repr(path), hint="BarsStore('bars.db')")
    return Path(path)


def _window(start: int, end: int) -> Interval:
    if isinstance(start, Integral) and isinstance(end, Integral) and start < end:
        return int(start), int(end)
    raise UsageError(
        "no window of time",
        expected="a start before an end, in nanoseconds since 1970 UTC",
        got=f"{start!r} to {end!r}",
        hint="to_ns(moment)",
    )


def _span(bars: Bars) -> Interval:
    return (int(bars.time[0]), int(bars.close_time[-1])) if len(bars) else (0, 0)


def _same(series: Series, bars: Bars) -> None:
    if (theirs := Series.of(bars)) != series:
        raise UsageError("bars of another series", expected=series.name, got=theirs.name)


def _settled(bars: Bars, start: int, end: int) -> None:
    needs = {
        "at least one bar, for an empty answer is none": len(bars) > 0,
        "bars that are not stale": bars.stale_since is None,
        "bars without joined columns": not bars.extra,
        "bars within the interval": ((start <= bars.time) & (bars.time < end)).all(),
    }
    for expected, met in needs.items():
        if not met:
            got = f"{bars!r} for {start} to {end}"
            raise UsageError("these bars cannot be kept", expected=expected, got=got)
