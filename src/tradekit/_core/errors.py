"""Errors, sorted by who must act.

::

    TradekitError
    ├── UsageError        fix the call (also a ValueError)
    ├── ContractError     fix the subclass (also a TypeError)
    ├── SourceError       the world failed; ``retryable`` says whether asking again may help
    │   ├── NoDataError       it answered, and there are no such bars
    │   ├── RateLimitError    it asks to wait ``retry_after`` seconds
    │   └── CredentialsError  it refuses these keys
    ├── SinkError         events could not be kept; it carries them
    └── PluginError       a registered name cannot be loaded
"""

from __future__ import annotations

from math import inf
from numbers import Real
from typing import Any


class TradekitError(Exception):
    """Say what is wrong, what was expected, what came, and what to try.

    Parameters
    ----------
    problem : str
        One sentence without a full stop.
    expected, got : str, optional
        What should have come and what did.
    hint : str, optional
        What the reader can do about it.
    **context : object
        The objects concerned; each becomes an attribute of the error.

    Examples
    --------
    >>> raise TradekitError("no such dial", expected="1 to 11", got="12", hint="turn it down")
    Traceback (most recent call last):
    tradekit._core.errors.TradekitError: no such dial: expected 1 to 11, got 12. Try: turn it down
    """

    def __init__(
        self,
        problem: str,
        *,
        expected: object = None,
        got: object = None,
        hint: str | None = None,
        **context: Any,
    ) -> None:
        self.problem, self.expected, self.got, self.hint = problem, expected, got, hint
        self.context = context
        super().__init__(problem)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["context"][name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__!r} carries no {name!r}") from None

    def __str__(self) -> str:
        facts = [
            f"{word} {value}"
            for word, value in (("expected", self.expected), ("got", self.got))
            if value is not None
        ]
        sentence = f"{self.problem}: {', '.join(facts)}" if facts else self.problem
        return f"{sentence}. Try: {self.hint}" if self.hint else sentence


class UsageError(TradekitError, ValueError):
    """The call is wrong: fix the call."""


class ContractError(TradekitError, TypeError):
    """A subclass breaks its interface: fix the subclass."""


class SourceError(TradekitError):
    """A data source could not answer: the world failed.

    Parameters
    ----------
    problem : str
        One sentence without a full stop.
    retryable : bool
        Whether the same request may succeed later.
    fault : str
        What kind of failure it is, for breakers and figures: ``transient`` (a dead network, a
        server in trouble), ``bad_data``, ``rate_limit``, ``credentials``, ``entitlement`` (the keys
        are good, their plan is not), ``unknown_symbol``, ``no_data``, ``unable`` (it never could),
        or a word of whoever judges an answer (``empty``, ``stale``, ``short``).
    **facts : object
        As for `TradekitError`; ``source`` and ``symbol`` name where it happened.

    Examples
    --------
    >>> error = SourceError("the socket closed", source="alpaca", symbol="SPY")
    >>> error.retryable, error.fault
    (True, 'transient')
    """

    default_retryable = True
    default_fault = "transient"

    def __init__(
        self,
        problem: str,
        *,
        retryable: bool | None = None,
        fault: str | None = None,
        **facts: Any,
    ) -> None:
        self.retryable = self.default_retryable if retryable is None else retryable
        unable = self.default_fault == "transient" and not self.retryable
        self.fault = fault or ("unable" if unable else self.default_fault)
        super().__init__(problem, **facts)


class NoDataError(SourceError):
    """The source answered and has no such bars: asking again will not help."""

    default_retryable = False
    default_fault = "no_data"


class RateLimitError(SourceError):
    """The source asks to wait.

    Parameters
    ----------
    problem : str
        One sentence without a full stop.
    retry_after : float, optional
        Seconds to wait, when it said how long. What is no finite number from zero is no statement:
        it becomes None, and a note of the error, which must not give way to one about its making.
    **facts : object
        As for `SourceError`.

    Examples
    --------
    >>> RateLimitError("too many requests", retry_after=30.0, source="alpaca").retry_after
    30.0
    """

    default_fault = "rate_limit"

    def __init__(self, problem: str, *, retry_after: float | None = None, **facts: Any) -> None:
        seconds = _seconds(retry_after)
        super().__init__(problem, retry_after=seconds, **facts)
        if seconds is None and retry_after is not None:
            self.add_note(f"retry_after={retry_after!r} is no number of seconds to wait")


def _seconds(told: object) -> float | None:
    if not isinstance(told, Real) or isinstance(told, bool):
        return None
    try:
        seconds = float(told)
    except OverflowError:  # a whole number beyond all floats
        return None
    return seconds if 0 <= seconds < inf else None


class CredentialsError(SourceError):
    """The source refuses the keys or what they are entitled to."""

    default_retryable = False
    default_fault = "credentials"


class SinkError(TradekitError):
    """Events could not be kept; ``events`` carries them, so that nothing is lost."""


class PluginError(TradekitError):
    """A registered name is unknown, empty or cannot be loaded."""
