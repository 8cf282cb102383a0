"""Which timeframes are looked at, and how: plain dicts that anybody may edit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

import attrs

from .._core.errors import UsageError
from .._core.figures import as_float, count
from .._core.timeframe import Timeframe

USUAL = tuple(map(Timeframe, ("1Min", "5Min", "15Min", "1Hour", "4Hour", "1Day")))
_HINT = "{'5Min': {'lookback': 300, 'weight': 2.0}}"


@attrs.frozen
class Setting:
    """One timeframe's configuration, checked."""

    lookback: int
    weight: float


def usual(timeframe: str) -> dict[str, Any]:
    """The usual configuration: longer timeframes weigh more, by their place among the usual."""
    length = Timeframe(timeframe)
    shorter = sum(other < length for other in USUAL)
    return {"lookback": 300 if length.is_intraday else 250, "weight": 1.0 + shorter}


def configured(timeframes: Mapping[str, Any] | Iterable[str] | None) -> dict[str, dict[str, Any]]:
    """What a scanner begins with: the usual, completed by what the caller said."""
    if timeframes is None:
        timeframes = USUAL
    if not isinstance(timeframes, Mapping):
        names = [timeframes] if isinstance(timeframes, str) else timeframes
        timeframes = {name: {} for name in names}
    config = {str(name): {**usual(name), **_dict(name, said)} for name, said in timeframes.items()}
    settings(config)
    return config


def settings(config: Mapping[str, Any]) -> dict[Timeframe, Setting]:
    """Read the configuration as it stands now, from the shortest timeframe to the longest."""
    found: dict[Timeframe, Setting] = {}
    for name, said in config.items():
        timeframe = Timeframe(name)
        if timeframe in found:
            got = f"{name!r} beside another name of it"
            raise UsageError(f"{timeframe} is configured twice", expected="each once", got=got)
        found[timeframe] = _setting(name, _dict(name, said))
    if not found:
        raise UsageError("nothing to scan", expected="timeframes", got="none", hint=_HINT)
    return dict(sorted(found.items()))


def _dict(name: str, said: Any) -> Mapping[str, Any]:
    if isinstance(said, Mapping):
        return said
    problem = f"the configuration of {name} is a dict"
    raise UsageError(problem, expected="lookback and weight", got=repr(said), hint=_HINT)


def _setting(name: str, said: Mapping[str, Any]) -> Setting:
    known = usual(name)
    if unknown := sorted(set(said) - set(known)):
        problem, got = f"{name} cannot be configured so", ", ".join(unknown)
        raise UsageError(problem, expected="lookback or weight", got=got, hint=_HINT)
    lookback = count(said.get("lookback"), f"the lookback of {name} counts bars", _HINT)
    weight = as_float(said.get("weight", known["weight"]))
    if not isinstance(weight, float) or not isfinite(weight) or weight < 0:
        problem = f"the weight of {name} is a number"
        raise UsageError(problem, expected="0 or more", got=repr(weight), hint=_HINT)
    return Setting(lookback, weight)
