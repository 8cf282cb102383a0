"""Yahoo's chart API: cookie, crumb and time zone first, then bars; and its screens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from .._core.clock import NS
from .._core.faults import COLUMNS
from .._core.timeframe import Timeframe
from ._provider_actions import Actions
from ._provider_chart import RANGES, columns, events, meta, periods
from ._provider_dialect import Asked, Dialect, Refused, Reply, Warp, reply
from ._provider_market import Market
from ._provider_rows import PRICES, Rows
from ._provider_screen import CUSTOM, SAVED, custom, saved

_CHART = "/v8/finance/chart/"
_CRUMB = "/v1/test/getcrumb"
_COOKIE = "/"
_INTERVALS = {f"{n}m": f"{n}Min" for n in (1, 2, 5, 15, 30, 60, 90)}
_INTERVALS |= {"1h": "1Hour", "1d": "1Day", "1wk": "1Week"}
_ALL = 100_000
_CLASS_SHARE = re.compile(r"([A-Z]+)-([A-C])")
_DAY = 86_400 * NS
# Days back that bars of less than a day reach, and days of minutes in one answer.
_MINUTES, _HOURS, _OTHERS, _AT_ONCE = 30, 730, 60, 8


def _error(code: str, description: str) -> dict[str, Any]:
    return {"chart": {"result": None, "error": {"code": code, "description": description}}}


class Yahoo(Dialect):
    """Yahoo over a market."""

    name = "yahoo"
    keeps = False  # curl asks again, unasked, when a connection that was kept is dropped
    null: ClassVar[Any] = {"chart": {"result": None, "error": None}}
    refusals: ClassVar[Mapping[int, Any]] = {
        401: {"finance": {"result": None, "error": {"code": "Unauthorized", "description": "-"}}},
        404: _error("Not Found", "No data found, symbol may be delisted"),
        422: _error("Unprocessable Entity", "The requested range is not available"),
        429: "Too Many Requests\r\n",
    }

    def __init__(self, market: Market, seed: int) -> None:
        self._market, self._actions = market, Actions(market)

    def serves_bars(self, asked: Asked) -> bool:
        """Tell whether bars are asked for."""
        return asked.path.startswith(_CHART)

    def methods(self, asked: Asked) -> tuple[str, ...]:
        """Tell how this path can be asked."""
        return ("POST",) if asked.path == CUSTOM else super().methods(asked)

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
        if asked.path == SAVED:
            return await saved(self._market, asked.params)
        if asked.path == CUSTOM:
            return await custom(self._market, asked.body)
        if self.serves_bars(asked):
            return await self._chart(asked.path.removeprefix(_CHART), asked.params, warp)
        return self.refusal(404)

    async def _chart(self, ticker: str, params: Mapping[str, str], warp: Warp) -> Reply:
        symbol = _CLASS_SHARE.sub(r"\1.\2", ticker)
        interval = params.get("interval", "1d")
        if interval not in _INTERVALS:
            raise _impossible(f"interval={interval}", 422)
        timeframe, (first, last) = Timeframe(_INTERVALS[interval]), self._span(params)
        self._reach(interval, timeframe, first, last)
        rows = await self._rows(symbol, timeframe, first, last)
        if not len(rows) and not await self._market.knows(symbol):
            return self.refusal(404)
        sent = warp(self._live(rows, timeframe, last))
        kinds = re.split(r"[,|]", params.get("events", ""))
        known = await self._actions.between(symbol, first, last) if any(kinds) else []
        # A wrong answer names another ticker; a class share keeps its dash.
        name = ticker if sent.symbol == symbol else sent.symbol
        result = self._written(name, params, timeframe, sent)
        if len(sent) and (told := events(known, kinds)):
            result["events"] = told
        return reply({"chart": {"result": [result], "error": None}})

    def _written(
        self, name: str, params: Mapping[str, str], timeframe: Timeframe, rows: Rows
    ) -> dict[str, Any]:
        calendar, now = self._market.calendar, self._market.now
        facts = meta(name, params.get("interval", "1d"), params.get("range", ""), calendar, now)
        if timeframe.is_intraday and len(rows):
            wide = params.get("includePrePost", "").lower() == "true"
            facts["tradingPeriods"] = periods(rows, calendar, wide=wide)
        return {"meta": facts, **columns(rows, timeframe, calendar, now)}

    def _span(self, params: Mapping[str, str]) -> tuple[int, int]:
        """First and last label, from a range or from two moments, the second excluded."""
        if "period1" not in params:
            sessions = RANGES.get(params.get("range", "1mo"), _ALL)
            return self._market.midnight(sessions - 1), self._market.now
        now = str(self._market.now // NS)
        try:
            first, after = int(params["period1"]), int(params.get("period2", now))
        except ValueError:
            raise _impossible(f"period1={params['period1']}", 400) from None
        if after < first:
            told = f"start date cannot be after end date. startDate = {first}, endDate = {after}"
            raise _impossible(told, 400)
        return first * NS, after * NS - 1

    def _reach(self, interval: str, timeframe: Timeframe, first: int, last: int) -> None:
        """Refuse what lies farther back than Yahoo keeps bars of a length."""
        if not timeframe.is_intraday:
            return
        days = {"1Min": _MINUTES, "1Hour": _HOURS}.get(timeframe, _OTHERS)
        why = None
        if first < self._market.now - days * _DAY:
            why = f"The requested range must be within the last {days} days."
        elif timeframe == "1Min" and last - first >= _AT_ONCE * _DAY:
            why = f"Only {_AT_ONCE} days worth of 1m granularity data are allowed to be fetched"
            why += " per request."
        if why:
            span = f"startTime={first // NS} and endTime={-(-last // NS)}"
            told = f"{interval} data not available for {span}. {why}"
            raise Refused(_error("Unprocessable Entity", told), 422)

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

    def _live(self, rows: Rows, timeframe: Timeframe, last: int) -> Rows:
        """Append the price of this moment, as Yahoo does while the exchange is open."""
        calendar, now = self._market.calendar, self._market.now
        session = int(calendar.locate(np.array([now]))[0])
        if session < 0 or not timeframe.is_intraday:
            return rows
        opened = int(calendar.opens[session])
        begun = opened + (now - opened) // timeframe.ns * timeframe.ns
        if last < begun or not len(rows) or rows.time[-1] < opened:
            return rows
        price = rows.columns["close"][-1]
        row = {name: price if name in PRICES else 0.0 for name in rows.columns}
        grown = {name: np.append(column, row[name]) for name, column in rows.columns.items()}
        return Rows(rows.symbol, np.append(rows.time, now // NS * NS), grown)


def _impossible(what: str, status: int) -> Refused:
    code = "Unprocessable Entity" if status == 422 else "Bad Request"
    return Refused(_error(code, f"Invalid input - {what}"), status)
