from __future__ import annotations

import asyncio

from tradekit.data._straggler import let_straggle


async def turns():
    for _ in range(5):
        await asyncio.sleep(0)


def straggling(then, seconds=60.0):
    """Tell what a call that waits for a gate, and straggles, comes to in the end."""

    async def main():
        gate, told, over = asyncio.Event(), [], asyncio.Event()

        async def call():
            await gate.wait()

        async def ask():
            let_straggle(asyncio.ensure_future(call()), seconds, told.append)
            await over.wait()

        caller = asyncio.ensure_future(ask())
        await turns()
        await then(gate, caller, over)
        await turns()
        if not caller.done():
            caller.cancel()
        return told

    return asyncio.run(main())


def test_it_goes_on_beside_its_caller_and_tells_when_it_has_come():
    async def come(gate, caller, over):
        gate.set()

    assert straggling(come) == [True]


def test_it_goes_on_when_its_caller_has_what_it_asked_for():
    async def come(gate, caller, over):
        over.set()
        await caller
        gate.set()

    assert straggling(come) == [True]


def test_it_is_cancelled_with_its_caller():
    async def leave(gate, caller, over):
        caller.cancel()

    assert straggling(leave) == [False]


def test_it_is_cancelled_when_its_time_is_up():
    async def wait(gate, caller, over):
        await asyncio.sleep(0.03)

    assert straggling(wait, seconds=0.01) == [False]


def test_it_is_cancelled_with_its_event_loop():
    told = []

    async def main():
        async def call():
            await asyncio.Event().wait()

        let_straggle(asyncio.ensure_future(call()), 60, told.append)

    asyncio.run(main())
    assert told == [False]
