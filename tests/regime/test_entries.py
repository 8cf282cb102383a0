from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tradekit import NoDataError, UsageError
from tradekit.regime._entries import read_entries

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_frames_and_bars_are_read_alike(market):
    bars = market(1, 40)
    bare = bars.to_frame()
    bare.attrs = {}  # then the step tells the timeframe
    read, unusable = read_entries({"SPY": bars}, NOW)
    assert read["SPY"] == bars
    assert not unusable
    for frame in (bars.to_frame(), bare):
        other, _ = read_entries({"SPY": frame}, NOW)
        assert (other["SPY"].close == bars.close).all()
        assert other["SPY"].timeframe == "1Day"


def test_each_entry_that_cannot_be_used_has_its_reason(market):
    bars = market(1, 40)
    short = bars.to_frame().iloc[:1]
    short.attrs = {}
    holed = bars.to_frame()
    holed.loc[holed.index[5], "close"] = float("nan")
    entries = {
        "SPY": bars,
        "none": None,
        "empty": bars.to_frame().iloc[:0],
        "short": short,
        "QQQ": bars,
        "holed": holed,
    }
    read, unusable = read_entries(entries, NOW)
    assert list(read) == ["SPY"]
    assert list(unusable) == ["none", "empty", "short", "QQQ", "holed"]
    assert "got None" in str(unusable["none"])
    assert "no rows" in str(unusable["empty"])
    assert "bars of another" in str(unusable["QQQ"])


def test_a_bar_that_is_not_over_is_left_out(market, close_of):
    bars = market(1, 40)
    now = close_of(bars) - timedelta(seconds=1)
    read, _ = read_entries({"SPY": bars}, now)
    assert len(read["SPY"]) == 39
    _, unusable = read_entries({"SPY": bars}, datetime(2014, 1, 1, tzinfo=UTC))
    assert isinstance(unusable["SPY"], NoDataError)


def test_all_bars_are_of_one_timeframe(market):
    import attrs

    bars = market(1, 40)
    hourly = attrs.evolve(
        bars, symbol="QQQ", timeframe="1Hour", time=bars.time + 11 * 3_600_000_000_000
    )
    _, unusable = read_entries({"SPY": bars, "QQQ": hourly}, NOW)
    assert "another timeframe" in str(unusable["QQQ"])


@pytest.mark.parametrize("wrong", [{}, None, [1], {"SPY": [1.0, 2.0]}, {"SPY": 5}])
def test_what_is_no_market_is_refused(wrong):
    with pytest.raises(UsageError, match="no market"):
        read_entries(wrong, NOW)
