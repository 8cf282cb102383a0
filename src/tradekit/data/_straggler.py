"""A call that was given up as late goes on for a while, to show how late it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from ._calls import let_die

LONGEST = 2.0  # seconds


def let_straggle(call: asyncio.Task[None], seconds: float, ended: Callable[[bool], None]) -> None:
    """Let a call go on while its caller does, who need not wait for it.

    It is cancelled when its time is up, with the caller, and with the event loop.

    Parameters
    ----------
    call : Task
        Of the running loop.
    seconds : float
        How long it may still take.
    ended : callable
        Is told whether it came to its own end.
    """
    caller = cast("asyncio.Task[object]", asyncio.current_task())
    let_die(call)
    up = asyncio.get_running_loop().call_later(seconds, call.cancel)

    def leave(caller: asyncio.Task[object]) -> None:
        if caller.cancelled():
            call.cancel()

    def end(call: asyncio.Task[None]) -> None:
        up.cancel()
        caller.remove_done_callback(leave)
        ended(not call.cancelled() and call.exception() is None)

    caller.add_done_callback(leave)
    call.add_done_callback(end)
