from __future__ import annotations

import numpy as np
import pytest

from tradekit import Timeframe
from tradekit.testing._provider_rows import BENT, Rows, bent, on_iex

MINUTE = 60 * 10**9
PRICES = ("open", "high", "low", "close")


@pytest.fixture
def rows():
    """Two sessions, 2024-03-07 and 2024-03-08, with 10 rows each: 100, 101, ... 119."""
    opens = np.array(["2024-03-07T14:30", "2024-03-08T14:30"], "M8[ns]").astype("i8")
    time = (opens[:, None] + MINUTE * np.arange(10)).ravel()
    price = 100.0 + np.arange(20)
    columns = {"open": price, "high": price + 1, "low": price - 1, "close": price}
    return Rows("SPY", time, {**columns, "volume": np.full(20, 1000.0)})


def struck(rows, fault, seed=5):
    return bent(rows, fault, np.random.default_rng(seed))


def changed(rows, bad):
    """Rows that differ in a price or in volume."""
    return [
        i for i in range(20) if any(rows.columns[n][i] != bad.columns[n][i] for n in bad.columns)
    ]


def test_no_rows_are_none(rows):
    assert len(struck(rows, "no_rows")) == 0


def test_nothing_is_wrong_with_no_rows(rows):
    for fault in BENT:
        assert len(struck(struck(rows, "no_rows"), fault)) == 0


def test_a_missing_field_is_one_close(rows):
    assert np.isnan(struck(rows, "missing_fields").columns["close"]).sum() == 1


def test_a_stale_answer_lacks_the_newest_session(rows):
    assert struck(rows, "stale_day").time.tolist() == rows.time[:10].tolist()


def test_a_missing_tail_is_two_fifths(rows):
    assert struck(rows, "missing_tail").time.tolist() == rows.time[:12].tolist()


def test_one_row_costs_a_hundred_times_as_much(rows):
    bad = struck(rows, "price_x100")
    (row,) = changed(rows, bad)
    assert [bad.columns[n][row] for n in PRICES] == [100 * rows.columns[n][row] for n in PRICES]


def test_one_high_is_below_its_low(rows):
    bad = struck(rows, "swapped_high_low")
    (row,) = changed(rows, bad)
    assert bad.columns["high"][row] == bad.columns["low"][row] - 2


def test_a_plausible_shift_moves_all_prices_by_half_to_two_percent_either_way(rows):
    shifts = []
    for seed in range(40):
        low = struck(rows, "plausible_shift", seed).columns["low"]
        np.testing.assert_array_equal(low, np.round(low, 4))  # no digit that a trade would not have
        ratio = low / rows.columns["low"]
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)
        shifts.append(ratio[0] - 1)
    assert all(0.005 <= abs(shift) <= 0.02 for shift in shifts)
    assert {np.sign(shift) for shift in shifts} == {-1, 1}


def test_a_split_is_unadjusted_before_a_session(rows):
    bad = struck(rows, "unadjusted_split")
    np.testing.assert_array_equal(bad.columns["close"][:10], 4 * rows.columns["close"][:10])
    np.testing.assert_array_equal(bad.columns["close"][10:], rows.columns["close"][10:])
    assert bad.columns["volume"].tolist() == [250.0] * 10 + [1000.0] * 10


def test_one_row_in_twenty_comes_twice(rows):
    assert sorted(np.diff(struck(rows, "duplicate_rows").time).tolist())[:2] == [0, MINUTE]


def test_rows_out_of_order_are_all_there(rows):
    bad = struck(rows, "out_of_order")
    assert (np.diff(bad.time) < 0).sum() == 1
    assert sorted(bad.time) == rows.time.tolist()


def test_another_symbol_has_another_price_and_another_name(rows):
    bad = struck(rows, "wrong_symbol")
    assert bad.symbol == "ZVZZT"
    assert (bad.columns["close"] < 0.6 * rows.columns["close"]).all()


def many(count=50_000, minutes=1):
    ones = dict.fromkeys((*PRICES, "volume"), np.full(count, 1e6))
    return Rows("SPY", 10**18 + np.arange(count) * minutes * MINUTE, ones)


def test_iex_lacks_one_minute_in_twenty_and_has_three_percent_of_the_volume():
    seen = on_iex(many(), Timeframe("1Min"), 0)
    assert abs(len(seen) / 50_000 - 0.95) < 0.005
    assert 0.02e6 <= seen.columns["volume"].min() < seen.columns["volume"].max() <= 0.04e6
    assert abs(seen.columns["volume"].mean() - 0.03e6) < 100


def test_a_longer_bar_is_missing_when_all_its_minutes_are():
    minutes, seen = many(), on_iex(many(), Timeframe("1Min"), 0).time
    pairs = on_iex(many(25_000, 2), Timeframe("2Min"), 0).time
    quiet = ~np.isin(minutes.time, seen).reshape(-1, 2)
    expected = minutes.time.reshape(-1, 2)[~quiet.all(axis=1), 0]
    assert pairs.tolist() == expected.tolist()
    assert len(pairs) < 25_000  # of 25,000 about 0.05 ** 2 * 25,000 = 62 are missing


def test_what_iex_lacks_depends_on_symbol_and_seed_but_not_on_the_window():
    whole, part = many(1000), many(1000).take(slice(300, 700))
    seen, within = (on_iex(rows, Timeframe("1Min"), 0).time for rows in (whole, part))
    assert within.tolist() == seen[np.isin(seen, part.time)].tolist()
    assert on_iex(whole, Timeframe("1Min"), 1).time.tolist() != seen.tolist()


def test_the_days_of_pairs_are_those_of_utc():
    time = np.array(["2024-03-09T02:00", "2024-03-10T02:00"], "M8[ns]").astype("i8")
    assert [str(day) for day in Rows("BTC/USD", time, {}).dates] == ["2024-03-09", "2024-03-10"]
    assert [str(day) for day in Rows("SPY", time, {}).dates] == ["2024-03-08", "2024-03-09"]
