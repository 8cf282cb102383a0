from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit._core.bars import Bars
from tradekit._core.calendar import calendar_for
from tradekit._core.errors import UsageError
from tradekit._core.indicators import Indicators
from tradekit._core.lines import Need, over_runs, whole

MINUTE = 60 * 10**9
NAN = np.nan


def test_each_run_of_known_rows_is_computed_by_itself():
    column = np.array([NAN, 1.0, 2.0, NAN, np.inf, 3.0, 4.0])
    (total,) = over_runs(np.cumsum, [column])
    assert np.array_equal(total, [NAN, 1, 3, NAN, NAN, 3, 7], equal_nan=True)


def test_a_row_is_known_where_all_columns_are():
    (total,) = over_runs(np.add, [np.array([1.0, NAN, 3.0]), np.array([1.0, 2.0, NAN])])
    assert np.array_equal(total, [2, NAN, NAN], equal_nan=True)


def test_a_break_starts_a_new_run():
    breaks = np.array([True, False, True, False])
    (total,) = over_runs(np.cumsum, [np.ones(4)], breaks=breaks)
    assert total.tolist() == [1, 2, 1, 2]


def test_runs_that_are_too_short_are_left_out():
    seen = []
    over_runs(lambda x: seen.append(len(x)) or x, [np.array([1.0, NAN, 1, 2, NAN, 1])], least=2)
    assert seen == [2]


@given(st.lists(st.tuples(st.sampled_from([1.0, NAN]), st.booleans()), max_size=20))
def test_what_is_computed_is_always_finite_and_in_order(rows):
    column, breaks = np.array(rows, dtype=float).reshape(-1, 2).T
    seen = []
    over_runs(lambda x: seen.extend(x) or x, [column], breaks=breaks == 1)
    assert seen == [value for value, _ in rows if value == 1]


def test_answers_are_read_only_and_as_long_as_the_bars(minutes):
    for line in minutes(np.arange(1.0, 30)).ind.bollinger(5):
        assert line.dtype == np.float64
        assert len(line) == 29
        assert not line.flags.writeable


def test_an_answer_is_computed_once(minutes):
    bars = minutes([1.0, 2.0, 3.0])
    assert bars.ind.sma(2) is bars.ind.sma(period=np.int64(2), of="close")
    assert bars.ind.sma(2) is not bars.ind.sma(3)


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("bollinger", (5, 2), (5, 3)),
        ("macd", (3, 6, 2), (3, 6, 3)),
        ("macd", (3, 6, 2), (4, 6, 2)),
        ("stochastic", (5, 3, 2), (5, 2, 2)),
        ("stochastic", (5, 3, 2), (5, 3, 3)),
        ("pivots", (2, 3), (2, 4)),
        ("rsi", (5, "close"), (5, "volume")),
    ],
)
def test_other_parameters_are_other_answers(minutes, name, one, other):
    rng = np.random.default_rng(2)
    ask = getattr(minutes(rng.uniform(10, 20, 60), volume=rng.uniform(1, 9, 60)).ind, name)
    assert not np.array_equal(ask(*one), ask(*other), equal_nan=True)


def test_a_slice_does_not_see_the_answers_of_its_parent(minutes):
    bars = minutes([1.0, 2.0, 3.0, 4.0])
    assert bars.ind.sma(2)[2] == 2.5
    assert np.array_equal(bars[2:].ind.sma(2), [NAN, 3.5], equal_nan=True)


def test_threads_get_one_and_the_same_answer(minutes):
    walk = 100 + np.cumsum(np.random.default_rng(1).normal(size=2000))
    bars, together = minutes(walk), Barrier(8)
    calendar_for("24/7")

    def ask(_):
        together.wait()
        return bars.ind.rsi(14), bars.ind.macd().signal, bars.ind.vwap()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    alone = minutes(walk).ind
    assert np.array_equal(answers[0], (alone.rsi(14), alone.macd().signal, alone.vwap()), True)
    assert len({tuple(map(id, answer)) for answer in answers}) == 1


def test_what_is_touched_is_told_even_when_it_is_known_already(minutes):
    bars, cache = minutes(np.arange(1.0, 30)), {}
    for _ in range(2):
        touched = {}
        ind = Indicators(bars, cache, touched)
        ind.rsi(14), ind.sma(5, "hl2")
        assert touched == {("rsi", 14, "close"): Need(140, True), ("sma", 5, "hl2"): Need(5, False)}


def test_windows_never_ask_the_calendar(minutes):
    bars = minutes([1.0, 2.0, 3.0], calendar="no such exchange")
    assert bars.ind.sma(3)[2] == 2
    with pytest.raises(UsageError, match="unknown exchange"):
        bars.ind.ema(3)


def test_columns_are_named():
    bars = Bars("X", "1Min", [0], [4.0], [10.0], [2.0], [3.0], [9.0], calendar="24/7")
    bars = bars.with_extra("mood", [0.5], [MINUTE])
    columns = {"open": 4, "high": 10, "low": 2, "close": 3, "volume": 9, "hl2": 6, "hlc3": 5}
    assert {name: bars.ind.sma(1, name)[0] for name in columns} == columns
    assert bars.ind.sma(1, "mood").tolist() == [0.5]


def test_an_extra_that_is_not_known_yet_spoils_only_its_windows(minutes):
    mood = np.array([NAN, 1.0, 2.0, NAN, 4.0, 6.0])
    close_times = (np.arange(6) + 1) * MINUTE
    bars = minutes(np.ones(6)).with_extra("mood", mood, close_times)
    assert np.array_equal(bars.ind.sma(2, "mood"), [NAN, NAN, 1.5, NAN, NAN, 5], equal_nan=True)
    assert np.array_equal(bars.ind.ema(1, "mood"), mood, equal_nan=True)


@pytest.mark.parametrize("of", ["Close", "mood", 3, np.ones(3), None])
def test_an_unknown_column_is_refused_with_the_columns_there_are(minutes, of):
    with pytest.raises(UsageError, match=r"ind.rsi.*one of open, high.*hlc3, got of=") as caught:
        minutes([1.0, 2.0]).ind.rsi(2, of)
    assert "with_extra" in str(caught.value)


@pytest.mark.parametrize("value", [1.0, "14", None, 1, 0, -3, 100_001, np.float64(14)])
def test_an_impossible_period_is_refused(minutes, value):
    with pytest.raises(UsageError, match=r"rsi: impossible period.*from 2 to 100,000, got period="):
        minutes([1.0, 2.0]).ind.rsi(value)


def test_true_is_no_period(minutes):
    with pytest.raises(UsageError, match=r"sma: impossible period.*from 1 to .*got period=True"):
        minutes([1.0, 2.0]).ind.sma(True)


def test_a_whole_number_is_itself():
    assert whole("sma", "period", np.int32(1), 1) == 1
    assert type(whole("sma", "period", np.int32(1), 1)) is int
