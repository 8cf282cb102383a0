"""The gate that every order passes before a broker sees it."""

from __future__ import annotations

import logging
from datetime import datetime
from math import inf
from threading import RLock
from typing import Any

import attrs
import numpy as np

from .._core.calendar import calendar_for
from .._core.clock import to_ns
from .._core.errors import UsageError
from .._core.figures import as_float, count
from .._core.timeframe import Timeframe
from ._account import Account
from ._orders import Order
from ._rails import MINUTE, Asked, Verdict, adds, first_refusal

_LOG = logging.getLogger("tradekit.execution")
# Of these, 3 is 3 % by mistake: a rail that would hold nothing.
_PARTS = ("max_daily_loss", "price_collar")


def _share(_: object, field: attrs.Attribute[Any], value: object) -> None:
    part = field.name in _PARTS
    if not isinstance(value, float) or not 0 < value < inf or (part and value > 1):
        expected = f"{field.name} as a fraction above 0{' and up to 1' * part}"
        hint = f"{field.name}={field.default}"
        raise UsageError("no such limit", expected=expected, got=repr(value), hint=hint)


def _number(value: object, _: Any, field: Any) -> int:
    return count(value, f"{field.name} counts from one", f"{field.name}={field.default}")


def _fraction(default: float) -> Any:
    return attrs.field(default=default, converter=as_float, validator=_share)


def _count(default: int) -> Any:
    convert = attrs.Converter(_number, takes_self=True, takes_field=True)
    return attrs.field(default=default, converter=convert)


@attrs.define(kw_only=True, eq=False)
class RiskGate:
    """Let orders pass that keep to the limits; a refusal names the limit and what would pass.

    All rails are on, and each limit is an attribute that may be changed at any time. Entries that
    pass are counted, each id once. What only takes from a position passes always: no limit and no
    halt keeps the bot in a trade.

    Parameters
    ----------
    max_position_fraction : float
        Most of the equity that one position may take.
    max_positions : int
        Most symbols held at once, waiting orders included.
    max_gross : float
        Most at work, long and short together, as a fraction of the equity; waiting orders
        included.
    max_daily_loss : float
        Fraction of the session's first equity. Once it is lost, realised or not, no entry passes
        until the next session of the exchange opens, even if it is earned back.
    max_orders_per_day, max_orders_per_minute : int
        Most entries that pass in a session, and in sixty seconds.
    price_collar : float
        How far a limit price may lie from the newest price, as a fraction.
    max_price_age : int
        Most bars that may have become complete since the price was known.
    one_per_symbol : bool
        Whether a symbol that is held, or waits to be filled, is refused.
    calendar : str
        Exchange whose sessions are the days.

    Raises
    ------
    UsageError
        When a limit is none.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> now = datetime(2024, 3, 8, 20, tzinfo=UTC)
    >>> account = Account(100_000.0, 100_000.0, 100_000.0)
    >>> gate = RiskGate()
    >>> gate.check(Order("tk-1", "SPY", "buy", 10), account, price=512.0, now=now).allowed
    True
    >>> print(gate.check(Order("tk-2", "QQQ", "buy", 50), account, price=400.0, now=now).reason)
    max_position_fraction is 10.0% of equity 100,000.00; 50.0000 QQQ cost 20,000.00;
    up to 25.0000 shares would pass
    """

    max_position_fraction: float = _fraction(0.10)
    max_positions: int = _count(10)
    max_gross: float = _fraction(1.0)
    max_daily_loss: float = _fraction(0.03)
    max_orders_per_day: int = _count(200)
    max_orders_per_minute: int = _count(20)
    price_collar: float = _fraction(0.05)
    max_price_age: int = _count(2)
    one_per_symbol: bool = True
    calendar: str = "XNYS"
    _halted: str | None = attrs.field(default=None, init=False, repr=False)
    _stopped: int = attrs.field(
        default=-1, init=False, repr=False
    )  # open of the session that had its loss
    _passed: dict[str, tuple[int, float]] = attrs.field(factory=dict, init=False, repr=False)
    _lock: Any = attrs.field(factory=RLock, init=False, repr=False)

    @property
    def halted(self) -> str | None:
        """Why no entry passes; None while they may."""
        return self._halted

    def halt(self, reason: str) -> None:
        """Let no entry pass until `resume`; exits pass, and what waits at a broker stays there.

        Parameters
        ----------
        reason : str
            Why; every refusal repeats it.

        Raises
        ------
        UsageError
            When no reason is given.
        """
        if not isinstance(reason, str) or not reason.strip():
            hint = "gate.halt('news')"
            raise UsageError("a halt has a reason", expected="a text", got=repr(reason), hint=hint)
        self._halted = reason
        _LOG.warning("entries are halted: %s", reason)

    def resume(self) -> None:
        """Let entries pass again; a daily loss still holds until the next session."""
        self._halted = None

    def check(
        self,
        order: Order,
        account: Account,
        *,
        price: float,
        now: datetime,
        price_time: datetime | None = None,
        timeframe: str = "5Min",
    ) -> Verdict:
        """Say whether an order may go to the broker, and count it if it may.

        Parameters
        ----------
        order : Order
            What the bot wants to do.
        account : Account
            What the broker holds, just asked.
        price : float
            Newest price of the symbol.
        now : datetime
            Aware.
        price_time : datetime, optional
            When that price was known, aware: the close time of its bar. Without it, its age is
            not looked at.
        timeframe : Timeframe or str
            Length of the bars that the price comes from.

        Returns
        -------
        Verdict
            True where it may go; else with the code and the reason.

        Raises
        ------
        UsageError
            When a time has no zone, or the timeframe is none.

        Examples
        --------
        >>> from datetime import UTC, datetime
        >>> gate, now = RiskGate(), datetime(2024, 3, 8, 20, tzinfo=UTC)
        >>> gate.halt("the news is bad")
        >>> order, account = Order("tk-1", "SPY", "buy", 10), Account(1e5, 1e5, 1e5)
        >>> print(gate.check(order, account, price=512.0, now=now).reason)
        entries are halted: the news is bad; resume() lets them pass
        """
        number, known_at = as_float(price), None if price_time is None else to_ns(price_time)
        number = number if isinstance(number, float) else float("nan")
        length, moment = Timeframe(timeframe), to_ns(now)
        with self._lock:
            start = self._watch(account, moment)
            if not adds(order, account):
                return Verdict(True, reason=f"it only takes from the position in {order.symbol}")
            stopped = start == self._stopped
            others = {name: entry for name, entry in self._passed.items() if name != order.id}
            asked = Asked(
                self, order, account, number, known_at, length, moment, start, stopped, others
            )
            verdict = first_refusal(asked)
            if verdict is None:
                self._passed.setdefault(order.id, (moment, asked.cost))
                return Verdict(True, reason="within all limits")
        _LOG.info("%s of %s is refused: %s", order.id, order.symbol, verdict.reason)
        return verdict

    def _watch(self, account: Account, now: int) -> int:
        """Forget what no longer counts, remember a loss, and tell when the session opened."""
        opens = calendar_for(self.calendar).opens
        start = int(opens[max(int(np.searchsorted(opens, now, side="right")) - 1, 0)])
        waiting = {order.id for order in account.orders}
        passed = self._passed.items()
        first = min(start, now - MINUTE)
        self._passed = {k: v for k, v in passed if v[0] >= first or k in waiting}
        if account.day_return <= -self.max_daily_loss:
            self._stopped = start
        return start
