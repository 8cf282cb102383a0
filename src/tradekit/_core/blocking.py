"""Async rooms for people who write plain scripts: one loop in one thread runs everything."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from concurrent.futures import wait
from functools import wraps
from typing import Any, Generic, TypeVar

from .errors import UsageError

T = TypeVar("T")

# Windows hears Ctrl-C only when a wait ends.
_SECONDS_DEAF = 0.5
_END: Any = object()
# What is being listened to: were all of it found lost at once, asyncio would end each part of it
# beside the whole.
_HELD: set[AsyncGenerator[Any, None]] = set()


class _LoopThread:
    """An event loop that runs in a thread of its own, started when it is first needed."""

    _loop: asyncio.AbstractEventLoop | None
    _thread: threading.Thread | None

    def __init__(self) -> None:
        self._forget()
        if hasattr(os, "register_at_fork"):
            # Threads do not survive a fork: the child needs a loop of its own.
            os.register_at_fork(after_in_child=self._forget)

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
            while not wait([future], _SECONDS_DEAF).done:
                pass
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C in the caller ends the work as well
            raise

    def end(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run to its end what gives nothing; in this thread itself nobody can wait for that."""
        if threading.current_thread() is self._thread:
            asyncio.run_coroutine_threadsafe(coroutine, self._running())
        else:
            self.run(coroutine)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop = self._loop = asyncio.new_event_loop()
                name = "tradekit-blocking"
                thread = threading.Thread(target=loop.run_forever, name=name, daemon=True)
                self._thread = thread
                thread.start()
            return self._loop

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._loop = self._thread = None


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

    _wrapped: T

    def __init__(self, wrapped: T) -> None:
        vars(self)["_wrapped"] = wrapped

    def __getattr__(self, name: str) -> Any:
        if name == "_wrapped":
            raise AttributeError(name)  # a copy in the making has nothing yet
        value = getattr(self._wrapped, name)
        if inspect.isasyncgenfunction(value):
            return wraps(value)(lambda *args, **kwargs: _drain(value(*args, **kwargs)))
        if inspect.iscoroutinefunction(value):
            return wraps(value)(lambda *args, **kwargs: _LOOP.run(value(*args, **kwargs)))
        return value

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._wrapped, name, value)

    def __dir__(self) -> list[str]:
        return dir(self._wrapped)

    def __repr__(self) -> str:
        return f"{self._wrapped!r}.blocking"


def _drain(items: AsyncGenerator[T, None]) -> Iterator[T]:
    turn = asyncio.Lock()

    async def following() -> T:
        async with turn:
            return await anext(items, _END)

    async def hang_up() -> None:
        async with turn:  # what Ctrl-C has cancelled may not have come to its end
            await items.aclose()
        _HELD.discard(items)

    _HELD.add(items)
    try:
        while (item := _LOOP.run(following())) is not _END:
            yield item
    finally:
        if not sys.is_finalizing():  # the loop's thread is gone by then, and nobody would answer
            _LOOP.end(hang_up())
