"""A websocket, as far as a provider's stream needs one (RFC 6455, without extensions)."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from hashlib import sha1
from struct import pack, unpack

from ._provider_dialect import Asked

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # of RFC 6455, 1.3
_TEXT, _BINARY, _CLOSE, _PING, _PONG = 1, 2, 8, 9, 10
_SHORT, _LONG = 126, 127  # lengths that say that the length follows


class Socket:
    """The server's side of one websocket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def accept(self, asked: Asked) -> None:
        """Switch from HTTP."""
        key = asked.headers.get("sec-websocket-key", "") + _MAGIC
        proof = b64encode(sha1(key.encode(), usedforsecurity=False).digest()).decode()
        lines = (
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {proof}",
        )
        await self._write("\r\n".join([*lines, "", ""]).encode())

    async def receive(self) -> bytes | None:
        """Wait for a message, answering pings meanwhile; None when the client says goodbye."""
        message = b""
        while True:
            final, kind, data = await self._frame()
            if kind == _CLOSE:
                await self._send(_CLOSE, data)
                return None
            if kind == _PING:
                await self._send(_PONG, data)
            elif kind != _PONG:
                message += data
                if final:
                    return message

    async def send(self, message: str | bytes) -> None:
        """Send a text, or bytes."""
        if isinstance(message, str):
            await self._send(_TEXT, message.encode())
        else:
            await self._send(_BINARY, message)

    async def _frame(self) -> tuple[bool, int, bytes]:
        first, second = await self._reader.readexactly(2)
        size = second & 127
        if size == _SHORT:
            (size,) = unpack(">H", await self._reader.readexactly(2))
        elif size == _LONG:
            (size,) = unpack(">Q", await self._reader.readexactly(8))
        mask = await self._reader.readexactly(4)  # of every frame that a client sends
        data = await self._reader.readexactly(size)
        plain = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
        return bool(first & 128), first & 15, plain

    async def _send(self, kind: int, data: bytes) -> None:
        size = len(data)
        if size < _SHORT:
            head = bytes([128 | kind, size])
        elif size < 2**16:
            head = bytes([128 | kind, _SHORT]) + pack(">H", size)
        else:
            head = bytes([128 | kind, _LONG]) + pack(">Q", size)
        await self._write(head + data)

    async def _write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()
