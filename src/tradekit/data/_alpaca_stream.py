"""Alpaca's stream: minutes as they complete, over the one connection that an account may have."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._core.bar import Bar
from .._core.calendar import calendar_for
from .._core.clock import from_ns, to_ns
from .._core.timeframe import Timeframe
from ._alpaca_client import changed, vendor
from ._ledger import MINUTE, running
from ._stream import follow

if TYPE_CHECKING:
    from ._alpaca import AlpacaSource

_ENDPOINT = "wss://stream.data.alpaca.markets"
_PRIVATE = ("_start_ws", "_send_subscribe_msg", "_consume", "_dispatch", "_running")
_TOO_POOR = "insufficient subscription"
_FULL = 405  # symbol limit exceeded
# Only a person can mend these: other keys, or another program that has the one connection.
_STUBBORN = ("auth", "connection limit", _TOO_POOR)
_POLL = 0.02  # seconds between two looks at the clock
# How many symbols a connection takes, by a digest of the keys: a plan belongs to an account.
_ROOM: dict[str, int] = {}

_log = logging.getLogger("tradekit.data")
# At DEBUG, websockets writes what it sends, and that holds the keys.
_nowhere = logging.Logger("tradekit.data.nowhere")  # noqa: LOG001
_nowhere.disabled = True


def stream(
    source: AlpacaSource, symbols: Sequence[str], timeframe: Timeframe
) -> AsyncGenerator[Bar, None]:
    """Follow bars of stocks and coins: polled when due, and heard sooner where Alpaca sends them.

    Parameters
    ----------
    source : AlpacaSource
        Whom to ask, by whose clock and with whose keys.
    symbols : sequence of str
        Whose bars.
    timeframe : Timeframe
        Their length.

    Returns
    -------
    AsyncGenerator of Bar
        As `follow` gives them.
    """
    stocks = [symbol for symbol in symbols if "/" not in symbol]
    return follow(
        source.fetch,
        symbols,
        timeframe,
        clock=source.clock,
        calendar=source._calendar,
        line=Line(source, stocks) if stocks else None,
    )


class _HungUpError(Exception):
    """Why a connection is over."""


class Line:
    """Hear minutes of stocks from Alpaca while its market is open, again and again.

    It hangs up on a mute socket, comes back after a dropped one, later and later while that does
    not help, and subscribes to as many symbols as Alpaca takes, the first ones first.

    Parameters
    ----------
    source : AlpacaSource
        Whose keys, feed and clock.
    symbols : sequence of str
        Stocks.

    Attributes
    ----------
    mute : float
        Seconds without a minute after which a socket counts as mute.
    patience : float
        Seconds in which a connection must be made.
    pause, longest : float
        Seconds before the first attempt to come back, and before the later ones at most.
    """

    mute = 120.0
    patience = 10.0
    pause, longest = 1.0, 60.0

    def __init__(self, source: AlpacaSource, symbols: Sequence[str]) -> None:
        self._source, self._symbols = source, symbols
        self._state: str | None = None

    async def __call__(self, hear: Callable[[Bar], None]) -> None:
        """Pass on every minute, until cancelled."""
        pause = self.pause
        while True:
            await self._opening()
            call = _Call(self, self._source, self._symbols, hear)
            why = await call.end()
            if (task := asyncio.current_task()) and task.cancelling():
                raise asyncio.CancelledError  # websockets forgets it while it says goodbye
            if _TOO_POOR in why and call.feed == "sip":
                self._source._degrade()
                continue
            if call.heard:
                pause = self.pause
            if any(word in why for word in _STUBBORN):
                pause = self.longest
            self.say(f"the stream is down, bars are polled meanwhile: {why}", logging.WARNING)
            await asyncio.sleep(pause)
            pause = min(2 * pause, self.longest)

    def say(self, state: str, level: int = logging.INFO) -> None:
        """Write to the log, where it is not what was written last."""
        if state != self._state:
            _log.log(level, "alpaca: %s", state)
        self._state = state

    async def _opening(self) -> None:
        """Wait until a minute before the next minute of regular hours."""
        calendar, clock = calendar_for(), self._source.clock
        label, _ = running(calendar, MINUTE, to_ns(clock.now()))
        while to_ns(clock.now()) < label - MINUTE.ns:
            await asyncio.sleep(_POLL)


class _Call:
    """One connection."""

    def __init__(
        self,
        line: Line,
        source: AlpacaSource,
        symbols: Sequence[str],
        hear: Callable[[Bar], None],
    ) -> None:
        self._line, self._source, self._symbols, self._hear = line, source, symbols, hear
        self.feed = source._feed(recent=True)
        self.heard = False
        # How many symbols are asked for, how many are taken, and how many would be too many.
        self._asked = min(len(symbols), _ROOM.get(source._account, len(symbols)))
        self._taken, self._too_many = 0, self._asked + 1
        self._client = self._made()
        self._pass_on, self._client._dispatch = self._client._dispatch, self._dispatch

    async def end(self) -> str:
        """Talk until the connection ends, and tell why it did."""
        try:
            async with asyncio.timeout(self._line.patience):
                await self._client._start_ws()
            await self._subscribe()
            await self._client._consume()
        except _HungUpError as error:
            return f"{error}"
        except TimeoutError:
            return f"no answer within {self._line.patience:g} s"
        except Exception as error:  # whatever a vendor's client, or a network, comes up with
            return self._source._plain(f"{type(error).__name__}: {error}")
        finally:
            await self._client.close()
        return f"mute for {self._line.mute:g} s"

    def _made(self) -> Any:
        vendor()
        from alpaca.data.enums import DataFeed
        from alpaca.data.live import StockDataStream

        source = self._source
        client = StockDataStream(
            source._key,
            source._secret,
            raw_data=True,
            feed=DataFeed(self.feed),
            # They replace alpaca-py's own.
            websocket_params={
                "logger": _nowhere,
                "ping_interval": 10,
                "ping_timeout": 20,
                "close_timeout": 1,
                "max_queue": 1024,
            },
            url_override=_endpoint(source, self.feed),
            data_timeout=self._line.mute,
        )
        if not all(hasattr(client, name) for name in _PRIVATE):
            raise changed(f"a StockDataStream with {', '.join(_PRIVATE)}")
        return client

    async def _dispatch(self, said: Mapping[str, Any]) -> None:
        """Hear Alpaca's replies, which the client itself only logs."""
        if said.get("T") == "subscription":
            self._taken = len(said.get("bars") or ())
            if self._taken < self._asked:
                self._too_many = self._taken + 1
            await self._go_on()
        elif said.get("T") != "error":
            await self._pass_on(said)
        elif said.get("code") == _FULL:
            # Nothing is sent for this: the client only asks for them no more.
            self._client.unsubscribe_bars(*self._symbols[self._taken : self._asked])
            self._too_many = self._asked
            await self._go_on()
        else:
            raise _HungUpError(self._source._plain(f"{said.get('msg')} ({said.get('code')})"))

    async def _go_on(self) -> None:
        """Halve what lies between enough and too many, until nothing does."""
        if self._taken + 1 < self._too_many:
            self._asked = (self._taken + self._too_many) // 2
            return await self._subscribe()
        if not self._taken:
            raise _HungUpError("not one symbol is taken")
        told = f"the stream is up for {self._taken} symbols"
        if over := len(self._symbols) - self._taken:
            _ROOM[self._source._account] = self._taken
            told += f" and has no room for {over} more, which are polled"
        return self._line.say(told)

    async def _subscribe(self) -> None:
        self._client.subscribe_bars(self._take, *self._symbols[: self._asked])
        await self._client._send_subscribe_msg()

    async def _take(self, said: Mapping[str, Any]) -> None:
        self.heard = True
        if self.feed != self._source._feed(recent=True):
            raise _HungUpError("the plan allows another feed only")
        try:
            label = said["t"].to_unix_nano()
            begun, over = from_ns(label), from_ns(label + MINUTE.ns)
            open_, high, low, close, volume = (float(said[name]) for name in "ohlcv")
            prices = open_, high, low, close
            name = self._source.name
            minute = Bar(said["S"], MINUTE, begun, *prices, volume, over, source=name)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            # Asking will bring the right one.
            _log.info("alpaca: a minute of %s is left out: %s", said.get("S"), error)
            return
        self._hear(minute)


def _endpoint(source: AlpacaSource, feed: str) -> str:
    url = source._url
    return f"{url.replace('http', 'ws', 1) if url else _ENDPOINT}/v2/{feed}"
