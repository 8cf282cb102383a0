"""Whoever carries out orders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from ._account import Account, Position
from ._orders import Order, OrderStatus


@runtime_checkable
class Broker(Protocol):
    """Whatever a bot can hand its orders to.

    Examples
    --------
    >>> from tradekit.execution import PaperBroker
    >>> isinstance(PaperBroker(), Broker)
    True
    """

    async def submit(self, order: Order) -> Order:
        """Hand over an order; the same order handed over again changes nothing.

        Parameters
        ----------
        order : Order
            What to do.

        Returns
        -------
        Order
            The order as the broker holds it.

        Raises
        ------
        UsageError
            When another order has the same id.
        """
        ...

    async def cancel(self, order_id: str) -> bool:
        """Take back an order that waits.

        Parameters
        ----------
        order_id : str
            Which one.

        Returns
        -------
        bool
            Whether it still waited; what it has already opened stays open.

        Raises
        ------
        UsageError
            When there is no such order.
        """
        ...

    async def status(self, order_id: str) -> OrderStatus:
        """Tell what has become of an order: ask this first when an answer was lost.

        Parameters
        ----------
        order_id : str
            Which one.

        Returns
        -------
        OrderStatus
            Waiting, filled, cancelled or expired.

        Raises
        ------
        UsageError
            When there is no such order.
        """
        ...

    async def account(self) -> Account:
        """Tell what is held and what it is worth.

        Returns
        -------
        Account
            As of the newest prices known.
        """
        ...

    async def positions(self) -> Mapping[str, Position]:
        """Tell what is held.

        Returns
        -------
        mapping of str to Position
            By symbol, in alphabetical order.
        """
        ...
