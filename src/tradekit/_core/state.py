"""States as plain JSON values, and back, to the last bit."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np

from .errors import ContractError

_PLAIN = (bool, int, float, str, type(None))


def encode(value: Any) -> Any:
    """Turn a state into JSON values that remember what they were.

    Parameters
    ----------
    value : object
        Numbers, texts, None, datetimes, tuples, lists, dicts with text keys, arrays.

    Returns
    -------
    object
        Plain values for ``json.dumps``.

    Raises
    ------
    ContractError
        For anything else: a state that cannot be kept cannot be resumed.

    Examples
    --------
    >>> decode(encode((1.5, [2, "three"], {"four": np.arange(2)})))
    (1.5, [2, 'three'], {'four': array([0, 1])})
    """
    if isinstance(value, np.generic):
        return {"number": [value.item()], "dtype": str(value.dtype)}
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": str(value.dtype)}
    if isinstance(value, datetime):
        return {"datetime": value.isoformat()}
    if isinstance(value, tuple):
        return {"tuple": [encode(item) for item in value]}
    if isinstance(value, list):
        return {"list": [encode(item) for item in value]}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: encode(item) for key, item in value.items()}}
    raise ContractError(
        "a state that cannot be kept",
        expected="numbers, texts, datetimes, tuples, lists, dicts with text keys, arrays",
        got=f"a {type(value).__name__}",
        hint="keep plain values in the state that _step returns",
    )


def decode(value: Any) -> Any:
    """Turn what `encode` gave back into the state.

    Parameters
    ----------
    value : object
        What `encode` gave, before or after JSON.

    Returns
    -------
    object
        The state.

    Examples
    --------
    >>> decode({"tuple": [1, 2]})
    (1, 2)
    """
    if not isinstance(value, dict):
        return value
    if "dtype" in value:
        array = np.array(value.get("array", value.get("number")), dtype=value["dtype"])
        return array if "array" in value else array[0]
    if "datetime" in value:
        return datetime.fromisoformat(value["datetime"])
    if "dict" in value:
        return {key: decode(item) for key, item in value["dict"].items()}
    kind = tuple if "tuple" in value else list
    return kind(decode(item) for item in value[kind.__name__])
