"""Bars to try things on: made from a seed, rich enough that most detectors say something."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.clock import from_ns
from .._core.columns import Float, Int
from .._core.faults import COLUMNS, PRICES
from .._core.timeframe import Timeframe

# Each market begins where its first bars hold a half day or a daylight-saving change (2024-11-03)
# and the turn of a month, so that whoever looks at the calendar is tried as well.
_DAYS, _HALF_DAY, _CLOCK_CHANGE = (
    np.datetime64(d) for d in ("2024-10-01", "2024-12-20", "2024-10-29")
)

_MANY = 250  # more than most detectors need to warm up


def kit_bars(seed: int, length: int, *, intraday: bool = False) -> tuple[Bars, ...]:
    """Make the markets on which the kit tries a subclass.

    Parameters
    ----------
    seed : int
        The same seed gives the same bars.
    length : int
        So many bars each, but for the few that are missing in the last one.
    intraday : bool
        Leave out daily bars.

    Returns
    -------
    tuple of Bars
        Daily bars with jumps and with trends, 5-minute bars with a half day, and others with
        missing bars. Nobody else holds their arrays.
    """
    markets = _markets(seed, length)
    return tuple(rebuilt(bars) for bars in markets if bars.timeframe.is_intraday or not intraday)


@lru_cache(maxsize=4)
def _markets(seed: int, length: int) -> tuple[Bars, ...]:
    rng = np.random.default_rng(seed)
    days = _labels("1Day", _DAYS, length)
    minutes, later = (_labels("5Min", start, length) for start in (_HALF_DAY, _CLOCK_CHANGE))
    return (
        _market(rng, "JUMPS", "1Day", days, swing=0.02, trend=0.0),
        _market(rng, "TRENDS", "1Day", days, swing=0.05, trend=0.3),
        _market(rng, "MINUTES", "5Min", minutes, swing=0.01, trend=0.0),
        _with_holes(rng, _market(rng, "HOLES", "5Min", later, swing=0.01, trend=0.02), length),
    )


def flat_bars(length: int, timeframe: str = "1Day", *, volume: float = 1000.0) -> Bars:
    """Make a market that stands still.

    Parameters
    ----------
    length : int
        Number of bars.
    timeframe : str
        Their length.
    volume : float
        Of every bar.

    Returns
    -------
    Bars
        Every price is 100.
    """
    price, traded = np.full(length, 100.0), np.full(length, volume)
    time = _labels(timeframe, _DAYS, length)[:length]
    return Bars("FLAT", timeframe, time, price, price, price, price, traded, source="kit")


def odd_bars(*timeframes: str) -> Iterator[tuple[str, Bars]]:
    """Make bars that are rare but true: hardly any, no movement, no trade, very small, very large.

    Parameters
    ----------
    *timeframes : str
        Of which length.

    Yields
    ------
    str, Bars
        What they are, in words, and the bars.
    """
    for timeframe in timeframes:
        for length in (0, 1, 2, 3):
            yield f"{length} {timeframe} bars", flat_bars(length, timeframe)
        yield f"flat {timeframe} bars", flat_bars(_MANY, timeframe)
        yield f"{timeframe} bars without a trade", flat_bars(_MANY, timeframe, volume=0.0)
        yield f"{timeframe} bars of unknown volume", flat_bars(_MANY, timeframe, volume=np.nan)
        moving = next(bars for bars in kit_bars(0, _MANY) if bars.timeframe == timeframe)
        for what, factor in (("hundredths of a cent", 1e-6), ("millions", 1e6)):
            prices = {name: getattr(moving, name) * factor for name in PRICES}
            yield f"{timeframe} bars at {what}", altered(moving, **prices)


def altered(bars: Bars, **columns: Float) -> Bars:
    """Give the same bars with other columns.

    Parameters
    ----------
    bars : Bars
        Whose times and provenance stay.
    **columns : ndarray
        By name.

    Returns
    -------
    Bars
        New bars, checked.
    """
    return bars._replace(**columns)


def shaken(bars: Bars, rng: np.random.Generator) -> Bars:
    """Move the prices of each bar together, by about a millionth.

    Parameters
    ----------
    bars : Bars
        Left as they are.
    rng : numpy.random.Generator
        Decides which way.

    Returns
    -------
    Bars
        Nearly the same.
    """
    factor = 1 + 1e-6 * rng.standard_normal(len(bars))
    return altered(bars, **{name: getattr(bars, name) * factor for name in PRICES})


def rebuilt(bars: Bars, symbol: str | None = None) -> Bars:
    """Give equal bars that share no array and no indicator with these.

    Parameters
    ----------
    bars : Bars
        Left as they are, whatever is done to the answer.
    symbol : str, optional
        Another name for them.

    Returns
    -------
    Bars
        Equal ones, but for the name.
    """
    columns = {name: getattr(bars, name).copy() for name in COLUMNS}
    return bars._replace(symbol=symbol or bars.symbol, **columns)


def difference(wanted: Bars, got: Bars) -> str:
    """Tell how bars differ: in their span, in the first number, or in where they come from.

    Parameters
    ----------
    wanted, got : Bars
        Not equal.

    Returns
    -------
    str
        About ``got``.
    """
    if not np.array_equal(wanted.time, got.time):
        return f"{got!r}"
    for name in COLUMNS:
        one, two = getattr(wanted, name), getattr(got, name)
        if not np.array_equal(one, two, equal_nan=True):
            row = int(np.argmax(~((one == two) | (np.isnan(one) & np.isnan(two)))))
            when = f"{from_ns(got.time[row]):%Y-%m-%d %H:%M} UTC"
            return f"{name} {two[row]} instead of {one[row]} in row {row} ({when})"
    return f"{got!r}, with other facts or joined columns"


def _labels(timeframe: str, start: np.datetime64, length: int) -> Int:
    calendar, frame = calendar_for(), Timeframe(timeframe)
    first = int(np.searchsorted(calendar.sessions, start))
    if not frame.is_intraday:
        return calendar.midnights[first : first + length]
    sessions = range(first, first + length // 42 + 1)  # a half day has 42 bars of 5 minutes
    spans = [np.arange(calendar.opens[s], calendar.closes[s], frame.ns) for s in sessions]
    return np.concatenate(spans)[:length]


def _market(
    rng: np.random.Generator, symbol: str, timeframe: str, time: Int, *, swing: float, trend: float
) -> Bars:
    """A random walk with jumps, gaps, bursts and changing volatility, around swings and trends."""
    n, row, scale = len(time), np.arange(len(time)), 0.01 if timeframe == "1Day" else 0.002
    calm = np.exp(0.5 * np.sin(row / 37 + rng.uniform(0, 6)))
    steps = rng.standard_t(4, n) * scale * calm + _rare(rng, n, 0.01, 8 * scale)
    gaps = rng.standard_normal(n) * scale / 3 + _overnight(rng, time, timeframe)
    course = swing * np.sin(row / 9 + rng.uniform(0, 6)) + trend * np.sin(row / 60)
    closes = np.cumsum(steps + gaps) + course
    close = 100 * np.exp(closes)
    opened = np.append(close[0], close[:-1]) * np.exp(gaps)
    reach = np.abs(rng.standard_normal((2, n))) * scale / 2
    high = np.maximum(opened, close) * np.exp(reach[0])
    low = np.minimum(opened, close) * np.exp(-reach[1])
    busy = rng.standard_normal(n) * 0.4 + 30 * np.abs(steps) + np.abs(_rare(rng, n, 0.02, 1.5))
    volume = np.round(1e5 * np.exp(busy))
    # Not in cents: there two averages are often equal, and rounding decides which is larger.
    return Bars(symbol, timeframe, time, opened, high, low, close, volume, source="kit")


def _rare(rng: np.random.Generator, n: int, share: float, scale: float) -> Float:
    return np.where(rng.random(n) < share, rng.standard_normal(n) * scale, 0.0)


def _overnight(rng: np.random.Generator, time: Int, timeframe: str) -> Float:
    """Jumps between sessions: at a tenth of the days, or at the first bar of each."""
    if timeframe == "1Day":
        return _rare(rng, len(time), 0.1, 0.03)
    session = calendar_for().session(time, Timeframe(timeframe))
    return np.where(np.diff(session, prepend=-1), rng.standard_normal(len(time)) * 0.01, 0.0)


def _with_holes(rng: np.random.Generator, bars: Bars, length: int) -> Bars:
    """Take out three stretches, far enough apart that a detector can warm up in between."""
    keep = np.ones(len(bars), dtype=bool)
    for third in range(3):
        at = third * length // 3 + int(rng.integers(2, length // 8))
        keep[at : at + int(rng.integers(1, 4))] = False
    columns = {name: getattr(bars, name)[keep] for name in ("time", *PRICES, "volume")}
    return altered(bars, **columns)
