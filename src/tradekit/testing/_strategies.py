"""Hypothesis strategies: bars with gaps, flats and jumps, one bar, half days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.timeframe import Timeframe

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

# Sessions 2024-11-25 to 2024-12-06: a holiday, a half day, five-hour and six-hour UTC offsets.
_FIRST, _SESSIONS = np.datetime64("2024-10-28"), 30


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
        2024-11-03, no session on Thanksgiving, and a half day after it.

    Examples
    --------
    >>> from hypothesis import given
    >>> @given(any_bars("1Day", max_size=10))
    ... def test_closes_lie_within_their_bars(bars):
    ...     assert (bars.close <= bars.high).all()
    >>> test_closes_lie_within_their_bars()
    """
    from hypothesis import strategies as st

    grid = _grid(Timeframe(timeframe))
    size = st.integers(min_size, min(max_size, len(grid)))

    @st.composite
    def made(draw: Any) -> Bars:
        count = draw(size)
        start = draw(st.integers(0, len(grid) - count))
        missing = draw(
            st.sets(st.integers(1, max(count - 1, 1)), max_size=max(count - min_size, 0))
        )
        rows = [start + i for i in range(count) if i not in missing or count - len(missing) < 1]
        moves = draw(st.lists(_moves(st), min_size=len(rows), max_size=len(rows)))
        return _build(timeframe, grid[rows], np.array(moves))

    return made()


def _moves(st: Any) -> Any:
    """Ticks from close to open and from open to close, reach up and down, and volume."""
    calm, wild = st.integers(-5, 5), st.integers(-2_000, 2_000)
    step = st.one_of(st.just(0), calm, wild)
    reach = st.one_of(st.just(0), st.integers(0, 20))
    return st.tuples(step, step, reach, reach, st.integers(0, 10**6))


def _build(timeframe: str, time: Any, moves: Any) -> Bars:
    gap, body, up, down, volume = moves.T
    closes = 10_000 + np.cumsum(gap + body)
    # Prices stay above zero, whatever was drawn: ticks are lifted by the lowest of them.
    lift = max(0, 100 - int((closes - np.abs(body) - down).min()))
    close = (closes + lift) / 100
    opened = close - body / 100
    high, low = np.maximum(opened, close) + up / 100, np.minimum(opened, close) - down / 100
    return Bars("ANY", timeframe, time, opened, high, low, close, volume, source="kit")


def _grid(timeframe: Timeframe) -> Any:
    calendar = calendar_for()
    first = int(np.searchsorted(calendar.sessions, _FIRST))
    sessions = range(first, first + _SESSIONS)
    if not timeframe.is_intraday:
        return calendar.midnights[first : first + 12 * _SESSIONS]
    spans = (np.arange(calendar.opens[s], calendar.closes[s], timeframe.ns) for s in sessions)
    return np.concatenate(list(spans))
