"""The bot's hands: orders, a paper broker, and the rails that stand before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._core.lazy import front

if TYPE_CHECKING:
    from ._account import Account as Account
    from ._account import Position as Position
    from ._broker import Broker as Broker
    from ._orders import Fill as Fill
    from ._orders import FillReason as FillReason
    from ._orders import Order as Order
    from ._orders import OrderStatus as OrderStatus
    from ._orders import Side as Side
    from ._paper import PaperBroker as PaperBroker
    from ._rails import Verdict as Verdict
    from ._risk import RiskGate as RiskGate

_HOME = {
    "Account": "_account",
    "Broker": "_broker",
    "Fill": "_orders",
    "FillReason": "_orders",
    "Order": "_orders",
    "OrderStatus": "_orders",
    "PaperBroker": "_paper",
    "Position": "_account",
    "RiskGate": "_risk",
    "Side": "_orders",
    "Verdict": "_rails",
}
__all__ = list(_HOME)
__getattr__, __dir__ = front(__name__, _HOME)
