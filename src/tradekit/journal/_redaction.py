"""Secrets stay out of the journal, wherever they come from."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import attrs

from .._core.event import Event

E = TypeVar("E", bound=Event)

# What may hold a secret.
_TEXTUAL = (str, dict, tuple)
REDACTED = "[redacted]"
_PREFIXES = ("APCA_", "ALPACA_", "TIINGO_")
# Shorter values are words like "paper" or "true", which would be torn out of every text.
_LEAST = 6
_TELLING = r"secret|token|passw(?:or)?d|passphrase|credential|authorization|api[_-]?key"
# A key at the end of its name, so that key_indicators and monkeys stay.
_NAME = re.compile(rf"{_TELLING}|(?:^|[_\-. ])(?:keys?|auth)(?:[_-]?id)?$", re.IGNORECASE)
# What stands behind such a name in a text or an address: token=abc, "api_key": "abc".
_STATED = re.compile(
    rf"((?:{_TELLING})[\w-]*[\"']?\s*[=:]\s*[\"']?(?:(?:bearer|basic|token)\s+)?)[^\s&\"',;}})]+",
    re.IGNORECASE,
)


class Redactor:
    """Takes secrets out of events: values of the environment, and what is named like one."""

    def __init__(self) -> None:
        named = (value for name, value in os.environ.items() if name.startswith(_PREFIXES))
        secret = {value for value in named if len(value) >= _LEAST and "://" not in value}
        # The longest first: one may begin like another.
        words = sorted(secret, key=lambda value: (-len(value), value))
        self._known = re.compile("|".join(map(re.escape, words))) if words else None

    def clean(self, event: E) -> E:
        """Give an event without secrets; the same one where there are none."""
        changes: dict[str, Any] = {}
        for field in attrs.fields(type(event)):
            value = getattr(event, field.name)
            if isinstance(value, _TEXTUAL) and (clean := self._clean(value)) != value:
                changes[field.name] = clean
        return attrs.evolve(event, **changes) if changes else event

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return {
                self._text(name): REDACTED if item and _NAME.search(name) else self._clean(item)
                for name, item in value.items()
            }
        if isinstance(value, (list, tuple)):
            return type(value)(map(self._clean, value))
        return value

    def _text(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        return _STATED.sub(rf"\1{REDACTED}", text) if "=" in text or ":" in text else text
