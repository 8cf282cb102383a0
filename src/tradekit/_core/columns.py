"""Read-only columns of numbers and times."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from .errors import UsageError

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


def column(values: object) -> Float:
    """Make a read-only float64 column of any array-like.

    Parameters
    ----------
    values : array_like of float
        Copied unless nobody else can write to it.
    """
    return readonly(np.asarray(values, dtype=np.float64))


def times(values: object) -> Int:
    """Make a read-only int64 column of nanoseconds since 1970 UTC.

    Parameters
    ----------
    values : array_like of int64 or datetime64
        Nanoseconds, or datetimes in UTC.

    Raises
    ------
    UsageError
        For anything else.
    """
    values = np.asarray(values)
    if values.dtype.kind == "M":
        values = values.astype("M8[ns]")
    if values.dtype.kind not in "iM":
        raise UsageError(
            "bars need times",
            expected="int64 nanoseconds since 1970 UTC, or datetime64",
            got=f"an array of {values.dtype}",
            hint="Bars.from_frame(frame) for a DataFrame",
        )
    return readonly(values.astype(np.int64, copy=False))


def readonly(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Give an array that nobody can write to; itself if that is so already.

    Parameters
    ----------
    values : ndarray
        Any.
    """
    if values.flags.writeable or not values.flags.c_contiguous:
        values = values.copy()
        values.flags.writeable = False
    return values


@attrs.frozen(eq=False)
class Extra:
    """A named column that is joined to bars: sentiment, options flow, anything known in time.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        One number a bar; NaN where nothing was known yet.
    known_at : ndarray of int64, shape (n,)
        Nanoseconds since 1970 UTC when each number became known, not after its bar's close.
    """

    values: Float = attrs.field(converter=column)
    known_at: Int = attrs.field(converter=times)
