from __future__ import annotations

import json
from datetime import datetime

import numpy as np
import pytest

from tradekit import Timeframe, UsageError
from tradekit.data._yahoo_chart import Chart

FIVE, HOUR, DAY = Timeframe("5Min"), Timeframe("1Hour"), Timeframe("1Day")
META = {
    "symbol": "SPY",
    "exchangeTimezoneName": "America/New_York",
    "instrumentType": "ETF",
    "dataGranularity": "5m",
}


def seconds(*times):
    return [int(datetime.fromisoformat(f"{time}+00:00").timestamp()) for time in times]


def told(times, close, volume=None, adjclose=None, events=None, **columns):
    """One result, whose open is the close, and high and low a tick away."""
    quote = {"open": close, "high": [c and c + 0.01 for c in close], "close": close}
    quote |= {"low": [c and c - 0.01 for c in close], "volume": volume or [7] * len(close)}
    indicators = {"quote": [quote | columns]}
    if adjclose is not None:
        indicators["adjclose"] = [{"adjclose": adjclose}]
    return {"meta": META, "timestamp": seconds(*times), "indicators": indicators, "events": events}


def test_rows_are_read_as_they_came():
    times = ["2024-03-08T14:30", "2024-03-08T14:35"]
    chart = Chart.of(told(times, [10.0, 11], volume=[100, 0]))
    bars = chart.bars("SPY", FIVE, adjusted=True)
    assert (chart.ticker, chart.zone, chart.kind, chart.interval, chart.pays) == (
        "SPY", "America/New_York", "ETF", "5m", False,
    )  # fmt: skip
    assert bars.time.tolist() == [s * 10**9 for s in seconds(*times)]
    assert bars.high.tolist() == [10.01, 11.01]
    assert bars.volume.tolist() == [100.0, 0.0]
    assert (bars.source, bars.feed, bars.adjustment, bars.dropped) == ("yahoo", "yahoo", "split", 0)


def test_a_volume_that_is_null_is_unknown_and_not_zero():
    times = ["2024-03-08T14:30", "2024-03-08T14:35"]
    bars = Chart.of(told(times, [10.0, 11.0], volume=[None, 5])).bars("SPY", FIVE, adjusted=False)
    np.testing.assert_array_equal(bars.volume, [np.nan, 5.0])


@pytest.mark.parametrize("hole", [None, 0, "Infinity", "-Infinity", "NaN"])
def test_rows_without_a_price_are_left_out_and_counted(hole):
    times = ["2024-03-08T14:30", "2024-03-08T14:35", "2024-03-08T14:40"]
    result = told(times, [10.0, 11.0, 12.0], low=[9.0, hole, 11.0])
    bars = Chart.of(json.loads(json.dumps(result))).bars("SPY", FIVE, adjusted=False)
    assert (bars.close.tolist(), bars.dropped) == ([10.0, 12.0], 1)


def test_the_latest_price_behind_bars_of_the_day_is_no_bar():
    times = ["2024-03-08T14:30", "2024-03-08T14:35", "2024-03-08T14:38:07"]
    bars = Chart.of(told(times, [10.0, 11.0, 12.0])).bars("SPY", FIVE, adjusted=False)
    assert (bars.close.tolist(), bars.dropped) == ([10.0, 11.0], 0)


def test_other_rows_off_the_grid_are_left_out_and_counted():
    times = ["2024-03-08T14:30", "2024-03-08T14:31:30", "2024-03-08T14:35"]
    bars = Chart.of(told(times, [10.0, 11.0, 12.0])).bars("SPY", FIVE, adjusted=False)
    assert (bars.close.tolist(), bars.dropped) == ([10.0, 12.0], 1)


def test_hours_stand_half_past_on_either_side_of_a_change_of_the_clock():
    times = ["2024-03-08T14:30", "2024-03-08T15:00", "2024-03-11T13:30", "2024-03-11T14:30"]
    bars = Chart.of(told(times, [1.0, 2.0, 3.0, 4.0])).bars("SPY", HOUR, adjusted=False)
    assert (bars.close.tolist(), bars.dropped) == ([1.0, 3.0, 4.0], 1)


def test_days_are_labelled_by_their_midnight_in_new_york():
    # The open of 2024-03-08 (EST) and 2024-03-11 (EDT), and the close of 2024-11-04 (EST).
    times = ["2024-03-08T14:30", "2024-03-11T13:30", "2024-11-04T21:00:01"]
    bars = Chart.of(told(times, [1.0, 2.0, 3.0])).bars("SPY", DAY, adjusted=False)
    midnights = seconds("2024-03-08T05:00", "2024-03-11T04:00", "2024-11-04T05:00")
    assert (bars.time // 10**9).tolist() == midnights


def test_the_latest_price_behind_its_own_day_is_no_second_day():
    times = ["2024-03-07T14:30", "2024-03-08T14:30", "2024-03-08T21:00:01"]
    bars = Chart.of(told(times, [10.0, 11.0, 12.0])).bars("SPY", DAY, adjusted=False)
    assert (bars.close.tolist(), bars.dropped) == ([10.0, 11.0], 0)


def test_the_same_day_twice_is_refused():
    times = ["2024-03-08T14:30", "2024-03-08T14:30"]
    with pytest.raises(UsageError, match="duplicate time"):
        Chart.of(told(times, [10.0, 11.0])).bars("SPY", DAY, adjusted=False)


def test_days_are_adjusted_by_their_adjusted_close():
    # 2 was paid on the third day, after a close of 100: 98 / 100 of every price before is left.
    times = ["2024-03-06T14:30", "2024-03-07T14:30", "2024-03-08T14:30"]
    chart = Chart.of(told(times, [50.0, 100.0, 98.0], adjclose=[49.0, 98.0, 98.0]))
    bars = chart.bars("SPY", DAY, adjusted=True)
    np.testing.assert_allclose(bars.open, [49.0, 98.0, 98.0], rtol=1e-15)
    np.testing.assert_allclose(bars.high, [50.01 * 0.98, 100.01 * 0.98, 98.01], rtol=1e-15)
    assert bars.adjustment == "all"
    split = chart.bars("SPY", DAY, adjusted=False)
    assert (split.close.tolist(), split.adjustment) == ([50.0, 100.0, 98.0], "split")


def test_a_day_without_its_adjusted_close_is_left_out_only_where_it_is_needed():
    times = ["2024-03-07T14:30", "2024-03-08T14:30"]
    chart = Chart.of(told(times, [50.0, 100.0], adjclose=[49.0, "-Infinity"]))
    bars = chart.bars("SPY", DAY, adjusted=True)
    assert (bars.close.tolist(), bars.dropped) == ([49.0], 1)
    assert len(chart.bars("SPY", DAY, adjusted=False)) == 2


def test_a_day_without_a_close_has_nothing_to_be_adjusted_by():
    times = ["2024-03-07T14:30", "2024-03-08T14:30"]
    result = told(times, [50.0, 100.0], adjclose=[49.0, 100.0])
    result["indicators"]["quote"][0]["close"] = [0, "Infinity"]
    with pytest.raises(ValueError, match="2 rows and no bar"):
        Chart.of(result).bars("SPY", DAY, adjusted=True)


def test_moments_are_told_what_is_left_on_their_day():
    times = ["2024-03-07T14:30", "2024-03-08T14:30"]
    chart = Chart.of(told(times, [100.0, 98.0], adjclose=[98.0, 98.0]))
    moments = seconds("2024-03-07T15:00", "2024-03-07T20:55", "2024-03-08T15:00")
    left = chart.left_at(np.array(moments) * 10**9)
    np.testing.assert_allclose(left, [0.98, 0.98, 1.0], rtol=1e-15)
    with pytest.raises(ValueError, match="no day 2024-03-06 to adjust by"):
        chart.left_at(np.array(seconds("2024-03-06T15:00", "2024-03-07T15:00")) * 10**9)


@pytest.mark.parametrize("name", ["dividends", "capitalGains"])
def test_payments_are_noticed(name):
    events = {name: {"1709821800": {"amount": 1.5, "date": 1709821800}}}
    assert Chart.of(told(["2024-03-08T14:30"], [10.0], events=events)).pays
    assert not Chart.of(told(["2024-03-08T14:30"], [10.0], events={"splits": {}})).pays


@pytest.mark.parametrize("empty", [{"quote": [{}]}, {"quote": [{}], "adjclose": [{}]}])
def test_no_rows_are_no_bars(empty):
    assert Chart.of({"meta": META, "indicators": empty}).bars("SPY", DAY, adjusted=True) is None


@pytest.mark.parametrize(
    "result",
    [
        told(["2024-03-08T14:30"], [10.0, 11.0]),
        told(["2024-03-08T14:30"], [10.0], volume=[1, 2]),
        {"meta": META, "indicators": {"quote": [{"close": [1.0]}]}},
        {"meta": META, "indicators": {"quote": []}},
        {"meta": META, "indicators": None},
        {"indicators": {"quote": [{}]}},
    ],
)
def test_columns_that_do_not_fit_together_are_refused(result):
    with pytest.raises((ValueError, LookupError, TypeError)):
        Chart.of(result)


def test_rows_without_any_price_are_no_answer():
    chart = Chart.of(told(["2024-03-08T14:30", "2024-03-08T14:35"], [None, None]))
    with pytest.raises(ValueError, match="2 rows and no bar"):
        chart.bars("SPY", FIVE, adjusted=False)
