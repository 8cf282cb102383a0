"""The bot's hands: orders go out through the gate, and what becomes of them is written down."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from tradekit import Bars, Clock, ComprehensiveLogger, PaperBroker, RiskGate, Signal
from tradekit.execution import Fill, Order, Verdict
from tradekit.journal import OrderFilled, OrderSubmitted


@attrs.frozen
class Trade:
    """An order at work, and why it is."""

    order: str
    setup: str
    signal: Signal


class Desk:
    """One trade a symbol at a time, on paper."""

    def __init__(self, clock: Clock, logger: ComprehensiveLogger) -> None:
        self.clock, self.logger = clock, logger
        self.broker, self.gate = PaperBroker(clock), RiskGate()
        self.trades: dict[str, Trade] = {}

    async def submit(self, order: Order, setup: str, signal: Signal) -> Verdict:
        """Send an order, if every limit lets it pass."""
        account, now = await self.broker.account(), self.clock.now()
        known = {"price": signal.price, "price_time": signal.time, "timeframe": signal.timeframe}
        verdict = self.gate.check(order, account, now=now, **known)
        if verdict:
            facts = {"symbol": order.symbol, "side": order.side, "quantity": order.quantity}
            self.logger.log(OrderSubmitted(now, order=order.id, setup=setup, **facts))
            await self.broker.submit(order)
            self.trades[order.symbol] = Trade(order.id, setup, signal)
        return verdict

    async def settle(self, bars: Mapping[str, Bars]) -> None:
        """Let the broker see new bars, and write down what became of the orders."""
        for fill in self.broker.advance(bars):
            self._write(fill, self.trades[fill.symbol])
        for trade in list(self.trades.values()):
            if await self.broker.status(trade.order) == "expired":
                del self.trades[trade.signal.symbol]
                self.miss(trade.signal, trade.setup, Verdict(False, "expired", "never filled"))

    def miss(self, signal: Signal, setup: str, verdict: Verdict) -> None:
        """Write down why a setup is not traded; the name of a limit counts what it refused."""
        self.logger.log_opportunity_missed(
            signal.symbol,
            signal.signal_type.value,
            verdict.limit or verdict.reason,
            signal.confidence,
            {"why": verdict.reason},
            setup=setup,
            code=verdict.code,
        )

    def _write(self, fill: Fill, trade: Trade) -> None:
        log, signal, setup = self.logger, trade.signal, trade.setup
        facts = {"side": fill.side, "quantity": fill.quantity, "price": fill.price}
        facts |= {"symbol": fill.symbol, "order": fill.order, "fee": fill.fee, "setup": setup}
        log.log(OrderFilled(fill.time, seen_at=self.clock.now(), **facts))
        side, shares = fill.side.upper(), fill.quantity
        if fill.reason == "entry":
            log.log_opportunity_executed(
                fill.symbol, signal.signal_type, signal.confidence, fill.price, shares, setup=setup
            )
            log.log_trade_entry(
                fill.symbol, side, shares, fill.price, signal.source_method, setup=setup
            )
        else:
            del self.trades[fill.symbol]
            log.log_trade_exit(fill.symbol, side, shares, fill.price, fill.reason, setup=setup)
