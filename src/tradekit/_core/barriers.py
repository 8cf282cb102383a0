"""What became of a signal: the triple barrier of target, stop and time."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from .bars import Bars
from .errors import UsageError
from .figures import count

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]
Side = npt.NDArray[Any]  # 1 and -1, whatever their type


class Exit(IntEnum):
    """How a position ended.

    Examples
    --------
    >>> Exit(1).name
    'TARGET'
    """

    PENDING = 0
    TARGET = 1
    STOP = 2
    TIMEOUT = 3


@attrs.frozen(eq=False)
class Outcomes:
    """What became of entries, one row each.

    Parameters
    ----------
    exit : ndarray of int, shape (n,)
        An `Exit`; PENDING where the bars end before the position does.
    entry_price, exit_price : ndarray of float64, shape (n,)
        Fills; NaN while pending (``entry_price`` only where there is no next bar).
    exit_row : ndarray of int, shape (n,)
        Row of the bar that ended it; -1 while pending.
    net_return : ndarray of float64, shape (n,)
        Fraction of the entry price earned, after costs; NaN while pending.

    Examples
    --------
    >>> nothing = np.empty(0)
    >>> Outcomes(nothing.astype(int), nothing, nothing, nothing.astype(int), nothing).hit_rate
    nan
    """

    exit: Int
    entry_price: Float
    exit_price: Float
    exit_row: Int
    net_return: Float

    def __len__(self) -> int:
        return len(self.exit)

    @property
    def decided(self) -> npt.NDArray[np.bool_]:
        """Which positions have ended."""
        return np.asarray(self.exit != Exit.PENDING)

    @property
    def hit_rate(self) -> float:
        """Share of the ended positions that reached their target; NaN when none has ended."""
        ended = int(self.decided.sum())
        return float((self.exit == Exit.TARGET).sum() / ended) if ended else float("nan")

    @property
    def expectancy(self) -> float:
        """Mean net return of the ended positions; NaN when none has ended."""
        ended = self.net_return[self.decided]
        return float(ended.mean()) if len(ended) else float("nan")


def triple_barrier(
    bars: Bars,
    rows: object,
    direction: object,
    target: object,
    stop: object,
    *,
    horizon: int,
    cost: float = 0.0,
) -> Outcomes:
    """Tell what became of positions entered at the open after a signal.

    A signal at row t is known at that bar's close, so the position is entered at the open of
    row t + 1, and rows t + 1 to t + ``horizon`` may end it. An open beyond the stop or the target
    fills there, at the open; else the stop is looked at before the target when one bar touches
    both; else the position ends at the close of the last row, at whatever that earned.

    Parameters
    ----------
    bars : Bars
        What was traded.
    rows : array of int, shape (n,)
        Rows of the bars that gave a signal.
    direction : array of int, shape (n,)
        1 for bullish, -1 for bearish.
    target, stop : array of float, shape (n,)
        Prices; the target in the direction of the signal, the stop against it, both seen from
        the close of the signal's bar.
    horizon : int
        Number of bars after which time is up, from 1.
    cost : float
        Costs of going in and out together, as a fraction of the entry price.

    Returns
    -------
    Outcomes
        One row a signal.

    Raises
    ------
    UsageError
        When the rows, directions or levels cannot be traded.

    Notes
    -----
    The labels are those of Lopez de Prado, *Advances in Financial Machine Learning* (2018),
    chapter 3, with fills on the bars' own prices.

    Examples
    --------
    >>> days = np.arange(4) * 86_400 * 10**9
    >>> opens, closes = [10.0, 10.0, 11.0, 12.0], [10.0, 11.0, 12.0, 13.0]
    >>> highs, lows = [10.5, 11.0, 12.5, 13.0], [9.5, 9.8, 10.9, 12.0]
    >>> bars = Bars("X", "1Day", days, opens, highs, lows, closes, [1.0] * 4, calendar="24/7")
    >>> what = triple_barrier(bars, [0], [1], [12.0], [9.0], horizon=3)
    >>> Exit(what.exit[0]).name, what.net_return.round(6)
    ('TARGET', array([0.2]))
    """
    at, side = _counted(rows), np.asarray(direction)
    levels = np.asarray(target, dtype=np.float64), np.asarray(stop, dtype=np.float64)
    last = count(horizon, "time must be up at some bar", "horizon=20")
    _check(bars, at, side, levels, cost)
    exits, row, price = _walk(bars, at, side, *levels, last)
    following = np.minimum(at + 1, len(bars) - 1)
    entry = np.where(at + 1 < len(bars), bars.open[following], np.nan)
    return Outcomes(exits, entry, price, row, side * (price / entry - 1.0) - cost)


def _walk(
    bars: Bars, at: Int, side: Side, target: Float, stop: Float, horizon: int
) -> tuple[Int, Int, Float]:
    """Move all open positions on by one bar at a time."""
    exits = np.full(len(at), Exit.PENDING, dtype=np.int64)
    row, price = np.full(len(at), -1, dtype=np.int64), np.full(len(at), np.nan)
    for step in range(1, horizon + 1):
        live = np.flatnonzero((exits == Exit.PENDING) & (at + step < len(bars)))
        if not len(live):
            break
        now = at[live] + step
        how, fill = _one_bar(bars, now, side[live], target[live], stop[live], step == horizon)
        done = how != Exit.PENDING
        exits[live[done]], row[live[done]], price[live[done]] = how[done], now[done], fill[done]
    return exits, row, price


def _one_bar(
    bars: Bars, now: Int, side: Side, target: Float, stop: Float, is_last: bool
) -> tuple[Int, Float]:
    opened, close = bars.open[now], bars.close[now]
    best = np.where(side > 0, bars.high[now], bars.low[now])
    worst = np.where(side > 0, bars.low[now], bars.high[now])
    ways = [
        (side * (opened - stop) <= 0, Exit.STOP, opened),
        (side * (opened - target) >= 0, Exit.TARGET, opened),
        (side * (worst - stop) <= 0, Exit.STOP, stop),
        (side * (best - target) >= 0, Exit.TARGET, target),
        (np.full(len(now), is_last), Exit.TIMEOUT, close),
    ]
    conditions = [condition for condition, _, _ in ways]
    how = np.select(conditions, [np.int64(way) for _, way, _ in ways], Exit.PENDING)
    return how, np.select(conditions, [fill for _, _, fill in ways], np.nan)


def _counted(rows: object) -> Int:
    at = np.asarray(rows)
    if at.size and at.dtype.kind not in "iu":
        expected = "whole numbers; np.flatnonzero(mask) makes them of a mask"
        _refuse("rows are counted", expected, f"an array of {at.dtype}")
    return at.astype(np.int64)


def _check(bars: Bars, at: Int, side: Side, levels: tuple[Float, Float], cost: float) -> None:
    shapes = {array.shape for array in (at, side, *levels)}
    if len(shapes) > 1 or at.ndim != 1:
        _refuse("rows, directions, targets and stops go together", "flat and equally long", shapes)
    if not 0 <= cost < 1:
        _refuse("costs are a fraction of the entry price", "from 0 to below 1", cost)
    if ((at < 0) | (at >= len(bars))).any():
        _refuse(f"{bars.symbol}: signals beyond the bars", f"rows 0 to {len(bars) - 1}", at)
    if (np.abs(side) != 1).any():
        _refuse("a position has a side", "1 for bullish or -1 for bearish", side)
    close = bars.close[at]
    wrong = ~((side * (levels[0] - close) > 0) & (side * (close - levels[1]) > 0))
    if wrong.any():
        i = int(np.argmax(wrong))
        _refuse(
            f"{bars.symbol}: levels on the wrong side of the close {close[i]} in row {at[i]}",
            "the target ahead of the close and the stop behind it, both known",
            f"side {side[i]}, target {levels[0][i]}, stop {levels[1][i]}",
        )


def _refuse(problem: str, expected: str, got: object) -> None:
    raise UsageError(problem, expected=expected, got=str(got), hint="look at the signal's levels")
