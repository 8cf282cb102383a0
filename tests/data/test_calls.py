from __future__ import annotations

import asyncio
import re
import time
from datetime import timedelta

import pytest

from tradekit import ContractError
from tradekit.data import MemorySource
from tradekit.data._calls import Deadline, late, within

SOURCE = MemorySource()


def test_a_deadline_is_shared_out():
    async def main():
        deadline = Deadline(timedelta(seconds=9))
        return deadline.share(3), deadline.share(1), Deadline(timedelta(0)).share(1)

    third, whole, nothing = asyncio.run(main())
    assert third == pytest.approx(3, abs=0.1)
    assert whole == pytest.approx(9, abs=0.1)
    assert nothing == 0


def test_what_is_not_there_in_time_is_given_up_and_cancelled():
    cleaned = []

    async def answer():
        return "here"

    async def hang():
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(1)

    async def main():
        answers = await within(0.02, SOURCE, [answer(), hang()])
        await asyncio.sleep(0)
        return answers, list(cleaned)

    (here, late), ended = asyncio.run(main())
    assert here == "here"
    assert "memory did not answer in time: got nothing within 0.0 s" in str(late)
    assert late.retryable
    assert ended == [1]


def test_an_answer_that_came_while_the_loop_was_blocked_counts():
    async def block():
        time.sleep(0.05)  # the very thing that is tried
        return "here"

    async def main():
        return await within(0.01, SOURCE, [block()])

    assert asyncio.run(main()) == ["here"]


def test_whoever_breaks_the_contract_fails_without_another_try():
    async def breach():
        raise ContractError("wrong answer")

    async def main():
        return await within(1, SOURCE, [breach()])

    (error,) = asyncio.run(main())
    assert "memory is broken: got wrong answer" in str(error)
    assert not error.retryable
    assert type(error.__cause__) is ContractError


class PanicError(BaseException):
    """As a client raises it that is written in Rust."""


@pytest.mark.parametrize(
    ("error", "got"), [(PanicError("rust"), "rust"), (GeneratorExit(), r"GeneratorExit\(\)")]
)
def test_whatever_a_source_breaks_with_is_its_own_affair(error, got):
    async def panic():
        raise error

    async def main():
        return await within(1, SOURCE, [panic()])

    (told,) = asyncio.run(main())
    assert re.search(f"memory is broken: got {got}", str(told))
    assert told.__cause__ is error


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_interruptions_pass_through(interruption):
    async def interrupted():
        raise interruption

    with pytest.raises(interruption):
        asyncio.run(within(1, SOURCE, [interrupted()]))


def test_a_caller_who_gives_up_ends_the_work():
    ended = []

    async def hang():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    async def main():
        task = asyncio.ensure_future(within(60, SOURCE, [hang(), hang()]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        return list(ended)

    assert asyncio.run(main()) == [1, 1]


def test_who_is_late_says_how_long_it_was_waited_for():
    error = late(SOURCE, 2.0)
    assert (error.fault, error.retryable) == ("late", True)
    assert "got nothing within 2.0 s" in str(error)
