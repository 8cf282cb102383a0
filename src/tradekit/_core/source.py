"""Where bars come from: the interface, what is asked and what is answered."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, final, runtime_checkable

import attrs

from .bars import Adjustment, Bar, Bars
from .candidate import Candidate
from .clock import Clock, SystemClock, to_ns
from .doors import Interface
from .errors import ContractError, NoDataError, SourceError, UsageError
from .faults import check_adjustment
from .timeframe import Timeframe

if TYPE_CHECKING:
    import pandas as pd


def _symbols(symbols: str | Sequence[str]) -> tuple[str, ...]:
    return (symbols,) if isinstance(symbols, str) else tuple(symbols)


@attrs.frozen
class BarsRequest:
    """What is asked of a source.

    Parameters
    ----------
    symbols : str or sequence of str
        At least one, each once.
    timeframe : Timeframe or str
        Length of the bars.
    start, end : datetime, optional
        Aware. Bars that open at or after ``start`` and are complete by ``end``; without ``end``,
        by the source's now.
    limit : int, optional
        At most the newest so many bars of each symbol.
    adjustment : {"all", "split", "raw"}
        What prices should be adjusted for.

    Raises
    ------
    UsageError
        When the symbols are none, the window is empty, or the limit is not above zero.

    Examples
    --------
    >>> BarsRequest("SPY", "5m", limit=300).timeframe
    '5Min'
    """

    symbols: tuple[str, ...] = attrs.field(converter=_symbols)
    timeframe: Timeframe = attrs.field(converter=Timeframe)
    start: datetime | None = attrs.field(default=None, kw_only=True)
    end: datetime | None = attrs.field(default=None, kw_only=True)
    limit: int | None = attrs.field(default=None, kw_only=True)
    adjustment: Adjustment = attrs.field(default="all", kw_only=True)

    def __attrs_post_init__(self) -> None:
        names = self.symbols
        if not names or len(set(names)) < len(names) or not all(_is_name(name) for name in names):
            _refuse("which symbols?", "at least one name, each once", repr(names), "symbols=('SPY',)")
        if self.limit is not None and (type(self.limit) is not int or self.limit < 1):
            _refuse("a limit counts bars", "an int above zero", repr(self.limit), "limit=300")
        edges = [to_ns(edge) for edge in (self.start, self.end) if edge is not None]
        if len(edges) == 2 and edges[0] >= edges[1]:
            _refuse("an empty window", "start before end", f"{self.start} to {self.end}", "swap them")
        check_adjustment(self.adjustment)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and bool(name) and name == name.strip()


def _refuse(problem: str, expected: str, got: str, hint: str) -> None:
    raise UsageError(problem, expected=expected, got=got, hint=hint)


@attrs.frozen
class Fetched:
    """What a source answered: bars, and why a symbol has none. No symbol is ever silent.

    Parameters
    ----------
    bars : dict of str to Bars
        By symbol; never empty bars.
    failures : dict of str to SourceError
        By symbol, each with its reason.

    Examples
    --------
    >>> Fetched(failures={"ZZZZ": NoDataError("unknown symbol")}).failures["ZZZZ"].retryable
    False
    """

    bars: dict[str, Bars] = attrs.field(factory=dict)
    failures: dict[str, SourceError] = attrs.field(factory=dict)

    def __getitem__(self, symbol: str) -> Bars:
        """Give one symbol's bars, or raise the reason why there are none."""
        if symbol in self.failures:
            raise self.failures[symbol]
        if symbol not in self.bars:
            _refuse(f"{symbol} was not asked for", ", ".join(self.bars), symbol, "ask for it")
        return self.bars[symbol]


@attrs.frozen
class Capabilities:
    """What a source can do.

    Parameters
    ----------
    timeframes : tuple of Timeframe, optional
        What it serves; None means any.
    depth : timedelta, optional
        How far back it reaches; None means to the beginning.
    delay : timedelta
        How old its newest bar is at best.
    feed : str
        The tape behind it.
    adjustments : tuple of str
        Which adjustments it can answer.
    calls_per_minute : int, optional
        Its rate budget; None means no limit.

    Examples
    --------
    >>> Capabilities(feed="sip", calls_per_minute=200).delay
    datetime.timedelta(0)
    """

    timeframes: tuple[Timeframe, ...] | None = None
    depth: timedelta | None = None
    delay: timedelta = timedelta(0)
    feed: str = "unknown"
    adjustments: tuple[Adjustment, ...] = ("raw", "split", "all")
    calls_per_minute: int | None = None


@runtime_checkable
class BarsProvider(Protocol):
    """Whatever the rooms can ask for bars: the data manager, or a double in a test."""

    async def get_market_data(
        self, symbol: str, timeframe: str, limit: int
    ) -> pd.DataFrame | None:
        """Give the newest bars of one symbol as a DataFrame; None when nobody could answer."""
        ...

    async def fetch_many(
        self, symbols: Sequence[str], timeframe: str, lookback: int, end: datetime | None = None
    ) -> Fetched:
        """Give the newest bars of many symbols, complete by ``end``."""
        ...


class DataSource(Interface):
    """A place where bars come from: write ``_fetch``, and the door checks all it answers.

    The door leaves out bars that are not complete by the request's end (or by `clock`'s now),
    cuts to the window and the limit, and turns whatever the hook raises into a `SourceError`.

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

    @abstractmethod
    async def _fetch(self, request: BarsRequest) -> Any:
        """Answer with a DataFrame, Bars or a dict of them by symbol; raise when you cannot.

        Called once for all symbols when ``batch`` is true, else once for each.
        """

    async def _discover(self, category: str, limit: int) -> Sequence[Candidate]:
        raise _unable(self, "discover symbols")

    async def _quotes(self, symbols: tuple[str, ...]) -> Mapping[str, Mapping[str, float]]:
        raise _unable(self, "quote prices")

    def _stream(self, symbols: tuple[str, ...], timeframe: Timeframe) -> AsyncIterator[Bar]:
        raise _unable(self, "stream bars")

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
        """
        if not isinstance(request, BarsRequest):
            _refuse("no request", "a BarsRequest", repr(request), "BarsRequest('SPY', '5Min')")
        due = to_ns(request.end or self.clock.now())
        parts = [request] if self.batch else [
            attrs.evolve(request, symbols=symbol) for symbol in request.symbols
        ]
        answers = await asyncio.gather(*(_ask(self, part, due) for part in parts))
        fetched = Fetched()
        for answer in answers:
            fetched.bars.update(answer.bars)
            fetched.failures.update(answer.failures)
        return fetched

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
        SourceError
            When the source cannot look.
        """
        found = await _guarded(self, self._discover(category, limit))
        return tuple(found)[:limit]

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
            ``bid``, ``ask`` and their sizes by symbol.

        Raises
        ------
        SourceError
            When the source cannot quote.
        """
        return dict(await _guarded(self, self._quotes(_symbols(symbols))))

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
            Complete bars, each symbol's in time order and each once.

        Raises
        ------
        SourceError
            When the source cannot stream, or the stream breaks.
        """
        newest: dict[str, datetime] = {}
        try:
            async for bar in self._stream(_symbols(symbols), Timeframe(timeframe)):
                if bar.symbol not in newest or bar.time > newest[bar.symbol]:
                    newest[bar.symbol] = bar.time
                    yield bar
        except Exception as error:
            raise _as_source_error(self, error) from error


def source_name(source: DataSource) -> str:
    """Name a source: what it calls itself, else its class.

    Parameters
    ----------
    source : DataSource
        Any.

    Returns
    -------
    str
        As it stands on its bars.
    """
    return source.name or type(source).__name__


async def _ask(source: DataSource, request: BarsRequest, due: int) -> Fetched:
    try:
        answer = await source._fetch(request)
        answers = _by_symbol(source, request, answer)
    except Exception as error:
        failure = _as_source_error(source, error)
        return Fetched(failures={symbol: failure for symbol in request.symbols})
    fetched = Fetched()
    for symbol in request.symbols:
        try:
            fetched.bars[symbol] = _checked(source, request, symbol, answers.get(symbol), due)
        except SourceError as error:
            fetched.failures[symbol] = error
    return fetched


def _by_symbol(source: DataSource, request: BarsRequest, answer: Any) -> Mapping[str, Any]:
    if isinstance(answer, Fetched):
        answer = {**answer.bars, **answer.failures}
    if isinstance(answer, Mapping):
        if strangers := sorted(set(answer) - set(request.symbols)):
            raise SourceError(
                f"{source_name(source)} answered for symbols that were not asked",
                expected=", ".join(request.symbols),
                got=", ".join(map(str, strangers)),
                source=source_name(source),
            )
        return answer
    return {symbol: answer for symbol in request.symbols}


def _checked(source: DataSource, request: BarsRequest, symbol: str, answer: Any, due: int) -> Bars:
    if isinstance(answer, SourceError):
        raise answer
    if answer is None or (hasattr(answer, "columns") and not len(answer)):
        raise _nothing(source, symbol, "an empty answer", request)
    bars = _as_bars(source, request, symbol, answer)
    if (bars.symbol, bars.timeframe) != (symbol, request.timeframe):
        raise SourceError(
            f"{source_name(source)} answered something else",
            expected=f"{symbol} {request.timeframe}",
            got=f"{bars.symbol} {bars.timeframe}",
            source=source_name(source),
            symbol=symbol,
        )
    wanted = bars.until(due)
    first = 0 if request.start is None else int(wanted.time.searchsorted(to_ns(request.start)))
    wanted = wanted[max(first, len(wanted) - (request.limit or len(wanted))) :]
    if not len(wanted):
        raise _nothing(source, symbol, "no complete bar in the window", request)
    return wanted if wanted.source != "unknown" else wanted._replace(source=source_name(source))


def _as_bars(source: DataSource, request: BarsRequest, symbol: str, answer: Any) -> Bars:
    if isinstance(answer, Bars):
        return answer
    try:
        return Bars.from_frame(answer, symbol, request.timeframe)
    except UsageError as error:
        raise SourceError(
            f"{source_name(source)} sent bad bars: {error}", source=source_name(source), symbol=symbol
        ) from error


def _nothing(source: DataSource, symbol: str, got: str, request: BarsRequest) -> NoDataError:
    window = f" from {request.start or 'the beginning'} to {request.end or 'now'}"
    return NoDataError(
        f"{source_name(source)} has no bars of {symbol}",
        expected=f"{request.timeframe} bars{window}",
        got=got,
        hint="another window, or check the symbol",
        source=source_name(source),
        symbol=symbol,
    )


async def _guarded(source: DataSource, call: Any) -> Any:
    try:
        return await call
    except Exception as error:
        raise _as_source_error(source, error) from error


def _as_source_error(source: DataSource, error: Exception) -> SourceError:
    """Whatever a vendor's client raises is the world failing, and may pass."""
    if isinstance(error, SourceError | ContractError):
        return error  # type: ignore[return-value]
    wrapped = SourceError(
        f"{source_name(source)} could not answer: {type(error).__name__}: {error}",
        source=source_name(source),
    )
    wrapped.__cause__ = error
    return wrapped


def _unable(source: DataSource, what: str) -> SourceError:
    return SourceError(
        f"{source_name(source)} cannot {what}", retryable=False, source=source_name(source)
    )
