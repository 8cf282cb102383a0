from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import Timeframe, calendar_for
from tradekit.timeframes._plan import MOST_ROWS, plan_calls, rows_needed

LENGTHS = ["1Min", "5Min", "15Min", "30Min", "1Hour", "2Hour", "4Hour", "1Day"]
wanted = st.dictionaries(st.sampled_from(LENGTHS).map(Timeframe), st.integers(1, 500), min_size=1)


def test_six_timeframes_take_three_calls():
    lookbacks = {Timeframe(name): 300 for name in ("1Min", "5Min", "15Min", "1Hour", "4Hour")}
    calls = plan_calls({**lookbacks, Timeframe("1Day"): 250})
    assert [(c.timeframe, c.serves) for c in calls] == [
        ("1Min", ("1Min", "5Min", "15Min")),
        ("30Min", ("1Hour", "4Hour")),
        ("1Day", ("1Day",)),
    ]


def test_hours_are_made_of_minutes_that_fit_the_session():
    (call,) = plan_calls({Timeframe("1Hour"): 10})
    assert call.timeframe == "30Min"


@given(wanted)
def test_every_timeframe_is_served_once_with_bounded_calls(lookbacks):
    calls = plan_calls(lookbacks)
    served = [each for call in calls for each in call.serves]
    assert sorted(served) == sorted(lookbacks)
    assert all(call.rows <= MOST_ROWS for call in calls)
    for call in calls:
        for each in call.serves:
            assert each.is_intraday == call.timeframe.is_intraday
            assert each.seconds % call.timeframe.seconds == 0


@pytest.mark.parametrize("name", ["5Min", "1Hour", "2Hour", "4Hour"])
@pytest.mark.parametrize("exchange", ["XNYS", "24/7"])
def test_the_rows_reach_as_far_back_as_they_must(name, exchange):
    """Count back on the calendar itself, from every end of a 15-minute bar in a week."""
    timeframe, calendar = Timeframe(name), calendar_for(exchange)
    base = Timeframe("5Min" if name == "5Min" else "15Min")
    row = int(np.searchsorted(calendar.sessions, np.datetime64("2024-03-04")))
    grids = [
        np.arange(o, c, base.ns)
        for o, c in zip(
            calendar.opens[row - 200 : row], calendar.closes[row - 200 : row], strict=True
        )
    ]
    grid = np.concatenate(grids)
    opens = np.repeat(calendar.opens[row - 200 : row], [len(g) for g in grids])
    starts = opens + (grid - opens) // timeframe.ns * timeframe.ns
    need = rows_needed(base, timeframe, 50)
    full = dict(zip(*np.unique(starts, return_counts=True), strict=True))
    for end in range(len(grid) - 100, len(grid)):
        labels, counts = np.unique(starts[end - need : end], return_counts=True)
        assert sum(full[k] == n for k, n in zip(labels, counts, strict=True)) >= 50


def test_weeks_are_made_of_days():
    (call,) = plan_calls({Timeframe("1Day"): 20, Timeframe("1Week"): 20})
    assert (call.timeframe, call.rows) == ("1Day", 147)
