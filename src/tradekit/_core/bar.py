"""One bar of one symbol."""

from __future__ import annotations

from datetime import datetime

import attrs
import numpy as np

from .clock import to_ns, to_utc
from .columns import column
from .errors import UsageError
from .faults import COLUMNS, refuse_first
from .timeframe import Timeframe


@attrs.frozen
class Bar:
    """One bar of one symbol.

    Parameters
    ----------
    symbol : str
        What was traded.
    timeframe : Timeframe
        Its length.
    time : datetime
        Its label: the opening time, aware UTC (a daily bar: its session's local midnight).
    open, high, low, close : float
        Prices, above zero.
    volume : float
        Shares or coins; NaN when unknown.
    close_time : datetime
        When it is known, aware UTC.
    source : str
        Who told it; empty where nobody said so. Bars that differ in this alone are equal.
    trusted_for_entries : bool
        Whether a data manager vouches for it as good enough to open a trade on. Bars that differ
        in this alone are equal.

    Examples
    --------
    >>> from datetime import UTC
    >>> at, known = (datetime(2024, 3, 8, 14, minute, tzinfo=UTC) for minute in (30, 31))
    >>> Bar("SPY", "1Min", at, 512.0, 512.4, 511.9, 512.3, 9000.0, known).close
    512.3
    """

    symbol: str
    timeframe: Timeframe = attrs.field(converter=Timeframe)
    time: datetime = attrs.field(converter=to_utc)
    open: float
    high: float
    low: float
    close: float
    volume: float
    close_time: datetime = attrs.field(converter=to_utc)
    source: str = attrs.field(default="", kw_only=True, eq=False)
    trusted_for_entries: bool = attrs.field(default=False, kw_only=True, eq=False)

    def __attrs_post_init__(self) -> None:
        row = {name: column([getattr(self, name)]) for name in COLUMNS}
        refuse_first(self.symbol, np.array([to_ns(self.time)]), row)
        if self.close_time <= self.time:
            raise UsageError(
                f"{self.symbol}: a bar is known after it began",
                expected=f"a close_time after {self.time.isoformat()}",
                got=self.close_time.isoformat(),
                hint="close_time is when the bar was complete",
            )
