"""Where to cut bars so that a look ahead shows."""

from __future__ import annotations

import attrs
import numpy as np

from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.columns import Bool, Int

_FIRED, _ANYWHERE, _FEW, _EVENTS = 4, 3, 3, 5
_LARGE = 0.98


@attrs.frozen
class Cuts:
    """Rows from which on the future is taken away, and rows from which on it is changed.

    Parameters
    ----------
    short : list of int
        Where to end, ascending, from 1 to n - 1: at turns of the calendar above all, since there
        the time of the next bar tells something.
    poison : list of int
        Where to begin to change, likewise: at large moves and volumes above all.
    """

    short: list[int]
    poison: list[int]


def telling_cuts(bars: Bars, fired: Bool, rng: np.random.Generator, each: int = 1) -> Cuts:
    """Choose where to cut.

    A peek may wait for something rare: so some cuts lie right before and right after rows where
    something happens, some right after rows that fired, and some anywhere.

    Parameters
    ----------
    bars : Bars
        What is cut.
    fired : ndarray of bool, shape (n,)
        Where something was said.
    rng : numpy.random.Generator
        Chooses.
    each : int
        How many rows of each kind of event.

    Returns
    -------
    Cuts
        None for bars that cannot be cut.
    """
    if len(bars) < 2:
        return Cuts([], [])
    anywhere = rng.integers(1, len(bars), _ANYWHERE * each)
    always = np.append(anywhere, _some(rng, fired, _FIRED * each) + 1)

    def chosen(events: list[Bool]) -> list[int]:
        rows = [_some(rng, happened, each) for happened in events]
        cuts = np.unique(np.concatenate([always, *rows, *(row + 1 for row in rows)]))
        return [int(cut) for cut in cuts if 0 < cut < len(bars)]

    return Cuts(chosen(_turns(bars)), chosen(_moves(bars)))


def late_starts(bars: Bars, fired: Bool, needs: int, rng: np.random.Generator) -> list[int]:
    """Choose rows from which a window starts.

    Some so that it just warms up for an event, some anywhere, and right after the highest and
    the lowest bar: whoever counts from the first bar misses those most.

    Parameters
    ----------
    bars : Bars
        What the windows are cut from.
    fired : ndarray of bool, shape (n,)
        Where something was said.
    needs : int
        Bars to warm up.
    rng : numpy.random.Generator
        Chooses.

    Returns
    -------
    list of int
        Ascending, from 1 to the last one that leaves enough bars to warm up.
    """
    latest = len(bars) - needs
    if latest < 1:
        return []
    events = _some(rng, fired & (np.arange(len(bars)) >= needs), _EVENTS) - needs + 1
    anywhere = rng.integers(1, latest + 1, _ANYWHERE)
    extremes = [np.argmax(bars.high[:latest]) + 1, np.argmin(bars.low[:latest]) + 1]
    starts = np.unique(np.clip([*events, *anywhere, *extremes], 1, latest))
    return [int(start) for start in starts]


def _turns(bars: Bars) -> list[Bool]:
    """Missing bars, half days, and the first bars of sessions, weeks and months."""
    calendar = calendar_for(bars.calendar)
    days = calendar.dates(bars.time)
    weeks = (days + np.timedelta64(3, "D")).astype(
        "M8[W]"
    )  # numpy's begin on Thursday, ours on Monday
    hours = (calendar.closes - calendar.opens)[bars.session]
    turns = [
        np.append(False, label[1:] != label[:-1])
        for label in (bars.session, weeks, days.astype("M8[M]"))
    ]
    return [bars.gap_before, hours < np.median(hours), *turns]


def _moves(bars: Bars) -> list[Bool]:
    """The largest gaps, moves and volumes."""
    before = np.append(bars.close[:1], bars.close[:-1])
    gap, move = (np.abs(np.log(price / before)) for price in (bars.open, bars.close))
    sizes = (gap, move, np.nan_to_num(bars.volume))
    return [size > np.quantile(size, _LARGE) for size in sizes]


def _some(rng: np.random.Generator, where: Bool, count: int) -> Int:
    """Choose rows: all of a few, and none where it happens all the time, which needs no aim."""
    rows = np.flatnonzero(where)
    if len(rows) > len(where) / 2:
        return rows[:0]
    return rows if len(rows) <= _FEW else rng.choice(rows, min(count, len(rows)), replace=False)
