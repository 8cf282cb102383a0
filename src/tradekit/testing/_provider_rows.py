"""Bars on their way to a client, and what can be wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

import attrs
import numpy as np
import numpy.typing as npt

from .._core.bars import Bars
from .._core.calendar import Calendar, calendar_for
from .._core.columns import Dates, Float, Int
from .._core.faults import COLUMNS
from .._core.timeframe import Timeframe

PAIR = "/"  # between two currencies, which trade around the clock
PRICES = ("open", "high", "low", "close")
OTHER = "ZVZZT"  # the exchanges' own test symbol: nobody asks for it
_MINUTE = 60 * 10**9
_QUIET = 0.05  # share of minutes without a trade on IEX
_SHARE = (0.02, 0.04)  # of the volume of all exchanges


def calendar_of(symbol: str) -> Calendar:
    """Give the days of a stock, or of a pair of currencies (``BTC/USD``)."""
    return calendar_for("24/7" if PAIR in symbol else "XNYS")


@attrs.frozen(eq=False)
class Rows:
    """Columns of one symbol, which may be as wrong as they like, unlike `Bars`.

    Parameters
    ----------
    symbol : str
        Whose they claim to be.
    time : ndarray of int64, shape (n,)
        Labels, nanoseconds since 1970 UTC.
    columns : dict of str to ndarray of float64, shape (n,)
        Prices, ``volume``, and ``adjclose`` for who sends both; NaN is a value that is left out.
    """

    symbol: str
    time: Int
    columns: Mapping[str, Float]

    @classmethod
    def of(cls, bars: Bars) -> Rows:
        """Take what is true."""
        return cls(bars.symbol, bars.time, {name: getattr(bars, name) for name in COLUMNS})

    def __len__(self) -> int:
        return len(self.time)

    @property
    def dates(self) -> Dates:
        """The day that each row belongs to."""
        return calendar_of(self.symbol).dates(self.time)

    def take(self, rows: npt.NDArray[Any] | slice) -> Rows:
        """Keep some rows, in the order in which they are named."""
        kept = {name: column[rows] for name, column in self.columns.items()}
        return attrs.evolve(self, time=self.time[rows], columns=kept)

    def times(self, factor: Float | float, volume: Float | float = 1.0) -> Rows:
        """Multiply prices and volume."""
        changed = {
            name: column * (volume if name == "volume" else factor)
            for name, column in self.columns.items()
        }
        return attrs.evolve(self, columns=changed)

    def put(self, **columns: Float) -> Rows:
        """Put other columns in place."""
        return attrs.evolve(self, columns={**self.columns, **columns})


def on_iex(rows: Rows, timeframe: Timeframe, seed: int) -> Rows:
    """Keep what one exchange sees: some minutes without a trade, a few percent of the volume.

    Which ones depends on the minutes themselves, so that every answer, of whatever window, tells
    the same; a longer bar is missing when all its minutes are.
    """
    minutes = max(1, timeframe.seconds // 60) if timeframe.is_intraday else 1
    each = rows.time[:, None] + _MINUTE * np.arange(minutes)
    key = np.random.SeedSequence([seed, crc32(rows.symbol.encode())]).generate_state(1, np.uint64)
    luck = _mixed(each.astype(np.uint64) ^ key)
    low, high = _SHARE
    share = low + (high - low) * _mixed(each[:, 0].astype(np.uint64) + key)
    seen = rows.put(volume=np.floor(rows.columns["volume"] * share))
    return seen.take(np.any(luck >= _QUIET, axis=1)) if timeframe.is_intraday else seen


def _mixed(numbers: npt.NDArray[np.uint64]) -> Float:
    """Numbers from 0 to 1 that look random, of numbers in any order (splitmix64)."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray((mixed ^ (mixed >> np.uint64(31))) / 2.0**64)


def _no_rows(rows: Rows, _: np.random.Generator) -> Rows:
    return rows.take(slice(0, 0))


def _missing_fields(rows: Rows, rng: np.random.Generator) -> Rows:
    return _at_one(rows, rng, close=np.nan)


def _stale_day(rows: Rows, _: np.random.Generator) -> Rows:
    return rows.take(rows.dates < rows.dates.max())


def _missing_tail(rows: Rows, _: np.random.Generator) -> Rows:
    return rows.take(slice(0, len(rows) * 3 // 5))


def _price_x100(rows: Rows, rng: np.random.Generator) -> Rows:
    factor = np.ones(len(rows))
    factor[rng.integers(len(rows))] = 100.0
    return rows.times(factor)


def _swapped_high_low(rows: Rows, rng: np.random.Generator) -> Rows:
    high, low = rows.columns["high"], rows.columns["low"]
    moving = np.flatnonzero(high > low)
    if not len(moving):
        return rows
    row = rng.choice(moving)
    here = np.arange(len(rows)) == row
    return rows.put(high=np.where(here, low, high), low=np.where(here, high, low))


def _plausible_shift(rows: Rows, rng: np.random.Generator) -> Rows:
    shifted = rows.times(1 + rng.choice([-1.0, 1.0]) * rng.uniform(0.005, 0.02))
    prices = [name for name in rows.columns if name != "volume"]
    # Digits that no trade has would tell.
    return shifted.put(**{n: _like(rows.columns[n], shifted.columns[n]) for n in prices})


def _like(true: Float, changed: Float) -> Float:
    """Round as prices of trades are, to hundredths of a cent; adjusted ones are not."""
    return np.round(changed, 4) if np.array_equal(np.round(true, 4), true) else changed


def _unadjusted_split(rows: Rows, rng: np.random.Generator) -> Rows:
    """Give prices before a 4-for-1 split as they were traded; it lies between two sessions."""
    nights = np.flatnonzero(np.diff(rows.dates).astype(np.int64)) + 1
    cut = rng.choice(nights) if len(nights) else rng.integers(1, len(rows) + 1)
    before = np.arange(len(rows)) < cut
    return rows.times(np.where(before, 4.0, 1.0), np.where(before, 0.25, 1.0))


def _duplicate_rows(rows: Rows, rng: np.random.Generator) -> Rows:
    again = rng.choice(len(rows), size=-(-len(rows) // 20), replace=False)
    return rows.take(np.sort(np.concatenate([np.arange(len(rows)), again])))


def _out_of_order(rows: Rows, rng: np.random.Generator) -> Rows:
    if len(rows) < 2:
        return rows
    return rows.take(np.roll(np.arange(len(rows)), rng.integers(1, len(rows))))


def _wrong_symbol(rows: Rows, rng: np.random.Generator) -> Rows:
    return attrs.evolve(rows.times(rng.uniform(0.2, 0.5)), symbol=OTHER)


def _at_one(rows: Rows, rng: np.random.Generator, **values: float) -> Rows:
    row = rng.integers(len(rows))
    here = np.arange(len(rows)) == row
    return rows.put(**{n: np.where(here, v, rows.columns[n]) for n, v in values.items()})


BENT: Mapping[str, Callable[[Rows, np.random.Generator], Rows]] = {
    "no_rows": _no_rows,
    "missing_fields": _missing_fields,
    "stale_day": _stale_day,
    "missing_tail": _missing_tail,
    "price_x100": _price_x100,
    "swapped_high_low": _swapped_high_low,
    "plausible_shift": _plausible_shift,
    "unadjusted_split": _unadjusted_split,
    "duplicate_rows": _duplicate_rows,
    "out_of_order": _out_of_order,
    "wrong_symbol": _wrong_symbol,
}


def bent(rows: Rows, fault: str | None, rng: np.random.Generator) -> Rows:
    """Make rows wrong, if the fault is one of theirs; nothing is wrong with no rows."""
    bend = BENT.get(fault) if fault and len(rows) else None
    return rows if bend is None else bend(rows, rng)
