"""What a manager has done so far: its questions counted by symbol, and its calls by source."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import attrs

from .._core.clock import Clock
from .._core.errors import SourceError
from .._core.request import Fetched

log = logging.getLogger("tradekit.data")

OnCall = Callable[[dict[str, Any]], None]
_ENDS = ("answered", "unanswered", "cancelled")  # of what was asked
_QUESTIONS = ("asked", *_ENDS, "memory_hits", "disk_hits", "shared", "stale")


@attrs.define(eq=False)
class _Calls:
    """What a source was asked, and what came of it."""

    calls: int = 0
    symbols: int = 0
    answered: int = 0
    hedges: int = 0
    faults: Counter[str] = attrs.field(factory=Counter)
    cross_checks: Counter[str] = attrs.field(factory=lambda: Counter(agreed=0, differed=0))


class Metrics:
    """Counters that only rise, for any thread to raise and to read.

    Parameters
    ----------
    clock : Clock
        Who says when a call has ended.
    on_call : callable, optional
        Is told of each call to a source as it ends, in one plain dict.

    Examples
    --------
    >>> from tradekit import FixedClock
    >>> from datetime import UTC, datetime
    >>> metrics = Metrics(FixedClock(datetime(2024, 3, 8, 15, tzinfo=UTC)), print)
    >>> metrics.called("yahoo", symbols=2, answered=1, seconds=0.2)
    {'time': '2024-03-08T15:00:00+00:00', 'source': 'yahoo', 'symbols': 2, 'answered': 1,
     'seconds': 0.2, 'hedged': False, 'faults': []}
    >>> metrics.plain(["yahoo"], requests=2)["sources"]["yahoo"]["calls"]
    1
    """

    def __init__(self, clock: Clock, on_call: OnCall | None = None) -> None:
        self._clock, self._on_call = clock, on_call
        self._lock = threading.Lock()
        self._questions: Counter[str] = Counter()
        self._sources: dict[str, _Calls] = {}

    def memory_hit(self, symbols: int = 1) -> None:
        """Count symbols that were answered from memory."""
        with self._lock:
            self._questions["memory_hits"] += symbols

    def disk_hit(self, symbols: int = 1) -> None:
        """Count symbols of which only the end was asked for, as the rest was on disk."""
        with self._lock:
            self._questions["disk_hits"] += symbols

    def shared(self, symbols: int = 1) -> None:
        """Count symbols for which another caller was asking already."""
        with self._lock:
            self._questions["shared"] += symbols

    async def counted(self, symbols: int, answer: Awaitable[Fetched]) -> Fetched:
        """Wait for the answer of so many symbols that were not at hand, and count what it brings.

        Parameters
        ----------
        symbols : int
            How many are asked for.
        answer : awaitable
            To all of them.

        Returns
        -------
        Fetched
            What it gives.
        """
        with self._lock:
            self._questions["asked"] += symbols
        try:
            fetched = await answer
        except BaseException as error:
            ended = "unanswered" if isinstance(error, Exception) else "cancelled"
            with self._lock:
                self._questions[ended] += symbols
            raise
        stale = sum(bars.stale_since is not None for bars in fetched.bars.values())
        with self._lock:
            self._questions["answered"] += len(fetched.bars)
            self._questions["unanswered"] += len(fetched.failures)
            self._questions["stale"] += stale
        return fetched

    def called(
        self,
        source: str,
        *,
        symbols: int,
        answered: int,
        seconds: float,
        hedged: bool = False,
        errors: Iterable[SourceError] = (),
    ) -> None:
        """Count a call that has ended, and tell of it.

        Parameters
        ----------
        source : str
            Whose name.
        symbols : int
            For how many it was asked.
        answered : int
            How many of them it answered well.
        seconds : float
            How long it was waited for.
        hedged : bool
            Whether it was asked beside another, which was late.
        errors : iterable of SourceError
            What went wrong, its own fault or not.
        """
        faults = [error.fault for error in errors]
        with self._lock:
            calls = self._sources.setdefault(source, _Calls())
            calls.calls += 1
            calls.symbols += symbols
            calls.answered += answered
            calls.hedges += hedged
            calls.faults.update(faults)
        if self._on_call is None:
            return
        call = {"time": self._clock.now().isoformat(), "source": source, "symbols": symbols}
        call |= {"answered": answered, "seconds": seconds, "hedged": hedged, "faults": faults}
        try:
            self._on_call(call)
        except Exception:
            log.exception("on_call failed for %r", call)

    def compared(self, source: str, agreed: bool) -> None:
        """Count an answer that was held against another source's."""
        with self._lock:
            checks = self._sources.setdefault(source, _Calls()).cross_checks
            checks["agreed" if agreed else "differed"] += 1

    def plain(self, names: Sequence[str], requests: int) -> dict[str, Any]:
        """Give all counters, as plain data.

        Parameters
        ----------
        names : sequence of str
            Of the sources, whether they were ever asked or not.
        requests : int
            How many went to them, which they count themselves.

        Returns
        -------
        dict
            As `MultiSourceDataManager.metrics` explains it.
        """
        with self._lock:
            questions = {name: self._questions[name] for name in _QUESTIONS}
            sources = {n: attrs.asdict(self._sources.get(n, _Calls())) for n in names}
        for name in ("asked", "answered"):  # a hit is counted once, and is both
            questions[name] += questions["memory_hits"]
        for calls in sources.values():
            calls |= {name: dict(calls[name]) for name in ("faults", "cross_checks")}
        return {**questions, "requests": requests, "sources": sources}
