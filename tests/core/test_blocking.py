from __future__ import annotations

import asyncio
import contextvars
import copy
import os
import pickle
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait

import pytest

from tradekit._core import blocking
from tradekit._core.blocking import Blocking
from tradekit._core.errors import UsageError

MARK = contextvars.ContextVar("mark", default="none")


class Room:
    """An async object as the rooms have them."""

    patience = 3

    def __init__(self):
        self.log = []

    async def double(self, number, *, plus=0):
        """Twice the number."""
        await asyncio.sleep(0)
        return 2 * number + plus

    async def wait_for(self, event):
        return await asyncio.to_thread(event.wait)

    async def fail(self, error):
        raise error

    async def where(self):
        return threading.current_thread(), asyncio.get_running_loop()

    async def mark(self):
        return MARK.get()

    async def wait_for_ever(self, begun, ended):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def count(self, stop):
        try:
            for number in range(stop):
                await asyncio.sleep(0)
                yield number
        finally:
            self.log.append("hung up")

    async def count_and_fail(self):
        yield 1
        raise OSError("torn")

    async def call_back(self):
        return Blocking(self).double(1)

    async def stream_back(self):
        return list(Blocking(self).count(1))

    def plain(self):
        return "at once"


def run(script):
    """Run a script in a fresh interpreter, warnings being errors."""
    code = "import asyncio\nfrom tradekit._core.blocking import Blocking\n" + textwrap.dedent(
        script
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout.split()


def test_an_async_method_answers_like_a_plain_one():
    assert Blocking(Room()).double(3, plus=1) == 7


def test_everything_else_passes_through():
    room = Room()
    twin = Blocking(room)
    assert (twin.plain(), twin.patience, twin.log) == ("at once", 3, room.log)
    assert {"double", "plain", "patience"} <= set(dir(twin))
    assert twin.double.__doc__ == "Twice the number."
    assert repr(twin) == f"{room!r}.blocking"
    with pytest.raises(AttributeError, match="'Room' object has no attribute 'triple'"):
        _ = twin.triple


def test_what_is_set_on_the_twin_is_set_on_the_object():
    room = Room()
    Blocking(room).patience = 5
    assert room.patience == 5


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_twin_can_be_copied(again):
    assert again(Blocking(Room())).double(2) == 4


def test_it_works_inside_a_running_loop():
    async def notebook():
        return Blocking(Room()).double(3)

    assert asyncio.run(notebook()) == 6


def test_it_works_between_runs_of_other_loops():
    room = Room()
    answers = []
    for number in range(3):
        answers += [asyncio.run(room.double(number)), Blocking(room).double(number)]
    assert answers == [0, 0, 2, 2, 4, 4]


def test_all_threads_share_one_loop_in_a_thread_of_its_own():
    with ThreadPoolExecutor(8) as pool:
        places = set(pool.map(lambda _: Blocking(Room()).where(), range(40)))
    (((thread, _),)) = places
    assert thread.daemon
    assert thread not in (threading.main_thread(), threading.current_thread())


def test_calls_of_several_threads_run_at_once():
    here = threading.Barrier(3, timeout=10)

    class Meeting:
        async def meet(self):
            await asyncio.to_thread(here.wait)
            return True

    with ThreadPoolExecutor(3) as pool:
        assert all(pool.map(lambda _: Blocking(Meeting()).meet(), range(3)))


def test_an_error_comes_out_as_it_went_in():
    error = KeyError("gone")
    with pytest.raises(KeyError) as caught:
        Blocking(Room()).fail(error)
    assert caught.value is error


def test_a_time_out_of_the_object_is_not_taken_for_one_of_the_wait():
    with pytest.raises(TimeoutError, match="the vendor's"):
        Blocking(Room()).fail(TimeoutError("the vendor's"))


def test_work_that_was_cancelled_says_so():
    with pytest.raises(CancelledError):
        Blocking(Room()).fail(asyncio.CancelledError())


def test_ctrl_c_ends_the_work_as_well(monkeypatch):
    begun, ended = threading.Event(), threading.Event()

    def wait_until_ctrl_c(futures, timeout):
        assert begun.wait(10)
        raise KeyboardInterrupt

    monkeypatch.setattr(blocking, "wait", wait_until_ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        Blocking(Room()).wait_for_ever(begun, ended)
    assert ended.wait(10)


def test_no_wait_is_so_long_that_ctrl_c_would_not_be_heard(monkeypatch):
    waits, enough = [], threading.Event()

    def short(futures, timeout):
        waits.append(timeout)
        enough.set() if len(waits) > 2 else None
        return wait(futures, 0.001)

    monkeypatch.setattr(blocking, "wait", short)
    assert Blocking(Room()).wait_for(enough)
    assert max(waits) <= 1


def test_the_callers_context_is_seen():
    token = MARK.set("mine")
    try:
        assert Blocking(Room()).mark() == "mine"
    finally:
        MARK.reset(token)


@pytest.mark.parametrize("method", ["call_back", "stream_back"])
def test_a_call_that_would_wait_for_itself_is_refused(method):
    with pytest.raises(UsageError, match="a blocking call inside the blocking loop would wait"):
        getattr(Blocking(Room()), method)()
    assert Blocking(Room()).double(1) == 2


def test_an_async_generator_becomes_a_plain_one():
    room = Room()
    assert list(Blocking(room).count(3)) == [0, 1, 2]
    assert list(Blocking(room).count(0)) == []
    assert room.log == ["hung up"] * 2


def test_a_generator_that_is_left_early_is_hung_up():
    room = Room()
    numbers = Blocking(room).count(9)
    assert next(numbers) == 0
    assert room.log == []
    numbers.close()
    assert room.log == ["hung up"]


def test_ctrl_c_in_a_generator_is_ctrl_c_and_hangs_it_up(monkeypatch):
    begun, ended, waits = threading.Event(), threading.Event(), iter([True])

    class Mute:
        async def listen(self):
            begun.set()
            try:
                await asyncio.Event().wait()
                yield
            finally:
                await asyncio.sleep(0.05)  # saying goodbye takes its time
                ended.set()

    def ctrl_c_once(futures, timeout):
        if next(waits, False):
            assert begun.wait(10)
            raise KeyboardInterrupt
        return wait(futures, timeout)

    monkeypatch.setattr(blocking, "wait", ctrl_c_once)
    with pytest.raises(KeyboardInterrupt):
        next(Blocking(Mute()).listen())
    assert ended.is_set()


def test_a_generator_that_is_found_lost_in_the_loops_own_thread_is_hung_up_in_silence():
    script = """
        import contextlib, gc
        class Clockwork:
            ended = False
            async def seconds(self):
                try:
                    while True:
                        yield "tick"
                finally:
                    await asyncio.sleep(0.01)
                    self.ended = True
            async def ticks(self):
                async with contextlib.aclosing(self.seconds()) as seconds:
                    async for second in seconds:
                        yield second
            async def collect(self):
                gc.collect()
        clockwork = Clockwork()
        gc.disable()
        holder = [Blocking(clockwork).ticks()]
        holder.append(holder)
        next(holder[0])
        del holder
        while not clockwork.ended:
            Blocking(clockwork).collect()
        print(clockwork.ended)
    """
    assert run(script) == ["True"]


def test_an_error_of_a_generator_comes_out_after_what_it_gave():
    numbers = Blocking(Room()).count_and_fail()
    assert next(numbers) == 1
    with pytest.raises(OSError, match="torn"):
        next(numbers)


def test_a_plain_script_needs_nothing_and_ends_in_silence():
    script = """
        class Clockwork:
            async def tick(self):
                return "tock"
            async def ticks(self):
                while True:
                    yield "tick"
        print(Blocking(Clockwork()).tick())
        print(asyncio.run(Clockwork().tick()))
        endless = Blocking(Clockwork()).ticks()
        print(next(endless))
    """
    assert run(script) == ["tock", "tock", "tick"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX only: there is no fork")
def test_a_forked_child_has_a_loop_of_its_own():
    script = """
        import os, warnings
        class Clockwork:
            async def tick(self):
                return os.getpid()
        blocking = Blocking(Clockwork())
        assert blocking.tick() == os.getpid()
        warnings.simplefilter("ignore")  # Python warns of forks beside threads
        if not (child := os.fork()):
            assert blocking.tick() == os.getpid()
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), blocking.tick() == os.getpid())
    """
    assert run(script) == ["7", "True"]
