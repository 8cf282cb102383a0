"""Bars and screens from Yahoo Finance, which needs no key."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.candidate import Candidate
from .._core.clock import Clock, from_ns, to_ns
from .._core.errors import CredentialsError, SourceError
from .._core.faults import PRICES
from .._core.request import Capabilities
from .._core.timeframe import Timeframe
from ._remote import DAILY, INTRADAY, TIMEOUT, Answer, Query, Remote, dashed
from ._yahoo_chart import Chart
from ._yahoo_client import RefusedError, YahooClient

_DAY = Timeframe("1Day")
_INTERVALS = {"1Min": "1m", "2Min": "2m", "5Min": "5m", "15Min": "15m", "1Hour": "1h", _DAY: "1d"}
# Days that Yahoo still has, less one for the zones: a request from further back is refused whole.
_DEPTH = {"1Min": 7, "1Hour": 729}
_INTRADAY_DEPTH = 59
_CALLS_PER_HOUR = 2_000
_KINDS = ("EQUITY", "ETF", "INDEX", "MUTUALFUND")
_MARKET = "us_market"
_NO_BARS = "Data doesn't exist"  # in this window, as Yahoo tells it with status 400

_CLASS_SHARE = re.compile(r"([A-Z]+)-([A-C])")
_MOST = 250  # rows of a screen
# Yahoo's name of each screen, which figure ranks its rows, and the unit of that.
_SCREENS = {
    "volume_leaders": ("most_actives", "regularMarketVolume", " shares today"),
    "gainers": ("day_gainers", "regularMarketChangePercent", " % today"),
    "losers": ("day_losers", "regularMarketChangePercent", " % today"),
}


class YahooSource(Remote):
    """Ask Yahoo Finance, through yfinance; no key is needed.

    Parameters
    ----------
    timeout : timedelta
        How long to wait for each answer; everything that yfinance asks for one symbol may take
        half as long again.
    clock : Clock, optional
        Who says what time it is; the machine's clock by default.
    session : curl_cffi Session, optional
        What to ask through: a proxy, another fingerprint, a test's server. One of requests serves
        as well, but its thread waits for as long as an answer drips.

    Raises
    ------
    SourceError
        When yfinance is not installed.
    UsageError
        When the timeout is no duration.

    Notes
    -----
    Yahoo keeps minutes for a week, other bars of less than an hour for two months, and hours for
    two years. It has no prices as traded: ``split`` is its close, ``all`` what dividends as of now
    leave of it. Within the day it adjusts for splits alone; where something was paid out since,
    bars are adjusted by what their day is, which takes a second request.

    Of an answer nothing is believed but what it says: another symbol's prices, bars of another
    length, and prices of another market than that of US stocks, funds and indices are refused.
    Rows without a price are left out and counted in ``dropped``, the latest price behind the last
    bar is no bar, and a volume that is not told is NaN.

    Of yfinance this takes what lets one in: cookie, crumb, consent and fingerprint, and
    ``yf.screen``. Its frames are not used, since they make an unknown volume 0, drop duplicates in
    silence and tell most failures as delistings. Each source has a client of its own, so that
    nothing is set for others who use yfinance in the same process, no answer is remembered, and no
    file is written: neither time zones, which are known, nor cookies.

    It discovers ``volume_leaders``, ``gainers`` and ``losers``, US companies of more than two
    billion dollars. Yahoo publishes no limit; 2,000 requests an hour and address is what users
    tell.

    Examples
    --------
    >>> YahooSource().capabilities.adjustments
    ('split', 'all')
    """

    name = "yahoo"
    _vendor = "yfinance"
    _since = date(1970, 1, 5)
    _natives = tuple(_INTERVALS)

    def __init__(
        self,
        *,
        timeout: timedelta = TIMEOUT,
        clock: Clock | None = None,
        session: Any = None,
    ) -> None:
        super().__init__(timeout=timeout, clock=clock)
        self.capabilities = Capabilities(
            timeframes=(*INTRADAY, *DAILY),
            depth={length: self._depth(length) for length in INTRADAY},
            feed="yahoo",
            adjustments=("split", "all"),
            calls_per_hour=_CALLS_PER_HOUR,
            symbols_per_call=1,
            screens=tuple(_SCREENS),
        )
        self._client = YahooClient(
            session, self._timeout, self._patience, self.meter, self._crew.sign_of_life
        )

    def _depth(self, length: Timeframe) -> timedelta:
        native = self._native(length, self._calendar(""))
        return timedelta(days=_DEPTH.get(native, _INTRADAY_DEPTH))

    def _first_day(self, timeframe: Timeframe) -> date:
        reach = self.capabilities.reach(timeframe)
        return (self.clock.now() - reach).date() if reach else self._since

    async def _ask(self, query: Query) -> dict[str, Answer]:
        def history(symbol: str) -> Awaitable[Answer]:
            return self._beside(lambda: self._history(symbol, query))

        return await self._each(query, history)

    async def _discover(self, category: str, limit: int) -> Sequence[Candidate]:
        self._check_screen(category)
        return await self._beside(lambda: self._screen(category, min(limit, _MOST)))

    def _history(self, symbol: str, query: Query) -> Bars | None:
        adjusted = query.adjustment == "all"
        try:
            chart = self._chart(symbol, query.timeframe, query.start, query.end)
            bars = chart.bars(symbol, query.timeframe, adjusted=adjusted)
            if bars is None or not (adjusted and query.timeframe.is_intraday):
                return bars
            return self._less_payments(bars, chart.pays, query.end)
        except RefusedError as error:
            if _NO_BARS in error.said:
                return None
            failure = self._refusal(error.status, error.said, error.headers, symbol)
        except Exception as error:
            failure = self._failure(error, symbol)
        raise failure from failure.__cause__

    def _chart(self, symbol: str, length: Timeframe, start: datetime, end: datetime) -> Chart:
        ticker, interval = dashed(symbol), _INTERVALS[length]
        chart = Chart.of(self._client.chart(ticker, interval, start, end))
        if chart.ticker.upper() not in (ticker.upper(), ""):
            raise self._bad(f"those of {chart.ticker}", symbol, expected=f"bars of {ticker}")
        if chart.interval not in (interval, "") and len(chart.seconds):
            raise self._bad(f"{chart.interval} bars", symbol, expected=f"{interval} bars")
        self._check_market(symbol, chart)
        return chart

    def _check_market(self, symbol: str, chart: Chart) -> None:
        zone = calendar_for().tz
        if chart.zone in (zone, "") and chart.kind in (*_KINDS, ""):
            return
        raise SourceError(
            f"yahoo has {symbol}, but not by the hours of US stocks",
            retryable=False,
            expected=f"a stock, a fund or an index in {zone}",
            got=f"{chart.kind} in {chart.zone}",
            hint="a source for that market",
            source=self.name,
            symbol=symbol,
        )

    def _less_payments(self, bars: Bars, paid: bool, end: datetime) -> Bars:
        """Adjust bars within the day as Yahoo adjusts their days, for all that was paid since."""
        calendar, now = calendar_for(), self.clock.now()
        asked, begun = np.searchsorted(calendar.opens, [to_ns(end), to_ns(now)])
        if begun == asked and not paid:  # no session since: the answer names all payments
            return bars._replace(adjustment="all")
        first = calendar.labels(calendar.dates(bars.time[:1]))[0]
        left = self._chart(bars.symbol, _DAY, from_ns(first), now).left_at(bars.time)
        prices = {name: getattr(bars, name) * left for name in PRICES}
        return bars._replace(adjustment="all", **prices)

    def _screen(self, category: str, count: int) -> list[Candidate]:
        screen, figure, unit = _SCREENS[category]
        try:
            quotes = self._client.screen(screen, count)
            here = [quote for quote in quotes if quote.get("market", _MARKET) == _MARKET]
            found = [(_dotted(q["symbol"]), q[figure], self._told_at(q)) for q in here]
        except RefusedError as error:
            raise self._refusal(error.status, error.said, error.headers) from None
        return [
            Candidate(symbol, category, rank, score, f"{score:,g}{unit}", self.name, asof)
            for rank, (symbol, score, asof) in enumerate(found, 1)
        ]

    def _told_at(self, quote: dict[str, Any]) -> datetime:
        told = quote.get("regularMarketTime")
        return self.clock.now() if told is None else datetime.fromtimestamp(told, UTC)

    def _denied(self, status: int, told: str) -> CredentialsError:
        return CredentialsError(
            "yahoo refuses access",
            got=told,
            hint="another address or session: Yahoo has no keys, and refuses whom it suspects",
            source=self.name,
        )


def _dotted(ticker: str) -> str:
    """Write a class share as exchanges do: ``BRK.B`` for ``BRK-B``."""
    share = _CLASS_SHARE.fullmatch(ticker)
    return f"{share[1]}.{share[2]}" if share else ticker
