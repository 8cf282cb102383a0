"""Calls to sources: how long they may take, and what came of them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

from .._core.answers import source_name
from .._core.errors import SourceError
from .._core.source import DataSource

T = TypeVar("T")


class Deadline:
    """The time that a call may take, shared out to those who are still to be asked.

    Parameters
    ----------
    timeout : timedelta
        From now on, by the running loop.
    """

    def __init__(self, timeout: timedelta) -> None:
        self._end = asyncio.get_running_loop().time() + timeout.total_seconds()

    def share(self, among: int) -> float:
        """Give one of so many the seconds that are due to it."""
        return max(0.0, self._end - asyncio.get_running_loop().time()) / among


async def within(
    seconds: float, source: DataSource, calls: Sequence[Coroutine[Any, Any, T]]
) -> list[T | SourceError]:
    """Wait for calls to a source side by side; what is not there in time is given up.

    Parameters
    ----------
    seconds : float
        How long to wait.
    source : DataSource
        Whom they ask.
    calls : sequence of coroutine
        Not yet started.

    Returns
    -------
    list
        What each gave, or why not, in the same order.
    """
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        # Not asyncio.timeout: it would throw away an answer that came while the loop was blocked.
        await asyncio.wait(tasks, timeout=seconds)
        return [outcome(t, source) if t.done() else late(source, seconds) for t in tasks]
    finally:
        hang_up(tasks)


def late(source: DataSource, seconds: float) -> SourceError:
    """Say that a source took too long.

    Parameters
    ----------
    source : DataSource
        Which one.
    seconds : float
        How long it was waited for.

    Returns
    -------
    SourceError
        Its ``fault`` is ``late``.
    """
    name = source_name(source)
    return SourceError(
        f"{name} did not answer in time",
        got=f"nothing within {seconds:.1f} s",
        hint="MultiSourceDataManager(..., timeout=...) for slow networks",
        source=name,
        fault="late",
    )


def outcome(task: asyncio.Task[T], source: DataSource) -> T | SourceError:
    """Give what a call that is over came to, or why it failed.

    Parameters
    ----------
    task : Task
        It is done.
    source : DataSource
        Whom it asked.

    Returns
    -------
    object
        What it gave, or the error.

    Raises
    ------
    KeyboardInterrupt, SystemExit
        When somebody ends the program meanwhile.
    """
    name = source_name(source)
    if task.cancelled():
        return SourceError(f"{name} gave up", got="CancelledError", source=name)
    error = task.exception()
    if error is None:
        return task.result()
    if isinstance(error, SourceError):
        return error
    if isinstance(error, KeyboardInterrupt | SystemExit):
        raise error
    # Anything else is the source's own affair, a panic of a client written in Rust as well.
    got = str(error) or repr(error)
    told = SourceError(f"{name} is broken", retryable=False, got=got, source=name)
    told.__cause__ = error
    return told


def hang_up(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel calls that nobody waits for any more.

    Parameters
    ----------
    tasks : iterable of Task
        Done or not.
    """
    for task in tasks:
        if not task.done():
            task.add_done_callback(_forget)
            with suppress(RuntimeError):  # its loop is closed already
                task.cancel()


def let_die(task: asyncio.Task[Any]) -> None:
    """Let a task end with its event loop, without a word where the loop is closed first."""
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # as asyncio.gather does


def _forget(task: asyncio.Task[Any]) -> None:
    """Nobody waits for it any more; asyncio need not complain that nobody looked."""
    if not task.cancelled():
        task.exception()
