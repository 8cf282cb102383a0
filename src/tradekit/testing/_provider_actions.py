"""Splits and dividends, as a source tells them by how it adjusts its prices."""

from __future__ import annotations

from fractions import Fraction
from functools import reduce

import attrs
import numpy as np

from .._core.clock import from_ns
from .._core.timeframe import Timeframe
from ._provider_market import Market
from ._provider_rows import calendar_of

_DAY, _MINUTE = Timeframe("1Day"), Timeframe("1Min")
_BEFORE = 10 * _DAY.ns  # somewhere in it lies the session before
_SHORT = 800 * _DAY.ns  # a window whose years are remembered
_REMEMBERED = 4_096
_SHARES = 100  # a split gives so many new ones for an old one at most, or the other way round
_LEAST, _ROUNDING = 5e-5, 1e-6  # dollars, and of the price: less is no dividend


@attrs.frozen
class Action:
    """What befell a symbol when a session opened.

    Parameters
    ----------
    time : int
        That open, in nanoseconds since 1970 UTC.
    split : Fraction
        New shares per old share.
    dividend : float
        Dollars per share, adjusted for splits as the prices of the window are.
    """

    time: int
    split: Fraction
    dividend: float


class Actions:
    """The actions behind a market.

    In which years nothing happens is remembered, so that windows without actions cost nothing.
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self._years: dict[tuple[str, int, int], tuple[int, ...]] = {}

    async def between(self, symbol: str, first: int, last: int) -> list[Action]:
        """Tell the actions at the opens from a moment to a moment, oldest first."""
        last = min(last, self._market.now)
        if last - first < _SHORT and not await self._any(symbol, first, last):
            return []
        return await self._found(symbol, first, last)

    async def _any(self, symbol: str, first: int, last: int) -> bool:
        years = range(from_ns(first).year, from_ns(last).year + 1)
        times = [time for year in years for time in await self._times(symbol, year)]
        return any(first <= time <= last for time in times)

    async def _times(self, symbol: str, year: int) -> tuple[int, ...]:
        """When something happened in a year, as far as it has come."""
        begins, over = (int(np.datetime64(f"{y}", "ns").astype(np.int64)) for y in (year, year + 1))
        last = min(over - 1, self._market.now)
        key = symbol, year, last // _MINUTE.ns
        if key not in self._years:
            if len(self._years) >= _REMEMBERED:
                self._years.clear()
            self._years[key] = tuple(a.time for a in await self._found(symbol, begins, last))
        return self._years[key]

    async def _found(self, symbol: str, first: int, last: int) -> list[Action]:
        days = [
            (await self._market.window([symbol], _DAY, first - _BEFORE, last, kind)).get(symbol)
            for kind in ("raw", "split", "all")
        ]
        told = [rows for rows in days if rows is not None]
        if len(told) < len(days):
            return []
        time = reduce(np.intersect1d, [rows.time for rows in told])
        raw, split, full = (rows.columns["close"][np.isin(rows.time, time)] for rows in told)
        shares, cash = raw / split, full / split
        splits = (shares[:-1] / shares[1:]).tolist()
        dividends = split[:-1] * (1 - cash[:-1] / cash[1:])
        dividends[dividends < _LEAST + _ROUNDING * split[:-1]] = 0.0
        calendar = calendar_of(symbol)
        opens = calendar.opens[calendar.session(time[1:], _DAY)].tolist()
        found = [
            Action(at, Fraction(ratio).limit_denominator(_SHARES), round(cash, 6))
            for at, ratio, cash in zip(opens, splits, dividends.tolist(), strict=True)
        ]
        return [a for a in found if first <= a.time <= last and (a.split != 1 or a.dividend)]
