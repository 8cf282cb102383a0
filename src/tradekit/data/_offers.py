"""Questions beside bars: which symbols the sources propose, and what is bid and asked."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing

from .._core.candidate import Candidate
from .._core.errors import SourceError
from .._core.words import word
from ._heard import nobody
from ._panel import Panel
from ._terms import Terms


async def discover(panel: Panel, category: str, limit: int, terms: Terms) -> tuple[Candidate, ...]:
    """Ask which symbols the sources propose; the first that proposes any is heard.

    Parameters
    ----------
    panel : Panel
        Who can be asked.
    category : str
        What to look for.
    limit : int
        At most so many.
    terms : Terms
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
    answers = panel.answers(
        "_discover", lambda source: source.discover(category, limit), causes, terms
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
    panel: Panel, symbols: tuple[str, ...], terms: Terms
) -> dict[str, Mapping[str, float]]:
    """Ask for the latest bid and ask; each symbol's come from the first source that has them.

    Parameters
    ----------
    panel : Panel
        Who can be asked.
    symbols : tuple of str
        Whose.
    terms : Terms
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
    answers = panel.answers("_quotes", lambda source: source.quotes(missing), causes, terms)
    async with aclosing(answers):
        async for found in answers:
            quoted |= {symbol: found[symbol] for symbol in missing if symbol in found}
            if not (missing := tuple(s for s in missing if s not in quoted)):
                return quoted
    raise nobody(f"has quotes of {', '.join(missing)}", causes, found=quoted)
