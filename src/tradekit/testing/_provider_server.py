"""The socket of the fake providers: one thread, one port for each, one request a connection."""

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

from ._provider_dialect import Asked, Reply

Talk: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Respond: TypeAlias = Callable[[str, Asked], Awaitable[Reply | Talk]]

_DRIP = 0.05  # seconds between two bytes of an answer that drips
_HOST = "127.0.0.1"


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
            server = await asyncio.start_server(partial(self._talk, name), _HOST, 0)
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
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                answer = await self._respond(name, await _read(reader))
                if isinstance(answer, Reply):
                    await _send(answer, reader, writer)
                else:
                    await answer(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Asked:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    url = urlsplit(lines[0].split(" ")[1])
    pairs = (line.partition(":") for line in lines[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Asked(url.path, dict(parse_qsl(url.query)), headers)


async def _send(reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if reply.manner == "hang":
        await reader.read()  # until who asked hangs up
    if reply.manner in ("hang", "drop"):
        return
    body = reply.body.encode()
    headers = {**reply.headers, "Content-Length": len(body), "Connection": "close"}
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    if reply.manner == "plain":
        writer.write(head + body)
    else:
        writer.write(head)
        for byte in body:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(_DRIP)
    await writer.drain()
