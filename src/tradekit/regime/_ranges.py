"""Numbers that lie within a range."""

from __future__ import annotations

from math import inf, isfinite

from .._core.errors import UsageError
from .._core.figures import as_float


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
