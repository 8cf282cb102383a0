"""What kind of market it is now, from several indices, and what to do about it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from copy import deepcopy
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

from .. import plugins
from .._core.analysis import Regime, RegimeAnalysis
from .._core.blocking import Blocking
from .._core.clock import Clock, SystemClock
from .._core.errors import NoDataError, TradekitError, UsageError
from .._core.regime import RegimeModel
from ._asset import Asset, Progress, follow
from ._blend import Blend, speakers, weights_for
from ._course import Course, RegimeChange
from ._entries import read_entries
from ._policy import adjusted, default_strategies, warn_if_out_of_reach

if TYPE_CHECKING:
    import pandas as pd

    from .._core.bars import Bars

# An asset's word counts while it lags by at most so many bars: over a long weekend and a holiday.
_PATIENCE = 5

_log = logging.getLogger("tradekit.regime")


class MarketRegimeDetector:
    """Tell what kind of market it is from one or several indices, one bar after another.

    Each asset has a model of its own, which takes only the bars that it has not seen: windows may
    overlap, and a call with nothing new changes nothing. At each bar the models' probabilities
    are averaged by weight, and the average is held on to once more, so that the answer is calm.
    A history that is handed in day by day gives what it gives at once.

    Parameters
    ----------
    model : RegimeModel or str, optional
        The model, as yet unfed, or its registered name; ``trend_vol`` by default.
    weights : mapping of str to float, optional
        Weight of each asset, above zero. By default 0.67 for the first one of a call, and 0.33
        shared by the rest.
    clock : Clock, optional
        Who says what time it is; bars that are not over by then are left out. The machine's
        clock by default.

    Attributes
    ----------
    weights : dict of str to float or None
        As above; it may be edited.
    regime_strategies : dict of Regime to dict
        What `get_strategy_adjustments` applies, one row a regime; it may be edited. By default
        ``confidence_threshold`` is .50 in bull, .60 in sideways and volatile and .65 in bear
        markets, ``position_size_multiplier`` 1, .8, .5 and .25, and ``stop_loss_multiplier`` 1, 1,
        1.9 and 1.9; ``risk_tolerance`` is as the position size, for whoever sizes by it instead.
    last_skipped : dict of str to str
        Which assets of the last call had no say, and why.

    Raises
    ------
    UsageError
        When the model is none, or a weight is not above zero.
    PluginError
        When no model is registered by that name.

    Notes
    -----
    Warm assets speak for those that are not. An asset that lags counts with its last word for up
    to five bars' time; a step that was taken without its newest bar is not taken again. Prices
    that have all moved by one factor (a split, a dividend) go on; an asset whose closes changed
    otherwise, that went back in time, or whose new bars begin more than five bars after the last
    one seen, begins anew, and when all assets of a call do, so does the blend.

    Examples
    --------
    >>> from tradekit.data import simulate_regimes
    >>> detector, bars = MarketRegimeDetector(), simulate_regimes(3, sessions=400).bars
    >>> said = detector.blocking.detect_market_regime({"SIM": bars})
    >>> said.warmup, said.regime == detector.current_regime
    (False, True)
    >>> again = detector.blocking.detect_market_regime({"SIM": bars[-30:]})  # nothing is new
    >>> again == said
    True
    """

    def __init__(
        self,
        model: RegimeModel | str | None = None,
        *,
        weights: Mapping[str, float] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._model = _model(model)
        self.weights = None if weights is None else weights_for(tuple(weights), weights)
        self.clock = clock or SystemClock()
        self.regime_strategies = default_strategies()
        self.last_skipped: dict[str, str] = {}
        self._lock = threading.Lock()
        self._assets: dict[str, Asset] = {}
        self._course = Course()
        self._analysis: RegimeAnalysis | None = None
        self._told: set[str] = set()

    def __repr__(self) -> str:
        return f"MarketRegimeDetector({self._model!r})"

    @property
    def blocking(self) -> Blocking[MarketRegimeDetector]:
        """The same detector for plain scripts: its methods wait for the answer."""
        return Blocking(self)

    @property
    def current_regime(self) -> Regime | None:
        """The regime that is held; None before the first answer."""
        return self._analysis.regime if self._analysis else None

    @property
    def changes(self) -> tuple[RegimeChange, ...]:
        """The latest thousand changes of the regime, oldest first."""
        return self._course.changes

    async def detect_market_regime(
        self, market: Mapping[str, pd.DataFrame | Bars | None]
    ) -> RegimeAnalysis:
        """Take the bars that are new, and tell what kind of market it is.

        Parameters
        ----------
        market : mapping of str to DataFrame, Bars or None
            Bars by symbol, all of one timeframe, the most important one first. What is None,
            empty or unreadable is left out, reported in `last_skipped` and logged once.

        Returns
        -------
        RegimeAnalysis
            As of the newest bar. `key_indicators` are those of the first asset that could be
            used, with ``breadth`` (fraction of assets above their mean) and ``disagreement``
            (fraction of assets that alone say something else); `per_asset` has what each says.

        Raises
        ------
        UsageError
            When there is no asset, something is no bars, or an asset has no weight.
        NoDataError
            When no asset can be used; it names the reason for each. What was known stays. Where
            nothing came at all, the last answer still counts for five bars' time by the clock, and
            is given again as it was: its ``time`` says from when it is.
        ContractError
            When a hook of the model fails; what was known stays.
        """
        return await asyncio.to_thread(self._detect, market)

    def get_strategy_adjustments(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Adjust a strategy's parameters to the regime.

        Parameters
        ----------
        params : mapping
            ``min_confidence`` (up to 1 it is a fraction, above it is of 100),
            ``stop_loss_multiplier``, ``risk_tolerance`` and anything else.

        Returns
        -------
        dict
            A new one with every key of `params`. ``position_size_multiplier``,
            ``stop_loss_multiplier`` and ``risk_tolerance`` are multiplied by those of the row (the
            first two are added where they are absent), ``min_confidence`` is from 0 to 100, and
            everything else is as it was, the position size too.

        Raises
        ------
        UsageError
            When a number of `params` or of `regime_strategies` is out of range.

        Notes
        -----
        ``min_confidence`` is the given one times the row's default threshold over .50, at most 100,
        times what the threshold was edited to over its default, again at most 100: lowering
        ``confidence_threshold`` by 10 % from where it stood at first lowers the answer by 10 %.
        Without a given one it is the threshold itself. Before the first answer and while warming
        it is the most cautious row that counts, the one with the smallest position; then
        ``min_confidence`` is as demanding as the highest default, and the threshold of the regime
        that is held still moves it.

        Examples
        --------
        >>> adjusted = MarketRegimeDetector().get_strategy_adjustments({"min_confidence": 0.5})
        >>> adjusted["position_size_multiplier"], adjusted["min_confidence"]
        (0.25, 65.0)
        """
        said = self._analysis
        regime, warm = (said.regime, not said.warmup) if said else (None, False)
        answer = adjusted(params, self.regime_strategies, regime, warm=warm)
        with self._lock:
            if "reach" not in self._told and warn_if_out_of_reach(answer["min_confidence"]):
                self._told.add("reach")
        return answer

    def get_regime_statistics(self) -> dict[str, Any]:
        """Count how long regimes were held and how often they changed.

        Returns
        -------
        dict
            Plain JSON values. ``current_regime`` (``unknown`` before the first answer),
            ``current_regime_duration_days`` (calendar days up to the last bar),
            ``total_regime_changes``, ``changes_last_year``, ``total_bars``; by regime
            ``occupancy`` (fraction of the bars) and ``mean_spell_bars``; ``transitions`` (count of
            each ``old -> new``).

        Examples
        --------
        >>> MarketRegimeDetector().get_regime_statistics()["current_regime"]
        'unknown'
        """
        return self._course.statistics()

    def _detect(self, market: Mapping[str, Any]) -> RegimeAnalysis:
        read, unusable = read_entries(market, self.clock.now())
        weights = weights_for(tuple(market), self.weights)
        with self._lock:
            self.last_skipped = {}
            for name, error in unusable.items():
                self._skip(name, str(error).removeprefix(f"{name}: "), error.problem)
            if not read and (held := self._still_held(unusable)):
                return held
            steps = {n: follow(self._assets.get(n), bars, self._model) for n, bars in read.items()}
            return self._settle(steps, weights)

    def _still_held(self, unusable: Mapping[str, TradekitError]) -> RegimeAnalysis | None:
        """The last answer, where nothing came at all and its bar is not too old to count."""
        if self._analysis is None or not all(isinstance(e, NoDataError) for e in unusable.values()):
            return None
        bar = next(iter(self._assets.values())).seen.timeframe.delta
        lag = self.clock.now() - self._analysis.time
        return self._analysis if timedelta(0) <= lag <= _PATIENCE * bar else None

    def _settle(self, steps: dict[str, Progress], weights: dict[str, float]) -> RegimeAnalysis:
        """Blend what is new, and keep what came of it only when all went well."""
        known = {name: self._assets[name].said for name, step in steps.items() if step.goes_on}
        blend = Blend(self._model, weights, _patience(steps))
        news = {name: step.news for name, step in steps.items()}
        course, words = blend.fold(self._course if known else Course(), known, news)
        current = blend.current(words, course.time)
        for name in [name for name in words if name not in speakers(current)]:
            self._skip(name, *_silence(words[name], self._model, name in current))
        if not current:
            raise self._no_answer()
        analysis = blend.analysis(course, current)
        self._report(steps, analysis)
        self._assets |= {name: step.asset for name, step in steps.items()}
        self._course, self._analysis = course, analysis
        return analysis

    def _skip(self, name: str, reason: str, cause: str) -> None:
        self.last_skipped[name] = reason
        self._tell(f"{name} {cause}", "%s has no say: %s", name, reason)

    def _report(self, steps: dict[str, Progress], analysis: RegimeAnalysis) -> None:
        for name, step in steps.items():
            if step.restart:
                self._tell(f"{name} {step.restart}", "%s begins anew: %s", name, step.restart)
        if analysis.warmup:
            needs, limit = self._model.lookback, 100 * ceil(self._model.lookback / 100)
            self._tell("warmup", "warming up on fewer than %d bars. Try: limit=%d", needs, limit)

    def _tell(self, cause: str, message: str, *facts: object) -> None:
        """Say it once per cause."""
        if cause not in self._told:
            self._told.add(cause)
            _log.warning(message, *facts)

    def _no_answer(self) -> NoDataError:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in self.last_skipped.items())
        return NoDataError(
            "no market to tell the regime from",
            expected="bars of at least one asset",
            got=reasons,
            hint="manager.last_failure says why no bars came",
        )


def _model(model: RegimeModel | str | None) -> RegimeModel:
    """A model of one's own, so that nobody else feeds it."""
    if model is None or isinstance(model, str):
        model = plugins.load("regimes", model or "trend_vol")()
    if not isinstance(model, RegimeModel):
        hint = "TrendVolRegimeModel()"
        got = repr(model)
        raise UsageError("no regime model", expected="a RegimeModel or a name", got=got, hint=hint)
    return deepcopy(model)


def _patience(steps: Mapping[str, Progress]) -> timedelta:
    timeframes = [step.asset.seen.timeframe for step in steps.values()]
    return _PATIENCE * timeframes[0].delta if timeframes else timedelta(0)


def _silence(said: RegimeAnalysis, model: RegimeModel, is_current: bool) -> tuple[str, str]:
    """Why an asset that could be read has no say, and the cause in a word."""
    if is_current:
        return f"fewer than {model.lookback} bars so far, while others have more", "is warming"
    return f"its last bar closed at {said.time:%Y-%m-%d %H:%M} UTC, long before others", "lags"
