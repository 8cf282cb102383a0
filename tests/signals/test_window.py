from __future__ import annotations

import numpy as np
import pytest

from tradekit.signals import DonchianBreakout, LevelBounce, RocThrust, VolumeSurge
from tradekit.testing._series import kit_bars

# Each by hand: the bars that the event at the last one looks back on.
WINDOWS = {
    DonchianBreakout(period=20): 78,  # 22, but target and stop want 78
    DonchianBreakout(period=200): 202,  # 200 bars before, at this bar and at the one before
    RocThrust(period=100): 102,  # the move to this bar, and the one to the bar before
    VolumeSurge(period=90): 91,
    LevelBounce(span=5, age=100): 112,  # a turn of 11 bars, 101 bars ago
}


@pytest.mark.parametrize("detector", WINDOWS, ids=str)
def test_the_look_back_is_the_window_and_what_the_levels_want(detector):
    assert detector.lookback == WINDOWS[detector]


def test_the_look_back_is_no_setting():
    assert DonchianBreakout().source_method == "DonchianBreakout(period=20)/1"


def test_after_the_look_back_target_and_stop_are_those_of_full_history():
    detector, needs = DonchianBreakout(), DonchianBreakout().lookback
    for bars in kit_bars(1, 600)[:3]:
        ahead, _ = detector.levels(bars)
        late = [detector.levels(bars[end - needs : end])[0][-1] for end in range(200, 600, 20)]
        np.testing.assert_allclose(late, ahead[199:599:20], rtol=0.01)
