"""Which sources can be asked, and how well they answered."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import attrs

from .._core.clock import Clock
from .._core.errors import CredentialsError, NoDataError, RateLimitError, SourceError
from .._core.event import SourceStatusChanged

log = logging.getLogger("tradekit.data")

Status = Literal["ok", "disabled", "resting", "refused"]
_REMEMBERED = 100
# A halted or unknown symbol shows these symptoms as well.
_DOUBTFUL = ("empty", "stale")


def faults(errors: Iterable[SourceError], good: int) -> list[SourceError]:
    """Keep the errors that are the source's own fault.

    That a symbol is unknown never is. An empty or an old answer is the symbol's own case where the
    same call brought good bars of others. A short one is none as long as nobody has a longer one.

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
    return [error for error in errors if _is_fault(error, alone=not good)]


def _is_fault(error: SourceError, *, alone: bool) -> bool:
    if error.fault in _DOUBTFUL:
        return alone
    return error.fault != "short" and not isinstance(error, NoDataError)


@attrs.define(eq=False)
class SourceHealth:
    """How one source does: its breaker, and its last calls.

    Parameters
    ----------
    errors : int
        Calls in a row that failed.
    status : {"ok", "disabled", "resting", "refused"}
        Disabled by too many errors, resting because it asked for it, or refused for its keys.
    until : datetime, optional
        When it may be tried again; None while it is ok, and for good when its keys are refused.
    reason : str
        Why it is not ok, or what failed at its last call.
    """

    errors: int = 0
    status: Status = "ok"
    until: datetime | None = None
    reason: str = ""
    _probing: bool = attrs.field(default=False, init=False)
    _calls: deque[float] = attrs.field(factory=lambda: deque(maxlen=_REMEMBERED), init=False)

    @property
    def score(self) -> float:
        """Percent of what it was lately asked and answered well; 0 while it is not asked."""
        if self.status != "ok":
            return 0.0
        return 100.0 * sum(self._calls) / len(self._calls) if self._calls else 100.0

    def admits(self, now: datetime) -> bool:
        """Whether it may be asked: it is ok, or the time has come for one call to try it."""
        due = self.until is not None and self.until <= now
        return self.status == "ok" or (due and not self._probing)

    def claim(self) -> bool:
        """Take the one call that tries a source which is not ok."""
        if self.status == "ok":
            return True
        free, self._probing = not self._probing, True
        return free

    def release(self) -> None:
        """Let another call try it."""
        self._probing = False

    def heard(
        self, now: datetime, good: int, bad: Sequence[SourceError], most: int, pause: timedelta
    ) -> None:
        """Draw the consequences of a call.

        Parameters
        ----------
        now : datetime
            Aware.
        good : int
            How many symbols it answered well.
        bad : sequence of SourceError
            Its own faults.
        most : int
            Calls in a row that may fail before it is disabled.
        pause : timedelta
            For how long it is then left alone.
        """
        if good or bad:
            self._calls.append(good / (good + len(bad)))
        limits = [error for error in bad if isinstance(error, RateLimitError)]
        if limits:
            seconds = max(error.retry_after or 0.0 for error in limits)
            wait = timedelta(seconds=seconds) if seconds > 0 else pause
            self._close("resting", now + wait, limits[0])
        elif bad and not good:
            self._failed(now, bad, most, pause)
        elif self.status != "resting" or self.until is None or self.until <= now:
            # An answer that was on its way while the source asked for rest does not end the rest.
            self.errors = 0 if good else self.errors
            self.status, self.until = "ok", None
            self.reason = str(bad[0]) if bad else ""

    def _failed(
        self, now: datetime, bad: Sequence[SourceError], most: int, pause: timedelta
    ) -> None:
        self.errors += 1
        refused = next((error for error in bad if isinstance(error, CredentialsError)), None)
        if refused:
            self._close("refused", None, refused)
        elif self.status == "ok" and self.errors < most:
            self.reason = str(bad[0])
        elif self.status != "refused":
            self._close("disabled", now + pause, bad[0])

    def _close(self, status: Status, until: datetime | None, error: SourceError) -> None:
        self.status, self.until, self.reason = status, until, str(error)


class HealthBook:
    """The health of all sources, for calls from several threads.

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

    def enroll(self, names: Iterable[str]) -> None:
        """Begin with sources that are new here, in the order in which they are asked."""
        with self._lock:
            self._asked = True
            self._sources = {name: self._sources.get(name) or SourceHealth() for name in names}
            self._answering = self._answering or next(iter(self._sources), None)

    def admitted(self, names: Sequence[str], now: datetime) -> list[str]:
        """Name the sources that may be asked, in order.

        Parameters
        ----------
        names : sequence of str
            Those that would do.
        now : datetime
            Aware.

        Returns
        -------
        list of str
            Where all are disabled, the one whose turn comes first: better a try than none.
        """
        with self._lock:
            open_ = [name for name in names if self._sources[name].admits(now)]
            due = {n: h.until for n in names if (h := self._sources[n]).status == "disabled"}
        return open_ or sorted(due, key=lambda name: due[name] or now)[:1]

    def claim(self, name: str) -> bool:
        """Ask a source: always when it is ok, else only one call at a time."""
        with self._lock:
            return self._sources[name].claim()

    def release(self, name: str) -> None:
        """End a call, however it went."""
        with self._lock:
            self._sources[name].release()

    def barred(self, name: str) -> SourceError:
        """Say why a source is not asked."""
        with self._lock:
            health = self._sources[name]
            when = f"until {health.until:%Y-%m-%d %H:%M:%S} UTC" if health.until else "until reset"
            problem, reason = f"{name} is not asked: {health.status} {when}", health.reason
        hint = f"reset_data_source({name!r}) when it works again"
        return SourceError(problem, got=reason or None, hint=hint, source=name)

    def heard(
        self, name: str, good: int, bad: Sequence[SourceError], most: int, pause: timedelta
    ) -> None:
        """Draw the consequences of a call; `SourceHealth.heard` says which."""
        now = self._clock.now()
        if bad:
            log.info("%s failed: %s", name, bad[0])
        with self._lock:
            health = self._sources[name]
            before = health.status
            health.heard(now, good, bad, most, pause)
            after, reason, score = health.status, health.reason, health.score
        if after == before:
            return
        if after == "ok":
            self._tell(now, name, "restored", "it answers again", score)
        elif before == "ok" or after == "refused":
            self._tell(now, name, "disabled", reason, score)

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
        self._tell(self._clock.now(), name, "answering", reason, score)

    def reset(self, name: str) -> None:
        """Begin anew with one source."""
        with self._lock:
            before = self._sources.get(name)
            if before is not None:
                self._sources[name] = SourceHealth()
        if before is not None and before.status != "ok":
            self._tell(self._clock.now(), name, "restored", "it was reset", 100.0)

    def score(self) -> float:
        """Give the mean score of the sources; 100 before anybody was asked."""
        with self._lock:
            scores = [health.score for health in self._sources.values()]
            return sum(scores) / len(scores) if scores else 0.0 if self._asked else 100.0

    def standings(self) -> dict[str, dict[str, Any]]:
        """Say of each source how it stands, as plain data."""
        with self._lock:
            return {
                name: {
                    "status": health.status,
                    "score": health.score,
                    "errors": health.errors,
                    "until": health.until.isoformat() if health.until else None,
                    "reason": health.reason or None,
                }
                for name, health in self._sources.items()
            }

    def _tell(self, now: datetime, name: str, status: str, reason: str, score: float) -> None:
        level = logging.WARNING if status == "disabled" else logging.INFO
        log.log(level, "%s is %s: %s", name, status, reason)
        if self._on_change is None:
            return
        event = SourceStatusChanged(now, source=name, status=status, reason=reason, health=score)
        try:
            self._on_change(event)
        except Exception:
            log.exception("on_change failed for %r", event)
