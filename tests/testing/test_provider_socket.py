"""The real websockets client talks to the server's side."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager

import pytest

from tradekit.testing._provider_server import Server
from tradekit.testing._provider_socket import Socket

client = pytest.importorskip("websockets.sync.client")


@contextmanager
def echoing():
    async def respond(name, asked):
        async def talk(reader, writer):
            socket = Socket(reader, writer)
            await socket.accept(asked)
            while (message := await socket.receive()) is not None:
                await socket.send(message)
                await socket.send(message.decode())
            await asyncio.sleep(0)

        return talk

    server = Server(["one"], respond)
    try:
        yield server.urls["one"].replace("http", "ws")
    finally:
        server.close()


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 200_000])
def test_messages_of_every_length_come_back_as_bytes_and_as_text(size):
    with echoing() as url, client.connect(url, compression=None) as socket:
        socket.send("x" * size)
        assert socket.recv(10) == b"x" * size
        assert socket.recv(10) == "x" * size


def test_a_message_in_pieces_is_one():
    with echoing() as url, client.connect(url) as socket:
        socket.send(iter(["on", "e ", "message"]))
        assert socket.recv(10) == b"one message"


def test_a_ping_is_answered():
    with echoing() as url, client.connect(url) as socket:
        assert socket.ping().wait(10)


def test_a_goodbye_is_answered():
    with echoing() as url, client.connect(url) as socket:
        socket.close(1000)
        assert socket.close_code == 1000
