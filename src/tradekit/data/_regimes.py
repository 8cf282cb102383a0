"""Kinds of market in turn: the chain behind the simulated market, and a world of known truth."""

from __future__ import annotations

import hashlib
from typing import TypeVar

import attrs
import numpy as np
import numpy.typing as npt

from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.errors import UsageError

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]
Labels = npt.NDArray[np.str_]
Array = TypeVar("Array", bound=npt.NDArray[np.generic])

NAMES = np.array(["bull", "bear", "sideways", "volatile"])
SPELLS = np.array([130.0, 120.0, 90.0, 45.0])  # mean length in days
VOLATILITIES = np.array([0.11, 0.22, 0.11, 0.28])  # a year
# Where a spell goes when it ends. Together with SPELLS these give the shares of time that dated
# labels of the S&P 500 have (0.42, 0.20, 0.25, 0.13); most volatile spells are recoveries.
EXITS = np.array(
    [
        [0.00, 0.30, 0.45, 0.25],
        [0.30, 0.00, 0.15, 0.55],
        [0.40, 0.18, 0.00, 0.42],
        [0.56, 0.07, 0.37, 0.00],
    ]
)
_MEANS = np.array([0.25, -0.40, 0.02, 0.10])  # log return a year
_DAYS = 252


def stream(seed: int, purpose: str, symbol: str = "", row: int = 0) -> np.random.Generator:
    """Random numbers that depend on these four alone, not on the process or on what came before."""
    digest = hashlib.blake2b(f"{purpose} {symbol}".encode(), digest_size=8).digest()
    words = [seed, int.from_bytes(digest, "big"), row]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))


def checked_seed(seed: int) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise UsageError("a seed is a whole number", expected="an int of 0 or more", got=repr(seed))
    return int(seed)


def transition_matrix(spells: Float, exits: Float) -> Float:
    """Row i: the chances of tomorrow's state when today's is i, from its mean spell and exits."""
    return frozen(np.diag(1 - 1 / spells) + exits / spells[:, None])


def stationary(transition: Float) -> Float:
    """Shares of time that the chain spends in each state."""
    size = len(transition)
    rows = np.vstack([transition.T - np.eye(size), np.ones(size)])
    return np.asarray(np.linalg.lstsq(rows, np.append(np.zeros(size), 1.0), rcond=None)[0])


def chain(draws: Float, transition: Float, initial: Float) -> Int:
    """Walk through the states, one uniform draw a day."""
    steps = np.cumsum(transition, axis=1).tolist()
    state = _pick(np.cumsum(initial).tolist(), draws[0])
    states = np.empty(len(draws), dtype=np.int64)
    for day, draw in enumerate(draws.tolist()):
        state = _pick(steps[state], draw) if day else state
        states[day] = state
    return states


def _pick(bounds: list[float], draw: float) -> int:
    return next((i for i, bound in enumerate(bounds[:-1]) if draw < bound), len(bounds) - 1)


def excursions(step: Float, variance: Float, draws: Float, more: Float) -> tuple[Float, Float]:
    """Highest and lowest point of Brownian paths that end at ``step``, from uniform draws.

    Each by itself is exact: (b + sqrt(b^2 - 2 v ln u)) / 2 is the maximum of a bridge to b. A path
    that went far up went less far down: mirrored draws, blurred by 1.1, bring the mean square
    range to the 4 ln 2 of Brownian motion (Parkinson 1980).
    """
    blurred = np.abs(1 - draws + 1.1 * (more - 0.5))
    mirrored = (1 - np.abs(1 - blurred)) * (1 - 1e-12)
    square = step * step
    high = 0.5 * (step + np.sqrt(square - 2 * variance * np.log(1 - draws)))
    low = 0.5 * (step - np.sqrt(square - 2 * variance * np.log(1 - mirrored)))
    return high, low


def frozen(values: Array) -> Array:
    values.flags.writeable = False
    return values


@attrs.frozen(eq=False)
class SimulatedRegimes:
    """One simulated asset whose true regime is known on every day.

    Log returns follow ``r = means[s] + sigmas[s] * sqrt((dof - 2) / dof) * t(dof)`` where s is the
    state of the day, so ``sigmas`` are standard deviations. The states follow ``transition``,
    starting from ``initial``. With these numbers a Hamilton filter gives the best probabilities
    that a causal observer can have.

    Parameters
    ----------
    bars : Bars
        Daily bars of the symbol ``SIM`` on NYSE sessions from 1990-01-02 on.
    returns : ndarray of float64, shape (n,)
        Log returns; the first is from 100 to the first close.
    states : ndarray of int64, shape (n,)
        The true state of each day: a position in ``names``.
    means, sigmas : ndarray of float64, shape (4,)
        Mean and standard deviation of a day's log return in each state.
    dof : float
        Degrees of freedom of the Student-t noise, 3.5 to 8.
    transition : ndarray of float64, shape (4, 4)
        Chance of tomorrow's state (column) given today's (row).
    initial : ndarray of float64, shape (4,)
        Chance of each state on the first day: the chain's long-run shares.

    Examples
    --------
    >>> world = simulate_regimes(3)
    >>> world.labels[:5].tolist()
    ['bull', 'bull', 'bull', 'bull', 'sideways']
    """

    bars: Bars
    returns: Float
    states: Int
    means: Float
    sigmas: Float
    dof: float
    transition: Float
    initial: Float

    @property
    def names(self) -> Labels:
        """Names of the states: bull, bear, sideways, volatile."""
        return NAMES

    @property
    def labels(self) -> Labels:
        """Name of the true state of each day."""
        return NAMES[self.states]


def simulate_regimes(seed: int, *, sessions: int = 2520) -> SimulatedRegimes:
    """Simulate one asset that switches between four known regimes.

    Parameters
    ----------
    seed : int
        0 or more; each gives another world, always the same one.
    sessions : int
        Number of daily bars, 2 to 15,000; a shorter world is the start of a longer one.

    Returns
    -------
    SimulatedRegimes
        Bars, true states and the parameters behind them.

    Raises
    ------
    UsageError
        When the seed or the number of sessions is out of range.

    Notes
    -----
    The template is measured on the S&P 500: bull, bear, sideways and volatile days return +25,
    -40, +2 and +10 % a year at a volatility of 11, 22, 11 and 28 %, in spells of 130, 120, 90 and
    45 days on average. Each seed scales all volatilities together by 0.7 to 1.4, and varies each
    mean by up to 25 %, each volatility by 15 % and each spell by 35 %.

    Examples
    --------
    >>> world = simulate_regimes(3, sessions=500)
    >>> len(world.bars), round(world.dof, 1), world.names.tolist()
    (500, 6.3, ['bull', 'bear', 'sideways', 'volatile'])
    """
    if not 2 <= sessions <= 15_000:
        raise UsageError("no such world", expected="2 to 15,000 sessions", got=str(sessions))
    seed = checked_seed(seed)
    rng = stream(seed, "regime parameters")
    means = _MEANS / _DAYS * rng.uniform(0.75, 1.25, 4)
    sigmas = VOLATILITIES / np.sqrt(_DAYS) * rng.uniform(0.85, 1.15, 4)
    sigmas = sigmas * np.exp(rng.uniform(np.log(0.7), np.log(1.4)))
    transition = transition_matrix(SPELLS * rng.uniform(0.65, 1.35, 4), EXITS)
    dof, initial = float(rng.uniform(3.5, 8.0)), stationary(transition)
    states = chain(stream(seed, "regime states").random(sessions), transition, initial)
    noise = stream(seed, "regime noise").standard_t(dof, sessions) * np.sqrt((dof - 2) / dof)
    returns = means[states] + sigmas[states] * noise
    bars = _daily(seed, returns, sigmas[states])
    truth = (frozen(means), frozen(sigmas), dof, frozen(transition), frozen(initial))
    return SimulatedRegimes(bars, frozen(returns), frozen(states), *truth)


def _daily(seed: int, returns: Float, sigma: Float) -> Bars:
    """A quarter of each day's variance is the night's; the truth is in the closes alone."""
    calendar = calendar_for("XNYS")
    first = int(calendar.sessions.searchsorted(np.datetime64("1990-01-02")))
    n = len(returns)
    night = 0.5 * sigma * stream(seed, "regime nights").standard_normal(n)
    up, down = stream(seed, "regime ranges").random((n, 2)).T
    open_ = np.cumsum(returns) - returns + night
    high, low = excursions(returns - night, 0.75 * sigma**2, up, down)
    levels = np.stack([open_, open_ + high, open_ + low, open_ + returns - night])
    open_, high, low, close = 100 * np.exp(levels)
    return Bars(
        "SIM",
        "1Day",
        calendar.midnights[first : first + n],
        open_,
        high,
        low,
        close,
        np.full(n, np.nan),
        source="simulated",
        feed="simulated",
        adjustment="all",
    )
