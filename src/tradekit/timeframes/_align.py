"""Bars of each timeframe as they were known at one moment: a bar counts once it is complete."""

from __future__ import annotations

from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.clock import from_ns, to_utc
from .._core.errors import NoDataError, UsageError
from .._core.resample import resample
from .._core.timeframe import Timeframe

# A feed may lag by a bar or two; at the third bar that should be there, news is old.
_LATE = 3


def view(bars: Bars, timeframe: Timeframe, lookback: int, now: int) -> Bars:
    """The newest so many bars of a timeframe that are complete by a moment, in nanoseconds.

    Bars outside regular hours belong to no session and are left out, at every timeframe alike. A
    longer bar is complete when its last part is: where the feed lags, it is left out, however late
    it is by the clock.
    """
    complete = bars.until(now)
    try:
        longer = resample(complete, timeframe, cut=True)
    except UsageError as error:
        raise NoDataError(
            f"no {timeframe} bars of {bars.symbol} can be made", got=str(error)
        ) from error
    if not len(longer):
        raise NoDataError(
            f"no complete {timeframe} bar of {bars.symbol}",
            expected=f"bars by {from_ns(now):%Y-%m-%d %H:%M} UTC",
            got=f"{len(complete)} complete bars of {bars.timeframe}",
            hint="a shorter timeframe, or wait",
        )
    return longer[-lookback:]


def is_stale(bars: Bars, now: int) -> bool:
    """Whether bars that should be there by now are not, by the exchange's calendar."""
    if bars.stale_since is not None and to_utc(bars.stale_since) <= from_ns(now):
        return True
    newest = int(bars.close_time[-1])
    return calendar_for(bars.calendar).later(newest, bars.timeframe, _LATE) <= now
