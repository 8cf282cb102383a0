"""What is held, and what it is worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType

import attrs

from .._core.clock import to_utc
from .._core.event import Mode
from .._core.figures import as_float, finite
from ._orders import Order, check_texts


@attrs.frozen
class Position:
    """Shares of one symbol that are held or owed.

    Parameters
    ----------
    symbol : str
        Of what.
    quantity : float
        Shares; negative for a short position.
    entry_price : float
        What they cost on average.
    opened_at : datetime
        When the oldest of them came in, aware UTC.
    order : str
        Id of the order that brought the oldest of them.
    price : float
        Newest close known: what they are valued at.

    Examples
    --------
    >>> from datetime import UTC
    >>> at = datetime(2024, 3, 8, 21, tzinfo=UTC)
    >>> Position("SPY", -10, 512.0, at, "tk-1", 510.0).profit
    20.0
    """

    symbol: str
    quantity: float = attrs.field(converter=as_float, validator=finite)
    entry_price: float = attrs.field(converter=as_float, validator=finite)
    opened_at: datetime = attrs.field(converter=to_utc)
    order: str
    price: float = attrs.field(converter=as_float, validator=finite)

    def __attrs_post_init__(self) -> None:
        check_texts(self, symbol=self.symbol)

    @property
    def value(self) -> float:
        """Dollars that the shares would bring at their price; negative for a short position."""
        return self.quantity * self.price

    @property
    def profit(self) -> float:
        """Dollars earned so far at that price, before fees."""
        return self.quantity * (self.price - self.entry_price)


def _waiting(orders: Iterable[Order]) -> tuple[Order, ...]:
    return tuple(orders)


def _by_symbol(positions: Mapping[str, Position]) -> Mapping[str, Position]:
    return MappingProxyType(dict(positions))


@attrs.frozen
class Account:
    """What a broker holds for the bot.

    Parameters
    ----------
    cash : float
        Dollars; proceeds of short sales included.
    equity : float
        Cash and the value of all positions.
    day_start_equity : float
        The equity when the present session opened.
    positions : mapping of str to Position
        By symbol.
    orders : tuple of Order
        Those that wait to be filled, oldest first.
    mode : Mode
        Whose money it is.

    Examples
    --------
    >>> account = Account(99_000.0, 99_000.0, 100_000.0)
    >>> account.day_return, account.gross, account.mode.value
    (-0.01, 0.0, 'paper')
    """

    cash: float = attrs.field(converter=as_float, validator=finite)
    equity: float = attrs.field(converter=as_float, validator=finite)
    day_start_equity: float = attrs.field(converter=as_float, validator=finite)
    positions: Mapping[str, Position] = attrs.field(factory=dict, converter=_by_symbol)
    orders: tuple[Order, ...] = attrs.field(default=(), converter=_waiting)
    mode: Mode = attrs.field(default=Mode.PAPER, kw_only=True, converter=Mode)

    @property
    def gross(self) -> float:
        """Dollars at work: the size of all positions, long and short."""
        return sum((abs(position.value) for position in self.positions.values()), 0.0)

    @property
    def day_return(self) -> float:
        """What the session has earned so far, as a fraction; NaN when it began with nothing."""
        start = self.day_start_equity
        return (self.equity - start) / start if start > 0 else float("nan")
