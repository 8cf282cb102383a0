"""What a dialect of the fake providers is: a question comes in, a reply goes out."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, ClassVar, Literal, TypeAlias

import attrs

from ._provider_rows import Rows

Warp: TypeAlias = Callable[[Rows], Rows]

RETRY_AFTER = 2  # seconds that a 429 asks to wait, where it asks for any
JSON = {"Content-Type": "application/json"}


@attrs.frozen
class Asked:
    """A request as it came: header names in lower case."""

    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    method: str = "GET"
    body: bytes = b""


@attrs.frozen
class Reply:
    """What to send, and how: at once, byte by byte, never, or by hanging up."""

    status: int
    body: str
    headers: Mapping[str, str] = JSON
    manner: Literal["plain", "drip", "hang", "drop"] = "plain"
    keep: bool = True  # the connection, for the next question


def reply(body: Any, status: int = 200) -> Reply:
    """Write JSON; a text stays as it is."""
    if isinstance(body, str):
        return Reply(status, body, {"Content-Type": "text/plain"})
    return Reply(status, json.dumps(body, allow_nan=False))


class Refused(Exception):  # noqa: N818 - a reply on its way, not a fault of ours
    """What the provider answers instead of data, as `reply` takes it."""

    def __init__(self, body: Any, status: int) -> None:
        super().__init__(body)
        self.reply = reply(body, status)


class Dialect(ABC):
    """How one provider speaks: its paths, its JSON and its refusals."""

    name: ClassVar[str]
    null: ClassVar[Any]  # an answer whose bars are null
    refusals: ClassVar[Mapping[int, Any]]  # what it says beside a status, where it says something
    counts_down: ClassVar[bool] = False  # whether replies tell what is left of the budget
    keeps: ClassVar[bool] = True  # whether connections serve more than one question

    @abstractmethod
    async def answer(self, asked: Asked, warp: Warp) -> Reply:
        """Answer truthfully, but for what ``warp`` does to the bars of each symbol."""

    @abstractmethod
    def serves_bars(self, asked: Asked) -> bool:
        """Tell whether bars are asked for, which can be bad; other answers can only fail."""

    def refusal(self, status: int) -> Reply:
        """Refuse as the provider does."""
        return reply(self.refusals.get(status, HTTPStatus(status).phrase), status)

    def handshake(self, asked: Asked) -> bool:
        """Tell whether this only prepares a question; no fault is drawn for that."""
        return False

    def methods(self, asked: Asked) -> tuple[str, ...]:
        """Tell how this path can be asked."""
        return ("GET", "HEAD")

    def can(self, fault: str, asked: Asked) -> bool:
        """Tell whether a fault can strike this question."""
        return True

    def limited(self) -> Reply:
        """Say that the budget of the minute is used."""
        return self.refusal(429)
