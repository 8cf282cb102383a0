"""Whatever window is asked for, each source tells what the market behind its provider tells."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradekit import BarsRequest, FixedClock
from tradekit.data import SimulatedSource
from tradekit.testing import FakeProviders

pytest.importorskip("alpaca")
pytest.importorskip("yfinance")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*is deprecated")]

# IEX has no minute without a trade, so that only longer bars are all there.
INTRADAY = ("5Min", "10Min", "15Min", "30Min", "1Hour", "2Hour", "4Hour")
TIMEFRAMES = {"alpaca": ("1Min", *INTRADAY, "1Day", "1Week"), "iex": INTRADAY}
TIMEFRAMES["yahoo"] = TIMEFRAMES["alpaca"][1:]
ADJUSTMENT = {"alpaca": "split", "iex": "raw", "yahoo": "split"}
# After a change of the clocks and a short day, and in mid-bar; on a Sunday; at the close.
NOWS = [
    datetime(2023, 11, 28, 16, 2, 3, tzinfo=UTC),
    datetime(2024, 3, 17, 12, tzinfo=UTC),
    datetime(2024, 3, 8, 21, tzinfo=UTC),
]


@st.composite
def windows(draw):
    """A moment of now, and a start, an end and a limit, as far as there are any."""
    now = draw(st.sampled_from(NOWS))
    seconds = draw(st.lists(st.integers(-25 * 86_400, 86_400), min_size=2, max_size=2, unique=True))
    grid = draw(st.sampled_from([1, 60, 300, 3_600, 86_400]))
    start, end = (now + timedelta(seconds=second // grid * grid) for second in sorted(seconds))
    window = {"start": draw(st.sampled_from([start, None])), "limit": draw(st.integers(1, 200))}
    if draw(st.booleans()):
        window["end"] = max(end, start + timedelta(seconds=1))
    if window["start"] and draw(st.booleans()):
        del window["limit"]
    return now, window


@settings(max_examples=40)
@given(windows(), st.data())
@pytest.mark.parametrize("name", TIMEFRAMES)
def test_any_window_has_the_bars_that_it_has(name, window, data):
    now, asked = window
    timeframe = data.draw(st.sampled_from(TIMEFRAMES[name]))
    request = BarsRequest("SPY", timeframe, adjustment=ADJUSTMENT[name], **asked)
    market = SimulatedSource(clock=FixedClock(now))
    with FakeProviders(market) as fake:
        told, true = (asyncio.run(s.fetch(request)) for s in (getattr(fake, name)(), market))
    assert set(told.bars) == set(true.bars)
    for symbol, bars in true.bars.items():
        assert told[symbol].time.tolist() == bars.time.tolist()
        for price in ("open", "high", "low", "close"):
            ours, theirs = getattr(told[symbol], price), getattr(bars, price)
            np.testing.assert_allclose(ours, theirs, rtol=1e-9)
