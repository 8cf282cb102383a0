from __future__ import annotations

import threading
from contextlib import contextmanager

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
