"""A market, and providers that tell it over sockets of this machine, in a process of their own."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import islice
from multiprocessing.connection import Connection
from typing import Any, Self
from urllib.parse import urlsplit

import attrs
import numpy as np

from tradekit import Bars, BarsRequest
from tradekit.data import AlpacaSource, IEXSource, SimulatedSource, YahooSource
from tradekit.testing import FakeProviders

NOW = datetime(2024, 3, 11, 14, tzinfo=UTC)
FIRST = datetime(2024, 1, 22, tzinfo=UTC)  # Yahoo tells no five minutes of longer ago
BARS = 78  # of five minutes, in a session
FIGURES = ("open", "high", "low", "close")
PROVIDERS = ("alpaca", "iex", "yahoo")
# Dividends are left out of all this: clients do not agree as of which day they are taken off.
ADJUSTMENT = "split"


@attrs.frozen(eq=False)
class Question:
    """A symbol's session: when it begins and ends, and what is true of it."""

    symbol: str
    start: datetime
    end: datetime
    time: np.ndarray
    prices: np.ndarray

    def is_answered_by(self, time: np.ndarray, prices: np.ndarray) -> bool:
        same = np.array_equal(time, self.time) and prices.shape == self.prices.shape
        return same and np.allclose(prices, self.prices, rtol=1e-6, atol=0)


def columns(bars: Bars) -> tuple[np.ndarray, np.ndarray]:
    return bars.time, np.array([getattr(bars, name) for name in FIGURES])


@attrs.define
class Hands:
    """A clock whose hands are moved, also back, where a replay begins anew."""

    moment: datetime = NOW

    def now(self) -> datetime:
        return self.moment

    def move_to(self, moment: datetime) -> None:
        self.moment = moment


class World:
    """A market whose clock stands still until it is moved, and what can be asked about its past."""

    def __init__(self, seed: int, symbols: int) -> None:
        self.seed, self.clock = seed, Hands()
        self.market = SimulatedSource(seed, clock=self.clock)
        self.symbols = self.alive(symbols)
        self.sessions = [each for symbol in self.symbols for each in self._sessions(symbol)]

    def alive(self, count: int) -> list[str]:
        """Name the first so many symbols that are still listed."""
        listed = (s for s in self.market.symbols if self.market.lifetime(s)[1] is None)
        return list(islice(listed, count))

    def questions(self, count: int) -> list[Question]:
        draws = np.random.default_rng(self.seed).integers(len(self.sessions), size=count)
        return [self.sessions[draw] for draw in draws]

    def newest(self) -> dict[str, Bars]:
        """Give the newest bars of all symbols, as they are by now."""
        request = BarsRequest(self.symbols, "5Min", limit=BARS, adjustment=ADJUSTMENT)
        return dict(asyncio.run(self.market.fetch(request)).bars)

    def _sessions(self, symbol: str) -> Iterator[Question]:
        today = NOW.replace(hour=0)
        request = BarsRequest(symbol, "5Min", start=FIRST, end=today, adjustment=ADJUSTMENT)
        bars = asyncio.run(self.market.fetch(request))[symbol]
        for session in np.unique(bars.session):
            first, last = np.flatnonzero(bars.session == session)[[0, -1]]
            day = bars[int(first) : int(last) + 1]
            if len(day) == BARS:
                yield Question(symbol, day[0].time, day[-1].close_time, *columns(day))


class Providers:
    """Alpaca, Tiingo and Yahoo in another process, so that serving is no part of asking."""

    def __init__(self, world: World) -> None:
        self._world, self.urls = world, {}
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, world.seed), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.send(None)
        self._process.join()

    def open(self, faults: Mapping[str, float], limit: int | None = None) -> None:
        """Begin anew, with a share of faults at each of the three, and calls that Alpaca grants."""
        self.move_to(NOW)
        self.urls = self._call("open", {name: dict(faults) for name in PROVIDERS}, limit)

    def move_to(self, now: datetime) -> None:
        self._world.clock.move_to(now)
        self._call("move", now)

    def take_down(self, names: Iterable[str]) -> None:
        self._call("down", tuple(names))

    def told(self) -> Counter[tuple[str, str | None]]:
        """Count the requests since the last time, by provider and fault."""
        return self._call("told")

    def sources(self, *, free: bool = False, seconds: float = 4.0) -> list[Any]:
        """All three; IEX by a paid plan, else its 50 calls an hour are soon used up."""
        urls, facts = self.urls, {"clock": self._world.clock, "timeout": timedelta(seconds=seconds)}
        iex = IEXSource("token", url_override=urls["iex"], **facts)
        if not free:
            paid = {"calls_per_hour": 10_000, "calls_per_day": 100_000}
            iex.capabilities = attrs.evolve(iex.capabilities, **paid)
        return [
            AlpacaSource("key", "secret", url_override=urls["alpaca"], **facts),
            iex,
            YahooSource(session=yahoo_session(urls["yahoo"]), **facts),
        ]

    def _call(self, *command: Any) -> Any:
        self._pipe.send(command)
        return self._pipe.recv()


def yahoo_session(url: str) -> Any:
    """Give a session for yfinance that asks here, whatever host is meant."""
    from curl_cffi import requests

    here = urlsplit(url)

    class Loopback(requests.Session):
        def request(self, method, url, *args, **kwargs):
            there = urlsplit(url)._replace(scheme=here.scheme, netloc=here.netloc)
            return super().request(method, there.geturl(), *args, **kwargs)

    return Loopback()


def _serve(pipe: Connection, seed: int) -> None:
    clock, seen = Hands(), 0
    market = SimulatedSource(seed, clock=clock)
    with ExitStack() as stack:
        fake, down = None, ExitStack()
        for command, *values in iter(pipe.recv, None):
            answer = None
            if command == "open":
                stack.close()
                limits = None if values[1] is None else {"alpaca": values[1]}
                timed = {} if limits is None else {"limit_per_minute": limits, "clock": clock}
                fake = stack.enter_context(
                    FakeProviders(market, seed=seed, faults=values[0], **timed)
                )
                answer, seen = dict(fake.urls), 0
            elif command == "move":
                clock.move_to(*values)
            elif command == "down":
                down.close()
                for name in values[0]:
                    down.enter_context(fake.outage(name))
            elif command == "told":
                new = fake.requests[seen:]
                answer, seen = Counter((r.provider, r.fault) for r in new), seen + len(new)
            pipe.send(answer)
