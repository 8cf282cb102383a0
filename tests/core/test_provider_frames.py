"""Frames as the real clients make them: alpaca-py from raw answers, yfinance over a loopback."""

from __future__ import annotations

import gc
import io
import json
import threading
import warnings
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import pytest

from tradekit._core.bars import Bars
from tradekit._core.calendar import calendar_for
from tradekit._core.errors import UsageError

# yfinance leaves its time-zone cache, a SQLite file, to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <sqlite3:pytest.PytestUnraisableExceptionWarning"
)

NYSE = calendar_for()
DAYS = ["2024-03-07", "2024-03-08", "2024-03-11"]  # daylight-saving time begins on the 10th
CLOSES = [10.0, 11.0, 12.0]
SPAN = {"start": "2024-03-07", "end": "2024-03-12"}
HOURS = {"timezone": "EST", "start": 0, "end": 0, "gmtoffset": -18_000}
META = {
    "currency": "USD",
    "instrumentType": "EQUITY",
    "priceHint": 2,
    "validRanges": ["1d"],
    "exchangeTimezoneName": "America/New_York",
    "currentTradingPeriod": dict.fromkeys(("pre", "regular", "post"), HOURS),
    "tradingPeriods": [[HOURS]],
}


@contextmanager
def quiet():
    """The vendors call pandas in ways that it will retire; their users cannot mend that."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def chart(symbol, interval):
    """Yahoo's answer for three days, or for three steps of five minutes from 09:30 on."""
    opened = np.array([f"{day}T14:30" for day in DAYS[:2]] + [f"{DAYS[2]}T13:30"], "M8[s]")
    if interval != "1d":
        opened = opened[1] + np.arange(3) * np.timedelta64(300, "s")
    closes = [close + (symbol == "QQQ") for close in CLOSES]
    quote = {"open": closes, "close": closes, "volume": [100, 200, 300]}
    quote |= {"high": [c + 1 for c in closes], "low": [c - 1 for c in closes]}
    indicators = {"quote": [quote]}
    if interval == "1d":
        indicators["adjclose"] = [{"adjclose": [close / 2 for close in closes]}]
    times = opened.astype(int).tolist()
    result = {"meta": META | {"symbol": symbol}, "timestamp": times, "indicators": indicators}
    return json.dumps({"chart": {"result": [result], "error": None}}).encode()


class Yahoo(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        body = b"crumb" if url.path.endswith("getcrumb") else b""
        if "/chart/" in url.path:
            interval = parse_qs(url.query)["interval"][0]
            body = chart(url.path.rpartition("/")[2], interval)
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def yahoo(tmp_path_factory):
    """yfinance and a session that asks a server on this machine, whatever host is meant."""
    with quiet():
        yfinance = pytest.importorskip("yfinance")
        from curl_cffi import requests

    class Loopback(requests.Session):
        def request(self, method, url, *args, **kwargs):
            here = urlsplit(url)._replace(scheme="http", netloc=f"127.0.0.1:{server.server_port}")
            return super().request(method, here.geturl(), *args, **kwargs)

    with ThreadingHTTPServer(("127.0.0.1", 0), Yahoo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yfinance.set_tz_cache_location(str(tmp_path_factory.mktemp("yahoo")))
        yield yfinance, Loopback()
        gc.collect()  # while the mark above is in force: its threads leave their connections open
        server.shutdown()


@pytest.fixture
def download(yahoo):
    yfinance, session = yahoo

    def ask(tickers, **options):
        with quiet():
            return yfinance.download(tickers, session=session, progress=False, **SPAN | options)

    return ask


@pytest.fixture
def history(yahoo):
    yfinance, session = yahoo

    def ask(ticker, **options):
        with quiet():
            return yfinance.Ticker(ticker, session=session).history(**SPAN | options)

    return ask


def days(bars):
    return NYSE.dates(bars.time).astype(str).tolist()


def saved(frame, **options):
    return pd.read_csv(io.StringIO(frame.to_csv()), **options)


def five_minutes_from_the_open(bars):
    return (bars.timeframe, bars.session.tolist() == [bars.session[0]] * 3) == ("5Min", True) and (
        bars.time[0] == NYSE.opens[bars.session[0]]
    )


@pytest.mark.parametrize("adjusted", [True, False])
@pytest.mark.parametrize("group", ["column", "ticker"])
def test_downloads_of_one_ticker_are_read(download, adjusted, group):
    frame = download("SPY", auto_adjust=adjusted, group_by=group)
    assert frame.columns.nlevels == 2
    bars = Bars.from_frame(frame)
    assert (bars.symbol, bars.timeframe, days(bars)) == ("SPY", "1Day", DAYS)
    assert bars.close.tolist() == [close / 2 if adjusted else close for close in CLOSES]
    assert bars.adjustment == ("all" if adjusted else "split")
    assert bars.volume.tolist() == [100, 200, 300]


@pytest.mark.parametrize("group", ["column", "ticker"])
@pytest.mark.parametrize(
    "again", [lambda f: f, pd.DataFrame.reset_index, partial(saved, header=[0, 1], index_col=0)]
)
def test_downloads_of_several_tickers_are_read_one_at_a_time(download, group, again):
    frame = again(download(["SPY", "QQQ"], group_by=group))
    assert Bars.from_frame(frame, "SPY").close.tolist() == [close / 2 for close in CLOSES]
    assert Bars.from_frame(frame, "QQQ").close.tolist() == [(close + 1) / 2 for close in CLOSES]
    assert days(Bars.from_frame(frame, "QQQ")) == DAYS
    with pytest.raises(UsageError) as caught:
        Bars.from_frame(frame)
    assert str(caught.value) in [
        f"which symbol?: expected symbol=..., got {both}. Try: Bars.from_frame(frame, symbol='SPY')"
        for both in ("QQQ, SPY", "SPY, QQQ")
    ]
    with pytest.raises(UsageError, match="frame is not about IWM: expected bars of IWM, got bars"):
        Bars.from_frame(frame, "IWM")


@pytest.mark.parametrize("again", [pd.DataFrame.reset_index, partial(saved, index_col=0), saved])
def test_flat_downloads_are_read_however_they_were_kept(download, again):
    frame = again(download("SPY", multi_level_index=False))
    bars = Bars.from_frame(frame, "SPY")
    assert (days(bars), bars.adjustment) == (DAYS, "unknown")
    assert bars == Bars.from_frame(download("SPY"), adjustment="unknown")


def test_a_ticker_that_nobody_knows_has_no_rows(download):
    frame = download(["SPY", "QQQ"]).astype(float)
    frame.loc[:, (slice(None), "QQQ")] = np.nan  # as yfinance does where Yahoo knows no such one
    with pytest.raises(UsageError, match=r"frame has no rows of QQQ: .* often comes back empty"):
        Bars.from_frame(frame, "QQQ")


@pytest.mark.parametrize("group", ["column", "ticker"])
def test_columns_that_a_user_added_are_no_tickers(download, group):
    frame = download("SPY", group_by=group)
    frame["signal", ""] = 1.0
    assert (
        Bars.from_frame(frame)
        == Bars.from_frame(frame.reset_index())
        == Bars.from_frame(download("SPY"))
    )


def test_tickers_that_traded_on_other_days_are_not_padded(download):
    frame = download(["SPY", "QQQ"]).astype(float)
    frame.loc[frame.index[1], (slice(None), "QQQ")] = np.nan
    bars = Bars.from_frame(frame, "QQQ")
    assert (days(bars), bars.dropped) == ([DAYS[0], DAYS[2]], 0)
    assert bars.gap_before.tolist() == [False, True]
    assert days(Bars.from_frame(frame, "SPY")) == DAYS


@pytest.mark.parametrize("adjusted", [True, False])
@pytest.mark.parametrize("again", [lambda f: f, pd.DataFrame.reset_index, saved])
def test_histories_are_read_with_what_they_were_adjusted_for(history, adjusted, again):
    frame = again(history("SPY", auto_adjust=adjusted))
    bars = Bars.from_frame(frame, "SPY")
    assert (bars.timeframe, days(bars)) == ("1Day", DAYS)
    assert bars.close.tolist() == [close / 2 if adjusted else close for close in CLOSES]
    assert bars.adjustment == ("all" if adjusted else "split")


@pytest.mark.parametrize("adjusted", [True, False])
def test_yahoo_adjusts_no_minutes_for_dividends_whatever_is_asked(history, download, adjusted):
    for frame in (
        history("SPY", interval="5m", auto_adjust=adjusted),
        download("SPY", interval="5m", auto_adjust=adjusted),
    ):
        bars = Bars.from_frame(frame, "SPY")
        assert five_minutes_from_the_open(bars)
        assert (bars.adjustment, bars.close.tolist()) == ("split", CLOSES)


@pytest.mark.parametrize("again", [pd.DataFrame.reset_index, saved])
def test_minutes_of_yfinance_survive_a_file(history, again):
    frame = history("SPY", interval="5m")
    assert Bars.from_frame(again(frame), "SPY") == Bars.from_frame(frame, "SPY")


RAW = {
    symbol: [
        {"t": time, "o": 10.0, "h": 12.0, "l": 9.0, "c": close, "v": 100, "n": 3, "vw": 10.5}
        for time, close in zip(times, CLOSES, strict=True)
    ]
    for symbol, times in {
        "SPY": ["2024-03-08T14:30:00Z", "2024-03-08T14:35:00Z", "2024-03-08T14:40:00Z"],
        "QQQ": ["2024-03-08T20:50:00Z", "2024-03-08T20:55:00Z", "2024-03-11T13:30:00Z"],
    }.items()
}


@pytest.fixture
def bar_set(alpaca):
    def make(*symbols):
        with quiet():
            return alpaca.models.BarSet({name: RAW[name] for name in symbols}).df

    return make


def test_a_bar_set_of_one_symbol_is_read(bar_set):
    bars = Bars.from_frame(bar_set("SPY"))
    assert (bars.symbol, bars.adjustment, bars.close.tolist()) == ("SPY", "unknown", CLOSES)
    assert five_minutes_from_the_open(bars)
    assert Bars.from_frame(bar_set("SPY"), "SPY", "5Min", adjustment="raw").adjustment == "raw"


@pytest.mark.parametrize(
    "again",
    [
        lambda f: f,
        pd.DataFrame.reset_index,
        saved,
        pd.DataFrame.swaplevel,
        lambda f: f.swaplevel().rename_axis([None, None]),
        lambda f: f.rename_axis(["Ticker", "Date"]),
    ],
)
def test_a_bar_set_of_several_symbols_is_read_one_at_a_time(bar_set, again):
    frame = again(bar_set("SPY", "QQQ"))
    spy, qqq = (Bars.from_frame(frame, symbol) for symbol in ("SPY", "QQQ"))
    assert five_minutes_from_the_open(spy)
    assert len(qqq) == 3
    assert not qqq.gap_before.any()  # the last bar of Friday and the first of Monday
    with pytest.raises(UsageError, match=r"which symbol\?: expected symbol=\.\.\., got "):
        Bars.from_frame(frame)
    with pytest.raises(UsageError, match="the frame is not about IWM"):
        Bars.from_frame(frame, "IWM")


def test_an_empty_bar_set_says_that_it_is_empty(bar_set):
    with pytest.raises(UsageError, match=r"the frame is empty: .* an unknown symbol often comes"):
        Bars.from_frame(bar_set(), "SPY")


def test_attrs_and_symbols_must_agree(bar_set):
    frame = Bars.from_frame(bar_set("SPY")).to_frame()
    with pytest.raises(UsageError) as caught:
        Bars.from_frame(frame, "QQQ")
    assert str(caught.value) == (
        "the frame is not about QQQ: expected bars of QQQ, got bars of SPY. Try: another symbol=, "
        "or frame.attrs.clear() if the frame was made from another one"
    )
    both = bar_set("SPY", "QQQ")
    both.attrs["symbol"] = "IWM"
    with pytest.raises(UsageError, match=r"frame is not about IWM: .* got bars of SPY, QQQ"):
        Bars.from_frame(both)
    both.attrs["symbol"] = "SPY"
    assert Bars.from_frame(both).symbol == "SPY"
    with pytest.raises(UsageError, match=r"frame is not about QQQ: .* got bars of SPY"):
        Bars.from_frame(both, "QQQ")


def test_a_frame_that_names_nobody_needs_a_symbol(bar_set):
    nobody = bar_set("SPY").droplevel("symbol")
    with pytest.raises(UsageError, match=r"which symbol\?: expected symbol=\.\.\., got none"):
        Bars.from_frame(nobody)
    assert Bars.from_frame(nobody, "SPY") == Bars.from_frame(bar_set("SPY"))


def test_crypto_in_new_yorks_calendar_is_refused(history):
    frame = (
        history("SPY").iloc[[0] * 14].set_axis(pd.date_range("2024-03-02", periods=14, tz="UTC"))
    )
    with pytest.raises(UsageError, match=r"days of BTC-USD are none of XNYS: .* calendar='24/7'"):
        Bars.from_frame(frame, "BTC-USD")
    bars = Bars.from_frame(frame, "BTC-USD", calendar="24/7")
    assert (len(bars), bars.gap_before.any()) == (14, False)
