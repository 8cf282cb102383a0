"""A trading bot made of six rooms: they look, it decides.

Each pass goes the same way: refresh the watchlist, detect the regime, take the parameters that it
asks for, scan, aggregate, size, execute on paper, and write down what was detected, what was
executed, and what was missed and why. Call a pass whenever a bar has closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor
from typing import Any

import attrs

from tradekit import (
    Bars,
    Clock,
    ComprehensiveLogger,
    DynamicWatchlistManager,
    MarketRegimeDetector,
    MultiSourceDataManager,
    MultiSourceSignalAggregator,
    MultiTimeframeScanner,
    RegimeAnalysis,
    Signal,
    SourceError,
    SystemClock,
    Timeframe,
    TradekitError,
)
from tradekit.execution import Order, Verdict
from tradekit.journal import RunStarted

from . import screens
from .desk import Desk

TIMEFRAMES = ("5Min", "15Min", "1Hour", "1Day", "1Week")  # the longer ones must not object


@attrs.define
class Settings:
    """What one changes first."""

    timeframe: Timeframe = attrs.field(default="5Min", converter=Timeframe)
    lookback: int = 300  # bars that the detectors see: with fewer, some are not ready
    indices: tuple[str, ...] = ("SPY", "QQQ", "IWM")  # whose daily bars tell the regime
    most_symbols: int = 50  # looked at in one pass
    risk_fraction: float = 0.005  # of the equity: what a stop may cost
    strategy: dict[str, float] = attrs.field(
        factory=lambda: {
            "position_size": 1.0,
            "risk_tolerance": 1.0,
            "min_confidence": 0.5,
            "stop_loss_multiplier": 1.0,
        }
    )


class TradingBot:
    """The loop, the sizing and the rails; paper is all it can trade on."""

    def __init__(
        self,
        data_manager: MultiSourceDataManager | None = None,
        *,
        clock: Clock | None = None,
        logger: ComprehensiveLogger | None = None,
        universe: Sequence[str] | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.clock = clock or SystemClock()
        self.settings = settings or Settings()
        self.data_manager = data_manager or MultiSourceDataManager(clock=self.clock)
        self.signal_aggregator = MultiSourceSignalAggregator()
        longer = [name for name in TIMEFRAMES if Timeframe(name) > self.settings.timeframe]
        self.timeframe_scanner = MultiTimeframeScanner(timeframes=longer or TIMEFRAMES[-1:])
        self.regime_detector = MarketRegimeDetector()
        self.watchlist_manager = DynamicWatchlistManager(
            universe, static=self.settings.indices, clock=self.clock
        )
        self.logger = logger or ComprehensiveLogger(clock=self.clock)
        self.desk = Desk(self.clock, self.logger)
        self._looked: dict[str, Any] = {}  # the newest bar of each symbol that was looked at
        self._failing: dict[str, str] = {}  # what could not look, and was said once

    def start(self, name: str) -> None:
        """Write down that a run begins."""
        self.logger.log(RunStarted(self.clock.now(), name=name))

    async def enhanced_trading_loop(self) -> None:
        """One pass over the market as it is now."""
        symbols = await self._refresh_watchlist()
        regime = await self._detect_regime()
        params = self.regime_detector.get_strategy_adjustments(self.settings.strategy)
        bars = await self._fetch(symbols)
        await self.desk.settle(bars)
        for symbol, looked_at in bars.items():
            if self._looked.get(symbol) != looked_at.time[-1]:  # a bar is looked at once
                self._looked[symbol] = looked_at.time[-1]
                await self._look(symbol, looked_at, regime, params)

    async def _look(
        self, symbol: str, bars: Bars, regime: RegimeAnalysis | None, params: Mapping[str, float]
    ) -> None:
        try:
            for signal in await self.signal_aggregator.aggregate_signals(symbol, bars):
                await self._consider(signal, regime, params)
        except TradekitError as error:  # one symbol's trouble is not the others'
            self.logger.log_system_error("trading_loop", error, {"symbol": symbol})

    async def resolve_outcomes(self, lookback: int) -> None:
        """Write down what became of every setup, taken or not, as far as it is decided."""
        self.logger.resolve(await self._fetch(sorted(self._looked), lookback))

    async def _refresh_watchlist(self) -> list[str]:
        held = sorted(self.desk.trades)
        change = await self.watchlist_manager.update_watchlists(self.data_manager, held=held)
        if change.added or change.removed:
            self.logger.log(change)
        return self.watchlist_manager.get_all_symbols()[: self.settings.most_symbols]

    async def _detect_regime(self) -> RegimeAnalysis | None:
        days = await self.data_manager.fetch_many(self.settings.indices, "1Day", 300)
        for symbol, error in days.failures.items():
            self._could_not_look(f"{symbol} 1Day", error)
        if not days.bars:
            return None
        found = await self.regime_detector.detect_market_regime(days.bars)
        self.logger.log_market_condition_change(
            found.regime.value, found.confidence, found.key_indicators
        )
        return found

    async def _fetch(self, symbols: Sequence[str], lookback: int | None = None) -> dict[str, Bars]:
        asked = self.settings.timeframe, lookback or self.settings.lookback
        fetched = await self.data_manager.fetch_many(symbols, *asked)
        for symbol, error in fetched.failures.items():
            self._could_not_look(symbol, error)
        for symbol in fetched.bars:
            self._failing.pop(symbol, None)
        return fetched.bars

    def _could_not_look(self, what: str, error: SourceError) -> None:
        if self._failing.get(what) != error.problem:  # said once, not at every pass
            self._failing[what] = error.problem
            self.logger.log_system_error("data_manager", error, {"symbol": what})

    async def _consider(
        self, signal: Signal, regime: RegimeAnalysis | None, params: Mapping[str, float]
    ) -> None:
        """Take a setup or leave it; either way the journal knows."""
        setup = self.logger.log_opportunity_detected(
            signal.symbol,
            signal.signal_type.value,
            signal.confidence,
            signal.direction,
            signal=signal,
        ).setup
        verdict = (
            self._fits(signal, regime, params)
            and await self._agrees(signal)
            and await self._traded(signal, setup, params)
        )
        if not verdict:
            self.desk.miss(signal, setup, verdict)

    def _fits(
        self, signal: Signal, regime: RegimeAnalysis | None, params: Mapping[str, float]
    ) -> Verdict:
        if signal.warmup:
            return Verdict(False, "not_ready", "its detector is warming up")
        if signal.confidence < params["min_confidence"]:
            name = regime.regime.value if regime else "unknown"
            return Verdict(False, "low_confidence", f"low_confidence_for_{name}_regime")
        if signal.symbol in self.desk.trades:
            return Verdict(False, "duplicate", "one trade a symbol at a time")
        return Verdict(True)

    async def _agrees(self, signal: Signal) -> Verdict:
        """Ask the other timeframes, now that there is something to ask about."""
        scan = await self.timeframe_scanner.scan_all_timeframes(signal.symbol, self.data_manager)
        consensus = self.timeframe_scanner.get_timeframe_consensus(scan)["consensus"]
        if consensus in {"bullish", "bearish"} and consensus != signal.direction:
            return Verdict(False, "no_consensus", f"the timeframes are {consensus}")
        return Verdict(True)

    async def _traded(self, signal: Signal, setup: str, params: Mapping[str, float]) -> Verdict:
        """Risk the same share of the equity on every stop, less where the regime asks for it."""
        side, stop = signal.direction.sign, abs(signal.price - signal.stop_loss)
        stop *= params["stop_loss_multiplier"]
        scale = params["position_size"] * params["position_size_multiplier"]
        equity = (await self.desk.broker.account()).equity
        affordable = equity * self.desk.gate.max_position_fraction / signal.price
        shares = floor(min(equity * self.settings.risk_fraction * scale / stop, affordable))
        if shares < 1:
            return Verdict(False, "no_capital", "the risk allows less than one share")
        order = Order(
            f"tk-{signal.id}",
            signal.symbol,
            "buy" if side > 0 else "sell",
            shares,
            target=signal.price_target,
            stop=signal.price - side * stop,
            expires_at=signal.expires_at,
        )
        return await self.desk.submit(order, setup, signal)

    def get_system_health_report(self) -> dict[str, Any]:
        """How each room is doing, in one flat dict."""
        journal = self.logger.get_system_health_report()
        data_health = self.data_manager.get_health_score()
        regime = self.regime_detector.get_regime_statistics()
        return {
            "overall_health": min(data_health, journal["journal_health_percent"]),
            "data_sources_health": data_health,
            "opportunities_per_hour": journal["opportunities_per_hour"],
            "capture_rate": journal["capture_rate_percent"],
            "execution_rate": journal["execution_rate_percent"],
            "current_regime": regime["current_regime"],
            "active_symbols": self.watchlist_manager.get_watchlist_statistics()[
                "total_unique_symbols"
            ],
            "signals_detected": self.signal_aggregator.get_aggregation_stats()[
                "total_active_signals"
            ],
            "timeframe_opportunities": self.timeframe_scanner.get_scan_statistics()[
                "total_opportunities"
            ],
        }

    def display_health_dashboard(self) -> None:
        """Print the health of every room."""
        screens.show_health(self)

    def monitor_upgrade_performance(self) -> None:
        """Print what deserves a look: low health, many misses, and their reasons."""
        screens.show_alerts(self)

    def generate_weekly_report(self) -> str:
        """Print, and give back, what the last week brought and what it missed."""
        return screens.show_week(self)
