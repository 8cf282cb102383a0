from __future__ import annotations

import asyncio
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tradekit.data import _single_flight
from tradekit.data._single_flight import SingleFlight


class Runway:
    """A fetch that lands when it is told to, and counts who flew."""

    def __init__(self):
        self.flown, self.cancelled = [], 0
        self.free = threading.Event()

    async def fly(self, keys):
        self.flown.append(keys)
        try:
            while not self.free.is_set():
                await asyncio.sleep(0.001)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return {key: key.lower() for key in keys}


async def until(true):
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.001)


def waiting(flights, key):
    flight = flights._flying.get(key)
    return len(flight.bells) if flight else 0


async def several(flights, runway, *questions):
    tasks = [asyncio.create_task(flights.share(keys, runway.fly)) for keys in questions]
    await asyncio.sleep(0)
    return tasks


@pytest.fixture
def flights():
    return SingleFlight()


@pytest.fixture
def runway():
    return Runway()


def test_a_hundred_callers_make_one_call_and_nothing_is_kept(flights, runway):
    async def main():
        tasks = await several(flights, runway, *[["A"]] * 100)
        runway.free.set()
        assert await asyncio.gather(*tasks) == [{"A": "a"}] * 100
        assert (runway.flown, len(flights)) == ([("A",)], 0)
        await flights.share(["A"], runway.fly)
        assert runway.flown == [("A",)] * 2

    asyncio.run(main())


def test_what_is_not_yet_in_the_air_is_fetched_in_one_call(flights, runway):
    async def main():
        tasks = await several(flights, runway, "AB", "C", "DCBEAD")
        runway.free.set()
        last = (await asyncio.gather(*tasks))[-1]
        assert list(last.items()) == [("D", "d"), ("C", "c"), ("B", "b"), ("E", "e"), ("A", "a")]
        assert runway.flown == [("A", "B"), ("C",), ("D", "E")]

    asyncio.run(main())


def test_a_flight_goes_on_when_its_starter_leaves_and_ends_with_the_last_one(flights, runway):
    async def main():
        first, second, third = await several(flights, runway, "A", "A", "A")
        first.cancel()
        await asyncio.wait([first])
        assert (waiting(flights, "A"), runway.cancelled) == (2, 0)
        second.cancel()
        third.cancel()
        await asyncio.wait([second, third])
        assert len(flights) == 0
        await until(lambda: runway.cancelled == 1)
        assert all(task.cancelled() for task in (first, second, third))

    asyncio.run(main())


def test_who_comes_after_the_last_one_left_starts_anew(flights, runway):
    async def main():
        (first,) = await several(flights, runway, "A")
        first.cancel()
        await asyncio.wait([first])
        runway.free.set()
        assert await flights.share("A", runway.fly) == {"A": "a"}
        assert runway.flown == [("A",)] * 2

    asyncio.run(main())


def test_all_who_wait_hear_the_same_error(flights):
    async def crash(keys):
        await asyncio.sleep(0)
        raise OSError("no network")

    async def main():
        both = (flights.share("A", crash) for _ in range(2))
        first, second = await asyncio.gather(*both, return_exceptions=True)
        assert isinstance(first, OSError)
        assert first is second
        assert len(flights) == 0

    asyncio.run(main())


def test_a_call_that_leaves_a_key_out_is_an_error_and_no_endless_loop(flights):
    async def forgets(keys):
        return {}

    with pytest.raises(KeyError):
        asyncio.run(flights.share("A", forgets))


def test_a_flight_that_is_cancelled_from_outside_takes_its_starter_along_and_nobody_else(
    flights, runway
):
    async def main():
        first, second = await several(flights, runway, "A", "AB")
        await until(lambda: len(runway.flown) == 2)
        flights._flying["A"].task.cancel()
        await asyncio.wait([first])
        runway.free.set()
        assert first.cancelled()
        assert await second == {"A": "a", "B": "b"}
        assert runway.flown == [("A",), ("B",), ("A",)]

    asyncio.run(main())


def test_three_threads_make_one_call_and_a_caller_in_one_leaves_alone(flights, runway):
    async def caller():
        return await flights.share("AB", runway.fly)

    async def quitter():
        task = asyncio.create_task(caller())
        await until(lambda: waiting(flights, "A") == 3)
        task.cancel()
        await asyncio.wait([task])
        runway.free.set()
        return task.cancelled()

    with ThreadPoolExecutor(3) as pool:
        told = [pool.submit(asyncio.run, main()) for main in (caller, caller, quitter)]
        assert [future.result(10) for future in told] == [{"A": "a", "B": "b"}] * 2 + [True]
    assert len(runway.flown) == 1


async def walk_out(flights, runway):
    """Start a flight and end the loop when somebody else has joined it."""
    task = asyncio.create_task(flights.share("A", runway.fly))
    await until(lambda: waiting(flights, "A") == 2)
    return task


async def join(flights, runway):
    await until(lambda: waiting(flights, "A") == 1)
    task = asyncio.create_task(flights.share("A", runway.fly))
    await until(lambda: len(runway.flown) == 2)
    runway.free.set()
    return await task


def abandoned(main):
    """Run a loop that forgets its tasks, as asyncio.run does not."""
    loop = asyncio.new_event_loop()
    task = loop.run_until_complete(main)
    flight = next(other for other in asyncio.all_tasks(loop) if other is not task)
    return loop, task, flight


@pytest.mark.parametrize("run", [asyncio.run, abandoned])
def test_who_waits_for_a_loop_that_ended_starts_anew(flights, runway, run):
    with ThreadPoolExecutor(2) as pool:
        gone = pool.submit(run, walk_out(flights, runway))
        assert pool.submit(asyncio.run, join(flights, runway)).result(10) == {"A": "a"}
        left = gone.result(10)
    assert (len(runway.flown), len(flights)) == (2, 0)
    if run is abandoned:
        loop, *tasks = left
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.wait(tasks))
        loop.close()


def test_a_key_of_a_loop_that_was_left_in_the_air_can_be_fetched_again(flights, runway):
    loop = asyncio.new_event_loop()
    task = loop.create_task(flights.share("A", runway.fly))
    loop.run_until_complete(asyncio.sleep(0.005))
    runway.free.set()
    assert asyncio.run(flights.share("A", runway.fly)) == {"A": "a"}
    loop.run_until_complete(task)  # and when it runs again, its own caller is served
    loop.close()
    assert (task.result(), len(flights)) == ({"A": "a"}, 0)


@pytest.mark.parametrize("when", ["before", "after"])
def test_who_has_joined_a_loop_that_is_held_up_starts_anew(flights, runway, monkeypatch, when):
    monkeypatch.setattr(_single_flight, "_SECONDS_MUTE", 0.05)
    begun, over = threading.Event(), threading.Event()

    async def held_up():
        task = asyncio.create_task(flights.share("A", runway.fly))
        await until(lambda: waiting(flights, "A") == (1 if when == "before" else 2))
        begun.set()
        over.wait(10)
        return await task

    async def healthy():
        await until(lambda: waiting(flights, "A") == 1)
        if when == "before":
            begun.wait(10)
        count = 2 if when == "before" else 1
        callers = await several(flights, runway, *["A"] * count)
        await until(lambda: len(runway.flown) == 2)
        runway.free.set()
        return await asyncio.gather(*callers)

    with ThreadPoolExecutor(2) as pool:
        late = pool.submit(asyncio.run, held_up())
        served = pool.submit(asyncio.run, healthy()).result(10)
        over.set()
        assert late.result(10) == {"A": "a"}
    assert served[0] == served[-1] == {"A": "a"}
    assert (runway.flown, len(flights)) == ([("A",)] * 2, 0)


def test_ten_loops_one_after_the_other_share_the_same_object(flights, runway):
    runway.free.set()
    answers = [asyncio.run(flights.share("AB", runway.fly)) for _ in range(10)]
    assert answers == [{"A": "a", "B": "b"}] * 10
    assert runway.flown == [("A", "B")] * 10


@pytest.mark.parametrize("seed", range(5))
def test_whoever_is_not_cancelled_is_served_whoever_else_is(flights, seed):
    """Three threads of callers at random, half of whom leave sooner or later."""

    async def fly(keys):
        await asyncio.sleep(0.0005 * len(keys))
        return {key: key.lower() for key in keys}

    async def main(number):
        luck = random.Random(100 * seed + number)
        for _ in range(15):
            keys = [luck.sample("ABCDEF", luck.randint(1, 4)) for _ in range(8)]
            tasks = [asyncio.create_task(flights.share(wanted, fly)) for wanted in keys]
            doomed = luck.sample(tasks, 4)
            for task in doomed:
                await asyncio.sleep(luck.choice([0, 0.0003]))
                task.cancel()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            for task, wanted, answer in zip(tasks, keys, answers, strict=True):
                if task.cancelled():
                    assert task in doomed
                else:
                    assert answer == {key: key.lower() for key in wanted}

    with ThreadPoolExecutor(3) as pool:
        for run in [pool.submit(asyncio.run, main(number)) for number in range(3)]:
            run.result(20)
    assert len(flights) == 0


def test_what_is_wanted_is_found_without_comparing_it_to_all_the_rest(flights):
    class Key:
        compared = 0
        __hash__ = object.__hash__

        def __eq__(self, other):
            Key.compared += 1
            return self is other

    async def fly(keys):
        return dict.fromkeys(keys, 1)

    assert len(asyncio.run(flights.share([Key() for _ in range(300)], fly))) == 300
    assert Key.compared < 3_000


def test_patience_is_for_flights_of_other_loops_alone(flights, runway):
    async def slow(keys):
        await asyncio.sleep(0.3)
        return dict.fromkeys(keys, 1)

    assert asyncio.run(flights.share(["A"], slow, 0.05)) == {"A": 1}
    elsewhere = threading.Thread(target=asyncio.run, args=[flights.share(["B"], runway.fly)])
    elsewhere.start()
    try:
        with pytest.raises(TimeoutError, match="another event loop is held up"):
            asyncio.run(in_the_air(flights, "B", 0.05))
    finally:
        runway.free.set()
        elsewhere.join()


async def in_the_air(flights, key, patience):
    """Wait for what another loop is fetching."""
    await until(lambda: waiting(flights, key))
    return await flights.share([key], None, patience)
