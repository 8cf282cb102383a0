"""Alpaca's stream: minute bars as the clock completes them, in JSON or msgpack."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .._core.clock import from_ns
from .._core.timeframe import Timeframe
from ._provider_alpaca import written
from ._provider_dialect import Asked
from ._provider_faults import FAULTS, Faults
from ._provider_market import Market
from ._provider_rows import BENT, Rows, bent, on_iex
from ._provider_socket import Socket

if TYPE_CHECKING:
    import numpy as np

_MINUTE = Timeframe("1Min")
_POLL = 0.01  # seconds between two looks at the clock
_CHANNELS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")
_REFUSED = {
    "401": (402, "auth failed"),
    "429": (406, "connection limit exceeded"),
    "500": (500, "internal error"),
}
_TOO_POOR = (409, "insufficient subscription")
_FULL = (405, "symbol limit exceeded")
_AT_CONNECT = {*_REFUSED, "403_sip", "hang", "drop"}
_AT_BARS = {*BENT, "hang", "drop"} - {"stale_day", "missing_tail", "unadjusted_split"}
STREAM_FAULTS = tuple(fault for fault in FAULTS if fault in _AT_CONNECT | _AT_BARS)

Record = Callable[[str, str | None], None]


class Hub:
    """Everybody who listens, and what befalls them.

    One fault at most strikes each connection, and each minute that is sent.
    """

    def __init__(
        self, market: Market, seed: int, faults: Faults, record: Record, most: int | None
    ) -> None:
        self.market, self.seed, self.record, self.most = market, seed, record, most
        self.faults = faults

    def fault(self, path: str, among: set[str]) -> tuple[str | None, np.random.Generator]:
        """Tell what befalls the next connection, or the next minute."""
        fault, rng = self.faults.next(lambda name: name in among, among is _AT_BARS)
        self.record(path, fault)
        return fault, rng

    async def talk(
        self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve one client until either hangs up."""
        if self.faults.outages:
            return self.record(asked.path, "outage")
        free = {"403_sip"} if asked.path.endswith("/iex") else set()  # everybody may have that
        fault, _ = self.fault(asked.path, _AT_CONNECT - free)
        if fault == "drop":
            return None
        line = _Line(self, asked, Socket(reader, writer), fault)
        await line.socket.accept(asked)
        if fault != "hang":
            await line.say({"T": "success", "msg": "connected"})
        tasks = [asyncio.ensure_future(work) for work in (line.listen(), line.push())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class _Line:
    """One connection."""

    def __init__(self, hub: Hub, asked: Asked, socket: Socket, fault: str | None) -> None:
        self.hub, self.socket, self._fault = hub, socket, fault
        packed = "msgpack" in asked.headers.get("content-type", "")
        self._msgpack: Any = import_module("msgpack") if packed else None  # comes with alpaca-py
        self._on_iex = asked.path.endswith("/iex")
        self._known = self._mute = False
        self._bars: set[str] = set()

    async def say(self, *messages: Mapping[str, Any]) -> None:
        """Send messages in one frame."""
        if self._msgpack:
            await self.socket.send(self._msgpack.packb(messages, datetime=True))
        else:
            await self.socket.send(json.dumps(messages, default=_text))

    async def listen(self) -> None:
        """Answer what the client says."""
        while (message := await self.socket.receive()) is not None:
            if self._fault != "hang":
                await self.say(self._answer(self._read(message)))

    def _read(self, message: bytes) -> Mapping[str, Any]:
        return dict(self._msgpack.unpackb(message) if self._msgpack else json.loads(message))

    def _answer(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        action = said.get("action")
        if action == "auth":
            if self._fault in _REFUSED:
                return _error(*_REFUSED[self._fault])
            self._known = bool(said.get("key") and said.get("secret"))
            authenticated = {"T": "success", "msg": "authenticated"}
            return authenticated if self._known else _error(*_REFUSED["401"])
        if not self._known:
            return _error(401, "not authenticated")
        if action not in ("subscribe", "unsubscribe"):
            return _error(400, "invalid syntax")
        if self._fault == "403_sip":
            return _error(*_TOO_POOR)
        asked = set(said.get("bars", ()))
        bars = self._bars | asked if action == "subscribe" else self._bars - asked
        if self.hub.most is not None and len(bars) > self.hub.most:
            return _error(*_FULL)
        self._bars = bars
        told: dict[str, list[str]] = {channel: [] for channel in _CHANNELS}
        return {"T": "subscription", **told, "bars": sorted(bars)}

    async def push(self) -> None:
        """Send each minute when it is over, until a fault hangs up."""
        market, sent = self.hub.market, self._over()
        while True:
            await asyncio.sleep(_POLL)
            if self.hub.faults.outages:
                return
            if (over := self._over()) <= sent:
                continue
            symbols, last = sorted(self._bars), over - _MINUTE.ns
            found = await market.window(symbols, _MINUTE, sent, last, "raw") if symbols else {}
            sent = over
            for minute in _minutes([self._seen(rows) for rows in found.values()]):
                if not await self._send(minute):
                    return

    def _over(self) -> int:
        """When the newest complete minute ended."""
        return self.hub.market.now // _MINUTE.ns * _MINUTE.ns

    def _seen(self, rows: Rows) -> Rows:
        return on_iex(rows, _MINUTE, self.hub.seed) if self._on_iex else rows

    async def _send(self, minute: Sequence[Rows]) -> bool:
        """Send one minute of all symbols, and tell whether the line stands."""
        if self._mute:
            return True
        fault, rng = self.hub.fault("bars", _AT_BARS)
        if fault == "drop":
            return False
        self._mute = fault == "hang"
        messages = [m for rows in minute for m in _messages(bent(rows, fault, rng))]
        if messages and not self._mute:
            await self.say(*messages)
        return True


def _minutes(found: Sequence[Rows]) -> list[list[Rows]]:
    """Cut rows of many symbols into minutes, oldest first."""
    minutes: dict[int, list[Rows]] = {}
    for rows in found:
        for i, time in enumerate(rows.time.tolist()):
            minutes.setdefault(time, []).append(rows.take(slice(i, i + 1)))
    return [minutes[time] for time in sorted(minutes)]


def _messages(rows: Rows) -> list[dict[str, Any]]:
    return [
        {"T": "b", "S": rows.symbol, **bar, "t": from_ns(time)}
        for bar, time in zip(written(rows), rows.time.tolist(), strict=True)
    ]


def _error(code: int, told: str) -> Mapping[str, Any]:
    return {"T": "error", "code": code, "msg": told}


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
