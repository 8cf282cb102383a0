"""What a source answered, held against what was asked."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from .bars import Bars
from .clock import to_ns
from .doors import breach
from .errors import ContractError, NoDataError, SourceError, UsageError
from .frames import symbols_of
from .request import BarsRequest, Fetched, calendar_of

if TYPE_CHECKING:
    from .source import DataSource

T = TypeVar("T")

_ANSWERS = "a DataFrame, Bars or a dict of them by symbol"


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


def unable(source: DataSource, what: str) -> SourceError:
    """Say that a source has no such ability.

    Parameters
    ----------
    source : DataSource
        Whom.
    what : str
        What it cannot do.

    Returns
    -------
    SourceError
        Not retryable.
    """
    hint = "another source, or write the hook"
    name = source_name(source)
    return SourceError(f"{name} cannot {what}", retryable=False, hint=hint, source=name)


@contextmanager
def blamed(source: DataSource) -> Iterator[None]:
    """Tell whatever a vendor's client raises as the world failing; it may pass.

    Parameters
    ----------
    source : DataSource
        Whose client.

    Raises
    ------
    SourceError
        The source's own as it is, anything else as a retryable one with the cause chained.
    ContractError
        As it is: the world is not to blame.
    """
    try:
        yield
    except (SourceError, ContractError):
        raise
    except Exception as error:
        name = source_name(source)
        raise SourceError(
            f"{name} could not answer", got=f"{type(error).__name__}: {error}", source=name
        ) from error


async def heard(
    source: DataSource, name: str, hook: Callable[..., Awaitable[T]], *args: object
) -> T:
    """Call an asynchronous hook and wait for its answer.

    Parameters
    ----------
    source : DataSource
        Whose hook.
    name : str
        What the hook is called.
    hook : callable
        The hook.
    *args : object
        What it takes.

    Returns
    -------
    object
        What it gives.

    Raises
    ------
    SourceError
        When it raises.
    ContractError
        When there is nothing to wait for.
    """
    with blamed(source):
        answer = hook(*args)
        if not inspect.isawaitable(answer):
            got = f"a {type(answer).__name__}"
            raise breach(source, f"{name} cannot be awaited", f"async def {name}", got)
        return await answer


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
    try:
        answer = await heard(source, "_fetch", source._fetch, request)
        answers = _by_symbol(source, request, answer)
    except SourceError as error:
        return Fetched(failures=dict.fromkeys(request.symbols, error))
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
        if strangers := sorted(str(name) for name in set(answer) - set(request.symbols)):
            raise SourceError(
                f"{source_name(source)} answered for symbols that were not asked",
                expected=", ".join(request.symbols),
                got=", ".join(strangers),
                source=source_name(source),
                fault="bad_data",
            )
        return answer
    about = _about(answer) if len(request.symbols) > 1 else request.symbols
    if not about:
        got = "one answer without symbols"
        raise breach(source, "_fetch says nothing of whom it is about", "an answer a symbol", got)
    return {symbol: answer for symbol in request.symbols if symbol in about}


def _about(answer: Any) -> tuple[str, ...]:
    """Whose bars they are: one answer to several symbols must say so itself."""
    if isinstance(answer, Bars):
        return (answer.symbol,)
    return symbols_of(answer) if _is_frame(answer) else ()


def _is_frame(answer: Any) -> bool:
    return hasattr(answer, "columns") and hasattr(answer, "attrs")


def _checked(source: DataSource, request: BarsRequest, symbol: str, answer: Any, due: int) -> Bars:
    if isinstance(answer, SourceError):
        raise answer
    if answer is None or (_is_frame(answer) and not len(answer)):
        raise _nothing(source, symbol, "an empty answer", request, fault="empty")
    bars = _as_bars(source, request, symbol, answer)
    if (bars.symbol, bars.timeframe) != (symbol, request.timeframe):
        raise SourceError(
            f"{source_name(source)} answered something else",
            expected=f"{symbol} {request.timeframe}",
            got=f"{bars.symbol} {bars.timeframe}",
            source=source_name(source),
            symbol=symbol,
            fault="bad_data",
        )
    wanted = bars.until(due)
    first = 0 if request.start is None else int(wanted.time.searchsorted(to_ns(request.start)))
    wanted = wanted[max(first, len(wanted) - (request.limit or len(wanted))) :]
    if not len(wanted):
        raise _nothing(source, symbol, "no complete bar in the window", request)
    return _stated(source, wanted)


def _stated(source: DataSource, bars: Bars) -> Bars:
    """Bars that say where they come from; what they say of themselves stays."""
    known = {"source": source_name(source), "feed": source.capabilities.feed}
    new = {k: v for k, v in known.items() if getattr(bars, k) == "unknown" != v}
    return bars._replace(**new) if new else bars


def _as_bars(source: DataSource, request: BarsRequest, symbol: str, answer: Any) -> Bars:
    if isinstance(answer, Bars):
        return answer
    if not _is_frame(answer):
        raise breach(source, "_fetch answered otherwise", _ANSWERS, f"a {type(answer).__name__}")
    calendar = answer.attrs.get("calendar") or calendar_of(symbol)
    try:
        return Bars.from_frame(answer, symbol, request.timeframe, calendar=calendar)
    except UsageError as error:
        name = source_name(source)
        raise SourceError(
            f"{name} sent bad bars: {error}", source=name, symbol=symbol, fault="bad_data"
        ) from error


def _nothing(
    source: DataSource, symbol: str, got: str, request: BarsRequest, **facts: Any
) -> NoDataError:
    window = f" from {request.start or 'the beginning'} to {request.end or 'now'}"
    return NoDataError(
        f"{source_name(source)} has no bars of {symbol}",
        expected=f"{request.timeframe} bars{window}",
        got=got,
        hint="another window, or check the symbol",
        source=source_name(source),
        symbol=symbol,
        **facts,
    )
