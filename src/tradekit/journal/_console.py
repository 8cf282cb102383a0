"""Events on a terminal: one line each."""

from __future__ import annotations

import json
import sys
from typing import TextIO

import attrs

from .._core.details import plain
from .._core.event import Event
from .._core.sink import Sink

_BASE = {field.name for field in attrs.fields(Event)}
_STYLES = {
    "ErrorOccurred": "red",
    "AlertRaised": "red",
    "OrderRejected": "red",
    "SetupMissed": "yellow",
    "SetupExecuted": "green",
    "OrderFilled": "green",
    "MarketConditionChanged": "cyan",
}


class ConsoleSink(Sink):
    """Print each event as one line; coloured on a terminal, plain anywhere else.

    Line breaks and control characters in an event are shown escaped, and so are letters that the
    terminal cannot show.

    Parameters
    ----------
    stream : text stream, optional
        Where to; without it, whatever ``sys.stdout`` is at the time of writing. It stays open.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from tradekit.journal import SetupMissed
    >>> ConsoleSink().write(SetupMissed(
    ...     datetime(2024, 3, 8, 21, tzinfo=UTC), symbol="SPY", signal_type="breakout",
    ...     code="low_confidence", reason="61 is below 75", confidence=61.0))
    2024-03-08 21:00:00Z SetupMissed symbol=SPY signal_type=breakout code=low_confidence
    reason="61 is below 75" confidence=61.0
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream

    def _write(self, events: tuple[Event, ...]) -> None:
        stream = self.stream or sys.stdout
        encoding = getattr(stream, "encoding", None) or "utf-8"
        on_terminal = stream.isatty()
        for event in events:
            line = _line(event).encode(encoding, "backslashreplace").decode(encoding)
            if on_terminal:
                _colour(stream, line, _STYLES.get(event.kind, ""))
            else:
                stream.write(line + "\n")
        stream.flush()


def _line(event: Event) -> str:
    said = {
        field.name: value
        for field in attrs.fields(type(event))
        if field.name not in _BASE
        and (value := getattr(event, field.name)) != field.default
        and value != {}
    }
    facts = (f"{name}={_shown(plain(value))}" for name, value in said.items())
    return " ".join((f"{event.time:%Y-%m-%d %H:%M:%S}Z", event.kind, *facts))


def _shown(value: object) -> str:
    """A word as it is, anything else as JSON, which escapes what would break the line."""
    if isinstance(value, str) and value.isprintable() and not set(value) & {" ", '"'}:
        return value
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _colour(stream: TextIO, line: str, style: str) -> None:
    from rich.console import Console
    from rich.text import Text

    Console(file=stream, soft_wrap=True).print(Text(line, style=style))
