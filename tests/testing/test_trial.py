"""A detector is tried by copies, under new names, on markets long enough for it."""

from __future__ import annotations

import numpy as np
import pytest

from tradekit import SignalDetector
from tradekit.testing._series import kit_bars
from tradekit.testing._trial import Trial, written


class Long(SignalDetector):
    """Needs 300 bars."""

    lookback = 300

    def _scan(self, bars):
        return np.full(len(bars), 10.0)


class Windows(SignalDetector):
    """Sees windows only."""

    lookback = 20

    def _detect(self, window):
        return 10.0


def test_markets_are_three_times_as_long_as_the_look_back():
    markets = Trial(Long(), None, 0).markets
    # A missing bar restarts the warm-up of the default levels, so the last market takes longer.
    assert [market.needs for market in markets[:3]] == [300] * 3
    assert 900 <= len(markets[0].bars) <= 1500


def test_own_bars_keep_their_names_and_lengths():
    mine = kit_bars(0, 80)[:2]
    trial = Trial(Long(), mine, 0)
    assert [market.bars for market in trial.markets] == list(mine)
    assert [bars.symbol for _, bars, _ in trial.tried("leg")] == ["JUMPS", "TRENDS"]


def test_every_leg_meets_markets_under_a_name_of_its_own():
    trial = Trial(Long(), None, 0)
    names = [bars.symbol for leg in ("one", "two") for _, bars, _ in trial.tried(leg)]
    assert len(set(names)) == 8


def test_every_leg_gets_copies():
    trial = Trial(Long(), None, 0)
    copies = [detector for _, _, detector in trial.tried("leg")]
    assert len({id(each) for each in [*copies, trial.detector]}) == 5


def test_who_spoils_the_bars_of_one_leg_spoils_no_other():
    trial = Trial(Long(), None, 0)
    for _, bars, _ in trial.tried("one"):
        bars.close.flags.writeable = True
        bars.close[:] = 1.0
    assert all(bars.close.max() > 1 for _, bars, _ in trial.tried("two"))


def test_windows_that_end_at_their_row_need_fewer_cuts():
    many, few = (Trial(kind(), None, 0).markets[0].cuts for kind in (Long, Windows))
    assert 1 <= len(few.poison) < len(many.poison) / 2


@pytest.mark.parametrize("kind", [Long, Windows])
def test_the_users_classes_are_those_before_the_interface(kind):
    class Mine(kind):
        pass

    assert written(Mine()) == (Mine, kind)
