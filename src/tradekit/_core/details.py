"""Free detail as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import Enum
from math import isfinite
from typing import Any

from .errors import UsageError

# Nothing has to be asked of these; most detail is made of them.
_PLAIN = frozenset((str, int, bool, type(None)))


def plain(value: Any) -> Any:
    """Turn free detail into JSON values; what JSON cannot say becomes its text.

    Parameters
    ----------
    value : object
        Anything that a bot hands in.

    Returns
    -------
    object
        Texts, finite numbers, booleans, None, lists and dicts with text keys.

    Examples
    --------
    >>> plain({"stop": float("nan"), "tags": ("a", 1)})
    {'stop': 'nan', 'tags': ['a', 1]}
    """
    kind = type(value)
    if kind in _PLAIN or (kind is float and isfinite(value)):
        return value
    value = _python(value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float) and isfinite(value):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        value = sorted(value, key=str)  # their order differs from process to process
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else str(value)


def details(value: Mapping[str, Any]) -> dict[str, Any]:
    """Keep free details by name.

    Parameters
    ----------
    value : mapping
        Anything by name.

    Returns
    -------
    dict
        A copy of plain JSON values.

    Raises
    ------
    UsageError
        When it names nothing.

    Examples
    --------
    >>> details({"tags": {"b", "a"}})
    {'tags': ['a', 'b']}
    """
    if not isinstance(value, Mapping):
        got, hint = repr(value), "details={'note': 'anything'}"
        raise UsageError("details have names", expected="a dict", got=got, hint=hint)
    return {str(key): plain(item) for key, item in value.items()}


def _python(value: Any) -> Any:
    """What an enum, or a number or an array of NumPy's, is to Python."""
    if isinstance(value, Enum):
        return value.value
    if getattr(getattr(value, "dtype", None), "kind", "") in {"m", "M"}:
        value = value.astype(str)  # else NumPy gives times away as bare integers
    return value.tolist() if hasattr(value, "tolist") else value
