"""Numbers that count something."""

from __future__ import annotations

from numbers import Integral

from .errors import UsageError


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
