"""How many calls a source still grants, and when it grants the next one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from math import isfinite
from typing import Any

import attrs

from .._core.clock import from_ns, to_ns
from .._core.request import Capabilities

_SECOND, _MINUTE, _DAY = 10**9, 60 * 10**9, 86_400 * 10**9
# Threads look at the clock and come here in whatever order; a replay goes back further.
_UNORDERED = _MINUTE
_HEADERS = {
    "x-ratelimit-limit": "limit",
    "x-ratelimit-remaining": "left",
    "x-ratelimit-reset": "reset",
}


@attrs.define(eq=False)
class Meter:
    """Count a source's own requests, and keep what its server says of its budget.

    Any thread may count and hear. What was never heard is None.

    Attributes
    ----------
    calls : int
        Requests so far.
    limit : int or None
        How many the server grants in one of its windows.
    left : int or None
        How many of them are left.
    reset : int or None
        When its window ends, as `reset_at` reads it.
    budget : Budget or None
        What it is held to, by all who ask through the same source.

    Examples
    --------
    >>> meter = Meter()
    >>> meter.count()
    >>> meter.heard({"X-RateLimit-Remaining": "199", "x-ratelimit-reset": "1709931600"})
    >>> meter.calls, meter.left, meter.reset
    (1, 199, 1709931600)
    """

    calls: int = attrs.field(default=0, init=False)
    limit: int | None = attrs.field(default=None, init=False)
    left: int | None = attrs.field(default=None, init=False)
    reset: int | None = attrs.field(default=None, init=False)
    budget: Budget | None = attrs.field(default=None, init=False, repr=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def count(self) -> None:
        """Count one request that is about to be sent."""
        with self._lock:
            self.calls += 1

    def heard(self, headers: Mapping[str, str]) -> None:
        """Take in the headers of an answer; what is no number says nothing.

        Parameters
        ----------
        headers : mapping of str to str
            All of them, in upper or lower case.
        """
        said: dict[str, int | None] = {
            _HEADERS[name.lower()]: number
            for name, text in headers.items()
            if name.lower() in _HEADERS and (number := _whole(text)) is not None
        }
        if "left" in said:  # until when an earlier one held says nothing of this one
            said.setdefault("reset", None)
        with self._lock:
            for name, number in said.items():
                setattr(self, name, number)


def reset_at(told: float, now: float) -> float:
    """Read ``X-RateLimit-Reset``, which servers tell in several ways.

    Parameters
    ----------
    told : float
        A moment, in seconds or milliseconds since 1970 UTC; or the seconds until then.
    now : float
        In seconds since 1970 UTC.

    Returns
    -------
    float
        That moment in seconds since 1970 UTC: the reading that is nearest to now.

    Examples
    --------
    >>> [reset_at(told, 1709931570.0) for told in (1709931600, 1709931600000, 30)]
    [1709931600, 1709931600.0, 1709931600.0]
    """
    return min((told, told / 1_000, now + told), key=lambda moment: abs(moment - now))


def _whole(text: str) -> int | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if isfinite(number) else None


@attrs.define(eq=False)
class _Window:
    """So many calls in any stretch of so long."""

    name: str
    limit: int
    length: int
    _calls: deque[tuple[int, int]] = attrs.field(factory=deque, init=False)
    used: int = attrs.field(default=0, init=False)

    @property
    def left(self) -> int:
        return max(0, self.limit - self.used)

    def note(self, now: int, calls: int) -> None:
        self._calls.append((now, calls))
        self.used += calls

    def forget(self, now: int) -> None:
        while self._calls and self._calls[0][0] + self.length <= now:
            self.used -= self._calls.popleft()[1]

    def free(self, now: int) -> int:
        """When the next call is free."""
        excess, moment = self.used - self.limit, now
        for noted, calls in self._calls:
            if excess < 0:
                break
            excess, moment = excess - calls, noted + self.length
        return moment


class Budget:
    """The calls that a source grants in any minute, hour and day, from its capabilities.

    Times are handed in. Calls from several threads may come in whatever order; a clock that goes
    back by more than a minute is a replay that begins anew, and so does the budget.

    Parameters
    ----------
    capabilities : Capabilities
        The source's; ``calls_per_minute``, ``calls_per_hour`` and ``calls_per_day`` count.
    before : int
        Calls that its meter had counted already: nobody knows when these were.

    Examples
    --------
    >>> from datetime import UTC
    >>> now = datetime(2024, 3, 8, 15, tzinfo=UTC)
    >>> budget = Budget(Capabilities(calls_per_minute=2, calls_per_day=500))
    >>> budget.note(now)
    >>> budget.note(now + timedelta(seconds=20))
    >>> budget.left(now + timedelta(seconds=30)), budget.wait(now + timedelta(seconds=30))
    (0, datetime.timedelta(seconds=30))
    """

    _now: int
    _windows: list[_Window]
    _told: int | None  # what the server says is left, of so many, until
    _granted: int | None
    _reset: int

    def __init__(self, capabilities: Capabilities, before: int = 0) -> None:
        granted = (
            ("minute", capabilities.calls_per_minute, _MINUTE),
            ("hour", capabilities.calls_per_hour, 60 * _MINUTE),
            ("day", capabilities.calls_per_day, _DAY),
        )
        self._limits = [(name, most, long) for name, most, long in granted if most is not None]
        self._lock = threading.Lock()
        self._total = before
        self._begin(0)

    def note(self, now: datetime, calls: int | None = None) -> None:
        """Take note of calls that were made.

        Parameters
        ----------
        now : datetime
            Aware.
        calls : int, optional
            How many there were in all, by the source's meter; else one more. A meter that says
            less than before is a new one.
        """
        with self._lock:
            moment = self._moment(now)
            total = self._total + 1 if calls is None else calls
            new = total - self._total if total >= self._total else total
            self._total = total
            if not new:
                return
            for window in self._windows:
                window.note(moment, new)
            if self._told is not None:
                self._told -= new

    def told(
        self, now: datetime, left: int | None, reset: float | None, limit: int | None = None
    ) -> None:
        """Take in what the server says of its own window, as `Meter` has it.

        Parameters
        ----------
        now : datetime
            Aware.
        left : int, optional
            Calls that are left; None says nothing.
        reset : float, optional
            When its window ends, as `reset_at` reads it; else it is taken for a minute.
        limit : int, optional
            How many it grants in all, of which those are left.
        """
        if left is None:
            return
        with self._lock:
            moment = self._moment(now)
            end = moment + _MINUTE
            if reset is not None:
                end = int(reset_at(reset, moment / _SECOND) * _SECOND)
            if not moment < end <= moment + _DAY:
                return  # over by now, or no such moment
            if end == self._reset and self._told is not None:
                left = min(left, self._told)  # answers overtake each other, or come again
            self._told, self._granted, self._reset = left, limit, end

    def left(self, now: datetime) -> int | None:
        """Tell how many calls are free.

        Parameters
        ----------
        now : datetime
            Aware.

        Returns
        -------
        int or None
            By the tightest window; None where there is no limit.
        """
        with self._lock:
            self._moment(now)
            return min(self._lefts(), default=None)

    def wait(self, now: datetime) -> timedelta:
        """Tell how long it takes until a call is free.

        Parameters
        ----------
        now : datetime
            Aware.

        Returns
        -------
        timedelta
            Zero when one is free now.
        """
        with self._lock:
            moment = self._moment(now)
            free = [window.free(moment) for window in self._windows if not window.left]
            if self._told is not None and self._told <= 0:
                free.append(self._reset)
            seen = to_ns(now)  # which a late thread read before others; what is free is free
            return timedelta(microseconds=-(-max(0, max(free, default=seen) - seen) // 1_000))

    def spare(self, now: datetime) -> bool:
        """Tell whether a call may be spent that is not needed: half of each window is left.

        Parameters
        ----------
        now : datetime
            Aware.

        Returns
        -------
        bool
            The server's own window is held against the limit that it told, else against the
            shortest that is known.
        """
        with self._lock:
            self._moment(now)
            limits = [window.limit for window in self._windows]
            if self._told is not None:
                limits.append(self._granted or next(iter(limits), 2))
            pairs = zip(self._lefts(), limits, strict=True)
            return all(2 * left >= limit for left, limit in pairs)

    def plan(self, now: datetime) -> dict[str, Any]:
        """Say how it stands, as plain data.

        Parameters
        ----------
        now : datetime
            Aware.

        Returns
        -------
        dict
            ``minute``, ``hour`` and ``day``, as far as they are limited, with ``limit`` and
            ``used``; ``server`` with ``left`` and ``reset``, as far as it was told; ``left`` by
            the tightest of them, and ``wait_seconds``.
        """
        left, wait = self.left(now), self.wait(now)
        with self._lock:
            self._moment(now)
            plan: dict[str, Any] = {
                window.name: {"limit": window.limit, "used": window.used}
                for window in self._windows
            }
            if self._told is not None:
                reset = from_ns(self._reset).isoformat()
                plan["server"] = {"left": max(0, self._told), "reset": reset}
            return {**plan, "left": left, "wait_seconds": wait.total_seconds()}

    def _begin(self, moment: int) -> None:
        self._now = moment
        self._windows = [_Window(*limit) for limit in self._limits]
        self._told, self._granted, self._reset = None, None, 0

    def _moment(self, now: datetime) -> int:
        """Move on to a moment, and forget what no longer counts."""
        moment = to_ns(now)
        if moment < self._now - _UNORDERED:
            self._begin(moment)
        self._now = max(self._now, moment)
        for window in self._windows:
            window.forget(self._now)
        if self._reset <= self._now:
            self._told = None
        return self._now

    def _lefts(self) -> list[int]:
        told = [] if self._told is None else [max(0, self._told)]
        return [window.left for window in self._windows] + told
