"""Lines: what indicators compute from columns of bars, kept once it is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from .columns import Bool, Float
from .errors import UsageError
from .faults import COLUMNS

if TYPE_CHECKING:
    from .bars import Bars

RANGE = ("high", "low", "close")
_LONGEST = 100_000  # TA-Lib knows no longer period


@attrs.frozen
class Need:
    """How much history an indicator wants.

    Parameters
    ----------
    lookback : int
        Bars after which a value agrees with the one from full history: to the last digits for
        windows, to four digits for averages that never quite forget.
    recursive : bool
        Whether it carries state from bar to bar, so that a gap restarts its warm-up.
    """

    lookback: int
    recursive: bool


class Lines:
    """Columns of bars, and the lines computed from them; what all indicators share.

    Parameters
    ----------
    bars : Bars
        What to look at.
    cache : dict, optional
        Lines so far, shared by views of the same rows.
    touched : dict, optional
        Learns the `Need` of each indicator that is asked for, known before or not.
    """

    __slots__ = ("_bars", "_cache", "_touched")

    def __init__(
        self,
        bars: Bars,
        cache: dict[tuple[Any, ...], tuple[Float, ...]] | None = None,
        touched: dict[tuple[Any, ...], Need] | None = None,
    ) -> None:
        self._bars = bars
        self._cache = {} if cache is None else cache
        self._touched = touched

    def _kept(
        self, key: tuple[Any, ...], need: Need, compute: Callable[[], tuple[Float, ...]]
    ) -> tuple[Float, ...]:
        found = self._cache.get(key)
        if found is None:
            found = self._cache.setdefault(key, compute())  # equal, whichever thread came first
        if self._touched is not None:
            self._touched[key] = need
        return found

    def _lines(
        self,
        key: tuple[Any, ...],
        need: Need,
        compute: Callable[..., Any],
        names: tuple[str, ...],
        least: int,
        outputs: int = 1,
    ) -> tuple[Float, ...]:
        if not isinstance(names[0], str):
            raise self._no_such_column(key[0], names[0])

        def lines() -> tuple[Float, ...]:
            columns = [self._column(key[0], name) for name in names]
            # The calendar behind gap_before is dear: windows do without it.
            breaks = self._bars.gap_before if need.recursive else None
            return over_runs(compute, columns, outputs=outputs, least=least, breaks=breaks)

        return self._kept(key, need, lines)

    def _column(self, method: str, name: str) -> Float:
        bars = self._bars
        if name in COLUMNS:
            return np.asarray(getattr(bars, name))
        if name == "hl2":
            return (bars.high + bars.low) / 2
        if name == "hlc3":
            return (bars.high + bars.low + bars.close) / 3
        if name in bars.extra:
            return bars.extra[name].values
        raise self._no_such_column(method, name)

    def _no_such_column(self, method: str, name: object) -> UsageError:
        return UsageError(
            f"bars.ind.{method}: no such column",
            expected=f"one of {', '.join((*COLUMNS, 'hl2', 'hlc3', *self._bars.extra))}",
            got=f"of={name!r}",
            hint="bars.with_extra(name, values, known_at) joins a column of your own",
        )


@cache
def talib() -> Any:
    """Load TA-Lib when the first indicator is asked for.

    Returns
    -------
    module
        TA-Lib's function API, which takes float64 arrays.

    Examples
    --------
    >>> talib().SMA(np.array([1.0, 2.0, 6.0]), 3)
    array([nan, nan,  3.])
    """
    import talib as library

    return library


def over_runs(
    compute: Callable[..., Any],
    columns: Sequence[Float],
    *,
    outputs: int = 1,
    least: int = 1,
    breaks: Bool | None = None,
) -> tuple[Float, ...]:
    """Compute each run of known rows by itself, so that nothing unknown reaches TA-Lib.

    NaN or infinite inputs are undefined behaviour in TA-Lib, and one of them would spoil every
    later row. Here a run ends before such a row and the next one starts from nothing.

    Parameters
    ----------
    compute : callable
        Takes one array per column, a run each, and gives `outputs` arrays of that length.
    columns : sequence of ndarray of float64, each of shape (n,)
        Inputs; a row is known where all of them are finite.
    outputs : int
        How many arrays `compute` gives.
    least : int
        Rows that `compute` needs for its first value; shorter runs are left out.
    breaks : ndarray of bool, shape (n,), optional
        True at rows that start a new run although the row before is known too.

    Returns
    -------
    tuple of ndarray of float64, each of shape (n,)
        Read-only; NaN outside runs and where `compute` gives NaN.

    Examples
    --------
    >>> over_runs(np.cumsum, [np.array([1.0, 2.0, np.nan, 3.0, 4.0])])
    (array([ 1.,  3., nan,  3.,  7.]),)
    """
    known = np.isfinite(columns[0])
    for column in columns[1:]:
        known = known & np.isfinite(column)
    rows = np.full((outputs, len(known)), np.nan)
    for start, stop in _runs(known, breaks, least):
        rows[:, start:stop] = compute(*(column[start:stop] for column in columns))
    rows.flags.writeable = False
    return tuple(rows)


def _runs(known: Bool, breaks: Bool | None, least: int) -> Iterator[tuple[int, int]]:
    if known.all() and (breaks is None or not breaks.any()):  # as a rule, and windows are many
        return iter([(0, len(known))] if len(known) >= least else [])
    first = known.copy()
    first[1:] &= ~known[:-1] if breaks is None else ~known[:-1] | breaks[1:]
    last = known.copy()
    last[:-1] &= ~known[1:] | first[1:]
    starts, stops = np.flatnonzero(first), np.flatnonzero(last) + 1
    long = stops - starts >= least
    return zip(starts[long].tolist(), stops[long].tolist(), strict=True)


def whole(method: str, name: str, value: Any, least: int) -> int:
    """Check a number of bars that was handed to an indicator.

    Parameters
    ----------
    method, name : str
        Indicator and parameter, for the error.
    value : int
        What came.
    least : int
        What it must be at least.

    Returns
    -------
    int
        The same number.

    Raises
    ------
    UsageError
        When it is no whole number, or out of range.

    Examples
    --------
    >>> whole("rsi", "period", np.int64(14), 2)
    14
    """
    right_kind = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if right_kind and least <= value <= _LONGEST:
        return int(value)
    raise UsageError(
        f"bars.ind.{method}: impossible {name}",
        expected=f"a whole number of bars from {least} to {_LONGEST:,}",
        got=f"{name}={value!r}",
        hint=f"bars.ind.{method}({name}={max(least, 14)})",
    )
