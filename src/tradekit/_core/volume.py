"""What volume says: on-balance volume and the average price of a session."""

from __future__ import annotations

import numpy as np

from .calendar import calendar_for
from .columns import Bool, Float
from .errors import UsageError
from .lines import Lines, Need, over_runs, talib


class Volume(Lines):
    """Indicators of volume, not known where the volume is not; part of `Indicators`."""

    __slots__ = ()

    def obv(self) -> Float:
        """Add the volume of rising bars and take away that of falling ones (Granville 1963).

        Returns
        -------
        ndarray of float64, shape (n,)
            Shares; known from row 1 on.

        Notes
        -----
        A bar whose close equals the one before leaves it unchanged; current bar in. It starts at
        0 with the first bar, as StockCharts has it; TA-Lib alone would start with that bar's
        volume. The level depends on where the bars begin, so only differences mean anything.
        Look-back: 2 bars, for a difference. A gap or an unknown volume starts it anew.

        Examples
        --------
        >>> from tradekit import Bars
        >>> minutes, p = np.arange(4) * 60 * 10**9, [10.0, 11.0, 11.0, 10.0]
        >>> v = [500.0, 100.0, 200.0, 300.0]
        >>> Bars("X", "1Min", minutes, p, p, p, p, v, calendar="24/7").ind.obv()
        array([  nan,  100.,  100., -200.])
        """

        def balance(close: Float, volume: Float) -> Float:
            answer: Float = talib().OBV(close, np.append(0.0, volume[1:]))
            answer[0] = np.nan  # whether the first bar rose is not known
            return answer

        key, need = ("obv",), Need(2, recursive=True)
        return self._lines(key, need, balance, ("close", "volume"), 2)[0]

    def vwap(self) -> Float:
        """Average price of the session so far, weighted by volume.

        Returns
        -------
        ndarray of float64, shape (n,)
            Price, known from the first bar of each session's regular hours that trades; NaN
            outside regular hours, in a session whose opening lies before these bars, and after
            an unknown volume for the rest of its session.

        Raises
        ------
        UsageError
            For bars of a day or longer, which have no session inside.

        Notes
        -----
        ``sum(hlc3 * volume) / sum(volume)`` from the session's first bar to the current one, as
        StockCharts has it. Look-back: the bars of the longest session. Missing bars are taken as
        bars without trades.

        Examples
        --------
        >>> from tradekit import Bars
        >>> minutes, p = np.arange(3) * 60 * 10**9, [10.0, 11.0, 12.0]
        >>> v = [100.0, 100.0, 200.0]
        >>> Bars("X", "1Min", minutes, p, p, p, p, v, calendar="24/7").ind.vwap()
        array([10.  , 10.5 , 11.25])
        """
        timeframe = self._bars.timeframe
        if not timeframe.is_intraday:
            raise UsageError(
                "bars.ind.vwap: an average of each session",
                expected="bars shorter than a session",
                got=f"{timeframe} bars",
                hint="bars of minutes or hours",
            )
        sessions = calendar_for(self._bars.calendar)
        longest = int((sessions.closes - sessions.opens).max())
        need = Need(-(-longest // timeframe.ns), recursive=False)
        return self._kept(("vwap",), need, self._session_average)[0]

    def _session_average(self) -> tuple[Float, ...]:
        bars, whole = self._bars, self._whole_sessions()
        unknown = np.isnan(bars.volume)
        shares = np.where(unknown, 0.0, bars.volume)
        # A marker that is not finite keeps rows outside whole sessions out of every run.
        marker = np.where(whole, unknown, np.nan)
        turn = np.diff(bars.session, prepend=-1) != 0
        return over_runs(_average, [marker, bars.high, bars.low, bars.close, shares], breaks=turn)

    def _whole_sessions(self) -> Bool:
        bars = self._bars
        inside = bars.session >= 0
        if len(bars) and inside[0]:
            opened = calendar_for(bars.calendar).opens[bars.session[0]]
            late = bars.time[0] - opened >= bars.timeframe.ns
            inside = inside & ~(late & (bars.session == bars.session[0]))
        return inside


def _average(unknown: Float, high: Float, low: Float, close: Float, shares: Float) -> Float:
    answer: Float = talib().VWAP(high, low, close, shares)
    answer[(np.cumsum(shares) == 0) | (np.cumsum(unknown) > 0)] = np.nan
    return answer
