"""States as plain JSON values, and back, to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import ContractError

# Exactly these: a subclass (an enum, a named tuple) would come back as something else.
_PLAIN = (bool, int, str, type(None))
# Truth values, numbers, times and texts; no Python objects.
_KINDS = "biufcmMSU"


def encode(value: Any) -> Any:
    """Turn a state into JSON values that remember what they were.

    Parameters
    ----------
    value : object
        Numbers, texts, None, datetimes in UTC, tuples, lists, dicts with text keys, arrays.

    Returns
    -------
    object
        Plain values for ``json.dumps``, also where JSON knows no NaN.

    Raises
    ------
    ContractError
        For anything else: a state that cannot be kept cannot be resumed.

    Examples
    --------
    >>> decode(encode((1.5, [2, "three"], {"four": np.arange(2)})))
    (1.5, [2, 'three'], {'four': array([0, 1])})
    """
    kind = type(value)
    if kind in _PLAIN or (kind is float and isfinite(value)):
        return value
    if kind is float:
        return {"float": repr(value)}
    if (kind is np.ndarray or isinstance(value, np.generic)) and value.dtype.kind in _KINDS:
        data = {
            "dtype": value.dtype.str,
            "shape": list(value.shape),
            "bytes": value.tobytes().hex(),
        }
        return {kind.__name__ if kind is np.ndarray else "scalar": data}
    if kind is datetime and value.tzinfo in (None, UTC):
        return {"datetime": value.isoformat()}
    if kind in (tuple, list):
        return {kind.__name__: [encode(item) for item in value]}
    if kind is dict and all(type(key) is str for key in value):
        return {"dict": {key: encode(item) for key, item in value.items()}}
    raise ContractError(
        "a state that cannot be kept",
        expected="numbers, texts, datetimes in UTC, tuples, lists, dicts with text keys, arrays",
        got=f"a {kind.__name__}: {value!r}",
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
    >>> decode({"tuple": [1, {"float": "nan"}]})
    (1, nan)
    """
    if not isinstance(value, dict):
        return value
    ((kind, data),) = value.items()
    return _DECODERS[kind](data)


def _array(data: dict[str, Any]) -> npt.NDArray[Any]:
    flat = np.frombuffer(bytes.fromhex(data["bytes"]), data["dtype"])
    return flat.reshape(data["shape"]).copy()


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "ndarray": _array,
    "scalar": lambda data: _array(data)[()],
    "datetime": datetime.fromisoformat,
    "tuple": lambda data: tuple(map(decode, data)),
    "list": lambda data: list(map(decode, data)),
    "dict": lambda data: {key: decode(item) for key, item in data.items()},
}
