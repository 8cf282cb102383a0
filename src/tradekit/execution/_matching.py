"""How an order meets one bar: the conventions of `triple_barrier`, one position at a time."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import NamedTuple

import numpy as np

from .._core.bars import Bars
from .._core.calendar import Calendar, calendar_for
from .._core.clock import to_ns
from .._core.timeframe import Timeframe
from ._orders import FillReason, Order


class Candle(NamedTuple):
    """One complete bar as plain numbers; times in nanoseconds."""

    symbol: str
    opened: int
    closed: int
    open: float
    high: float
    low: float
    close: float
    timeframe: Timeframe
    calendar: Calendar

    def is_last_by(self, moment: int) -> bool:
        """Whether the next bar will be complete only after a moment."""
        if self.closed >= moment:
            return self.closed == moment
        return self.calendar.later(self.closed, self.timeframe, 1) > moment


class Touch(NamedTuple):
    """When and where an order was met, and why."""

    time: int
    price: float
    reason: FillReason


def candles(bars: Bars) -> Iterator[Candle]:
    """Give the bars one by one; a daily bar opens with its session, not at midnight."""
    calendar, session = calendar_for(bars.calendar), bars.session
    is_label = bars.timeframe.is_intraday | (session < 0)
    opened = np.where(is_label, bars.time, calendar.opens[session])
    times = zip(opened.tolist(), bars.close_time.tolist(), strict=True)
    prices = np.column_stack((bars.open, bars.high, bars.low, bars.close)).tolist()
    for (start, end), (first, high, low, last) in zip(times, prices, strict=True):
        yield Candle(bars.symbol, start, end, first, high, low, last, bars.timeframe, calendar)


def enter(order: Order, candle: Candle, half_spread: float) -> Touch | None:
    """Tell where a waiting order is met: at the open, or at its limit within the bar."""
    sign, limit = order.side.sign, order.limit_price
    market = candle.open * (1 + sign * half_spread)
    if limit is None:
        return Touch(candle.opened, market, FillReason.ENTRY)
    if sign * (candle.open - limit) <= 0:
        return Touch(candle.opened, _better(sign, market, limit), FillReason.ENTRY)
    if sign * ((candle.low if sign > 0 else candle.high) - limit) <= 0:
        return Touch(candle.closed, limit, FillReason.ENTRY)
    return None


def leave(order: Order, candle: Candle, half_spread: float, *, whole: bool) -> Touch | None:
    """Tell where a bracket's position is left.

    ``whole`` says that it was held from the bar's open on. Else it was entered at a limit within
    the bar: then the stop, which lies behind the limit, can only have been touched afterwards,
    while the high may have come before, so that only the close proves the target.
    """
    sign = order.side.sign
    stop = -sign * inf if order.stop is None else order.stop
    target = sign * inf if order.target is None else order.target
    expires = None if order.expires_at is None else to_ns(order.expires_at)
    best, worst = (candle.high, candle.low) if sign > 0 else (candle.low, candle.high)
    crossing = 1 - sign * half_spread
    if whole:
        opened, market = candle.opened, candle.open * crossing
        if sign * (candle.open - stop) <= 0:
            return Touch(opened, market, FillReason.STOP)
        if sign * (candle.open - target) >= 0:
            return Touch(opened, _better(-sign, market, target), FillReason.TARGET)
        if expires is not None and candle.closed > expires:
            return Touch(opened, market, FillReason.TIMEOUT)  # the last bar in time never came
    if sign * (worst - stop) <= 0:
        return Touch(candle.closed, stop * crossing, FillReason.STOP)
    if sign * ((best if whole else candle.close) - target) >= 0:
        return Touch(candle.closed, target, FillReason.TARGET)
    if expires is not None and candle.is_last_by(expires):
        return Touch(candle.closed, candle.close * crossing, FillReason.TIMEOUT)
    return None


def _better(sign: int, price: float, limit: float) -> float:
    """The price, but never worse than the limit: lower is better for who buys."""
    return min(price, limit) if sign > 0 else max(price, limit)
