from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx
import pytest

from tradekit.testing._provider_dialect import Reply, reply
from tradekit.testing._provider_server import Server


@contextmanager
def serving(answer):
    async def respond(name, asked):
        return answer(name, asked)

    server = Server(("one", "two"), respond)
    try:
        yield server
    finally:
        if server._thread.is_alive():
            server.close()


def echo(name, asked):
    return reply([name, asked.path, dict(asked.params), asked.headers["x-key"]])


def test_a_request_arrives_and_a_reply_comes_back():
    with serving(echo) as server:
        answer = httpx.get(f"{server.urls['two']}/a/b?x=1&y=a+b", headers={"X-Key": "k: v"})
    assert (answer.status_code, answer.json()) == (
        200,
        ["two", "/a/b", {"x": "1", "y": "a b"}, "k: v"],
    )


def test_a_reply_that_drips_comes_in_pieces_that_no_socket_timeout_notices():
    with (
        serving(lambda *_: Reply(200, "drops", manner="drip")) as server,
        httpx.stream("GET", server.urls["one"], timeout=1) as answer,
    ):
        assert [piece for piece in answer.iter_raw() if piece] == [b"d", b"r", b"o", b"p", b"s"]


def test_who_hangs_says_nothing():
    with (
        serving(lambda *_: Reply(200, "", manner="hang")) as server,
        pytest.raises(httpx.ReadTimeout),
    ):
        httpx.get(server.urls["one"], timeout=0.1)


def test_who_drops_hangs_up():
    dropping = serving(lambda *_: Reply(200, "", manner="drop"))
    with dropping as server, pytest.raises(httpx.RemoteProtocolError):
        httpx.get(server.urls["one"], timeout=5)


@pytest.mark.parametrize("manner", ["hang", "drip"])
def test_closing_hangs_up_on_who_waits_and_leaves_no_thread(manner):
    before, outcome, asked = threading.active_count(), [], threading.Event()

    def answer(*_):
        asked.set()
        return Reply(200, "x" * 100_000, manner=manner)

    def ask(url):
        try:
            httpx.get(url, timeout=30)
        except httpx.TransportError as error:
            outcome.append(type(error))

    with serving(answer) as server:
        client = threading.Thread(target=ask, args=(server.urls["one"],))
        client.start()
        assert asked.wait(10)
    client.join(10)
    assert outcome == [httpx.RemoteProtocolError]
    assert threading.active_count() == before
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.urls["one"], timeout=1)


def test_many_are_served_at_once():
    with serving(echo) as server:
        answers = []

        def ask(number):
            answers.append(
                httpx.get(f"{server.urls['one']}/{number}", headers={"X-Key": "k"}).json()
            )

        clients = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
        for client in clients:
            client.start()
        for client in clients:
            client.join(20)
    assert sorted(int(path[1:]) for _, path, _, _ in answers) == list(range(20))


def test_one_connection_serves_many_questions_until_the_client_has_enough():
    with serving(echo) as server:
        asking = HTTPConnection(urlsplit(server.urls["one"]).netloc)
        ports = set()
        for close in ({}, {}, {"Connection": "close"}):
            asking.request("GET", "/a", headers={"X-Key": "k", **close})
            ports.add(asking.sock.getsockname()[1])
            answer = asking.getresponse()
            answer.read()
        assert (len(ports), answer.getheader("Connection"), asking.sock) == (1, "close", None)


def test_a_head_is_told_without_its_body_and_a_body_is_heard():
    def heard(name, asked):
        return reply([asked.method, asked.body.decode()])

    with serving(heard) as server, httpx.Client() as client:
        head = client.head(server.urls["one"])
        post = client.post(server.urls["one"], content="x" * 100_000)
    assert (head.status_code, head.content, int(head.headers["Content-Length"])) == (200, b"", 12)
    assert post.json() == ["POST", "x" * 100_000]


def test_thousands_of_symbols_fit_into_one_question():
    names = ",".join(f"S{number}" for number in range(20_000))
    with serving(echo) as server:
        asking = HTTPConnection(urlsplit(server.urls["one"]).netloc)
        asking.request("GET", f"/?symbols={names}", headers={"X-Key": "k"})
        told = json.load(asking.getresponse())
        asking.close()
    assert told[2] == {"symbols": names}


@pytest.mark.parametrize(
    "said", [b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"]
)
def test_what_cannot_be_read_is_refused(said):
    with serving(echo) as server, knock(server) as line:
        line.sendall(said)
        assert line.makefile("rb").read().startswith(b"HTTP/1.1 400 Bad Request\r\n")


@contextmanager
def knock(server):
    here = urlsplit(server.urls["one"])
    with socket.create_connection((here.hostname, here.port), timeout=10) as line:
        yield line


def test_who_hangs_up_midway_disturbs_nobody(caplog):
    huge = Reply(200, "x" * 10_000_000)
    with serving(lambda name, _: huge if name == "one" else reply("well")) as server:
        for said in (b"", b"GET / HT", b"GET / HTTP/1.1\r\n\r\n"):
            with knock(server) as line:
                line.sendall(said)
        assert httpx.get(server.urls["two"]).text == "well"
    assert caplog.text == ""


def test_closing_does_not_wait_for_who_does_not_read():
    begun = threading.Event()

    def answer(*_):
        begun.set()
        return Reply(200, "x" * 10_000_000)

    with serving(answer) as server, knock(server) as line:
        line.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert begun.wait(10)
        server.close()
        assert not server._thread.is_alive()
