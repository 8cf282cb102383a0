"""Hypothesis strategies: bars with gaps, flats and jumps, one bar, half days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.columns import Int
from .._core.errors import UsageError
from .._core.timeframe import Timeframe

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

# What lies ahead: daylight-saving time ends on 2024-11-03, and 2024-11-29 is a half day.
_FIRST, _WINTER, _HALF_DAY = (np.datetime64(f"2024-{day}") for day in ("10-28", "11-04", "11-29"))
_SESSIONS, _HOLES, _WIDEST = 30, 3, 5
_SHORTEST = 3 * 3600 * 10**9  # no session is shorter, in nanoseconds


def any_bars(
    timeframe: str = "5Min", *, min_size: int = 1, max_size: int = 200
) -> SearchStrategy[Bars]:
    """Make any bars that can be: with missing bars, flats, jumps, half days, or one bar alone.

    Parameters
    ----------
    timeframe : Timeframe or str
        Their length; a day at most.
    min_size, max_size : int
        Fewest and most bars.

    Returns
    -------
    hypothesis.strategies.SearchStrategy
        Of `Bars`, on the sessions from 2024-10-28 on: a change of daylight-saving time on
        2024-11-03, no session on Thanksgiving, and a half day after it. The simplest are few,
        flat and without a gap.

    Raises
    ------
    UsageError
        For bars longer than a day, and when no number of bars is both.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(any_bars("1Day", max_size=10))
    ... def test_closes_lie_within_their_bars(bars):
    ...     assert (bars.close <= bars.high).all()
    >>> test_closes_lie_within_their_bars()
    """
    from hypothesis import strategies as st
    from hypothesis.extra.numpy import arrays

    _refuse(timeframe, min_size, max_size)
    grid, likely = _grid(Timeframe(timeframe), max_size + _HOLES * _WIDEST)
    step = st.one_of(st.just(0), st.integers(-5, 5), st.integers(-2_000, 2_000))
    reach, traded = st.integers(0, 20), st.integers(0, 10**6)

    @st.composite
    def made(draw: Any) -> Bars:
        count = draw(st.integers(min_size, max_size))
        last = len(grid) - count - _HOLES * _WIDEST
        start = draw(st.sampled_from(likely) | st.integers(0, last))
        rows = start + np.arange(count)
        holes = st.tuples(st.integers(1, max(count - 1, 1)), st.integers(1, _WIDEST))
        for at, width in draw(st.lists(holes, max_size=_HOLES)):
            rows[at:] += width
        ticks = [
            draw(arrays(np.int64, count, elements=each, fill=st.just(0)))
            for each in (step, step, reach, reach, traded)
        ]
        return _build(timeframe, grid[rows], *ticks)

    return made()


def _refuse(timeframe: str, min_size: int, max_size: int) -> None:
    if Timeframe(timeframe) > Timeframe("1Day") or not 0 <= min_size <= max_size:
        raise UsageError(
            "no such bars",
            expected="a timeframe of a day at most, and 0 <= min_size <= max_size",
            got=f"{timeframe}, min_size={min_size}, max_size={max_size}",
            hint="resample(bars, '1Week') for longer bars",
        )


def _build(timeframe: str, time: Int, gap: Int, body: Int, up: Int, down: Int, volume: Int) -> Bars:
    """Bars of ticks: from close to open, from open to close, and the reach beyond."""
    closes = 10_000 + np.cumsum(gap + body)
    # Prices stay above zero, whatever was drawn: ticks are lifted by the lowest of them.
    lift = max(0, 100 - int((closes - np.abs(body) - down).min(initial=10_000)))
    close = (closes + lift) / 100
    opened = close - body / 100
    high, low = np.maximum(opened, close) + up / 100, np.minimum(opened, close) - down / 100
    return Bars("ANY", timeframe, time, opened, high, low, close, volume, source="kit")


def _grid(timeframe: Timeframe, length: int) -> tuple[Int, list[int]]:
    """Give labels of a month or as many as are asked for, and rows where something is special."""
    calendar = calendar_for()
    first, *special = np.searchsorted(calendar.sessions, [_FIRST, _WINTER, _HALF_DAY])
    if not timeframe.is_intraday:
        labels = calendar.midnights[first : first + _SESSIONS + length]
    else:
        count = _SESSIONS + 1 + length * timeframe.ns // _SHORTEST
        sessions = range(first, first + count)
        spans = (np.arange(calendar.opens[s], calendar.closes[s], timeframe.ns) for s in sessions)
        labels = np.concatenate(list(spans))
    return labels, [0, *np.searchsorted(labels, calendar.midnights[special]).tolist()]
