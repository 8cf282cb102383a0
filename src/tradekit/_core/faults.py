"""What cannot be a bar, and how that is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt

from .clock import from_ns
from .columns import Bool, Extra, Float, Int
from .errors import UsageError

if TYPE_CHECKING:
    from .bars import Bars

ADJUSTMENTS = ("raw", "split", "all", "unknown")
PRICES = ("open", "high", "low", "close")
COLUMNS = (*PRICES, "volume")
# Adjusting and storing prices as float32 moves them by about 1e-7; a tick is larger than 1e-6.
ROUNDING = 1e-6
# int64 nanoseconds reach 292 years from 1970; the ends are kept for closes, weeks and zones.
_FARTHEST = 290 * 365 * 86_400 * 10**9
_CURES = {
    "time goes back": "frame.sort_index()",
    "duplicate time": 'Bars.from_frame(frame, bad="drop"), which keeps the last of each',
}


def row_faults(columns: Mapping[str, Float]) -> dict[str, Bool]:
    """Find the rows that cannot be bars.

    Parameters
    ----------
    columns : mapping of str to ndarray of float64
        open, high, low, close and volume.

    Returns
    -------
    dict of str to ndarray of bool
        What is wrong, and in which rows; the order is the order in which they are told.

    Examples
    --------
    >>> row = {name: np.array([1.0]) for name in COLUMNS} | {"high": np.array([0.5])}
    >>> [fault for fault, rows in row_faults(row).items() if rows.any()]
    ['high below low', 'high below open or close']
    """
    prices = np.stack([columns[name] for name in PRICES])
    opened, high, low, close = prices
    volume = columns["volume"]
    with np.errstate(invalid="ignore"):
        return {
            "price missing": np.isnan(prices).any(axis=0),
            "price infinite": np.isinf(prices).any(axis=0),
            "price not above zero": (prices <= 0).any(axis=0),
            "high below low": high < low,
            "high below open or close": high * (1 + ROUNDING) < np.maximum(opened, close),
            "low above open or close": low * (1 - ROUNDING) > np.minimum(opened, close),
            "negative volume": volume < 0,
            "infinite volume": np.isinf(volume),
        }


def refuse_first(symbol: str, time: Int, columns: Mapping[str, Float]) -> None:
    """Raise for the first row that cannot be a bar, with its time and values.

    Parameters
    ----------
    symbol : str
        Whose bars.
    time : ndarray of int64
        Their labels, which must go on.
    columns : mapping of str to ndarray of float64
        open, high, low, close and volume.

    Raises
    ------
    UsageError
        Carries ``symbol``, ``row``, ``value`` and ``fault``.
    """
    faults = row_faults(columns)
    again, back = np.zeros((2, len(time)), dtype=bool)
    again[1:], back[1:] = time[1:] == time[:-1], time[1:] < time[:-1]
    far = (time < -_FARTHEST) | (time > _FARTHEST)
    faults |= {"time out of range": far, "duplicate time": again, "time goes back": back}
    if any(rows.any() for rows in faults.values()):
        refuse_row(symbol, time, columns, faults)


def refuse_row(
    symbol: str, time: Int, columns: Mapping[str, npt.NDArray[Any]], faults: Mapping[str, Bool]
) -> NoReturn:
    """Raise for the first faulty row, and say how many more there are.

    Parameters
    ----------
    symbol : str
        Whose bars.
    time : ndarray of int64
        Nanoseconds since 1970 UTC, one a row.
    columns : mapping of str to ndarray
        What stands in each row.
    faults : mapping of str to ndarray of bool
        What is wrong, and in which rows; at least one is.
    """
    first = {fault: int(np.argmax(rows)) for fault, rows in faults.items() if rows.any()}
    fault, row = min(first.items(), key=lambda item: item[1])
    value = {name: column.item(row) for name, column in columns.items()}
    faulty = int(np.any(list(faults.values()), axis=0).sum())
    raise UsageError(
        f"{symbol}: impossible bar in row {row}, {fault} ({faulty} of {len(time)} rows are faulty)",
        expected="low <= open, close <= high, all above zero, volume >= 0, time going on",
        got=f"{time[row : row + 1].astype('M8[ns]').astype('M8[s]')[0]}Z {value}",
        hint=_CURES.get(fault, 'Bars.from_frame(frame, bad="drop"), which counts what it drops'),
        symbol=symbol,
        row=row,
        value=value,
        fault=fault,
    )


def check_shapes(symbol: str, columns: Mapping[str, npt.NDArray[Any]]) -> None:
    """Refuse columns that are not flat or not equally long.

    Parameters
    ----------
    symbol : str
        Whose bars.
    columns : mapping of str to ndarray
        The columns, ``time`` among them.
    """
    shapes = {name: column.shape for name, column in columns.items()}
    if any(shape != (columns["time"].size,) for shape in shapes.values()):
        raise UsageError(
            f"{symbol}: the columns of bars differ in shape",
            expected="one flat array of the same length each",
            got=", ".join(f"{name} {shape}" for name, shape in shapes.items()),
            hint="Bars.from_frame(frame) for a DataFrame",
        )


def check_facts(bars: Bars) -> None:
    """Refuse bars that do not say whose they are and where they come from.

    Parameters
    ----------
    bars : Bars
        At birth.
    """
    for name in ("symbol", "source", "feed", "calendar"):
        word = getattr(bars, name)
        if not isinstance(word, str) or not word:
            raise UsageError(
                f"bars need a {name}",
                expected="a text",
                got=repr(word),
                hint="'unknown' for a source or feed that nobody knows",
            )
    check_adjustment(bars.adjustment)
    if not isinstance(bars.dropped, int | np.integer) or bars.dropped < 0:
        raise UsageError(
            f"{bars.symbol}: how many rows were dropped?",
            expected="a count of rows, from 0",
            got=repr(bars.dropped),
            hint="dropped=0, or len(frame) - len(bars)",
        )


def check_adjustment(adjustment: str) -> None:
    """Refuse a word that names no way of adjusting prices.

    Parameters
    ----------
    adjustment : str
        What the prices were adjusted for.
    """
    if adjustment not in ADJUSTMENTS:
        raise UsageError(
            "unknown adjustment",
            expected=" or ".join(map(repr, ADJUSTMENTS)),
            got=repr(adjustment),
            hint="'all' for prices adjusted for splits and dividends",
        )


def check_extra(symbol: str, close_time: Int, name: str, column: Extra) -> None:
    """Refuse a joined column of another length, or one that its bars could not have known.

    Parameters
    ----------
    symbol : str
        Whose bars.
    close_time : ndarray of int64
        When each bar is known.
    name : str
        Name of the column.
    column : Extra
        Its numbers and when they became known.
    """
    if name in COLUMNS or not isinstance(column, Extra):
        raise UsageError(
            f"{symbol}: {name!r} cannot be a joined column",
            expected=f"an Extra, under another name than {', '.join(COLUMNS)}",
            got=f"{type(column).__name__} {name!r}",
            hint="bars.with_extra(name, values, known_at), which makes one",
        )
    shapes = {f"extra {name}": column.values, f"known_at of {name}": column.known_at}
    check_shapes(symbol, {"time": close_time, **shapes})
    early = (column.known_at > close_time) & ~np.isnan(column.values)
    if early.any():
        row = int(np.argmax(early))
        raise UsageError(
            f"{symbol}: extra {name!r} looks ahead in row {row}",
            expected=f"known by {from_ns(close_time[row]).isoformat()}",
            got=f"known at {from_ns(column.known_at[row]).isoformat()}",
            hint="bars.with_extra(name, values, known_at), which joins by time",
        )
