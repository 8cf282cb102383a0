"""Bars, quotes and movers from Alpaca's market data API."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any, Literal

import attrs
import numpy as np

from .._core.bar import Bar
from .._core.bars import Bars
from .._core.candidate import Candidate
from .._core.clock import Clock, from_ns
from .._core.errors import CredentialsError, SourceError, UsageError
from .._core.request import BarsRequest, Capabilities, calendar_of
from .._core.timeframe import Timeframe
from ._alpaca_client import Clients, RefusedError, vendor
from ._remote import DAILY, INTRADAY, TIMEOUT, Answer, Query, Remote, sides
from ._secret import Secret

_KEYS = ("APCA_API_KEY_ID", "ALPACA_API_KEY")
_SECRETS = ("APCA_API_SECRET_KEY", "ALPACA_SECRET_KEY")
_COLUMNS = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
_SIDES = (("bid", "bp", "bs"), ("ask", "ap", "as"))
_RECENT = timedelta(minutes=16)  # plans without the live tape see it a quarter of an hour later
_MOST = 50  # rows of a screen
# Where the rows of a screen stand in the answer, which figure ranks them, and its unit.
_SCREENS = {
    "volume_leaders": ("most_actives", "volume", " shares today"),
    "gainers": ("gainers", "percent_change", " % today"),
    "losers": ("losers", "percent_change", " % today"),
}
_INVALID = re.compile(r"invalid symbol: ([^\s\"}]+)")
_SYMBOL = re.compile(r"[A-Z][A-Z0-9]*([./-][A-Z0-9]+)*")
_COINS = "24/7"  # the calendar of pairs such as BTC/USD
_TICK = timedelta(microseconds=1)
# What keys were refused, by a digest of them: "recent" SIP, or "all" of it. A plan belongs to an
# account, however many sources ask by its keys.
_PLANS: dict[str, Literal["recent", "all"]] = {}

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
        last quarter of an hour of ``sip`` is answered from ``iex`` for windows that reach into it,
        and the bars say so; the keys are remembered, so that they are refused once.
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
    Bars of stocks are those of regular hours. Hours and weeks are made of bars of 30 minutes and
    of days, since Alpaca counts hours by the clock, where 09:00 mixes what came before the open
    with the rest. Pairs such as ``BTC/USD`` are coins: they trade around the clock, their days are
    those of UTC, made of hours, and there is nothing to adjust.

    It streams minutes, and longer bars made of them, as they complete: by a websocket, and by
    questions where that is mute, full or refused.

    It discovers ``volume_leaders``, ``gainers`` and ``losers``, quotes the latest bid and ask with
    their sizes (a side where nobody offers is left out), and may be asked 200 times a minute on a
    free plan.

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
        key, secret = Secret.of(key), Secret.of(secret)  # nobody who looks at this frame sees them
        if feed not in ("sip", "iex"):
            expected = "'sip' or 'iex'"
            raise UsageError("no such feed", expected=expected, got=repr(feed), hint="feed='iex'")
        self._key, self._secret = _given(key, _KEYS), _given(secret, _SECRETS)
        super().__init__(self._key, self._secret, timeout=timeout, clock=clock)
        self.capabilities = Capabilities(
            timeframes=(*INTRADAY, *DAILY),
            feed=feed,
            calls_per_minute=200,
            screens=tuple(_SCREENS),
            streams=True,
        )
        self._url = url_override.rstrip("/") if url_override else None
        self._clients = Clients(
            self._key,
            self._secret,
            self._url,
            self._timeout,
            self.meter,
            self._crew.sign_of_life,
        )
        self._account = sha256(f"{self._url} {self._key} {self._secret}".encode()).hexdigest()

    def __repr__(self) -> str:
        return f"AlpacaSource(feed={self.capabilities.feed!r})"

    def _calendar(self, symbol: str) -> str:
        return calendar_of(symbol)

    def _served(self, calendar: str) -> tuple[str, ...]:
        # Its days of coins begin at midnight of Chicago.
        return (*self._natives[:-1], "1Hour") if calendar == _COINS else self._natives

    def _spare(self, request: BarsRequest, due: datetime) -> int:
        # One exchange has no bar for a minute without a trade; the tape of all hardly misses one.
        sparse = self._feed(recent=self._is_recent(due)) == "iex"
        return super()._spare(request, due) if sparse else 0

    async def _ask(self, query: Query) -> dict[str, Answer]:
        if query.calendar == _COINS:
            return await self._beside(lambda: self._bars(query, "crypto"))
        recent = self._is_recent(query.end)
        return await self._beside(lambda: self._of_feed(lambda f: self._bars(query, f), recent))

    async def _quotes(self, symbols: tuple[str, ...]) -> Mapping[str, Mapping[str, float]]:
        return await self._beside(lambda: self._latest(symbols))

    async def _discover(self, category: str, limit: int) -> Sequence[Candidate]:
        self._check_screen(category)
        answer = await self._beside(lambda: self._screen(category, min(limit, _MOST)))
        rows, figure, unit = _SCREENS[category]
        asof = from_ns(int(_times([answer["last_updated"]])[0]))
        found = [(row["symbol"], row[figure]) for row in answer[rows]]
        return [
            Candidate(symbol, category, rank, score, f"{score:,g}{unit}", self.name, asof)
            for rank, (symbol, score) in enumerate(found, 1)
        ]

    def _stream(self, symbols: tuple[str, ...], timeframe: Timeframe) -> AsyncIterator[Bar]:
        from ._alpaca_stream import stream

        return stream(self, symbols, timeframe)

    def _is_recent(self, end: datetime) -> bool:
        return end > self.clock.now() - _RECENT

    def _feed(self, *, recent: bool) -> Literal["sip", "iex"]:
        """Name the feed to ask of: the one that was chosen, as far as the plan goes."""
        refused = _PLANS.get(self._account)
        poor = refused == "all" or (refused == "recent" and recent)
        return "sip" if self.capabilities.feed == "sip" and not poor else "iex"

    def _degrade(self, *, recent: bool = True) -> None:
        """Remember that these keys do not see the SIP tape, or the newest of it."""
        if self._account not in _PLANS:
            _log.warning("alpaca: these keys do not see the newest SIP data, so IEX gives it")
        _PLANS[self._account] = "recent" if recent else "all"

    def _of_feed(self, ask: Callable[[str], Any], recent: bool) -> Any:
        feed = self._feed(recent=recent)
        try:
            return ask(feed)
        except CredentialsError as error:
            if feed == "iex" or "sip" not in str(error.got).lower():
                raise
        self._degrade(recent=recent)
        return ask("iex")

    def _bars(self, query: Query, feed: str) -> dict[str, Answer]:
        symbols, unknown = self._possible(query.symbols)
        while symbols:
            try:
                rows = self._rows(attrs.evolve(query, symbols=symbols), feed)
                break
            except SourceError as error:
                culprit = _culprit(error, symbols)
                # It refuses them all for the sake of one that cannot be.
                unknown[culprit] = self._refusal(404, "invalid symbol", {}, culprit)
                symbols = tuple(symbol for symbol in symbols if symbol != culprit)
        else:
            return unknown
        if strangers := sorted(set(rows) - set(query.symbols)):
            raise self._bad(", ".join(strangers), expected=", ".join(query.symbols))
        facts = {
            "feed": feed,
            "adjustment": query.adjustment,
            "calendar": query.calendar,
            "source": self.name,
        }
        found = {s: self._whole(s, rows[s], query, facts) for s in symbols if rows.get(s)}
        return {**found, **unknown}

    def _rows(self, query: Query, feed: str) -> Mapping[str, Any]:
        rows: Mapping[str, Any] = self._said(lambda: self._asked(query, feed), query.symbols)
        return rows

    def _possible(self, symbols: Sequence[str]) -> tuple[tuple[str, ...], dict[str, Answer]]:
        """Tell symbols that Alpaca could know from those that would spoil the question."""
        possible = tuple(symbol for symbol in symbols if _SYMBOL.fullmatch(symbol))
        others = [symbol for symbol in symbols if symbol not in possible]
        return possible, {s: self._refusal(404, "no such symbol can be", {}, s) for s in others}

    def _asked(self, query: Query, feed: str) -> Any:
        alpaca = vendor()
        unit = "Minute" if query.timeframe.is_intraday else "Day"
        amount = query.timeframe.amount
        if query.timeframe == "1Hour":
            unit, amount = "Hour", 1
        what: dict[str, Any] = {
            "symbol_or_symbols": list(query.symbols),
            "timeframe": alpaca.TimeFrame(amount, alpaca.TimeFrameUnit[unit]),
            "start": query.start,
            "end": query.end - _TICK,  # a bar that opens then is not complete
        }
        if feed == "crypto":
            return self._clients.coins.get_crypto_bars(alpaca.CryptoBarsRequest(**what))
        adjustment, tape = alpaca.Adjustment(query.adjustment), alpaca.DataFeed(feed)
        request = alpaca.StockBarsRequest(**what, adjustment=adjustment, feed=tape)
        return self._clients.stocks.get_stock_bars(request)

    def _whole(self, symbol: str, rows: Any, query: Query, facts: Mapping[str, Any]) -> Answer:
        try:
            columns = [[row[short] for row in rows] for short in _COLUMNS.values()]
            times = _times([row["t"] for row in rows])
            return Bars(symbol, query.timeframe, times, *columns, **facts)
        except (LookupError, TypeError, ValueError) as error:
            return self._failure(error, symbol)

    def _latest(self, symbols: tuple[str, ...]) -> dict[str, dict[str, float]]:
        alpaca = vendor()
        coins = [symbol for symbol in symbols if "/" in symbol]
        stocks = [symbol for symbol in symbols if symbol not in coins]

        def of_stocks(feed: str) -> Any:
            tape = alpaca.DataFeed(feed)
            asked = alpaca.StockLatestQuoteRequest(symbol_or_symbols=stocks, feed=tape)
            return self._said(lambda: self._clients.stocks.get_stock_latest_quote(asked))

        found = self._of_feed(of_stocks, recent=True) if stocks else {}
        if coins:
            asked = alpaca.CryptoLatestQuoteRequest(symbol_or_symbols=coins)
            found |= self._said(lambda: self._clients.coins.get_crypto_latest_quote(asked))
        told = {symbol: sides(said, _SIDES) for symbol, said in found.items() if said is not None}
        return {symbol: quote for symbol, quote in told.items() if quote}

    def _screen(self, category: str, top: int) -> Any:
        alpaca = vendor()
        if category == "volume_leaders":
            actives = alpaca.MostActivesRequest(by=alpaca.MostActivesBy.VOLUME, top=top)
            return self._said(lambda: self._clients.screener.get_most_actives(actives))
        movers = alpaca.MarketMoversRequest(top=top)
        return self._said(lambda: self._clients.screener.get_market_movers(movers))

    def _said(self, question: Callable[[], Any], symbols: Sequence[str] = ()) -> Any:
        try:
            return self._clients.ask(question)
        except RefusedError as error:
            answer = error
        alone = symbols[0] if len(symbols) == 1 else None
        raise self._refusal(answer.status, answer.said, answer.headers, alone)


def _culprit(error: SourceError, symbols: Sequence[str]) -> str:
    """Name the one symbol for whose sake all were refused, or raise the error."""
    match = _INVALID.search(str(error.got))
    if match is None or match[1] not in symbols:
        raise error
    return match[1]


def _times(told: Sequence[str]) -> np.ndarray[Any, np.dtype[np.datetime64]]:
    """Read moments of UTC, which end in Z, to the nanosecond."""
    if not all(text.endswith("Z") for text in told):
        raise ValueError(f"times in UTC end in Z, unlike {told[0]!r}")
    return np.array([text[:-1] for text in told], dtype="M8[ns]")


def _given(value: Secret | None, variables: tuple[str, ...]) -> Secret:
    found = value or next(map(Secret, filter(None, map(os.environ.get, variables))), None)
    if not found:
        raise CredentialsError(
            "alpaca needs a key and a secret",
            expected=" and ".join(" or ".join(names) for names in (_KEYS, _SECRETS)),
            got="neither argument nor environment variable",
            hint="AlpacaSource(key, secret), with those of a free account at https://alpaca.markets",
            source="alpaca",
        )
    return found
