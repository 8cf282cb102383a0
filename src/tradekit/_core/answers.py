"""What a source answered, held against what was asked."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from .bars import Bars
from .clock import to_ns
from .errors import ContractError, NoDataError, SourceError, UsageError
from .request import BarsRequest, Fetched

if TYPE_CHECKING:
    from .source import DataSource

T = TypeVar("T")


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


async def ask(source: DataSource, request: BarsRequest, due: int) -> Fetched:
    """Ask a source's hook, and sort what it says into bars and failures.

    Parameters
    ----------
    source : DataSource
        Whom.
    request : BarsRequest
        What.
    due : int
        Nanoseconds since 1970 UTC by which bars must be complete.

    Returns
    -------
    Fetched
        Every symbol of the request.
    """
    if not isinstance(request, BarsRequest):
        got, hint = repr(request), "BarsRequest('SPY', '5Min')"
        raise UsageError("no request", expected="a BarsRequest", got=got, hint=hint)
    try:
        answers = _by_symbol(source, request, await source._fetch(request))
    except Exception as error:
        return Fetched(failures=dict.fromkeys(request.symbols, as_source_error(source, error)))
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
    return dict.fromkeys(request.symbols, answer)


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
            f"{source_name(source)} sent bad bars: {error}",
            source=source_name(source),
            symbol=symbol,
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


async def guarded(source: DataSource, call: Awaitable[T]) -> T:
    """Wait for a hook, and turn whatever it raises into a `SourceError`.

    Parameters
    ----------
    source : DataSource
        Whose hook.
    call : awaitable
        What it does.
    """
    try:
        return await call
    except Exception as error:
        raise as_source_error(source, error) from error


def as_source_error(source: DataSource, error: Exception) -> SourceError:
    """Tell a vendor client's error as the world failing; it may pass.

    Parameters
    ----------
    source : DataSource
        Whose client.
    error : Exception
        What it raised.

    Returns
    -------
    SourceError
        The same when it is one already; else a retryable one, with the cause chained.
    """
    if isinstance(error, SourceError):
        return error
    if isinstance(error, ContractError):
        raise error
    name = source_name(source)
    wrapped = SourceError(f"{name} could not answer, {type(error).__name__}: {error}", source=name)
    wrapped.__cause__ = error
    return wrapped


def unable(source: DataSource, what: str) -> SourceError:
    """Say that a source has no such ability.

    Parameters
    ----------
    source : DataSource
        Whom.
    what : str
        What it cannot do.
    """
    name = source_name(source)
    return SourceError(f"{name} cannot {what}", retryable=False, source=name)
