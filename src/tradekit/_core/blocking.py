"""Async rooms for people who write plain scripts: one loop in one thread runs everything."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from functools import wraps
from typing import Any, Generic, TypeVar, cast

from .errors import UsageError

T = TypeVar("T")


class _LoopThread:
    """An event loop that runs in a thread of its own, started when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        loop = self._running()
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise UsageError(
                "a blocking call inside the blocking loop would wait for itself",
                expected="a call from your own thread",
                got="a call from a coroutine that .blocking runs",
                hint="await the method itself",
            )
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C in the caller ends the work as well
            raise

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            # Threads do not survive a fork: the child needs a loop of its own.
            if self._loop is None or self._process != os.getpid():
                self._loop, self._process = asyncio.new_event_loop(), os.getpid()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="tradekit-blocking", daemon=True
                )
                self._thread.start()
            return self._loop


_LOOP = _LoopThread()


class Blocking(Generic[T]):
    """The blocking twin of an async object: ``blocking.method(...)`` waits for the answer.

    It works in plain scripts, in notebooks and inside a running loop, from any thread.

    Parameters
    ----------
    wrapped : object
        Whose async methods should block; everything else passes through.

    Examples
    --------
    >>> class Clockwork:
    ...     async def tick(self):
    ...         return "tock"
    >>> Blocking(Clockwork()).tick()
    'tock'
    """

    def __init__(self, wrapped: T) -> None:
        self._wrapped = wrapped

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._wrapped, name)
        if inspect.isasyncgenfunction(value):
            return wraps(value)(lambda *args, **kwargs: _drain(value(*args, **kwargs)))
        if inspect.iscoroutinefunction(value):
            return wraps(value)(lambda *args, **kwargs: _LOOP.run(value(*args, **kwargs)))
        return value

    def __dir__(self) -> list[str]:
        return dir(self._wrapped)

    def __repr__(self) -> str:
        return f"{self._wrapped!r}.blocking"


def _drain(items: AsyncIterator[T]) -> Iterator[T]:
    async def following() -> tuple[bool, T | None]:
        async for item in items:
            return True, item
        return False, None

    while (answer := _LOOP.run(following()))[0]:
        yield cast("T", answer[1])
