"""The socket of the fake providers: one thread, one port for each, connections that are kept."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import TypeAlias
from urllib.parse import parse_qsl, urlsplit

import attrs

from ._provider_dialect import Asked, Reply, reply

Talk: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Respond: TypeAlias = Callable[[str, Asked], Awaitable[Reply | Talk]]

_DRIP = 0.05  # seconds between two bytes of an answer that drips
_HOST = "127.0.0.1"
_WAITING = 1_024  # connections that may stand in line
_LONGEST = 2**20  # bytes of a question's head: thousands of symbols
_ENDS = (ConnectionError, asyncio.IncompleteReadError)


class Server:
    """Listen on this machine until closed; nothing is left behind then.

    Parameters
    ----------
    names : sequence of str
        Who is listened for, each on a port of its own.
    respond : callable
        Awaited with a name and a request; gives the reply, or who takes the connection over.
    """

    def __init__(self, names: Sequence[str], respond: Respond) -> None:
        self._names, self._respond = tuple(names), respond
        self._up: Future[dict[str, str]] = Future()
        self._thread = threading.Thread(target=self._run, name="tradekit-providers", daemon=True)
        self._thread.start()
        self.urls = self._up.result()

    def close(self) -> None:
        """Hang up on everybody, and wait for the thread to end."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            if self._up.done():
                raise
            self._up.set_exception(error)

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        servers, urls = [], {}
        for name in self._names:
            talk = partial(self._talk, name)
            server = await asyncio.start_server(talk, _HOST, 0, limit=_LONGEST, backlog=_WAITING)
            servers.append(server)
            urls[name] = f"http://{_HOST}:{server.sockets[0].getsockname()[1]}"
        self._up.set_result(urls)
        await self._over.wait()
        for server in servers:
            server.close()
        # Whoever still talks is cut off when the loop ends.

    async def _talk(
        self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            with suppress(*_ENDS):
                while await self._turn(name, reader, writer):
                    pass
        except asyncio.CancelledError:
            writer.transport.abort()  # also on who does not read what was written
        finally:
            writer.close()
            with suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _turn(
        self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one question, and tell whether another may follow."""
        try:
            asked = await _read(reader)
        except (ValueError, asyncio.LimitOverrunError):
            refused = reply("no request that can be read", HTTPStatus.BAD_REQUEST)
            asked, answer = Asked("", {}, {}), attrs.evolve(refused, keep=False)
        else:
            heard = await self._respond(name, asked)
            if not isinstance(heard, Reply):
                await heard(reader, writer)
                return False
            answer = heard
        return await _send(answer, asked, reader, writer)


async def _read(reader: asyncio.StreamReader) -> Asked:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ")
    url = urlsplit(target)
    pairs = (line.partition(":") for line in lines[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(url.path, dict(parse_qsl(url.query)), headers, method, body)


async def _send(
    reply: Reply, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    """Send a reply as it is to be sent, and tell whether the connection is kept."""
    if reply.manner == "hang":
        await reader.read()  # until who asked hangs up
    if reply.manner in ("hang", "drop"):
        return False
    keep = reply.keep and asked.headers.get("connection", "").lower() != "close"
    body = reply.body.encode()
    headers = {**reply.headers, "Content-Length": len(body)}
    headers |= {} if keep else {"Connection": "close"}
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    if asked.method == "HEAD":
        body = b""
    if reply.manner == "drip":
        writer.write(head)
        await _drip(body, writer)
    else:
        writer.write(head + body)
    await writer.drain()
    return keep


async def _drip(body: bytes, writer: asyncio.StreamWriter) -> None:
    for byte in body:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(_DRIP)
