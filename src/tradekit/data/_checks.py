"""Is an answer the one that was asked for? What a source's own door cannot see.

The door has already seen to the symbol, the timeframe that the bars state, prices that contradict
each other and bars that are not complete. What is left needs the calendar, or the neighbours of a
bar. An `objection` refuses an answer. A `doubt` leaves it for want of a better one: what looks odd
here happens on real markets.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np

from .._core.answers import source_name
from .._core.bars import Bars
from .._core.clock import from_ns, to_ns
from .._core.errors import SourceError
from .._core.request import BarsRequest
from .._core.source import DataSource
from ._freshness import SPARSE, awaited, begins_late, excused, holes, overdue
from ._known import Known
from ._overlap import told_before
from ._soundness import far_apart, impossible, off_grid, relabelled, shifted, startling

# In a symbol that trades all the time one bar of twenty may be missing, and on a tape of minutes a
# single one tells nothing.
_HARDLY_ANY, _LONG = 20, timedelta(minutes=2)
# Vendors count their depth in calendar days, and begin with a session.
_DEPTH_SLACK = timedelta(days=7)


def unsuited(source: DataSource, request: BarsRequest, now: datetime) -> SourceError | None:
    """Say why a source need not be asked: by its own account it has no such bars.

    Parameters
    ----------
    source : DataSource
        Whom.
    request : BarsRequest
        What would be asked.
    now : datetime
        Aware.

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
    reach = can.reach(request.timeframe)
    if reach is not None and (request.end or now) <= now - reach:
        since, asked = f"an end after {now - reach:%Y-%m-%d}", f"{request.end:%Y-%m-%d}"
        return _unable(source, "depth", (since,), asked)
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
        Carries ``fault="stale"`` where only the age is wrong, else ``fault="bad_data"``.
    """
    judges = _misfit, _misplaced, _unsound, _stale
    return next((error for judge in judges if (error := judge(source, request, bars, now))), None)


def _misfit(
    source: DataSource, request: BarsRequest, bars: Bars, _: datetime
) -> SourceError | None:
    if bars.adjustment not in (request.adjustment, "unknown"):
        return _bad(
            source,
            bars,
            f"answered {bars.adjustment} prices of {bars.symbol}",
            expected=f"adjustment {request.adjustment!r}",
            got=repr(bars.adjustment),
            hint=f"MultiSourceDataManager(..., adjustment={bars.adjustment!r})",
        )
    if far_apart(bars):
        return _bad(
            source,
            bars,
            f"answered longer bars of {bars.symbol} than it says",
            expected=f"{bars.timeframe} bars",
            got=f"one a {'day' if bars.timeframe.is_intraday else 'week'}",
        )
    return None


def _misplaced(
    source: DataSource, request: BarsRequest, bars: Bars, _: datetime
) -> SourceError | None:
    early = request.start is not None and bars.time[0] < to_ns(request.start)
    if early or (request.end is not None and bars.close_time[-1] > to_ns(request.end)):
        return _bad(
            source,
            bars,
            f"answered bars of {bars.symbol} outside the window",
            expected=f"{request.start or 'the beginning'} to {request.end or 'now'}",
            got=f"{_utc(bars.time[0])} to {_utc(bars.close_time[-1])} UTC",
        )
    return _mislabelled(source, bars)


def _mislabelled(source: DataSource, bars: Bars) -> SourceError | None:
    if len(off := off_grid(bars)):
        begin = "with the session or by the clock" if bars.timeframe.is_intraday else "on its days"
        return _bad(
            source,
            bars,
            f"labels {len(off)} of {len(bars)} bars of {bars.symbol} by odd times",
            expected=f"{bars.timeframe} bars that begin {begin}",
            got=f"{from_ns(bars.time[off[0]]):%Y-%m-%d %H:%M:%S} UTC",
        )
    if bars.feed not in SPARSE and (by := shifted(bars)):
        return _bad(
            source,
            bars,
            f"labels the bars of {bars.symbol} too {'late' if by > 0 else 'early'}",
            expected="sessions that begin and end by the calendar",
            got=f"labels that are shifted by {by / 6e10:g} minutes",
            hint="look at the source's time zone, and whether it labels bars by their end",
        )
    return None


def _unsound(source: DataSource, _: BarsRequest, bars: Bars, __: datetime) -> SourceError | None:
    if (row := impossible(bars)) is None:
        return None
    return _bad(
        source,
        bars,
        f"has an impossible price of {bars.symbol}",
        expected="prices near those of the bar before",
        got=f"{bars.close[row]:g} after {bars.close[row - 1]:g} at {_utc(bars.time[row])} UTC",
        row=row,
    )


def _stale(
    source: DataSource, request: BarsRequest, bars: Bars, now: datetime
) -> SourceError | None:
    due = overdue(bars, now - source.capabilities.delay, request.end)
    return None if due is None else _late(source, bars, "stale", due)


def _late(source: DataSource, bars: Bars, fault: str, due: datetime) -> SourceError:
    return _odd(
        source,
        bars,
        f"is behind with {bars.symbol} {bars.timeframe}",
        fault,
        expected=f"the bar that was complete at {due:%Y-%m-%d %H:%M} UTC",
        got=f"{_utc(bars.close_time[-1])} UTC as the newest",
        hint="for the past, ask with end= or hand in clock=FixedClock(...)",
    )


def _bad(source: DataSource, bars: Bars, what: str, **facts: Any) -> SourceError:
    return _odd(source, bars, what, "bad_data", **facts)


def _odd(source: DataSource, bars: Bars, what: str, fault: str, **facts: Any) -> SourceError:
    name = source_name(source)
    return SourceError(f"{name} {what}", source=name, symbol=bars.symbol, fault=fault, **facts)


def _utc(ns: np.int64) -> str:
    return f"{from_ns(int(ns)):%Y-%m-%d %H:%M}"


def doubt(
    source: DataSource, request: BarsRequest, bars: Bars, known: Known | None = None
) -> SourceError | None:
    """Say what is odd about the prices of an answer, which may still be right.

    Parameters
    ----------
    source : DataSource
        Who answered.
    request : BarsRequest
        What was asked.
    bars : Bars
        The answer for one symbol, to which there is no objection.
    known : Known, optional
        What was told before: an odd price that is told again is odd no more.

    Returns
    -------
    SourceError or None
        Carries ``fault="split"`` where prices look as if a split was left in, ``fault="spike"``
        where they go further than prices hardly ever do.
    """
    return _split_left_in(source, request, bars) or _spike(source, bars, known)


def lack(source: DataSource, request: BarsRequest, bars: Bars, now: datetime) -> SourceError | None:
    """Say what is missing in an answer, which another source may have.

    Parameters
    ----------
    source : DataSource
        Who answered.
    request : BarsRequest
        What was asked.
    bars : Bars
        The answer for one symbol, to which there is no objection.
    now : datetime
        Aware moment of the question.

    Returns
    -------
    SourceError or None
        Carries ``fault="stale"`` where only a hole or two excuse that the newest are missing,
        ``fault="short"`` where bars are fewer than asked, ``fault="behind"`` where the newest is
        late, though not long, and ``fault="gaps"`` where some are missing in between.
    """
    return (
        _excused(source, request, bars, now)
        or shortage(source, request, bars)
        or _awaited(source, request, bars, now)
        or _gaps(source, request, bars)
    )


def _split_left_in(source: DataSource, request: BarsRequest, bars: Bars) -> SourceError | None:
    found = relabelled(bars) if request.adjustment != "raw" else None
    if found is None:
        return None
    row, times = found
    return _odd(
        source,
        bars,
        f"may have left a split in the prices of {bars.symbol}",
        "split",
        expected="more volume and wider ranges with such a move",
        got=f"{bars.open[row]:g} after {bars.close[row - 1]:g} at {_utc(bars.time[row])} UTC, "
        f"{times:.3g} times",
    )


def _spike(source: DataSource, bars: Bars, known: Known | None) -> SourceError | None:
    odd = startling(bars)
    if odd.any() and known is not None:
        odd &= ~told_before(known, bars)
    if not odd.any():
        return None
    row = int(np.argmax(odd))
    before = f" after {bars.close[row - 1]:g}" if row else ""
    return _odd(
        source,
        bars,
        f"has a price of {bars.symbol} that leaps",
        "spike",
        expected="prices within twice (from bar to bar three times) those beside them",
        got=f"{bars.open[row]:g} to {bars.close[row]:g}, at most {bars.high[row]:g}, at least "
        f"{bars.low[row]:g}{before} at {_utc(bars.time[row])} UTC",
    )


def _excused(
    source: DataSource, request: BarsRequest, bars: Bars, now: datetime
) -> SourceError | None:
    due = excused(bars, now - source.capabilities.delay, request.end)
    return None if due is None else _late(source, bars, "stale", due)


def _awaited(
    source: DataSource, request: BarsRequest, bars: Bars, now: datetime
) -> SourceError | None:
    due = awaited(bars, now - source.capabilities.delay, request.end)
    return None if due is None else _late(source, bars, "behind", due)


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
    if request.limit is not None and len(bars) >= request.limit:
        return None
    if request.start is not None and begins_late(bars, to_ns(request.start)):
        expected = f"{bars.timeframe} bars since {request.start:%Y-%m-%d %H:%M} UTC"
    elif request.start is None and request.limit is not None:
        expected = f"{request.limit} {bars.timeframe} bars"
    else:
        return None
    return _odd(
        source,
        bars,
        f"has too few bars of {bars.symbol}",
        "short",
        expected=expected,
        got=f"{len(bars)} since {_utc(bars.time[0])} UTC",
    )


def _gaps(source: DataSource, request: BarsRequest, bars: Bars) -> SourceError | None:
    if bars.feed in SPARSE or not bars.gap_before.any():
        return None
    if not (bars.dropped or _hardly_any_is_missing(request, bars)):
        return None
    rows = np.flatnonzero(bars.gap_before)
    return _odd(
        source,
        bars,
        f"leaves out bars of {bars.symbol}",
        "gaps",
        expected=f"every {bars.timeframe} bar of the sessions",
        got=f"{len(rows)} holes, the first before {_utc(bars.time[rows[0]])} UTC",
    )


def _hardly_any_is_missing(request: BarsRequest, bars: Bars) -> bool:
    """Whether there is a long hole where it matters, and hardly any other."""
    if _HARDLY_ANY * bars.gap_before.sum() > len(bars):
        return False
    missing = holes(bars[-(request.limit or len(bars)) :])
    return bool(missing.max(initial=0) * bars.timeframe.delta >= _LONG)


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
    return reaches or bars.feed in SPARSE or bool(bars.gap_before.any())
