"""Bars to try things on: made from a seed, rich enough that most detectors say something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.columns import Bool, Float, Int
from .._core.faults import PRICES
from .._core.timeframe import Timeframe

# Sessions that hold a daylight-saving change (2024-11-03) and half days (2024-11-29, 2024-12-24).
_START = np.datetime64("2024-10-01")


def kit_bars(seed: int, length: int) -> tuple[Bars, ...]:
    """Make the markets on which the kit tries a subclass.

    Parameters
    ----------
    seed : int
        The same seed gives the same bars.
    length : int
        At least so many bars each.

    Returns
    -------
    tuple of Bars
        Daily and 5-minute bars: jumps and fat tails, swings, a missing bar here and there.
    """
    rng = np.random.default_rng(seed)
    days, minutes = _labels("1Day", length), _labels("5Min", length)
    return (
        _market(rng, "JUMPS", "1Day", days, swing=0.0),
        _market(rng, "SWINGS", "1Day", days, swing=0.05),
        _market(rng, "MINUTES", "5Min", minutes, swing=0.02),
        _with_holes(rng, _market(rng, "HOLES", "5Min", minutes, swing=0.02), length),
    )


def flat_bars(length: int, timeframe: str = "1Day") -> Bars:
    """Make a market that stands still.

    Parameters
    ----------
    length : int
        Number of bars.
    timeframe : str
        Their length.

    Returns
    -------
    Bars
        Every price is 100, every volume 1000.
    """
    price, volume = np.full(length, 100.0), np.full(length, 1000.0)
    time = _labels(timeframe, length)[:length]
    return Bars("FLAT", timeframe, time, price, price, price, price, volume, source="kit")


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


def poisoned(bars: Bars, row: int) -> Iterator[Bars]:
    """Change everything from a row on, in three ways: what was said before must not change.

    Parameters
    ----------
    bars : Bars
        Left as they are.
    row : int
        First row that changes, from 1.

    Yields
    ------
    Bars
        The same past; a future three times as high, one a third as high, one upside down.
    """
    later = np.arange(len(bars)) >= row
    for price, volume in ((3.0, 30.0), (1 / 3, 10 / 3)):
        grown = {name: getattr(bars, name) * price for name in PRICES}
        yield _spliced(bars, later, {**grown, "volume": bars.volume * volume})
    turned = mirrored(bars, "geometric")
    joint = bars.close[row - 1] / turned.close[row - 1]
    yield _spliced(bars, later, {name: getattr(turned, name) * joint for name in PRICES})


def _spliced(bars: Bars, later: Bool, columns: Mapping[str, Float]) -> Bars:
    return altered(
        bars, **{name: np.where(later, new, getattr(bars, name)) for name, new in columns.items()}
    )


def mirrored(bars: Bars, kind: str) -> Bars:
    """Turn prices upside down: what rose falls as far.

    Parameters
    ----------
    bars : Bars
        Left as they are.
    kind : {"arithmetic", "geometric"}
        ``c - p``, or ``c / p``.

    Returns
    -------
    Bars
        Highs and lows change places.
    """
    least, most = bars.low.min(), bars.high.max()

    def turn(price: Float) -> Float:
        return np.asarray(least + most - price if kind == "arithmetic" else least * most / price)

    return altered(
        bars, open=turn(bars.open), high=turn(bars.low), low=turn(bars.high), close=turn(bars.close)
    )


def _labels(timeframe: str, length: int) -> Int:
    calendar, frame = calendar_for(), Timeframe(timeframe)
    first = int(np.searchsorted(calendar.sessions, _START))
    if not frame.is_intraday:
        return calendar.midnights[first : first + length]
    sessions = range(first, first + length // 42 + 1)  # a half day has 42 bars of 5 minutes
    starts = [np.arange(calendar.opens[s], calendar.closes[s], frame.ns) for s in sessions]
    return np.concatenate(starts)


def _market(rng: np.random.Generator, symbol: str, timeframe: str, time: Int, swing: float) -> Bars:
    """A random walk with jumps and changing volatility, around a slow swing."""
    n, scale = len(time), 0.01 if timeframe == "1Day" else 0.002
    calm = np.exp(0.5 * np.sin(np.arange(n) / 37 + rng.uniform(0, 6)))
    steps = rng.standard_t(4, n) * scale * calm
    steps += np.where(rng.random(n) < 0.01, rng.standard_normal(n) * 8 * scale, 0)
    wave = swing * np.sin(np.arange(n) / 9 + rng.uniform(0, 6))
    close = 100 * np.exp(np.cumsum(steps) + wave)
    opened = np.append(100.0, close[:-1]) * np.exp(rng.standard_normal(n) * scale / 3)
    reach = np.abs(rng.standard_normal((2, n))) * scale / 2
    high = np.maximum(opened, close) * np.exp(reach[0])
    low = np.minimum(opened, close) * np.exp(-reach[1])
    volume = np.round(1e5 * np.exp(rng.standard_normal(n) * 0.4 + 30 * np.abs(steps)))
    return Bars(symbol, timeframe, time, opened, high, low, close, volume, source="kit")


def _with_holes(rng: np.random.Generator, bars: Bars, length: int) -> Bars:
    """Take out three stretches, far enough apart that a detector can warm up in between."""
    keep = np.ones(len(bars), dtype=bool)
    for third in range(3):
        at = third * length // 3 + int(rng.integers(2, length // 8))
        keep[at : at + int(rng.integers(1, 4))] = False
    columns = {name: getattr(bars, name)[keep] for name in ("time", *PRICES, "volume")}
    return altered(bars, **columns)
