"""Other futures differ in all that a peek could look for, and the past stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import Bars
from tradekit.testing import any_bars
from tradekit.testing._futures import mirrored, poisoned
from tradekit.testing._series import kit_bars

PRICES = ("open", "high", "low", "close")


@given(any_bars(min_size=2), st.data())
def test_the_past_stays_and_the_future_can_be(bars, data):
    row = data.draw(st.integers(1, len(bars) - 1))
    for other in poisoned(bars, row):
        assert other[:row] == bars[:row]
        assert (other.time == bars.time).all()
        # Built anew, and so checked: no impossible bar among them.
        columns = {name: getattr(other, name) for name in ("time", *PRICES, "volume")}
        assert Bars(other.symbol, other.timeframe, source=other.source, **columns) == other


def features(bars, row):
    opened, high, low, close = (getattr(bars, name)[row:] for name in PRICES)
    return {
        "direction": np.sign(close - bars.close[row - 1]),
        "gap": np.sign(opened - bars.close[row - 1]),
        "range": (high - low) / close > 0.1,
        "body": np.abs(close - opened) < 0.05 * (high - low),
    }


@pytest.mark.parametrize("row", [1, 50, 299])
def test_the_two_futures_differ_in_whatever_can_be_seen(row):
    bars = kit_bars(0, 300)[0]
    futures = list(poisoned(bars, row))
    up, down = (features(other, row) for other in futures)
    for name in ("direction", "gap", "range"):
        assert (up[name] != down[name]).all(), name
    assert up["body"].all()
    assert down["body"].mean() < 0.2
    busy, quiet = (other.volume[row:] / bars.volume[row:] for other in futures)
    assert busy.min() == pytest.approx(30.0)
    assert quiet.max() == pytest.approx(1 / 30)


def test_joined_columns_change_with_the_future():
    bars = kit_bars(0, 300)[0]
    joined = bars.with_extra("mood", np.linspace(-1, 1, 300), bars.close_time)
    up, down = (other.extra["mood"].values for other in poisoned(joined, 100))
    mood = joined.extra["mood"].values
    assert (up[:100] == mood[:100]).all()
    assert (down[:100] == mood[:100]).all()
    assert (up[100:] > 0.99).all()
    assert (down[100:] < -0.99).all()


def test_unknown_volume_stays_unknown():
    bars = kit_bars(0, 300)[0]._replace(volume=np.full(300, np.nan))
    assert all(np.isnan(other.volume).all() for other in poisoned(bars, 100))


@pytest.mark.parametrize("kind", ["arithmetic", "geometric"])
def test_a_mirror_turns_rises_into_falls_of_the_same_size(kind):
    bars = kit_bars(0, 300)[0]
    turned = mirrored(bars, kind)
    scale = np.log if kind == "geometric" else np.asarray
    assert np.diff(scale(turned.close)) == pytest.approx(-np.diff(scale(bars.close)), abs=1e-9)
    assert turned.high - turned.low == pytest.approx(
        (bars.high - bars.low)
        * (turned.high * turned.low if kind == "geometric" else 1)
        / ((bars.low.min() * bars.high.max()) if kind == "geometric" else 1)
    )
    again = mirrored(turned, kind)
    for name in PRICES:
        assert getattr(again, name) == pytest.approx(getattr(bars, name))
