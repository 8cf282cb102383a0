"""Tiingo's IEX API: bars of one exchange within the day, and the top of its book."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Any, ClassVar

import numpy as np

from .._core.errors import UsageError
from .._core.timeframe import Timeframe
from ._provider_dialect import Asked, Dialect, Refused, Reply, Warp, reply
from ._provider_market import Market, Today
from ._provider_rows import PRICES, Rows, on_iex

_DAY = np.timedelta64(1, "D")
_OVER = "Error: You have run over your hourly request allocation. Please upgrade your account."
_SHARE = 0.03  # of the volume of all exchanges


class Tiingo(Dialect):
    """Tiingo over a market."""

    name = "iex"
    null = None
    refusals: ClassVar[Mapping[int, Any]] = {
        401: {"detail": "Invalid token."},
        403: {"detail": "You do not have permission to access the IEX API"},
        404: {"detail": "Not found."},
        422: {"detail": "Unprocessable request."},
        429: {"detail": "Too many requests."},
    }

    def __init__(self, market: Market, seed: int) -> None:
        self._market, self._seed = market, seed

    def serves_bars(self, asked: Asked) -> bool:
        """Tell whether bars are asked for."""
        return asked.path.endswith("/prices")

    def limited(self) -> Reply:
        """Say that the budget is used: as a sentence, with status 200."""
        return reply(_OVER)

    async def answer(self, asked: Asked, warp: Warp) -> Reply:
        """Answer one question."""
        if not (asked.headers.get("authorization") or asked.params.get("token")):
            return self.refusal(401)
        match asked.path.strip("/").split("/"):
            case ["iex"]:
                symbols = [_symbol(name) for name in asked.params.get("tickers", "").split(",")]
                return await self._tops([symbol for symbol in symbols if symbol])
            case ["iex", ticker]:
                return await self._tops([_symbol(ticker)])
            case ["iex", ticker, "prices"]:
                return await self._prices(_symbol(ticker), asked.params, warp)
        return self.refusal(404)

    async def _prices(self, symbol: str, params: Mapping[str, str], warp: Warp) -> Reply:
        timeframe = _timeframe(params.get("resampleFreq", "5min"))
        first, last = self._days(params)
        found = await self._market.window([symbol], timeframe, first, last, "raw")
        if symbol not in found:
            return reply([]) if await self._market.knows(symbol) else self.refusal(404)
        columns = params.get("columns", ",".join(PRICES)).split(",")
        return reply(_written(warp(on_iex(found[symbol], timeframe, self._seed)), columns))

    def _days(self, params: Mapping[str, str]) -> tuple[int, int]:
        """Bounds of the dates that are asked for, the newest session by default."""
        calendar = self._market.calendar
        newest = calendar.sessions[calendar.opens.searchsorted(self._market.now, "right") - 1]
        try:
            start, end = (
                np.datetime64(params.get(name, str(newest))[:10], "D")
                for name in ("startDate", "endDate")
            )
        except ValueError:
            raise Refused({"detail": "Dates are YYYY-MM-DD."}, 400) from None
        first, after = calendar.labels(np.array([start, end + _DAY]))
        return int(first), int(after) - 1

    async def _tops(self, symbols: list[str]) -> Reply:
        found = await self._market.today(symbols) if symbols else {}
        is_open = self._market.calendar.locate(np.array([self._market.now]))[0] >= 0
        return reply([_top(day, self._market.now, bool(is_open)) for day in found.values()])


def _symbol(ticker: str) -> str:
    return ticker.upper().replace("-", ".")


def _timeframe(text: str) -> Timeframe:
    try:
        length = Timeframe(text)
    except UsageError:
        length = None
    if length is None or not length.is_intraday:
        raise Refused({"detail": f"resampleFreq {text!r} is not valid"}, 400)
    return length


def _stamp(ns: int, unit: str = "ms") -> str:
    return str(np.datetime64(int(ns), "ns").astype(f"M8[{unit}]"))


def _written(rows: Rows, names: list[str]) -> list[dict[str, Any]]:
    """One object for each bar, of the columns that were named; what is not known is left out."""
    columns = {name: rows.columns[name].tolist() for name in names if name in rows.columns}
    return [
        {"date": f"{_stamp(time)}Z"}
        | {name: values[i] for name, values in columns.items() if not isnan(values[i])}
        for i, time in enumerate(rows.time.tolist())
    ]


def _top(day: Today, now: int, is_open: bool) -> dict[str, Any]:
    """The top of the book, which is empty after the close."""
    stamp = f"{_stamp(now, 's')}+00:00"
    book = {"bidPrice": day.bid, "askPrice": day.ask, "bidSize": 100, "askSize": 100}
    book["mid"] = round((day.bid + day.ask) / 2, 4)
    stamps = dict.fromkeys(("timestamp", "quoteTimestamp", "lastSaleTimestamp"), stamp)
    prices = {"open": day.open, "high": day.high, "low": day.low, "prevClose": day.before}
    lasts = {"last": day.last, "tngoLast": day.last, "lastSize": 100 if is_open else None}
    facts = {"ticker": day.symbol, **stamps, **prices, **lasts, "volume": int(day.volume * _SHARE)}
    return facts | {name: value if is_open else None for name, value in book.items()}
