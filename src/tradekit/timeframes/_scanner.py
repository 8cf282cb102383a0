"""One market at several speeds, looked at in one go."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from threading import Lock
from typing import Any

from .._core.bars import Bars
from .._core.blocking import Blocking
from .._core.clock import Clock, SystemClock, from_ns, to_ns
from .._core.detector import SignalDetector
from .._core.errors import NoDataError, SourceError, TradekitError, UsageError
from .._core.figures import within
from .._core.signal import Signal
from .._core.source import BarsProvider
from .._core.timeframe import Timeframe
from .._core.words import words
from ..plugins import load, names
from ._align import is_stale
from ._consensus import consensus
from ._fetching import fetch_views
from ._plan import PlannedCall, plan_calls
from ._scan import TimeframeLook, TimeframeScan
from ._settings import configured, settings
from ._sight import SightMemo

_LOG = logging.getLogger("tradekit.timeframes")
# What a provider answers to; one of them is enough.
_VERBS = ("fetch_many", "get_market_data")


class MultiTimeframeScanner:
    """Look at a symbol at all timeframes from a minute to a day, and tell where they agree.

    A longer bar counts only when it is complete, so at any moment nothing rests on what came
    later. Few calls fetch all: longer intraday bars are made out of shorter ones, on the
    exchange's sessions. A timeframe that cannot be looked at says why, beside the others.

    Parameters
    ----------
    detectors : iterable of SignalDetector, optional
        Used at every timeframe; else one of each that is registered.
    timeframes : mapping of str to dict, or iterable of str, optional
        What to look at; a dict says ``lookback`` (bars) and ``weight`` (in the consensus, 0 or
        more) where they are not the usual ones: 300 bars, 250 days, and a weight that grows from
        1 for minutes to 6 for days.
    clock : Clock, optional
        Who says what time it is; else the provider's own clock where it has one, else the
        machine's.

    Attributes
    ----------
    timeframes : dict of str to dict
        The configuration: edit it at any time, the next scan goes by it.
    consensus_threshold : float
        Share of the weight of what is said, 0 to 1, from which on a direction is the consensus:
        0.6.

    Raises
    ------
    UsageError
        When a timeframe or its configuration is none; the error names it.

    Examples
    --------
    >>> from tradekit import crossed_above, crossed_below
    >>> class Cross(SignalDetector):
    ...     '''The close crosses its mean of 20 bars.'''
    ...
    ...     def _scan(self, bars):
    ...         mean = bars.ind.sma(20)
    ...         up, down = crossed_above(bars.close, mean), crossed_below(bars.close, mean)
    ...         return 60.0 * up - 60.0 * down
    >>> scanner = MultiTimeframeScanner([Cross()], timeframes=("5Min", "1Hour", "1Day"))
    >>> scanner.timeframes["5Min"]["lookback"] = 200
    >>> [(call.timeframe, call.rows, call.serves) for call in scanner.plan()]
    [('5Min', 3612, ('5Min', '1Hour')), ('1Day', 250, ('1Day',))]
    """

    def __init__(
        self,
        detectors: Iterable[SignalDetector] | None = None,
        *,
        timeframes: Mapping[str, Mapping[str, Any]] | Iterable[str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.timeframes = configured(timeframes)
        self.consensus_threshold = 0.6
        self.clock = clock
        self._detectors = None if detectors is None else _checked(detectors)
        self._memo = SightMemo()
        self._counts: Counter[str | tuple[str, str]] = Counter()
        self._broken: set[str] = set()
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"MultiTimeframeScanner({', '.join(self.timeframes)})"

    @property
    def blocking(self) -> Blocking[MultiTimeframeScanner]:
        """The same scanner for plain scripts: ``scanner.blocking.scan_all_timeframes(...)``."""
        return Blocking(self)

    @property
    def detectors(self) -> tuple[SignalDetector, ...]:
        """Who looks, at every timeframe."""
        if self._detectors is None:
            self._detectors = tuple(load("detectors", name)() for name in names("detectors"))
        return self._detectors

    def plan(self) -> tuple[PlannedCall, ...]:
        """Tell what a scan fetches of each symbol, and what it makes out of it.

        Returns
        -------
        tuple of PlannedCall
            The shortest bars first. What cannot be made that way is asked for directly.

        Raises
        ------
        UsageError
            When a timeframe or its configuration is none; the error names it.
        """
        return plan_calls({name: each.lookback for name, each in settings(self.timeframes).items()})

    async def scan_all_timeframes(self, symbol: str, data_manager: BarsProvider) -> TimeframeScan:
        """Look at a symbol at every timeframe, now.

        Parameters
        ----------
        symbol : str
            Whose bars.
        data_manager : BarsProvider
            Who has them.

        Returns
        -------
        TimeframeScan
            A sequence of signals: the newest of each detector and timeframe that is still news.
            Empty when nothing is said; not `ok` when nothing could be looked at.

        Raises
        ------
        UsageError
            When a timeframe or its configuration is none (the error names it), or it is no data
            manager.
        """
        if not isinstance(symbol, str) or not symbol.strip():
            raise UsageError("whose bars", expected="a symbol", got=repr(symbol), hint="'SPY'")
        if not any(callable(getattr(data_manager, verb, None)) for verb in _VERBS):
            expected, got = " or ".join(_VERBS), f"a {type(data_manager).__name__}"
            hint = "MultiSourceDataManager()"
            raise UsageError("no data manager", expected=expected, got=got, hint=hint)
        lookbacks = {name: each.lookback for name, each in settings(self.timeframes).items()}
        clock = self.clock or getattr(data_manager, "clock", None) or SystemClock()
        now = clock.now()
        views = await fetch_views(data_manager, symbol, lookbacks, now)
        looks = {name: self._look(name, views[name], now) for name in views}
        scan = TimeframeScan(symbol, now, looks)
        self._count(scan)
        return scan

    def get_timeframe_consensus(
        self, opportunities: TimeframeScan | Iterable[Signal] | None
    ) -> dict[str, Any]:
        """Tell where the timeframes agree, longer ones weighing more.

        Parameters
        ----------
        opportunities : TimeframeScan, iterable of Signal, or None
            What a scan gave. Plain signals say neither their age nor what could not be looked at.

        Returns
        -------
        dict
            ``consensus``: ``"bullish"`` or ``"bearish"`` when that side has `consensus_threshold`
            of the weight of all that is said, ``"mixed"`` when they disagree or nothing is said,
            ``"unknown"`` when no timeframe could be looked at, or all are stale. ``agreement``:
            the stronger side's share of what is said, 0 to 1; ``agreeing_weight``: its share of
            all that could be looked at and are not stale. ``bullish_weight``,
            ``bearish_weight``. ``per_timeframe``: direction, age in bars, staleness, weight,
            number of signals and failure of each. ``silent``, ``stale`` and ``could_not_look``
            name timeframes; stale ones have no vote.

        Raises
        ------
        UsageError
            When that is neither a scan nor signals, or the configuration or the threshold is none.

        Examples
        --------
        >>> MultiTimeframeScanner().get_timeframe_consensus([])["consensus"]
        'mixed'
        """
        known = settings(self.timeframes)
        threshold = within("consensus_threshold", self.consensus_threshold, 0, 1)
        return consensus(opportunities, known, threshold)

    def get_scan_statistics(self) -> dict[str, Any]:
        """Count what was scanned since the start.

        Returns
        -------
        dict
            ``total_scans``, ``total_opportunities`` (signals over all scans),
            ``avg_opportunities_per_scan`` (0.0 before the first), ``failed_scans`` (nothing could
            be looked at), ``remembered`` (looks that were the same as before), and
            ``per_timeframe`` with the ``looks``, ``opportunities`` and ``failures`` of each.

        Examples
        --------
        >>> MultiTimeframeScanner().get_scan_statistics()["avg_opportunities_per_scan"]
        0.0
        """
        with self._lock:
            counts = self._counts.copy()
        scans, found = counts["scans"], counts["opportunities"]
        rows = {name for name, *_ in (key for key in counts if isinstance(key, tuple))}
        return {
            "total_scans": scans,
            "total_opportunities": found,
            "avg_opportunities_per_scan": found / scans if scans else 0.0,
            "failed_scans": counts["failed"],
            "remembered": self._memo.hits,
            "per_timeframe": {
                str(name): {what: counts[name, what] for what in _COUNTED}
                for name in sorted(map(Timeframe, rows))
            },
        }

    def _look(self, timeframe: Timeframe, bars: Bars | SourceError, now: datetime) -> TimeframeLook:
        if isinstance(bars, SourceError):
            _LOG.info("could not look: %s", bars)
            return TimeframeLook(timeframe, failure=bars)
        sight = self._memo.look(bars, self.detectors)
        for name, error in sight.errors.items():
            self._tell(name, error)
        able = len(self.detectors) - len(sight.not_ready) - len(sight.errors)
        return TimeframeLook(
            timeframe,
            failure=None if able else next(iter(sight.errors.values()), _too_short(bars)),
            signals=sight.signals,
            bars=len(bars),
            newest_close=from_ns(bars.close_time[-1]),
            age=sight.age,
            not_ready=sight.not_ready,
            errors={name: str(error) for name, error in sight.errors.items()},
            stale=is_stale(bars, to_ns(now)),
        )

    def _tell(self, name: str, error: TradekitError) -> None:
        """Say once what is wrong with a detector: it is the same at every bar."""
        with self._lock:
            if name in self._broken:
                return
            self._broken.add(name)
        _LOG.warning("%s could not look: %s", name, error)

    def _count(self, scan: TimeframeScan) -> None:
        with self._lock:
            self._counts.update(scans=1, opportunities=len(scan), failed=int(not scan.ok))
            for name, look in scan.looks.items():
                numbers = (int(look.ok), len(look.signals), int(not look.ok))
                self._counts.update(
                    {(name, what): n for what, n in zip(_COUNTED, numbers, strict=True)}
                )


_COUNTED = ("looks", "opportunities", "failures")


def _too_short(bars: Bars) -> NoDataError:
    return NoDataError(
        f"no detector is ready at {bars.timeframe} of {bars.symbol}",
        expected="as many bars as they need, without a gap",
        got=f"{len(bars)} bars",
        hint="a larger lookback, or a source that reaches farther back",
        symbol=bars.symbol,
    )


def _checked(detectors: Iterable[SignalDetector]) -> tuple[SignalDetector, ...]:
    given = words(detectors)
    known = [each.source_method for each in given if isinstance(each, SignalDetector)]
    if not given or len(set(known)) < len(given):
        raise UsageError(
            "who should look",
            expected="detectors, each once",
            got=repr(given),
            hint="MultiTimeframeScanner([RsiReversal()]), or none for all that are registered",
        )
    return given
