"""Hearing whether code opens files, sockets or processes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOUD = ("open", "socket.", "subprocess.", "os.system", "sqlite3.connect", "urllib.")
_ears = threading.local()
_hooked = threading.Event()


@contextmanager
def listening() -> Iterator[list[str]]:
    """Collect what this thread opens, as the interpreter's own audit events tell it.

    Yields
    ------
    list of str
        Grows as it happens: the event, and what was opened.
    """
    if not _hooked.is_set():
        _hooked.set()
        sys.addaudithook(_hear)  # it stays for good, and is deaf outside this context
    heard: list[str] = []
    _ears.heard = heard
    try:
        yield heard
    finally:
        del _ears.heard


def _hear(event: str, args: tuple[object, ...]) -> None:
    heard = getattr(_ears, "heard", None)
    if heard is not None and event.startswith(_LOUD):
        heard.append(f"{event} {args[0] if args else ''}".strip())
