"""Which sources can be asked, and how well they answered."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from .._core.clock import Clock
from .._core.errors import CredentialsError, NoDataError, RateLimitError, SourceError
from .._core.event import SourceStatusChanged
from .._core.source import DataSource
from ._budget import Budget
from ._standing import NEVER, SourceHealth

log = logging.getLogger("tradekit.data")

_BAD_NEWS = ("disabled", "quarantined", "contested")
# Threads look at the clock and come here in whatever order; a replay goes back further.
_UNORDERED = timedelta(minutes=1)
# A halted, delisted or unknown symbol shows these symptoms as well.
DOUBTFUL = ("empty", "stale")
# Only another source's answer tells whether these are faults.
_OPEN = (*DOUBTFUL, "short", "gaps", "split", "rewritten", "jump")
_SEVERAL = 3  # symbols that do not stop trading at the same time


def faults(errors: Iterable[SourceError], good: int) -> list[SourceError]:
    """Keep the errors that are the source's own fault.

    That a symbol is unknown never is. A doubtful answer, and an empty or old one, is none until
    another source knows better; but where all of several symbols are old, it is the source.

    Parameters
    ----------
    errors : iterable of SourceError
        Of one call.
    good : int
        How many symbols the same call answered well.

    Returns
    -------
    list of SourceError
        Some of them.
    """
    told = list(errors)
    behind = {error.context.get("symbol") for error in told if error.fault == "stale"}
    if not good and len(behind) >= _SEVERAL:
        return told
    return [e for e in told if e.fault not in _OPEN and not isinstance(e, NoDataError)]


class HealthBook:
    """The health of all sources, for calls from several threads.

    A clock that goes back by more than a minute is a replay that begins anew: what was to wait
    for a moment that lay ahead waits no more.

    Parameters
    ----------
    clock : Clock
        Who says what time it is.
    on_change : callable, optional
        Is told when a source is disabled or restored, or when another one answers.
    """

    def __init__(
        self, clock: Clock, on_change: Callable[[SourceStatusChanged], None] | None
    ) -> None:
        self._clock, self._on_change = clock, on_change
        self._lock = threading.Lock()
        self._sources: dict[str, SourceHealth] = {}
        self._answering: str | None = None
        self._asked = False
        self._latest: datetime | None = None
        self._straggling: dict[str, float] = {}

    def enroll(self, sources: Mapping[str, DataSource]) -> None:
        """Begin with sources that are new here, in the order in which they are asked."""
        with self._lock:
            self._asked = True
            self._sources = {
                name: self._sources.get(name) or SourceHealth.of(source)
                for name, source in sources.items()
            }
            self._answering = self._answering or next(iter(self._sources), None)

    def admitted(self, names: Sequence[str]) -> list[str]:
        """Name the sources that may be asked, in order.

        Parameters
        ----------
        names : sequence of str
            Those that would do.

        Returns
        -------
        list of str
            Those in quarantine last. Where all are disabled, those that have not been tried for a
            pause, or else the one whose turn comes first: better a try than none.
        """
        now = self._now()
        with self._lock:
            open_ = [name for name in names if self._is_open(name, now)]
            breakers = {name: self._sources[name].breaker for name in names}
            due = {n: b.until for n, b in breakers.items() if b.status == "disabled" and b.until}
            open_.sort(key=lambda name: self._sources[name].is_quarantined(now))
            again = [n for n in due if (soonest := breakers[n].soonest) and soonest <= now]
        return open_ or again or sorted(due, key=lambda name: due[name])[:1]

    def _is_open(self, name: str, now: datetime) -> bool:
        health = self._sources[name]
        return health.breaker.admits(now) and not health.read(now).wait(now)

    def asked(self, name: str, size: int = 1) -> None:
        """Note that a source is asked for so many symbols, if it does not count itself."""
        now = self._now()
        with self._lock:
            health = self._sources[name]
            health.asked(now, size)

    def claim(self, name: str) -> bool:
        """Ask a source: always when it is ok, else only one call at a time."""
        with self._lock:
            return self._sources[name].breaker.claim()

    def took(self, name: str, size: int, seconds: float) -> None:
        """Note how long an answer for so many symbols took."""
        with self._lock:
            self._sources[name].took(size, seconds)

    def patience(self, name: str, size: int) -> float:
        """Tell after how many seconds an answer for so many symbols is late."""
        with self._lock:
            return self._sources[name].patience(size)

    def may_again(self, name: str) -> bool:
        """Tell whether a source that has just failed may be asked once more."""
        now = self._now()
        with self._lock:
            health = self._sources[name]
            return health.breaker.status == "ok" and not health.read(now).wait(now)

    def spare(self, name: str, size: int = 1) -> bool:
        """Tell whether a source may be asked for so many symbols beside another one."""
        now = self._now()
        with self._lock:
            health = self._sources[name]
            if not health.read(now).spare(now):
                return False
            room = health.room(now)
            return room is None or 2 * size <= room

    def room(self, name: str) -> int | None:
        """Tell how many symbols a source may be asked for now; None where there is no limit."""
        now = self._now()
        with self._lock:
            return self._sources[name].room(now)

    def is_probed(self, names: Iterable[str]) -> bool:
        """Tell whether a call is just trying one of these sources."""
        with self._lock:
            return any(self._sources[name].breaker.is_probed for name in names)

    def release(self, name: str) -> None:
        """End a call, however it went."""
        with self._lock:
            self._sources[name].breaker.release()

    def barred(self, name: str) -> SourceError:
        """Say why a source is not asked."""
        with self._lock:
            health = self._sources[name]
            if health.breaker.status == "ok":
                return self._used_up(name, health.budget)
            breaker = health.breaker
            until, reason = breaker.until, breaker.reason
            when = f"until {until:%Y-%m-%d %H:%M:%S} UTC" if until else "until reset"
            problem = f"{name} is not asked: {breaker.status} {when}"
        hint = f"reset_data_source({name!r}) when it works again"
        kind = CredentialsError if breaker.status == "refused" else SourceError
        return kind(problem, got=reason or None, hint=hint, source=name)

    def heard(
        self,
        name: str,
        good: int,
        bad: Sequence[SourceError],
        most: int,
        pause: timedelta | None,
        old: Sequence[SourceError] = (),
    ) -> None:
        """Draw the consequences of a call; `Breaker.heard` says which.

        Old answers that may be the symbols' own case make the figures worse, and nothing else.
        """
        now = self._now()
        if bad:
            log.info("%s failed: %s", name, bad[0])
        with self._lock:
            health = self._sources[name]
            breaker, before = health.breaker, health.breaker.status
            health.heard(good, [*bad, *old])
            breaker.heard(now, good, bad, most, pause)
            after, reason = breaker.status, breaker.reason
            if after == before:
                return
            score = health.score
        if after == "ok":
            self._tell(now, name, "restored", "it answers again", score)
        elif before == "ok" or after == "refused":
            self._tell(now, name, "disabled", reason, score)

    def may_straggle(self, name: str, seconds: float) -> bool:
        """Take the one place of a late call that goes on, for so many seconds at most."""
        now = monotonic()
        with self._lock:
            free = self._straggling.get(name, 0.0) <= now
            if free:
                self._straggling[name] = now + seconds
            return free

    def straggled(self, name: str, size: int, seconds: float | None) -> None:
        """Note that a late call has ended.

        Parameters
        ----------
        name : str
            Whom it asked.
        size : int
            For how many symbols.
        seconds : float, optional
            How long its sound answer took, which takes back that it was late; None without one.
        """
        now = self._now()
        with self._lock:
            self._straggling.pop(name, None)
            health = self._sources[name]
            before = health.breaker.status
            if seconds is not None:
                health.came_late(size, seconds)
            after, score = health.breaker.status, health.score
        if after != before:
            self._tell(now, name, "restored", f"it answered after {seconds:.2f} s", score)

    def answered(self, name: str, blamed: dict[str, str]) -> None:
        """Tell when another source than before answers, unless that is the symbol's case.

        Parameters
        ----------
        name : str
            Who answered.
        blamed : dict of str to str
            Why earlier sources did not.
        """
        with self._lock:
            before, order = self._answering, list(self._sources)
            if before in (None, name):
                return
            back = order.index(name) < order.index(before)
            if not back and before not in blamed:
                return
            self._answering = name
            score = self._sources[name].score
        reason = "it answers again" if back else f"instead of {before}: {blamed[before]}"
        self._tell(self._now(), name, "answering", reason, score)

    def reset(self, name: str) -> None:
        """Begin anew with one source."""
        with self._lock:
            before = self._sources.get(name)
            if before is not None:
                self._sources[name] = before.anew()
        now = self._now()
        if before is not None and (before.breaker.status != "ok" or before.is_quarantined(now)):
            self._tell(now, name, "restored", "it was reset", 100.0)

    def compared(self, name: str, agreed: bool) -> None:
        """Note whether another source bore out an answer."""
        with self._lock:
            self._sources[name].compared(agreed)

    def quarantine(self, name: str, pause: timedelta | None, reason: str) -> None:
        """Ask a source last, and trust it no more: two others agree that it is wrong."""
        now = self._now()
        with self._lock:
            health = self._sources[name]
            is_news = not health.is_quarantined(now)
            health.quarantined, health.suspicion = now + pause if pause else NEVER, reason
            score = health.score
        if is_news:
            self._tell(now, name, "quarantined", reason, score)

    def contest(self, name: str, reason: str) -> None:
        """Tell that an answer is contested, and nobody knows who is right."""
        with self._lock:
            score = self._sources[name].score
        self._tell(self._now(), name, "contested", reason, score)

    def is_quarantined(self, name: str) -> bool:
        """Tell whether a source is in quarantine now."""
        now = self._now()
        with self._lock:
            return self._sources[name].is_quarantined(now)

    def requests(self) -> int:
        """Count the requests that went to all sources."""
        with self._lock:
            return sum(health.requests for health in self._sources.values())

    def score(self) -> float:
        """Give the mean score of the sources; 100 before anybody was asked."""
        with self._lock:
            scores = [health.score for health in self._sources.values()]
            return sum(scores) / len(scores) if scores else 0.0 if self._asked else 100.0

    def standings(self) -> dict[str, dict[str, Any]]:
        """Say of each source how it stands, as plain data."""
        now = self._now()
        with self._lock:
            return {name: health.standing(now) for name, health in self._sources.items()}

    def _now(self) -> datetime:
        """Look at the clock; where it has gone back, nobody waits for a moment that lay ahead."""
        now = self._clock.now()
        latest = self._latest or now  # without the lock: each hit in memory comes by here
        if now >= latest - _UNORDERED:
            self._latest = max(latest, now)
            return now
        with self._lock:
            self._latest = now
            restored = {n: h.score for n, h in self._sources.items() if h.wait_no_more()}
        for name, score in restored.items():
            self._tell(now, name, "restored", "the clock went back", score)
        return now

    def _used_up(self, name: str, budget: Budget) -> SourceError:
        now = self._clock.now()  # the lock is held
        return RateLimitError(
            f"{name} is not asked: its budget is used",
            retry_after=budget.wait(now).total_seconds(),
            got=str(budget.plan(now)),
            hint="ask less often, or for many symbols at once",
            source=name,
        )

    def _tell(self, now: datetime, name: str, status: str, reason: str, score: float) -> None:
        level = logging.WARNING if status in _BAD_NEWS else logging.INFO
        log.log(level, "%s is %s: %s", name, status, reason)
        if self._on_change is None:
            return
        event = SourceStatusChanged(now, source=name, status=status, reason=reason, health=score)
        try:
            self._on_change(event)
        except Exception:
            log.exception("on_change failed for %r", event)
