"""Read-only columns of numbers and times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from .errors import UsageError

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Dates = npt.NDArray[np.datetime64]


def column(values: object) -> Float:
    """Make a read-only float64 column of any array-like.

    Parameters
    ----------
    values : array_like of float
        Copied unless nobody can write to it.

    Raises
    ------
    UsageError
        For texts, dates, truth values and whatever else is no number.
    """
    array = np.asarray(values)
    try:
        if array.dtype.kind in "bcmMSU":
            raise TypeError(f"an array of {array.dtype}")
        return readonly(array.astype(np.float64, copy=False))
    except (TypeError, ValueError) as error:
        raise UsageError(
            "bars need numbers",
            expected="arrays of float64; NaN for a volume that is not known",
            got=str(error),
            hint="Bars.from_frame(frame) for a DataFrame",
        ) from None


_MOST_SECONDS = np.iinfo(np.int64).max // 10**9


def times(values: object) -> Int:
    """Make a read-only int64 column of nanoseconds since 1970 UTC.

    Parameters
    ----------
    values : array_like of int64 or datetime64
        Nanoseconds, or datetimes in UTC.

    Raises
    ------
    UsageError
        For anything else, and for datetimes that nanoseconds cannot tell.
    """
    array = np.asarray(values)
    if array.dtype.kind == "M":
        array = _exact(array)
    elif array.dtype.kind != "i" and array.size:  # an empty list is floats to numpy
        raise _no_times(f"an array of {array.dtype}")
    return readonly(array.astype(np.int64, copy=False))


def _exact(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    # What nanoseconds cannot tell wraps around in some versions of numpy and fails in others.
    seconds = array.astype("M8[s]").astype(np.int64)
    lost = (seconds < -_MOST_SECONDS) | (seconds > _MOST_SECONDS)
    if not lost.any():
        exact = array.astype("M8[ns]")
        lost = exact.astype(array.dtype) != array
    if lost.any():
        raise _no_times(str(array[lost][0]))
    return exact


def readonly(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Give an array that nobody can write to; itself if that is so already.

    Parameters
    ----------
    values : ndarray
        Any.
    """
    if _writable(values) or not values.flags.c_contiguous:
        values = values.copy()
        values.flags.writeable = False
    return values


def same(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Tell whether values are equal by name, arrays element by element, one NaN as the other.

    Parameters
    ----------
    mine, theirs : mapping of str to object
        With the same names.
    """
    return all(
        np.array_equal(value, theirs[name], equal_nan=value.dtype.kind == "f")
        if isinstance(value, np.ndarray)
        else value == theirs[name]
        for name, value in mine.items()
    )


def _no_times(got: str) -> UsageError:
    return UsageError(
        "bars need times",
        expected="int64 nanoseconds since 1970 UTC, or datetime64 from 1678 to 2261",
        got=got,
        hint="Bars.from_frame(frame) for a DataFrame",
    )


def _writable(values: Any) -> bool:
    # A read-only view of an array that its owner can write to changes all the same.
    while isinstance(values, np.ndarray):
        if values.flags.writeable:
            return True
        values = values.base
    return False


@attrs.frozen(eq=False)
class Extra:
    """A named column that is joined to bars: sentiment, options flow, anything known in time.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        One number a bar; NaN where nothing was known yet.
    known_at : ndarray of int64, shape (n,)
        Nanoseconds since 1970 UTC when each number became known, not after its bar's close.

    Examples
    --------
    >>> Extra([0.2, 0.7], np.array(["2024-03-07T21:00", "2024-03-08T21:00"], "M8[ns]")).values
    array([0.2, 0.7])
    """

    values: Float = attrs.field(converter=column)
    known_at: Int = attrs.field(converter=times)

    def __reduce__(self) -> tuple[Any, ...]:
        # Arrays come back writable from a pickle: build the column anew.
        return Extra, (self.values, self.known_at)


def take(extra: Mapping[str, Extra], rows: slice | Int) -> dict[str, Extra]:
    """Take the same rows of every joined column.

    Parameters
    ----------
    extra : mapping of str to Extra
        The columns.
    rows : slice or ndarray of int64
        Which rows.
    """
    return {name: Extra(each.values[rows], each.known_at[rows]) for name, each in extra.items()}


def join(values: Float, known_at: Int, moments: Int) -> Extra:
    """Tell at each moment the last number that was known, NaN before the first.

    Parameters
    ----------
    values : ndarray of float64, shape (m,)
        The numbers.
    known_at : ndarray of int64, shape (m,)
        When each became known, never going back.
    moments : ndarray of int64, shape (n,)
        When they are asked for.
    """
    last = np.searchsorted(known_at, moments, side="right") - 1
    known = np.append(known_at, np.iinfo(np.int64).min)[last]
    return Extra(np.append(values, np.nan)[last], known)
