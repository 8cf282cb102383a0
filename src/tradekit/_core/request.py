"""What is asked of a source, and the shape of its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, NoReturn, get_args

import attrs
from attrs.converters import optional

from .bars import Adjustment, Bars
from .clock import to_utc
from .errors import SourceError, UsageError
from .figures import count, duration
from .timeframe import Timeframe
from .words import words

Asked = Literal["all", "split", "raw"]


def as_symbols(symbols: str | Sequence[str]) -> tuple[str, ...]:
    """Take one symbol or several.

    Parameters
    ----------
    symbols : str or sequence of str
        As the caller wrote them.

    Returns
    -------
    tuple of str
        At least one name, each once.

    Raises
    ------
    UsageError
        When they are none, or no names.

    Examples
    --------
    >>> as_symbols("SPY"), as_symbols(["SPY", "QQQ"])
    (('SPY',), ('SPY', 'QQQ'))
    """
    names = words(symbols)
    if not names or not all(map(_is_name, names)) or len(set(names)) < len(names):
        expected, hint = "at least one name, each once", "symbols=('SPY', 'QQQ')"
        refuse("no such symbols", expected, repr(symbols), hint)
    return names


def calendar_of(symbol: str) -> str:
    """Tell the code of the calendar that a symbol trades by: pairs such as ``BTC/USD`` never rest.

    Parameters
    ----------
    symbol : str
        Any.

    Returns
    -------
    str
        ``24/7`` or ``XNYS``.

    Examples
    --------
    >>> calendar_of("BTC/USD"), calendar_of("BRK.B")
    ('24/7', 'XNYS')
    """
    return "24/7" if "/" in symbol else "XNYS"


def _is_name(name: object) -> bool:
    return isinstance(name, str) and bool(name) and name == name.strip()


def _limit(value: object) -> int:
    return count(value, "a limit counts bars", "limit=300")


def _timeout(value: object) -> timedelta:
    return duration(value, "a timeout is a duration", "timeout=timedelta(seconds=8)")


@attrs.frozen(cache_hash=True)  # it is what answers are kept and shared by
class BarsRequest:
    """What is asked of a source.

    Parameters
    ----------
    symbols : str or sequence of str
        At least one, each once.
    timeframe : Timeframe or str
        Length of the bars.
    start, end : datetime, optional
        Aware. Bars that open at or after ``start`` and are complete by ``end``, and in any case
        by the source's now.
    limit : int, optional
        At most the newest so many bars of each symbol.
    adjustment : {"all", "split", "raw"}
        What prices should be adjusted for.
    timeout : timedelta, optional
        How long the answer may take. A source that asks for one symbol after another then answers
        with what has come, and says of the others that they came too late.

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
    start: datetime | None = attrs.field(default=None, kw_only=True, converter=optional(to_utc))
    end: datetime | None = attrs.field(default=None, kw_only=True, converter=optional(to_utc))
    limit: int | None = attrs.field(default=None, kw_only=True, converter=optional(_limit))
    adjustment: Asked = attrs.field(default="all", kw_only=True)
    timeout: timedelta | None = attrs.field(
        default=None, kw_only=True, converter=optional(_timeout)
    )

    def __attrs_post_init__(self) -> None:
        if self.start and self.end and self.start >= self.end:
            window = f"{self.start} to {self.end}"
            refuse("an empty window", "start before end", window, "swap them")
        if self.adjustment not in get_args(Asked):
            got, hint = repr(self.adjustment), "'all' for splits and dividends"
            refuse("no such adjustment", "'all', 'split' or 'raw'", got, hint)


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
        """Give one symbol's bars, or raise the reason why there are none.

        Raises
        ------
        SourceError
            That reason.
        UsageError
            When the symbol was not asked for.
        """
        if symbol in self.failures:
            raise self.failures[symbol]
        if symbol not in self.bars:
            asked = ", ".join([*self.bars, *self.failures]) or "none"
            refuse(f"{symbol} was not asked for", f"one of {asked}", symbol, "ask for it")
        return self.bars[symbol]


def _depths(
    depth: timedelta | Mapping[str, timedelta],
) -> timedelta | Mapping[Timeframe, timedelta]:
    if not isinstance(depth, Mapping):
        return depth
    return {Timeframe(length): reach for length, reach in depth.items()}


@attrs.frozen
class Capabilities:
    """What a source can do.

    Parameters
    ----------
    timeframes : tuple of Timeframe, optional
        What it serves; None means any.
    depth : timedelta or dict of Timeframe to timedelta, optional
        How far back it reaches, for bars of any length or by their length; None, or a length that
        is not named, means to the beginning.
    delay : timedelta
        How old its newest bar is at best.
    settle : timedelta
        How long after its close a bar may still be corrected.
    feed : str
        The tape behind it.
    adjustments : tuple of str
        Which adjustments it can answer.
    calls_per_minute, calls_per_hour, calls_per_day : int, optional
        Its rate budget; None means no limit.
    symbols_per_call : int, optional
        For how many symbols a call serves; None means for any number.
    screens : tuple of str
        The categories that it can discover symbols in.
    streams : bool
        Whether it sends bars as they complete.

    Examples
    --------
    >>> can = Capabilities(feed="sip", depth={"1Min": timedelta(days=7)}, calls_per_minute=200)
    >>> can.reach("1m"), can.reach("1Day"), can.delay
    (datetime.timedelta(days=7), None, datetime.timedelta(0))
    """

    timeframes: tuple[Timeframe, ...] | None = None
    depth: timedelta | Mapping[Timeframe, timedelta] | None = attrs.field(
        default=None, converter=optional(_depths)
    )
    delay: timedelta = timedelta(0)
    settle: timedelta = timedelta(minutes=15)
    feed: str = "unknown"
    adjustments: tuple[Adjustment, ...] = ("raw", "split", "all")
    calls_per_minute: int | None = None
    calls_per_hour: int | None = None
    calls_per_day: int | None = None
    symbols_per_call: int | None = None
    screens: tuple[str, ...] = ()
    streams: bool = False

    def reach(self, timeframe: str) -> timedelta | None:
        """Tell how far back bars of one length reach.

        Parameters
        ----------
        timeframe : Timeframe or str
            Their length.

        Returns
        -------
        timedelta or None
            None means to the beginning.
        """
        if isinstance(self.depth, Mapping):
            return self.depth.get(Timeframe(timeframe))
        return self.depth
