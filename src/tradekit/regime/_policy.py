"""What a strategy should make of the regime: an editable table, and how it is applied."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from math import inf
from typing import Any

from .._core.analysis import Regime
from .._core.errors import UsageError
from .._core.figures import within

Strategies = dict[Regime, dict[str, float]]

_THRESHOLDS = {
    Regime.BULL: 0.50,
    Regime.BEAR: 0.65,
    Regime.SIDEWAYS: 0.60,
    Regime.VOLATILE: 0.60,
}
_NEUTRAL = _THRESHOLDS[Regime.BULL]  # where a caller's own figures stand as they are
_SIZES = {Regime.BULL: 1.0, Regime.BEAR: 0.25, Regime.SIDEWAYS: 0.8, Regime.VOLATILE: 0.5}
# A month's volatility after bear and volatile days was 23 to 24 % a year, after others 12 %.
_STOPS = {Regime.BULL: 1.0, Regime.BEAR: 1.9, Regime.SIDEWAYS: 1.0, Regime.VOLATILE: 1.9}
_ADDED = ("position_size_multiplier", "stop_loss_multiplier")  # answered even when not given

_MOST_CLAIM = 75.0

_log = logging.getLogger("tradekit.regime")


def default_strategies() -> Strategies:
    """Give the table that a detector begins with.

    Returns
    -------
    dict of Regime to dict
        Fresh ones, to be edited.
    """
    return {
        regime: {
            "confidence_threshold": _THRESHOLDS[regime],
            "position_size_multiplier": _SIZES[regime],
            "stop_loss_multiplier": _STOPS[regime],
            "risk_tolerance": _SIZES[regime],
        }
        for regime in Regime
    }


def adjusted(
    params: Mapping[str, Any], strategies: Strategies, regime: Regime | None, *, warm: bool
) -> dict[str, Any]:
    """Apply the row of a regime to a strategy's parameters.

    Parameters
    ----------
    params : mapping
        The strategy's own.
    strategies : dict of Regime to dict
        The table.
    regime : Regime, optional
        What is held; None when it is not known.
    warm : bool
        Whether that rests on enough bars.

    Returns
    -------
    dict
        A new one.
    """
    if not isinstance(params, Mapping):
        got, hint = repr(params), "{'min_confidence': 0.6}"
        raise UsageError("parameters have names", expected="a dict", got=got, hint=hint)
    cautious = min(Regime, key=lambda each: _size(strategies, each))
    row = regime if warm and regime else cautious
    answer = dict(params)
    for name in (*_ADDED, "risk_tolerance"):
        if name in params or name in _ADDED:
            answer[name] = _given(params, name, 1.0) * _entry(strategies, row, name)
    answer["min_confidence"] = _min_confidence(params, strategies, regime or cautious, warm=warm)
    return answer


def warn_if_out_of_reach(min_confidence: float) -> bool:
    """Say it when hardly any signal can be as confident as a strategy asks.

    Parameters
    ----------
    min_confidence : float
        From 0 to 100.

    Returns
    -------
    bool
        Whether it was said.
    """
    if min_confidence < _MOST_CLAIM:
        return False
    _log.warning(
        "min_confidence comes to %.0f: few signals can claim %.0f or more, since a market without "
        "drift reaches a target of 2 ATR before a stop of 1.5 ATR in 43 of 100 cases. Try: "
        "signal.confidence - signal.base_rate >= min_edge, with min_edge=5, in place of it",
        min_confidence,
        _MOST_CLAIM,
    )
    return True


def _min_confidence(
    params: Mapping[str, Any], strategies: Strategies, regime: Regime, *, warm: bool
) -> float:
    """The caller's figure times the regime's default demand, then times what was edited.

    The first product is cut at 1 before the second factor, so that a threshold that is lowered by
    a tenth lowers the answer by a tenth, however high it was. The last digits go: a signal of 65
    reaches 65.
    """
    base = _given(params, "min_confidence", _NEUTRAL, most=100.0)
    base = base if base <= 1 else base / 100
    usual = _THRESHOLDS[regime]
    demand = (usual if warm else max(_THRESHOLDS.values())) / _NEUTRAL
    edited = _entry(strategies, regime, "confidence_threshold", most=1.0) / usual
    return round(100 * min(min(base * demand, 1.0) * edited, 1.0), 9)


def _size(strategies: Strategies, regime: Regime) -> float:
    return _entry(strategies, regime, "position_size_multiplier")


def _entry(strategies: Strategies, regime: Regime, name: str, most: float = inf) -> float:
    value = strategies.get(regime, {}).get(name)
    return within(f"regime_strategies[{regime.value!r}][{name!r}]", value, most=most)


def _given(params: Mapping[str, Any], name: str, default: float, most: float = inf) -> float:
    return within(name, params.get(name, default), most=most)
