from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit._core.barriers import Exit, Outcomes, triple_barrier
from tradekit._core.bars import Bars
from tradekit._core.errors import UsageError

PENDING, TARGET, STOP, TIMEOUT = Exit
QUIET = (10.0, 11.0, 9.5, 10.0)


def make(rows):
    """Minute bars of (open, high, low, close)."""
    opens, highs, lows, closes = np.array(rows, dtype=float).reshape(-1, 4).T
    minutes = np.arange(len(opens)) * 60 * 10**9
    return Bars(
        "X", "1Min", minutes, opens, highs, lows, closes, np.ones_like(opens), calendar="24/7"
    )


def mirrored(rows):
    """The same bars upside down around 10."""
    return [(20 - o, 20 - low, 20 - high, 20 - c) for o, high, low, c in rows]


def follow(after, side=1, horizon=3, cost=0.0):
    """What becomes of a signal at a bar that closes at 10, with a target at 12 and a stop at 9."""
    rows = [QUIET, *after]
    bars = make(rows if side > 0 else mirrored(rows))
    levels = ([12.0], [9.0]) if side > 0 else ([8.0], [11.0])
    return triple_barrier(bars, [0], [side], *levels, horizon=horizon, cost=cost)


# Each by hand: the bars after the signal's bar, how it ends, in which row, at which price.
TABLE = {
    "the target on the entry bar": ([(10, 12.5, 9.5, 12)], TARGET, 1, 12),
    "the target just touched": ([(10, 12, 9.5, 11)], TARGET, 1, 12),
    "the target missed by a hair": ([(10, 11.99, 9.5, 11)] * 3, TIMEOUT, 3, 11),
    "the stop on the entry bar": ([(10, 11, 8.5, 10)], STOP, 1, 9),
    "the stop just touched": ([(10, 11, 9, 10)], STOP, 1, 9),
    "the stop missed by a hair": ([(10, 11, 9.01, 10)] * 3, TIMEOUT, 3, 10),
    "both in one bar": ([QUIET, (10, 12.5, 8.5, 12)], STOP, 2, 9),
    "the target first, the stop later": ([(10, 12, 10, 12), (12, 12, 8, 8)], TARGET, 1, 12),
    "the stop first, the target later": ([(10, 10, 9, 9), (9, 13, 9, 13)], STOP, 1, 9),
    "a gap below the stop": ([QUIET, (8, 8.5, 7.5, 8)], STOP, 2, 8),
    "a gap above the target": ([QUIET, (13, 13.5, 12.5, 13)], TARGET, 2, 13),
    "a gap to the stop": ([QUIET, (9, 10, 8, 9)], STOP, 2, 9),
    "a gap to the target": ([QUIET, (12, 12, 11, 11)], TARGET, 2, 12),
    "a gap above the target, then down to the stop": ([QUIET, (13, 13, 8, 8)], TARGET, 2, 13),
    "a gap below the stop, then up to the target": ([QUIET, (8, 13, 8, 13)], STOP, 2, 8),
    "an entry below the stop": ([(8.5, 9.5, 8, 9)], STOP, 1, 8.5),
    "an entry above the target": ([(13, 13.5, 12.5, 13)], TARGET, 1, 13),
    "time is up": ([QUIET, QUIET, (10, 11, 9.5, 10.5)], TIMEOUT, 3, 10.5),
    "time is up with a loss": ([QUIET, QUIET, (10, 11, 9.5, 9.5)], TIMEOUT, 3, 9.5),
    "the stop in the last bar": ([QUIET, QUIET, (10, 11, 9, 10.5)], STOP, 3, 9),
    "the target in the last bar": ([QUIET, QUIET, (10, 12, 9.5, 10.5)], TARGET, 3, 12),
    "the target after time is up": ([QUIET, QUIET, QUIET, (10, 13, 9, 13)], TIMEOUT, 3, 10),
}


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("case", TABLE)
def test_a_position_ends_as_worked_by_hand(case, side):
    after, how, row, price = TABLE[case]
    entry, price = (after[0][0], price) if side > 0 else (20 - after[0][0], 20 - price)
    what = follow(after, side)
    assert (what.exit[0], what.exit_row[0]) == (how, row)
    assert (what.entry_price[0], what.exit_price[0]) == (entry, price)
    assert what.net_return[0] == pytest.approx(side * (price - entry) / entry, abs=1e-15)


def test_a_signal_is_entered_at_the_next_open_and_not_at_its_own_close():
    # In at 11, out at the target of 12: 1 / 11. From the close at 10 it would have been 2 / 10.
    assert follow([(11, 12, 10.5, 12)]).net_return[0] == pytest.approx(1 / 11)


def test_the_signals_own_bar_ends_nothing():
    bars = make([(10, 15, 5, 10), QUIET])
    assert triple_barrier(bars, [0], [1], [12.0], [9.0], horizon=1).exit[0] == TIMEOUT


def test_costs_are_taken_off_once():
    # Up from 10 to 12 is 0.2; in and out together cost 0.01.
    assert follow([(10, 12, 9.5, 12)], cost=0.01).net_return[0] == pytest.approx(0.19)
    assert follow([(10, 12, 9.5, 12)], side=-1, cost=0.01).net_return[0] == pytest.approx(0.19)
    assert follow([(8.5, 9.5, 8, 9)], cost=0.01).net_return[0] == pytest.approx(-0.01)


def test_a_horizon_of_one_ends_with_the_entry_bar():
    what = follow([(10, 11, 9.5, 10.5), (10, 13, 9.5, 13)], horizon=1)
    assert (what.exit[0], what.exit_row[0], what.exit_price[0]) == (TIMEOUT, 1, 10.5)


def test_a_position_that_the_bars_do_not_decide_is_pending():
    what = follow([QUIET, QUIET])
    assert (what.exit[0], what.exit_row[0], what.entry_price[0]) == (PENDING, -1, 10)
    assert np.isnan([what.exit_price[0], what.net_return[0]]).all()
    assert not what.decided[0]


def test_a_signal_at_the_last_bar_has_no_entry_yet():
    what = follow([])
    assert (what.exit[0], what.exit_row[0]) == (PENDING, -1)
    assert np.isnan([what.entry_price[0], what.exit_price[0], what.net_return[0]]).all()


def test_time_is_up_at_the_very_last_bar():
    assert follow([QUIET] * 3).exit[0] == TIMEOUT


def test_a_target_out_of_reach_leaves_stop_and_time():
    bars = make([QUIET, QUIET, (10, 99, 8, 9)])
    what = triple_barrier(bars, [0], [1], [np.inf], [9.0], horizon=5)
    assert (what.exit[0], what.exit_row[0]) == (STOP, 2)


def test_rates_count_what_has_ended_and_nothing_else():
    # Two reach the target of 12 from 10, one the stop at 9, one is out of time at 10.5, two are
    # pending: 2 of 4 hit, and (0.2 + 0.2 - 0.1 + 0.05) / 4 = 0.0875.
    exits = np.array([TARGET, STOP, TIMEOUT, TARGET, PENDING, PENDING])
    entry = np.array([10.0, 10, 10, 10, 10, np.nan])
    price = np.array([12.0, 9, 10.5, 12, np.nan, np.nan])
    what = Outcomes(exits, entry, price, np.arange(6), price / entry - 1)
    assert (what.hit_rate, len(what)) == (0.5, 6)
    assert what.expectancy == pytest.approx(0.0875)
    assert what.decided.tolist() == [True] * 4 + [False] * 2


def test_nothing_ended_has_no_rate():
    what = triple_barrier(make([]), [], [], [], [], horizon=3)
    assert len(what) == 0
    assert math.isnan(what.hit_rate)
    assert math.isnan(what.expectancy)


def by_plain_loops(rows, at, side, target, stop, horizon):
    """The same, one bar and one position at a time; prices times side, so that up is good."""
    for step, (o, high, low, c) in enumerate(rows[at + 1 : at + 1 + horizon], start=1):
        best, worst = (high, low) if side == 1 else (-low, -high)
        if side * o <= side * stop:
            return STOP, at + step, o
        if side * o >= side * target:
            return TARGET, at + step, o
        if worst <= side * stop:
            return STOP, at + step, stop
        if best >= side * target:
            return TARGET, at + step, target
        if step == horizon:
            return TIMEOUT, at + step, c
    return PENDING, -1, math.nan


@st.composite
def markets(draw):
    """Bars on a coarse grid of prices, so that levels are often met exactly, and gaps abound."""
    price = st.integers(5, 15)
    count = draw(st.integers(1, 12))
    rows = []
    for _ in range(count):
        o, c, reach, depth = draw(st.tuples(price, price, st.integers(0, 3), st.integers(0, 3)))
        rows.append((o, max(o, c) + reach, min(o, c) - depth, c))
    at = draw(st.lists(st.integers(0, count - 1), max_size=6))
    sides = [draw(st.sampled_from([1, -1])) for _ in at]
    far = [draw(st.tuples(st.integers(1, 6), st.integers(1, 4))) for _ in at]
    return rows, at, sides, far, draw(st.integers(1, 8))


@given(markets())
def test_every_outcome_is_the_one_of_plain_loops(market):
    rows, at, sides, far, horizon = market
    target = [rows[t][3] + s * up for t, s, (up, _) in zip(at, sides, far, strict=True)]
    stop = [rows[t][3] - s * down for t, s, (_, down) in zip(at, sides, far, strict=True)]
    what = triple_barrier(make(rows), at, sides, target, stop, horizon=horizon, cost=0.001)
    for i, position in enumerate(zip(at, sides, target, stop, strict=True)):
        how, row, price = by_plain_loops(rows, *position, horizon)
        assert (what.exit[i], what.exit_row[i]) == (how, row)
        if how == PENDING:
            assert math.isnan(what.net_return[i])
            continue
        entry = rows[at[i] + 1][0]
        assert (what.entry_price[i], what.exit_price[i]) == (entry, price)
        earned = sides[i] * (price - entry) / entry - 0.001
        assert what.net_return[i] == pytest.approx(earned, abs=1e-12)


@given(markets())
def test_upside_down_the_other_side_earns_the_same(market):
    rows, at, sides, far, horizon = market
    close = np.array([rows[t][3] for t in at])
    side, reach = np.array(sides), np.array(far).reshape(-1, 2)
    target, stop = close + side * reach[:, 0], close - side * reach[:, 1]
    up = triple_barrier(make(rows), at, sides, target, stop, horizon=horizon)
    turned = make([(40 - o, 40 - low, 40 - high, 40 - c) for o, high, low, c in rows])
    down = triple_barrier(turned, at, -side, 40 - target, 40 - stop, horizon=horizon)
    assert np.array_equal(up.exit, down.exit)
    assert np.array_equal(up.exit_row, down.exit_row)
    earned = [(what.net_return * what.entry_price)[what.decided] for what in (up, down)]
    assert np.allclose(*earned)


@given(markets())
def test_later_bars_change_no_outcome_that_has_ended(market):
    rows, at, sides, far, horizon = market
    close, side = np.array([rows[t][3] for t in at]), np.array(sides)
    reach = np.array(far).reshape(-1, 2)
    levels = close + side * reach[:, 0], close - side * reach[:, 1]
    early = triple_barrier(make(rows), at, sides, *levels, horizon=horizon)
    late = triple_barrier(
        make([*rows, *[(10, 30, 1, 10)] * 9]), at, sides, *levels, horizon=horizon
    )
    ended = early.decided
    assert np.array_equal(early.exit[ended], late.exit[ended])
    assert np.array_equal(early.net_return[ended], late.net_return[ended])


def walk(bars, steps, seed):
    """A driftless random walk around 1000, each bar seen through some small steps."""
    moves = np.random.default_rng(seed).normal(0, 0.02, (bars, steps)).cumsum(axis=None)
    path = 1000 + moves.reshape(bars, steps)
    opens = np.r_[1000.0, path[:-1, -1]]
    inside = np.c_[opens, path]
    return make(np.c_[opens, inside.max(axis=1), inside.min(axis=1), path[:, -1]])


def test_on_a_random_walk_the_hit_rate_is_what_the_distances_say():
    # Gambler's ruin: from 0, +2 comes before -1.5 with probability 1.5 / 3.5 = 0.4286. Measured
    # elsewhere at 0.435 and 0.432; 2000 signals that do not overlap spread by 0.011 each way.
    bars = walk(2001 * 40, 10, seed=7)
    rows = np.arange(1, 2001) * 40
    side = np.where(rows % 80, 1, -1)
    range_ = bars.ind.atr(14)[rows]
    close = bars.close[rows]
    levels = close + side * 2.0 * range_, close - side * 1.5 * range_
    what = triple_barrier(bars, rows, side, *levels, horizon=39)
    ended = np.isin(what.exit, (TARGET, STOP))
    assert ended.mean() > 0.99
    rate, spread = 1.5 / 3.5, math.sqrt(0.4286 * 0.5714 / 2000)
    assert abs((what.exit[ended] == TARGET).mean() - rate) < 3 * spread
    # And nothing is earned: the mean is within three of its own standard errors of zero.
    assert abs(what.expectancy) < 3 * what.net_return.std() / math.sqrt(2000)


def test_the_base_rate_is_what_the_same_levels_do_at_any_bar():
    rows = [(10, 12, 9, 10), (10, 12, 9.5, 10), QUIET, (10, 11, 9, 10), QUIET]
    bars = make(rows)
    every = np.arange(len(bars))
    what = triple_barrier(
        bars, every, np.ones(5, int), np.full(5, 12.0), np.full(5, 9.0), horizon=2
    )
    # Row 0 enters at row 1 and hits 12; rows 1 and 2 meet 9 in row 3; row 3 sees one quiet bar of
    # two, row 4 none: 1 of 3.
    assert what.exit.tolist() == [TARGET, STOP, STOP, PENDING, PENDING]
    assert what.hit_rate == 1 / 3


GOOD = {"rows": [0], "direction": [1], "target": [12.0], "stop": [9.0]}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"rows": [0, 1]}, "go together: expected flat and equally long"),
        ({"rows": [[0]], "direction": [[1]], "target": [[12.0]], "stop": [[9.0]]}, "go together"),
        ({"rows": 0, "direction": 1, "target": 12.0, "stop": 9.0}, "go together"),
        ({"rows": [True]}, "rows are counted: expected whole numbers; np.flatnonzero"),
        ({"rows": [0.0]}, "rows are counted: .* got an array of float64"),
        ({"rows": [-1]}, "X: signals beyond the bars: expected rows 0 to 1"),
        ({"rows": [2]}, "X: signals beyond the bars"),
        ({"direction": [0]}, "a position has a side: expected 1 for bullish or -1 for bearish"),
        ({"direction": [1.5]}, "a position has a side"),
        ({"direction": [np.nan]}, "a position has a side"),
        ({"target": [10.0]}, "levels on the wrong side of the close 10.0 in row 0"),
        ({"target": [9.5]}, "got side 1, target 9.5, stop 9.0"),
        ({"stop": [10.0]}, "the target ahead of the close and the stop behind it, both known"),
        ({"target": [np.nan]}, "target nan"),
        ({"stop": [np.nan]}, "stop nan"),
        ({"direction": [-1]}, "got side -1, target 12.0, stop 9.0"),
        ({"horizon": 0}, "time must be up at some bar: expected a whole number from 1, got 0"),
        ({"horizon": 2.0}, "time must be up at some bar"),
        ({"cost": -0.001}, "costs are a fraction of the entry price: expected from 0 to below 1"),
        ({"cost": 1.0}, "costs are a fraction"),
        ({"cost": np.nan}, "costs are a fraction"),
    ],
)
def test_what_cannot_be_traded_is_refused(changes, sentence):
    with pytest.raises(UsageError, match=sentence):
        triple_barrier(make([QUIET, QUIET]), **{**GOOD, "horizon": 3, **changes})


def test_sides_may_be_the_signs_of_scores():
    score = np.array([35.0, -60.0])
    bars = make([QUIET, QUIET, (10, 12, 8, 10)])
    for side in (np.sign(score), np.sign(score).astype(np.int8)):
        what = triple_barrier(bars, [0, 0], side, [12.0, 8.0], [9.0, 11.0], horizon=np.int64(5))
        assert what.exit.tolist() == [STOP, STOP]
