"""Bars that are already here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .._core.bars import Bars
from .._core.clock import Clock, SystemClock
from .._core.errors import NoDataError, SourceError, UsageError
from .._core.request import BarsRequest
from .._core.resample import resample
from .._core.source import DataSource
from .._core.timeframe import Timeframe


class MemorySource(DataSource):
    """Answer from bars in memory: a notebook's, a test's, a recorded day's.

    A timeframe that is not held is made out of the longest shorter one that fits. Prices come as
    they are held, and the bars say what they are adjusted for; where a symbol is held in several
    adjustments, the one that is asked for comes first.

    Parameters
    ----------
    bars : mapping of str to Bars, or iterable of Bars
        Each symbol as often as it has timeframes or adjustments.
    clock : Clock, optional
        Who says what time it is; bars of the future are not told. The machine's clock by default.

    Raises
    ------
    UsageError
        When something is no `Bars`, stands under another symbol's name, or comes twice.

    Examples
    --------
    >>> import asyncio
    >>> import numpy as np
    >>> from tradekit import BarsRequest
    >>> times = np.array(["2024-03-08T14:30", "2024-03-08T14:31"], "M8[ns]")
    >>> bars = Bars("SPY", "1Min", times, [1.0, 2.0], [3.0, 3.0], [1.0, 2.0], [2.0, 3.0], [9.0] * 2)
    >>> source = MemorySource([bars])
    >>> asyncio.run(source.fetch(BarsRequest("SPY", "2Min")))["SPY"].volume
    array([18.])
    """

    name = "memory"
    batch = True

    def __init__(
        self, bars: Mapping[str, Bars] | Iterable[Bars] = (), *, clock: Clock | None = None
    ) -> None:
        self.clock = clock or SystemClock()
        self._held: dict[str, dict[tuple[str, Timeframe], Bars]] = {}
        pairs = bars.items() if isinstance(bars, Mapping) else ((None, each) for each in bars)
        for name, each in pairs:
            self._hold(name, each)

    def __repr__(self) -> str:
        return f"MemorySource({', '.join(self.symbols)})"

    @property
    def symbols(self) -> tuple[str, ...]:
        """Whose bars are held."""
        return tuple(self._held)

    def _hold(self, name: str | None, bars: Bars) -> None:
        if not isinstance(bars, Bars) or name not in (None, bars.symbol):
            raise UsageError(
                "a memory source holds bars by their symbol",
                expected="Bars" if name is None else f"Bars of {name}",
                got=repr(bars),
                hint="Bars.from_frame(frame, symbol, timeframe)",
            )
        held = self._held.setdefault(bars.symbol, {})
        if (bars.adjustment, bars.timeframe) in held:
            raise UsageError(
                f"{bars.symbol} comes twice",
                expected="each symbol, timeframe and adjustment once",
                got=repr(bars),
                hint="join them before, or use two sources",
            )
        held[bars.adjustment, bars.timeframe] = bars

    async def _fetch(self, request: BarsRequest) -> dict[str, Bars | SourceError]:
        answers: dict[str, Bars | SourceError] = {}
        for symbol in request.symbols:
            try:
                answers[symbol] = self._bars(request, symbol)
            except NoDataError as error:
                answers[symbol] = error
        return answers

    def _bars(self, request: BarsRequest, symbol: str) -> Bars:
        bars = self._best(request, symbol)
        if bars.timeframe == request.timeframe:
            return bars
        try:
            return resample(bars, request.timeframe, cut=True)
        except UsageError as error:
            raise self._nothing(symbol, request, repr(bars)) from error

    def _best(self, request: BarsRequest, symbol: str) -> Bars:
        """The held bars that come nearest to what is asked: its adjustment, then its timeframe."""
        asked, held = request.timeframe, self._held.get(symbol, {})
        fitting = [
            bars
            for bars in held.values()
            if bars.timeframe <= asked and asked.seconds % bars.timeframe.seconds == 0
        ]
        if not fitting:
            have = ", ".join(f"{timeframe} ({adjustment})" for adjustment, timeframe in held)
            raise self._nothing(symbol, request, have or "none")
        return max(
            fitting,
            key=lambda bars: (bars.adjustment == request.adjustment, bars.timeframe.seconds),
        )

    def _nothing(self, symbol: str, request: BarsRequest, got: str) -> NoDataError:
        return NoDataError(
            f"no {request.timeframe} bars of {symbol} in memory",
            expected=f"{request.timeframe} bars, or shorter ones on the session's grid",
            got=got,
            hint=f"one of {', '.join(self.symbols) or 'none'}, or hand in shorter bars",
            source=self.name,
            symbol=symbol,
        )
