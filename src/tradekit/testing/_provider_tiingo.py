"""Tiingo's APIs of IEX, bars within the day and the top of its book, and of days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any, ClassVar

import attrs
import numpy as np

from .._core.columns import Float
from .._core.errors import UsageError
from .._core.timeframe import Timeframe
from ._provider_dialect import Asked, Dialect, Refused, Reply, Warp, reply
from ._provider_market import Market, Today
from ._provider_rows import PRICES, Rows, on_iex

_DAY = np.timedelta64(1, "D")
_OUT = 35 * 3_600 * 10**9 // 2  # half past five in New York: a day's row is out
_TRADED = ("close", "high", "low", "open", "volume")
_ADJUSTED = {name: f"adj{name.capitalize()}" for name in _TRADED}
_END_OF_DAY = (*_TRADED, *_ADJUSTED.values(), "divCash", "splitFactor")
_SAME = 1e-6  # a night's change that only rounding made
_OVER = "Error: You have run over your hourly request allocation. Please upgrade your account."
_SHARE = 0.03  # of the volume of all exchanges
# What would be wrong with prices of the day; end-of-day rows are asked for their actions.
_OF_PRICES = {
    "price_x100",
    "swapped_high_low",
    "plausible_shift",
    "unadjusted_split",
    "wrong_symbol",
}


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

    def can(self, fault: str, asked: Asked) -> bool:
        """Tell whether a fault can strike this question."""
        return fault not in _OF_PRICES or asked.path.startswith("/iex/")

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
            case ["tiingo", "daily", ticker, "prices"]:
                return await self._end_of_day(_symbol(ticker), asked.params, warp)
        return self.refusal(404)

    async def _prices(self, symbol: str, params: Mapping[str, str], warp: Warp) -> Reply:
        timeframe = _timeframe(params.get("resampleFreq", "5min"))
        first, last = self._days(params)
        found = await self._market.window([symbol], timeframe, first, last, "raw")
        if symbol not in found:
            return reply([]) if await self._market.knows(symbol) else self.refusal(404)
        columns = params.get("columns", ",".join(PRICES)).split(",")
        return reply(_written(warp(on_iex(found[symbol], timeframe, self._seed)), columns))

    async def _end_of_day(self, symbol: str, params: Mapping[str, str], warp: Warp) -> Reply:
        first, last = self._days(params)
        now, out = self._market.now, []
        for kind in ("raw", "split", "all"):
            found = await self._market.window([symbol], "1Day", first, now, kind)
            out += [rows.take(rows.time + _OUT <= now) for rows in found.values()]
        if not out or not len(out[0]):
            return reply([]) if await self._market.knows(symbol) else self.refusal(404)
        raw, split, both = out
        days = _with_actions(raw, split.columns["close"], both.columns["close"])
        days = warp(days.take(days.time <= last))
        dates = self._market.calendar.dates(days.time)
        stamped = attrs.evolve(days, time=dates.astype("M8[ns]").astype(np.int64))
        return reply(_written(stamped, _END_OF_DAY))

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


def _with_actions(raw: Rows, split: Float, both: Float) -> Rows:
    """Put what happened overnight beside the prices, from closes that are adjusted and not.

    ``adjClose`` is Tiingo's own, which holds a dividend against the close of its ex-day.
    """
    close, shares, left = raw.columns["close"], raw.columns["close"] / split, both / split
    splits, paid = np.ones(len(raw)), np.zeros(len(raw))
    splits[1:] = _nights(shares)
    paid[1:] = (1 - _nights(left)) * close[:-1] / splits[1:]
    nights = close[1:] / (close[1:] + paid[1:]) / splits[1:]
    later = np.append(np.cumprod(nights[::-1])[::-1], 1.0)
    adjusted = {_ADJUSTED[name]: raw.columns[name] * later for name in PRICES}
    adjusted[_ADJUSTED["volume"]] = np.rint(raw.columns["volume"] * shares)
    return raw.put(**adjusted, divCash=paid, splitFactor=splits)


def _nights(levels: Float) -> Float:
    """By what a level falls each night, where it does."""
    falls = levels[:-1] / levels[1:]
    return np.where(np.abs(falls - 1) < _SAME, 1.0, np.round(falls, 9))


def _written(rows: Rows, names: Sequence[str]) -> list[dict[str, Any]]:
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
