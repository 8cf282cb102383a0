"""The rails, one function each: what is refused, and what would pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import TYPE_CHECKING

import attrs
from attrs.converters import optional

from .._core.calendar import calendar_for
from .._core.clock import from_ns
from .._core.event import MissReason
from .._core.timeframe import Timeframe
from ._account import Account
from ._orders import Order

if TYPE_CHECKING:
    from ._risk import RiskGate

# Sizing to the very limit passes, whatever the last bit of a float says.
_ROUNDING = 1 + 1e-9
MINUTE = 60 * 10**9


@attrs.frozen
class Verdict:
    """Whether an order may go, and if not, why.

    Parameters
    ----------
    allowed : bool
        Whether it may.
    code : MissReason, optional
        What a refusal is counted under; None where it may go.
    reason : str
        The limit, what was asked and what would pass.
    limit : str, optional
        Name of the limit that refused, where one did: the same for all that it refuses.

    Examples
    --------
    >>> verdict = Verdict(False, "duplicate", "SPY is held already")
    >>> bool(verdict), verdict.code.value
    (False, 'duplicate')
    """

    allowed: bool
    code: MissReason | None = attrs.field(default=None, converter=optional(MissReason))
    reason: str = ""
    limit: str | None = None

    def __bool__(self) -> bool:
        return self.allowed


@attrs.frozen
class Asked:
    """An entry that wants to pass, and what the gate remembers; times in nanoseconds."""

    gate: RiskGate
    order: Order
    account: Account
    price: float
    known_at: int | None
    timeframe: Timeframe
    now: int
    session_start: int
    is_stopped: bool  # the session has had its loss
    passed: Mapping[str, tuple[int, float]]  # when other entries passed, and at what cost

    @property
    def cost(self) -> float:
        """Dollars that the order moves: at its limit where it has one."""
        return self.order.quantity * (self.order.limit_price or self.price)

    @property
    def waiting(self) -> list[tuple[Order, float | None]]:
        """Other entries that wait, with what they will cost; None where nobody knows."""
        others = (order for order in self.account.orders if order.id != self.order.id)
        return [(order, self._cost_of(order)) for order in others if adds(order, self.account)]

    def due(self, symbol: str | None = None) -> float:
        """Dollars that other entries will take, of one symbol or of all."""
        entries = self.waiting
        return sum((cost or 0.0 for order, cost in entries if symbol in (None, order.symbol)), 0.0)

    def _cost_of(self, order: Order) -> float | None:
        """At its limit, else as it passed this gate."""
        if order.limit_price is not None:
            return order.quantity * order.limit_price
        return self.passed[order.id][1] if order.id in self.passed else None

    def shares(self, dollars: float) -> str:
        """What would pass, in words."""
        most = max(dollars, 0.0) / (self.order.limit_price or self.price)
        return f"up to {most:,.4f} shares would pass" if most else "nothing passes at present"


Rail = Callable[[Asked], Verdict | None]


def halted(asked: Asked) -> Verdict | None:
    if asked.gate.halted is None:
        return None
    return _refused(
        "risk_limit", f"entries are halted: {asked.gate.halted}; resume() lets them pass", "halted"
    )


def figures(asked: Asked) -> Verdict | None:
    """Comparisons with NaN are false: refuse first what cannot be compared."""
    account, price = asked.account, asked.price
    if not isfinite(price) or price <= 0:
        return _refused("no_data", f"{asked.order.symbol} has no price: {price}")
    if account.equity <= 0 or account.day_start_equity <= 0:
        return _refused("no_capital", f"equity {account.equity:,.2f} buys nothing")
    return None


def fresh(asked: Asked) -> Verdict | None:
    at, most = asked.known_at, asked.gate.max_price_age
    if at is None:
        return None
    symbol = asked.order.symbol
    told = f"the price of {symbol} was known at {from_ns(at):%Y-%m-%d %H:%M:%S} UTC"
    if at > asked.now:
        return _refused(
            "stale_data",
            f"{told}, after now: {from_ns(asked.now):%Y-%m-%d %H:%M:%S}",
            "max_price_age",
        )
    too_old = calendar_for(asked.gate.calendar).later(at, asked.timeframe, most + 1)
    if asked.now < too_old:
        return None
    limit = f"max_price_age is {most} bars of {asked.timeframe}"
    return _refused(
        "stale_data",
        f"{limit}; {told}, good until {from_ns(too_old):%Y-%m-%d %H:%M:%S}",
        "max_price_age",
    )


def collar(asked: Asked) -> Verdict | None:
    limit, price, most = asked.order.limit_price, asked.price, asked.gate.price_collar
    if limit is None or abs(limit / price - 1) <= most * _ROUNDING:
        return None
    low, high = (price * (1 + sign * most) for sign in (-1, 1))
    rule = f"price_collar is {most:.1%} around {price:,.4f}"
    return _refused(
        "risk_limit",
        f"{rule}; asked {limit:,.4f}, {low:,.4f} to {high:,.4f} passes",
        "price_collar",
    )


def daily_loss(asked: Asked) -> Verdict | None:
    if not asked.is_stopped:
        return None
    rule = f"max_daily_loss is {asked.gate.max_daily_loss:.1%} of the session's first equity"
    lost = f"it is {asked.account.day_return:+.2%} now"
    return _refused(
        "risk_limit",
        f"{rule}, reached in this session ({lost}); the next one passes",
        "max_daily_loss",
    )


def one_each(asked: Asked) -> Verdict | None:
    symbol, account = asked.order.symbol, asked.account
    if not asked.gate.one_per_symbol or symbol not in taken(account, asked.order):
        return None
    how = "is held" if symbol in account.positions else "waits to be filled"
    return _refused(
        "duplicate",
        f"one_per_symbol: {symbol} {how} already; another symbol passes",
        "one_per_symbol",
    )


def places(asked: Asked) -> Verdict | None:
    symbols, most = taken(asked.account, asked.order), asked.gate.max_positions
    if asked.order.symbol in symbols or len(symbols) < most:
        return None
    rule = f"max_positions is {most}"
    return _refused(
        "risk_limit", f"{rule}, all taken: {', '.join(sorted(symbols))}; leave one", "max_positions"
    )


def known(asked: Asked) -> Verdict | None:
    """What waits will take its share: where nobody knows how much, nothing can be compared."""
    unknown = [order.id for order, cost in asked.waiting if cost is None]
    if not unknown:
        return None
    why = f"{', '.join(unknown)} did not pass here, and nobody knows what it will cost"
    return _refused("no_data", f"max_gross: {why}; cancel it, or wait until it is filled")


def size(asked: Asked) -> Verdict | None:
    equity, symbol = asked.account.equity, asked.order.symbol
    fraction, held = asked.gate.max_position_fraction, asked.account.positions.get(symbol)
    used = asked.due(symbol) + (abs(held.value) if held else 0.0)
    most = fraction * equity
    if used + asked.cost <= most * _ROUNDING:
        return None
    rule = f"max_position_fraction is {fraction:.1%} of equity {equity:,.2f}"
    asks = f"{asked.order.quantity:,.4f} {symbol} cost {asked.cost:,.2f}"
    return _refused(
        "risk_limit", f"{rule}; {asks}; {asked.shares(most - used)}", "max_position_fraction"
    )


def exposure(asked: Asked) -> Verdict | None:
    fraction, equity = asked.gate.max_gross, asked.account.equity
    gross, most = asked.account.gross + asked.due(), fraction * equity
    if gross + asked.cost <= most * _ROUNDING:
        return None
    rule = f"max_gross is {fraction:.2f} of equity {equity:,.2f}"
    asks = f"{gross:,.2f} is at work and {asked.cost:,.2f} asked"
    return _refused("risk_limit", f"{rule}; {asks}; {asked.shares(most - gross)}", "max_gross")


def pace(asked: Asked) -> Verdict | None:
    moments, gate = [moment for moment, _ in asked.passed.values()], asked.gate
    windows = (
        ("max_orders_per_minute", gate.max_orders_per_minute, asked.now - MINUTE + 1, "a minute"),
        ("max_orders_per_day", gate.max_orders_per_day, asked.session_start, "a session"),
    )
    for name, most, first, wait in windows:
        if sum(moment >= first for moment in moments) >= most:
            return _refused(
                "risk_limit", f"{name} is {most}, all used; one passes {wait} later", name
            )
    return None


RAILS: tuple[Rail, ...] = (
    halted,
    figures,
    fresh,
    collar,
    daily_loss,
    one_each,
    places,
    known,
    size,
    exposure,
    pace,
)


def first_refusal(asked: Asked) -> Verdict | None:
    """The first rail's refusal; None where all let the order pass."""
    refusals = (rail(asked) for rail in RAILS)
    return next((verdict for verdict in refusals if verdict is not None), None)


def adds(order: Order, account: Account) -> bool:
    """Whether an order opens something: all but what takes from a position alone."""
    held = account.positions.get(order.symbol)
    if held is None or order.side.sign * held.quantity > 0:
        return True
    leaving = sum(
        other.quantity
        for other in account.orders
        if (other.symbol, other.side) == (order.symbol, order.side) and other.id != order.id
    )
    return leaving + order.quantity > abs(held.quantity) * _ROUNDING


def taken(account: Account, order: Order) -> set[str]:
    """Symbols that are held, or will be by other orders that wait."""
    return {*account.positions, *(other.symbol for other in account.orders if other.id != order.id)}


def _refused(code: str, reason: str, limit: str | None = None) -> Verdict:
    return Verdict(False, MissReason(code), reason, limit)
