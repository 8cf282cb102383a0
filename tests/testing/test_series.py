"""The kit's markets hold what a detector could stumble over, and nobody can spoil them."""

from __future__ import annotations

import numpy as np
import pytest

from tradekit._core.calendar import calendar_for
from tradekit.testing._series import altered, difference, flat_bars, kit_bars, odd_bars, rebuilt

SEEDS = range(20)
NYSE = calendar_for()


def days(bars):
    return set(NYSE.dates(bars.time).astype(str))


@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_the_same_seed_gives_the_same_markets(seed):
    assert kit_bars(seed, 300) == kit_bars(seed, 300)
    assert kit_bars(seed, 300) != kit_bars(seed + 1, 300)


def test_markets_are_as_long_as_asked_but_for_missing_bars():
    jumps, trends, minutes, holes = kit_bars(0, 700)
    assert [len(jumps), len(trends), len(minutes)] == [700] * 3
    assert 691 <= len(holes) <= 697


@pytest.mark.parametrize("seed", SEEDS)
def test_the_last_market_misses_bars_in_three_places(seed):
    *whole, holes = kit_bars(seed, 600)
    assert not any(bars.gap_before.any() for bars in whole)
    assert holes.gap_before.sum() == 3


def test_minutes_hold_a_half_day_a_new_year_and_the_end_of_summer_time():
    _, _, minutes, holes = kit_bars(0, 600)
    # 2024-12-24 closes at 13:00 in New York; clocks go back on 2024-11-03.
    assert {"2024-12-24", "2024-12-31", "2025-01-02"} <= days(minutes)
    assert {"2024-10-31", "2024-11-01", "2024-11-04"} <= days(holes)


def test_days_hold_half_days():
    jumps = kit_bars(0, 600)[0]
    assert {"2024-11-29", "2024-12-24", "2025-07-03"} <= days(jumps)


@pytest.mark.parametrize("seed", SEEDS)
def test_days_have_gaps_jumps_bursts_and_trends(seed):
    for bars in kit_bars(seed, 600)[:2]:
        gap = np.abs(bars.open[1:] / bars.close[:-1] - 1)
        move = np.abs(np.diff(np.log(bars.close)))
        assert (gap > 0.02).sum() >= 10
        assert (move > 4 * np.median(move)).sum() >= 10
        assert (bars.volume > 3 * np.median(bars.volume)).sum() >= 10
    trends = kit_bars(seed, 600)[1]
    mean = np.convolve(trends.close, np.ones(200) / 200, "valid")
    above = trends.close[199:] > mean
    assert above.any()
    assert not above.all()


def test_a_trial_of_sessions_has_no_daily_bars():
    assert {str(bars.timeframe) for bars in kit_bars(0, 300, intraday=True)} == {"5Min"}


def test_who_writes_into_a_market_spoils_only_their_own():
    mine = kit_bars(0, 300)[0]
    mine.close.flags.writeable = True
    mine.close[:] = 1.0
    assert kit_bars(0, 300)[0].close.max() > 1.0


def test_rebuilt_bars_are_equal_and_share_nothing():
    bars = kit_bars(0, 300)[0]
    again = rebuilt(bars)
    assert again == bars
    assert not np.shares_memory(again.close, bars.close)
    assert rebuilt(bars, "OTHER").symbol == "OTHER"


def test_altered_bars_keep_times_and_provenance():
    bars = kit_bars(0, 300)[0]
    other = altered(bars, volume=np.zeros(300))
    assert not other.volume.any()
    assert (other.symbol, other.source) == (bars.symbol, bars.source)
    assert (other.time == bars.time).all()


def test_flat_bars_stand_still():
    bars = flat_bars(100, "5Min", volume=5.0)
    assert {*bars.open, *bars.high, *bars.low, *bars.close} == {100.0}
    assert set(bars.volume) == {5.0}


def test_odd_bars_are_few_flat_untraded_unknown_tiny_or_huge():
    odd = dict(odd_bars("1Day", "5Min"))
    assert [len(odd[f"{n} 5Min bars"]) for n in (0, 1, 2, 3)] == [0, 1, 2, 3]
    assert np.ptp(odd["flat 1Day bars"].close) == 0
    assert not odd["1Day bars without a trade"].volume.any()
    assert np.isnan(odd["5Min bars of unknown volume"].volume).all()
    assert odd["1Day bars at hundredths of a cent"].close.max() < 0.001
    assert odd["5Min bars at millions"].close.min() > 1e6


def test_a_difference_is_told_by_span_by_number_or_by_provenance():
    bars = kit_bars(0, 300)[0]
    assert "299 from 2024-10-01" in difference(bars, bars[:-1])
    volume = bars.volume.copy()
    volume[7] = 5.0
    told = difference(bars, altered(bars, volume=volume))
    assert told == f"volume 5.0 instead of {bars.volume[7]} in row 7 (2024-10-10 04:00 UTC)"
    assert "feed='sip'" in difference(bars, bars._replace(feed="sip"))
