"""Is an answer the one that was asked for? What a source's own door cannot see.

The door has already seen to the symbol, the timeframe that the bars state, the window, impossible
prices and bars that are not complete. What is left needs the calendar, or a second opinion.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np

from .._core.answers import source_name
from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.clock import from_ns, to_ns
from .._core.columns import Int
from .._core.days import weeks
from .._core.errors import SourceError
from .._core.request import BarsRequest
from .._core.source import DataSource
from .._core.timeframe import Timeframe

# A new bar may be late by its own length; days and weeks are published in the course of an evening.
_EVENING = timedelta(hours=6)
# Where bars are missing anyway, so may the newest be: for half a session, or a week of days.
_PAUSE, _DAYS_OF_PAUSE = timedelta(hours=3), 5
_SPARSE = ("iex",)
# Fewer bars than this may lie far apart by chance, and so many tell; longer ones than this lie a
# day apart anyway.
_ENOUGH, _TELLING, _SEVERAL_A_DAY = 3, 10, Timeframe("2Hour")
# Vendors count their depth in calendar days, and begin with a session.
_DEPTH_SLACK = timedelta(days=7)


def unsuited(source: DataSource, request: BarsRequest) -> SourceError | None:
    """Say why a source need not be asked: by its own account it has no such bars.

    Parameters
    ----------
    source : DataSource
        Whom.
    request : BarsRequest
        What would be asked.

    Returns
    -------
    SourceError or None
        Not its fault.
    """
    can = source.capabilities
    if can.timeframes is not None and request.timeframe not in can.timeframes:
        return _unable(source, "timeframe", can.timeframes, request.timeframe)
    if can.adjustments != ("unknown",) and request.adjustment not in can.adjustments:
        return _unable(source, "adjustment", can.adjustments, request.adjustment)
    return None


def _unable(source: DataSource, what: str, has: tuple[str, ...], asked: str) -> SourceError:
    name = source_name(source)
    return SourceError(
        f"{name} has no such {what}",
        retryable=False,
        expected=" or ".join(has),
        got=asked,
        hint=f"{what}={has[-1]!r}",
        source=name,
    )


def objection(
    source: DataSource, request: BarsRequest, bars: Bars, now: datetime
) -> SourceError | None:
    """Say why an answer cannot be used.

    Parameters
    ----------
    source : DataSource
        Who answered.
    request : BarsRequest
        What was asked.
    bars : Bars
        The answer for one symbol, as the source's door let it through.
    now : datetime
        Aware moment of the question.

    Returns
    -------
    SourceError or None
        Carries ``fault="stale"`` where only the age is wrong.
    """
    name = source_name(source)
    about: dict[str, Any] = {"source": name, "symbol": bars.symbol}
    if bars.adjustment not in (request.adjustment, "unknown"):
        return SourceError(
            f"{name} answered {bars.adjustment} prices of {bars.symbol}",
            expected=f"adjustment {request.adjustment!r}",
            got=repr(bars.adjustment),
            hint=f"MultiSourceDataManager(..., adjustment={bars.adjustment!r})",
            **about,
        )
    if _far_apart(bars):
        return SourceError(
            f"{name} answered longer bars of {bars.symbol} than it says",
            expected=f"{bars.timeframe} bars",
            got=f"one a {'day' if bars.timeframe.is_intraday else 'week'}",
            **about,
        )
    asof = min(request.end or now, now - source.capabilities.delay)
    if due := overdue(bars, asof):
        return SourceError(
            f"{name} is behind with {bars.symbol} {bars.timeframe}",
            expected=f"the bar that was complete at {due:%Y-%m-%d %H:%M} UTC",
            got=f"{bars[-1].close_time:%Y-%m-%d %H:%M} UTC as the newest",
            hint="for the past, ask with end= or hand in clock=FixedClock(...)",
            fault="stale",
            **about,
        )
    return None


def shortage(source: DataSource, request: BarsRequest, bars: Bars) -> SourceError | None:
    """Say that bars are fewer than asked: a young symbol, or a source that left some out.

    Parameters
    ----------
    source : DataSource
        Who answered.
    request : BarsRequest
        What was asked.
    bars : Bars
        The answer for one symbol.

    Returns
    -------
    SourceError or None
        Carries ``fault="short"``; whether it is one, only a longer answer can tell.
    """
    if request.limit is None or len(bars) >= request.limit:
        return None
    name = source_name(source)
    return SourceError(
        f"{name} has too few bars of {bars.symbol}",
        expected=f"{request.limit} {bars.timeframe} bars",
        got=f"{len(bars)} since {bars[0].time:%Y-%m-%d %H:%M} UTC",
        source=name,
        symbol=bars.symbol,
        fault="short",
    )


def may_be_short(source: DataSource, bars: Bars, now: datetime) -> bool:
    """Tell whether a source has a good reason for fewer bars than another one.

    Parameters
    ----------
    source : DataSource
        Who answered.
    bars : Bars
        Its short answer.
    now : datetime
        Aware moment of the question.

    Returns
    -------
    bool
        True where its tape skips bars, or where the answer reaches back as far as it ever does.
    """
    depth = source.capabilities.reach(bars.timeframe)
    reaches = depth is not None and bars[0].time <= now - depth + _DEPTH_SLACK
    return reaches or bars.feed in _SPARSE or bool(bars.gap_before.any())


def overdue(bars: Bars, asof: datetime) -> datetime | None:
    """Tell which bar should have come by a moment, and has not.

    A bar may be late by its own length, a day or a week by six hours. Where bars are missing
    anyway (the answer has gaps, or the feed is one exchange's), it may also be late by the longest
    pause that the answer shows, up to half a session. Time counts while the exchange is open: over
    a night, a weekend or a holiday nothing becomes due.

    Parameters
    ----------
    bars : Bars
        At least one.
    asof : datetime
        Aware; what the source can know by its delay.

    Returns
    -------
    datetime or None
        When that bar was complete; None where nothing is overdue.
    """
    latest = to_ns(asof - min(bars.timeframe.delta, _EVENING))
    if next_close(bars) >= latest:
        return None
    pause = _pause(bars) + (bars.feed in _SPARSE)
    due = next_close(bars, 1 + pause)
    return None if due >= latest else from_ns(due)


def next_close(bars: Bars, count: int = 1) -> int:
    """Tell when the first bar (or a later one) after these will be complete.

    Parameters
    ----------
    bars : Bars
        At least one.
    count : int
        How many bars to wait for.

    Returns
    -------
    int
        Nanoseconds since 1970 UTC.
    """
    return _later(bars.calendar, bars.timeframe, int(bars.close_time[-1]), count)


@lru_cache(maxsize=4096)  # a watchlist asks the same for all its symbols
def _later(code: str, timeframe: Timeframe, close: int, count: int) -> int:
    return calendar_for(code).later(close, timeframe, count)


def _far_apart(bars: Bars) -> bool:
    """Whether bars that should come several a day come one a day, or days one a week."""
    if len(bars) < _ENOUGH or not (bars.timeframe <= _SEVERAL_A_DAY or bars.timeframe == "1Day"):
        return False
    days = calendar_for(bars.calendar).dates(bars.time[-_TELLING:])
    period = days.astype(np.int64) if bars.timeframe.is_intraday else weeks(days)
    return bool(np.diff(period).all())


def _pause(bars: Bars) -> int:
    """The longest run of missing bars within the answer."""
    if not bars.gap_before.any() or bars.timeframe == "1Week":
        return 0
    if not bars.timeframe.is_intraday:
        return min(int(np.diff(bars.session).max()) - 1, _DAYS_OF_PAUSE)
    steps = np.diff(_open_for(bars)) / bars.timeframe.ns
    return min(int(np.ceil(steps.max())) - 1, _PAUSE // bars.timeframe.delta)


def _open_for(bars: Bars) -> Int:
    """How long the exchange had been open at each close, since the first session of the bars."""
    calendar = calendar_for(bars.calendar)
    row = np.searchsorted(calendar.opens, bars.close_time, side="left") - 1
    rows = slice(row[0], row[-1] + 1)
    length = calendar.closes[rows] - calendar.opens[rows]
    before = np.concatenate([[0], np.cumsum(length)])[row - row[0]]
    since = np.minimum(bars.close_time - calendar.opens[row], length[row - row[0]])
    return np.asarray(before + since)
