from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from tradekit import Bars
from tradekit.journal import SetupDetected, SetupMissed
from tradekit.journal._outcomes import resolve_outcomes
from tradekit.journal._setup import gather

# 1Hour bars from 14:30 UTC: 14:30, 15:30, ... of Friday, March 8, 2024.
START = np.datetime64("2024-03-08T14:30")
OPEN = [100.0, 100.0, 101.0, 102.0, 103.0]
HIGH = [101.0, 101.5, 102.5, 104.5, 103.5]
LOW = [99.0, 99.5, 100.5, 101.5, 98.0]
CLOSE = [100.0, 101.0, 102.0, 103.0, 99.0]


@pytest.fixture
def bars():
    time = (START + np.arange(5) * np.timedelta64(60, "m")).astype("M8[ns]")
    return {"SPY": Bars("SPY", "1Hour", time, OPEN, HIGH, LOW, CLOSE, [1.0] * 5)}


def setups(decided=True, **changes):
    said = {
        "time": datetime(2024, 3, 8, 15, 30, tzinfo=UTC),
        "direction": "bullish",
        "price_target": 104.0,
        "stop_loss": 98.5,
    } | changes
    about = {"setup": "s", "symbol": "SPY", "signal_type": "gap"}
    seen = SetupDetected(said.pop("time"), confidence=60.0, **about, **said)
    miss = SetupMissed(seen.time, code="regime", reason="bear", **about)
    return gather([seen, miss] if decided else [seen]).values()


def resolve(known, bars, **options):
    given = {"horizon": 20, "cost": 0.001, "seen_at": datetime(2024, 3, 9, tzinfo=UTC)} | options
    return resolve_outcomes(known, bars, **given)


def test_it_enters_at_the_next_open_and_leaves_at_the_target(bars):
    # Known at 15:30, so in at that bar's open of 100; 104 lies below the high of the 17:30 bar.
    (outcome,) = resolve(setups(), bars)
    assert (outcome.setup, outcome.exit, outcome.bars_held) == ("s", "target", 3)
    assert (outcome.entry_price, outcome.exit_price) == (100.0, 104.0)
    assert outcome.net_return == pytest.approx(0.04 - 0.001)
    assert outcome.time == datetime(2024, 3, 8, 18, 30, tzinfo=UTC)


def test_a_bar_that_began_before_it_was_known_is_not_entered(bars):
    late = datetime(2024, 3, 8, 15, 31, tzinfo=UTC)  # so in at 16:30, at 101
    (outcome,) = resolve(setups(time=late), bars)
    assert outcome.entry_price == 101.0


def test_time_is_up_when_the_signal_expires_or_else_after_the_usual_number_of_bars(bars):
    expiring = setups(details={"expires_at": "2024-03-08T17:30:00+00:00"})
    for known, options in ((expiring, {}), (setups(), {"horizon": 2})):
        (outcome,) = resolve(known, bars, **options)
        assert (outcome.exit, outcome.exit_price) == ("timeout", 102.0)


def test_a_signal_that_expires_after_the_bars_stays_pending(bars):
    never = {"price_target": 110.0, "stop_loss": 90.0}
    later = {"expires_at": "2024-03-08T21:00:00+00:00"}
    assert resolve(setups(**never, details=later), bars, horizon=2) == []
    for text in ("soon", "2024-03-08T17:30:00"):
        assert resolve(setups(**never, details={"expires_at": text}), bars, horizon=2)


def test_a_bearish_setup_is_the_other_way_round(bars):
    (outcome,) = resolve(setups(direction="SHORT", price_target=98.5, stop_loss=110.0), bars)
    assert (outcome.exit, outcome.net_return) == ("target", pytest.approx(0.015 - 0.001))


@pytest.mark.parametrize(
    "unfit",
    [
        {"decided": False},
        {"price_target": None},
        {"stop_loss": None},
        {"direction": "sideways"},
        {"price_target": 99.5},  # passed before it could be entered
        {"time": datetime(2024, 3, 8, 14, 30, tzinfo=UTC)},  # no bar before it
        {"time": datetime(2024, 3, 8, 21, tzinfo=UTC)},  # no bar after it
        {"price_target": 120.0, "stop_loss": 80.0},  # not decided yet
    ],
)
def test_what_cannot_be_told_stays_pending(bars, unfit):
    assert resolve(setups(**unfit), bars) == []
    assert resolve(setups(), {}) == []
