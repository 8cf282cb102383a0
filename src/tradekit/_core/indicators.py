"""``bars.ind``: every indicator of the library, computed once and kept."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .averages import Averages, Bands
from .columns import Float
from .crossings import crossed_above, crossed_below
from .lines import RANGE, Need, talib, whole
from .momentum import Macd, Momentum, Stochastic
from .volume import Volume

__all__ = [
    "Bands",
    "Channel",
    "Directional",
    "Indicators",
    "Macd",
    "Need",
    "Pivots",
    "Stochastic",
    "crossed_above",
    "crossed_below",
]


class Directional(NamedTuple):
    """Answer of `Indicators.di`."""

    plus: Float
    minus: Float


class Channel(NamedTuple):
    """Answer of `Indicators.donchian`."""

    upper: Float
    lower: Float


class Pivots(NamedTuple):
    """Answer of `Indicators.pivots`."""

    high: Float
    low: Float


class Indicators(Averages, Momentum, Volume):
    """``bars.ind``: lazy, cached, thread-safe, read-only indicators of some bars.

    Every answer is a read-only float64 array as long as the bars, or a named tuple of such
    arrays. NaN is *not known yet*. A value depends on its own bar and earlier ones only, and
    never changes when later bars come.

    Parameters
    ----------
    bars : Bars
        What to look at.
    cache : dict, optional
        Lines so far, shared by views of the same rows.
    touched : dict, optional
        Learns the `Need` of each indicator that is asked for, known before or not.

    Raises
    ------
    UsageError
        From every method, when a parameter is impossible or a column does not exist.

    Notes
    -----
    ``of`` names a column: ``open``, ``high``, ``low``, ``close``, ``volume``, ``hl2`` (middle of
    high and low), ``hlc3`` (mean of high, low and close), or a key of ``bars.extra``.

    Recursive indicators (averages that never quite forget, and running totals) start anew after
    a gap, a missing bar; windows run across it. An input that is not known, such as the volume
    of an index, spoils the windows that hold it and restarts the recursive ones.

    The look-back of a recursive indicator is where it agrees with full history to four digits,
    by TA-Lib's rules. The largest difference of 3,000 such windows of random bars, as a share of
    the line's usual size, at the default periods: EMA 2e-6, ADX 5e-6, ATR 5e-5, MACD 7e-5, RSI
    and DI 9e-5.

    Computed by TA-Lib. Values equal those of StockCharts' ChartSchool sheets and, where a method
    does not say otherwise, of most other libraries.

    Examples
    --------
    >>> from tradekit import Bars
    >>> minutes, p = np.arange(4) * 60 * 10**9, [10.0, 11.0, 12.0, 10.0]
    >>> bars = Bars("X", "1Min", minutes, p, p, p, p, p, calendar="24/7")
    >>> crossed_below(bars.close, bars.ind.sma(2))
    array([nan, nan,  0.,  1.])
    """

    __slots__ = ()

    def true_range(self) -> Float:
        """How far prices went in each bar, counting the jump from the close before (Wilder 1978).

        Returns
        -------
        ndarray of float64, shape (n,)
            Price; known from row 1 on.

        Notes
        -----
        ``max(high, close before) - min(low, close before)``. Look-back: 2 bars. It runs across
        gaps: the close before is then the one before the gap.

        Examples
        --------
        >>> from tradekit import Bars
        >>> minutes, p = np.arange(3) * 60 * 10**9, [10.0, 12.0, 11.0]
        >>> Bars("X", "1Min", minutes, p, p, p, p, p, calendar="24/7").ind.true_range()
        array([nan,  2.,  1.])
        """
        key, need = ("true_range",), Need(2, recursive=False)
        return self._lines(key, need, lambda *x: talib().TRANGE(*x), RANGE, 2)[0]

    def atr(self, period: int = 14) -> Float:
        """How far prices usually go in a bar: the average true range (Wilder 1978).

        Parameters
        ----------
        period : int
            The newest bar weighs ``1 / period``; at least 1.

        Returns
        -------
        ndarray of float64, shape (n,)
            Price; known from row `period` on.

        Notes
        -----
        ``atr += (true_range - atr) / period``, current bar in, seeded by the plain average of the
        first `period` true ranges; the first bar has none, while StockCharts counts its high
        minus its low. Look-back: ``5 * (2 * period - 1)`` bars. A gap restarts it.

        Examples
        --------
        >>> from tradekit import Bars
        >>> minutes, p = np.arange(4) * 60 * 10**9, [10.0, 12.0, 11.0, 15.0]
        >>> Bars("X", "1Min", minutes, p, p, p, p, p, calendar="24/7").ind.atr(2)
        array([ nan,  nan, 1.5 , 2.75])
        """
        period = whole("atr", "period", period, 1)
        key, need = ("atr", period), Need(5 * (2 * period - 1), recursive=True)
        return self._lines(key, need, lambda *x: talib().ATR(*x, period), RANGE, period + 1)[0]

    def di(self, period: int = 14) -> Directional:
        """How much of the movement goes up and how much goes down (Wilder 1978).

        Parameters
        ----------
        period : int
            The newest bar weighs ``1 / period``; at least 2.

        Returns
        -------
        Directional
            ``plus`` and ``minus`` from 0 to 100; known from row `period` on.

        Notes
        -----
        A bar that reaches further above the high before than below the low before adds that to
        the ups, else to the downs; both and the true range are Wilder sums, ``sum += move - sum /
        period``, current bar in, and an index is 100 times its share of the true range. As in
        Achelis' sheet and in TA-Lib, the sums start with ``period - 1`` moves; StockCharts starts
        with `period`, which matters for some hundred bars. Look-back: ``10 * period`` bars. A gap
        restarts it.

        Examples
        --------
        >>> from tradekit import Bars
        >>> minutes, p = np.arange(4) * 60 * 10**9, [10.0, 12.0, 11.0, 15.0]
        >>> Bars("X", "1Min", minutes, p, p, p, p, p, calendar="24/7").ind.di(2).plus
        array([nan, nan, 50., 90.])
        """
        period = whole("di", "period", period, 2)

        def both(*x: Float) -> tuple[Float, Float]:
            return talib().PLUS_DI(*x, period), talib().MINUS_DI(*x, period)

        key, need = ("di", period), Need(10 * period, recursive=True)
        return Directional(*self._lines(key, need, both, RANGE, period + 1, 2))

    def adx(self, period: int = 14) -> Float:
        """How strongly prices trend, up or down (Wilder 1978).

        Parameters
        ----------
        period : int
            Of the directional indices and of their average; at least 2.

        Returns
        -------
        ndarray of float64, shape (n,)
            From 0 to 100, above 25 a trend; known from row ``2 * period - 1`` on.

        Notes
        -----
        Wilder average of ``100 * |plus - minus| / (plus + minus)`` of `di`, seeded by the plain
        average of the first `period`; current bar in. Because `di` starts one move earlier than
        on StockCharts, the first values differ, by up to a point or so, and by less than 0.01
        after some hundred bars. Look-back: ``16 * period`` bars. A gap restarts it.

        Examples
        --------
        >>> from tradekit import Bars
        >>> minutes, p = np.arange(5) * 60 * 10**9, [10.0, 12.0, 11.0, 15.0, 16.0]
        >>> Bars("X", "1Min", minutes, p, p, p, p, p, calendar="24/7").ind.adx(2).round(2)
        array([  nan,   nan,   nan, 40.  , 62.86])
        """
        period = whole("adx", "period", period, 2)
        key, need = ("adx", period), Need(16 * period, recursive=True)
        return self._lines(key, need, lambda *x: talib().ADX(*x, period), RANGE, 2 * period)[0]

    def donchian(self, period: int = 20) -> Channel:
        """Highest high and lowest low of the bars before the current one (Donchian).

        Parameters
        ----------
        period : int
            Bars in the window, which ends one bar before the current one; at least 2.

        Returns
        -------
        Channel
            ``upper`` and ``lower``, prices; known from row `period` on.

        Notes
        -----
        Elsewhere the window often holds the current bar, and then no close can ever break out of
        the channel. Look-back: ``period + 1`` bars. A window: it runs across gaps.

        Examples
        --------
        >>> from tradekit import Bars
        >>> minutes, p = np.arange(4) * 60 * 10**9, [10.0, 12.0, 11.0, 15.0]
        >>> Bars("X", "1Min", minutes, p, p, p, p, p, calendar="24/7").ind.donchian(2).upper
        array([nan, nan, 12., 12.])
        """
        period = whole("donchian", "period", period, 2)

        def before(high: Float, low: Float) -> tuple[Float, Float]:
            extremes = talib().MAX(high, period), talib().MIN(low, period)
            upper, lower = (np.append(np.nan, extreme[:-1]) for extreme in extremes)
            return upper, lower

        key, need = ("donchian", period), Need(period + 1, recursive=False)
        return Channel(*self._lines(key, need, before, ("high", "low"), period + 1, 2))

    def pivots(self, left: int = 5, right: int = 5) -> Pivots:
        """Turning points, told when they are confirmed: `right` bars after they happened.

        Parameters
        ----------
        left, right : int
            Bars before and after that a turning point must stand out from; at least 1.

        Returns
        -------
        Pivots
            ``high`` and ``low``: at the bar that confirms a pivot, the pivot's price, else NaN;
            the pivot itself lies `right` bars earlier.

        Notes
        -----
        A pivot high is above each of the `left` highs before it and not below any of the `right`
        highs after it, so the first of equal highs is the pivot; lows likewise. Look-back:
        ``left + right + 1`` bars. A window: it runs across gaps.

        Examples
        --------
        >>> from tradekit import Bars
        >>> minutes, p = np.arange(5) * 60 * 10**9, [10.0, 12.0, 11.0, 11.5, 13.0]
        >>> Bars("X", "1Min", minutes, p, p, p, p, p, calendar="24/7").ind.pivots(1, 1).high
        array([nan, nan, 12., nan, nan])
        """
        left, right = whole("pivots", "left", left, 1), whole("pivots", "right", right, 1)

        def turns(high: Float, low: Float) -> tuple[Float, Float]:
            return _peaks(high, left, right), -_peaks(-low, left, right)

        span = whole("pivots", "left + right + 1", left + right + 1, 3)
        key, need = ("pivots", left, right), Need(span, recursive=False)
        return Pivots(*self._lines(key, need, turns, ("high", "low"), span, 2))


def _peaks(x: Float, left: int, right: int) -> Float:
    confirmed = np.full_like(x, np.nan)
    peak = x[left:-right]
    top = talib().MAX(x, left + right + 1)[left + right :]
    before = talib().MAX(x, left)[left - 1 : -right - 1] if left > 1 else x[: -right - 1]
    confirmed[left + right :] = np.where((peak == top) & (peak > before), peak, np.nan)
    return confirmed
