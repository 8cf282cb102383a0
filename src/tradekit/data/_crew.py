"""Threads for clients that block, which never keep the process from ending."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic
from typing import Any, TypeVar

import attrs

T = TypeVar("T")

_REST = 0.2  # seconds
_TIMES = 8  # the size: so many threads there are at most, with those that were left to themselves


class LeftError(Exception):
    """Nobody waits for this work any more."""


@attrs.define(eq=False)
class _Job:
    """Work, who waits for it, and what is heard of it meanwhile."""

    work: Callable[[], Any]
    future: Future[Any] = attrs.field(factory=Future)
    heard: float = attrs.field(factory=monotonic)
    is_running: bool = False
    is_left: bool = False


class Crew:
    """A few daemon threads that work off what blocks, and leave soon when nothing is left.

    The executors of the standard library are joined when the process ends, so that one socket that
    hangs would hold it; nobody waits for these. Nor does work that nobody waits for any more keep
    others waiting: another thread takes its place.

    Parameters
    ----------
    size : int
        How many threads work at most for those who wait.
    name : str
        What they are called.

    Examples
    --------
    >>> asyncio.run(Crew(2, "example").run(lambda: 6 * 7, patience=5.0))
    42
    """

    def __init__(self, size: int, name: str) -> None:
        self._size, self._name = size, name
        self._waiting: deque[_Job] = deque()
        self._lock = threading.Condition(threading.Lock())
        self._here = threading.local()
        self._process = os.getpid()
        self._busy = self._idle = self._threads = 0  # who is idle is busy too: a place is taken
        self._begun = monotonic()

    async def run(self, work: Callable[[], T], *, patience: float) -> T:
        """Wait for what a thread makes of the work.

        Parameters
        ----------
        work : callable
            What blocks.
        patience : float
            Seconds without the result, and without any `sign_of_life` of this work (before its
            turn comes: of anything else that begins), until this gives up.

        Returns
        -------
        object
            What the work gives.

        Raises
        ------
        TimeoutError
            When patience is at its end; the thread is left to itself.
        """
        job = _Job(work)
        self._take(job)
        waiter = asyncio.wrap_future(job.future)
        try:
            while not waiter.done():
                left = self._heard(job) + patience - monotonic()
                if left <= 0:
                    raise TimeoutError(f"no answer within {patience:g} s")
                await asyncio.wait([waiter], timeout=left)
            result: T = waiter.result()
            return result
        finally:
            self._leave(job)
            waiter.cancel()

    def send(self, work: Callable[[], T]) -> Future[T]:
        """Have work done in its turn, whether anybody waits for it or not.

        Parameters
        ----------
        work : callable
            What blocks.

        Returns
        -------
        Future
            What the work gives, or raises.
        """
        job = _Job(work)
        self._take(job)
        return job.future

    def sign_of_life(self) -> None:
        """Let who waits for the work of this thread be patient anew: one of many pages has come.

        Raises
        ------
        LeftError
            When nobody waits any more: the other pages would be fetched in vain.
        """
        job = getattr(self._here, "job", None)
        if job is not None:
            if job.is_left:
                raise LeftError("nobody waits for this any more")
            job.heard = monotonic()

    def _heard(self, job: _Job) -> float:
        """When there was a sign of this work, or of any that it waits behind."""
        return job.heard if job.is_running else max(job.heard, self._begun)

    def _take(self, job: _Job) -> None:
        with self._lock:
            if self._process != os.getpid():  # threads do not come along in a fork
                self._process = os.getpid()
                self._waiting.clear()
                self._busy = self._idle = self._threads = 0
            self._waiting.append(job)
            self._hire()

    def _leave(self, job: _Job) -> None:
        """Wait no more: what has not begun need not, and what runs is left to itself."""
        with self._lock:
            if not job.future.cancel() and not job.future.done():
                job.is_left = True
                self._busy -= 1
                self._hire()

    def _hire(self) -> None:
        self._lock.notify()
        wanted = len(self._waiting) > self._idle
        if wanted and self._busy < self._size and self._threads < _TIMES * self._size:
            self._busy += 1
            self._threads += 1
            threading.Thread(target=self._toil, name=self._name, daemon=True).start()

    def _toil(self) -> None:
        while job := self._next():
            self._here.job = job
            try:
                result = job.work()
            except BaseException as error:  # whoever waits hears of it
                self._done(job, error=error)
                del error
            else:
                self._done(job, result)
                del result
            self._here.job = None
            if job.is_left:
                break  # another has taken this place
            del job  # nothing is kept alive while the next is waited for
        with self._lock:
            self._threads -= 1

    def _next(self) -> _Job | None:
        with self._lock:
            while self._waiting or self._rest():
                job = self._waiting.popleft()
                if job.future.set_running_or_notify_cancel():
                    job.heard = self._begun = monotonic()
                    job.is_running = True
                    return job
            self._busy -= 1
            return None

    def _rest(self) -> bool:
        """Stay for a moment: whoever asks once often asks again, and a new thread takes longer."""
        self._idle += 1
        self._lock.wait(_REST)
        self._idle -= 1
        return bool(self._waiting)

    def _done(self, job: _Job, result: object = None, error: BaseException | None = None) -> None:
        with self._lock:  # nobody leaves meanwhile
            if error is None:
                job.future.set_result(result)
            else:
                job.future.set_exception(error)
