"""A source's own stream, as long as it is the source that answers questions too."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from .._core.bar import Bar
from .._core.errors import SourceError
from .._core.source import DataSource
from ._panel import Panel

log = logging.getLogger("tradekit.data")

_AGAIN = 20.0  # seconds until a stream that broke is tried again


async def listen(
    panel: Panel,
    symbols: tuple[str, ...],
    is_enough: Callable[[], bool],
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
    hear : callable
        Takes each minute.
    """
    while True:
        name, source = panel.first()
        if source is not None and source.capabilities.streams and is_enough():
            await _heard(panel, name, source, symbols, hear)
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
