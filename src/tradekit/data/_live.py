"""A source's own stream, as long as it is the source that answers questions too."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

import attrs

from .._core.bar import Bar
from .._core.errors import ContractError, SourceError
from .._core.source import DataSource
from ._panel import Panel

log = logging.getLogger("tradekit.data")

_AGAIN = 20.0  # seconds until a stream that broke is tried again


async def listen(
    panel: Panel,
    symbols: tuple[str, ...],
    is_enough: Callable[[], bool],
    trusts: Callable[[str], bool],
    hear: Callable[[Bar], None],
) -> None:
    """Hand on the minutes that a source tells, for ever.

    Parameters
    ----------
    panel : Panel
        Only who answers its questions is heard: bars of two sources are not to be mixed.
    symbols : tuple of str
        Whose.
    is_enough : callable
        Tells whether what one source tells will do, or is to be held against others.
    trusts : callable
        Tells of the name of a source whether trades may be opened on its bars.
    hear : callable
        Takes each minute.
    """
    broken: set[str] = set()

    def vouch(name: str, minute: Bar) -> None:
        hear(attrs.evolve(minute, trusted_for_entries=trusts(name)))

    while True:
        name, source = panel.first()
        streams = source is not None and source.capabilities.streams
        if source is not None and streams and name not in broken and is_enough():
            try:
                await _heard(panel, name, source, symbols, partial(vouch, name))
            except ContractError as error:  # it would break it again
                log.error("%s is not heard any more, and is asked instead: %s", name, error)
                broken.add(name)
        await asyncio.sleep(_AGAIN)


async def _heard(
    panel: Panel,
    name: str,
    source: DataSource,
    symbols: tuple[str, ...],
    hear: Callable[[Bar], None],
) -> None:
    """Listen until the stream breaks, or another source answers."""
    try:
        async for minute in source.stream(symbols, "1Min"):
            if panel.first()[0] != name:
                return
            hear(minute)
    except SourceError as error:
        log.warning("%s streams no more, and is asked instead: %s", name, error)
