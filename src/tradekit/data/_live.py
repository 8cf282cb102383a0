"""A source's own stream, as long as it is the source that answers questions too."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial

import attrs

from .._core.bar import Bar
from .._core.calendar import calendar_for
from .._core.clock import from_ns
from .._core.errors import ContractError, SourceError
from .._core.request import BarsRequest, calendar_of
from .._core.source import DataSource
from ._pool import SourcePool
from ._window import newest_from

log = logging.getLogger("tradekit.data")

_COMPARABLE = 3  # bars
_AGAIN = 20.0  # seconds until a stream that broke is tried again


async def listen(
    pool: SourcePool,
    symbols: tuple[str, ...],
    is_enough: Callable[[], bool],
    trusts: Callable[[str], bool],
    hear: Callable[[Bar], None],
) -> None:
    """Hand on the minutes that a source tells, for ever.

    Parameters
    ----------
    pool : SourcePool
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
        name, source = pool.first()
        streams = source is not None and source.capabilities.streams
        if source is not None and streams and name not in broken and is_enough():
            try:
                await _heard(pool, name, source, symbols, partial(vouch, name))
            except ContractError as error:  # it would break it again
                log.error("%s is not heard any more, and is asked instead: %s", name, error)
                broken.add(name)
        await asyncio.sleep(_AGAIN)


async def _heard(
    pool: SourcePool,
    name: str,
    source: DataSource,
    symbols: tuple[str, ...],
    hear: Callable[[Bar], None],
) -> None:
    """Listen until the stream breaks, or another source answers."""
    try:
        async for minute in source.stream(symbols, "1Min"):
            if pool.first()[0] != name:
                return
            hear(minute)
    except SourceError as error:
        log.warning("%s streams no more, and is asked instead: %s", name, error)


def comparably_long_before(request: BarsRequest) -> datetime:
    """Begin so early that there are bars enough to compare.

    Parameters
    ----------
    request : BarsRequest
        For bars from its start on.

    Returns
    -------
    datetime
        An earlier start.
    """
    codes = {calendar_of(symbol) for symbol in request.symbols}
    due = request.start or from_ns(0)
    return min(
        newest_from(calendar_for(code), request.timeframe, due, _COMPARABLE) for code in codes
    )
