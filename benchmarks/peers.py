"""What others ask with: each takes a symbol and a session, and gives a frame of bars, or raises."""

from __future__ import annotations

import importlib
import logging
import threading
import warnings
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from tempfile import mkdtemp
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from world import FIGURES, yahoo_session

Ask = Callable[[str, datetime, datetime], Any]
_CHAIN = 5.0  # seconds that the chain grants each of its three


def columns(frame: Any) -> tuple[np.ndarray, np.ndarray]:
    """Take times and prices of a frame indexed by time, with columns as they are usually called."""
    named = frame.rename(columns=str.lower)
    time = named.index.tz_convert("UTC").tz_localize(None).to_numpy("M8[ns]").astype(np.int64)
    return time, np.array([named[name].to_numpy(float) for name in FIGURES])


def alpaca(urls: Mapping[str, str], seconds: float) -> Ask:
    """alpaca-py as it comes, but for a timeout: without one it would wait for ever."""
    warnings.filterwarnings("ignore", "websockets.legacy is deprecated", DeprecationWarning)
    from alpaca.data import StockHistoricalDataClient, TimeFrame, TimeFrameUnit
    from alpaca.data.enums import Adjustment, DataFeed
    from alpaca.data.requests import StockBarsRequest

    facts = {"feed": DataFeed.SIP, "adjustment": Adjustment.SPLIT}
    own = threading.local()

    def ask(symbol: str, start: datetime, end: datetime) -> Any:
        if not hasattr(own, "client"):
            own.client = StockHistoricalDataClient("key", "secret", url_override=urls["alpaca"])
            own.client._session.request = partial(own.client._session.request, timeout=seconds)
        five, last = TimeFrame(5, TimeFrameUnit.Minute), end - timedelta(seconds=1)
        asked = StockBarsRequest(
            symbol_or_symbols=symbol, timeframe=five, start=start, end=last, **facts
        )
        return own.client.get_stock_bars(asked).df.loc[symbol]

    return ask


def tiingo(urls: Mapping[str, str], seconds: float) -> Ask:
    """A client of httpx that is kept."""
    import httpx
    import pandas as pd

    headers = {"Authorization": "Token token"}
    client = httpx.Client(base_url=urls["iex"], headers=headers, timeout=seconds)

    def ask(symbol: str, start: datetime, end: datetime) -> Any:
        names = ",".join((*FIGURES, "volume"))
        day = {"startDate": f"{start:%Y-%m-%d}", "endDate": f"{end:%Y-%m-%d}"}
        params = {**day, "resampleFreq": "5min", "columns": names}
        answer = client.get(f"/iex/{symbol}/prices", params=params)
        answer.raise_for_status()
        frame = pd.DataFrame(answer.json())
        return frame.set_index(pd.to_datetime(frame["date"], utc=True))

    return ask


def yahoo(urls: Mapping[str, str], seconds: float) -> Ask:
    """yfinance as it comes: it waits ten seconds, and gives an empty frame for a failure."""
    import yfinance
    from yfinance.data import YfData

    logging.getLogger("yfinance").setLevel(logging.CRITICAL)
    # What it says of its own code would fill the screen.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="yfinance")
    yfinance.set_tz_cache_location(mkdtemp())
    session = yahoo_session(urls["yahoo"])
    YfData(session=session)
    YfData.cache_get.cache_clear()

    def ask(symbol: str, start: datetime, end: datetime) -> Any:
        ticker = yfinance.Ticker(symbol, session=session)
        return ticker.history(
            start=start, end=end, interval="5m", auto_adjust=False, timeout=min(10.0, seconds)
        )

    return ask


def chain(urls: Mapping[str, str], seconds: float) -> Ask:
    """What most bots have: the next client when one raises or is empty."""
    asks = [make(urls, min(_CHAIN, seconds)) for make in (alpaca, tiingo, yahoo)]

    def ask(symbol: str, start: datetime, end: datetime) -> Any:
        for attempt in asks:
            try:
                frame = attempt(symbol, start, end)
            except Exception:
                continue
            if len(frame):
                return frame
        raise LookupError(symbol)

    return ask


def stockfeed(urls: Mapping[str, str], seconds: float, *, cached: bool = False) -> Ask:
    """stockfeed with all three, its cache off unless it is wanted."""
    import pandas as pd
    from stockfeed.client import StockFeedClient
    from stockfeed.config import StockFeedSettings

    for name in ("alpaca", "tiingo"):
        module = importlib.import_module(f"stockfeed.providers.{name}.provider")
        module._BASE_URL = urls["alpaca" if name == "alpaca" else "iex"]
    yahoo(urls, seconds)  # gives yfinance's one client the session
    logging.getLogger("stockfeed").setLevel(logging.CRITICAL)
    keys = {f"{name}_key": "key" for name in ("alpaca_api", "alpaca_secret", "tiingo_api")}
    own = threading.local()

    def ask(symbol: str, start: datetime, end: datetime) -> Any:
        if not hasattr(own, "client"):
            settings = StockFeedSettings(**keys, cache_enabled=cached)
            own.client = StockFeedClient(settings, db_path=f"{mkdtemp()}/cache.db")
        rows = own.client.get_ohlcv(symbol, "5m", start, end)
        names = (*FIGURES[:3], "close_raw")
        frame = pd.DataFrame([[float(getattr(row, name)) for name in names] for row in rows])
        times = pd.DatetimeIndex([row.timestamp for row in rows])
        return frame.set_index(times).set_axis(FIGURES, axis=1)

    return ask


def xfinance(urls: Mapping[str, str], _: float) -> Ask:
    """xfinance over Yahoo; its second source, Stooq, is not served here and refuses."""
    import h2  # noqa: F401  # which it needs and does not ask for
    import httpx
    import tornado  # noqa: F401
    import xfinance as library

    logging.getLogger("xfinance").setLevel(logging.CRITICAL)
    here = urlsplit(urls["yahoo"])

    class Here(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request):
            request.url = request.url.copy_with(
                scheme=here.scheme, host=here.hostname, port=here.port
            )
            return await super().handle_async_request(request)

    class Client(httpx.AsyncClient):
        def __init__(self, **options):
            super().__init__(transport=Here(), **options | {"http2": False})

    module = importlib.import_module("xfinance.ticker")
    module.httpx = type("Loopback", (), {"AsyncClient": Client})

    def ask(symbol: str, start: datetime, end: datetime) -> Any:
        day = timedelta(days=1)
        window = {"start": start.date(), "end": (end + day).date()}
        return library.Ticker(symbol).history(None, "5m", **window, auto_adjust=False)

    return ask


PEERS: Mapping[str, tuple[str | None, Callable[[Mapping[str, str], float], Ask]]] = {
    "alpaca-py alone": ("alpaca", alpaca),
    "yfinance alone": ("yfinance", yahoo),
    "try/except chain": (None, chain),
    "stockfeed": ("stockfeed", stockfeed),
    "xfinance": ("xfinance", xfinance),
}
