"""Whether a source may be asked: disabled by its errors, at rest by its own wish, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import attrs

from .._core.errors import CredentialsError, RateLimitError, SourceError

Status = Literal["ok", "disabled", "resting", "refused"]
_LONGEST = timedelta(hours=1)
_DAY = 86400.0  # seconds: who asks for more rest was misread
_REST = timedelta(minutes=1)  # for who asks for rest and does not say how long


@attrs.define(eq=False)
class Breaker:
    """The breaker of one source.

    Parameters
    ----------
    errors : int
        Calls in a row that failed.
    status : {"ok", "disabled", "resting", "refused"}
        Disabled by too many errors, resting because it asked for it, or refused for its keys.
    until : datetime, optional
        When it may be tried again; None while it is ok, and where only a reset helps.
    reason : str
        Why it is not ok, or what failed at its last call.
    soonest : datetime, optional
        When it may be tried while nobody else can be asked: one pause after the last try, however
        often that has been doubled.
    """

    errors: int = 0
    status: Status = "ok"
    until: datetime | None = None
    reason: str = ""
    soonest: datetime | None = None
    _trips: int = attrs.field(default=0, init=False)
    _probing: bool = attrs.field(default=False, init=False)
    _was_late: bool = attrs.field(default=False, init=False)  # and nothing worse, when it failed

    def admits(self, now: datetime) -> bool:
        """Whether it may be asked: it is ok, or the time has come for one call to try it."""
        return self.status == "ok" or self._is_due(now)

    def claim(self) -> bool:
        """Take the one call that tries a source which is not ok."""
        if self.status == "ok":
            return True
        free, self._probing = not self._probing, True
        return free

    @property
    def is_probed(self) -> bool:
        """Whether a call is just trying it."""
        return self._probing and self.status != "ok"

    def release(self) -> None:
        """Let another call try it."""
        self._probing = False

    def wait_no_more(self) -> None:
        """Begin anew where it was to wait for a moment, and not for a reset."""
        if self.until is not None:
            self._reset()

    def came_late(self) -> None:
        """Take back that it was late: its answer has come all the same."""
        if self.status == "ok" or (self.status == "disabled" and self._was_late):
            self._reset()

    def heard(
        self,
        now: datetime,
        good: int,
        bad: Sequence[SourceError],
        most: int,
        pause: timedelta | None,
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
        pause : timedelta, optional
            For how long it is then left alone; twice as long after each try that fails, up to an
            hour. None leaves it alone until it is reset.
        """
        limits = [error for error in bad if isinstance(error, RateLimitError)]
        if limits and (self.status == "ok" or self.until is not None):  # else a reset alone helps
            seconds = min(max(error.retry_after or 0.0 for error in limits), _DAY)
            wait = timedelta(seconds=seconds) if seconds > 0 else pause or _REST
            self._trip("resting", max(now + wait, self.until or now), limits[0])
        elif bad and not good:
            self._failed(now, bad, most, pause)
        elif self.status != "resting" or self._is_due(now):
            # An answer that was on its way while the source asked for rest does not end the rest.
            errors, trips = (0, 0) if good else (self.errors, self._trips)
            self._reset(errors, trips, str(bad[0]) if bad else "")

    def _failed(
        self, now: datetime, bad: Sequence[SourceError], most: int, pause: timedelta | None
    ) -> None:
        self.errors += 1
        self.soonest = now + pause if pause else None
        self._was_late = all(error.fault == "late" for error in bad)
        refused = next((error for error in bad if isinstance(error, CredentialsError)), None)
        if refused:
            self._trip("refused", None, refused)
        elif self.status in ("ok", "resting") and self.errors < most:
            if self.status == "ok" or self._is_due(now):
                self._reset(self.errors, self._trips, str(bad[0]))
        elif self.status == "ok" or self._is_due(now):
            # One that was on its way when the source was disabled is no try.
            until = now + _doubled(pause, self._trips) if pause else None
            self._trips += 1
            self._trip("disabled", until, bad[0])

    def _is_due(self, now: datetime) -> bool:
        """Whether it was to wait for a moment, and that has come."""
        return self.until is not None and self.until <= now

    def _reset(self, errors: int = 0, trips: int = 0, reason: str = "") -> None:
        self.status, self.until, self._probing = "ok", None, False
        self.errors, self._trips, self.reason = errors, trips, reason

    def _trip(self, status: Status, until: datetime | None, error: SourceError) -> None:
        self.status, self.until, self.reason = status, until, str(error)


def _doubled(pause: timedelta, trips: int) -> timedelta:
    """Double a pause with each try that has failed, up to an hour; a longer one stays as it is."""
    longest = max(pause, _LONGEST)
    return (
        longest if longest <= pause or 2 ** min(trips, 64) > longest / pause else pause * 2**trips
    )
