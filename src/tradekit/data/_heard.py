"""What a question says of the sources that were asked, and of one that nobody could answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from .._core.errors import NoDataError, SourceError

# A halted, delisted or unknown symbol shows these symptoms as well.
DOUBTFUL = ("empty", "stale")
# Only another source's answer tells whether these are faults.
_OPEN = (*DOUBTFUL, "short", "behind", "gaps", "split", "spike", "rewritten", "jump")
_SEVERAL = 3  # symbols that do not stop trading at the same time


def faults(errors: Iterable[SourceError], good: int) -> list[SourceError]:
    """Keep the errors that are the source's own fault.

    That a symbol is unknown never is. A doubtful answer, and an empty or old one, is none until
    another source knows better; but where all of several symbols are old, it is the source.

    Parameters
    ----------
    errors : iterable of SourceError
        Of one call.
    good : int
        How many symbols the same call answered well.

    Returns
    -------
    list of SourceError
        Some of them.
    """
    told = list(errors)
    behind = {error.context.get("symbol") for error in told if error.fault == "stale"}
    if not good and len(behind) >= _SEVERAL:
        return told
    return [e for e in told if e.fault not in _OPEN and not isinstance(e, NoDataError)]


@attrs.define
class Heard:
    """What a question says of a source that was asked, however many times.

    Parameters
    ----------
    asked, served : set of str
        The symbols that it was asked for, and those of them that it answered well.
    errors : list of SourceError
        What went wrong, its own fault or not.
    proven : list of SourceError
        What others have shown to be its own fault.
    after : Heard, optional
        Takes in what comes once the question is answered, which then changes nothing else.
    """

    asked: set[str] = attrs.field(factory=set)
    served: set[str] = attrs.field(factory=set)
    errors: list[SourceError] = attrs.field(factory=list)
    proven: list[SourceError] = attrs.field(factory=list)
    after: Heard | None = None

    @property
    def good(self) -> int:
        """How many symbols it answered well."""
        return len(self.served)

    @property
    def bad(self) -> list[SourceError]:
        """What was its own fault."""
        return [*faults(self.errors, self.good), *self.proven]

    @property
    def old(self) -> list[SourceError]:
        """What was old, by nobody's fault as far as is known."""
        stale = [error for error in self.errors if error.fault == "stale"]
        return [] if self.good or self.bad else stale[-1:]


def nobody(what: str, causes: Mapping[str, SourceError], **facts: Any) -> NoDataError:
    """Say that no source could answer, and why none of them could.

    Parameters
    ----------
    what : str
        What was asked for.
    causes : mapping of str to SourceError
        By source.
    **facts : object
        What else the error should carry.

    Returns
    -------
    NoDataError
        It carries ``causes``; its ``fault`` is ``no_data`` where those who could look saw nothing
        (``unknown_symbol`` where all of them say so), else that of the first who could not.
    """
    able = [cause for cause in causes.values() if cause.fault != "unable"] or [*causes.values()]
    blind = [cause.fault for cause in able if not isinstance(cause, NoDataError)]
    unknown = {cause.fault for cause in able} == {"unknown_symbol"}
    return NoDataError(
        f"no source {what}",
        retryable=any(cause.retryable for cause in causes.values()),
        got="; ".join(f"{name}: {cause}" for name, cause in causes.items()) or "no source",
        causes=dict(causes),
        fault=blind[0] if blind else "unknown_symbol" if unknown else None,
        **facts,
    )
