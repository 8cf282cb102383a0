"""What the simulated exchange prints: days on its sessions, and minutes that add up to them."""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import Any

import attrs
import numpy as np

from .._core.calendar import Calendar, calendar_for
from .._core.timeframe import Timeframe
from . import _market as market
from ._regimes import Float, Int, excursions, frozen, stream

DRAWS = 16  # paths drawn, each used in four ways; that whose extremes come nearest is kept
BETWEEN = 0.03  # share of a minute's variance between its predecessor's last trade and its first
LEADER, FOLLOWING = "SPY", 0.95  # whose minutes lead all others, at most so closely
MINUTE_NS, FULL_DAY = 60_000_000_000, 390


@attrs.frozen(eq=False)
class History:
    """Raw daily bars of one symbol on its sessions, and what changes its adjusted prices."""

    first: int  # row of the calendar
    table: Float  # shape (5, n): open, high, low, close, volume
    sigma: Float  # shape (n,): how much each day was going to move, in dollars
    splits: Float  # shape (n,): new shares per old share, 1 on ordinary days
    dividends: Float  # shape (n,): dollars per share, 0 on ordinary days
    news: Int  # rows of the calendar

    def adjustment(self, known: int, kind: str) -> tuple[Float, Float]:
        """Factors for prices and volumes of the first ``known`` sessions, seen from their end.

        The standard backward kind: a split of r divides earlier prices by r, a dividend of D
        multiplies them by 1 - D / (the close before), both in shares of the ex-date.
        """
        shares, cash = np.ones(known), np.ones(known)
        if kind != "raw":
            shares[:-1] = np.cumprod(self.splits[1:known][::-1])[::-1]
        if kind == "all":
            before = self.table[3, : known - 1] / self.splits[1:known]
            cash[:-1] = np.cumprod((1 - self.dividends[1:known] / before)[::-1])[::-1]
        return cash / shares, shares


def nyse() -> Calendar:
    return calendar_for("XNYS")


@cache
def weekday_rows() -> Int:
    """The weekday row of each session of the calendar; negative before the simulated market."""
    return frozen(market.rows_of(nyse().sessions))


@cache
def _lengths() -> Int:
    """Minutes of each session."""
    return frozen((nyse().closes - nyse().opens) // MINUTE_NS)


def bars_per_session(timeframe: Timeframe, span: slice) -> Int:
    return -(-_lengths()[span] * 60 // timeframe.seconds)


def life(who: market.Company) -> tuple[int, int]:
    """Calendar rows of a symbol's first session and of the one after its last."""
    first, last = weekday_rows().searchsorted([who.start, who.stop])
    return int(first), int(last)


def history(seed: int, who: market.Company, session: int) -> History:
    """What happened to a symbol up to a session (a row of the calendar), and a little beyond."""
    row = int(weekday_rows()[min(session, len(weekday_rows()) - 1)])
    return _history(seed, who, (row // market.YEAR + 1) * market.YEAR)


@lru_cache(maxsize=256)
def _history(seed: int, who: market.Company, stop: int) -> History:
    days = market.days(seed, who, stop)
    first, last = weekday_rows().searchsorted([days.start, days.start + len(days.volume)])
    rows = weekday_rows()[first:last]
    table = np.take(np.vstack([days.prices, days.volume]), rows - days.start, axis=1)
    sigma = days.sigma[rows - days.start] * table[0]
    # A half day trades for half a day.
    table[4] = np.rint(table[4] * _lengths()[first:last] / FULL_DAY)
    splits, dividends = np.ones(len(rows)), np.zeros(len(rows))
    for row, ratio in days.splits:
        splits[rows.searchsorted(row) :][:1] *= ratio
    paid = rows.searchsorted(days.dividends)
    paid = paid[(paid > 0) & (paid < len(rows))]
    dividends[paid] = np.round(who.dividend / 4 * table[3, paid - 1] / splits[paid], 4)
    news = rows.searchsorted(days.news)
    news = first + np.unique(news[news < len(rows)])
    return History(int(first), *map(frozen, (table, sigma, splits, dividends, news)))


def minute_table(seed: int, who: market.Company, span: slice) -> tuple[Int, Float, Int]:
    """Times, raw open, high, low, close and volume (5, n), and the minutes of each session."""
    sizes, opens = _lengths()[span], nyse().opens[span]
    parts = [_session(seed, who, session) for session in range(span.start, span.stop)]
    steps = MINUTE_NS * np.arange(sizes.max())
    times = [opened + steps[:size] for opened, size in zip(opens, sizes, strict=True)]
    return np.concatenate(times), np.concatenate(parts, axis=1), sizes


def _session(seed: int, who: market.Company, session: int) -> Float:
    if who.symbol == LEADER:
        return _leading(seed, session)[0]
    return _drawn(seed, who, session, _leading(seed, session)[1], min(who.share, FOLLOWING))[0]


@lru_cache(maxsize=512)
def _leading(seed: int, session: int) -> tuple[Float, Float]:
    leader, silence = market.company(seed, LEADER), np.zeros(_lengths()[session])
    return _drawn(seed, leader, session, silence, 0.0)


def _drawn(
    seed: int, who: market.Company, session: int, noise: Float, share: float
) -> tuple[Float, Float]:
    past = history(seed, who, session)
    day, row = session - past.first, int(weekday_rows()[session])
    rng, count = stream(seed, "minutes", who.symbol, row), int(_lengths()[session])
    return minutes(rng, past.table[:, day], float(past.sigma[day]), count, noise, share)


def minutes(
    rng: np.random.Generator, day: Float, sigma: float, count: int, others: Float, share: float
) -> tuple[Float, Float]:
    """Open, high, low, close and volume of each minute, shape (5, count), adding up to the day.

    ``day`` holds its raw open, high, low, close and volume, ``sigma`` is its standard deviation
    in dollars; ``share`` is the correlation with the noise behind others' minutes. The noise behind
    these comes back as well.

    Sigma must not be read off the day's own range: a wide day would then wander more within the
    day as well, so that buying what has fallen far would pay.
    """
    z, u = rng.standard_normal((4, count)), rng.random((2, count))
    swell = 0.25 * (_smooth(z[0]) + z[1])
    weight = _variance_curve(count) * np.exp(2 * swell)
    steps = sigma * np.sqrt(weight / weight.sum())
    prices, volume = day[:4], float(day[4])
    noise = _nearest(rng, prices, steps, share * others, math.sqrt(1 - share**2))
    path = _bridge(steps, noise, float(prices[3] - prices[0]))
    relative = _shape(path, steps, z[2], u)
    move = np.abs(relative[3] - relative[0]) / steps
    traded = _volume_curve(count) * np.exp(swell + 0.4 * z[3]) * (1 + 0.25 * move)
    edges = np.floor(np.cumsum(traded) * (volume / traded.sum()))
    edges[-1] = volume
    bars = np.vstack([market.on_tick(_between(relative, prices)), np.diff(edges, prepend=0.0)])
    return bars, noise


def _nearest(
    rng: np.random.Generator, prices: Float, steps: Float, others: Float, own: float
) -> Float:
    """The noise, of many, whose path from open to close has extremes nearest to the day's."""
    open_, high, low, close = prices.tolist()
    z = own * rng.standard_normal((DRAWS, len(steps)), dtype=np.float32)
    z = np.concatenate([z, -z, z[:, ::-1], -z[:, ::-1]]) + others.astype(np.float32)
    paths = _bridge(steps.astype(np.float32), z, np.float32(close - open_))
    # Continuous paths reach further than their minute marks (Broadie, Glasserman and Kou 1997).
    beyond = 0.5826 * math.sqrt(np.mean(steps**2))
    top = np.maximum(paths.max(axis=1), 0) + beyond - (high - open_)
    bottom = np.minimum(paths.min(axis=1), 0) - beyond - (low - open_)
    return np.asarray(z[np.argmin(top**2 + bottom**2)], dtype=np.float64)


def _bridge(steps: Any, noise: Any, end: Any) -> Any:
    """Random walks that end where they should."""
    elapsed = np.cumsum(steps**2)
    walks = np.cumsum(steps * noise, axis=-1)
    walks += (elapsed / elapsed[-1]) * (end - walks[..., -1:])
    return walks


def _shape(path: Float, steps: Float, gaps: Float, draws: Float) -> Float:
    """Open, high, low and close of each minute of a path, each open a point between two closes."""
    before, close = np.append(0.0, path[:-1]), path
    open_ = before + BETWEEN * (close - before) + math.sqrt(BETWEEN * (1 - BETWEEN)) * steps * gaps
    open_[0] = 0.0
    up, down = excursions(close - open_, (1 - BETWEEN) * steps**2, *draws)
    return np.stack([open_, open_ + up, open_ + down, close])


def _between(relative: Float, prices: Float) -> Float:
    """Stretch a path, keeping its order, so that its extremes are the day's high and low."""
    open_, high, low, close = prices.tolist()
    ends = sorted((0.0, close - open_))
    marks = [float(relative[2].min()), *ends, float(relative[1].max())]
    return np.asarray(np.interp(relative, marks, [low, min(open_, close), max(open_, close), high]))


def _smooth(noise: Float, width: int = 15) -> Float:
    """Moving average over some minutes, of variance 1 once it is full."""
    total = np.cumsum(noise)
    total[width:] -= total[:-width].copy()
    return np.asarray(total / math.sqrt(width))


@lru_cache(maxsize=16)
def _volume_curve(count: int) -> Float:
    """Busy at the open, busier at the close: median half-hours of 2024-2026 US minute bars."""
    passed = (np.arange(count) + 0.5) / count
    return frozen(0.68 + 1.9 * np.exp(-passed / 0.1) + 3.5 * np.exp((passed - 1) / 0.03))


@lru_cache(maxsize=16)
def _variance_curve(count: int) -> Float:
    """Wild at the open, a little wilder again at the close."""
    passed = (np.arange(count) + 0.5) / count
    return frozen(0.45 + 2.5 * np.exp(-passed / 0.2) + 1.0 * np.exp((passed - 1) / 0.03))
