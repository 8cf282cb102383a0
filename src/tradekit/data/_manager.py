"""Bars from several sources, in turn, until one answers what was asked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from logging import DEBUG, WARNING
from typing import TYPE_CHECKING, Any

import attrs

from .._core.bars import Bars
from .._core.blocking import Blocking
from .._core.candidate import Candidate
from .._core.clock import Clock, SystemClock
from .._core.errors import NoDataError, SourceError, UsageError
from .._core.event import SourceStatusChanged
from .._core.figures import count, duration
from .._core.request import Asked, BarsRequest, Fetched, as_symbols
from .._core.source import DataSource
from .._core.timeframe import Timeframe
from ._cache import BarsCache, Entry
from ._failover import nobody
from ._lineup import Lineup, chosen_sources, usual_sources
from ._panel import Panel, Terms

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("tradekit.data")


class MultiSourceDataManager:
    """Correct bars while providers fail: sources are asked in turn until an answer is sound.

    An answer counts when its source's door lets it through, its prices are adjusted as asked, its
    bars are as long as they say, and its newest bar is the one that the calendar expects; where a
    source has fewer bars than asked, the longest answer wins. Each symbol's bars come from one
    source, which they name; nothing is spliced. The newest bars are kept in memory until the next
    bar is due.

    Parameters
    ----------
    alpaca_key, alpaca_secret : str, optional
        For the usual sources; else Alpaca looks into the environment (``APCA_API_KEY_ID`` and
        ``APCA_API_SECRET_KEY``). Never shown or logged.
    sources : sequence of DataSource or str, optional
        Sources, or registered names of them, in the order in which they are asked. Usually
        Alpaca, IEX (when ``TIINGO_API_KEY`` is set) and Yahoo.
    clock : Clock, optional
        Who says what time it is; else the clock of the first source that is handed in, else the
        machine's.
    adjustment : {"all", "split", "raw"}
        What every source is asked for. Answers that state another one are refused.
    timeout : timedelta
        How long a call may take, shared out over the sources. A source that blocks the event loop
        cannot be interrupted.
    on_change : callable, optional
        Called with a `SourceStatusChanged` event when a source is disabled or restored, or when
        another one answers than before.
    max_errors_before_disable : int
        After so many failed calls in a row a source is left alone for ``cool_down``; then one call
        tries it. An unknown symbol is no failure. May be changed at any time, as the next two.
    cache_duration : timedelta
        How long the newest bars are kept at most.
    cool_down : timedelta
        How long a disabled source is left alone.

    Attributes
    ----------
    last_failure : NoDataError or None
        Why `get_market_data` last answered None; ``causes`` has each source's reason.

    Raises
    ------
    UsageError
        When a source is none, or a number or duration is not above zero.

    Examples
    --------
    >>> from datetime import UTC
    >>> from tradekit import FixedClock
    >>> clock = FixedClock(datetime(2024, 3, 8, 21, tzinfo=UTC))
    >>> manager = MultiSourceDataManager(sources=["simulated"], clock=clock)
    >>> frame = manager.blocking.get_market_data("SPY", "5Min", 100)
    >>> len(frame), frame.attrs["source"], manager.get_health_score()
    (100, 'simulated', 100.0)
    """

    def __init__(
        self,
        alpaca_key: str | None = None,
        alpaca_secret: str | None = None,
        *,
        sources: Sequence[DataSource | str] | None = None,
        clock: Clock | None = None,
        adjustment: Asked = "all",
        timeout: timedelta = timedelta(seconds=8),
        on_change: Callable[[SourceStatusChanged], None] | None = None,
        max_errors_before_disable: int = 5,
        cache_duration: timedelta = timedelta(minutes=5),
        cool_down: timedelta = timedelta(minutes=1),
    ) -> None:
        listed = _listed(sources)
        own = (source.clock for source in listed or () if isinstance(source, DataSource))
        self.clock = clock or next(own, SystemClock())
        self.adjustment, self.timeout = adjustment, _positive("timeout", timeout)
        self.max_errors_before_disable = _most(max_errors_before_disable)
        self.cache_duration = _positive("cache_duration", cache_duration)
        self.cool_down = _positive("cool_down", cool_down)
        self.last_failure: NoDataError | None = None
        lineup = Lineup(
            usual_sources(alpaca_key, alpaca_secret, self.clock)
            if listed is None
            else chosen_sources(listed, self.clock)
        )
        self._panel = Panel(lineup, self.clock, on_change)
        self._cache = BarsCache()
        self._unanswered: set[tuple[str, str]] = set()

    def __repr__(self) -> str:
        return f"MultiSourceDataManager({', '.join(self._panel.names)})"

    @property
    def blocking(self) -> Blocking[MultiSourceDataManager]:
        """The same manager for plain scripts and notebooks."""
        return Blocking(self)

    async def get_market_data(self, symbol: str, timeframe: str, limit: int) -> pd.DataFrame | None:
        """Give the newest bars of one symbol as a DataFrame of your own.

        Parameters
        ----------
        symbol : str
            Whose.
        timeframe : Timeframe or str
            Length of the bars.
        limit : int
            How many; fewer come where there are no more.

        Returns
        -------
        DataFrame or None
            As `Bars.to_frame` gives it; None when no source could answer, with the reasons in
            ``last_failure`` and, once until there is an answer again, in the log.
        """
        asked = symbol, str(timeframe)
        try:
            entry = self._kept(symbol, timeframe, limit)
            frame = entry.frame(limit) if entry else (await self._asked(*asked, limit)).to_frame()
        except NoDataError as error:
            self.last_failure = error
            log.log(DEBUG if asked in self._unanswered else WARNING, "%s", error)
            self._unanswered.add(asked)  # said once, until there is an answer again
            return None
        self._unanswered.discard(asked)
        return frame

    async def fetch(self, symbol: str, timeframe: str, limit: int) -> Bars:
        """Give the newest bars of one symbol, or raise why not.

        Parameters
        ----------
        symbol : str
            Whose.
        timeframe : Timeframe or str
            Length of the bars.
        limit : int
            How many; fewer come where there are no more.

        Returns
        -------
        Bars
            All from one source, which they name.

        Raises
        ------
        NoDataError
            When no source could answer; ``causes`` has each source's reason.
        """
        if entry := self._kept(symbol, timeframe, limit):
            return entry.newest(limit)
        return await self._asked(symbol, timeframe, limit)

    async def fetch_many(
        self, symbols: Sequence[str], timeframe: str, lookback: int, end: datetime | None = None
    ) -> Fetched:
        """Give the newest bars of many symbols, with one call to a source that serves many.

        Symbols that the first source cannot answer go on to the next one.

        Parameters
        ----------
        symbols : sequence of str
            Whose.
        timeframe : Timeframe or str
            Length of the bars.
        lookback : int
            How many bars of each; fewer come where there are no more.
        end : datetime, optional
            Aware moment by which they are complete; else now.

        Returns
        -------
        Fetched
            Every symbol, with its bars or a `NoDataError` that carries each source's reason.
        """
        request = self._request(symbols, timeframe, lookback, end)
        now = self.clock.now()
        if request.end is not None and request.end < now:
            return await self._ask(request)
        kept = {
            symbol: entry.newest(lookback)
            for symbol in request.symbols
            if (entry := self._entry(symbol, request.timeframe, lookback, now))
        }
        if not (missing := [symbol for symbol in request.symbols if symbol not in kept]):
            return Fetched(kept)
        fetched = await self._ask(attrs.evolve(request, symbols=missing, end=None))
        bars = {**kept, **fetched.bars}
        return Fetched({s: bars[s] for s in request.symbols if s in bars}, fetched.failures)

    async def discover(self, category: str, limit: int = 20) -> tuple[Candidate, ...]:
        """Ask which symbols the sources propose; the first that proposes any is heard.

        What fails here says nothing of a source's bars, and leaves its health alone.

        Parameters
        ----------
        category : str
            What to look for (``trending``, ``volume_leaders``, ...).
        limit : int
            At most so many.

        Returns
        -------
        tuple of Candidate
            Best first; none when those who could look found none.

        Raises
        ------
        NoDataError
            When no source could look; ``causes`` has each one's reason.
        """
        most = count(limit, "a limit counts symbols", "limit=20")
        causes: dict[str, SourceError] = {}
        looked = False
        answers = self._panel.answers(
            "_discover", lambda source: source.discover(category, most), causes, self._terms
        )
        async with aclosing(answers):
            async for found in answers:
                if found:
                    return found
                looked = True
        if looked:
            return ()
        raise nobody(f"can look for {category!r}", causes)

    async def quotes(self, symbols: str | Sequence[str]) -> dict[str, Mapping[str, float]]:
        """Ask for the latest bid and ask; each symbol's come from the first source that has them.

        What fails here says nothing of a source's bars, and leaves its health alone.

        Parameters
        ----------
        symbols : str or sequence of str
            Whose.

        Returns
        -------
        dict of str to mapping
            As `DataSource.quotes` gives them, for every symbol.

        Raises
        ------
        NoDataError
            When a symbol cannot be quoted; ``causes`` has the reasons, ``found`` the others.
        """
        missing = as_symbols(symbols)
        quoted: dict[str, Mapping[str, float]] = {}
        causes: dict[str, SourceError] = {}
        answers = self._panel.answers(
            "_quotes", lambda source: source.quotes(missing), causes, self._terms
        )
        async with aclosing(answers):
            async for found in answers:
                quoted |= {symbol: found[symbol] for symbol in missing if symbol in found}
                if not (missing := tuple(s for s in missing if s not in quoted)):
                    return quoted
        raise nobody(f"has quotes of {', '.join(missing)}", causes, found=quoted)

    def get_health_score(self) -> float:
        """Say how well the sources do.

        Returns
        -------
        float
            From 0 to 100: the mean over the sources that there are of what each lately answered
            well, a disabled one counting 0; 100 before anything was asked.
        """
        return self._panel.score()

    def health(self) -> dict[str, dict[str, Any]]:
        """Say of each source how it stands, as plain data.

        Returns
        -------
        dict of str to dict
            In the order in which they are asked: ``status`` (``ok``, ``disabled``, ``resting``
            when it asked for it, ``refused`` for its keys, ``absent``), ``score``, ``errors`` in a
            row, ``until`` when it is left alone, and the ``reason`` why it is not ok, or what
            failed at its last call.
        """
        return self._panel.health()

    def reset_data_source(self, source: DataSource | str) -> None:
        """Begin anew with a source, as if it had never failed; one that was absent is tried again.

        Parameters
        ----------
        source : DataSource or str
            A source, or its name: ``"yahoo"``, ``DataSource.YAHOO``.

        Raises
        ------
        UsageError
            When there is no such source. Alpaca, IEX and Yahoo may be absent.
        """
        self._panel.reset(source)

    def _request(
        self, symbols: str | Sequence[str], timeframe: str, limit: int, end: datetime | None = None
    ) -> BarsRequest:
        most = count(limit, "a limit counts bars", "limit=300")
        return BarsRequest(symbols, timeframe, limit=most, end=end, adjustment=self.adjustment)

    def _kept(self, symbol: str, timeframe: str, limit: int) -> Entry | None:
        if not isinstance(symbol, str):
            got, hint = repr(symbol), "fetch_many(symbols, timeframe, lookback)"
            raise UsageError("one symbol at a time", expected="a name", got=got, hint=hint)
        most = count(limit, "a limit counts bars", "limit=300")
        return self._entry(symbol, Timeframe(timeframe), most, self.clock.now())

    def _entry(self, symbol: str, timeframe: Timeframe, limit: int, now: datetime) -> Entry | None:
        lasting = self.cache_duration
        if lasting != timedelta(0):  # which keeps nothing
            _positive("cache_duration", lasting)
        return self._cache.get((symbol, timeframe, self.adjustment), limit, now, lasting)

    async def _asked(self, symbol: str, timeframe: str, limit: int) -> Bars:
        return (await self._ask(self._request(symbol, timeframe, limit)))[symbol]

    async def _ask(self, request: BarsRequest) -> Fetched:
        found = await self._panel.ask(request, self._terms)
        for symbol, bars in found.bars.items() if request.end is None else ():
            key = symbol, request.timeframe, request.adjustment
            delay = found.answered_by[symbol].capabilities.delay
            self._cache.put(key, bars, request.limit or len(bars), found.now, delay)
        return found.result()

    @property
    def _terms(self) -> Terms:
        # Attributes that anybody may have changed meanwhile.
        return Terms(
            _positive("timeout", self.timeout),
            _most(self.max_errors_before_disable),
            _positive("cool_down", self.cool_down),
        )


def _listed(sources: Any) -> list[Any] | None:
    if sources is None:
        return None
    several = isinstance(sources, Iterable) and not isinstance(sources, str | DataSource)
    return list(sources) if several else [sources]


def _most(errors: int) -> int:
    return count(errors, "errors are counted", "max_errors_before_disable=5")


def _positive(name: str, value: timedelta) -> timedelta:
    return duration(value, f"{name} is a duration", f"{name}=timedelta(seconds=8)")
