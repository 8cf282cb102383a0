from __future__ import annotations

from datetime import timedelta

import numpy as np

from tradekit.watchlist import Panel


def test_rows_are_symbols_and_the_newest_bar_is_last(daily, friday):
    universe = {"A": daily("A", [1, 2, 3]), "B": daily("B", [7, 8, 9, 10])}
    panel = Panel.of(universe, friday, 2)
    assert panel.symbols == ("A", "B")
    assert panel.close.tolist() == [[2, 3], [9, 10]]
    assert panel.high.tolist() == [[2.5, 3.5], [9.5, 10.5]]


def test_bars_that_are_not_complete_are_not_looked_at(daily, friday):
    before = friday - timedelta(microseconds=1)
    assert Panel.of({"A": daily("A", [1, 2, 3])}, before, 2).close.tolist() == [[1, 2]]


def test_symbols_with_too_few_bars_are_named(daily, friday):
    panel = Panel.of({"A": daily("A", [1, 2])}, friday, 3)
    assert panel.unready == {"A": "fewer than 3 bars"}
    assert panel.close.shape == (0, 3)
    assert panel.average_range.shape == (0,)


def test_a_true_range_reaches_over_the_gap_to_the_close_before(daily, friday):
    # Ranges: 10.5 - 9.5 = 1 counts from the close before, 10, up to 14.5: 4.5; then from 13.5 to
    # 14.5 around the close before, 14: 1. Their mean is 2.75.
    panel = Panel.of({"A": daily("A", [10, 14, 14])}, friday, 3)
    assert panel.average_range.tolist() == [2.75]


def test_an_unknown_volume_stays_unknown(daily, friday):
    panel = Panel.of({"A": daily("A", [1, 2], volume=[np.nan, 5.0])}, friday, 2)
    assert np.isnan(panel.volume[0, 0])
    assert panel.volume[0, 1] == 5
