"""Bars of one symbol at one timeframe: the value that everything else looks at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, overload
from zoneinfo import ZoneInfo

import attrs
import numpy as np

from .bar import Bar
from .calendar import Calendar, calendar_for
from .clock import from_ns, to_ns, to_utc
from .columns import Bool, Extra, Float, Int, join, readonly, same, take
from .columns import column as as_column
from .columns import times as as_times
from .errors import UsageError
from .faults import COLUMNS, check_extra, check_facts, check_shapes, refuse_first
from .hours import check_labels
from .timeframe import Timeframe

if TYPE_CHECKING:
    import pandas as pd

    from .indicators import Indicators

Adjustment = Literal["raw", "split", "all", "unknown"]


@attrs.frozen(eq=False, repr=False)
class Bars:
    """Bars of one symbol at one timeframe: read-only arrays that know where they come from.

    A bar is labelled by its opening time, as every vendor does, and it is known at its
    `close_time`. Bars that cannot be are refused at birth, so whoever holds bars can trust them.

    Parameters
    ----------
    symbol : str
        What was traded.
    timeframe : Timeframe or str
        Length of the bars.
    time : ndarray of int64 or datetime64, shape (n,)
        Opening times in nanoseconds since 1970 UTC, strictly increasing. A daily bar carries its
        session's midnight at the exchange.
    open, high, low, close : ndarray of float64, shape (n,)
        Prices, finite and above zero; open and close lie within low and high.
    volume : ndarray of float64, shape (n,)
        Shares or coins, not negative; NaN where unknown, never 0 for unknown.
    source, feed : str
        Who answered, and from which tape (``sip``, ``iex``, ``simulated``, ...).
    adjustment : {"raw", "split", "all", "unknown"}
        What the prices were adjusted for; ``all`` is splits and dividends.
    calendar : str
        Exchange code, ``XNYS`` or ``24/7`` or another of exchange_calendars.
    dropped : int
        Rows of the input that are not in these bars.
    stale_since : datetime, optional
        Set when a fresher answer was due and could not be had.
    trusted_for_entries : bool
        Whether a data manager vouches for them as good enough to open a trade on.
    extra : mapping of str to Extra
        Further columns; `with_extra` joins them without looking ahead.

    Raises
    ------
    UsageError
        For impossible bars; the error carries ``symbol``, ``row`` and ``value``.

    Examples
    --------
    >>> bars = Bars("SPY", "1Day", np.array(["2024-07-03T04:00"], "M8[ns]"),
    ...             [549.0], [551.8], [548.7], [551.5], [32e6], source="example")
    >>> len(bars), bars[-1].close_time.isoformat()  # a half day: known at 13:00 in New York
    (1, '2024-07-03T17:00:00+00:00')
    """

    symbol: str
    timeframe: Timeframe = attrs.field(converter=Timeframe)
    time: Int = attrs.field(converter=as_times)
    open: Float = attrs.field(converter=as_column)
    high: Float = attrs.field(converter=as_column)
    low: Float = attrs.field(converter=as_column)
    close: Float = attrs.field(converter=as_column)
    volume: Float = attrs.field(converter=as_column)
    source: str = attrs.field(default="unknown", kw_only=True)
    feed: str = attrs.field(default="unknown", kw_only=True)
    adjustment: Adjustment = attrs.field(default="unknown", kw_only=True)
    calendar: str = attrs.field(default="XNYS", kw_only=True)
    dropped: int = attrs.field(default=0, kw_only=True)
    stale_since: datetime | None = attrs.field(
        default=None, kw_only=True, converter=attrs.converters.optional(to_utc)
    )
    trusted_for_entries: bool = attrs.field(default=False, kw_only=True)
    _extra: dict[str, Extra] = attrs.field(factory=dict, kw_only=True, converter=dict)
    _memo: dict[str, Any] = attrs.field(factory=dict, init=False)
    _touched: dict[Any, Any] | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        columns = {name: getattr(self, name) for name in COLUMNS}
        check_facts(self)
        check_shapes(self.symbol, {"time": self.time, **columns})
        refuse_first(self.symbol, self.time, columns)
        if not self.timeframe.is_intraday:
            check_labels(self, self._sessions)
        for name, column in self._extra.items():
            check_extra(self.symbol, self.close_time, name, column)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        symbol: str | None = None,
        timeframe: str | None = None,
        *,
        tz: str | None = None,
        label: Literal["open", "close"] = "open",
        bad: Literal["raise", "drop"] = "raise",
        **provenance: Any,
    ) -> Bars:
        """Read a DataFrame as it comes from alpaca-py, yfinance, a file or `to_frame`.

        Parameters
        ----------
        frame : DataFrame
            Columns open, high, low, close, volume in any case, or one level of yfinance's;
            times in the index, in alpaca-py's (symbol, timestamp) index, or in a column named
            timestamp, ts, time, date or datetime. Other columns are left out.
        symbol : str, optional
            Which symbol; needed where the frame does not name one, or names several.
        timeframe : Timeframe or str, optional
            Length of the bars; else what ``frame.attrs`` say, else the usual step of the times.
        tz : str, optional
            Zone of times that carry none. Dates of daily bars need none.
        label : {"open", "close"}
            What the times are: bars labelled by their end are moved back by one bar.
        bad : {"raise", "drop"}
            Refuse a frame with impossible rows, or leave those out, in time order, counted in
            ``dropped``.
        **provenance : str
            ``source``, ``feed``, ``adjustment``, ``calendar``, where ``frame.attrs`` say nothing
            or something else.

        Returns
        -------
        Bars
            At least one bar.

        Raises
        ------
        UsageError
            When the frame is empty, lacks a column, has no usable times, holds impossible rows,
            contradicts what it says of itself, or keeps another exchange's hours or days.

        Examples
        --------
        >>> import pandas as pd
        >>> row = {"Open": 549.0, "High": 551.8, "Low": 548.7, "Close": 551.5, "Volume": 32e6}
        >>> frame = pd.DataFrame([row], index=pd.DatetimeIndex(["2024-07-03"]))
        >>> Bars.from_frame(frame, "SPY", "1Day").close
        array([551.5])
        """
        from .frames import read

        return read(frame, symbol, timeframe, tz=tz, label=label, bad=bad, provenance=provenance)

    def to_frame(self) -> pd.DataFrame:
        """Give the bars as the DataFrame that the field expects.

        Returns
        -------
        DataFrame
            UTC DatetimeIndex ``timestamp``; float64 columns open, high, low, close, volume and
            each extra; where the bars come from in ``attrs``. `from_frame` reads it back.

        Examples
        --------
        >>> bars = Bars("SPY", "1Day", np.array(["2024-07-03T04:00"], "M8[ns]"),
        ...             [549.0], [551.8], [548.7], [551.5], [32e6])
        >>> bars.to_frame().attrs["timeframe"]
        '1Day'
        """
        from .frames import write

        return write(self)

    @property
    def extra(self) -> Mapping[str, Extra]:
        """The joined columns by name; read-only."""
        return MappingProxyType(self._extra)

    @property
    def ind(self) -> Indicators:
        """Indicators of these bars: ``bars.ind.rsi(14)``, computed once and kept."""
        from .indicators import Indicators

        return Indicators(self, self._memo.setdefault("cache", {}), self._touched)

    @property
    def close_time(self) -> Int:
        """When each bar is known, in nanoseconds since 1970 UTC."""
        return self._kept("close_time")  # type: ignore[no-any-return]

    @property
    def gap_before(self) -> Bool:
        """Whether an expected bar is missing between each bar and the one before it."""
        return self._kept("gap_before")  # type: ignore[no-any-return]

    @property
    def session(self) -> Int:
        """Row of the calendar's session that each bar belongs to; -1 outside regular hours."""
        return self._kept("session")  # type: ignore[no-any-return]

    def until(self, moment: datetime | int) -> Bars:
        """Keep the bars that are complete at a moment.

        Parameters
        ----------
        moment : datetime or int
            Aware time, or nanoseconds since 1970 UTC.

        Returns
        -------
        Bars
            A view of the bars whose `close_time` is not later; it may be empty.

        Examples
        --------
        >>> from datetime import UTC
        >>> bars = Bars("SPY", "1Day", np.array(["2024-07-03T04:00"], "M8[ns]"),
        ...             [549.0], [551.8], [548.7], [551.5], [32e6])
        >>> len(bars.until(datetime(2024, 7, 3, 16, 59, tzinfo=UTC)))
        0
        """
        ns = int(moment) if isinstance(moment, int | np.integer) else to_ns(moment)
        return self[: int(np.searchsorted(self.close_time, ns, side="right"))]

    def with_extra(self, name: str, values: object, known_at: object) -> Bars:
        """Join a column that has times of its own; each bar sees what was known at its close.

        Parameters
        ----------
        name : str
            Name of the column; not one of the bars' own.
        values : array of float, shape (m,)
            The numbers, in the order in which they became known.
        known_at : array of int64 or datetime64, shape (m,)
            When each became known, in UTC, never going back.

        Returns
        -------
        Bars
            The same bars with ``extra[name]``: the last number known, NaN before the first.

        Raises
        ------
        UsageError
            When the times go back or do not match the numbers.

        Examples
        --------
        >>> bars = Bars("SPY", "1Day", np.array(["2024-07-03T04:00", "2024-07-05T04:00"], "M8[ns]"),
        ...             [549.0] * 2, [551.8] * 2, [548.7] * 2, [551.5] * 2, [32e6] * 2)
        >>> known = np.array(["2024-07-03T17:00:01"], "M8[ns]")  # a second after the close
        >>> bars.with_extra("mood", [0.7], known).extra["mood"].values
        array([nan, 0.7])
        """
        numbers, moments = as_column(values), as_times(known_at)
        if numbers.shape != (moments.size,) or (np.diff(moments.ravel()) < 0).any():
            raise UsageError(
                f"{self.symbol}: cannot join {name!r}",
                expected="as many numbers as times, which never go back",
                got=f"numbers {numbers.shape} and times {moments.shape}",
                hint="sort them by the time when they became known",
            )
        joined = join(numbers, moments, self.close_time)
        return self._replace(extra={**self._extra, name: joined})

    def __len__(self) -> int:
        return len(self.time)

    @overload
    def __getitem__(self, rows: int) -> Bar: ...
    @overload
    def __getitem__(self, rows: slice) -> Bars: ...
    def __getitem__(self, rows: int | slice) -> Bar | Bars:
        if isinstance(rows, slice):
            return self._slice(rows)
        numbers: dict[str, Any] = {name: float(getattr(self, name)[rows]) for name in COLUMNS}
        time, known = from_ns(self.time[rows]), from_ns(self.close_time[rows])
        facts = {"source": self.source, "trusted_for_entries": self.trusted_for_entries}
        return Bar(self.symbol, self.timeframe, time, close_time=known, **numbers | facts)

    def __iter__(self) -> Iterator[Bar]:
        return (self[row] for row in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bars):
            return NotImplemented
        mine, theirs = self._fields(), other._fields()
        extras = mine.pop("extra"), theirs.pop("extra")
        return (
            same(mine, theirs)
            and extras[0].keys() == extras[1].keys()
            and all(
                same(attrs.asdict(column), attrs.asdict(extras[1][name]))
                for name, column in extras[0].items()
            )
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        where = ", ".join(f"{k}={getattr(self, k)!r}" for k in ("source", "feed", "adjustment"))
        notes = f", dropped={self.dropped}" if self.dropped else ""
        notes += f", stale since {self.stale_since:%Y-%m-%d %H:%M} UTC" if self.stale_since else ""
        return f"<Bars {self.symbol} {self.timeframe}: {self._span()}, {where}{notes}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # Arrays come back writable from a pickle: build the bars anew, checked.
        return partial(Bars, **self._fields()), ()

    def _span(self) -> str:
        if not len(self):
            return "no bars"
        first, last = (f"{from_ns(self.time[i]):%Y-%m-%d %H:%M}" for i in (0, -1))
        start, end = (_local(self._sessions, self.time[i]) for i in (0, -1))
        return f"{len(self)} from {first} to {last} UTC ({start} to {end} {self._sessions.tz})"

    @property
    def _sessions(self) -> Calendar:
        return calendar_for(self.calendar)

    def _kept(self, name: str) -> Any:
        if name not in self._memo:
            find = getattr(self._sessions, name)
            self._memo.setdefault(name, readonly(find(self.time, self.timeframe)))
        return self._memo[name]

    def _fields(self) -> dict[str, Any]:
        names = (str(field.alias) for field in attrs.fields(Bars) if field.init)
        return {name: getattr(self, name) for name in names} | {"extra": dict(self._extra)}

    def _replace(self, **changes: Any) -> Bars:
        if changes.keys() == {"trusted_for_entries"}:
            return self._bare(changes, self._memo, self._touched)
        bars = Bars(**{**self._fields(), **changes})
        if not changes.keys() & _TIMED:  # what the calendar says of their times is still true
            bars._memo.update({name: self._memo[name] for name in _OF_TIMES if name in self._memo})
        return bars

    def _slice(self, rows: slice) -> Bars:
        if rows.step not in (None, 1):
            raise UsageError(
                f"{self.symbol}: bars are sliced in time order",
                expected="bars[start:stop]",
                got=f"a step of {rows.step}",
                hint="resample(bars, timeframe) for longer bars",
            )
        columns = {name: getattr(self, name)[rows] for name in ("time", *COLUMNS)}
        columns["_extra"] = take(self._extra, rows)
        return self._bare(columns, self._kept_rows(rows), self._touched)

    def _kept_rows(self, rows: slice) -> dict[str, Any]:
        shared = [name for name in ("close_time", "session") if name in self._memo]
        kept: dict[str, Any] = {name: self._memo[name][rows] for name in shared}
        if "gap_before" in self._memo:
            gaps = self._memo["gap_before"][rows].copy()
            gaps[:1] = False  # nothing is expected before the first bar
            gaps.flags.writeable = False
            kept["gap_before"] = gaps
        return kept

    def _bare(self, changes: dict[str, Any], memo: dict[str, Any], touched: Any) -> Bars:
        # Checked once: rows of valid bars are valid, and windows are cut by the thousand.
        bars, put = object.__new__(Bars), object.__setattr__
        for name in _SLOTS:
            put(bars, name, changes[name] if name in changes else getattr(self, name))
        put(bars, "_memo", memo)
        put(bars, "_touched", touched)
        return bars

    def _watched(self) -> tuple[Bars, dict[Any, Any]]:
        """Give the same bars and cache, and a dict that learns which indicators are asked for."""
        touched: dict[Any, Any] = {}
        return self._bare({}, self._memo, touched), touched


_TIMED, _OF_TIMES = ("time", "timeframe", "calendar"), ("close_time", "session", "gap_before")
_SLOTS = tuple(field.name for field in attrs.fields(Bars))


def _local(calendar: Calendar, ns: Any) -> str:
    return f"{from_ns(ns).astimezone(ZoneInfo(calendar.tz)):%Y-%m-%d %H:%M}"
