"""What detectors are set to: numbers in their ranges, refused when the detector is made."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from .._core.detector import SignalDetector
from .._core.errors import UsageError

_LONGEST = 10_000


def whole(detector: SignalDetector, name: str, value: Any, least: int) -> int:
    """Check a setting that counts bars.

    Parameters
    ----------
    detector : SignalDetector
        Named in the error.
    name : str
        Of the setting.
    value : int
        What came; NumPy's integers count as well, truth values do not.
    least : int
        What it must be at least.

    Returns
    -------
    int
        The same number.

    Raises
    ------
    UsageError
        When it is no whole number, or out of range.

    Examples
    --------
    >>> from tradekit.signals import EmaCross
    >>> whole(EmaCross(), "fast", 9, least=2)
    9
    """
    if not _is(Integral, value) or not least <= value <= _LONGEST:
        raise _refusal(detector, name, value, f"a whole number of bars from {least} to {_LONGEST}")
    return int(value)


def number(detector: SignalDetector, name: str, value: Any, least: float, most: float) -> float:
    """Check a setting that measures something.

    Parameters
    ----------
    detector : SignalDetector
        Named in the error.
    name : str
        Of the setting.
    value : float
        What came.
    least, most : float
        Its range, ends included.

    Returns
    -------
    float
        The same number.

    Raises
    ------
    UsageError
        When it is no number, or out of range.

    Examples
    --------
    >>> from tradekit.signals import AdxTrend
    >>> number(AdxTrend(), "threshold", 25, 5, 60)
    25.0
    """
    if not _is(Real, value) or not least <= value <= most:
        raise _refusal(detector, name, value, f"a number from {least:g} to {most:g}")
    return float(value)


def speeds(detector: SignalDetector, fast: Any, slow: Any) -> tuple[int, int]:
    """Check the periods of a fast and a slow average.

    Parameters
    ----------
    detector : SignalDetector
        Named in the error.
    fast, slow : int
        Bars, from 2; fast below slow.

    Returns
    -------
    tuple of int
        Both.

    Raises
    ------
    UsageError
        When one is no number of bars, or the fast one is not faster.

    Examples
    --------
    >>> from tradekit.signals import EmaCross
    >>> speeds(EmaCross(), 9, 21)
    (9, 21)
    """
    slow = whole(detector, "slow", slow, 3)
    if whole(detector, "fast", fast, 2) >= slow:
        raise _refusal(detector, "fast", fast, f"fewer bars than slow={slow}")
    return int(fast), slow


def _is(kind: type, value: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _refusal(detector: SignalDetector, name: str, value: Any, expected: str) -> UsageError:
    who = type(detector).__name__
    return UsageError(
        f"{who}: impossible {name}",
        expected=expected,
        got=f"{name}={value!r}",
        hint=f"{who}() for the usual settings",
    )
