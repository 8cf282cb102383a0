"""Other futures of the same past, and prices upside down."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .._core.bars import Bars
from .._core.columns import Extra, Float
from .._core.faults import COLUMNS
from ._series import altered

# What depends on times alone stays known when only prices change.
_OF_TIME = ("close_time", "gap_before", "session")


def poisoned(bars: Bars, row: int) -> Iterator[Bars]:
    """Change everything from a row on, in two ways: what was said before must not change.

    The two differ in all that a peek could look for: direction, gap, body, shadows, range, volume
    and every joined column.

    Parameters
    ----------
    bars : Bars
        Left as they are.
    row : int
        First row that changes, from 1.

    Yields
    ------
    Bars
        The same past; a future three times as high that swings twice as far, with long shadows
        and thirty times the volume; and one a third as high, upside down, hardly a shadow, quiet.
    """
    past = bars.close[row - 1]
    opened, close = (price[row:] / past for price in (bars.open, bars.close))
    up, down = 3 * past * close**2, past / 3 * np.stack([opened, close]) ** -0.25
    yield _spliced(bars, row, (0.9999 * up, 1.1 * up, 0.9 * up, up), volume=30.0, side=1.0)
    still = (down[0], 1.0001 * down.max(axis=0), 0.9999 * down.min(axis=0), down[1])
    yield _spliced(bars, row, still, volume=1 / 30, side=-1.0)


def _spliced(
    bars: Bars, row: int, prices: tuple[Float, ...], *, volume: float, side: float
) -> Bars:
    later = (*prices, bars.volume[row:] * volume)
    columns = {
        name: np.concatenate([getattr(bars, name)[:row], new])
        for name, new in zip(COLUMNS, later, strict=True)
    }
    for column in columns.values():
        column.flags.writeable = False
    extra = {name: _other(column, row, side) for name, column in bars.extra.items()}
    kept = {name: bars._memo[name] for name in _OF_TIME if name in bars._memo}
    # Valid by construction, and made by the hundred.
    return bars._bare({**columns, "_extra": extra}, kept, None)


def _other(column: Extra, row: int, side: float) -> Extra:
    values = column.values.copy()
    values[row:] += side * (1 + np.abs(values[row:]))
    return Extra(values, column.known_at)


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
