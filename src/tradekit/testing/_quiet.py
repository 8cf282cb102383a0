"""Hearing whether code opens files, sockets or processes, or reads the clock."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from types import CodeType, FrameType
from typing import Any, TypeVar

T = TypeVar("T")

_LOUD = ("open", "socket.", "subprocess.", "os.system", "sqlite3.connect", "urllib.")
_NOW = {"now", "today", "utcnow"}
_COUNTERS = ("time", "monotonic", "perf_counter", "process_time", "thread_time")
_CLOCKS = {*_COUNTERS, *(f"{name}_ns" for name in _COUNTERS)}
# They read the clock for reasons of their own.
_EXCUSED = ("concurrent.", "logging", "numpy", "pandas", "threading")
_ears = threading.local()
_hooked = threading.Event()
_tracing = threading.Lock()


@contextmanager
def listening() -> Iterator[list[str]]:
    """Collect what this thread opens, as the interpreter's audit events tell it, and clock reads.

    Yields
    ------
    list of str
        Grows as it happens: the event, and what was opened.
    """
    if not _hooked.is_set():
        _hooked.set()
        sys.addaudithook(_hear)  # it stays for good, and is deaf outside this context
    heard: list[str] = []
    profiler = sys.getprofile()
    _ears.heard = heard
    sys.setprofile(_watch)
    try:
        yield heard
    finally:
        sys.setprofile(profiler)
        del _ears.heard


def _hear(event: str, args: tuple[object, ...]) -> None:
    heard = getattr(_ears, "heard", None)
    if heard is not None and event.startswith(_LOUD):
        heard.append(f"{event} {args[0] if args else ''}".strip())


def _watch(frame: FrameType, event: str, called: Any) -> None:
    if str(frame.f_globals.get("__name__")).startswith(_EXCUSED):
        return
    if event == "c_call" and _tells_time(called):
        _ears.heard.append(f"the clock, {called.__qualname__}")
    if event == "call" and (name := _vendors_now(frame.f_code)):
        _ears.heard.append(f"the clock, {name} in {frame.f_code.co_name}")


def _tells_time(called: Any) -> bool:
    if called.__module__ == "time":
        return called.__name__ in _CLOCKS
    owner = called.__self__
    return called.__name__ in _NOW and isinstance(owner, type) and issubclass(owner, date)


def _vendors_now(code: CodeType) -> str | None:
    """Tell who reads the clock where the interpreter does not see it: compiled code of vendors."""
    names = set(code.co_names)
    if "Timestamp" in names and names & _NOW:
        return "Timestamp.now"
    return "datetime64('now')" if "datetime64" in names and "now" in code.co_consts else None


class _Turns:
    """Threads that go on one at a time: each waits until the turn comes round to it again."""

    # Seconds until a thread is held to be waiting for a lock of the user's; it is left out then,
    # until it comes back.
    PATIENCE = 0.1

    def __init__(self, count: int) -> None:
        self._there, self._next = set(range(count)), 0
        self._changed = threading.Condition()

    def wait(self, me: int) -> None:
        with self._changed:
            self._there.add(me)
            if not self._changed.wait_for(lambda: self._next == me, self.PATIENCE):
                self._there.discard(self._next)
                self._next = me

    def pass_on(self, me: int) -> None:
        with self._changed:
            later = {other for other in self._there if other > me}
            self._next = min(later or self._there or {me})
            self._changed.notify_all()

    def leave(self, me: int) -> None:
        with self._changed:
            self._there.discard(me)
        self.pass_on(me)


def side_by_side(calls: Sequence[Callable[[], T]], module: str) -> list[T]:
    """Run calls in threads of their own that take turns after every line of one module.

    Parameters
    ----------
    calls : sequence of callable
        What to run.
    module : str
        Whose lines.

    Returns
    -------
    list
        Their answers, in order.
    """
    turns = _Turns(len(calls))

    def run(me: int) -> T:
        def turn(frame: FrameType, *_: Any) -> Any:
            if frame.f_globals.get("__name__") != module:
                return None
            turns.pass_on(me)
            turns.wait(me)
            return turn

        turns.wait(me)
        _trace(turn)
        try:
            return calls[me]()
        finally:
            _trace(None)
            turns.leave(me)

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, range(len(calls))))


def _trace(turn: Callable[..., Any] | None) -> None:
    with _tracing:  # two threads must not do this at once
        sys.settrace(turn)
