"""The simulated market, day by day: factors that all share, and companies that come and go.

Everything lives on a grid of weekdays from 1990-01-01 to 2049-12-31. A holiday has its draws like
any other weekday; they show in the gap of the next session, so that no price depends on which days
a calendar calls a holiday.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache, lru_cache

import attrs
import numpy as np
import numpy.typing as npt

from ._regimes import (
    EXITS,
    SPELLS,
    VOLATILITIES,
    Float,
    Int,
    chain,
    excursions,
    stationary,
    stream,
    transition_matrix,
)

Bool = npt.NDArray[np.bool_]

ORIGIN = np.datetime64("1990-01-01", "D")  # a Monday
END = np.datetime64("2050-01-01", "D")
ROWS = int(np.busday_count(ORIGIN, END))
YEAR, QUARTER = 260, 65  # weekdays

SECTORS = {  # name: its fund, its weight among companies, its beta, its tilt towards growth
    "technology": ("XLK", 4, 1.15, 0.8),
    "health": ("XLV", 4, 0.80, 0.2),
    "financials": ("XLF", 3, 1.10, -0.5),
    "industrials": ("XLI", 3, 1.00, -0.1),
    "discretionary": ("XLY", 2, 1.10, 0.4),
    "communication": ("XLC", 1, 0.95, 0.3),
    "staples": ("XLP", 1, 0.65, -0.4),
    "energy": ("XLE", 1, 1.00, -0.5),
    "materials": ("XLB", 1, 1.05, -0.3),
    "real estate": ("XLRE", 1, 0.90, -0.4),
    "utilities": ("XLU", 1, 0.55, -0.7),
}
PREFIXES = dict(zip(SECTORS, "THFIDCSEMRU", strict=True))
MARKET, SMALL, GROWTH = 0, len(SECTORS) + 1, len(SECTORS) + 2  # factors 1 to 11 are the sectors
FUNDS = {  # factor loadings, first price, first daily turnover in dollars
    "SPY": (((MARKET, 1.0),), 45.0, 1e9),
    "QQQ": (((MARKET, 1.1), (1, 0.7), (GROWTH, 1.0)), 30.0, 5e8),
    "IWM": (((MARKET, 1.1), (SMALL, 1.0)), 35.0, 3e8),
}
FUNDS |= {
    fund: (((MARKET, beta), (place, 1.0), (GROWTH, tilt)), 30.0, 1e8)
    for place, (fund, _, beta, tilt) in enumerate(SECTORS.values(), 1)
}
FAMILIAR = {  # always listed and large, so that what people type answers
    "technology": "AAPL MSFT NVDA AVGO ORCL CRM AMD INTC CSCO IBM ADBE QCOM TXN",
    "communication": "GOOGL META NFLX DIS VZ T",
    "discretionary": "AMZN TSLA HD MCD NKE",
    "staples": "WMT PG KO PEP COST",
    "financials": "JPM BAC GS V MA",
    "health": "UNH JNJ LLY PFE MRK",
    "industrials": "CAT BA GE HON UPS",
    "energy": "XOM CVX",
    "utilities": "NEE",
    "materials": "LIN",
    "real estate": "PLD",
}
FOUNDERS, NEWCOMERS = 5_400, 6_000  # listed at the origin; listed between then and 2049
FACTOR_VOLATILITY = np.array([0.0, *[0.11] * len(SECTORS), 0.085, 0.06])  # a year; 0 is the market
MEANS = np.array([0.21, -0.18, 0.06, 0.16])  # the market's log return a year in each regime
VOLATILITY = 0.175  # of the market, a year
NIGHT = 0.25  # share of variance between one close and the next open
SWITCHES = np.array([0.5, 0.12, 0.03, 0.008, 0.002])  # a day, of the volatility cascade
CASCADE = 0.4  # each level multiplies variance by 1.4 or 0.6
NEWS_A_YEAR, NEWS_GAP, FELT = 3.0, 4.5, 12  # besides four reports; in night sigmas; days felt
LIFE = 55  # years that a company is listed, on average
FEWEST = 4_000  # shares a day
FLOOR, ANNOUNCED = 1.0, 20  # a share below a dollar is merged; a split takes a month
OPEN_END = np.iinfo(np.int64).max
_NONE = np.array([], dtype=np.int64)


@attrs.frozen
class Company:
    """What is fixed about one symbol for its whole life."""

    symbol: str
    start: int  # weekday rows: first, and one past the last
    stop: int
    loadings: tuple[tuple[int, float], ...]  # (factor, loading), the market's first
    price: float
    dollars: float  # first daily turnover
    sigma: float  # of its own noise, a year
    dividend: float  # a year, as a fraction of the price
    payday: int  # row in the quarter of its ex-dates; it reports half a quarter later
    ceiling: float  # it splits when a share costs more
    is_fund: bool = False

    @property
    def beta(self) -> float:
        return self.loadings[0][1]

    @property
    def spread(self) -> float:
        """Variance a year that comes from sectors and styles."""
        return float(sum((load * FACTOR_VOLATILITY[i]) ** 2 for i, load in self.loadings))

    @property
    def share(self) -> float:
        """Correlation with the market."""
        shared = (self.beta * VOLATILITY) ** 2
        return math.sqrt(shared / (shared + self.spread + self.sigma**2))


@attrs.frozen(eq=False)
class Factors:
    """What happens to the whole market on each weekday."""

    states: Int
    night: Float  # shape (factors, rows): log return from close to open
    day: Float  # from open to close
    stress: Float  # the market's variance over its long-run mean
    mood: Float  # what that does to the sigma of each company
    sigma: Float  # the market's standard deviation a day
    draws: Float  # shape (2, rows): how far the market went up and down within the day
    trend: float  # the market's mean log return a day


@attrs.frozen(eq=False)
class Days:
    """Raw bars of one symbol on weekday rows ``start`` and following, and its corporate actions."""

    start: int
    prices: Float  # shape (4, n): open, high, low, close
    volume: Float
    sigma: Float  # standard deviation of the log move from open to close
    news: Int  # rows
    splits: tuple[tuple[int, float], ...]  # (ex row, new shares per old share)
    dividends: Int  # ex rows


def rows_of(dates: npt.NDArray[np.datetime64]) -> Int:
    """Weekday rows of dates; a Saturday or Sunday has that of the next Monday."""
    return np.asarray(np.busday_count(ORIGIN, dates), dtype=np.int64)


@cache
def names() -> tuple[tuple[str, str], ...]:
    """Every symbol with its sector: funds, familiar names, founders, then newcomers in order."""
    funds = [(symbol, "fund") for symbol in FUNDS]
    familiar = [(symbol, sector) for sector, text in FAMILIAR.items() for symbol in text.split()]
    return (*funds, *familiar, *_invented(FOUNDERS + NEWCOMERS))


def _invented(count: int) -> Iterator[tuple[str, str]]:
    """Tickers that tell their sector: TAAA, HAAA, FAAA, ... in turn, weighted."""
    turns = [name for i in range(4) for name, (_, weight, *_) in SECTORS.items() if weight > i]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    used = dict.fromkeys(SECTORS, 0)
    for i in range(count):
        sector = turns[i % len(turns)]
        high, low = divmod(used[sector], 26)
        yield PREFIXES[sector] + letters[high // 26] + letters[high % 26] + letters[low], sector
        used[sector] += 1


@lru_cache(maxsize=8)
def factors(seed: int) -> Factors:
    """Draw the market-wide part once a seed."""
    transition = transition_matrix(SPELLS, EXITS)
    shares = stationary(transition)
    states = chain(stream(seed, "weather").random(ROWS), transition, shares)
    z = stream(seed, "factors").standard_normal((2, len(FACTOR_VOLATILITY), ROWS))
    cascade = _cascade(stream(seed, "market volatility").random((ROWS, len(SWITCHES))).T)
    stress = VOLATILITIES[states] ** 2 * cascade * _leverage(z[:, MARKET])
    stress /= stress.mean()
    sigma = VOLATILITY * np.sqrt(stress / YEAR)
    night, day = z[0] * np.sqrt(NIGHT), z[1] * np.sqrt(1 - NIGHT)
    for part, share in ((night, NIGHT), (day, 1 - NIGHT)):
        part[MARKET] = part[MARKET] * sigma + share * MEANS[states] / YEAR
        scale = FACTOR_VOLATILITY[1:, None] * np.sqrt(np.sqrt(stress) / YEAR)
        part[1:] = part[1:] * scale - 0.5 * share * scale**2
    trend = float(shares @ MEANS) / YEAR
    night[MARKET] += _pull(night[MARKET] + day[MARKET] - trend, years=6)
    mood = np.sqrt(stress**0.8 / np.mean(stress**0.8))
    draws = stream(seed, "market ranges").random((2, ROWS))
    return Factors(states, night, day, stress, mood, sigma, draws, trend)


def _leverage(z: Float) -> Float:
    """A fall makes the coming weeks wilder, a rise calmer; on average one."""
    fall = np.convolve(np.sqrt(NIGHT) * z[0] + np.sqrt(1 - NIGHT) * z[1], 0.9 ** np.arange(1, 40))
    memory = np.concatenate([[0.0], fall[: ROWS - 1]])
    return np.asarray(np.exp(-0.18 * memory))


def _cascade(draws: Float) -> Float:
    """Variance by a Markov-switching multifractal: levels that renew within days to years."""
    ups = np.zeros(draws.shape[1], dtype=np.int64)
    for rate, draw in zip(SWITCHES, draws, strict=True):
        renewed = np.append(0, np.flatnonzero(draw[1:] < rate) + 1)
        high = draw[renewed] < rate / 2
        high[0] = draw[0] < 0.5
        ups += np.repeat(high, np.diff(renewed, append=len(ups)))
    levels = np.arange(len(SWITCHES) + 1)
    variance = (1 + CASCADE) ** levels * (1 - CASCADE) ** levels[::-1]
    return np.asarray(variance[ups], dtype=np.float64)


@attrs.frozen(eq=False)
class Universe:
    """Who is listed when, and the draws that fix the rest of each company."""

    position: dict[str, int]
    starts: Int
    stops: Int
    size: Float  # logarithmic, 0 for the typical company
    normal: Float  # shape (symbols, 8)
    uniform: Float  # shape (symbols, 8)


@lru_cache(maxsize=8)
def universe(seed: int) -> Universe:
    """Draw, once a seed, what is fixed about every symbol, in the order of `names`."""
    rng, total = stream(seed, "companies"), len(names())
    lasting = total - FOUNDERS - NEWCOMERS
    z, u = rng.standard_normal((total, 8)), rng.random((total, 8))
    starts = np.zeros(total, dtype=np.int64)
    starts[-NEWCOMERS:] = np.sort(u[-NEWCOMERS:, 0] * ROWS)
    lives = YEAR - LIFE * YEAR * np.log(1 - u[:, 1])
    stops = starts + lives.astype(np.int64)
    stops[:lasting] = OPEN_END
    size = z[:, 0].copy()
    size[:lasting] = 2.2 + 0.5 * np.abs(size[:lasting])
    size[: len(FUNDS)] = np.linspace(7, 5, len(FUNDS))
    position = {symbol: i for i, (symbol, _) in enumerate(names())}
    return Universe(position, starts, stops, size, z, u)


def company(seed: int, symbol: str) -> Company:
    """Describe a symbol; KeyError when nobody ever bears that name."""
    world = universe(seed)
    i = world.position[symbol]
    sector, life = names()[i][1], (int(world.starts[i]), int(world.stops[i]))
    if sector == "fund":
        return _fund(symbol, life, float(world.uniform[i, 2]))
    z, u = world.normal[i].tolist(), world.uniform[i].tolist()
    return _stock(symbol, sector, life, float(world.size[i]), z, u)


def _fund(symbol: str, life: tuple[int, int], u: float) -> Company:
    loadings, price, dollars = FUNDS[symbol]
    return Company(
        symbol,
        *life,
        loadings,
        price,
        dollars,
        sigma=0.01,
        dividend=0.018,
        payday=int(u * QUARTER),
        ceiling=np.inf,
        is_fund=True,
    )


def _stock(
    symbol: str, sector: str, life: tuple[int, int], size: float, z: list[float], u: list[float]
) -> Company:
    place = list(SECTORS).index(sector) + 1
    _, _, beta, tilt = SECTORS[sector]
    loadings = (
        (MARKET, min(max(beta + 0.25 * z[1], 0.3), 2.0)),
        (place, 0.8 + 0.15 * z[2]),
        (SMALL, max(0.35 - 0.25 * size, -0.15)),
        (GROWTH, tilt + 0.4 * z[3]),
    )
    price = min(max(25 * math.exp(0.5 * z[5] + 0.2 * size), 4.0), 150.0)
    pays = u[3] < 0.35 + 0.2 * size
    return Company(
        symbol,
        *life,
        loadings,
        price=price,
        dollars=5e6 * math.exp(1.3 * max(size, -2.0) + 0.6 * z[7]),
        sigma=min(max(0.27 * math.exp(0.3 * z[4] - 0.12 * size), 0.12), 0.6),
        dividend=0.01 + 0.03 * u[4] if pays else 0.0,
        payday=int(u[2] * QUARTER),
        ceiling=max(110 * math.exp(0.5 * z[6]) * (20 if u[5] < 0.05 else 1), 2.5 * price),
    )


def days(seed: int, who: Company, stop: int) -> Days:
    """Draw a company's raw days from its listing to weekday row ``stop`` (exclusive).

    Asking for more days never changes the earlier ones: all draws come in order of time.
    """
    world, rows = factors(seed), slice(who.start, min(stop, who.stop, ROWS))
    n, index = rows.stop - rows.start, np.arange(rows.start, rows.stop)
    z = np.ascontiguousarray(stream(seed, "noise", who.symbol).standard_normal((n, 3)).T)
    u = np.ascontiguousarray(stream(seed, "chances", who.symbol).random((n, 9)).T)
    paid = np.flatnonzero((index[1:] - who.payday) % QUARTER == 0) + 1 if who.dividend else _NONE
    struck, felt = _news(who, index, u[0])
    cascade = _cascade(u[4:])
    sigma = who.sigma / math.sqrt(YEAR) * world.mood[rows] * np.sqrt(cascade)
    night, day, variance = _moves(who, world, rows, sigma, (struck, felt), z)
    night[paid] += math.log(1 - who.dividend / 4)
    level = math.log(who.price) + np.cumsum(night + day)
    # The closer a company follows the market, the more often its day has the market's shape.
    draws = np.where(u[3] < who.share**2, world.draws[:, rows], u[1:3])
    high, low = excursions(day, variance, *draws)
    prices = np.exp(level - day + np.stack([np.zeros(n), high, low, day]))
    shares, splits = _splits(prices[3], who.ceiling)
    spread = np.sqrt(variance)
    # Volume answers what is known by the open. If it answered the day's own move, a busy first
    # hour would tell how far the day will go.
    surprise = np.abs(night) / (spread * math.sqrt(NIGHT / (1 - NIGHT)))
    activity = 0.5 * np.log(cascade * world.stress[rows] ** 0.4)
    activity += 0.25 * surprise + 0.15 * z[2] + 0.9 * felt
    volume = np.maximum(np.rint(who.dollars / who.price * shares * np.exp(activity)), FEWEST)
    dated = tuple((row + who.start, ratio) for row, ratio in splits)
    prices = on_tick(prices / shares)
    return Days(who.start, prices, volume, spread, index[struck], dated, index[paid])


def _news(who: Company, index: Int, draws: Float) -> tuple[Bool, Float]:
    """On which days news strikes, and how much of it is felt that day and after."""
    if who.is_fund:
        return np.zeros(len(index), dtype=bool), np.zeros(len(index))
    report = (index - who.payday - QUARTER // 2) % QUARTER == 0
    struck = report | (draws < NEWS_A_YEAR / YEAR)
    return struck, np.convolve(struck, 0.7 ** np.arange(FELT))[: len(index)]


def _moves(
    who: Company, world: Factors, rows: slice, sigma: Float, news: tuple[Bool, Float], z: Float
) -> tuple[Float, Float, Float]:
    """Log returns of each night and day, and the variance of the days."""
    at_night = math.sqrt(NIGHT) * sigma * (1 + NEWS_GAP * news[0])
    by_day = math.sqrt(1 - NIGHT) * sigma * (1 + 0.5 * news[1])
    night, day = at_night * z[0] - at_night**2 / 2, by_day * z[1] - by_day**2 / 2
    night += _pull(night + day, years=8)
    night += (1 - who.beta) * world.trend
    for factor, loading in who.loadings:
        night += loading * world.night[factor, rows]
        day += loading * world.day[factor, rows]
    shared = (who.beta * world.sigma[rows]) ** 2 + who.spread / YEAR * np.sqrt(world.stress[rows])
    return night, day, by_day**2 + (1 - NIGHT) * shared


def _pull(steps: Float, years: float) -> Float:
    """Weak force back to the start, halving the distance in so many years: no price runs away."""
    rate = math.log(2) / (years * YEAR)
    decay = np.exp(-rate * np.arange(len(steps)))
    level = decay * np.cumsum(steps / decay)
    return np.concatenate([[0.0], math.expm1(-rate) * level[:-1]])


def _splits(close: Float, ceiling: float) -> tuple[Float, list[tuple[int, float]]]:
    """New shares per old share up to each day, and the splits: a month after a bound is crossed."""
    shares, day, held = np.ones(len(close)), 0, 1.0
    splits: list[tuple[int, float]] = []
    while True:
        seen = close[day:] / held
        out = (seen > ceiling) | (seen < FLOOR)
        crossed = int(out.argmax()) if len(out) else 0
        if not len(out) or not out[crossed]:
            return shares, splits
        ratio = _ratio(float(seen[crossed]), ceiling)
        day += crossed + ANNOUNCED
        held *= ratio
        shares[day:] = held
        if day < len(close):
            splits.append((day, ratio))


def _ratio(price: float, ceiling: float) -> float:
    if price < FLOOR:
        return 0.1 if price > FLOOR / 3 else 0.02
    return next((r for r in (2.0, 3.0, 4.0, 5.0, 10.0, 20.0) if price <= r * 0.55 * ceiling), 50.0)


def on_tick(prices: Float) -> Float:
    """Round to cents, below a dollar to hundredths of a cent."""
    cents = np.round(prices, 2)
    cheap = prices < 1
    cents[cheap] = np.round(prices[cheap], 4)
    return cents
