from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import Bars, BarsRequest, FixedClock, UsageError
from tradekit._core.faults import PRICES
from tradekit._core.resample import resample
from tradekit.data import SimulatedSource
from tradekit.data._comparison import (
    TOLERANCE,
    Comparison,
    agree,
    compare,
    odd_one_out,
    reaches,
)
from tradekit.testing._provider_rows import Rows, bent, on_iex


def bars(*closes, skip=0, **known):
    time = np.datetime64("2024-03-08T14:30", "ns") + np.arange(
        skip, skip + len(closes)
    ) * np.timedelta64(5, "m")
    price = np.array(closes, dtype=float)
    facts = {"symbol": "SPY", "timeframe": "5Min", "adjustment": "all", "volume": price} | known
    return Bars(time=time, open=price, high=price, low=price, close=price, **facts)


@pytest.fixture(scope="module")
def truth():
    source = SimulatedSource(clock=FixedClock(datetime(2024, 3, 8, 22, tzinfo=UTC)))
    return asyncio.run(source.fetch(BarsRequest("SPY", "5Min", limit=78)))["SPY"]


def told(truth, rows):
    return truth._replace(time=rows.time, **rows.columns)


def test_what_differs_is_told_on_the_bars_that_both_have():
    # Common are 11, 12, 13 against 11.11, 12, 13: one percent, nothing, nothing.
    compared = compare(bars(10, 11, 12, 13), bars(11.11, 12, 13, 14, skip=1))
    assert compared == Comparison(3, 0.0, 0.0, 0.0, 0.0, pytest.approx(0.01))


def test_volume_is_not_compared():
    assert compare(bars(10, 11), bars(10, 11, volume=[0, np.nan])) == Comparison(2, *[0.0] * 5)


def test_the_median_says_who_is_higher():
    assert compare(bars(10, 10, 10), bars(10.1, 10.1, 10.1)).median == pytest.approx(0.01)
    assert compare(bars(10, 10, 10), bars(9.9, 9.9, 9.9)).median == pytest.approx(-0.01)


@pytest.mark.parametrize(
    "other",
    [{"symbol": "QQQ"}, {"timeframe": "1Min"}, {"adjustment": "raw"}],
)
def test_answers_to_other_questions_cannot_be_compared(other):
    with pytest.raises(UsageError, match="one symbol, timeframe and adjustment"):
        compare(bars(10, 11), bars(10, 11, **other))


def test_an_adjustment_that_nobody_states_may_be_the_same():
    assert compare(bars(10, 11), bars(10, 11, adjustment="unknown")).largest == 0


NEAR = {"common": 78, **dict.fromkeys(("median", "others", "most", "newest", "largest"), 0.0)}


@pytest.mark.parametrize(
    ("what", "whole", "sparse"),
    [
        ("median", 0.002, 0.002),
        ("others", 0.002, 0.006),
        ("most", 0.002, 0.010),
        ("newest", 0.004, 0.010),
        ("largest", 0.010, 0.050),
    ],
)
def test_who_agrees_does_so_in_every_respect(what, whole, sparse):
    for is_sparse, most in ((False, whole), (True, sparse)):
        for far, verdict in ((0.99 * most, True), (1.01 * most, False)):
            assert agree(Comparison(**{**NEAR, what: far}, is_sparse=is_sparse)) is verdict


def test_of_few_bars_only_the_newest_can_tell():
    assert agree(Comparison(2, *[0.0] * 5)) is None
    assert agree(Comparison(0, *[float("nan")] * 5)) is None
    assert agree(Comparison(**{**NEAR, "common": 1, "newest": 0.0041})) is False


def test_a_tolerance_can_be_chosen():
    apart = Comparison(78, *[0.004] * 5)
    assert (agree(apart), agree(apart, 0.005)) == (False, True)


def first_half_high(bars):
    return {name: np.where(np.arange(78) < 38, 1.02, 1.0) for name in PRICES}


def one_high(bars):
    return {name: np.where(np.arange(78) == 40, 1.02, 1.0) for name in PRICES}


def newest_high(bars):
    return {name: np.where(np.arange(78) == 77, 1.005, 1.0) for name in PRICES}


def wide(bars):
    return {"high": 1.03, "low": 0.97}


def opens_low(bars):
    return {"open": bars.low / bars.open, "low": 0.99}


@pytest.mark.parametrize("wrong", [first_half_high, one_high, newest_high, wide, opens_low])
def test_a_part_that_is_wrong_is_seen(truth, wrong):
    bent = {name: getattr(truth, name) * factor for name, factor in wrong(truth).items()}
    assert agree(compare(truth, truth._replace(**bent))) is False


def test_an_answer_that_ends_early_does_not_reach():
    whole = bars(*range(10, 70))
    assert [reaches(whole, whole[:n]) for n in (60, 59, 58, 0)] == [True, True, False, False]
    assert reaches(whole[:58], whole)
    sparse = whole._replace(feed="iex")
    assert [reaches(whole, sparse[:n]) for n in (54, 53)] == [True, False]


def test_without_common_bars_nothing_can_be_told():
    assert agree(compare(bars(10, 11, 12), bars(10, 11, 12, skip=3))) is None


@pytest.mark.parametrize("fault", ["plausible_shift", "wrong_symbol", "unadjusted_split"])
def test_what_one_answer_alone_cannot_show_is_seen_beside_another(truth, fault):
    for seed in range(20):
        rows = bent(Rows.of(truth), fault, np.random.default_rng(seed))
        assert agree(compare(truth, told(truth, rows))) is False


def test_the_feed_of_one_exchange_agrees(truth):
    sparse = told(truth, on_iex(Rows.of(truth), truth.timeframe, seed=1))._replace(feed="iex")
    assert len(sparse) <= len(truth)
    assert agree(compare(truth, sparse)) is True
    assert reaches(truth, sparse)
    assert reaches(sparse, truth)


@pytest.mark.slow
def test_bars_of_one_minute_in_four_agree_as_those_of_one_exchange(market_data):
    rng = np.random.default_rng(0)
    for file in (market_data / "bars/1m/yahoo-2026-03").glob("*.parquet"):
        minutes = Bars.from_frame(pd.read_parquet(file), file.stem, "1Min", bad="drop")
        minutes = minutes[int(np.flatnonzero(minutes.session >= 0)[0]) :]
        kept = np.flatnonzero(rng.random(len(minutes)) < 0.25)
        seen = {name: getattr(minutes, name)[kept] for name in ("time", *PRICES, "volume")}
        whole = resample(minutes, "5Min", cut=True)
        sparse = resample(minutes._replace(**seen), "5Min", cut=True)._replace(feed="iex")
        for row in range(0, len(whole) - 78, 78):
            assert agree(compare(whole[row : row + 78], sparse)) is True


@given(
    st.lists(st.floats(-3e-4, 3e-4), min_size=3, max_size=3),
    st.sampled_from([-0.02, -0.005, 0.005, 0.02]),
    st.permutations(["a", "b", "c"]),
)
def test_the_odd_one_is_found_whoever_it_is_in_whatever_order(noise, shift, names):
    price = np.linspace(100, 110, 20)
    answers = {name: bars(*price * (1 + far)) for name, far in zip(names, noise, strict=True)}
    assert odd_one_out(answers) is None
    answers["b"] = bars(*price * (1 + shift))
    assert odd_one_out(answers) == "b"


def test_two_against_two_leave_nobody_out():
    same, other = bars(10, 11, 12), bars(20, 21, 22)
    assert odd_one_out({"a": same, "b": same, "c": other, "d": other}) is None
    assert odd_one_out({"a": same, "b": same, "c": same, "d": other}) == "d"


def test_three_of_a_kind_or_three_opinions_leave_nobody_out():
    assert odd_one_out({"a": bars(1, 2, 3), "b": bars(2, 3, 4), "c": bars(4, 5, 6)}) is None


def test_where_one_agrees_with_both_ends_nobody_is_odd():
    # A step of 0.15 % is within the tolerance, two steps are not.
    steps = [bars(*np.array([100, 101, 102]) * far) for far in (1, 1.0015, 1.003)]
    assert odd_one_out(dict(zip("abc", steps, strict=True))) is None


def test_of_two_nobody_is_the_odd_one():
    assert odd_one_out({"a": bars(1, 2, 3), "b": bars(2, 3, 4)}) is None


def test_who_has_no_bars_in_common_with_the_others_is_not_odd():
    same = bars(10, 11, 12)
    assert odd_one_out({"a": same, "b": same, "c": bars(20, 21, 22, skip=3)}) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mine", "other", "symbol"),
    [
        ("yahoo-adj", "tiingo-adj", "AAPL"),
        ("yahoo-adj", "tiingo-adj", "TSLA"),
        ("yahoo-raw-rebuilt", "tiingo-raw", "TSLA"),
        ("lean-split", "yahoo-split", "AAPL"),
    ],
)
def test_real_vendors_agree_ten_times_as_closely_as_they_must(market_data, mine, other, symbol):
    files = [market_data / "bars/1d" / name / f"{symbol}.parquet" for name in (mine, other)]
    one, two = (Bars.from_frame(pd.read_parquet(file), symbol, "1Day") for file in files)
    verdicts = [
        agree(compare(one[row : row + 100], two), TOLERANCE / 10)
        for row in range(0, len(one) - 100, 100)
    ]
    assert verdicts.count(True) >= 5
    assert False not in verdicts
