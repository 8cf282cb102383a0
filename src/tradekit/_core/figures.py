"""Numbers as they are handed in: counts, and finite figures."""

from __future__ import annotations

from datetime import timedelta
from math import inf, isfinite
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from .errors import UsageError

if TYPE_CHECKING:
    import attrs


def count(value: object, problem: str, hint: str) -> int:
    """Check a number that counts from one.

    Parameters
    ----------
    value : int
        What came; NumPy's integers count as well, truth values do not.
    problem, hint : str
        Of the error: what it counts, and a good one.

    Returns
    -------
    int
        The same number.

    Raises
    ------
    UsageError
        When it is no whole number, or below one.

    Examples
    --------
    >>> count(3, "a limit counts bars", "limit=300")
    3
    """
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1:
        return int(value)
    raise UsageError(problem, expected="a whole number from 1", got=repr(value), hint=hint)


def duration(value: object, problem: str, hint: str) -> timedelta:
    """Check a time that has to last.

    Parameters
    ----------
    value : timedelta
        What came.
    problem, hint : str
        Of the error: what lasts, and a good one.

    Returns
    -------
    timedelta
        The same.

    Raises
    ------
    UsageError
        When it is none, or not above zero.

    Examples
    --------
    >>> duration(timedelta(seconds=8), "a timeout is a duration", "timeout=timedelta(seconds=8)")
    datetime.timedelta(seconds=8)
    """
    if isinstance(value, timedelta) and value > timedelta(0):
        return value
    raise UsageError(problem, expected="a timedelta above zero", got=repr(value), hint=hint)


def as_float(value: float | None) -> Any:
    """Make a plain float of a real number; leave anything else for `finite` to refuse.

    Parameters
    ----------
    value : float
        What came; NumPy's numbers count as well, truth values do not.

    Returns
    -------
    float
        The same number.

    Examples
    --------
    >>> as_float(3), as_float("3")
    (3.0, '3')
    """
    if type(value) is float:
        return value
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else value


def within(name: str, value: object, least: float = 0.0, most: float = inf) -> float:
    """Check that a number lies within a range.

    Parameters
    ----------
    name : str
        What it is, for the error.
    value : float
        What came; truth values and texts are no numbers.
    least, most : float
        The range, both ends included; infinity itself never is.

    Returns
    -------
    float
        The same number.

    Raises
    ------
    UsageError
        When it is outside, or no number.

    Examples
    --------
    >>> within("band", 3, 0, 5)
    3.0
    """
    number = as_float(value)  # type: ignore[arg-type]
    if isinstance(number, float) and least <= number <= most and isfinite(number):
        return number
    expected = f"a number from {least:g}" + (f" to {most:g}" if isfinite(most) else "")
    raise UsageError(f"cannot use {name}", expected=expected, got=repr(value))


def finite(instance: object, field: attrs.Attribute[Any], value: object) -> None:
    """Check that a field of an attrs class holds a finite number, or None where it may.

    Parameters
    ----------
    instance : object
        Whose field.
    field : Attribute
        The field, converted by `as_float`; None is taken where it is the default.
    value : float
        What it holds.

    Raises
    ------
    UsageError
        When it holds anything else.

    Examples
    --------
    >>> import attrs
    >>> @attrs.frozen
    ... class Fee:
    ...     dollars: float = attrs.field(converter=as_float, validator=finite)
    >>> Fee(float("nan"))
    Traceback (most recent call last):
    tradekit._core.errors.UsageError: Fee needs dollars: expected a finite number, got nan
    """
    if value is None and field.default is None:
        return
    if not isinstance(value, float) or not isfinite(value):
        absent = " or None" if field.default is None else ""
        raise UsageError(
            f"{type(instance).__name__} needs {field.name}",
            expected=f"a finite number{absent}",
            got=repr(value),
        )
