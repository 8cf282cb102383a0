"""What was handed in for each asset, read as bars; or why it cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .._core.bars import Bars
from .._core.errors import NoDataError, TradekitError, UsageError

Entries = Mapping[str, Any]


def read_entries(
    entries: Entries, now: datetime
) -> tuple[dict[str, Bars], dict[str, TradekitError]]:
    """Read what came for each asset.

    Parameters
    ----------
    entries : mapping of str to DataFrame, Bars or None
        By symbol.
    now : datetime
        Later bars are not complete, and left out.

    Returns
    -------
    dict of str to Bars
        All of one timeframe, that of the first.
    dict of str to TradekitError
        Why the others cannot be used.

    Raises
    ------
    UsageError
        When there is no asset, or something else than bars.
    """
    _check(entries)
    read: dict[str, Bars] = {}
    unusable: dict[str, TradekitError] = {}
    for name, entry in entries.items():
        try:
            bars = _bars(name, entry).until(now)
            _check_bars(name, bars, next(iter(read.values()), bars))
            read[name] = bars
        except (NoDataError, UsageError) as error:
            unusable[name] = error
    return read, unusable


def _check(entries: Any) -> None:
    if not isinstance(entries, Mapping) or not entries:
        expected, got = "bars by symbol", repr(entries)[:80]
    elif odd := [name for name, entry in entries.items() if not _may_be_bars(entry)]:
        expected, got = "a DataFrame, Bars or None each", f"a {type(entries[odd[0]]).__name__}"
    else:
        return
    hint = "detect_market_regime({'SPY': frame})"
    raise UsageError("no market to look at", expected=expected, got=got, hint=hint)


def _may_be_bars(entry: Any) -> bool:
    return entry is None or isinstance(entry, Bars) or hasattr(entry, "columns")


def _bars(name: str, entry: Any) -> Bars:
    if entry is None or not len(entry):
        got = "None" if entry is None else "no rows"
        raise NoDataError(f"{name}: nothing came", expected="bars", got=got, symbol=name)
    bars = entry if isinstance(entry, Bars) else Bars.from_frame(entry, name)
    if bars.symbol != name:
        hint = f"{{{bars.symbol!r}: bars}}"
        raise UsageError(f"{name}: bars of another", expected=name, got=bars.symbol, hint=hint)
    return bars


def _check_bars(name: str, bars: Bars, first: Bars) -> None:
    if not len(bars):
        expected, hint = "bars that are over", "clock= says what time it is"
        raise NoDataError(f"{name}: no bar is complete yet", expected=expected, hint=hint)
    if bars.timeframe != first.timeframe:
        raise UsageError(
            f"{name}: another timeframe",
            expected=f"{first.timeframe}, as {first.symbol}",
            got=str(bars.timeframe),
            hint="one timeframe for all",
        )
