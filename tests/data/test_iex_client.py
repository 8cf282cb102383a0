"""Connections to Tiingo over sockets of this machine, whose other end does what a test wants."""

from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import socket
import subprocess
import sys
import textwrap
import threading
import warnings
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from socketserver import StreamRequestHandler, ThreadingTCPServer
from time import monotonic

import httpx
import pytest

from tradekit import BarsRequest, FixedClock
from tradekit.data import IEXSource
from tradekit.data._iex_client import Call, IEXClient

NOW = FixedClock(datetime(2024, 3, 9, tzinfo=UTC))
BAR = dict.fromkeys(("open", "high", "low", "close", "volume"), 5.0)
ROWS = json.dumps([{"date": "2024-03-08T15:00:00Z", **BAR}])
HEAD = f"HTTP/1.1 200 OK\r\nContent-Length: {len(ROWS)}\r\n"
GOOD = f"{HEAD}\r\n{ROWS}".encode()
HANG_UP = None


class Server(ThreadingTCPServer):
    """Answers the n-th request with the pieces of ``answer(n)``; notes who comes and who leaves."""

    daemon_threads = True
    block_on_close = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.answer = lambda number: [GOOD]
        self.asked, self.came, self.over = 0, 0, threading.Event()
        self.heard, self.left = threading.Semaphore(0), threading.Semaphore(0)


class _Handler(StreamRequestHandler):
    def handle(self):
        self.server.came += 1
        with suppress(OSError):
            while self.asks() and self.answers():
                pass
        self.server.left.release()

    def asks(self):
        """Read a request to its end, and tell whether there was one."""
        while (line := self.rfile.readline()) not in (b"", b"\r\n"):
            pass
        return line != b""

    def answers(self):
        """Send an answer, and tell whether it ended without hanging up."""
        self.server.asked += 1
        self.server.heard.release()
        for piece in self.server.answer(self.server.asked):
            if piece is HANG_UP:
                return False
            self.wfile.write(piece)
        return True


@pytest.fixture
def server():
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.over.set()
        server.shutdown()


def drip(server, text):
    """A byte every 50 ms, each in time for the timeout of a socket."""
    for byte in text:
        if server.over.wait(0.05):
            return
        yield bytes([byte])


def source(server, seconds=4.0):
    timeout = timedelta(seconds=seconds)
    return IEXSource("token", url_override=server.url, timeout=timeout, clock=NOW)


def question(symbol="SPY"):
    day = {"start": datetime(2024, 3, 8, tzinfo=UTC), "end": NOW.at}
    return BarsRequest(symbol, "5Min", adjustment="raw", **day)


def fetch(source, symbol="SPY"):
    return asyncio.run(source.fetch(question(symbol)))


def error_of(source):
    return fetch(source).failures["SPY"]


def test_one_connection_serves_many_calls_and_event_loops(server):
    kept = source(server)
    for _ in range(5):
        fetch(kept)["SPY"]
        kept.blocking.fetch(question())["SPY"]
    assert (server.came, server.asked, kept.meter.calls) == (1, 10, 10)


def test_calls_at_once_have_connections_of_their_own_and_keep_them(server):
    kept, together = source(server), threading.Barrier(3)
    server.answer = lambda number: [GOOD] * (together.wait(5) < 3)
    for _ in range(2):
        fetched = fetch(kept, ("SPY", "QQQ", "IWM"))
        assert not fetched.failures
    assert (server.came, server.asked) == (3, 6)


def test_an_answer_that_is_a_refusal_keeps_the_connection(server):
    kept = source(server)
    server.answer = lambda number: [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]
    assert error_of(kept).fault == error_of(kept).fault == "unknown_symbol"
    assert server.came == 1


def test_a_connection_that_was_kept_too_long_for_the_server_is_no_error(server):
    kept = source(server)
    server.answer = lambda number: [HANG_UP if number == 2 else GOOD]
    fetch(kept)["SPY"]
    fetch(kept)["SPY"]
    assert (server.came, server.asked, kept.meter.calls) == (2, 3, 3)


def test_a_server_that_hangs_up_is_asked_once_more_at_most(server):
    kept = source(server)
    server.answer = lambda number: [HANG_UP]
    assert "got RemoteProtocolError" in str(error_of(kept))
    assert (server.came, server.asked) == (1, 1)  # it was a new one
    server.answer = lambda number: [GOOD if number == 2 else HANG_UP]
    fetch(kept)["SPY"]
    assert error_of(kept).fault == "transient"
    assert (server.came, server.asked, kept.meter.calls) == (3, 4, 4)


def test_a_part_of_an_answer_is_not_asked_for_again(server):
    kept = source(server)
    fetch(kept)["SPY"]
    server.answer = lambda number: [GOOD[:-20], HANG_UP]
    assert error_of(kept).fault == "transient"
    assert (server.came, server.asked) == (1, 2)


@pytest.mark.parametrize("begin", [0, len(HEAD) + 2], ids=["head", "body"])
@pytest.mark.parametrize("is_kept", [False, True], ids=["new", "kept"])
def test_who_drips_is_given_up_with_its_thread(server, ends_by_itself, begin, is_kept):
    slow = source(server, seconds=0.2)
    if is_kept:
        fetch(slow)["SPY"]

    def dripping(number):
        yield GOOD[:begin]
        yield from drip(server, GOOD[begin:])  # seconds in all

    server.answer = dripping
    begun = monotonic()
    assert "got TimeoutError: no answer within 0.3 s" in str(error_of(slow))
    assert monotonic() - begun < 1.0
    assert ends_by_itself("tradekit-iex")
    server.answer = lambda number: [GOOD]
    fetch(slow)["SPY"]


def test_who_is_cancelled_hangs_up_and_takes_nobody_along(server, ends_by_itself):
    shared, go_on = source(server, seconds=30), threading.Event()
    server.answer = lambda number: [] if number == 1 else [GOOD][: go_on.wait(5)]

    async def one_of_two():
        calls = []
        for symbol in ("SPY", "QQQ"):
            calls.append(asyncio.create_task(shared.fetch(question(symbol))))
            await asyncio.to_thread(server.heard.acquire, timeout=5)
        calls[0].cancel()
        assert await asyncio.to_thread(server.left.acquire, timeout=5)  # the server sees it
        go_on.set()
        return await calls[1]

    assert len(asyncio.run(one_of_two())["QQQ"]) == 1
    assert ends_by_itself("tradekit-iex")


def test_nothing_is_asked_when_nobody_waits_any_more(server):
    client = IEXClient(server.url, "token", 4.0, source(server).meter, lambda: None)
    with Call(client) as call:
        assert call.get("/iex/", {}).status_code == 200
    with pytest.raises(TimeoutError, match="nobody waits"):
        call.get("/iex/", {})
    assert server.asked == 1


def test_a_connection_that_comes_about_too_late_asks_nothing(server, monkeypatch):
    client = IEXClient(server.url, "token", 4.0, source(server).meter, lambda: None)
    connect, call = socket.create_connection, Call(client)

    def late(*args, **options):
        made = connect(*args, **options)
        call.__exit__()  # while the name was resolved
        return made

    monkeypatch.setattr(socket, "create_connection", late)
    with pytest.raises(httpx.TransportError):
        call.get("/iex/", {})
    assert server.left.acquire(timeout=5)
    assert server.asked == 0


def test_connections_end_with_the_source_and_without_a_warning(server):
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        fetch(source(server))["SPY"]
        gc.collect()
        assert server.left.acquire(timeout=5)
    assert not [warning for warning in warned if warning.category is ResourceWarning]


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_process_that_was_forked_connects_by_itself(server):
    kept = source(server)
    fetch(kept)["SPY"]
    child = multiprocessing.get_context("fork").Process(target=fetch, args=(kept,))
    child.start()
    child.join(20)
    assert child.exitcode == 0
    fetch(kept)["SPY"]
    assert (server.came, server.asked) == (2, 3)


def test_a_name_that_does_not_resolve_keeps_no_process_from_ending():
    script = """
        import asyncio, socket, threading
        from datetime import timedelta
        from tradekit import BarsRequest
        from tradekit.data import IEXSource

        socket.getaddrinfo = lambda *_, **__: threading.Event().wait()
        source = IEXSource("token", timeout=timedelta(seconds=0.5))
        request = BarsRequest("SPY", "5Min", limit=1, adjustment="raw")
        print(asyncio.run(source.fetch(request)).failures["SPY"].fault)
    """
    run = [sys.executable, "-W", "error", "-c", textwrap.dedent(script)]
    process = subprocess.run(run, capture_output=True, text=True, timeout=20, check=False)
    assert (process.stdout.strip(), process.stderr, process.returncode) == ("transient", "", 0)
