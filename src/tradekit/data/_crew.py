"""Threads for clients that block, which never keep the process from ending."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Crew:
    """A few daemon threads that work off what blocks, and leave when nothing is left.

    The executors of the standard library are joined when the process ends, so that one socket that
    hangs would hold it; nobody waits for these.

    Parameters
    ----------
    size : int
        How many threads there are at most.
    name : str
        What they are called.

    Examples
    --------
    >>> asyncio.run(Crew(2, "example").run(lambda: 6 * 7, patience=5.0))
    42
    """

    def __init__(self, size: int, name: str) -> None:
        self._size, self._name = size, name
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._lock = threading.Lock()
        self._busy = self._signs = 0

    async def run(self, work: Callable[[], T], *, patience: float) -> T:
        """Wait for what a thread makes of the work.

        Parameters
        ----------
        work : callable
            What blocks.
        patience : float
            Seconds without the result, and without any `sign_of_life`, until this gives up.

        Returns
        -------
        object
            What the work gives.

        Raises
        ------
        TimeoutError
            When patience is at its end; the thread is left to itself.
        """
        job: Future[T] = Future()
        self._take(job, work)
        waiter = asyncio.wrap_future(job)
        try:
            while True:
                seen = self._signs
                if (await asyncio.wait([waiter], timeout=patience))[0]:
                    return waiter.result()
                if self._signs == seen:
                    raise TimeoutError(f"no answer within {patience:g} s")
        finally:
            job.cancel()  # work that nobody waits for any more need not begin
            waiter.cancel()

    def sign_of_life(self) -> None:
        """Let those who wait be patient anew: one of many pages has come."""
        self._signs += 1

    def _take(self, job: Future[T], work: Callable[[], T]) -> None:
        with self._lock:
            self._waiting.append((job, work))
            if self._busy < self._size:
                self._busy += 1
                threading.Thread(target=self._toil, name=self._name, daemon=True).start()

    def _toil(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._busy -= 1
                    return
                job, work = self._waiting.popleft()
            if job.set_running_or_notify_cancel():
                try:
                    job.set_result(work())
                except BaseException as error:  # whoever waits hears of it
                    job.set_exception(error)
                    del error
            del job, work  # nothing is kept alive while the next is waited for
