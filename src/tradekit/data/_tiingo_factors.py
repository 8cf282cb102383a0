"""What later splits and dividends leave of a price, from Tiingo's end-of-day rows."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import attrs
import numpy as np

from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.columns import Dates, Float
from .._core.errors import SourceError
from .._core.faults import PRICES

_HOUR = 3_600 * 10**9
_OUT = 35 * _HOUR // 2  # half past five in New York: most rows of the day are out
_SURE = 20 * _HOUR  # eight in the evening: whatever is not out now is late
_AGAIN = _HOUR // 4  # before a row that is late is asked for again
_SAME = 1e-6
_APART = 5e-4  # a night; hardly a dividend is smaller
_JUMP = 1.2  # a night's change that a split of 6 for 5 explains; hardly any is smaller


@attrs.frozen(eq=False)
class Factors:
    """By which prices are multiplied, day by day, as of the newest end-of-day row.

    Parameters
    ----------
    days : ndarray of datetime64[D], shape (n,)
        Sessions that there is a row of, in order.
    split : ndarray of float64, shape (n,)
        What the splits of later days leave of a price; volume is divided by it.
    both : ndarray of float64, shape (n,)
        What later splits and dividends leave.
    close : float
        The newest close, as it was traded.

    Notes
    -----
    Over an ex-day's night, ``splitFactor`` new shares for each old one and ``divCash`` on each new
    one leave ``(1 - divCash * splitFactor / close before) / splitFactor`` of a price, as with
    Alpaca and Yahoo. Tiingo's own ``adjClose`` compares the dividend with the close of the ex-day
    instead, ``close / (close + divCash)`` (measured: 62 dividends, to 1e-7), so it differs from
    theirs by the day's return times the dividend's yield, and has no prices that are adjusted for
    splits alone. Here it only proves that no row of an ex-day is missing.

    Examples
    --------
    >>> row = {"splitFactor": 1.0, "divCash": 0.0}
    >>> factors = Factors.of([
    ...     row | {"date": "2020-08-28T00:00:00.000Z", "close": 499.23, "adjClose": 124.8075},
    ...     row | {"date": "2020-08-31T00:00:00.000Z", "close": 129.04, "adjClose": 129.04,
    ...            "splitFactor": 4.0},
    ... ])
    >>> factors.split
    array([0.25, 1.  ])
    """

    days: Dates
    split: Float
    both: Float
    close: float

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> Factors:
        """Read end-of-day rows, oldest first.

        Parameters
        ----------
        rows : sequence of dict
            With ``date``, ``close``, ``adjClose``, ``splitFactor`` and ``divCash``.

        Returns
        -------
        Factors
            Of their days.

        Raises
        ------
        ValueError, LookupError, TypeError
            When they cannot be, or contradict each other.
        """
        if not rows:
            raise ValueError("no end-of-day rows")
        days = np.array([row["date"][:10] for row in rows], dtype="M8[D]")
        close, adjusted, splits, paid = (
            np.array([row[name] for row in rows], dtype=np.float64)
            for name in ("close", "adjClose", "splitFactor", "divCash")
        )
        rising = (np.diff(days) > np.timedelta64(0, "D")).all()
        if not (rising and (close > 0).all() and (adjusted > 0).all() and (splits > 0).all()):
            raise ValueError("end-of-day rows that cannot be")
        before = np.concatenate([close[:1], close[:-1]])
        left = (1 - paid * splits / before) / splits
        if not ((left > 0) & (left <= 1 / splits)).all():
            raise ValueError("a dividend that cannot be")
        told, nights = adjusted / close, close / (close + paid) / splits
        if abs(told[-1] - 1) > _SAME:
            raise ValueError(f"end-of-day rows that end too early, on {days[-1]}")
        apart = np.abs(told[:-1] / told[1:] / nights[1:] - 1) > _APART
        if apart.any():
            raise ValueError(f"adjClose of {days[apart.argmax()]} tells of more than the next row")
        return cls(days, _later(1 / splits), _later(left), float(close[-1]))

    def applied(self, bars: Bars, adjustment: str, now: int) -> Bars:
        """Adjust bars as they were traded.

        Parameters
        ----------
        bars : Bars
            Of one day or more, within the day.
        adjustment : {"split", "all"}
            For splits, or for dividends as well.
        now : int
            Nanoseconds since 1970 UTC.

        Returns
        -------
        Bars
            Prices multiplied, volume divided by what splits leave.

        Raises
        ------
        SourceError
            When a day has no row, save for the newest, whose row comes in the evening; and when
            that day opened where a split could have brought it.
        """
        days = calendar_for().dates(bars.time)
        row = np.minimum(self.days.searchsorted(days), len(self.days) - 1)
        newer = (days > self.days[-1]) & (days == _without_row(now))
        lacking = (self.days[row] != days) & ~newer
        if lacking.any():
            raise unadjusted(bars.symbol, f"the end-of-day row of {days[lacking][0]}", "none")
        if newer.any():
            self._check_night(bars.symbol, float(bars.open[newer.argmax()]))
        split = np.where(newer, 1.0, self.split[row])
        factor = split if adjustment == "split" else np.where(newer, 1.0, self.both[row])
        prices = {name: getattr(bars, name) * factor for name in PRICES}
        return bars._replace(**prices, volume=bars.volume / split, adjustment=adjustment)

    def _check_night(self, symbol: str, opened: float) -> None:
        """Refuse to guess whether a day split whose row is not out: its evening will tell."""
        if not 1 / _JUMP < opened / self.close < _JUMP:
            got = f"an open at {opened:g} after a close at {self.close:g}"
            raise unadjusted(symbol, "a night without a split, or the row that tells of it", got)


class FactorMemory:
    """Factors of some symbols, as long as no newer row is out: each is a request of a small budget.

    Any number of threads may share it.

    Parameters
    ----------
    size : int
        How many symbols, those that were put in last.

    Examples
    --------
    >>> FactorMemory(500).get("SPY", date(2024, 1, 1), now=0) is None
    True
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._known: dict[str, tuple[date, int, Factors]] = {}

    def get(self, symbol: str, since: date, now: int) -> Factors | None:
        """Give what is known.

        Parameters
        ----------
        symbol : str
            Whose.
        since : date
            First day that is needed.
        now : int
            Nanoseconds since 1970 UTC.

        Returns
        -------
        Factors or None
            None where they do not reach back so far, or a newer row is due.
        """
        with self._lock:
            first, until, factors = self._known.get(symbol, (date.max, 0, None))
        return factors if first <= since and now < until else None

    def put(self, symbol: str, since: date, now: int, factors: Factors) -> None:
        """Remember what was learned.

        Parameters
        ----------
        symbol : str
            Whose.
        since : date
            First day that was asked for.
        now : int
            Nanoseconds since 1970 UTC, when it was learned.
        factors : Factors
            What came.
        """
        calendar = calendar_for()
        following = int(calendar.sessions.searchsorted(factors.days[-1], side="right"))
        until = max(int(calendar.midnights[following]) + _OUT, now + _AGAIN)
        with self._lock:
            self._known.pop(symbol, None)
            self._known[symbol] = since, until, factors
            if len(self._known) > self._size:
                del self._known[next(iter(self._known))]


def unadjusted(symbol: str, expected: str, got: str) -> SourceError:
    """Say why prices cannot be adjusted.

    Parameters
    ----------
    symbol : str
        Whose.
    expected, got : str
        What Tiingo should have told, and what it did.

    Returns
    -------
    SourceError
        Retryable.
    """
    return SourceError(
        f"iex cannot adjust {symbol}",
        expected=expected,
        got=got,
        hint="again in the evening, when Tiingo's row of the day is out, or ask for raw prices",
        source="iex",
        symbol=symbol,
    )


def newest_session(now: int) -> np.datetime64:
    """Tell the day of the session that opened last.

    Parameters
    ----------
    now : int
        Nanoseconds since 1970 UTC.

    Returns
    -------
    datetime64[D]
        Its date in New York.

    Examples
    --------
    >>> newest_session(int(np.datetime64("2024-03-11T13:29", "ns").astype("i8")))
    np.datetime64('2024-03-08')
    """
    calendar = calendar_for()
    day: np.datetime64 = calendar.sessions[calendar.opens.searchsorted(now, side="right") - 1]
    return day


def _without_row(now: int) -> np.datetime64:
    """The day whose row may still be missing; not a time where there is none."""
    newest = newest_session(now)
    midnight = calendar_for().labels(np.array([newest]))[0]
    return newest if now < midnight + _SURE else np.datetime64("NaT")


def _later(nights: Float) -> Float:
    """Multiply the nights that are still to come, of each day."""
    return np.append(np.cumprod(nights[:0:-1])[::-1], 1.0)
