"""Questions beside bars: which symbols the sources propose, and what is bid and asked."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing

from .._core.candidate import Candidate
from .._core.errors import SourceError
from .._core.words import word
from ._heard import nobody
from ._pool import SourcePool
from ._settings import Settings


async def discover(
    pool: SourcePool, category: str, limit: int, settings: Settings
) -> tuple[Candidate, ...]:
    """Ask which symbols the sources propose; the first that proposes any is heard.

    Parameters
    ----------
    pool : SourcePool
        Who can be asked.
    category : str
        What to look for.
    limit : int
        At most so many.
    settings : Settings
        At what cost.

    Returns
    -------
    tuple of Candidate
        None when those who could look found none.

    Raises
    ------
    UsageError
        When the category is no text.
    NoDataError
        When no source could look.
    """
    word(category, "a category is a word", "discover('gainers')")
    causes: dict[str, SourceError] = {}
    looked = False
    answers = pool.answers(
        "_discover", lambda source: source.discover(category, limit), causes, settings
    )
    async with aclosing(answers):
        async for found in answers:
            if found:
                return found
            looked = True
    if looked:
        return ()
    raise nobody(f"can look for {category!r}", causes)


async def quotes(
    pool: SourcePool, symbols: tuple[str, ...], settings: Settings
) -> dict[str, Mapping[str, float]]:
    """Ask for the latest bid and ask; each symbol's come from the first source that has them.

    Parameters
    ----------
    pool : SourcePool
        Who can be asked.
    symbols : tuple of str
        Whose.
    settings : Settings
        At what cost.

    Returns
    -------
    dict of str to mapping
        For every symbol.

    Raises
    ------
    NoDataError
        When a symbol cannot be quoted; ``found`` has the others.
    """
    missing = symbols
    quoted: dict[str, Mapping[str, float]] = {}
    causes: dict[str, SourceError] = {}
    answers = pool.answers("_quotes", lambda source: source.quotes(missing), causes, settings)
    async with aclosing(answers):
        async for found in answers:
            quoted |= {symbol: found[symbol] for symbol in missing if symbol in found}
            if not (missing := tuple(s for s in missing if s not in quoted)):
                return quoted
    raise nobody(f"has quotes of {', '.join(missing)}", causes, found=quoted)
