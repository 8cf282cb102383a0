"""What bots state in their calls: words, numbers, signals and errors as events can keep them."""

from __future__ import annotations

import traceback
from math import isfinite
from pathlib import PurePath
from typing import Any

from .._core.details import plain
from .._core.errors import UsageError
from .._core.figures import as_float
from .._core.signal import Signal

# Of a signal: fields of a detection, and what else goes to its details.
_TEXTS = ("timeframe", "source_method", "signal_id")
_NUMBERS = ("base_rate", "price", "price_target", "stop_loss")
_MORE = ("family", "warmup", "reasons", "expires_at")


def word(value: object) -> str:
    """Make a text of what stands for one: an enum is its value."""
    return str(plain(value))


def confidence(value: Any) -> float:
    """Check a confidence that an event cannot do without."""
    number = as_float(value)
    if isinstance(number, float) and 0.0 <= number <= 100.0:
        return number
    raise UsageError("no such confidence", expected="0 to 100", got=repr(value))


def stated(facts: dict[str, Any], name: str, value: Any) -> float | None:
    """Give a number that may be absent; what is none is noted in ``facts`` as it came."""
    number = as_float(value)
    if isinstance(number, float) and isfinite(number):
        return number
    if value is not None:
        facts.setdefault(name, plain(value))
    return None


def price(facts: dict[str, Any], value: Any) -> float | None:
    """Give a stated price; nothing costs 0, so that is noted as no price."""
    number = stated(facts, "price", value)
    if number == 0.0:
        facts.setdefault("price", 0)
        return None
    return number


def detection(signal: Signal | None, metadata: dict[str, Any]) -> dict[str, Any]:
    """Sort what a signal and the bot say of a detection into its fields and its details."""
    facts = _facts_of(signal) | {k: v for k, v in metadata.items() if v is not None}
    fields = {name: word(facts.pop(name)) for name in _TEXTS if name in facts}
    numbers = {name: stated(facts, name, facts.pop(name, None)) for name in _NUMBERS}
    calibrated = facts.pop("calibrated", False) is True
    return {**fields, **numbers, "calibrated": calibrated, "details": facts}


def _facts_of(signal: Signal | None) -> dict[str, Any]:
    if signal is None:
        return {}
    if not isinstance(signal, Signal):
        raise UsageError("no signal", expected="a Signal", got=repr(signal), hint="metadata={...}")
    asked = ("timeframe", "source_method", "calibrated", *_NUMBERS, *_MORE)
    facts = {name: plain(getattr(signal, name)) for name in asked}
    facts |= {"signal_id": signal.id, "signal_time": plain(signal.time)}
    return {name: value for name, value in facts.items() if value is not None}


def error_facts(error: object) -> dict[str, Any]:
    """Give message, type and frames of an exception, without the values of its variables."""
    if not isinstance(error, BaseException):
        return {"message": word(error)}
    frames = [
        f"{PurePath(frame.f_code.co_filename).name}:{line} {frame.f_code.co_name}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    return {"message": str(error), "error": type(error).__name__, "frames": frames}
