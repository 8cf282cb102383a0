"""Averages of one column of the bars, and how it spreads around them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .columns import Float
from .errors import UsageError
from .lines import Lines, Need, talib, whole


class Bands(NamedTuple):
    """Answer of `Indicators.bollinger`."""

    upper: Float
    middle: Float
    lower: Float


class Averages(Lines):
    """Moving averages, standard deviations and bands; part of `Indicators`."""

    __slots__ = ()

    def sma(self, period: int = 20, of: str = "close") -> Float:
        """Average the last bars, all alike.

        Parameters
        ----------
        period : int
            Bars in the window, the current one among them; at least 1.
        of : str
            The column, as for all indicators: see `Indicators`.

        Returns
        -------
        ndarray of float64, shape (n,)
            In units of the column; known from row ``period - 1`` on.

        Notes
        -----
        Look-back: `period` bars. A window: it runs across gaps. TA-Lib keeps a running sum, so
        beside values a million times larger its last digits may differ from a fresh sum's.

        Examples
        --------
        >>> from tradekit import Bars
        >>> minutes, p = np.arange(4) * 60 * 10**9, [10.0, 11.0, 12.0, 16.0]
        >>> Bars("X", "1Min", minutes, p, p, p, p, p, calendar="24/7").ind.sma(3)
        array([nan, nan, 11., 13.])
        """
        period = whole("sma", "period", period, 1)
        key, need = ("sma", period, of), Need(period, recursive=False)
        return self._lines(key, need, lambda x: talib().SMA(x, period), (of,), period)[0]

    def ema(self, period: int = 20, of: str = "close") -> Float:
        """Average all bars so far, the newer ones more.

        Parameters
        ----------
        period : int
            The newest bar weighs ``2 / (period + 1)``; at least 1.
        of : str
            The column.

        Returns
        -------
        ndarray of float64, shape (n,)
            In units of the column; known from row ``period - 1`` on.

        Notes
        -----
        ``ema += 2 / (period + 1) * (x - ema)``, current bar in; the seed is the plain average of
        the first `period` bars, as StockCharts has it (others seed with the first bar alone).
        Look-back: ``5 * period`` bars; the seed then weighs 5e-5. A gap restarts it.

        Examples
        --------
        >>> from tradekit import Bars
        >>> minutes, p = np.arange(4) * 60 * 10**9, [10.0, 11.0, 12.0, 16.0]
        >>> Bars("X", "1Min", minutes, p, p, p, p, p, calendar="24/7").ind.ema(3)
        array([ nan,  nan, 11. , 13.5])
        """
        period = whole("ema", "period", period, 1)
        key, need = ("ema", period, of), Need(5 * period, recursive=True)
        return self._lines(key, need, lambda x: talib().EMA(x, period), (of,), period)[0]

    def wma(self, period: int = 20, of: str = "close") -> Float:
        """Average the last bars with weights that fall linearly into the past.

        Parameters
        ----------
        period : int
            Bars in the window, the current one among them; at least 1.
        of : str
            The column.

        Returns
        -------
        ndarray of float64, shape (n,)
            In units of the column; known from row ``period - 1`` on.

        Notes
        -----
        Weights ``period, period - 1, ..., 1`` from the current bar back, over their sum.
        Look-back: `period` bars. A window: it runs across gaps.

        Examples
        --------
        >>> from tradekit import Bars
        >>> minutes, p = np.arange(4) * 60 * 10**9, [10.0, 11.0, 12.0, 18.0]
        >>> Bars("X", "1Min", minutes, p, p, p, p, p, calendar="24/7").ind.wma(2)
        array([        nan, 10.66666667, 11.66666667, 16.        ])
        """
        period = whole("wma", "period", period, 1)
        key, need = ("wma", period, of), Need(period, recursive=False)
        return self._lines(key, need, lambda x: talib().WMA(x, period), (of,), period)[0]

    def stdev(self, period: int = 20, of: str = "close") -> Float:
        """Spread of the last bars around their average.

        Parameters
        ----------
        period : int
            Bars in the window, the current one among them; at least 2.
        of : str
            The column.

        Returns
        -------
        ndarray of float64, shape (n,)
            In units of the column, not negative; known from row ``period - 1`` on.

        Notes
        -----
        Of the population (``ddof=0``), as Bollinger (2001) and StockCharts have it. Look-back:
        `period` bars. A window: it runs across gaps. Rounding of earlier bars stays in TA-Lib's
        running sums: on real bars up to 2e-9 of the value for prices, 1e-7 for bursts of volume.

        Examples
        --------
        >>> from tradekit import Bars
        >>> minutes, p = np.arange(4) * 60 * 10**9, [10.0, 12.0, 12.0, 18.0]
        >>> Bars("X", "1Min", minutes, p, p, p, p, p, calendar="24/7").ind.stdev(2)
        array([nan,  1.,  0.,  3.])
        """
        period = whole("stdev", "period", period, 2)
        key, need = ("stdev", period, of), Need(period, recursive=False)
        return self._lines(key, need, lambda x: talib().STDDEV(x, period), (of,), period)[0]

    def zscore(self, period: int = 20, of: str = "close") -> Float:
        """How many standard deviations the current bar stands from the average of the last bars.

        Parameters
        ----------
        period : int
            Bars in the window, the current one among them; at least 2.
        of : str
            The column.

        Returns
        -------
        ndarray of float64, shape (n,)
            Known from row ``period - 1`` on; 0 where all bars of the window are equal.

        Notes
        -----
        ``(x - sma) / stdev`` with ``ddof=0``: beyond 2 is outside Bollinger's bands. The current
        bar is in the window, so no value is beyond ``sqrt(period - 1)``. Look-back: `period`
        bars. A window: it runs across gaps.

        Examples
        --------
        >>> from tradekit import Bars
        >>> minutes, p = np.arange(4) * 60 * 10**9, [10.0, 12.0, 12.0, 18.0]
        >>> Bars("X", "1Min", minutes, p, p, p, p, p, calendar="24/7").ind.zscore(2)
        array([nan,  1.,  0.,  1.])
        """
        period = whole("zscore", "period", period, 2)

        def score(x: Float) -> Float:
            away, spread = x - talib().SMA(x, period), talib().STDDEV(x, period)
            still = np.where(spread == 0, 0.0, np.nan)
            return np.asarray(np.divide(away, spread, out=still, where=spread > 0))

        key, need = ("zscore", period, of), Need(period, recursive=False)
        return self._lines(key, need, score, (of,), period)[0]

    def bollinger(self, period: int = 20, width: float = 2.0, of: str = "close") -> Bands:
        """Bands around the average that widen when the column gets restless (Bollinger 2001).

        Parameters
        ----------
        period : int
            Bars in the window, the current one among them; at least 2.
        width : float
            Standard deviations from the middle to a band, above 0.
        of : str
            The column.

        Returns
        -------
        Bands
            ``upper``, ``middle``, ``lower``, in units of the column; known from row
            ``period - 1`` on.

        Notes
        -----
        ``sma ± width * stdev`` with ``ddof=0``. Look-back: `period` bars. A window: it runs
        across gaps.

        Examples
        --------
        >>> from tradekit import Bars
        >>> minutes, p = np.arange(4) * 60 * 10**9, [10.0, 12.0, 12.0, 18.0]
        >>> Bars("X", "1Min", minutes, p, p, p, p, p, calendar="24/7").ind.bollinger(2).upper
        array([nan, 13., 12., 21.])
        """
        period, width = whole("bollinger", "period", period, 2), _width(width)
        key, need = ("bollinger", period, width, of), Need(period, recursive=False)

        def bands(x: Float) -> tuple[Float, ...]:
            return tuple(talib().BBANDS(x, period, width, width))

        return Bands(*self._lines(key, need, bands, (of,), period, 3))


def _width(value: Any) -> float:
    right_kind = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if right_kind and 0 < value < np.inf:
        return float(value)
    raise UsageError(
        "bars.ind.bollinger: impossible width",
        expected="a number of standard deviations above 0",
        got=f"width={value!r}",
        hint="bars.ind.bollinger(20, 2.0)",
    )
