"""Alpaca's market data API: bars in pages, latest quotes, screens, the market's clock."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

import attrs
import numpy as np

from .._core.clock import FixedClock, from_ns
from ._provider_dialect import Asked, Dialect, Reply, Warp, reply
from ._provider_market import Market, Today
from ._provider_query import (
    PLACES,
    adjustment,
    among,
    dollars,
    feed,
    invalid,
    number,
    span,
    stamp,
    symbols,
    timeframe,
)
from ._provider_rows import PAIR, Rows, on_iex

_SHORT = {"open": "o", "high": "h", "low": "l", "close": "c"}
_MOST_ROWS, _ROWS = 10_000, 1_000
_REMEMBERED = 8  # questions whose later pages may still be asked for
_BEHIND = timedelta(minutes=15)  # of the feed delayed_sip


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
        return asked.path.endswith("/bars")

    def can(self, fault: str, asked: Asked) -> bool:
        """Refuse SIP to nobody who asks for another feed, or for something that has none."""
        has_feeds = asked.path.startswith("/v2/stocks/")
        return fault != "403_sip" or (has_feeds and asked.params.get("feed", "sip") == "sip")

    async def answer(self, asked: Asked, warp: Warp) -> Reply:
        """Answer one question."""
        path, params = asked.path.strip("/").split("/"), asked.params
        if path[:2] == ["v1beta3", "crypto"]:  # open to everybody
            return await self._crypto(path[2:], params, warp)
        if not (asked.headers.get("apca-api-key-id") and asked.headers.get("apca-api-secret-key")):
            return self.refusal(401)
        match path:
            case ["v2", "stocks", "bars"]:
                return await self._bars(params, warp)
            case ["v2", "stocks", "quotes", "latest"]:
                return reply({"quotes": await self._quotes(params)})
            case ["v1beta1", "screener", "stocks", "most-actives"]:
                return reply(await self._most_actives(params))
            case ["v1beta1", "screener", kind, "movers"]:
                return reply(await self._movers(kind, params))
            case ["v2", "clock"]:
                return reply(self._time_of_day())
        return self.refusal(404)

    async def _crypto(self, path: list[str], params: Mapping[str, str], warp: Warp) -> Reply:
        match path:
            case [place, "bars"]:
                among("location", place, PLACES)
                return await self._bars(params, warp, pairs=True)
            case [place, "latest", "quotes"]:
                among("location", place, PLACES)
                found = await self._market.today(symbols(params, pairs=True))
                now = self._market.now
                return reply({"quotes": {s: _sides(day, now) for s, day in found.items()}})
        return self.refusal(404)

    async def _bars(self, params: Mapping[str, str], warp: Warp, *, pairs: bool = False) -> Reply:
        limit = number(params, "limit", _ROWS, _MOST_ROWS)
        rows, token = _page(await self._found(params, pairs), limit, params.get("page_token"))
        bent = [warp(part) for part in rows]
        told = {part.symbol: written(part) for part in bent if len(part)}
        return reply({"bars": told, "next_page_token": token})

    async def _found(self, params: Mapping[str, str], pairs: bool) -> list[Rows]:
        """All rows of a question, in its order; the source is asked once for all its pages."""
        question = frozenset((k, v) for k, v in params.items() if k not in ("page_token", "limit"))
        if "page_token" not in params or question not in self._pages:
            self._pages.pop(question, None)
            while len(self._pages) >= _REMEMBERED:
                del self._pages[next(iter(self._pages))]
            self._pages[question] = await self._asked(params, pairs)
        return self._pages[question]

    async def _asked(self, params: Mapping[str, str], pairs: bool) -> list[Rows]:
        dollars(params)
        names, length = symbols(params, pairs), timeframe(params)
        first, last = span(params, self._market.now, names[0])
        tape = "sip" if pairs else feed(params)
        kind = "raw" if pairs else adjustment(params)
        step = -1 if among("sort", params.get("sort", "asc"), ("asc", "desc")) == "desc" else 1
        if tape not in ("sip", "iex"):
            return []  # over the counter and by night nothing was traded
        found = await self._market.window(names, length, first, last, kind)
        seen = partial(on_iex, timeframe=length, seed=self._seed) if tape == "iex" else _as_is
        return [seen(found[s]).take(slice(None, None, step)) for s in sorted(found)]

    async def _quotes(self, params: Mapping[str, str]) -> dict[str, Any]:
        dollars(params)
        tape, market = feed(params, latest=True), self._market
        if tape == "delayed_sip":
            market = attrs.evolve(market, clock=FixedClock(from_ns(market.now) - _BEHIND))
        names = symbols(params)
        found = await market.today(names) if tape in ("sip", "iex", "delayed_sip") else {}
        exchange = "V" if tape == "iex" else "Q"
        facts = {"ax": exchange, "bx": exchange, "c": ["R"], "z": "C"}
        return {s: _sides(day, market.now) | facts for s, day in found.items()}

    async def _most_actives(self, params: Mapping[str, str]) -> Any:
        among("by", params.get("by", "volume"), ("volume", "trades"))
        top = number(params, "top", 10, 100)
        ranked = sorted(await self._days(), key=lambda day: (-day.volume, day.symbol))
        rows = [
            {"symbol": d.symbol, "volume": int(d.volume), "trade_count": int(d.volume) // 100}
            for d in ranked[:top]
        ]
        return {"most_actives": rows, "last_updated": stamp(self._market.now)}

    async def _movers(self, kind: str, params: Mapping[str, str]) -> Any:
        among("market type", kind, ("stocks", "crypto"))
        top = number(params, "top", 10, 50)
        days = await self._days(pairs=kind == "crypto")
        ranked = sorted(days, key=lambda day: (-day.percent, day.symbol))
        gainers = [_mover(day) for day in ranked if day.change > 0][:top]
        losers = [_mover(day) for day in ranked[::-1] if day.change < 0][:top]
        updated = {"market_type": kind, "last_updated": stamp(self._market.now)}
        return {"gainers": gainers, "losers": losers, **updated}

    async def _days(self, *, pairs: bool = False) -> list[Today]:
        ranked = [symbol for symbol in self._market.symbols if (PAIR in symbol) == pairs]
        return list((await self._market.today(ranked)).values())

    def _time_of_day(self) -> Any:
        calendar, now = self._market.calendar, self._market.now
        opens, closes = (
            int(moments[moments.searchsorted(now, side="right")])
            for moments in (calendar.opens, calendar.closes)
        )
        return {
            "timestamp": stamp(now),
            "is_open": closes < opens,
            "next_open": stamp(opens),
            "next_close": stamp(closes),
        }


def _sides(day: Today, now: int) -> dict[str, Any]:
    return {"t": stamp(now), "ap": day.ask, "as": 3, "bp": day.bid, "bs": 2}


def _mover(day: Today) -> dict[str, Any]:
    change = {"percent_change": round(day.percent, 2), "change": round(day.change, 2)}
    return {"symbol": day.symbol, **change, "price": day.last}


def _as_is(rows: Rows) -> Rows:
    return rows


def _page(found: list[Rows], limit: int, token: str | None) -> tuple[list[Rows], str | None]:
    """Cut out the rows after the one that a token names, of however many symbols."""
    symbol, begin = _after(found, token)
    cut: list[Rows] = []
    for rows in found:
        if rows.symbol < symbol:
            continue
        if not limit:
            return cut, _token(cut[-1])
        skipped = begin if rows.symbol == symbol else 0
        part = rows.take(slice(skipped, skipped + limit))
        cut += [part] if len(part) else []
        limit -= len(part)
        if skipped + len(part) < len(rows):
            return cut, _token(cut[-1])
    return cut, None


def _token(rows: Rows) -> str:
    return b64encode(f"{rows.symbol}|{rows.time[-1]}".encode()).decode()


def _after(found: list[Rows], token: str | None) -> tuple[str, int]:
    """The symbol that a token names, and how many of its rows were told."""
    if token is None:
        return "", 0
    try:
        symbol, time = b64decode(token, validate=True).decode().split("|")
        (rows,) = (rows for rows in found if rows.symbol == symbol)
        return symbol, int(np.flatnonzero(rows.time == int(time))[-1]) + 1
    except (ValueError, IndexError):
        raise invalid(f"page_token: {token}") from None


def written(rows: Rows) -> list[dict[str, Any]]:
    """One object for each bar; what is not known is left out."""
    prices = {short: rows.columns[name] for name, short in _SHORT.items()}
    volume = rows.columns["volume"]
    traded = np.nan_to_num(volume)
    columns = {
        "t": np.datetime_as_string(rows.time.astype("M8[ns]"), unit="s", timezone="UTC").tolist(),
        **{short: column.tolist() for short, column in prices.items()},
        "v": (traded if PAIR in rows.symbol else np.rint(traded).astype(np.int64)).tolist(),
        "n": np.ceil(traded / 100).astype(np.int64).tolist(),
        "vw": np.nanmean(list(prices.values()), axis=0).round(6).tolist(),
    }
    bars = [dict(zip(columns, bar, strict=True)) for bar in zip(*columns.values(), strict=True)]
    for name, column in {**prices, "v": volume, "n": volume}.items():
        for row in np.flatnonzero(np.isnan(column)).tolist():
            del bars[row][name]
    return bars
