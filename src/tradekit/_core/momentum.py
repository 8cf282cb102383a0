"""Momentum: how fast and how one-sidedly prices move."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .columns import Float
from .errors import UsageError
from .lines import RANGE, Lines, Need, over_runs, talib, whole


class Macd(NamedTuple):
    """Answer of `Indicators.macd`."""

    macd: Float
    signal: Float
    histogram: Float


class Stochastic(NamedTuple):
    """Answer of `Indicators.stochastic`."""

    k: Float
    d: Float


class Momentum(Lines):
    """Oscillators of one column, and the stochastic one of prices; part of `Indicators`."""

    __slots__ = ()

    def rsi(self, period: int = 14, of: str = "close") -> Float:
        """How one-sided the moves so far were, the newer ones more (Wilder 1978).

        Parameters
        ----------
        period : int
            The newest move weighs ``1 / period``; at least 2.
        of : str
            The column.

        Returns
        -------
        ndarray of float64, shape (n,)
            From 0, all falls, to 100, all rises; known from row `period` on.

        Notes
        -----
        ``100 * rise / (rise + fall)`` of Wilder's averages, ``average += (move - average) /
        period``, seeded by the plain average of the first `period` moves; current bar in. While
        nothing has moved yet it is 50, where TA-Lib alone would say 0, that is oversold.
        Look-back: ``10 * period`` bars. A gap restarts it.

        Examples
        --------
        >>> from tradekit import Bars
        >>> minutes, p = np.arange(5) * 60 * 10**9, [10.0, 11.0, 10.0, 13.0, 13.0]
        >>> Bars("X", "1Min", minutes, p, p, p, p, p, calendar="24/7").ind.rsi(2)
        array([ nan,  nan, 50. , 87.5, 87.5])
        """
        period = whole("rsi", "period", period, 2)

        def strength(x: Float) -> Float:
            answer: Float = talib().RSI(x, period)
            moved = np.flatnonzero(x != x[0])
            answer[period : moved[0] if len(moved) else None] = 50.0
            return answer

        key, need = ("rsi", period, of), Need(10 * period, recursive=True)
        return self._lines(key, need, strength, (of,), period + 1)[0]

    def roc(self, period: int = 10, of: str = "close") -> Float:
        """Change against the bar `period` bars ago, in percent.

        Parameters
        ----------
        period : int
            How far back to compare; at least 1.
        of : str
            The column.

        Returns
        -------
        ndarray of float64, shape (n,)
            Percent; known from row `period` on, NaN where the earlier value is 0.

        Notes
        -----
        ``100 * (x / earlier - 1)``. Look-back: ``period + 1`` bars. A window: it runs across gaps.

        Examples
        --------
        >>> from tradekit import Bars
        >>> minutes, p = np.arange(3) * 60 * 10**9, [10.0, 11.0, 12.0]
        >>> Bars("X", "1Min", minutes, p, p, p, p, p, calendar="24/7").ind.roc(2)
        array([nan, nan, 20.])
        """
        period = whole("roc", "period", period, 1)

        def change(x: Float) -> Float:
            answer: Float = talib().ROC(x, period)
            answer[period:][x[:-period] == 0] = np.nan
            return answer

        key, need = ("roc", period, of), Need(period + 1, recursive=False)
        return self._lines(key, need, change, (of,), period + 1)[0]

    def macd(self, fast: int = 12, slow: int = 26, signal: int = 9, of: str = "close") -> Macd:
        """How far a fast average runs ahead of a slow one (Appel 1979).

        Parameters
        ----------
        fast, slow : int
            Periods of the two exponential averages; at least 2, fast below slow.
        signal : int
            Period of the exponential average of their difference; at least 1.
        of : str
            The column.

        Returns
        -------
        Macd
            ``macd``, ``signal`` and ``histogram`` (their difference), in units of the column; all
            known from row ``slow + signal - 2`` on.

        Raises
        ------
        UsageError
            When the fast period is not below the slow one.

        Notes
        -----
        ``ema(fast) - ema(slow)``, current bar in. As TA-Lib has it, both averages start at the
        same bar, the fast one seeded by the last `fast` of the first `slow` bars; elsewhere it is
        seeded earlier, which matters for the first sixty bars (by 0.04 at a price of 220).
        Look-back: ``5 * slow + 5 * signal`` bars. A gap restarts it.

        Examples
        --------
        >>> from tradekit import Bars
        >>> minutes, p = np.arange(5) * 60 * 10**9, [10.0, 11.0, 12.0, 16.0, 16.0]
        >>> Bars("X", "1Min", minutes, p, p, p, p, p, calendar="24/7").ind.macd(2, 3, 2).macd
        array([ nan,  nan,  nan, 1.  , 0.75])
        """
        fast, slow = whole("macd", "fast", fast, 2), whole("macd", "slow", slow, 3)
        signal = whole("macd", "signal", signal, 1)
        if fast >= slow:
            raise UsageError(
                "bars.ind.macd: these averages do not run at two speeds",
                expected="fast below slow",
                got=f"fast={fast}, slow={slow}",
                hint="bars.ind.macd(fast=12, slow=26)",
            )
        key, need = ("macd", fast, slow, signal, of), Need(5 * (slow + signal), recursive=True)

        def lines(x: Float) -> tuple[Float, ...]:
            return tuple(talib().MACD(x, fast, slow, signal))

        return Macd(*self._lines(key, need, lines, (of,), slow + signal - 1, 3))

    def stochastic(self, period: int = 14, smooth: int = 3, d: int = 3) -> Stochastic:
        """Where the close stands within the range of the last bars (Lane).

        Parameters
        ----------
        period : int
            Bars whose highest high and lowest low span the range, the current one among them; at
            least 2.
        smooth : int
            Bars in the plain average that makes ``k`` slow; 1 leaves it fast.
        d : int
            Bars in the plain average of ``k``.

        Returns
        -------
        Stochastic
            ``k`` and ``d`` from 0, at the low, to 100, at the high; known from rows
            ``period + smooth - 2`` and ``period + smooth + d - 3`` on.

        Notes
        -----
        ``100 * (close - lowest) / (highest - lowest)``, then averaged. Where the range is nothing
        it is 50, where TA-Lib alone would say 0, that is oversold. Look-back: ``period + smooth +
        d - 2`` bars. A window: it runs across gaps.

        Examples
        --------
        >>> from tradekit import Bars
        >>> minutes, p = np.arange(4) * 60 * 10**9, [10.0, 12.0, 11.0, 10.0]
        >>> bars = Bars("X", "1Min", minutes, p, p, p, p, p, calendar="24/7")
        >>> bars.ind.stochastic(3, smooth=1, d=2).k
        array([nan, nan, 50.,  0.])
        """
        period = whole("stochastic", "period", period, 2)
        smooth, d = whole("stochastic", "smooth", smooth, 1), whole("stochastic", "d", d, 1)

        def oscillator(high: Float, low: Float, close: Float) -> tuple[Float, Float]:
            highest, lowest = talib().MAX(high, period), talib().MIN(low, period)
            span = highest - lowest
            still = np.where(span == 0, 50.0, np.nan)
            fast = np.divide(100 * (close - lowest), span, out=still, where=span > 0)
            (k,) = over_runs(lambda x: talib().SMA(x, smooth), [fast], least=smooth)
            return k, over_runs(lambda x: talib().SMA(x, d), [k], least=d)[0]

        least = period + smooth + d - 2
        key, need = ("stochastic", period, smooth, d), Need(least, recursive=False)
        return Stochastic(*self._lines(key, need, oscillator, RANGE, period, 2))
