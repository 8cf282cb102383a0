from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from tradekit._core.bars import Bars
from tradekit._core.errors import NoDataError, UsageError
from tradekit._core.request import BarsRequest, Capabilities, Fetched, as_symbols

START, END = datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 3, 8, tzinfo=UTC)


def test_a_request_takes_what_people_write():
    request = BarsRequest(["SPY", "QQQ"], timedelta(minutes=5), start=START, end=END, limit=3)
    assert request.symbols == ("SPY", "QQQ")
    assert request.timeframe == "5Min"
    assert (request.start, request.end, request.limit) == (START, END, 3)


def test_adjusted_for_splits_and_dividends_is_what_one_gets_unasked():
    assert BarsRequest("SPY", "1Day").adjustment == "all"


def test_one_moment_in_any_zone_is_one_request():
    new_york = START.astimezone(timezone(timedelta(hours=-5)))
    same = [BarsRequest("SPY", "1Day", start=at) for at in (START, new_york, pd.Timestamp(START))]
    assert [str(request.start) for request in same] == ["2024-03-01 00:00:00+00:00"] * 3
    assert len(set(same)) == 1


@pytest.mark.parametrize(
    "symbols", [(), [], "", " SPY", ["SPY", "SPY"], ["SPY", ""], [["SPY"]], [3], None, 3, b"SPY"]
)
def test_symbols_are_names_each_once(symbols):
    with pytest.raises(UsageError, match="no such symbols: expected at least one name, each once"):
        BarsRequest(symbols, "1Day")


def test_any_iterable_of_names_will_do():
    assert as_symbols(name for name in "AB") == ("A", "B")
    assert as_symbols(np.array(["A", "B"])) == ("A", "B")
    assert as_symbols("AB") == ("AB",)


@pytest.mark.parametrize("limit", [0, -1, True, 2.0, "3", float("nan")])
def test_a_limit_is_a_count_above_zero(limit):
    message = f"a limit counts bars: expected a whole number from 1, got {limit!r}. Try: limit=300"
    with pytest.raises(UsageError, match=message):
        BarsRequest("SPY", "1Day", limit=limit)
    assert BarsRequest("SPY", "1Day", limit=1).limit == 1


@pytest.mark.parametrize("edge", ["start", "end"])
@pytest.mark.parametrize("moment", [datetime(2024, 3, 1), "2024-03-01", START.date(), pd.NaT, 0])  # noqa: DTZ001
def test_the_edges_of_a_window_have_a_zone(edge, moment):
    with pytest.raises(UsageError, match="a time needs a zone: expected an aware datetime"):
        BarsRequest("SPY", "1Day", **{edge: moment})


@pytest.mark.parametrize(("start", "end"), [(END, START), (START, START)])
def test_a_window_holds_something(start, end):
    with pytest.raises(UsageError, match="an empty window: expected start before end, got 2024"):
        BarsRequest("SPY", "1Day", start=start, end=end)


@pytest.mark.parametrize("adjustment", ["ALL", "dividend", "unknown", None, ["all"]])
def test_prices_are_asked_for_in_one_of_three_ways(adjustment):
    with pytest.raises(UsageError, match="no such adjustment: expected 'all', 'split' or 'raw'"):
        BarsRequest("SPY", "1Day", adjustment=adjustment)


def test_the_window_is_given_by_name():
    with pytest.raises(TypeError, match="positional"):
        BarsRequest("SPY", "1Day", START)


def test_a_timeframe_that_nobody_knows_is_refused():
    with pytest.raises(UsageError, match="unknown timeframe"):
        BarsRequest("SPY", "nonsense")


def test_what_was_fetched_gives_bars_or_raises_the_reason():
    reason = NoDataError("no such symbol")
    bars = Bars("SPY", "1Day", [5 * 3600 * 10**9], [1.0], [1.0], [1.0], [1.0], [1.0])
    fetched = Fetched({"SPY": bars}, {"ZZZZ": reason})
    assert fetched["SPY"] is bars
    with pytest.raises(NoDataError) as caught:
        fetched["ZZZZ"]
    assert caught.value is reason


def test_what_was_not_asked_for_is_not_silently_absent():
    fetched = Fetched(failures={"QQQ": NoDataError("none")})
    with pytest.raises(UsageError, match="SPY was not asked for: expected one of QQQ, got SPY"):
        fetched["SPY"]
    with pytest.raises(UsageError, match="expected one of none, got SPY"):
        Fetched()["SPY"]


def test_two_answers_do_not_share_their_dicts():
    first, second = Fetched(), Fetched()
    first.failures["SPY"] = NoDataError("none")
    assert second.failures == {}


def test_a_source_that_says_nothing_of_itself_can_do_anything():
    usual = Capabilities()
    assert (usual.timeframes, usual.depth, usual.calls_per_minute) == (None, None, None)
    assert (usual.delay, usual.feed) == (timedelta(0), "unknown")
    assert set(usual.adjustments) == {"raw", "split", "all"}


def test_a_depth_may_depend_on_the_length_of_bars():
    week = timedelta(days=7)
    assert Capabilities(depth=week).reach("1Day") == week
    can = Capabilities(depth={"1m": week})
    assert (can.reach("1Min"), can.reach("60Min")) == (week, None)
    assert Capabilities().reach("1Min") is None
