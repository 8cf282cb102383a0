"""Cash and shares, entry by entry: every fill is booked here, and nothing else changes them."""

from __future__ import annotations

import attrs

from .._core.clock import from_ns
from ._account import Position
from ._matching import Touch
from ._orders import LEAST_SHARES, Fill, FillReason, Order, Side


@attrs.define
class Lot:
    """What is left of one entry; signed shares."""

    order: Order
    quantity: float
    price: float
    opened: int


class Ledger:
    """Books fills.

    All lots of a symbol have the same side: an order against them takes from the oldest first,
    and opens a lot only with what is left of it.
    """

    def __init__(self, cash: float, fee: float) -> None:
        self.cash, self._fee = cash, fee
        self._lots: dict[str, list[Lot]] = {}
        self.prices: dict[str, float] = {}

    def lots(self, symbol: str) -> tuple[Lot, ...]:
        """What is held of a symbol, oldest first."""
        return tuple(self._lots.get(symbol, ()))

    @property
    def equity(self) -> float:
        """Cash and shares at the newest prices."""
        held = self.positions().values()
        return self.cash + sum(position.value for position in held)

    def positions(self) -> dict[str, Position]:
        """What is held, by symbol."""
        return {symbol: self._position(symbol) for symbol in sorted(self._lots)}

    def trade(self, order: Order, touch: Touch) -> list[Fill]:
        """Book a filled order: first against what is held on the other side."""
        fills, rest = [], order.quantity
        for lot in self.lots(order.symbol):
            if lot.quantity * order.side.sign < 0 and rest >= LEAST_SHARES:
                taken = min(rest, abs(lot.quantity))
                how = touch._replace(reason=FillReason.CLOSE)
                fills.append(self._take(lot, taken, order.id, how))
                rest -= taken
        if rest >= LEAST_SHARES:
            lot = Lot(order, order.side.sign * rest, touch.price, touch.time)
            self._lots.setdefault(order.symbol, []).append(lot)
            fills.append(self._book(order.id, order.symbol, lot.quantity, touch))
        return fills

    def close(self, lot: Lot, touch: Touch) -> Fill:
        """Book the end of a bracket: all that is left of its entry."""
        return self._take(lot, abs(lot.quantity), lot.order.id, touch)

    def _take(self, lot: Lot, quantity: float, order: str, touch: Touch) -> Fill:
        side = Side.of(-lot.quantity)
        symbol = lot.order.symbol
        lot.quantity += side.sign * quantity
        if abs(lot.quantity) < LEAST_SHARES:
            self._lots[symbol].remove(lot)
            if not self._lots[symbol]:
                del self._lots[symbol]
        return self._book(order, symbol, side.sign * quantity, touch, lot.order.id)

    def _book(
        self, order: str, symbol: str, quantity: float, touch: Touch, closes: str | None = None
    ) -> Fill:
        size = abs(quantity)
        fee = self._fee * size * touch.price
        at, why = from_ns(touch.time), touch.reason
        side = Side.of(quantity)
        fill = Fill(order, symbol, side, size, touch.price, fee, at, why, closes=closes)
        self.cash += fill.amount
        return fill

    def _position(self, symbol: str) -> Position:
        lots = self._lots[symbol]
        quantity = sum(lot.quantity for lot in lots)
        cost = sum(lot.quantity * lot.price for lot in lots)
        opened = from_ns(lots[0].opened)
        price = self.prices[symbol]
        return Position(symbol, quantity, cost / quantity, opened, lots[0].order.id, price)
