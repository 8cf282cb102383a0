"""Many detectors, one answer."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from .. import plugins
from .._core.bars import Bars
from .._core.blocking import Blocking
from .._core.detector import SignalDetector
from .._core.errors import UsageError
from .._core.timeframe import Timeframe
from .._core.words import words
from ._advice import advice
from ._answer import AggregatedSignals
from ._history import History
from ._tally import Tally
from ._weighing import Limits, weigh

if TYPE_CHECKING:
    import pandas as pd

_LOG = logging.getLogger("tradekit.signals")


class MultiSourceSignalAggregator:
    """Ask many detectors about the last bar, and give one answer that explains itself.

    A family of detectors has one vote: the side that it took last, within three bars. Where two
    families or more have voted, the larger side must hold `consensus_threshold` of the votes, else
    nothing is said; a single vote carries. Weak signals vote too, so that a higher threshold only
    leaves out more. Of several signals of one family and direction the most confident is kept.
    Confidence is never raised by agreement: nobody has measured what that is worth.

    Parameters
    ----------
    detectors : iterable of SignalDetector, optional
        Who looks; everything registered under ``tradekit.detectors`` by default, loaded when it
        is first needed.
    min_confidence : float
        What a signal must reach, 0 to 100.
    consensus_threshold : float
        Share of the families' votes that must agree, 0 to 1.
    min_edge : float, optional
        Points of confidence above its base rate that a signal must reach as well.

    Raises
    ------
    UsageError
        When something is no detector, or two are the same.

    Notes
    -----
    The three numbers are plain attributes; change them at any time. The answer depends on the
    bars alone. The last bar is taken as complete: a frame cannot tell, and there is no clock here,
    so leave out a bar that is still forming (``bars.until(now)``; a data manager has done so).

    Uncalibrated confidence is a score and no probability. Beside it stands `Signal.base_rate`,
    how often prices without drift would reach the target before the stop:
    ``100 * stop / (target + stop)`` in distances. With a stop of 1.5 ATR and a target of 2 ATR it
    is 43, so that a worthless signal may claim 43 and pass ``min_confidence=40``; ask for a
    ``min_edge`` as well.

    Examples
    --------
    >>> import numpy as np
    >>> from tradekit import Bars
    >>> class Record(SignalDetector):
    ...     '''The close is above every high of the ten bars before.'''
    ...
    ...     family = "breakout"
    ...
    ...     def _scan(self, bars):
    ...         return 60.0 * (bars.close > bars.ind.donchian(10).upper)
    >>> minutes, p = np.arange(300) * 300 * 10**9, np.append(np.full(299, 100.0), 101.0)
    >>> bars = Bars("X", "5Min", minutes, p, p, p, p, p, calendar="24/7")
    >>> aggregator = MultiSourceSignalAggregator([Record()])
    >>> signals = aggregator.blocking.aggregate_signals("X", bars)
    >>> [(signal.direction.value, signal.confidence, signal.family) for signal in signals]
    [('bullish', 60.0, 'breakout')]
    >>> aggregator.get_aggregation_stats()["total_active_signals"]
    1
    """

    def __init__(
        self,
        detectors: Iterable[SignalDetector] | None = None,
        *,
        min_confidence: float = 40,
        consensus_threshold: float = 0.6,
        min_edge: float | None = None,
    ) -> None:
        self.min_confidence = min_confidence
        self.consensus_threshold = consensus_threshold
        self.min_edge = min_edge
        self._detectors = None if detectors is None else _checked(detectors)
        self._histories: dict[tuple[str, str], History] = {}
        self._tally = Tally()

    def __repr__(self) -> str:
        names = ("min_confidence", "consensus_threshold", "min_edge")
        return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)!r}' for n in names)})"

    @property
    def detectors(self) -> tuple[SignalDetector, ...]:
        """Who looks, in alphabetical order."""
        if self._detectors is None:
            found = plugins.names("detectors")
            self._detectors = _checked(_registered(name)() for name in found)
        return self._detectors

    @property
    def blocking(self) -> Blocking[MultiSourceSignalAggregator]:
        """The same aggregator for plain scripts and notebooks."""
        return Blocking(self)

    async def aggregate_signals(
        self, symbol: str, bars: Bars | pd.DataFrame, *, timeframe: str | None = None
    ) -> AggregatedSignals:
        """Say what there is to say about a symbol at its last bar.

        Parameters
        ----------
        symbol : str
            About whom.
        bars : Bars or DataFrame
            Complete bars that end now, oldest first; a frame as `Bars.from_frame` reads it.
        timeframe : Timeframe or str, optional
            Length of the bars, where a frame is too short to show it.

        Returns
        -------
        AggregatedSignals
            A list of signals, the most confident first, that says how it came about.

        Raises
        ------
        UsageError
            When there are no bars to look at, they are another symbol's, or one of the three
            numbers is out of range.
        PluginError
            When no detector is registered, or one cannot be loaded.
        """
        return self._aggregate(symbol, bars, timeframe)

    def prepare(self, bars: Bars) -> None:
        """Look at a whole history at once, for a replay that is going to ask about its windows.

        A window of these bars, as long as the slowest detector needs, is then answered from what
        was said over all of them: many times faster, as ``benchmarks/replay.py`` measures, and the
        same, since a detector's last word on a window is its word on the history at that bar.
        Other bars are looked at as ever.

        Parameters
        ----------
        bars : Bars
            All that the replay will tell of one symbol at one timeframe; a later call for the
            same replaces it.

        Raises
        ------
        UsageError
            When it is something else than Bars.
        ContractError
            When a detector raises, or answers in another shape or range than it should.
        PluginError
            When no detector is registered, or one cannot be loaded.

        Notes
        -----
        It rests on the detectors' promise to look ahead nowhere, to which
        `tradekit.testing.check_detector` holds them. Scores of recursive indicators may differ
        from those of a window in the fourth digit, and where a price meets a threshold to its last
        digit, rounding decides.
        """
        if not isinstance(bars, Bars):
            got, hint = f"a {type(bars).__name__}", "Bars.from_frame(frame, symbol)"
            raise UsageError("no history to prepare", expected="Bars", got=got, hint=hint)
        self._histories[bars.symbol, bars.timeframe] = History(bars, self.detectors)

    def get_aggregation_stats(self) -> dict[str, Any]:
        """Count what was said and what was held back so far.

        Returns
        -------
        dict
            ``total_active_signals``: in the latest answer about each symbol, those that have not
            expired at the newest bar seen. ``not_ready``: for each detector that was not ready in
            one of these answers, the bars that it needs. Since the start: ``symbols_scanned``
            (different ones), ``answers``, ``signals_emitted``, ``below_threshold``,
            ``duplicates_removed``, ``against_consensus``, ``conflicts`` (answers) and ``errors``
            (looks that failed).
        """
        return self._tally.stats()

    def _aggregate(
        self, symbol: str | None, given: Any, timeframe: str | None
    ) -> AggregatedSignals:
        limits = Limits(self.min_confidence, self.consensus_threshold, self.min_edge)
        bars = _as_bars(given, symbol, timeframe)
        history = self._histories.get((bars.symbol, bars.timeframe))
        said = weigh(bars, self.detectors, limits, history)
        self._tally.add(said)
        for cause, sentence in advice(said):
            if self._tally.is_new(cause):
                _LOG.warning("%s", sentence)
        return said


def aggregate_signals(
    bars: Bars | pd.DataFrame,
    symbol: str | None = None,
    *,
    timeframe: str | None = None,
    detectors: Iterable[SignalDetector] | None = None,
    min_confidence: float = 40,
    consensus_threshold: float = 0.6,
    min_edge: float | None = None,
) -> AggregatedSignals:
    """Say what there is to say at the last bar: the aggregate for notebooks, in one call.

    Parameters
    ----------
    bars : Bars or DataFrame
        Complete bars that end now, oldest first; a frame as alpaca-py or yfinance gives it, or
        read by `Bars.from_frame` where that takes a zone or another calendar. A frame cannot tell
        whether its last bar is still forming: leave such a bar out.
    symbol : str, optional
        About whom; needed where a frame does not name one, or names several.
    timeframe : Timeframe or str, optional
        Length of the bars, where a frame is too short to show it.
    detectors, min_confidence, consensus_threshold, min_edge : object
        As `MultiSourceSignalAggregator` takes them.

    Returns
    -------
    AggregatedSignals
        A list of signals, the most confident first, whose repr says how it came about.

    Raises
    ------
    UsageError
        When there are no bars to look at, it is not clear whose they are, or a number is out of
        range.
    PluginError
        When no detector is registered, or one cannot be loaded.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"open": 549.0, "high": 551.8, "low": 548.7, "close": 551.5, "volume": 32e6}
    >>> frame = pd.DataFrame([row] * 3, index=pd.bdate_range("2024-07-01", periods=3))
    >>> class Inside(SignalDetector):
    ...     '''The bar lies within the one before.'''
    ...
    ...     def _scan(self, bars):
    ...         return 0.0 * bars.close
    >>> aggregate_signals(frame, "SPY", detectors=[Inside()])
    <AggregatedSignals of SPY 1Day, 3 bars until 2024-07-03 17:00 UTC: no signals>
      looked     1 detector: Inside
      fired      none at the last bar
      below      none (below min_confidence=40)
      not ready  1 of 1: Inside needs 135 bars
      try        200 bars: get_market_data("SPY", "1Day", limit=200)
    """
    aggregator = MultiSourceSignalAggregator(
        detectors,
        min_confidence=min_confidence,
        consensus_threshold=consensus_threshold,
        min_edge=min_edge,
    )
    return aggregator._aggregate(symbol, bars, timeframe)


@cache
def _registered(name: str) -> Any:
    """Load a detector's class, once: to look a name up takes longer than to look at bars."""
    return plugins.load("detectors", name)


def _as_bars(given: Any, symbol: str | None, timeframe: str | None) -> Bars:
    if given is None:
        raise UsageError(
            "there are no bars to look at",
            expected="Bars or a DataFrame",
            got="None",
            hint="a data manager that gives None had no answer: manager.last_failure says why",
        )
    if not isinstance(symbol, str | None):
        raise UsageError(
            "about which symbol?",
            expected="its name, and then the bars",
            got=f"a {type(symbol).__name__}",
            hint="aggregator.aggregate_signals('SPY', bars), or aggregate_signals(bars, 'SPY')",
        )
    bars = given if isinstance(given, Bars) else Bars.from_frame(given, symbol, timeframe)
    asked = symbol or bars.symbol, Timeframe(timeframe or bars.timeframe)
    if not len(bars) or asked != (bars.symbol, bars.timeframe):
        raise UsageError(
            "these are not the bars to look at",
            expected=f"at least one bar of {' '.join(asked)}",
            got=repr(bars),
            hint="look at where they were fetched",
        )
    return bars


def _checked(detectors: Iterable[SignalDetector]) -> tuple[SignalDetector, ...]:
    given = words(detectors)
    for each in given:
        if not isinstance(each, SignalDetector):
            raise UsageError(
                "this is no detector",
                expected="instances of SignalDetector",
                got=repr(each),
                hint="detectors=[RsiReversal()], with brackets behind the class",
            )
    names = Counter(each.source_method for each in given)
    if not given or len(names) < len(given):
        raise UsageError(
            "detectors are told apart by their names",
            expected="at least one detector, and each once",
            got=", ".join(f"{count} times {name}" for name, count in names.items()) or "none",
            hint="detectors=None takes every registered one",
        )
    return tuple(sorted(given, key=lambda each: each.source_method))
