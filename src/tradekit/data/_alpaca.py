"""Bars, quotes and movers from Alpaca's market data API."""

from __future__ import annotations

import logging
import os
import re
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import attrs
import numpy as np

from .._core.candidate import Candidate
from .._core.clock import Clock, from_ns
from .._core.errors import CredentialsError, SourceError, UsageError
from .._core.request import Capabilities
from ._remote import DAILY, INTRADAY, TIMEOUT, Answer, Query, Remote

if TYPE_CHECKING:
    import pandas as pd

_KEYS = ("APCA_API_KEY_ID", "ALPACA_API_KEY")
_SECRETS = ("APCA_API_SECRET_KEY", "ALPACA_SECRET_KEY")
_COLUMNS = {"t": "timestamp", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
_RECENT = timedelta(minutes=16)  # plans without the live tape see it a quarter of an hour later
_MOST = 50  # rows of a screen
# Where the rows of a screen stand in the answer, which figure ranks them, and its unit.
_SCREENS = {
    "volume_leaders": ("most_actives", "volume", " shares today"),
    "gainers": ("gainers", "percent_change", " % today"),
    "losers": ("losers", "percent_change", " % today"),
}
_INVALID = re.compile(r"invalid symbol: ([^\s\"}]+)")

_log = logging.getLogger("tradekit.data")


class AlpacaSource(Remote):
    """Ask Alpaca, through its client alpaca-py, for many symbols in one call.

    Parameters
    ----------
    key, secret : str, optional
        As the dashboard of a (free) account shows them; else ``APCA_API_KEY_ID`` or
        ``ALPACA_API_KEY``, and ``APCA_API_SECRET_KEY`` or ``ALPACA_SECRET_KEY`` in the
        environment.
    feed : {"sip", "iex"}
        All exchanges, or one with a few percent of the volume. A plan that does not include the
        last quarter of an hour of ``sip`` is given that much from ``iex``, and its bars say so.
    url_override : str, optional
        Another address than Alpaca's, without the version: a proxy, or a test's server.
    timeout : timedelta
        How long to wait for a connection and for each page.
    clock : Clock, optional
        Who says what time it is; the machine's clock by default.

    Raises
    ------
    CredentialsError
        When there is no key or no secret.
    SourceError
        When alpaca-py is not installed.
    UsageError
        When there is no such feed, or the timeout is no duration.

    Notes
    -----
    Bars are those of regular hours. Hours and weeks are made of bars of 30 minutes and of days,
    since Alpaca counts hours by the clock, where 09:00 mixes what came before the open with the
    rest.

    It discovers ``volume_leaders``, ``gainers`` and ``losers``, and quotes the latest bid and ask
    with their sizes.

    Examples
    --------
    >>> AlpacaSource("key", "secret", feed="iex")
    AlpacaSource(feed='iex')
    """

    name = "alpaca"
    _vendor = "alpaca"
    _since = date(2016, 1, 4)
    _natives = ("1Min", "2Min", "3Min", "5Min", "10Min", "15Min", "30Min", "1Day")

    def __init__(
        self,
        key: str | None = None,
        secret: str | None = None,
        *,
        feed: Literal["sip", "iex"] = "sip",
        url_override: str | None = None,
        timeout: timedelta = TIMEOUT,
        clock: Clock | None = None,
    ) -> None:
        if feed not in ("sip", "iex"):
            expected = "'sip' or 'iex'"
            raise UsageError("no such feed", expected=expected, got=repr(feed), hint="feed='iex'")
        self._key, self._secret = _given(key, _KEYS), _given(secret, _SECRETS)
        super().__init__(self._key, self._secret, timeout=timeout, clock=clock)
        self.capabilities = Capabilities(
            timeframes=(*INTRADAY, *DAILY), feed=feed, calls_per_minute=200
        )
        self._url = url_override.rstrip("/") if url_override else None
        self._delayed = False

    def __repr__(self) -> str:
        return f"AlpacaSource(feed={self.capabilities.feed!r})"

    async def _ask(self, query: Query) -> dict[str, Answer]:
        recent = query.end > self.clock.now() - _RECENT
        answers: dict[str, Answer] = await self._beside(
            lambda: self._of_feed(lambda feed: self._bars(query, feed), recent)
        )
        return answers

    async def _quotes(self, symbols: tuple[str, ...]) -> Mapping[str, Mapping[str, float]]:
        latest = await self._beside(lambda: self._of_feed(lambda f: self._latest(symbols, f), True))
        names = {"bid": "bp", "ask": "ap", "bid_size": "bs", "ask_size": "as"}
        return {
            symbol: {name: float(quote[short]) for name, short in names.items()}
            for symbol, quote in latest.items()
            if quote is not None
        }

    async def _discover(self, category: str, limit: int) -> Sequence[Candidate]:
        if category not in _SCREENS:
            raise SourceError(
                f"alpaca has no screen for {category!r}",
                retryable=False,
                expected=" or ".join(_SCREENS),
                hint="a screen over bars, as DynamicWatchlistManager has them",
                source=self.name,
            )
        answer = await self._beside(lambda: self._screen(category, min(limit, _MOST)))
        rows, figure, unit = _SCREENS[category]
        updated = np.datetime64(answer["last_updated"].removesuffix("Z"), "ns")
        asof = from_ns(int(updated.astype(np.int64)))
        found = [(row["symbol"], row[figure]) for row in answer[rows]]
        return [
            Candidate(symbol, category, rank, score, f"{score:,g}{unit}", self.name, asof)
            for rank, (symbol, score) in enumerate(found, 1)
        ]

    def _of_feed(self, ask: Callable[[str], Any], recent: bool) -> Any:
        """Ask of the feed that was chosen, or of IEX where the plan does not see it yet."""
        feed = self.capabilities.feed
        if recent and self._delayed:
            feed = "iex"
        try:
            return ask(feed)
        except CredentialsError as error:
            if feed != "sip" or "sip" not in str(error.got).lower():
                raise
        _log.warning("alpaca: these keys do not see the newest SIP data, so IEX gives it")
        self._delayed = True
        return ask("iex")

    def _bars(self, query: Query, feed: str) -> dict[str, Answer]:
        vendor = _alpaca()
        units = vendor.TimeFrameUnit
        unit = units.Minute if query.timeframe.is_intraday else units.Day
        asked = vendor.StockBarsRequest(
            symbol_or_symbols=list(query.symbols),
            timeframe=vendor.TimeFrame(query.timeframe.amount, unit),
            start=query.start,
            end=query.end,
            adjustment=vendor.Adjustment(query.adjustment),
            feed=vendor.DataFeed(feed),
        )
        try:
            rows = self._said(lambda: self._history.get_stock_bars(asked))
        except SourceError as error:
            return self._without(query, feed, error)
        facts = {"feed": feed, "adjustment": query.adjustment}
        return {symbol: _frame(rows[symbol], facts) for symbol in query.symbols if rows.get(symbol)}

    def _without(self, query: Query, feed: str, error: SourceError) -> dict[str, Answer]:
        """Ask for the others: Alpaca refuses them all for the sake of one that cannot be."""
        match = _INVALID.search(str(error.got))
        culprit = match[1] if match else None
        if culprit not in query.symbols:
            raise error
        unknown = self._refusal(404, "invalid symbol", {}, culprit)
        others = tuple(symbol for symbol in query.symbols if symbol != culprit)
        rest = self._bars(attrs.evolve(query, symbols=others), feed) if others else {}
        return {**rest, culprit: unknown}

    def _latest(self, symbols: tuple[str, ...], feed: str) -> Any:
        vendor = _alpaca()
        asked = vendor.StockLatestQuoteRequest(
            symbol_or_symbols=list(symbols), feed=vendor.DataFeed(feed)
        )
        return self._said(lambda: self._history.get_stock_latest_quote(asked))

    def _screen(self, category: str, top: int) -> Any:
        vendor = _alpaca()
        if category == "volume_leaders":
            actives = vendor.MostActivesRequest(by=vendor.MostActivesBy.VOLUME, top=top)
            return self._said(lambda: self._screener.get_most_actives(actives))
        movers = vendor.MarketMoversRequest(top=top)
        return self._said(lambda: self._screener.get_market_movers(movers))

    def _said(self, ask: Callable[[], Any]) -> Any:
        from alpaca.common.exceptions import APIError

        try:
            return ask()
        except APIError as error:
            answer = error.response
        # Out here nothing is chained: the body may echo the keys.
        raise self._refusal(answer.status_code, answer.text, answer.headers)

    @cached_property
    def _history(self) -> Any:
        return self._bounded(_alpaca().StockHistoricalDataClient)

    @cached_property
    def _screener(self) -> Any:
        return self._bounded(_alpaca().ScreenerClient)

    def _bounded(self, make: Callable[..., Any]) -> Any:
        """Make a client that waits no longer than our timeout: as it comes, it waits for ever."""
        client = make(self._key, self._secret, raw_data=True, url_override=self._url)
        if not hasattr(client, "_session") or not hasattr(client, "_retry"):
            raise SourceError(
                "alpaca-py has changed within: its calls could hang for ever",
                retryable=False,
                expected="a client with _session and _retry",
                hint="pip install 'alpaca-py==0.44.0'",
                source=self.name,
            )
        send, page = client._session.request, threading.local()

        def request(*args: Any, **kwargs: Any) -> Any:
            token = (kwargs.get("params") or {}).get("page_token")
            if token is not None and token == page.token:
                raise ValueError("the same page came twice, and would for ever")
            page.token = token
            response = send(*args, timeout=self._timeout, **kwargs)
            self._crew.sign_of_life()
            return response

        client._session.request = request
        client._retry = 0  # who asks decides whether and when to ask again
        self._crew.sign_of_life()  # importing takes its time too
        return client


def _alpaca() -> Any:
    # Its streams come along, and say this; a user cannot mend that.
    warnings.filterwarnings("ignore", "websockets.legacy is deprecated", DeprecationWarning)
    import alpaca.data

    return alpaca.data


def _frame(rows: list[dict[str, Any]], facts: dict[str, str]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(rows).reindex(columns=list(_COLUMNS)).rename(columns=_COLUMNS)
    frame.attrs.update(facts)
    return frame


def _given(value: str | None, variables: tuple[str, ...]) -> str:
    found = value or next(filter(None, map(os.environ.get, variables)), None)
    if not found:
        raise CredentialsError(
            "alpaca needs a key and a secret",
            expected=" and ".join(" or ".join(names) for names in (_KEYS, _SECRETS)),
            got="neither argument nor environment variable",
            hint="AlpacaSource(key, secret), with those of a free account at https://alpaca.markets",
            source="alpaca",
        )
    return found
