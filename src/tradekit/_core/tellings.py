"""Which of the bars that a stream tells are given: those that are complete, each once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import attrs

from .bar import Bar

SKEW = timedelta(seconds=5)  # how far the machine's clock may lag behind the vendor's


class Tellings:
    """What a stream has told, and what of it may be given.

    A bar that is told before its close may be a snapshot of it, or complete while this machine's
    clock lags behind: what is told next decides.

    Parameters
    ----------
    source : str
        Who tells them, for bars that do not say so.

    Examples
    --------
    >>> from datetime import UTC
    >>> begun, over = (datetime(2024, 3, 8, 14, minute, tzinfo=UTC) for minute in (30, 31))
    >>> snapshot = Bar("SPY", "1Min", begun, 512.0, 512.4, 511.9, 512.3, 8000.0, over)
    >>> minute = attrs.evolve(snapshot, volume=9000.0)
    >>> tellings = Tellings("example")
    >>> [bar.volume for bar in tellings.take(snapshot, over - timedelta(seconds=2))]
    []
    >>> [(bar.volume, bar.source) for bar in tellings.take(minute, over)]
    [(9000.0, 'example')]
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._early: dict[str, Bar] = {}
        self._newest: dict[str, datetime] = {}

    def take(self, bar: Bar, now: datetime) -> Iterator[Bar]:
        """Take one bar, and give what is complete and has not been given.

        Parameters
        ----------
        bar : Bar
            As it was told.
        now : datetime
            By the source's clock.

        Yields
        ------
        Bar
            Each symbol's in time order.
        """
        early = self._early.get(bar.symbol, bar)
        if early.time <= bar.time:
            self._early.pop(bar.symbol, None)
        for told in (early, bar) if early.time < bar.time else (bar,):
            if now < told.close_time <= now + SKEW:
                self._early[told.symbol] = told
            elif told.close_time <= now and self._is_new(told):
                self._newest[told.symbol] = told.time
                yield told if told.source else attrs.evolve(told, source=self._source)

    def _is_new(self, bar: Bar) -> bool:
        return bar.symbol not in self._newest or bar.time > self._newest[bar.symbol]
