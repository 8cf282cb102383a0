"""Longer bars from shorter ones, keyed by session and minutes since its open."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import numpy.typing as npt

from .bars import Bars
from .calendar import Calendar, calendar_for
from .clock import to_ns
from .columns import Int, take
from .errors import UsageError
from .timeframe import Timeframe


def resample(
    bars: Bars, timeframe: str, *, asof: datetime | None = None, cut: bool = False
) -> Bars:
    """Make longer bars out of shorter ones; only complete bars come out.

    Intraday bars are counted from the session's open, by the exchange calendar, so a 2-hour bar
    starts at 09:30, 11:30, 13:30 and 15:30 in New York on every day of the year, and the last one
    ends with the session. Rows outside regular hours belong to no session: they are left out and
    counted in ``dropped``.

    Parameters
    ----------
    bars : Bars
        The shorter bars, on their session's grid.
    timeframe : Timeframe or str
        The longer length, a whole multiple: ``5Min`` to ``4Hour``, ``1Day``, ``1Week``.
    asof : datetime, optional
        Aware moment up to which the shorter bars are complete; else the close of the last one, or
        the moment up to which they were resampled themselves, so that two steps give what one
        gives. A longer bar that ends later is left out.
    cut : bool
        Whether the bars were cut out of a longer history: then the first longer bar may lack its
        beginning, and is left out unless its very first bar is there.

    Returns
    -------
    Bars
        Open of the first, highest high, lowest low, close of the last, sum of the volumes (NaN
        where one is unknown) and last known extras of each group.

    Raises
    ------
    UsageError
        When the length is no multiple, or the bars stand off the session's grid (as bars on clock
        hours do, whose 09:00 bar straddles the open).

    Examples
    --------
    >>> minutes = np.datetime64("2024-03-08T14:30", "ns") + np.arange(10) * np.timedelta64(1, "m")
    >>> price = np.arange(10.0) + 500
    >>> one = Bars("SPY", "1Min", minutes, price, price, price, price, np.full(10, 100.0))
    >>> five = resample(one, "5Min")
    >>> five.open, five.close, five.volume
    (array([500., 505.]), array([504., 509.]), array([500., 500.]))
    """
    longer, calendar = Timeframe(timeframe), calendar_for(bars.calendar)
    _check_multiple(bars, longer)
    inside = bars.session >= 0
    _check_grid(bars, calendar, inside, longer)
    label = _labels(bars, calendar, longer)
    rows = np.flatnonzero(inside)
    starts = rows[np.flatnonzero(np.diff(label[rows], prepend=-1))] if len(rows) else rows
    grouped = _group(bars, longer, label, rows, starts)
    kept = grouped[1:] if cut and _lacks_its_start(bars, calendar, longer, grouped) else grouped
    known = to_ns(asof) if asof else _known(bars)
    complete = kept.until(known)
    complete._memo["asof"] = known
    return complete


def _known(bars: Bars) -> int:
    """Moment up to which nothing is missing; bars cut from others know only their last close."""
    over = bars[-1:].close_time  # of the last bar alone: the others' take time
    return int(bars._memo.get("asof", over[0] if len(over) else 0))


def _check_multiple(bars: Bars, longer: Timeframe) -> None:
    if longer < bars.timeframe or longer.seconds % bars.timeframe.seconds:
        raise UsageError(
            f"{bars.symbol}: {bars.timeframe} bars cannot become {longer} bars",
            expected=f"a whole multiple of {bars.timeframe}",
            got=str(longer),
            hint="fetch shorter bars",
        )


def _check_grid(
    bars: Bars, calendar: Calendar, inside: npt.NDArray[np.bool_], longer: Timeframe
) -> None:
    if not bars.timeframe.is_intraday or longer == bars.timeframe:
        return
    odd = inside & ((bars.time - calendar.opens[bars.session]) % bars.timeframe.ns != 0)
    outside = np.flatnonzero(~inside)
    early = bars.time[outside]
    opens = calendar.opens.take(np.searchsorted(calendar.opens, early), mode="clip")
    odd[outside] = (early < opens) & (early + bars.timeframe.ns > opens)  # they straddle the open
    if odd.any():
        row = int(np.argmax(odd))
        raise UsageError(
            f"{bars.symbol}: row {row} stands off its session's grid",
            expected=f"{bars.timeframe} bars counted from the open",
            got=f"a bar from {bars[row].time:%Y-%m-%d %H:%M} UTC",
            hint="fetch minutes: bars on clock hours mix what came before the open with the rest",
        )


def _labels(bars: Bars, calendar: Calendar, longer: Timeframe) -> Int:
    """Label of the longer bar that each row belongs to (rows outside sessions: anything)."""
    session = bars.session
    if longer == bars.timeframe:
        return bars.time
    if longer.is_intraday:
        opens = calendar.opens[session]
        return np.asarray(opens + (bars.time - opens) // longer.ns * longer.ns)
    if longer == "1Day":
        return calendar.midnights[session]
    days = calendar.sessions[session].astype(np.int64)
    mondays = ((days + 3) // 7 * 7 - 3).astype("M8[D]")
    each, which = np.unique(mondays, return_inverse=True)
    return calendar.labels(each)[which]


def _group(bars: Bars, longer: Timeframe, label: Int, rows: Int, starts: Int) -> Bars:
    at = np.searchsorted(rows, starts)
    ends = np.append(rows[at[1:] - 1], rows[-1:])
    fold = {"high": np.maximum, "low": np.minimum, "volume": np.add}
    columns = {
        name: ufunc.reduceat(getattr(bars, name)[rows], at) if len(at) else np.empty(0)
        for name, ufunc in fold.items()
    }
    ends = ends if len(at) else rows
    dropped = bars.dropped + len(bars) - len(rows)
    return bars._replace(
        timeframe=longer,
        time=label[starts],
        open=bars.open[starts],
        close=bars.close[ends],
        extra=take(bars.extra, ends),
        dropped=dropped,
        **columns,
    )


def _lacks_its_start(bars: Bars, calendar: Calendar, longer: Timeframe, grouped: Bars) -> bool:
    if not len(grouped):
        return False
    begins = grouped.time[0]
    if not longer.is_intraday:
        first = np.searchsorted(calendar.midnights, begins)  # a Monday may be a holiday
        begins = (calendar.opens if bars.timeframe.is_intraday else calendar.midnights)[first]
    return bool(bars.time[bars.session >= 0][0] > begins)
