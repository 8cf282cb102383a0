"""What Yahoo's chart tells, read as it is: nothing made up, nothing left out in silence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np

from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.clock import NS
from .._core.columns import Bool, Float, Int
from .._core.faults import COLUMNS, PRICES
from .._core.timeframe import Timeframe

_PAID = ("dividends", "capitalGains")
_SAME = {"60m": "1h"}
# Grids of all lengths meet at the open, half past nine; hours stand half past as well.
_HALF_HOUR = 1_800


@attrs.frozen(eq=False)
class Chart:
    """One chart answer, whose rows may still be of any kind.

    Parameters
    ----------
    ticker, zone, kind, interval : str
        Whose it says it is, in which zone they trade, what they are, and how long the bars are;
        empty where it does not say.
    seconds : ndarray of int64, shape (n,)
        Since 1970 UTC, one a row.
    columns : dict of str to ndarray of float64, shape (n,)
        Prices, ``volume``, and ``adjclose`` with days; NaN is what it does not know.
    pays : bool
        Whether something was paid out in these days.
    """

    ticker: str
    zone: str
    kind: str
    interval: str
    seconds: Int
    columns: Mapping[str, Float]
    pays: bool

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Chart:
        """Read one result.

        Parameters
        ----------
        told : dict
            ``meta``, ``timestamp``, ``indicators`` and ``events``, as they came.

        Returns
        -------
        Chart
            Without rows where it has none.

        Raises
        ------
        ValueError, LookupError, TypeError, AttributeError
            When it is none, or its columns differ in length.
        """
        meta, found = told["meta"], told["indicators"]
        columns = {**found["quote"][0], **found.get("adjclose", [{}])[0]}
        seconds = np.array(told.get("timestamp") or [], dtype=np.int64)
        read = {name: _known(name, column) for name, column in columns.items()}
        if any(column.shape != seconds.shape for column in read.values()):
            lengths = ", ".join(f"{len(column)} {name}" for name, column in read.items())
            raise ValueError(f"{len(seconds)} times, {lengths}")
        names = ("symbol", "exchangeTimezoneName", "instrumentType", "dataGranularity")
        ticker, zone, kind, interval = (meta.get(name) or "" for name in names)
        events = told.get("events") or {}
        pays = any(events.get(name) for name in _PAID)
        return cls(ticker, zone, kind, _SAME.get(interval, interval), seconds, read, pays)

    def bars(self, symbol: str, timeframe: Timeframe, *, adjusted: bool) -> Bars | None:
        """Make bars of the rows, adjusted for splits, as they come.

        Parameters
        ----------
        symbol : str
            What they are called.
        timeframe : Timeframe
            Their length.
        adjusted : bool
            Whether days are to be adjusted for what was paid out as well.

        Returns
        -------
        Bars or None
            None where there are no rows. Rows without a price or off the grid are left out and
            counted in ``dropped``; the latest price, which stands behind the bars as if it were
            one of them, is left out and not counted.

        Raises
        ------
        ValueError, LookupError
            When no row is a bar, one is impossible, or a column is missing.
        """
        if not len(self.seconds):
            return None
        adjusted = adjusted and not timeframe.is_intraday
        time, placed = self._placed(timeframe)
        prices = np.array([self.columns[name] for name in PRICES])
        if adjusted:
            prices *= self._left
        kept = placed & ~np.isnan(prices).any(axis=0)
        if not kept.any():
            raise ValueError(f"{len(kept)} rows and no bar")
        table = dict(zip(PRICES, prices, strict=True)) | {"volume": self.columns["volume"]}
        return Bars(
            symbol,
            timeframe,
            time[kept],
            *(table[name][kept] for name in COLUMNS),
            dropped=int((~kept).sum()) - int(not placed[-1]),
            adjustment="all" if adjusted else "split",
            source="yahoo",
            feed="yahoo",
        )

    def _placed(self, timeframe: Timeframe) -> tuple[Int, Bool]:
        """Label of each row, and whether it stands where a bar does."""
        time = self.seconds * NS
        if timeframe.is_intraday:
            return time, (self.seconds - _HALF_HOUR) % timeframe.seconds == 0
        calendar = calendar_for()
        days = calendar.labels(calendar.dates(time))
        placed = np.ones(len(days), dtype=bool)
        # The price of now comes behind the day that it belongs to, unless it is all there is of it.
        placed[-1] = len(days) == 1 or days[-1] != days[-2] or time[-1] == time[-2]
        return days, placed

    def left_at(self, time: Int) -> Float:
        """Tell what later payments leave of a price, from a chart of days.

        Parameters
        ----------
        time : ndarray of int64, shape (n,)
            Moments of those days, nanoseconds since 1970 UTC.

        Returns
        -------
        ndarray of float64, shape (n,)
            1 where nothing was paid out afterwards.

        Raises
        ------
        ValueError, LookupError
            When a day is missing.
        """
        calendar = calendar_for()
        days, placed = self._placed(Timeframe("1Day"))
        known = placed & ~np.isnan(self._left)
        wanted, of = np.unique(calendar.labels(calendar.dates(time)), return_inverse=True)
        found, rows, _ = np.intersect1d(days[known], wanted, return_indices=True)
        if len(found) < len(wanted):
            day = calendar.dates(np.setdiff1d(wanted, found))[0]
            raise ValueError(f"no day {day} to adjust by")
        return np.asarray(self._left[known][rows][of])

    @property
    def _left(self) -> Float:
        return np.asarray(self.columns["adjclose"] / self.columns["close"])


def _known(name: str, column: Any) -> Float:
    """Numbers of a column, which may be null or the text of an infinity; many an old open is 0."""
    numbers = np.array(column, dtype=float)
    known = np.isfinite(numbers) & ((numbers != 0) | (name == "volume"))
    return np.where(known, numbers, np.nan)
