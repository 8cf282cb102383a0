"""Trades and orders: what the bot says that it did, and what the broker answered."""

from __future__ import annotations

from typing import Any

import attrs

from .details import details
from .occurrence import Event, number


@attrs.frozen(kw_only=True)
class TradeEntered(Event):
    """The bot says that it went in.

    Parameters
    ----------
    time, seen_at, run, mode, setup, seq : optional but for ``time``
        As for `Event`.
    symbol, side, strategy : str
        What was bought or sold, on whose idea.
    quantity, stated_price : float
        How much, and at which price the bot says.
    unlinked : bool
        Whether its setup was never detected.
    details : dict
        Anything else.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> TradeEntered(datetime(2024, 3, 8, tzinfo=UTC), symbol="SPY", side="BUY", quantity=1).side
    'BUY'
    """

    symbol: str
    side: str
    quantity: float = number()
    stated_price: float | None = number(default=None)
    strategy: str = ""
    unlinked: bool = False
    details: dict[str, Any] = attrs.field(factory=dict, converter=details)


@attrs.frozen(kw_only=True)
class TradeExited(Event):
    """The bot says that it got out, and why.

    Parameters
    ----------
    time, seen_at, run, mode, setup, seq : optional but for ``time``
        As for `Event`.
    symbol, side, reason : str
        What was bought or sold, and why.
    quantity, stated_price : float
        How much, and at which price the bot says.
    details : dict
        Anything else.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> TradeExited(datetime(2024, 3, 8, tzinfo=UTC), symbol="SPY", side="SELL", quantity=1).side
    'SELL'
    """

    symbol: str
    side: str
    quantity: float = number()
    stated_price: float | None = number(default=None)
    reason: str = ""
    details: dict[str, Any] = attrs.field(factory=dict, converter=details)


@attrs.frozen(kw_only=True)
class OrderSubmitted(Event):
    """An order was handed to the broker.

    Parameters
    ----------
    time, seen_at, run, mode, setup, seq : optional but for ``time``
        As for `Event`.
    symbol, order, side : str
        What, under which id.
    quantity, limit_price : float
        How much, and at most or at least at which price.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> OrderSubmitted(datetime(2024, 3, 8, tzinfo=UTC),
    ...     symbol="SPY", order="1", side="buy", quantity=1).order
    '1'
    """

    symbol: str
    order: str
    side: str
    quantity: float = number()
    limit_price: float | None = number(default=None)


@attrs.frozen(kw_only=True)
class OrderFilled(Event):
    """An order was filled, in whole or in part: the only price that counts.

    Parameters
    ----------
    time, seen_at, run, mode, setup, seq : optional but for ``time``
        As for `Event`.
    symbol, order, side : str
        What, under which id.
    quantity, price, fee : float
        How much, at what, and what it cost besides.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> OrderFilled(datetime(2024, 3, 8, tzinfo=UTC),
    ...     symbol="SPY", order="1", side="buy", quantity=1, price=9).price
    9.0
    """

    symbol: str
    order: str
    side: str
    quantity: float = number()
    price: float = number()
    fee: float = number(default=0.0)


@attrs.frozen(kw_only=True)
class OrderRejected(Event):
    """The broker, or a risk limit, refused an order.

    Parameters
    ----------
    time, seen_at, run, mode, setup, seq : optional but for ``time``
        As for `Event`.
    symbol, order, reason : str
        What, under which id, and why.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> OrderRejected(datetime(2024, 3, 8, tzinfo=UTC),
    ...     symbol="SPY", order="1", reason="halted").reason
    'halted'
    """

    symbol: str
    order: str
    reason: str
