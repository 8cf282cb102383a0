"""Which sources can be asked, and how well they answered."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from .._core.clock import Clock
from .._core.errors import CredentialsError, RateLimitError, SourceError
from .._core.event import SourceStatusChanged
from .._core.source import DataSource
from ._budget import Budget
from ._heard import Heard
from ._settings import Settings
from ._standing import NEVER, SourceHealth

log = logging.getLogger("tradekit.data")

_BAD_NEWS = ("disabled", "quarantined", "contested")
# Threads look at the clock and come here in whatever order; a replay goes back further.
_UNORDERED = timedelta(minutes=1)


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

    def admitted(self, names: Sequence[str], *, last_resort: bool = False) -> list[str]:
        """Name the sources that may be asked, in order.

        Parameters
        ----------
        names : sequence of str
            Those that would do.
        last_resort : bool
            Whether disabled ones may be tried where nobody else has an answer.

        Returns
        -------
        list of str
            Those in quarantine last, but for the last resort. Where all are disabled, those that
            have not been tried for a pause.
        """
        now = self._now()
        with self._lock:
            freed = [name for name in names if self._sources[name].leave_quarantine(now)]
            scores = {name: self._sources[name].score for name in freed}
            open_ = [name for name in names if self._is_open(name, now)]
            open_.sort(key=lambda name: self._sources[name].is_quarantined(now))
            shut = {name: self._sources[name].breaker for name in names if name not in open_}
        for name, score in scores.items():
            self._tell(now, name, "restored", "its quarantine is over", score)
        due = {n: b.until for n, b in shut.items() if b.status == "disabled" and b.until}
        if not open_:
            return [name for name in due if (again := shut[name].soonest) and again <= now]
        return open_ + (sorted(due, key=lambda name: due[name]) if last_resort else [])

    def _is_open(self, name: str, now: datetime) -> bool:
        health = self._sources[name]
        return health.breaker.admits(now) and not health.read(now).wait(now)

    def has_served(self, name: str, symbol: str) -> bool:
        """Tell whether a source has ever answered well of a symbol."""
        with self._lock:
            return symbol in self._sources[name].served

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
            health, breaker = self._sources[name], self._sources[name].breaker
            if breaker.status == "ok":
                return self._not_asked(name, health.budget)
            until, reason = breaker.until, breaker.reason
            when = f"until {until:%Y-%m-%d %H:%M:%S} UTC" if until else "until reset"
            problem = f"{name} is not asked: {breaker.status} {when}"
        hint = f"reset_data_source({name!r}) when it works again"
        kind = CredentialsError if breaker.status == "refused" else SourceError
        return kind(problem, got=reason or None, hint=hint, source=name)

    def heard(self, name: str, said: Heard, settings: Settings) -> None:
        """Draw the consequences of a question; `Breaker.heard` says which.

        Parameters
        ----------
        name : str
            Of a source.
        said : Heard
            What the question says of it. Old answers that may be the symbols' own case make its
            figures worse, and nothing else; what fails of symbols alone that failed before, while
            others are answered, is theirs.
        settings : Settings
            How many errors in a row disable it, and for how long.
        """
        now = self._now()
        if said.bad:
            log.info("%s failed: %s", name, said.bad[0])
        with self._lock:
            health = self._sources[name]
            bad = health.own_faults(now, said, settings.cache_duration)
            health.remember(now, said)
            health.heard(said.good, [*bad, *said.old])
            if said.bad and not bad:
                return
            news = self._judged(name, now, said.good, bad, settings)
        self._tell_all(now, name, news)

    def heed(self, name: str, errors: Iterable[SourceError], pause: timedelta | None) -> None:
        """Let all other calls know at once that a source asks for rest, or refuses its keys."""
        urgent = [e for e in errors if isinstance(e, RateLimitError | CredentialsError)]
        if urgent:
            now = self._now()
            with self._lock:
                news = self._judged(name, now, 0, urgent, Settings(cool_down=pause))
            self._tell_all(now, name, news)

    def rested(self, name: str) -> None:
        """Note that a source answers, whatever it was asked: its rest is over when it is due."""
        now = self._now()
        with self._lock:
            breaker = self._sources[name].breaker
            if breaker.status != "resting":
                return
            news = self._judged(name, now, 0, [], Settings())
        self._tell_all(now, name, news)

    def _judged(
        self, name: str, now: datetime, good: int, bad: Sequence[SourceError], settings: Settings
    ) -> list[tuple[str, str, float]]:
        """Let the breaker judge, and give what there is to tell: a status, why, and the score."""
        health, breaker = self._sources[name], self._sources[name].breaker
        before, most = breaker.status, settings.max_errors_before_disable
        breaker.heard(now, good, bad, most, settings.cool_down)
        if breaker.status == before:
            return []
        if breaker.status == "ok":
            return [("restored", "it answers again", health.score)]
        told = before == "ok" or breaker.status == "refused"
        return [("disabled", breaker.reason, health.score)] if told else []

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

    def suspicion(self, name: str) -> str:
        """Tell why a source is in quarantine; nothing where it is not."""
        now = self._now()
        with self._lock:
            health = self._sources[name]
            return health.suspicion if health.is_quarantined(now) else ""

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

    def _not_asked(self, name: str, budget: Budget) -> SourceError:
        now = self._clock.now()  # the lock is held
        wait = budget.wait(now)
        if not wait:
            return SourceError(f"{name} was not asked in time", source=name, fault="late")
        return RateLimitError(
            f"{name} is not asked: its budget is used",
            retry_after=wait.total_seconds(),
            got=str(budget.plan(now)),
            hint="ask less often, or for many symbols at once",
            source=name,
        )

    def _tell_all(self, now: datetime, name: str, news: Iterable[tuple[str, str, float]]) -> None:
        for status, reason, score in news:
            self._tell(now, name, status, reason, score)

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
