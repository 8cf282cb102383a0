"""Yahoo's chart API: cookie, crumb and time zone first, then bars; and its screens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import numpy as np

from .._core.clock import NS
from .._core.columns import Float, Int
from .._core.faults import COLUMNS
from .._core.timeframe import Timeframe
from ._provider_dialect import Asked, Dialect, Refused, Reply, Warp, reply
from ._provider_market import Market, Today
from ._provider_rows import Rows

_CHART = "/v8/finance/chart/"
_SCREEN = "/v1/finance/screener/predefined/saved"
_CRUMB = "/v1/test/getcrumb"
_COOKIE = "/"
_INTERVALS = {f"{n}m": f"{n}Min" for n in (1, 2, 5, 15, 30, 60, 90)}
_INTERVALS |= {"1h": "1Hour", "1d": "1Day", "1wk": "1Week"}
_RANGES = {"1d": 1, "5d": 5, "1mo": 21, "3mo": 63, "6mo": 126, "1y": 252, "2y": 504, "5y": 1260}
_ALL = 100_000
_SCREENS = {"most_actives": "volume", "day_gainers": "percent", "day_losers": "percent"}
_CLASS_SHARE = re.compile(r"([A-Z]+)-([A-C])")
_BEFORE, _AFTER = 330 * 60, 240 * 60  # seconds of pre-market from 04:00, and after the close


def _error(code: str, description: str) -> dict[str, Any]:
    return {"chart": {"result": None, "error": {"code": code, "description": description}}}


class Yahoo(Dialect):
    """Yahoo over a market."""

    name = "yahoo"
    null: ClassVar[Any] = {"chart": {"result": None, "error": None}}
    refusals: ClassVar[Mapping[int, Any]] = {
        401: {"finance": {"result": None, "error": {"code": "Unauthorized", "description": "-"}}},
        404: _error("Not Found", "No data found, symbol may be delisted"),
        422: _error("Unprocessable Entity", "The requested range is not available"),
        429: "Too Many Requests\r\n",
    }

    def __init__(self, market: Market, seed: int) -> None:
        self._market = market

    def serves_bars(self, asked: Asked) -> bool:
        """Tell whether bars are asked for."""
        return asked.path.startswith(_CHART)

    def handshake(self, asked: Asked) -> bool:
        """Tell cookie, crumb and the probe for a time zone, which yfinance remembers."""
        probe = self.serves_bars(asked) and asked.params.get("range") == "1d"
        return asked.path in (_COOKIE, _CRUMB) or (probe and "includePrePost" not in asked.params)

    async def answer(self, asked: Asked, warp: Warp) -> Reply:
        """Answer one question."""
        if asked.path == _COOKIE:
            return Reply(404, "", {"Set-Cookie": "A3=fake; Path=/"})
        if asked.path == _CRUMB:
            return reply("fake.crumb")
        if asked.path == _SCREEN:
            return await self._screen(asked.params)
        if self.serves_bars(asked):
            return await self._chart(asked.path.removeprefix(_CHART), asked.params, warp)
        return self.refusal(404)

    async def _chart(self, ticker: str, params: Mapping[str, str], warp: Warp) -> Reply:
        symbol = _CLASS_SHARE.sub(r"\1.\2", ticker)
        interval = params.get("interval", "1d")
        if interval not in _INTERVALS:
            wrong = _error("Unprocessable Entity", f"Invalid input - interval={interval}")
            raise Refused(wrong, 422)
        timeframe, (first, last) = Timeframe(_INTERVALS[interval]), self._span(params)
        rows = await self._rows(symbol, timeframe, first, last)
        if not len(rows) and not await self._market.knows(symbol):
            return self.refusal(404)
        sent = warp(rows)
        # A wrong answer names another ticker; a class share keeps its dash.
        name = ticker if sent.symbol == symbol else sent.symbol
        result = self._result(
            name, interval, sent, "true" in params.get("includePrePost", "").lower()
        )
        return reply({"chart": {"result": [result], "error": None}})

    def _span(self, params: Mapping[str, str]) -> tuple[int, int]:
        """First and last label, from a range or from two moments, the second excluded."""
        if "period1" in params:
            first, after = (int(params[name]) * NS for name in ("period1", "period2"))
            return first, after - 1
        sessions = _RANGES.get(params.get("range", "1mo"), _ALL)
        return self._market.midnight(sessions - 1), self._market.now

    async def _rows(self, symbol: str, timeframe: Timeframe, first: int, last: int) -> Rows:
        """Prices adjusted for splits; with days, the close that is adjusted for dividends too."""
        kinds = ("split",) if timeframe.is_intraday else ("split", "all")
        found = [
            (await self._market.window([symbol], timeframe, first, last, kind)).get(symbol)
            for kind in kinds
        ]
        split, adjusted = found[0], found[-1]
        if split is None or adjusted is None:
            return Rows(symbol, np.array([], np.int64), dict.fromkeys(COLUMNS, np.array([])))
        return split if timeframe.is_intraday else split.put(adjclose=adjusted.columns["close"])

    def _meta(self, name: str, interval: str) -> dict[str, Any]:
        calendar = self._market.calendar
        newest = calendar.opens.searchsorted(self._market.now, side="right") - 1
        current = {part: hours[0][0] for part, hours in self._hours(np.array([newest])).items()}
        return {
            "currency": "USD",
            "symbol": name,
            "instrumentType": "EQUITY",
            "gmtoffset": current["regular"]["gmtoffset"],
            "timezone": current["regular"]["timezone"],
            "exchangeTimezoneName": calendar.tz,
            "priceHint": 2,
            "currentTradingPeriod": current,
            "dataGranularity": interval,
            "validRanges": [*_RANGES, "10y", "ytd", "max"],
        }

    def _result(self, name: str, interval: str, rows: Rows, wide: bool) -> dict[str, Any]:
        calendar, timeframe = self._market.calendar, Timeframe(_INTERVALS[interval])
        meta = self._meta(name, interval)
        if not len(rows):
            return {"meta": meta, "indicators": {"quote": [{}]}}
        session = calendar.session(rows.time, timeframe)
        stamps = rows.time
        if timeframe.is_intraday:
            hours = self._hours(np.unique(session[session >= 0]))
            meta["tradingPeriods"] = hours if wide else hours["regular"]
        else:  # days are stamped with the moment of their open
            stamps = np.where(session >= 0, calendar.opens[session], stamps)
        indicators = {"quote": [{name: _listed(rows.columns[name]) for name in COLUMNS}]}
        if "adjclose" in rows.columns:
            indicators["adjclose"] = [{"adjclose": _listed(rows.columns["adjclose"])}]
        return {"meta": meta, "timestamp": (stamps // NS).tolist(), "indicators": indicators}

    def _hours(self, sessions: Int) -> dict[str, list[list[dict[str, Any]]]]:
        """Hours before, in and after the regular ones of some sessions."""
        calendar = self._market.calendar
        hours: dict[str, list[list[dict[str, Any]]]] = {"pre": [], "regular": [], "post": []}
        opens, closes = calendar.opens[sessions] // NS, calendar.closes[sessions] // NS
        for opened, closed in zip(opens.tolist(), closes.tolist(), strict=True):
            local = datetime.fromtimestamp(opened, ZoneInfo(calendar.tz))
            offset = local.utcoffset() or timedelta(0)
            facts = {"timezone": local.tzname(), "gmtoffset": int(offset.total_seconds())}
            bounds = pairwise((opened - _BEFORE, opened, closed, closed + _AFTER))
            for periods, (start, end) in zip(hours.values(), bounds, strict=True):
                periods.append([{**facts, "start": start, "end": end}])
        return hours

    async def _screen(self, params: Mapping[str, str]) -> Reply:
        name = params.get("scrIds", "")
        if name not in _SCREENS:
            told = {"code": "Not Found", "description": f"No screener {name}"}
            return reply({"finance": {"result": None, "error": told}}, 404)
        days = (await self._market.today(self._market.symbols)).values()
        sign = 1 if name == "day_losers" else -1
        ranked = sorted(days, key=lambda day: (sign * getattr(day, _SCREENS[name]), day.symbol))
        top = [_quote(day) for day in ranked[: int(params.get("count", 25))]]
        result = {
            "id": name,
            "title": name.replace("_", " ").capitalize(),
            "canonicalName": name.upper(),
            "start": 0,
            "count": len(top),
            "total": len(ranked),
            "quotes": top,
        }
        return reply({"finance": {"result": [result], "error": None}})


def _listed(column: Float) -> list[float | None]:
    return [None if value != value else value for value in column.tolist()]  # noqa: PLR0124 - NaN


def _quote(day: Today) -> dict[str, Any]:
    return {
        "symbol": day.symbol,
        "shortName": day.symbol,
        "quoteType": "EQUITY",
        "currency": "USD",
        "regularMarketPrice": day.last,
        "regularMarketChange": day.change,
        "regularMarketChangePercent": day.percent,
        "regularMarketOpen": day.open,
        "regularMarketDayHigh": day.high,
        "regularMarketDayLow": day.low,
        "regularMarketVolume": int(day.volume),
        "regularMarketPreviousClose": day.before,
        "bid": day.bid,
        "ask": day.ask,
    }
