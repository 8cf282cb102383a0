"""Who may be on the list at all, whatever a screen thinks of it."""

from __future__ import annotations

from datetime import datetime

import attrs
import numpy as np

from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.clock import to_ns
from .._core.errors import UsageError
from .._core.figures import as_float, count, finite
from ._panel import complete

_SPAN = 20  # sessions that a dollar volume is the mean of


def _sessions(value: object) -> int:
    return count(value, "an age counts sessions", "min_sessions=20")


@attrs.frozen
class Eligibility:
    """What a symbol must be before a screen's opinion of it counts.

    Parameters
    ----------
    min_price : float
        Least last close, in dollars.
    min_dollar_volume : float
        Least mean of close times volume over 20 sessions, in dollars; 0 asks for none, and then
        an unknown volume does no harm. The default is low because a single venue's feed shows a
        few percent of all trades.
    min_sessions : int
        Least number of daily bars: younger listings have no past to judge by.

    Raises
    ------
    UsageError
        When a minimum is negative or no number.

    Notes
    -----
    Prices should be as they were that day. The newest close is, whenever bars are adjusted as known
    at their end; bars out of a file that were adjusted later contain the splits that came after,
    so a minimum price over history wants raw ones.

    Examples
    --------
    >>> Eligibility(min_price=5.0).min_sessions
    20
    """

    min_price: float = attrs.field(default=1.0, converter=as_float, validator=finite)
    min_dollar_volume: float = attrs.field(default=100_000.0, converter=as_float, validator=finite)
    min_sessions: int = attrs.field(default=20, converter=_sessions)

    def __attrs_post_init__(self) -> None:
        if min(self.min_price, self.min_dollar_volume) < 0:
            raise UsageError(
                "a minimum is not negative",
                expected="dollars from 0",
                got=f"min_price={self.min_price}, min_dollar_volume={self.min_dollar_volume}",
                hint="0 asks for none",
            )

    @property
    def lookback(self) -> int:
        """How many daily bars it wants to see."""
        return max(self.min_sessions, _SPAN)

    def rejection(self, bars: Bars, asof: datetime) -> str | None:
        """Say why a symbol may not be on the list.

        Parameters
        ----------
        bars : Bars
            Its daily bars.
        asof : datetime
            Aware; later bars are not looked at.

        Returns
        -------
        str or None
            The first that holds of ``"stale"`` (no bar of the exchange's last complete session),
            ``"age"``, ``"price"``, ``"volume unknown"`` and ``"dollar volume"``; None when it may.

        Examples
        --------
        >>> from datetime import UTC
        >>> days, p = np.array(["2024-03-07T05:00", "2024-03-08T05:00"], "M8[ns]"), [10.0, 11.0]
        >>> bars = Bars("SPY", "1Day", days, p, p, p, p, [500.0, 100.0])
        >>> Eligibility().rejection(bars, datetime(2024, 3, 8, 21, tzinfo=UTC))
        'age'
        """
        moment = to_ns(asof)
        known = complete(bars, moment)
        if not len(known) or known.close_time[-1] < last_close(moment, bars.calendar):
            return "stale"
        if len(known) < self.min_sessions:
            return "age"
        if known.close[-1] < self.min_price:
            return "price"
        return self._thin(known) if self.min_dollar_volume else None

    def _thin(self, bars: Bars) -> str | None:
        dollars = float(bars.close[-_SPAN:] @ bars.volume[-_SPAN:]) / min(len(bars), _SPAN)
        if np.isnan(dollars):
            return "volume unknown"
        return "dollar volume" if dollars < self.min_dollar_volume else None


def last_close(moment: int, calendar: str = "XNYS") -> int:
    """Tell when an exchange's last complete session closed.

    Parameters
    ----------
    moment : int
        Nanoseconds since 1970 UTC.
    calendar : str
        Exchange code.

    Returns
    -------
    int
        Nanoseconds since 1970 UTC, not after ``moment``.
    """
    closes = calendar_for(calendar).closes
    return int(closes[closes.searchsorted(moment, side="right") - 1])
