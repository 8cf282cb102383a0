"""Bars from several sources, in turn, until one answers what was asked."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from .._core.bar import Bar
from .._core.bars import Bars
from .._core.blocking import Blocking
from .._core.candidate import Candidate
from .._core.clock import Clock
from .._core.errors import NoDataError, UsageError
from .._core.event import SourceStatusChanged
from .._core.figures import count
from .._core.request import Asked, BarsRequest, Fetched, as_symbols
from .._core.source import DataSource
from .._core.timeframe import Timeframe
from . import _offers as offers
from ._cache import Entry
from ._comparison import TOLERANCE
from ._desk import Desk
from ._disk_cache import DiskCache
from ._lineup import lineup_of
from ._pool import SourcePool
from ._regimes import checked_seed
from ._secret import Secret
from ._settings import CrossCheck, HasSettings, Settings, Unconfirmed

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("tradekit.data")


class MultiSourceDataManager(HasSettings):
    """Correct bars while providers fail: sources are asked in turn until an answer is sound.

    An answer counts when its prices are adjusted as asked and possible, its bars lie on the
    session's grid and within the window, and its newest is the one that the calendar expects; one
    that may be wrong gives way to a better one. Up to six attempts are made (two a source where
    there are more than three) within one deadline; beside one that is later than usual the next is
    asked too, if its budget spares it.

    Each symbol's bars come from one source, which they name; nothing is spliced. Bars are kept
    until the next one is due; then their source is asked for what is missing, and for all of them
    where it has rewritten history. Who asks for the same at once shares one question. All settings
    but sources, clock, callbacks, ``disk_cache`` and ``seed`` may be changed at any time.

    Parameters
    ----------
    alpaca_key, alpaca_secret : str, optional
        For Alpaca, where it is asked by its name, as usual; else it looks into the environment
        (``APCA_API_KEY_ID`` and ``APCA_API_SECRET_KEY``). Never shown or logged.
    sources : sequence of DataSource or str, optional
        Sources, or registered names of them, in the order in which they are asked. Usually
        Alpaca, IEX (when ``TIINGO_API_KEY`` is set) and Yahoo.
    clock : Clock, optional
        Who says what time it is; else that of the first source handed in, else the machine's.
    adjustment : {"all", "split", "raw"}
        What every source is asked for. Answers that state another one are refused.
    timeout : timedelta
        How long a call may take, all attempts together, unless a source blocks the event loop.
    on_change : callable, optional
        Called with a `SourceStatusChanged` event when a source is disabled, restored, quarantined
        or contested, or when another one answers than before.
    on_call : callable, optional
        Called with a dict as each call for bars ends: ``time``, ``source``, how many ``symbols``,
        how many ``answered``, ``seconds``, ``hedged`` (beside a late one), ``faults`` by word.
    max_errors_before_disable : int
        After so many questions in a row that it failed, however many attempts each took, a source
        is left alone for ``cool_down``; then one call tries it. An unknown symbol is no failure.
    cache_duration : timedelta
        How long a question is answered from memory at most, but for settled raw bars of the past,
        which cannot change; zero always asks.
    cool_down : timedelta, optional
        How long a disabled source is left alone; twice as long after each try that fails, up to an
        hour. None leaves it alone until `reset_data_source`.
    cross_check : {"off", "sampled", "always"}
        Which answers are held against another source's: none, those to one question in twenty with
        all its symbols, or all. The odd one of three is wrong, and its source quarantined for
        ``cool_down``: asked last, and not trusted.
    unconfirmed : {"flag", "refuse"}
        What becomes of an answer that differs from another while no third decides, or, where all
        are checked, that nobody else could tell of: it is not trusted, or no answer.
    tolerance : float
        How far prices of two sources may lie apart in the median, as a fraction; single ones more.
    max_stale : timedelta, optional
        How long bars may have been out of date to stand in, marked with ``stale_since``, when
        nobody answers; those than which nothing newer can exist always may. Usually none do.
    trusted : sequence of str, optional
        Whose answers are good enough to open a trade on, as they say in ``trusted_for_entries``;
        all by default. Stale and contested answers never are.
    disk_cache : bool or path
        Whether, or in which file, settled bars are kept on disk too: then only what is missing
        travels, also after a restart. Several processes may share one.
    seed : int
        Of the answers that are sampled.

    Attributes
    ----------
    last_failure : NoDataError or None
        Why `get_market_data` last answered None; ``causes`` has each source's reason.

    Raises
    ------
    UsageError
        When a source is none, or a number or duration is not above zero (or above ten years).

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

    last_failure: NoDataError | None = None

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
        on_call: Callable[[dict[str, Any]], None] | None = None,
        max_errors_before_disable: int = 5,
        cache_duration: timedelta = timedelta(minutes=5),
        cool_down: timedelta | None = timedelta(minutes=1),
        cross_check: CrossCheck = "off",
        unconfirmed: Unconfirmed = "flag",
        tolerance: float = TOLERANCE,
        max_stale: timedelta | None = None,
        trusted: Sequence[str] | None = None,
        disk_cache: bool | str | os.PathLike[str] = False,
        seed: int = 0,
    ) -> None:
        keys = Secret.of(alpaca_key), Secret.of(alpaca_secret)
        del alpaca_key, alpaca_secret  # nobody who looks at this frame sees them
        lineup, self._clock = lineup_of(sources, keys, clock)
        self._pool = SourcePool(lineup, self._clock, on_change, on_call)
        self._sources = self._pool.names
        self._settings = Settings(
            adjustment=adjustment,
            timeout=timeout,
            max_errors_before_disable=max_errors_before_disable,
            cool_down=cool_down,
            cache_duration=cache_duration,
            max_stale=max_stale,
            cross_check=cross_check,
            unconfirmed=unconfirmed,
            tolerance=tolerance,
            trusted=trusted,
        )
        self._desk = Desk(self._pool, self._clock, checked_seed(seed), DiskCache.of(disk_cache))
        self._unanswered: set[tuple[str, str]] = set()

    def __repr__(self) -> str:
        names = self._pool.names if hasattr(self, "_pool") else ()  # it may be half made
        return f"MultiSourceDataManager({', '.join(names)})"

    @property
    def clock(self) -> Clock:
        """Who says what time it is."""
        return self._clock

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
        asked = symbol, Timeframe(timeframe)
        try:
            entry = self._kept(*asked, limit)
            frame = entry.frame(limit) if entry else (await self._ask(*asked, limit)).to_frame()
        except NoDataError as error:
            self.last_failure = error
            level = logging.DEBUG if asked in self._unanswered else logging.WARNING
            log.log(level, "%s", error)
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
        asked = symbol, Timeframe(timeframe)
        entry = self._kept(*asked, limit)
        return entry.newest(limit) if entry else await self._ask(*asked, limit)

    async def fetch_many(
        self, symbols: Sequence[str], timeframe: str, lookback: int, end: datetime | None = None
    ) -> Fetched:
        """Give the newest bars of many symbols, with one call to a source that serves many.

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
        most = count(lookback, "a lookback counts bars", "lookback=300")
        asked = BarsRequest(symbols, timeframe, limit=most, end=end, adjustment=self.adjustment)
        return await self._desk.many(asked, self._settings)

    async def discover(self, category: str, limit: int = 20) -> tuple[Candidate, ...]:
        """Ask which symbols the sources propose; the first that proposes any is heard.

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
        return await offers.discover(self._pool, category, most, self._settings)

    async def quotes(self, symbols: str | Sequence[str]) -> dict[str, Mapping[str, float]]:
        """Ask for the latest bid and ask; each symbol's come from the first source that has them.

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
        return await offers.quotes(self._pool, as_symbols(symbols), self._settings)

    async def stream(self, symbols: str | Sequence[str], timeframe: str) -> AsyncIterator[Bar]:
        """Wait for bars and give each as it completes: live where a source streams, else asked for.

        Parameters
        ----------
        symbols : str or sequence of str
            Whose.
        timeframe : Timeframe or str
            Length of the bars.

        Yields
        ------
        Bar
            Complete bars from the first that closes after the call on, each symbol's in time order
            and each once, as a later `fetch_many` gives them.

        Raises
        ------
        NoDataError
            When no source has any of these symbols, or bars were due for a quarter of an hour and
            nobody could be asked; the error's ``since`` is the first that is missing.
        """
        names, length = as_symbols(symbols), Timeframe(timeframe)
        async with aclosing(self._desk.stream(names, length, lambda: self._settings)) as bars:
            async for bar in bars:
                yield bar

    def get_health_score(self) -> float:
        """Say how well the sources do.

        Returns
        -------
        float
            From 0 to 100: the mean over the sources that there are of the weakest of the four
            figures that `health` has of each, a disabled one counting 0; 100 before anything was
            asked.
        """
        return self._pool.book.score()

    def health(self) -> dict[str, dict[str, Any]]:
        """Say of each source how it stands, as plain data.

        Returns
        -------
        dict of str to dict
            In the order in which they are asked: ``status`` (``ok``, ``disabled``, ``resting``
            when it asked for it, ``refused`` for its keys, ``absent``), ``score``, ``errors`` in a
            row, ``until`` when it is left alone, the ``reason`` why it is not ok, or what failed at
            its last call, and all ``reasons``; ``quarantined_until``; the shares of its last
            hundred answers that were sound (``success``), in time (``latency``), new
            (``freshness``) and borne out by another source (``agreement``); ``seconds`` that they
            took; and its ``budget``.
        """
        return self._pool.health()

    def metrics(self) -> dict[str, Any]:
        """Count what was asked and answered so far, as plain data.

        Returns
        -------
        dict
            By symbol ``asked``, ``answered``, ``unanswered``, ``cancelled``, of these
            ``memory_hits``, ``disk_hits`` (but for the end), ``shared`` with others, ``stale``; all
            ``requests`` to providers; and of each in ``sources`` its ``calls`` for bars, their
            ``symbols``, of these ``answered``, ``hedges``, ``faults`` by word, ``cross_checks``.
        """
        return self._pool.counted()

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
        self._pool.reset(source)

    def _kept(self, symbol: str, timeframe: Timeframe, limit: int) -> Entry | None:
        if not isinstance(symbol, str):
            hint = "fetch_many(symbols, timeframe, lookback)"
            raise UsageError("one symbol at a time", got=repr(symbol), hint=hint)
        most = count(limit, "a limit counts bars", "limit=300")
        return self._desk.kept(symbol, timeframe, most, self._settings)

    async def _ask(self, symbol: str, timeframe: Timeframe, limit: int) -> Bars:
        asked = BarsRequest(symbol, timeframe, limit=limit, adjustment=self.adjustment)
        return (await self._desk.fetch(asked, self._settings))[symbol]
