"""Alpaca, Tiingo and Yahoo on this machine, which fail as the real ones do, and more often."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from math import ceil
from time import monotonic
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

import attrs
import numpy as np

from .._core.clock import Clock
from .._core.errors import UsageError
from .._core.source import DataSource
from ..plugins import load
from ._provider_alpaca import Alpaca
from ._provider_dialect import RETRY_AFTER, Asked, Dialect, Refused, Reply, reply
from ._provider_faults import FAULTS, OUTAGE, STATUSES, Budget, Faults, Plan
from ._provider_market import Market
from ._provider_rows import bent
from ._provider_server import Server, Talk
from ._provider_stream import STREAM_FAULTS, Hub
from ._provider_tiingo import Tiingo
from ._provider_yahoo import Yahoo

_DIALECTS = (Alpaca, Tiingo, Yahoo)
_HTML = "<!DOCTYPE html><html><body><h1>We'll be right back</h1></body></html>"
STREAM = "stream"
_USED = (200, 0, 60.0)  # a minute whose limit was never set: of how many, left, and for how long
_RANKED = 25  # symbols that screens look at, where nobody names them
_log = logging.getLogger("tradekit.testing")


@attrs.frozen
class ProviderRequest:
    """A request that a fake provider was sent, and what it did about it.

    Parameters
    ----------
    provider : {"alpaca", "iex", "yahoo", "stream"}
        Who was asked.
    path : str
        For what, without parameters; ``bars`` for a minute that the stream sends.
    params : dict of str to str
        With which parameters.
    fault : str or None
        What went wrong: one of `FakeProviders.FAULTS`, ``outage``, or None for a true answer.

    Examples
    --------
    >>> ProviderRequest("iex", "/iex/SPY/prices", {"resampleFreq": "5min"}, None).fault is None
    True
    """

    provider: str
    path: str
    params: Mapping[str, str]
    fault: str | None


class FakeProviders:
    """Serve a source as Alpaca, Tiingo (IEX) and Yahoo do, with faults: for tests of your bot.

    The real clients ask it over sockets of this machine, as they ask the real providers: bars,
    quotes and screens in each provider's own JSON, pages, refusals, hang-ups, and bars that are
    wrong. It listens inside a ``with`` block; leaving it hangs up on everybody.

    Parameters
    ----------
    source : DataSource
        The truth: what it answers is what the providers know.
    seed : int
        0 or more. A fault depends on the seed, the provider and the number of its request alone.
    faults : dict of str to dict of str to float, optional
        By provider (``alpaca``, ``iex``, ``yahoo``, or ``stream`` for Alpaca's) and fault (one of
        `FAULTS`), the share of requests that it strikes, from 0 to 1; one fault at most strikes a
        request. Of the stream, a connection is a request, and each minute that is sent.
    limit_per_minute : int or dict of str to int, optional
        How many requests each provider (or those that are named) answers in a minute.
    symbols : sequence of str, optional
        Whom screens rank; the first 25 of ``source.symbols`` by default, where it has them.
    stream_symbols : int, optional
        How many symbols one connection to the stream may subscribe to; any number by default.
    clock : Clock, optional
        Who says what time it is, also to the limit. By default the source's clock says it, and
        the limit runs by real time.

    Raises
    ------
    UsageError
        When a provider, a fault or a share is none.

    Notes
    -----
    Times and prices are the source's, so are the adjustments: ``raw`` from Tiingo, with end-of-day
    rows to adjust by, splits alone in Yahoo's quotes, whatever is asked of Alpaca. The bar that is
    still running comes along, as from the real ones. Tiingo, and Alpaca with ``feed=iex``, leave
    out one minute in twenty and tell 2 to 4 percent of the volume. The stream sends minutes as the
    clock completes them. Yahoo's cookie, crumb and time-zone probe fail only in an `outage`, since
    how often they are asked depends on what yfinance remembers.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from tradekit import BarsRequest, FixedClock
    >>> from tradekit.data import SimulatedSource
    >>> clock = FixedClock(datetime(2024, 3, 8, 22, tzinfo=UTC))
    >>> with FakeProviders(SimulatedSource(clock=clock)) as fake:
    ...     fake.break_next("iex", "503")
    ...     source = fake.iex()
    ...     first = source.blocking.fetch(BarsRequest("SPY", "5Min", limit=3))
    ...     second = source.blocking.fetch(BarsRequest("SPY", "5Min", limit=3))
    >>> print(first.failures["SPY"])
    iex could not answer: got 503 Service Unavailable. Try: ask again later
    >>> len(second["SPY"]), [request.fault for request in fake.requests]
    (3, ['503', None])
    """

    FAULTS: ClassVar[tuple[str, ...]] = FAULTS

    def __init__(
        self,
        source: DataSource,
        *,
        seed: int = 0,
        faults: Mapping[str, Mapping[str, float]] | None = None,
        limit_per_minute: int | Mapping[str, int] | None = None,
        symbols: Sequence[str] | None = None,
        stream_symbols: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not isinstance(source, DataSource):
            raise UsageError("no source", expected="a DataSource", got=repr(source))
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            raise UsageError("no seed", expected="a whole number from 0", got=repr(seed))
        self._clock = clock or source.clock
        ranked = tuple(symbols or getattr(source, "symbols", ())[:_RANKED])
        market = Market(source, self._clock, ranked)
        self._dialects: dict[str, Dialect] = {d.name: d(market, seed) for d in _DIALECTS}
        plans = {self._known(name, STREAM): dict(plan) for name, plan in (faults or {}).items()}
        budgets = self._budgets(limit_per_minute, clock)
        self._faults = {
            name: Faults(name, seed, Plan(plans.get(name, {}), among), budgets.get(name))
            for name, among in (*((n, FAULTS) for n in self._dialects), (STREAM, STREAM_FAULTS))
        }
        self._requests: list[ProviderRequest] = []
        self._hub = Hub(market, seed, self._faults[STREAM], self._overheard, stream_symbols)
        self._server: Server | None = None

    def __repr__(self) -> str:
        return f"FakeProviders({', '.join(self._faults)})"

    def __enter__(self) -> Self:
        self._server = Server(tuple(self._dialects), self._respond)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    @property
    def urls(self) -> Mapping[str, str]:
        """The address of each provider, and of Alpaca's ``stream``, for clients of your own.

        Raises
        ------
        UsageError
            Outside the ``with`` block.
        """
        if self._server is None:
            raise UsageError(
                "the fake providers are not listening",
                expected="a with block around the calls",
                hint="with FakeProviders(source) as fake: ...",
            )
        urls = self._server.urls
        return {**urls, STREAM: urls["alpaca"].replace("http", "ws") + "/v2/sip"}

    @property
    def requests(self) -> tuple[ProviderRequest, ...]:
        """Every request so far, in the order in which they came."""
        return tuple(self._requests)

    def alpaca(self, **options: Any) -> DataSource:
        """Give an `AlpacaSource` that asks the fake Alpaca.

        Parameters
        ----------
        **options
            Of `AlpacaSource`: ``feed``, ``timeout``, ...

        Returns
        -------
        AlpacaSource
            With keys, address and clock.
        """
        return self._source(
            "alpaca", "fake-key", "fake-secret", url_override=self.urls["alpaca"], **options
        )

    def iex(self, **options: Any) -> DataSource:
        """Give an `IEXSource` that asks the fake Tiingo.

        Parameters
        ----------
        **options
            Of `IEXSource`: ``timeout``, ...

        Returns
        -------
        IEXSource
            With token, address and clock.
        """
        return self._source("iex", "fake-token", url_override=self.urls["iex"], **options)

    def yahoo(self, **options: Any) -> DataSource:
        """Give a `YahooSource` that asks the fake Yahoo.

        Parameters
        ----------
        **options
            Of `YahooSource`: ``timeout``, ...

        Returns
        -------
        YahooSource
            With `yahoo_session` and clock.
        """
        return self._source("yahoo", session=self.yahoo_session(), **options)

    def yahoo_session(self) -> Any:
        """Give a session for yfinance: ``yfinance.Ticker("SPY", session=...)``.

        Returns
        -------
        curl_cffi.requests.Session
            It asks the fake Yahoo, whatever host is meant.
        """
        from curl_cffi import requests

        here = urlsplit(self.urls["yahoo"])

        class Loopback(requests.Session[Any]):
            def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:
                there = urlsplit(url)._replace(scheme=here.scheme, netloc=here.netloc)
                return super().request(method, there.geturl(), *args, **kwargs)

        return Loopback()

    def break_next(self, provider: str, fault: str, times: int = 1) -> None:
        """Force a fault on the next requests that it can strike.

        Parameters
        ----------
        provider : {"alpaca", "iex", "yahoo", "stream"}
            Whose.
        fault : str
            One of `FAULTS`.
        times : int
            How many, from 1.

        Raises
        ------
        UsageError
            When there is no such provider or fault, or the count is none.
        """
        self._faults[self._known(provider, STREAM)].force(fault, times)

    @contextmanager
    def outage(self, provider: str) -> Iterator[None]:
        """Let a provider hang up on everybody inside a ``with`` block.

        Parameters
        ----------
        provider : {"alpaca", "iex", "yahoo", "stream"}
            Who is down.

        Yields
        ------
        None
            While it is down.

        Raises
        ------
        UsageError
            When there is no such provider.
        """
        faults = self._faults[self._known(provider, STREAM)]
        faults.outages += 1
        try:
            yield
        finally:
            faults.outages -= 1

    def _known(self, provider: str, *others: str) -> str:
        known = (*self._dialects, *others)
        if provider not in known:
            raise UsageError("no such provider", expected=" or ".join(known), got=repr(provider))
        return provider

    def _budgets(
        self, limits: int | Mapping[str, int] | None, clock: Clock | None
    ) -> dict[str, Budget]:
        if limits is None:
            return {}
        if not isinstance(limits, Mapping):
            limits = dict.fromkeys(self._dialects, limits)
        seconds = monotonic if clock is None else lambda: clock.now().timestamp()
        return {self._known(name): Budget(limit, seconds) for name, limit in limits.items()}

    def _source(self, name: str, *args: Any, **options: Any) -> DataSource:
        source: DataSource = load("sources", name)(*args, **{"clock": self._clock, **options})
        return source

    def _overheard(self, path: str, fault: str | None) -> None:
        self._requests.append(ProviderRequest(STREAM, path, {}, fault))

    async def _respond(self, provider: str, asked: Asked) -> Reply | Talk:
        if "websocket" in asked.headers.get("upgrade", "").lower():
            return partial(self._hub.talk, asked)
        dialect, faults = self._dialects[provider], self._faults[provider]
        fault, rng = None, np.random.default_rng(0)
        if faults.outages:
            fault = OUTAGE
        elif not dialect.handshake(asked):
            fault, rng = faults.next(lambda f: dialect.can(f, asked), dialect.serves_bars(asked))
        self._requests.append(ProviderRequest(provider, asked.path, dict(asked.params), fault))
        told = self._countdown(faults.budget, fault) if dialect.counts_down else {}
        answer = _failed(dialect, fault) or await _answered(dialect, asked, fault, rng)
        return attrs.evolve(answer, headers={**answer.headers, **told}, keep=dialect.keeps)

    def _countdown(self, budget: Budget | None, fault: str | None) -> dict[str, str]:
        """What is left of the minute, where requests are counted or are said to be."""
        if budget is None and fault != "limit":
            return {}
        most, left, wait = (
            _USED if budget is None else (budget.per_minute, budget.left, budget.wait)
        )
        reset = ceil(self._clock.now().timestamp() + max(0.0, wait))
        told = {"Limit": most, "Remaining": 0 if fault == "limit" else left, "Reset": reset}
        return {f"X-RateLimit-{name}": str(number) for name, number in told.items()}


def _failed(dialect: Dialect, fault: str | None) -> Reply | None:
    """What is sent instead of an answer, where the fault leaves none."""
    if fault in (OUTAGE, "drop"):
        return Reply(200, "", manner="drop")
    if fault == "hang":
        return Reply(200, "", manner="hang")
    if fault == "limit":
        return dialect.limited()
    if fault == "html":
        return Reply(200, _HTML, {"Content-Type": "text/html"})
    if fault in STATUSES:
        refusal = dialect.refusal(STATUSES[fault])
        wait = {"Retry-After": str(RETRY_AFTER)} if fault == "429_retry_after" else {}
        return attrs.evolve(refusal, headers={**refusal.headers, **wait})
    bodies = {"empty": "", "braces": {}, "null_bars": dialect.null}
    return reply(bodies[fault]) if fault in bodies else None


async def _answered(
    dialect: Dialect, asked: Asked, fault: str | None, rng: np.random.Generator
) -> Reply:
    """An answer, of bars that may be wrong, and which may not arrive as it should."""
    if asked.method not in dialect.methods(asked):
        return dialect.refusal(405)
    try:
        answer = await dialect.answer(asked, partial(bent, fault=fault, rng=rng))
    except Refused as refused:
        return refused.reply
    except Exception:
        _log.exception("the source behind the fake providers failed")
        return dialect.refusal(500)
    if fault == "truncated_json":
        return attrs.evolve(answer, body=answer.body[: len(answer.body) // 2])
    return attrs.evolve(answer, manner="drip") if fault == "slow_drip" else answer
