from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from time import monotonic

import pytest

from tradekit.data._crew import Crew, LeftError


def run(crew, work, patience=5.0):
    return asyncio.run(crew.run(work, patience=patience))


def test_it_gives_what_the_work_gives_or_raises_what_it_raises():
    crew = Crew(1, "crew")
    assert run(crew, lambda: threading.current_thread().name) == "crew"
    with pytest.raises(ZeroDivisionError):
        run(crew, lambda: 1 / 0)
    assert run(crew, lambda: "still there") == "still there"


def test_one_alone_does_what_it_is_sent_in_order():
    crew, done = Crew(1, "crew"), []
    futures = [crew.send(lambda n=n: done.append(n)) for n in range(50)]
    futures.append(crew.send(lambda: 1 / 0))
    with pytest.raises(ZeroDivisionError):
        futures[-1].result(5)
    assert done == [*range(50)]


def test_no_more_than_its_size_work_at_once_and_all_is_done():
    crew, door = Crew(2, "pair"), threading.Barrier(2)

    def in_pairs():
        door.wait(5)  # a third one would break the pairs of an even number
        return sum(thread.name == "pair" for thread in threading.enumerate())

    async def many():
        return await asyncio.gather(*(crew.run(in_pairs, patience=5.0) for _ in range(6)))

    assert max(asyncio.run(many())) == 2


def test_work_that_hangs_is_given_up():
    crew, over = Crew(1, "crew"), threading.Event()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.05 s"):
        run(crew, over.wait, patience=0.05)
    assert run(crew, lambda: "next") == "next"  # though the thread hangs on
    over.set()


def test_a_caller_who_leaves_leaves_his_place_to_others():
    crew, over = Crew(1, "left"), threading.Event()

    async def main():
        leaving = asyncio.create_task(crew.run(over.wait, patience=60.0))
        while not any(thread.name == "left" for thread in threading.enumerate()):
            await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        return await crew.run(lambda: "next", patience=5.0)

    assert asyncio.run(main()) == "next"
    over.set()


def test_of_threads_that_hang_there_is_an_end():
    crew, over = Crew(1, "hung"), threading.Event()
    for _ in range(12):
        with pytest.raises(TimeoutError):
            run(crew, over.wait, patience=0.01)
    assert sum(thread.name == "hung" for thread in threading.enumerate()) == 8
    over.set()
    assert run(crew, lambda: "next") == "next"


def test_the_sign_of_one_does_not_keep_another_alive():
    crew, over = Crew(2, "crew"), threading.Event()

    def pages():
        while not over.wait(0.02):
            crew.sign_of_life()

    async def main():
        lively = asyncio.create_task(crew.run(pages, patience=5.0))
        with pytest.raises(TimeoutError):
            await crew.run(over.wait, patience=0.1)
        over.set()
        await lively

    asyncio.run(main())


def test_work_that_nobody_waits_for_any_more_does_not_begin():
    crew, over, begun = Crew(1, "crew"), threading.Event(), []

    async def impatient():
        first = asyncio.create_task(crew.run(over.wait, patience=5.0))
        await asyncio.sleep(0)  # it begins
        with pytest.raises(TimeoutError):
            await crew.run(lambda: begun.append(1), patience=0.05)
        over.set()
        await first

    asyncio.run(impatient())
    assert run(crew, lambda: begun) == []


def test_work_that_nobody_waits_for_any_more_ends_at_its_next_sign_of_life():
    crew, over, told = Crew(1, "crew"), threading.Event(), []

    def pages():
        over.wait(5)
        try:
            crew.sign_of_life()
        except LeftError:
            told.append("left")

    with pytest.raises(TimeoutError):
        run(crew, pages, patience=0.05)
    over.set()
    while crew._threads:
        over.wait(0)
    assert told == ["left"]


def test_signs_of_life_prolong_the_patience():
    crew = Crew(1, "crew")

    def pages():
        rest = threading.Event()
        for _ in range(8):
            rest.wait(0.1)
            crew.sign_of_life()
        return "all pages"

    assert run(crew, pages, patience=0.6) == "all pages"


def test_a_thread_that_hangs_does_not_hold_the_process():
    script = """
import asyncio, threading
from tradekit.data._crew import Crew
try:
    asyncio.run(Crew(1, "crew").run(threading.Event().wait, patience=0.05))
except TimeoutError:
    print("given up", flush=True)
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=True
    )
    assert ended.stdout == "given up\n"


def test_who_hangs_is_given_up_when_patience_ends_and_not_a_turn_later():
    crew, over = Crew(1, "crew"), threading.Event()
    begun = monotonic()
    with pytest.raises(TimeoutError):
        run(crew, over.wait, patience=0.3)
    assert 0.3 <= monotonic() - begun < 0.5
    over.set()
