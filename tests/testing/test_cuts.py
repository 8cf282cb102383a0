"""Cuts lie where a look ahead would show."""

from __future__ import annotations

import numpy as np
import pytest

from tradekit._core.calendar import calendar_for
from tradekit.testing._cuts import late_starts, telling_cuts
from tradekit.testing._series import flat_bars, kit_bars

NYSE = calendar_for()
SEEDS = range(5)


def cuts_of(bars, seed, each=1, fired=None):
    never = np.zeros(len(bars), dtype=bool)
    rng = np.random.default_rng(seed)
    return telling_cuts(bars, never if fired is None else fired, rng, each)


@pytest.mark.parametrize("seed", SEEDS)
def test_cuts_lie_within_the_bars_in_order(seed):
    for bars in kit_bars(seed, 300):
        cuts = cuts_of(bars, seed)
        for rows in (cuts.short, cuts.poison):
            assert rows == sorted(set(rows))
            assert rows[0] >= 1
            assert rows[-1] < len(bars)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_missing_bar_is_cut_before_and_after(seed):
    bars = kit_bars(seed, 600)[3]
    cuts = cuts_of(bars, seed).short
    for row in np.flatnonzero(bars.gap_before):
        assert {row, row + 1} <= {*cuts, len(bars)}


@pytest.mark.parametrize("seed", SEEDS)
def test_bars_end_at_the_end_of_a_month_of_a_half_day_and_of_a_session(seed):
    bars = kit_bars(seed, 600)[2]
    cuts = np.array(cuts_of(bars, seed).short)
    days = NYSE.dates(bars.time)
    ends, starts = days[cuts - 1], days[cuts]
    assert (ends.astype("M8[M]") != starts.astype("M8[M]")).any()
    assert (ends == np.datetime64("2024-12-24")).any()
    assert (ends != starts).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_future_changes_at_a_large_gap_a_large_move_and_a_burst(seed):
    bars = kit_bars(seed, 600)[0]
    cuts = np.array(cuts_of(bars, seed).poison)
    before = np.append(bars.close[0], bars.close[:-1])
    for size in (np.abs(bars.open / before - 1), np.abs(bars.close / before - 1), bars.volume):
        large = set(np.flatnonzero(size > np.quantile(size, 0.975)))
        assert large & set(cuts)
        assert large & set(cuts - 1)


def test_most_cuts_of_a_rare_event_lie_right_after_it():
    bars = kit_bars(0, 600)[0]
    fired = np.zeros(len(bars), dtype=bool)
    fired[[100, 200, 300]] = True
    cuts = cuts_of(bars, 0, fired=fired)
    assert {101, 201, 301} <= set(cuts.short)
    assert {101, 201, 301} <= set(cuts.poison)


def test_own_bars_get_more_cuts():
    bars = kit_bars(0, 600)[0]
    assert len(cuts_of(bars, 0, each=4).poison) > 3 * len(cuts_of(bars, 0).poison)


@pytest.mark.parametrize("length", [0, 1])
def test_bars_that_cannot_be_cut_are_not(length):
    cuts = cuts_of(flat_bars(length), 0)
    assert cuts.short == cuts.poison == []


def test_windows_start_so_that_an_event_is_among_their_first_ready_rows():
    bars, fired = flat_bars(600), np.zeros(600, dtype=bool)
    fired[[250, 400]] = True
    starts = late_starts(bars, fired, 140, np.random.default_rng(0))
    # The first ready row of a window is its row 139.
    assert {250 - 139, 400 - 139} <= set(starts)
    assert starts[0] >= 1
    assert starts[-1] <= 600 - 140


def test_windows_start_right_after_the_highest_and_the_lowest_bar():
    bars = kit_bars(0, 600)[0]
    starts = late_starts(bars, np.zeros(600, dtype=bool), 100, np.random.default_rng(0))
    assert {np.argmax(bars.high[:500]) + 1, np.argmin(bars.low[:500]) + 1} <= set(starts)


def test_no_window_starts_where_none_could_warm_up():
    bars = flat_bars(100)
    assert late_starts(bars, np.ones(100, dtype=bool), 100, np.random.default_rng(0)) == []
