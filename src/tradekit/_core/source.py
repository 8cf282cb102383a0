"""Where bars come from: the interface, what is asked and what is answered."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, final, runtime_checkable

import attrs

from .answers import ask, blamed, heard, source_name, unable
from .bar import Bar
from .blocking import Blocking
from .candidate import Candidate
from .clock import Clock, SystemClock, to_ns
from .doors import Interface, breach
from .figures import count
from .quotes import quote_of
from .request import BarsRequest, Capabilities, Fetched, as_symbols, refuse
from .tellings import Tellings
from .timeframe import Timeframe
from .words import word

if TYPE_CHECKING:
    import pandas as pd


__all__ = ["BarsProvider", "BarsRequest", "Capabilities", "DataSource", "Fetched"]


@runtime_checkable
class BarsProvider(Protocol):
    """Whatever the rooms can ask for bars: the data manager, or a double in a test.

    Examples
    --------
    >>> class Double:
    ...     async def get_market_data(self, symbol, timeframe, limit): ...
    ...     async def fetch_many(self, symbols, timeframe, lookback, end=None): ...
    >>> isinstance(Double(), BarsProvider)
    True
    """

    async def get_market_data(self, symbol: str, timeframe: str, limit: int) -> pd.DataFrame | None:
        """Give the newest bars of one symbol as a DataFrame.

        Parameters
        ----------
        symbol : str
            Whose.
        timeframe : Timeframe or str
            Length of the bars.
        limit : int
            At most so many.

        Returns
        -------
        DataFrame or None
            As `Bars.to_frame` gives it; None when nobody could answer.
        """
        ...

    async def fetch_many(
        self, symbols: Sequence[str], timeframe: str, lookback: int, end: datetime | None = None
    ) -> Fetched:
        """Give the newest bars of many symbols.

        Parameters
        ----------
        symbols : sequence of str
            Whose.
        timeframe : Timeframe or str
            Length of the bars.
        lookback : int
            At most so many bars of each.
        end : datetime, optional
            Aware moment by which they are complete; else now.

        Returns
        -------
        Fetched
            Every symbol, with its bars or the reason why there are none.
        """
        ...


class DataSource(Interface):
    """A place where bars come from: write ``_fetch``, and the door checks all it answers.

    The door leaves out bars that are not complete by the request's end and by `clock`'s now, cuts
    to the window and the limit, and turns whatever the hook raises into a `SourceError`.

    Examples
    --------
    >>> class Flat(DataSource):
    ...     '''One flat daily bar for every symbol.'''
    ...
    ...     async def _fetch(self, request):
    ...         import pandas as pd
    ...
    ...         row = {"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 0.0}
    ...         return pd.DataFrame([row], index=pd.DatetimeIndex(["2024-03-08"]))
    >>> fetched = asyncio.run(Flat().fetch(BarsRequest("SPY", "1Day")))
    >>> fetched["SPY"].close, fetched["SPY"].source
    (array([1.]), 'Flat')
    """

    ALPACA: ClassVar[str] = "alpaca"
    IEX: ClassVar[str] = "iex"
    YAHOO: ClassVar[str] = "yahoo"

    name: str = ""
    batch: bool = False
    clock: Clock = SystemClock()
    capabilities: Capabilities = Capabilities()
    _doors: ClassVar[dict[str, str]] = {
        "fetch": "_fetch",
        "discover": "_discover",
        "quotes": "_quotes",
        "stream": "_stream",
    }
    _kit: ClassVar[str] = "check_source"
    # Whether `_fetch` itself sends its vendor no more symbols at once than that takes.
    _divides: ClassVar[bool] = False

    @abstractmethod
    async def _fetch(self, request: BarsRequest) -> Any:
        """Answer with a DataFrame, Bars or a dict of them by symbol; raise when you cannot.

        Called once for all symbols when ``batch`` is true (in parts of so many as a call serves,
        where `capabilities` say that), else once for each.
        """

    async def _discover(self, category: str, limit: int) -> Sequence[Candidate]:
        raise unable(self, "discover symbols")

    async def _quotes(self, symbols: tuple[str, ...]) -> Mapping[str, Mapping[str, float]]:
        raise unable(self, "quote prices")

    def _stream(self, symbols: tuple[str, ...], timeframe: Timeframe) -> AsyncIterator[Bar]:
        raise unable(self, "stream bars")

    @property
    def blocking(self) -> Blocking[DataSource]:
        """The same source for plain scripts and notebooks: ``source.blocking.fetch(request)``."""
        return Blocking(self)

    @final
    async def fetch(self, request: BarsRequest) -> Fetched:
        """Fetch complete bars; each symbol comes back with bars or with the reason why not.

        Parameters
        ----------
        request : BarsRequest
            Symbols, timeframe, window, limit, adjustment.

        Returns
        -------
        Fetched
            Every symbol of the request, either in ``bars`` or in ``failures``.

        Raises
        ------
        ContractError
            When the hook cannot be awaited, or gives something that is no answer.
        """
        if not isinstance(request, BarsRequest):
            refuse("no request", "a BarsRequest", repr(request), "BarsRequest('SPY', '5Min')")
        now = self.clock.now()
        due = to_ns(min(request.end or now, now))
        names, most = request.symbols, self._at_once or len(request.symbols)
        if len(names) <= most:
            return await ask(self, request, due)
        cuts = range(0, len(names), most)
        parts = [attrs.evolve(request, symbols=names[cut : cut + most]) for cut in cuts]
        answers = await asyncio.gather(*(ask(self, part, due) for part in parts))
        fetched = Fetched()
        for answer in answers:
            fetched.bars.update(answer.bars)
            fetched.failures.update(answer.failures)
        return fetched

    @property
    def _at_once(self) -> int | None:
        """For how many symbols the hook is called at once; None means for any number."""
        if not self.batch:
            return 1
        return None if self._divides else self.capabilities.symbols_per_call

    @final
    async def discover(self, category: str, limit: int = 20) -> tuple[Candidate, ...]:
        """Ask which symbols the source proposes.

        Parameters
        ----------
        category : str
            What to look for (``trending``, ``volume_leaders``, ...).
        limit : int
            At most so many.

        Returns
        -------
        tuple of Candidate
            Best first.

        Raises
        ------
        UsageError
            When the limit counts nothing, or the category is no text.
        SourceError
            When the source cannot look.
        """
        word(category, "a category is a word", "discover('gainers')")
        most = count(limit, "a limit counts symbols", "limit=20")
        found = await heard(self, "_discover", self._discover, category, most)
        if not isinstance(found, Sequence) or not all(isinstance(c, Candidate) for c in found):
            raise breach(self, "_discover answered otherwise", "a list of Candidate", repr(found))
        return tuple(found[:most])

    @final
    async def quotes(self, symbols: str | Sequence[str]) -> dict[str, Mapping[str, float]]:
        """Ask for the latest bid and ask of symbols.

        Parameters
        ----------
        symbols : str or sequence of str
            Whose.

        Returns
        -------
        dict of str to mapping
            By symbol, ``bid``, ``ask``, ``bid_size`` and ``ask_size``, and what else it tells. A
            side that nobody is on is left out, and so is a symbol without any.

        Raises
        ------
        SourceError
            When the source cannot quote, or sends what is no quote.
        """
        names = as_symbols(symbols)
        found = await heard(self, "_quotes", self._quotes, names)
        if not isinstance(found, Mapping):
            raise breach(self, "_quotes answered otherwise", "quotes by symbol", repr(found))
        return {name: quote_of(self, name, found[name]) for name in names if name in found}

    @final
    async def stream(self, symbols: str | Sequence[str], timeframe: str) -> AsyncIterator[Bar]:
        """Wait for bars and give each as it completes, in order.

        Parameters
        ----------
        symbols : str or sequence of str
            Whose.
        timeframe : Timeframe or str
            Length of the bars.

        Yields
        ------
        Bar
            Complete bars, each symbol's in time order and each once, which name their source. One
            that is sent in its last seconds waits for what is sent next; one that is sent even
            earlier is left out.

        Raises
        ------
        SourceError
            When the source cannot stream, or the stream breaks.
        """
        names, length = as_symbols(symbols), Timeframe(timeframe)
        wanted = {(name, length) for name in names}
        tellings = Tellings(source_name(self))
        with blamed(self):
            bars = self._stream(names, length)
            # Hang up on the vendor as soon as nobody listens.
            async with aclosing(bars) if isinstance(bars, AsyncGenerator) else nullcontext():
                async for bar in bars:
                    if not isinstance(bar, Bar) or (bar.symbol, bar.timeframe) not in wanted:
                        expected = f"{length} bars of {', '.join(names)}"
                        raise breach(self, "_stream gave something else", expected, repr(bar))
                    for complete in tellings.take(bar, self.clock.now()):
                        yield complete
