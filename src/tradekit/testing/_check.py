"""One named check, and failures that are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn
from unittest import SkipTest

import attrs

from .._core.errors import ContractError, UsageError


@attrs.frozen
class Check:
    """A named question about a subclass: call it, and it raises when the answer is no.

    Parameters
    ----------
    name : str
        What is asked, in one word; pytest shows it.
    run : callable
        Raises `ContractError` when the answer is no.
    known : str, optional
        Why it is known to fail: then failing skips with that reason, and passing is an error.

    Examples
    --------
    >>> Check("says_nothing", lambda: None)()
    """

    name: str
    run: Callable[[], None] = attrs.field(repr=False)
    known: str | None = None

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self) -> None:
        """Run it.

        Raises
        ------
        ContractError
            When the answer is no, or a failure that was said to be known does not happen.
        unittest.SkipTest
            When it fails as known; pytest shows it as skipped, with the reason.
        """
        if self.known is None:
            self.run()
            return
        try:
            self.run()
        except SkipTest:
            raise
        except Exception as error:
            raise SkipTest(f"known to fail: {self.known}") from error
        raise ContractError(
            f"{self.name} passes",
            expected=f"the failure that is said to be known: {self.known}",
            got="no failure",
            hint=f"take {self.name!r} out of known_failures",
        )


def as_checks(
    questions: Mapping[str, Callable[[], None]], known_failures: Mapping[str, str] | None
) -> tuple[Check, ...]:
    """Name questions as checks, and mark those that are known to fail.

    Parameters
    ----------
    questions : mapping of str to callable
        By name, in the order in which they are asked.
    known_failures : mapping of str to str, optional
        Name of a check and the reason why it fails.

    Returns
    -------
    tuple of Check
        One a question.

    Raises
    ------
    UsageError
        When a known failure names no check, or gives no reason.
    """
    known = dict(known_failures or {})
    wrong = sorted(set(known) - set(questions))
    wrong += [f"no reason for {name}" for name, why in known.items() if not str(why or "").strip()]
    if wrong:
        raise UsageError(
            "known_failures names a check and says why it fails",
            expected=", ".join(questions),
            got=", ".join(wrong),
            hint='known_failures={"mirror": "prices fall faster than they rise"}',
        )
    return tuple(Check(name, run, known.get(name)) for name, run in questions.items())


def fail(who: str, problem: str, *, expected: str, got: str, hint: str) -> NoReturn:
    """Answer no.

    Parameters
    ----------
    who, problem, expected, got, hint : str
        Parts of the sentence.
    """
    raise ContractError(f"{who} {problem}", expected=expected, got=got, hint=hint)
