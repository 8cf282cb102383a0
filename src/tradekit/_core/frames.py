"""The DataFrame at the door: how bars are read from it and written to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from .bars import Bars
from .calendar import calendar_for
from .columns import Int
from .errors import UsageError
from .faults import COLUMNS, refuse_row, row_faults
from .hours import check_hours
from .steps import find_timeframe, to_labels
from .timeframe import Timeframe

if TYPE_CHECKING:
    import pandas as pd

TIME_COLUMNS = ("timestamp", "ts", "time", "datetime", "date")
SYMBOL = ("symbol", "ticker")
PROVENANCE = ("source", "feed", "adjustment", "calendar")
_WRITTEN = ("symbol", *PROVENANCE, "dropped", "trusted_for_entries")
# What int64 nanoseconds can tell, with room for closes and zones.
_RANGE = "1680-01-01", "2259-12-31"
_EMPTY = "look at what the provider answered: an unknown symbol often comes back empty"
_ISO = re.compile(r"\d{4}(-\d\d-\d\d|\d{4})([T ].*)?")
_OFFSET = re.compile(r"\S+[T ].*(Z|[+-]\d\d(:?\d\d)?)")


def read(
    frame: pd.DataFrame,
    symbol: str | None,
    timeframe: str | None,
    *,
    tz: str | None,
    label: str,
    bad: str,
    provenance: Mapping[str, Any],
) -> Bars:
    """Read one symbol's bars from a DataFrame; `Bars.from_frame` says how."""
    _check_call(frame, label, bad, provenance)
    given = {key: value for key, value in provenance.items() if value is not None}
    stated: dict[Any, Any] = {k: v for k, v in frame.attrs.items() if v is not None} | given
    calendar = calendar_for(stated.get("calendar", "XNYS"))
    picked, symbol = _one_symbol(frame, symbol)
    columns = _columns(picked, symbol)
    table, faults = _numbers(columns, symbol)
    moments = _moments(picked, symbol, tz)
    faults["time missing or out of range"] = np.asarray(moments.isna())
    keep = _keep(symbol, moments, columns, faults, bad)
    stated_length, step = stated.get("timeframe"), moments.freq
    length = find_timeframe(moments[keep], timeframe, stated_length, symbol, calendar, step)
    time = to_labels(moments[keep], length, calendar, label, symbol)
    keep, time = (keep, time) if bad == "raise" else _last_of_each(keep, time)
    stated.setdefault("adjustment", _guess_adjustment(frame, length))
    bars = Bars(
        symbol,
        length,
        time,
        *(table[name][keep] for name in COLUMNS),
        dropped=_attr(stated, "dropped", int, 0) + len(picked) - len(keep),
        stale_since=_attr(stated, "stale_since", datetime.fromisoformat, None),
        trusted_for_entries=stated.get("trusted_for_entries") is True,
        **{key: stated[key] for key in PROVENANCE if key in stated},
    )
    check_hours(bars, calendar)
    return bars


def write(bars: Bars) -> pd.DataFrame:
    """Write bars as a DataFrame; `Bars.to_frame` says how."""
    import pandas as pd

    index = pd.DatetimeIndex(bars.time.astype("M8[ns]"), tz="UTC", name="timestamp")
    columns = [getattr(bars, name) for name in COLUMNS]
    columns += [column.values for column in bars.extra.values()]
    # One block under names that are made once: pandas takes longer to name columns than to copy.
    names = _named((*COLUMNS, *bars.extra)).view()
    frame = pd.DataFrame(np.stack(columns).T, index=index, columns=names, copy=False)
    stale = bars.stale_since.isoformat() if bars.stale_since else None
    facts: dict[Any, Any] = {key: getattr(bars, key) for key in _WRITTEN}
    frame.attrs = {**facts, "timeframe": str(bars.timeframe), "stale_since": stale}
    return frame


def symbols_of(frame: pd.DataFrame) -> tuple[str, ...]:
    """Name the symbols that a frame is about; none where it does not say.

    Parameters
    ----------
    frame : DataFrame
        As `read` takes it.

    Returns
    -------
    tuple of str
        In the order of the frame.
    """
    stated = frame.attrs.get("symbol")
    symbols, _ = _symbols(frame)
    return tuple(symbols if symbols is not None else [stated] if stated else ())


@cache
def _named(columns: tuple[str, ...]) -> pd.Index:
    import pandas as pd

    return pd.Index(columns)


def _check_call(frame: Any, label: str, bad: str, provenance: Mapping[str, Any]) -> None:
    for name, value, choices in (
        ("label", label, ("open", "close")),
        ("bad", bad, ("raise", "drop")),
    ):
        if value not in choices:
            default = f"{name}={choices[0]!r}, as without it"
            _refuse(f"unknown {name}", " or ".join(map(repr, choices)), repr(value), default)
    if unknown := sorted(set(provenance) - set(PROVENANCE)):
        hint = "frame.attrs for what else is to be remembered"
        _refuse("unknown keyword", ", ".join(PROVENANCE), ", ".join(unknown), hint)
    if not hasattr(frame, "columns") or not hasattr(frame, "attrs"):
        got = f"a {type(frame).__name__}"
        _refuse(
            "no frame to read", "a pandas DataFrame", got, "a BarSet's .df, or pd.DataFrame(...)"
        )
    if not len(frame):
        _refuse(
            "the frame is empty",
            "at least one bar",
            f"no rows, columns {[str(column) for column in frame.columns][:8]}",
            _EMPTY,
        )


def _refuse(problem: str, expected: str, got: str, hint: str) -> NoReturn:
    raise UsageError(problem, expected=expected, got=got, hint=hint)


def _guess_adjustment(frame: pd.DataFrame, timeframe: Timeframe) -> str:
    """Tell yfinance's frames apart: unadjusted ones carry the adjusted close beside the close."""
    words = {str(word).lower() for column in frame.columns for word in np.atleast_1d(column)}
    of_yfinance = set(frame.columns.names) == {"Price", "Ticker"} or "stock splits" in words
    # Yahoo adjusts bars within a day for splits alone, whatever yfinance was asked for.
    if "adj close" in words or (of_yfinance and timeframe.is_intraday):
        return "split"
    return "all" if of_yfinance else "unknown"


def _one_symbol(frame: pd.DataFrame, symbol: str | None) -> tuple[pd.DataFrame, str]:
    stated = frame.attrs.get("symbol")
    symbols, pick = _symbols(frame)
    if symbols is None:
        symbols, pick = [stated] if stated else [symbol], lambda _: frame
    wanted = symbol or stated or (symbols[0] if len(symbols) == 1 else None)
    if wanted is None:
        got = "none" if symbols == [None] else ", ".join(map(str, symbols[:8]))
        _refuse("which symbol?", "symbol=...", got, "Bars.from_frame(frame, symbol='SPY')")
    if wanted not in symbols or stated not in (None, wanted):
        named = ", ".join(map(str, symbols[:8])) if wanted not in symbols else stated
        _refuse(
            f"the frame is not about {wanted}",
            f"bars of {wanted}",
            f"bars of {named}",
            "another symbol=, or frame.attrs.clear() if the frame was made from another one",
        )
    picked = pick(wanted)
    if not len(picked):
        _refuse(f"the frame has no rows of {wanted}", "at least one bar", "empty rows", _EMPTY)
    return picked, wanted


def _symbols(frame: pd.DataFrame) -> tuple[list[Any] | None, Any]:
    """Find which symbols a frame names, and how to take one of them."""
    if frame.columns.nlevels == 2:
        return _symbols_of_columns(frame)
    if frame.index.nlevels == 2:
        named = [i for i, name in enumerate(frame.index.names) if str(name).lower() in SYMBOL]
        times_first = frame.index.get_level_values(0).dtype.kind == "M"
        level = named[0] if named else int(times_first)
        return list(frame.index.unique(level)), lambda name: frame.xs(name, level=level)
    column = next((c for c in frame.columns if str(c).lower() in SYMBOL), None)
    if column is None:
        return None, None
    return list(frame[column].unique()), lambda name: frame[frame[column] == name]


def _symbols_of_columns(frame: pd.DataFrame) -> tuple[list[Any], Any]:
    words = [{str(word).lower() for word in frame.columns.get_level_values(i)} for i in (0, 1)]
    level = 1 if "close" in words[0] else 0
    # Columns of no ticker are the user's own, or the times that reset_index() has moved there.
    nobodys = [column for column in frame.columns if column[1] == ""]
    times = [column for column in nobodys if str(column[0]).lower() in TIME_COLUMNS]
    if times and frame.index.dtype.kind != "M":
        frame = frame.set_index(frame[times[0]])
    frame = frame.drop(columns=nobodys)
    # A frame of several tickers is padded where only another ticker traded.
    return list(frame.columns.unique(level)), lambda name: frame.xs(
        name, axis=1, level=level
    ).dropna(how="all")


def _columns(frame: pd.DataFrame, symbol: str) -> dict[str, pd.Series[Any]]:
    named: dict[str, list[Any]] = {}
    for column in frame.columns:
        named.setdefault(str(column).strip().lower(), []).append(column)
    found = {name: named.get(name, []) for name in COLUMNS}
    for name, columns in found.items():
        if len(columns) != 1:
            _refuse_column(symbol, name, frame, columns)
    return {name: frame[columns[0]] for name, columns in found.items()}


def _numbers(
    columns: Mapping[str, pd.Series[Any]], symbol: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Turn columns into floats, and find the rows that are none or cannot be a bar."""
    parsed = {name: _parse_numbers(symbol, name, column) for name, column in columns.items()}
    table = {name: column.to_numpy(float, na_value=np.nan) for name, column in parsed.items()}
    text = [np.isnan(table[name]) & columns[name].notna().to_numpy() for name in COLUMNS]
    return table, {"not a number": np.any(text, axis=0), **row_faults(table)}


def _parse_numbers(symbol: str, name: str, column: pd.Series[Any]) -> pd.Series[Any]:
    import pandas as pd

    no_numbers = "bcmM"  # truth values, complex numbers, durations and dates
    if column.dtype.kind not in no_numbers:
        column = pd.to_numeric(column, errors="coerce")
    if column.dtype.kind in no_numbers:
        problem = f"{symbol}: column {name!r} holds no numbers"
        _refuse(problem, "prices or volumes", str(column.dtype), "another column")
    return column


def _refuse_column(symbol: str, name: str, frame: pd.DataFrame, found: list[Any]) -> NoReturn:
    problem = f"column {name!r} stands there twice" if found else f"column {name!r} is missing"
    got = ", ".join(map(str, found or frame.columns[:12]))
    hint = "keep one of them" if found else f"frame.rename(columns={{...: {name!r}}})"
    if name == "volume" and not found:
        hint = "frame['volume'] = float('nan') says that it is not known"
    _refuse(f"{symbol}: {problem}", "open, high, low, close and volume", got, hint)


def _moments(frame: pd.DataFrame, symbol: str, tz: str | None) -> pd.DatetimeIndex:
    import pandas as pd

    index = frame.index
    found = index if isinstance(index, pd.DatetimeIndex) else _time_column(frame, symbol)
    times = found if isinstance(found, pd.DatetimeIndex) else _parse(found, symbol)
    first, last = (pd.Timestamp(date, tz=times.tz) for date in _RANGE)
    told = (times >= first) & (times <= last)
    times = (times if told.all() else pd.DatetimeIndex(times.where(told))).as_unit("ns")
    return _localize(times, tz, symbol) if times.tz is None and tz is not None else times


def _time_column(frame: pd.DataFrame, symbol: str) -> Any:
    named = {str(column).strip().lower(): column for column in frame.columns}
    name = next((named[word] for word in TIME_COLUMNS if word in named), None)
    if name is not None:
        return frame[name]
    if frame.index.dtype.kind in "OUM":  # texts, dates, and what pyarrow makes of both
        return frame.index.to_series()
    return _refuse(
        f"{symbol}: the frame has no times",
        f"a DatetimeIndex, or a column named {', '.join(TIME_COLUMNS)}",
        f"an index of {frame.index.dtype} and columns {[str(c) for c in frame.columns[:12]]}",
        "frame.set_index(pd.to_datetime(..., utc=True))",
    )


def _parse(times: Any, symbol: str) -> pd.DatetimeIndex:
    """Parse texts that are written year first; others may mean two days, so they are refused."""
    import pandas as pd

    if times.dtype.kind == "M":
        return pd.DatetimeIndex(times)
    texts = times.astype("str")
    iso = texts.str.fullmatch(_ISO)
    zoned = texts.str.fullmatch(_OFFSET)[iso]
    if iso.mean() > 0.5 and zoned.nunique() <= 1:
        zone = bool(len(zoned) and zoned.iloc[0])
        parsed = pd.to_datetime(texts.where(iso), utc=zone, errors="coerce", format="ISO8601")
        return pd.DatetimeIndex(parsed)
    return _refuse(
        f"{symbol}: times in a layout that may mean more than one moment",
        "datetimes, or texts like 2024-03-08 14:30:00+00:00, all with an offset or all without",
        f"{times.iloc[0]!r} and {times.iloc[-1]!r}",
        "pd.to_datetime(column, format=..., utc=True) before reading",
    )


def _localize(times: pd.DatetimeIndex, tz: str, symbol: str) -> pd.DatetimeIndex:
    try:
        return times.tz_localize(tz)
    except Exception as error:  # pandas' own kinds of error differ by version
        return _refuse(
            f"{symbol}: times cannot be placed in {tz!r}",
            "a known zone, and times that exist once in it",
            str(error).splitlines()[0][:160],
            "tz_localize(tz, ambiguous=..., nonexistent=...) before reading",
        )


def _keep(
    symbol: str, moments: Any, columns: Mapping[str, Any], faults: Mapping[str, Any], bad: str
) -> Int:
    """Give the rows to keep: all of them, unless faulty rows may be dropped."""
    faulty = np.any(list(faults.values()), axis=0)
    if bad == "raise" and faulty.any():
        shown = {name: column.to_numpy() for name, column in columns.items()}
        refuse_row(symbol, np.asarray(moments.asi8), shown, faults)
    order = np.argsort(moments.asi8, kind="stable") if bad == "drop" else np.arange(len(moments))
    keep: Int = order[~faulty[order]]
    if not len(keep):
        fault = max(faults, key=lambda name: faults[name].sum())
        _refuse(
            f"{symbol}: no row of the frame is a bar",
            "at least one possible bar",
            f"{len(faulty)} rows, most of them with this fault: {fault}",
            "look at the columns: prices may stand in the wrong ones",
        )
    return keep


def _last_of_each(keep: Any, time: Any) -> tuple[Any, Any]:
    """Keep the last row of each time: what came later corrects what came before."""
    last = np.append(np.diff(time) != 0, True)
    return keep[last], time[last]


def _attr(stated: Mapping[Any, Any], name: str, read: Callable[[Any], Any], default: Any) -> Any:
    try:
        return read(stated[name]) if name in stated else default
    except (TypeError, ValueError):
        _refuse(
            f"frame.attrs[{name!r}] cannot be read",
            "what Bars.to_frame writes there",
            repr(stated[name]),
            "frame.attrs.clear()",
        )
