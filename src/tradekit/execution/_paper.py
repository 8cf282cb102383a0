"""A broker on paper: orders meet complete bars, and no money moves."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from threading import RLock

import numpy as np

from .._core.bars import Bars
from .._core.blocking import Blocking
from .._core.calendar import calendar_for
from .._core.clock import Clock, SystemClock, to_ns
from .._core.errors import UsageError
from .._core.event import Mode
from .._core.figures import within
from ._account import Account, Position
from ._ledger import Ledger
from ._matching import Candle, candles, enter, leave
from ._orders import Fill, Order, OrderStatus

_LOG = logging.getLogger("tradekit.execution")


class PaperBroker:
    """Carry out orders on paper, against complete bars.

    A market order is filled at the open of the first bar that opens at or after the moment when
    it was submitted, half a spread worse: never at the bar that gave the signal. A limit order is
    filled when its price is touched, or better at the open. Brackets end as in `triple_barrier`:
    an open beyond the stop or the target fills there, the stop comes before the target within one
    bar, and time is up at the close of the last bar that is complete by then. Where that bar never
    comes, the position is left at the open of the next one. Going short is allowed. There is no
    margin model: what may be bought at all is for `RiskGate` to say.

    Parameters
    ----------
    clock : Clock, optional
        Who says what time it is; bars of the future are not used. The machine's clock by default.
    cash : float
        Dollars at the start, above zero.
    half_spread : float
        How much worse than the bar's price a market order, a stop or a time-out is filled, as a
        fraction of that price. A target and a limit fill at their own price or better.
    fee : float
        Fraction of the traded amount.
    calendar : str
        Exchange whose sessions begin the account's days.

    Raises
    ------
    UsageError
        When the cash or the costs are none.

    Notes
    -----
    Fills on paper know no impact, no queue and no dividends. A bar is used once: those that open
    before the end of the last one used are passed over.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from tradekit import ReplayClock
    >>> from tradekit.execution import Order
    >>> clock = ReplayClock(datetime(2024, 3, 8, 14, 30, tzinfo=UTC))
    >>> broker = PaperBroker(clock)
    >>> order = broker.blocking.submit(Order("tk-1", "SPY", "buy", 10, target=520.0, stop=505.0))
    >>> clock.move_to(datetime(2024, 3, 8, 14, 31, tzinfo=UTC))
    >>> times = np.array(["2024-03-08T14:30"], "M8[ns]")
    >>> bars = Bars("SPY", "1Min", times, [512.0], [512.4], [511.9], [512.3], [9000.0])
    >>> (fill,) = broker.advance({"SPY": bars})
    >>> fill.side.value, fill.quantity, round(fill.price, 4), fill.reason.value
    ('buy', 10.0, 512.0512, 'entry')
    """

    mode = Mode.PAPER

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        cash: float = 100_000.0,
        half_spread: float = 0.0001,
        fee: float = 0.0,
        calendar: str = "XNYS",
    ) -> None:
        self.clock = clock or SystemClock()
        self.half_spread = within("half_spread", half_spread, 0.0, 0.5)
        self.fee = within("fee", fee, 0.0, 0.5)
        self.calendar = calendar
        self._ledger = Ledger(within("cash", cash, 1e-9, 1e15), self.fee)
        self._orders: dict[str, Order] = {}
        self._status: dict[str, OrderStatus] = {}
        self._waiting: dict[str, tuple[Order, int]] = {}  # with the moment of submission
        self._used: dict[str, int] = {}  # up to when bars were used
        self._session, self._day_start = -1, self._ledger.equity
        self._lock = RLock()

    def __repr__(self) -> str:
        with self._lock:
            held, waiting = len(self._ledger.positions()), len(self._waiting)
            equity = f"{self._ledger.equity:,.2f}"
        return f"<PaperBroker: equity {equity} on paper, {held} positions, {waiting} orders wait>"

    @property
    def blocking(self) -> Blocking[PaperBroker]:
        """The same broker for plain scripts and notebooks: ``broker.blocking.submit(order)``."""
        return Blocking(self)

    async def submit(self, order: Order) -> Order:
        """Take an order; it can be filled from the next bar on.

        Parameters
        ----------
        order : Order
            What to do.

        Returns
        -------
        Order
            The same order.

        Raises
        ------
        UsageError
            When it is no order, or another one has the same id.
        """
        if not isinstance(order, Order):
            raise UsageError("a broker takes orders", expected="an Order", got=repr(order))
        with self._lock:
            known = self._orders.setdefault(order.id, order)
            if known != order:
                raise UsageError(
                    f"another order is named {order.id}",
                    expected=repr(known),
                    got=repr(order),
                    hint="a new id for a new order",
                )
            if order.id not in self._status:
                self._status[order.id] = OrderStatus.WAITING
                self._waiting[order.id] = order, to_ns(self.clock.now())
        return known

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
        with self._lock:
            waited = self._known(order_id) is OrderStatus.WAITING
            if waited:
                self._settle(order_id, OrderStatus.CANCELLED)
        return waited

    async def status(self, order_id: str) -> OrderStatus:
        """Tell what has become of an order.

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
        return self._known(order_id)

    async def account(self) -> Account:
        """Tell what is held and what it is worth at the newest closes used.

        Returns
        -------
        Account
            With the equity at which the session began, and the orders that wait.
        """
        with self._lock:
            self._begin_session(to_ns(self.clock.now()))
            orders = tuple(order for order, _ in self._waiting.values())
            ledger = self._ledger
            positions = ledger.positions()
            return Account(ledger.cash, ledger.equity, self._day_start, positions, orders)

    async def positions(self) -> Mapping[str, Position]:
        """Tell what is held.

        Returns
        -------
        mapping of str to Position
            By symbol, in alphabetical order.
        """
        with self._lock:
            return self._ledger.positions()

    def advance(self, bars: Mapping[str, Bars]) -> tuple[Fill, ...]:
        """Let the orders meet the bars that have become complete since the last call.

        Parameters
        ----------
        bars : mapping of str to Bars
            By symbol, of any length: those already used are passed over, and those that are not
            complete by the clock's now are left for later. A symbol without new bars keeps its
            orders waiting.

        Returns
        -------
        tuple of Fill
            In the order of time, then symbol.

        Raises
        ------
        UsageError
            When something is no `Bars`, or stands under another symbol's name.
        """
        _check_bars(bars)
        with self._lock:
            due = to_ns(self.clock.now())
            fresh = [candle for each in bars.values() for candle in self._fresh(each, due)]
            fresh.sort(key=lambda candle: (candle.closed, candle.symbol))
            fills = [fill for candle in fresh for fill in self._meet(candle)]
        return tuple(sorted(fills, key=lambda fill: (fill.time, fill.symbol)))

    def _fresh(self, bars: Bars, due: int) -> Iterable[Candle]:
        used = self._used.get(bars.symbol)
        first = 0 if used is None else int(bars.time.searchsorted(used))
        new = bars[first:].until(due)
        if not len(new):
            return ()
        self._used[bars.symbol] = int(new.close_time[-1])
        wanted = any(order.symbol == bars.symbol for order, _ in self._waiting.values())
        return candles(new) if wanted or self._ledger.lots(bars.symbol) else ()

    def _meet(self, candle: Candle) -> Iterator[Fill]:
        """One bar: orders at its open, then brackets, then limits touched within it."""
        self._begin_session(candle.opened)
        self._ledger.prices[candle.symbol] = candle.close
        self._lapse(candle)
        yield from self._enter(candle, at_open=True)
        yield from self._leave(candle, set(), whole=True)
        before = {lot.order.id for lot in self._ledger.lots(candle.symbol)}
        yield from self._enter(candle, at_open=False)
        yield from self._leave(candle, before, whole=False)

    def _enter(self, candle: Candle, *, at_open: bool) -> Iterator[Fill]:
        for order in self._due(candle):
            touch = enter(order, candle, self.half_spread)
            if touch and (touch.time == candle.opened) is at_open:
                self._settle(order.id, OrderStatus.FILLED)
                yield from self._ledger.trade(order, touch)

    def _leave(self, candle: Candle, done: set[str], *, whole: bool) -> Iterator[Fill]:
        for lot in self._ledger.lots(candle.symbol):
            if lot.order.is_bracket and lot.order.id not in done:
                touch = leave(lot.order, candle, self.half_spread, whole=whole)
                if touch:
                    yield self._ledger.close(lot, touch)

    def _lapse(self, candle: Candle) -> None:
        for order in self._due(candle):
            if order.expires_at is not None and candle.closed > to_ns(order.expires_at):
                _LOG.info(
                    "paper order %s of %s lapsed before it was filled", order.id, order.symbol
                )
                self._settle(order.id, OrderStatus.EXPIRED)

    def _due(self, candle: Candle) -> list[Order]:
        """The orders that this bar may fill: it opens when they were there already."""
        return [
            order
            for order, submitted in self._waiting.values()
            if order.symbol == candle.symbol and candle.opened >= submitted
        ]

    def _known(self, order_id: str) -> OrderStatus:
        if order_id not in self._status:
            expected, hint = "the id of an order that was submitted", "broker.submit(order) first"
            raise UsageError("no such order", expected=expected, got=repr(order_id), hint=hint)
        return self._status[order_id]

    def _settle(self, order_id: str, status: OrderStatus) -> None:
        del self._waiting[order_id]
        self._status[order_id] = status

    def _begin_session(self, moment: int) -> None:
        """Remember the equity once a session opens; prices are still those before it."""
        opens = calendar_for(self.calendar).opens
        session = int(np.searchsorted(opens, moment, side="right"))
        if session > self._session:
            self._session, self._day_start = session, self._ledger.equity


def _check_bars(bars: object) -> None:
    problem, hint = "no bars to meet", "advance({'SPY': bars})"
    if not isinstance(bars, Mapping):
        raise UsageError(problem, expected="Bars by symbol", got=repr(bars), hint=hint)
    for symbol, each in bars.items():
        if not isinstance(each, Bars) or each.symbol != symbol:
            raise UsageError(problem, expected=f"Bars of {symbol}", got=repr(each), hint=hint)
