"""What is asked of a broker, and what comes of it."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any

import attrs
from attrs.converters import optional

from .._core.clock import to_utc
from .._core.errors import UsageError
from .._core.event import Mode
from .._core.figures import as_float, finite
from .._core.words import Word

# Brokers count shares to nine decimals; what is less is left over from adding floats.
LEAST_SHARES = 1e-9


class Side(Word):
    """Which way an order goes; equal to the plain text.

    Examples
    --------
    >>> Side("buy").sign, Side.of(-3.0) == "sell"
    (1, True)
    """

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """1 for a purchase, -1 for a sale."""
        return 1 if self is Side.BUY else -1

    @classmethod
    def of(cls, quantity: float) -> Side:
        """Give the side that adds a signed quantity.

        Parameters
        ----------
        quantity : float
            Shares, negative for a sale.

        Returns
        -------
        Side
            Which way to trade.
        """
        return cls.BUY if quantity > 0 else cls.SELL


class FillReason(Word):
    """Why shares changed hands.

    Examples
    --------
    >>> FillReason.STOP == "stop"
    True
    """

    ENTRY = "entry"
    TARGET = "target"
    STOP = "stop"
    TIMEOUT = "timeout"
    CLOSE = "close"


class OrderStatus(Word):
    """What has become of an order.

    Examples
    --------
    >>> OrderStatus("waiting").name
    'WAITING'
    """

    WAITING = "waiting"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


def _price(**options: Any) -> Any:
    return attrs.field(kw_only=True, converter=as_float, validator=finite, **options)


def check_texts(value: object, **texts: str) -> None:
    """Refuse a value whose names are no names.

    Parameters
    ----------
    value : object
        Which one.
    **texts : str
        Its names.

    Raises
    ------
    UsageError
        When one is empty or no text.
    """
    for name, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            problem = f"{type(value).__name__} needs {name}"
            raise UsageError(problem, expected="a text", got=repr(text))


@attrs.frozen
class Order:
    """Shares to buy or sell, and where to leave again.

    Without a limit it goes at the market. With a target, a stop or a time it is a bracket: once
    it is filled, what it opened is left at the first of them.

    Parameters
    ----------
    id : str
        The caller's own name for it, never used twice: sent again, it is the same order.
    symbol : str
        What to trade.
    side : {"buy", "sell"}
        Which way; a sale of what is not held goes short.
    quantity : float
        Shares, whole or not, from a billionth.
    limit_price : float, optional
        Pay no more than this, or take no less.
    target, stop : float, optional
        Prices where to leave with a profit and with a loss.
    expires_at : datetime, optional
        Aware. Not entered by then, the order lapses; entered, it is left at the close of the last
        bar that is complete by then.

    Raises
    ------
    UsageError
        When it has no name, no shares, or levels in the wrong order.

    Examples
    --------
    >>> order = Order("tk-1", "SPY", "buy", 10, target=520.0, stop=505.0)
    >>> order.side.sign * order.quantity, order.is_bracket
    (10.0, True)
    """

    id: str
    symbol: str
    side: Side = attrs.field(converter=Side)
    quantity: float = attrs.field(converter=as_float, validator=finite)
    limit_price: float | None = _price(default=None)
    target: float | None = _price(default=None)
    stop: float | None = _price(default=None)
    expires_at: datetime | None = attrs.field(
        default=None, kw_only=True, converter=optional(to_utc)
    )

    def __attrs_post_init__(self) -> None:
        check_texts(self, id=self.id, symbol=self.symbol)
        if self.quantity < LEAST_SHARES:
            _refuse(self, f"a quantity from {LEAST_SHARES:g}", str(self.quantity))
        levels = [x for x in (self.stop, self.limit_price, self.target) if x is not None]
        if any(level <= 0 for level in levels):
            _refuse(self, "prices above zero", str(levels))
        if any(self.side.sign * (ahead - behind) <= 0 for behind, ahead in pairwise(levels)):
            expected = "the stop behind the limit, and both behind the target"
            _refuse(self, expected, f"stop, limit, target: {', '.join(map(str, levels))}")

    @property
    def is_bracket(self) -> bool:
        """Whether it says where to leave again."""
        return any(way is not None for way in (self.target, self.stop, self.expires_at))


def _refuse(order: Order, expected: str, got: str) -> None:
    problem = f"no such order to {order.side} {order.symbol}"
    hint = "Order('tk-1', 'SPY', 'buy', 10, target=520.0, stop=505.0)"
    raise UsageError(problem, expected=expected, got=got, hint=hint, order=order.id)


@attrs.frozen
class Fill:
    """Shares that changed hands, at what price, when and why.

    Parameters
    ----------
    order : str
        Id of the order that did it; of the entry where a bracket was left.
    symbol : str
        What was traded.
    side : {"buy", "sell"}
        Which way.
    quantity : float
        Shares.
    price : float
        Per share, costs of the spread included.
    fee : float
        Dollars, beside the price.
    time : datetime
        When, aware UTC: a bar's open, else its close, when it is known what was touched in it.
    reason : FillReason
        Why.
    closes : str, optional
        Id of the order whose shares these are, where shares were left.
    mode : Mode
        Whose money it is.

    Examples
    --------
    >>> from datetime import UTC
    >>> at = datetime(2024, 3, 8, 21, tzinfo=UTC)
    >>> Fill("tk-1", "SPY", "sell", 10, 512.0, 0.1, at, "target", closes="tk-1").amount
    5119.9
    """

    order: str
    symbol: str
    side: Side = attrs.field(converter=Side)
    quantity: float = attrs.field(converter=as_float, validator=finite)
    price: float = attrs.field(converter=as_float, validator=finite)
    fee: float = attrs.field(converter=as_float, validator=finite)
    time: datetime = attrs.field(converter=to_utc)
    reason: FillReason = attrs.field(converter=FillReason)
    closes: str | None = attrs.field(default=None, kw_only=True)
    mode: Mode = attrs.field(default=Mode.PAPER, kw_only=True, converter=Mode)

    @property
    def signed_quantity(self) -> float:
        """Shares that came in; negative for those that went out."""
        return self.side.sign * self.quantity

    @property
    def amount(self) -> float:
        """Cash that came in, after the fee; negative for what was paid."""
        return -self.signed_quantity * self.price - self.fee
