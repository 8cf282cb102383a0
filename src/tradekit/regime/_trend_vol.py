"""Trend and volatility, each with hysteresis: a model that can be read."""

from __future__ import annotations

from collections.abc import Mapping
from math import expm1, log, sqrt, tanh
from statistics import NormalDist
from typing import Any

import numpy as np

from .._core.analysis import Regime
from .._core.bar import Bar
from .._core.figures import count, within
from .._core.regime import RegimeModel
from ._features import HALF_YEAR, MONTH, QUARTER, YEAR, bars_a_year, look

# Shares of the S&P 500's days from 1950 to 1998, as dated with hindsight: what is known at first.
_USUAL = {Regime.BULL: 0.42, Regime.BEAR: 0.20, Regime.SIDEWAYS: 0.25, Regime.VOLATILE: 0.13}
_NORMAL = NormalDist()
# Logarithms of volatility spread by about 0.45, which counts as much as 20 years of bars: in a
# market of one volatility, noise alone must not be high.
_SPREAD, _SPREAD_BARS = 0.45, 20 * YEAR
_UNMEASURED = {"measured": 0, "level": 0.0, "spread": 0.0}
_FORGETTING = 1 - 0.5 ** (1 / (5 * YEAR))  # half is forgotten after five years
# How fast doubt fades: per standard deviation of the trend, of the volatility, and per bar of age.
_TREND_SLOPE, _VOLATILITY_SLOPE, _AGE_SLOPE = 1.5, 2.0, 0.05
# What the rule is trusted at most. On five US indices and sectors up to 2009 the confidence was
# then 60 % on average, and 56 % of the days were right in hindsight; fully trusted it was 68 %.
_TRUST = 0.8


class TrendVolRegimeModel(RegimeModel):
    """Trend against its mean and volatility against its own past, each with hysteresis.

    A close that falls more than `band` below its mean of `trend` bars makes a downtrend, which
    lasts until a close stands as far above it. Volatility is high from the percentile `high` on,
    until it is back below `calm`. A downtrend is bear; outside of it high volatility is volatile;
    outside of both a market without a new half-year high for about `quiet` bars is sideways; the
    rest is bull.

    Parameters
    ----------
    trend : int
        Bars of the mean, 20 or more.
    band : float
        Half the width of the band around the mean, in standard deviations of a driftless walk
        about it; from 0 to 3. For a stock index 0.35 is about 3 %.
    high, calm : float
        Percentiles of volatility that begin and end high volatility, as fractions;
        ``calm <= high``.
    quiet : int
        Bars without a new high that leave it open whether the market still rises; up to 126.
    persistence : float
        Evidence, in nats, that another regime must gather.

    Attributes
    ----------
    lookback : int
        Bars before it is warm: 252, or `trend` where that is more.

    Raises
    ------
    UsageError
        When a parameter is out of range.

    Notes
    -----
    The probabilities are heuristic, not fitted. Each of the three questions has a logistic answer
    that is one half exactly where the rule decides, and they are multiplied in the order of the
    rule: ``bear = d``, ``volatile = (1 - d) v``, ``sideways = (1 - d)(1 - v) s`` and
    ``bull = (1 - d)(1 - v)(1 - s)``. Four parts of that are mixed with one part of how often each
    regime held in the S&P 500 from 1950 to 1998 (a rule that is right on 56 days of 100 must not
    sound certain), and before it is warm only the share ``bars / lookback`` of the four parts.

    Volatility is the root mean square of 21 log returns. Its percentile takes logarithms of
    volatility as normal (Andersen, Bollerslev, Diebold and Ebens 2001), with a mean and a variance
    that forget half in five years; a spread of 0.45 is taken for known at first. The 200-day mean
    with a band is the rule that other models are held against.

    Examples
    --------
    >>> from tradekit.data import simulate_regimes
    >>> said = TrendVolRegimeModel().classify(simulate_regimes(3, sessions=300).bars)
    >>> said[0].warmup, said[-1].warmup, round(sum(said[-1].probabilities.values()), 9)
    (True, False, 1.0)
    """

    def __init__(
        self,
        *,
        trend: int = 200,
        band: float = 0.35,
        high: float = 0.80,
        calm: float = 0.65,
        quiet: int = 42,
        persistence: float = 2.0,
    ) -> None:
        self.trend = count(trend, "trend counts bars", "trend=200")
        self.band = within("band", band, 0, 3)
        self.high = within("high", high, 0.01, 0.99)
        self.calm = within("calm", calm, 0.01, self.high)
        self.quiet = count(quiet, "quiet counts bars", "quiet=42")
        within("trend", self.trend, 20, 10_000)
        within("quiet", self.quiet, 1, HALF_YEAR)
        self.persistence = within("persistence", persistence, 0, 100)

    @property
    def lookback(self) -> int:  # type: ignore[override]
        """Bars before it is warm."""
        return max(self.trend, YEAR)

    def _start(self) -> dict[str, Any]:
        nothing = np.full(self.lookback, np.nan)
        return {"closes": nothing, **_UNMEASURED, "down": False, "high": False}

    def _step(self, state: Any, bar: Bar) -> tuple[dict[str, Any], Mapping[str, float]]:
        state = {**state, "closes": np.append(state["closes"][1:], bar.close)}
        seen = _seen(state)
        features = look(seen, self.trend)
        if seen.size > MONTH:
            state |= _remembered(state, features.movement)
        edge = self.band if state["down"] else -self.band
        loud = _NORMAL.inv_cdf(self.calm if state["high"] else self.high)
        down = _logistic(_TREND_SLOPE * (edge - features.deviations))
        wild = _logistic(_VOLATILITY_SLOPE * (_unusual(state, features.movement) - loud))
        idle = _logistic(_AGE_SLOPE * (features.age - self.quiet))
        state |= {"down": down > 0.5, "high": wild > 0.5}
        return state, _mixed(_ranked(down, wild, idle), _TRUST * seen.size / self.lookback)

    def _describe(self, state: Any, bar: Bar) -> dict[str, float]:
        seen, features = _seen(state), look(_seen(state), self.trend)
        a_year = bars_a_year(bar.timeframe)
        known = {
            1: {"drawdown_percent": 100 * expm1(features.drawdown)},
            MONTH + 1: {
                "volatility_percent": 100 * features.movement * sqrt(a_year),
                "volatility_percentile": 100 * _NORMAL.cdf(_unusual(state, features.movement)),
            },
            QUARTER + 1: {"change_63_bars_percent": 100 * expm1(features.drift)},
            HALF_YEAR: {"bars_since_high": float(features.age)},
            self.trend: {
                "distance_to_mean_percent": 100 * expm1(features.distance),
                "distance_to_mean_sigmas": features.deviations,
            },
        }
        return {k: v for bars, said in known.items() if seen.size >= bars for k, v in said.items()}


def _seen(state: Mapping[str, Any]) -> Any:
    return state["closes"][~np.isnan(state["closes"])]


def _remembered(state: Mapping[str, Any], movement: float) -> dict[str, Any]:
    """Mean and variance of the logarithm of volatility, every value alike until some are old."""
    measured = state["measured"] + 1
    share = max(1 / measured, _FORGETTING)
    surprise = log(movement) - state["level"]
    return {
        "measured": measured,
        "level": state["level"] + share * surprise,
        "spread": (1 - share) * (state["spread"] + share * surprise**2),
    }


def _unusual(state: Mapping[str, Any], movement: float) -> float:
    """How many standard deviations volatility is above its own past; 0 while there is none."""
    if not state["measured"]:
        return 0.0
    known = state["measured"] / (state["measured"] + _SPREAD_BARS)
    spread = known * state["spread"] + (1 - known) * _SPREAD**2
    return (log(movement) - float(state["level"])) / sqrt(spread)


def _ranked(down: float, wild: float, idle: float) -> dict[Regime, float]:
    """Bear before volatile before sideways before bull."""
    calm_up = (1 - down) * (1 - wild)
    return {
        Regime.BULL: calm_up * (1 - idle),
        Regime.BEAR: down,
        Regime.SIDEWAYS: calm_up * idle,
        Regime.VOLATILE: (1 - down) * wild,
    }


def _mixed(shares: Mapping[Regime, float], known: float) -> dict[str, float]:
    return {r: known * shares[r] + (1 - known) * usual for r, usual in _USUAL.items()}


def _logistic(x: float) -> float:
    return 0.5 * (1 + tanh(x / 2))
