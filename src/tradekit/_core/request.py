"""What is asked of a source, and the shape of its answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NoReturn

import attrs

from .bars import Adjustment, Bars
from .clock import to_ns
from .errors import SourceError, UsageError
from .faults import check_adjustment
from .timeframe import Timeframe


def as_symbols(symbols: str | Sequence[str]) -> tuple[str, ...]:
    """Take one symbol or several.

    Parameters
    ----------
    symbols : str or sequence of str
        As the caller wrote them.
    """
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

    symbols: tuple[str, ...] = attrs.field(converter=as_symbols)
    timeframe: Timeframe = attrs.field(converter=Timeframe)
    start: datetime | None = attrs.field(default=None, kw_only=True)
    end: datetime | None = attrs.field(default=None, kw_only=True)
    limit: int | None = attrs.field(default=None, kw_only=True)
    adjustment: Adjustment = attrs.field(default="all", kw_only=True)

    def __attrs_post_init__(self) -> None:
        names = self.symbols
        if not names or len(set(names)) < len(names) or not all(_is_name(name) for name in names):
            refuse(
                "which symbols?", "at least one name, each once", repr(names), "symbols=('SPY',)"
            )
        if self.limit is not None and (type(self.limit) is not int or self.limit < 1):
            refuse("a limit counts bars", "an int above zero", repr(self.limit), "limit=300")
        edges = [to_ns(edge) for edge in (self.start, self.end) if edge is not None]
        if len(edges) == 2 and edges[0] >= edges[1]:
            refuse(
                "an empty window", "start before end", f"{self.start} to {self.end}", "swap them"
            )
        check_adjustment(self.adjustment)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and bool(name) and name == name.strip()


def refuse(problem: str, expected: str, got: str, hint: str) -> NoReturn:
    """Raise a `UsageError`.

    Parameters
    ----------
    problem, expected, got, hint : str
        Its parts.
    """
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
    >>> fetched = Fetched(failures={"ZZZZ": SourceError("unknown symbol", retryable=False)})
    >>> fetched.failures["ZZZZ"].retryable
    False
    """

    bars: dict[str, Bars] = attrs.field(factory=dict)
    failures: dict[str, SourceError] = attrs.field(factory=dict)

    def __getitem__(self, symbol: str) -> Bars:
        """Give one symbol's bars, or raise the reason why there are none."""
        if symbol in self.failures:
            raise self.failures[symbol]
        if symbol not in self.bars:
            refuse(f"{symbol} was not asked for", ", ".join(self.bars), symbol, "ask for it")
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
