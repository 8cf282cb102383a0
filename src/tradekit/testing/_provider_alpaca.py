"""Alpaca's market data API: bars in pages, latest quotes, screens, the market's clock."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from math import isnan
from typing import Any, ClassVar

import numpy as np

from .._core.clock import from_ns, to_ns
from .._core.errors import UsageError
from .._core.timeframe import Timeframe
from ._provider_dialect import Asked, Dialect, Refused, Reply, Warp, reply
from ._provider_market import Market, Today
from ._provider_rows import Rows, on_iex

_PATHS = {
    "/v2/stocks/bars": "bars",
    "/v2/stocks/quotes/latest": "quotes",
    "/v1beta1/screener/stocks/most-actives": "most_actives",
    "/v1beta1/screener/stocks/movers": "movers",
    "/v2/clock": "time_of_day",
}
_OF_FEEDS = ("bars", "quotes")
_SYMBOL = re.compile(r"[A-Z][A-Z0-9]*([./][A-Z0-9]+)?")
_SHORT = {"open": "o", "high": "h", "low": "l", "close": "c"}
_MOST_ROWS, _ROWS = 10_000, 1_000
_REMEMBERED = 8  # questions whose later pages may still be asked for


class Alpaca(Dialect):
    """Alpaca over a market."""

    name = "alpaca"
    null: ClassVar[Any] = {"bars": None, "next_page_token": None}
    counts_down = True
    refusals: ClassVar[Mapping[int, Any]] = {
        401: {"message": "unauthorized."},
        403: {"message": "subscription does not permit querying recent SIP data"},
        404: {"message": "endpoint not found."},
        422: {"message": "unprocessable request"},
        429: {"message": "too many requests."},
        500: {"message": "internal server error."},
    }

    def __init__(self, market: Market, seed: int) -> None:
        self._market, self._seed = market, seed
        self._pages: dict[frozenset[tuple[str, str]], list[Rows]] = {}

    def serves_bars(self, asked: Asked) -> bool:
        """Tell whether bars are asked for."""
        return _PATHS.get(asked.path) == "bars"

    def can(self, fault: str, asked: Asked) -> bool:
        """Refuse SIP to nobody who asks for another feed, or for something that has none."""
        sip = _PATHS.get(asked.path) in _OF_FEEDS and asked.params.get("feed", "sip") == "sip"
        return sip or fault != "403_sip"

    async def answer(self, asked: Asked, warp: Warp) -> Reply:
        """Answer one question."""
        if not (asked.headers.get("apca-api-key-id") and asked.headers.get("apca-api-secret-key")):
            return self.refusal(401)
        name = _PATHS.get(asked.path)
        if name is None:
            return self.refusal(404)
        if name == "bars":
            return await self._bars(asked.params, warp)
        tell: Callable[[Mapping[str, str]], Awaitable[Any]] = getattr(self, f"_{name}")
        return reply(await tell(asked.params))

    async def _bars(self, params: Mapping[str, str], warp: Warp) -> Reply:
        limit = int(params.get("limit", _ROWS))
        if not 1 <= limit <= _MOST_ROWS:
            raise _invalid(f"limit: {limit}")
        page, token = _page(await self._found(params), limit, params.get("page_token"))
        bent = [warp(rows) for rows in page]
        told = {rows.symbol: written(rows) for rows in bent if len(rows)}
        return reply({"bars": told, "next_page_token": token})

    async def _found(self, params: Mapping[str, str]) -> list[Rows]:
        """All rows of a question, in its order; the source is asked once for all its pages."""
        question = frozenset((k, v) for k, v in params.items() if k not in ("page_token", "limit"))
        if "page_token" not in params or question not in self._pages:
            self._pages.pop(question, None)
            while len(self._pages) >= _REMEMBERED:
                del self._pages[next(iter(self._pages))]
            self._pages[question] = await self._asked(params)
        return self._pages[question]

    async def _asked(self, params: Mapping[str, str]) -> list[Rows]:
        timeframe, feed = _timeframe(params.get("timeframe", "")), params.get("feed", "sip")
        adjustment = params.get("adjustment", "raw")
        if adjustment not in ("raw", "split", "all"):
            raise _invalid(f"adjustment: {adjustment}")
        now, symbols = self._market.now, _symbols(params)
        first, last = _moment(params, "start", _midnight(now)), _moment(params, "end", now)
        found = await self._market.window(symbols, timeframe, first, last, adjustment)
        seen = partial(on_iex, timeframe=timeframe, seed=self._seed) if feed == "iex" else _as_is
        step = -1 if params.get("sort") == "desc" else 1
        return [seen(found[s]).take(slice(None, None, step)) for s in sorted(found)]

    async def _quotes(self, params: Mapping[str, str]) -> Any:
        found = await self._market.today(_symbols(params))
        stamp = _stamp(self._market.now)
        exchange = "V" if params.get("feed") == "iex" else "Q"
        sides = {"ax": exchange, "as": 3, "bx": exchange, "bs": 2, "c": ["R"], "z": "C"}
        told = {s: {"t": stamp, "ap": day.ask, "bp": day.bid, **sides} for s, day in found.items()}
        return {"quotes": told}

    async def _most_actives(self, params: Mapping[str, str]) -> Any:
        days = (await self._market.today(self._market.symbols)).values()
        ranked = sorted(days, key=lambda day: (-day.volume, day.symbol))
        rows = [
            {"symbol": d.symbol, "volume": int(d.volume), "trade_count": int(d.volume) // 100}
            for d in ranked[: int(params.get("top", 10))]
        ]
        return {"most_actives": rows, "last_updated": _stamp(self._market.now)}

    async def _movers(self, params: Mapping[str, str]) -> Any:
        days = (await self._market.today(self._market.symbols)).values()
        ranked = sorted(days, key=lambda day: (-day.percent, day.symbol))
        top = int(params.get("top", 10))
        gainers = [_mover(day) for day in ranked if day.change > 0][:top]
        losers = [_mover(day) for day in ranked[::-1] if day.change < 0][:top]
        updated = {"market_type": "stocks", "last_updated": _stamp(self._market.now)}
        return {"gainers": gainers, "losers": losers, **updated}

    async def _time_of_day(self, params: Mapping[str, str]) -> Any:
        calendar, now = self._market.calendar, self._market.now
        opens, closes = (
            int(moments[moments.searchsorted(now, side="right")])
            for moments in (calendar.opens, calendar.closes)
        )
        return {
            "timestamp": _stamp(now),
            "is_open": closes < opens,
            "next_open": _stamp(opens),
            "next_close": _stamp(closes),
        }


def _mover(day: Today) -> dict[str, Any]:
    change = {"percent_change": round(day.percent, 2), "change": round(day.change, 2)}
    return {"symbol": day.symbol, **change, "price": day.last}


def _as_is(rows: Rows) -> Rows:
    return rows


def _invalid(what: str) -> Refused:
    return Refused({"message": f"invalid {what}"}, 400)


def _symbols(params: Mapping[str, str]) -> list[str]:
    symbols = sorted(set(filter(None, params.get("symbols", "").split(","))))
    if not symbols:
        raise _invalid("symbols: none")
    for symbol in symbols:
        if not _SYMBOL.fullmatch(symbol):
            raise _invalid(f"symbol: {symbol}")
    return symbols


def _timeframe(text: str) -> Timeframe:
    try:
        return Timeframe(text)
    except UsageError:
        raise _invalid(f"timeframe: {text}") from None


def _moment(params: Mapping[str, str], name: str, default: int) -> int:
    if name not in params:
        return default
    try:
        moment = datetime.fromisoformat(params[name])
    except ValueError:
        raise _invalid(f"{name}: {params[name]}") from None
    return to_ns(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _midnight(now: int) -> int:
    return to_ns(from_ns(now).replace(hour=0, minute=0, second=0, microsecond=0))


def _stamp(ns: int) -> str:
    text = str(np.datetime64(int(ns), "ns"))
    return f"{text.rstrip('0').rstrip('.')}Z"


def _page(found: list[Rows], limit: int, token: str | None) -> tuple[list[Rows], str | None]:
    """Cut out the rows after the one that a token names, of however many symbols."""
    symbol, time = _after(token)
    page: list[Rows] = []
    for rows in found:
        if rows.symbol < symbol:
            continue
        if not limit:
            return page, _token(page[-1])
        begin = int(np.flatnonzero(rows.time == time)[-1]) + 1 if rows.symbol == symbol else 0
        part = rows.take(slice(begin, begin + limit))
        page += [part] if len(part) else []
        limit -= len(part)
        if begin + len(part) < len(rows):
            return page, _token(page[-1])
    return page, None


def _token(rows: Rows) -> str:
    return b64encode(f"{rows.symbol}|{rows.time[-1]}".encode()).decode()


def _after(token: str | None) -> tuple[str, int]:
    if token is None:
        return "", 0
    try:
        symbol, time = b64decode(token, validate=True).decode().split("|")
        return symbol, int(time)
    except ValueError:
        raise _invalid(f"page_token: {token}") from None


def written(rows: Rows) -> list[dict[str, Any]]:
    """One object for each bar; what is not known is left out."""
    prices = {short: rows.columns[name].tolist() for name, short in _SHORT.items()}
    volumes = rows.columns["volume"].tolist()
    written = []
    for i, time in enumerate(rows.time.tolist()):
        bar = {short: values[i] for short, values in prices.items() if not isnan(values[i])}
        vw = round(sum(bar.values()) / len(bar), 6)
        if not isnan(volumes[i]):
            volume = round(volumes[i])
            bar |= {"v": volume, "n": max(1, volume // 100)}
        written.append({"t": _stamp(time), **bar, "vw": vw})
    return written
