"""Words from closed lists, and one word or several."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NoReturn

from .errors import UsageError


class Word(StrEnum):
    """One word of a closed list, equal to its plain text; any other word is refused.

    Examples
    --------
    >>> class Side(Word):
    ...     BUY = "buy"
    ...     SELL = "sell"
    >>> Side("buy") == "buy"
    True
    >>> Side("hold")
    Traceback (most recent call last):
    tradekit._core.errors.UsageError: no such Side: expected 'buy' or 'sell', got 'hold'...
    """

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        raise UsageError(
            f"no such {cls.__name__}",
            expected=" or ".join(repr(word.value) for word in cls),
            got=repr(value),
            hint=f"{cls.__name__}.{next(iter(cls)).name}",
        )


def word(value: object, problem: str, hint: str) -> str:
    """Check a text that says something.

    Parameters
    ----------
    value : str
        What came.
    problem, hint : str
        Of the error: what the text is for, and a good one.

    Returns
    -------
    str
        The same text.

    Raises
    ------
    UsageError
        When it is no text, or empty.

    Examples
    --------
    >>> word("gainers", "a category is a word", "discover('gainers')")
    'gainers'
    """
    if isinstance(value, str) and value.strip():
        return value
    raise UsageError(problem, expected="a text that is not empty", got=repr(value), hint=hint)


def words(given: Any) -> tuple[Any, ...]:
    """Take one word or several; a text is one word, not its letters.

    Parameters
    ----------
    given : str or iterable of str
        As the caller wrote them.

    Returns
    -------
    tuple of str
        In the same order.

    Examples
    --------
    >>> words("SPY"), words(["SPY", "QQQ"])
    (('SPY',), ('SPY', 'QQQ'))
    """
    several = isinstance(given, Iterable) and not isinstance(given, str)
    return tuple(given) if several else (given,)
