"""The newest daily bars of many symbols, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs
import numpy as np

from .._core.bars import Bars
from .._core.clock import to_ns
from .._core.columns import Float


@attrs.frozen(eq=False, repr=False)
class Panel:
    """The newest bars of many symbols as matrices: one row a symbol, the newest bar last.

    Parameters
    ----------
    bars : tuple of Bars
        Each symbol's complete bars, at least ``lookback`` of them.
    lookback : int
        How many of them it shows.
    unready : dict of str to str
        Symbols that have too few bars, each with the reason.

    Examples
    --------
    >>> from datetime import UTC
    >>> days, p = np.array(["2024-03-07T05:00", "2024-03-08T05:00"], "M8[ns]"), [10.0, 11.0]
    >>> bars = Bars("SPY", "1Day", days, p, p, p, p, [500.0, 100.0])
    >>> panel = Panel.of({"SPY": bars}, datetime(2024, 3, 8, 21, tzinfo=UTC), 2)
    >>> panel.close
    array([[10., 11.]])
    """

    bars: tuple[Bars, ...]
    lookback: int
    unready: dict[str, str]

    @classmethod
    def of(cls, universe: Mapping[str, Bars], asof: datetime, lookback: int) -> Panel:
        """Line up the bars that were complete at a moment.

        Parameters
        ----------
        universe : mapping of str to Bars
            Daily bars by symbol.
        asof : datetime
            Aware; later bars are not looked at.
        lookback : int
            How many bars of each symbol.

        Returns
        -------
        Panel
            Symbols with fewer bars stand in ``unready``.
        """
        moment, found, unready = to_ns(asof), [], {}
        for symbol, bars in universe.items():
            known = complete(bars, moment)
            if len(known) < lookback:
                unready[symbol] = f"fewer than {lookback} bars"
            else:
                found.append(known)
        return cls(tuple(found), lookback, unready)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Whose rows they are, top to bottom."""
        return tuple(bars.symbol for bars in self.bars)

    @property
    def open(self) -> Float:
        """Opening prices, shape (symbols, bars)."""
        return self._stacked("open")

    @property
    def high(self) -> Float:
        """Highest prices, shape (symbols, bars)."""
        return self._stacked("high")

    @property
    def low(self) -> Float:
        """Lowest prices, shape (symbols, bars)."""
        return self._stacked("low")

    @property
    def close(self) -> Float:
        """Closing prices, shape (symbols, bars)."""
        return self._stacked("close")

    @property
    def volume(self) -> Float:
        """Volumes, shape (symbols, bars); NaN where unknown."""
        return self._stacked("volume")

    @property
    def average_range(self) -> Float:
        """Mean true range of all bars but the first, in units of price, shape (symbols,).

        Notes
        -----
        ``max(high, close before) - min(low, close before)`` (Wilder 1978), with a plain mean: it
        forgets what lies before the panel.
        """
        before = self.close[:, :-1]
        top, bottom = np.maximum(self.high[:, 1:], before), np.minimum(self.low[:, 1:], before)
        return np.asarray((top - bottom).mean(axis=1))

    def _stacked(self, name: str) -> Float:
        rows = [getattr(bars, name)[-self.lookback :] for bars in self.bars]
        return np.array(rows, dtype=float).reshape(-1, self.lookback)


def complete(bars: Bars, moment: int) -> Bars:
    """Keep the bars that are complete at a moment; most often that is all of them.

    Parameters
    ----------
    bars : Bars
        Of one symbol.
    moment : int
        Nanoseconds since 1970 UTC.

    Returns
    -------
    Bars
        The same ones when none is later.
    """
    return bars if len(bars) and bars.close_time[-1] <= moment else bars.until(moment)
