"""Frames as alpaca-py and yfinance give them, straight into the aggregate."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from tradekit import Bars, UsageError
from tradekit.signals import MultiSourceSignalAggregator, aggregate_signals

OPEN = pd.Timestamp("2024-03-08 09:30", tz="America/New_York")
DAYS = pd.bdate_range("2023-10-02", "2023-11-22", name="Date")


@pytest.fixture(scope="module")
def ask(speaker):
    def ask(frame, symbol=None, **options):
        detectors = [speaker("A", 60.0), speaker("B", needs=290)]
        return aggregate_signals(frame, symbol, detectors=detectors, **options)

    return ask


def yahoo(index, **more):
    """Columns of yfinance.Ticker.history."""
    p = 100 + np.sin(np.arange(len(index)))
    columns = {"Open": p, "High": p + 1, "Low": p - 1, "Close": p, "Volume": 1000}
    return pd.DataFrame(columns | more, index=index)


def download(*tickers):
    """Columns of yfinance.download: a level of prices and one of tickers."""
    frames = {ticker: yahoo(DAYS) for ticker in tickers}
    return pd.concat(frames, axis=1, names=["Ticker", "Price"]).swaplevel(axis=1)


@pytest.fixture(scope="module")
def alpaca():
    """What StockHistoricalDataClient.get_stock_bars(...).df gives, pre-market bars included."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        models = pytest.importorskip("alpaca.data.models")

    def df(*symbols, n=78):
        times = pd.date_range("2024-03-08T13:00", periods=n, freq="5min").strftime("%FT%TZ")
        prices = {"o": 100.0, "h": 101.0, "l": 99.0, "c": 100.5, "v": 100, "n": 3, "vw": 100.2}
        raw = {s: [{"t": t, **prices} for t in times] for s in symbols}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the vendor calls pandas in ways that it will retire
            return models.BarSet(raw).df

    return df


def test_a_frame_of_alpaca_names_its_symbol_and_shows_its_step(ask, alpaca):
    frame = alpaca("SPY")
    assert {"trade_count", "vwap"} <= set(frame.columns)
    said = ask(frame)
    assert (said.symbol, said.timeframe, said.bars, len(said)) == ("SPY", "5Min", 78, 1)
    assert f"{said.time:%H:%M}" == "19:30"  # 78 bars of five minutes after 13:00
    assert said.not_ready == {"B/1": (290, 78)}


def test_a_frame_of_several_symbols_names_them_and_is_read_by_symbol(ask, alpaca):
    with pytest.raises(UsageError, match=r"which symbol\?: expected symbol=\.\.\., got SPY, QQQ"):
        ask(alpaca("SPY", "QQQ"))
    assert ask(alpaca("SPY", "QQQ"), "QQQ").symbol == "QQQ"


@pytest.mark.parametrize("zone", [None, "America/New_York", "UTC"])
def test_days_of_yfinance_are_read_with_dates_of_any_zone(ask, zone):
    frame = yahoo(DAYS.tz_localize(zone), Dividends=0.0, **{"Stock Splits": 0.0})
    said = ask(frame, "SPY")
    assert (said.timeframe, said.bars, said[0].price) == ("1Day", 38, frame["Close"].iloc[-1])
    assert f"{said.time:%F %H:%M}" == "2023-11-22 21:00"


def test_minutes_of_yfinance_stand_in_new_yorks_time(ask):
    said = ask(yahoo(pd.date_range(OPEN, periods=78, freq="5min", name="Datetime")), "SPY")
    assert (said.timeframe, f"{said.time:%F %H:%M}") == ("5Min", "2024-03-08 21:00")


def test_a_download_names_its_ticker_and_keeps_its_adjusted_close_apart(ask):
    frame = download("SPY")
    frame["Adj Close", "SPY"] = 1.0
    assert (ask(frame).symbol, ask(frame)[0].price) == ("SPY", frame["Close", "SPY"].iloc[-1])
    with pytest.raises(UsageError, match=r"which symbol\?: .* got SPY, QQQ"):
        ask(download("SPY", "QQQ"))
    assert ask(download("SPY", "QQQ"), "QQQ").symbol == "QQQ"


def test_a_frame_says_the_symbol_in_its_attrs_and_a_plain_one_needs_it(ask, alpaca):
    assert ask(Bars.from_frame(alpaca("SPY")).to_frame()).symbol == "SPY"
    with pytest.raises(UsageError, match=r"which symbol\?: expected symbol=\.\.\., got none"):
        ask(yahoo(DAYS))


def test_a_short_frame_is_looked_at_and_says_how_much_is_missing(ask):
    few = yahoo(DAYS)
    assert repr(ask(few.iloc[:1], "SPY", timeframe="1Day")).splitlines()[-2:] == [
        "  not ready  1 of 2: B needs 290 bars",
        '  try        300 bars: get_market_data("SPY", "1Day", limit=300)',
    ]
    with pytest.raises(UsageError, match="SPY: how long are these bars"):
        ask(yahoo(pd.DatetimeIndex(["2024-03-08"])), "SPY")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, r"no bars to look at: .* got None\. Try: .* manager\.last_failure says why"),
        (pd.DataFrame(), "the frame is empty"),
        ([1.0, 2.0], "no frame to read: expected a pandas DataFrame, got a list"),
        (yahoo(DAYS)["Close"], "no frame to read: .* got a Series"),
        (yahoo(DAYS).drop(columns="Volume"), "column 'volume' is missing"),
        (yahoo(DAYS).iloc[::-1], "time goes back"),
        (Bars.from_frame(yahoo(DAYS), "SPY")[:0], "at least one bar of SPY 1Day, got <Bars SPY"),
        (Bars.from_frame(yahoo(DAYS), "QQQ"), "at least one bar of SPY 1Day, got <Bars QQQ"),
    ],
)
def test_what_is_no_frame_is_one_clear_error(ask, given, told):
    with pytest.raises(UsageError, match=told):
        ask(given, "SPY")


def test_bars_and_symbol_in_the_wrong_order_are_told(ask):
    aggregator = MultiSourceSignalAggregator()
    for call in (ask, aggregator.blocking.aggregate_signals):
        with pytest.raises(UsageError, match=r"about which symbol\?: .* got a "):
            call(*((yahoo(DAYS), "SPY") if call is not ask else ("SPY", yahoo(DAYS))))


def test_bars_of_another_timeframe_than_asked_are_told(ask):
    with pytest.raises(UsageError, match="expected at least one bar of SPY 5Min, got <Bars SPY"):
        ask(Bars.from_frame(yahoo(DAYS), "SPY"), timeframe="5Min")
