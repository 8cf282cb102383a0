"""The interface of everything that looks at bars and says "now"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal, final

import attrs
import numpy as np
import numpy.typing as npt

from .bars import Bars
from .calendar import calendar_for
from .clock import from_ns
from .doors import Interface
from .errors import ContractError, UsageError
from .signal import Direction, Signal, SignalType

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

_LEAST_RANGE = 1e-4


@attrs.frozen(eq=False)
class Detections:
    """What a detector says at every bar: columns as long as the bars.

    Parameters
    ----------
    score : ndarray of float64, shape (n,)
        -100 (surely down) to 100 (surely up), 0 for nothing, NaN where it is not ready.
    target, stop : ndarray of float64, shape (n,)
        Prices where to get out; NaN where nothing is said.
    ready : ndarray of bool, shape (n,)
        Where history is long enough to agree with itself. Known but not ready is warming up.

    Examples
    --------
    >>> score = np.array([np.nan, 0.0, 60.0])
    >>> said = Detections(score, np.array([np.nan, np.nan, 11.0]),
    ...                   np.array([np.nan, np.nan, 9.0]), np.array([False, True, True]))
    >>> said.direction, said.fired
    (array([0, 0, 1], dtype=int8), array([False, False,  True]))
    """

    score: Float
    target: Float
    stop: Float
    ready: Bool

    def __len__(self) -> int:
        return len(self.score)

    @property
    def direction(self) -> npt.NDArray[np.int8]:
        """1 bullish, -1 bearish, 0 nothing or not ready."""
        return np.sign(np.nan_to_num(self.score)).astype(np.int8)

    @property
    def confidence(self) -> Float:
        """Size of the score, 0 to 100; NaN where it is not ready."""
        return np.asarray(np.abs(self.score))

    @property
    def fired(self) -> Bool:
        """Where something is said."""
        return np.asarray(self.direction != 0)

    @property
    def warming(self) -> Bool:
        """Where something is known, from too short a history."""
        return ~np.isnan(self.score) & ~self.ready


class SignalDetector(Interface):
    """Something that looks at bars: write ``_scan`` or ``_detect``, and the rest follows.

    ``_scan(bars)`` gives a signed score for every bar, from -100 to 100, 0 for nothing and NaN
    where it is not ready; row i may rest on rows up to i only. ``_detect(window)`` gives the same
    for the last bar of a window. The base derives whichever is missing, so that live is the last
    step of history. A detector sees bars and nothing else: no clock, file, network or memory.

    Attributes
    ----------
    signal_type : SignalType
        What kind of event it finds.
    family : str
        Detectors that see the same thing share a family, and a family has one vote.
    version : str
        Raise it when what is said changes: signals carry it.
    lookback : int, optional
        Bars it needs to agree with its own history; else inferred from the indicators that it
        asks for.
    horizon : int
        Bars after which a signal is no longer news.
    mirror : {"arithmetic", "geometric"} or None
        On prices turned upside down (``c - p`` or ``c / p``) it says the opposite; None with
        ``mirror_reason`` where that cannot be.
    anchor : {"session", "history"} or None
        Where a path-dependent detector starts counting: at the session's open (VWAP), or at the
        first bar (OBV), which then must stay the same.

    Examples
    --------
    >>> from tradekit import crossed_above, crossed_below
    >>> class RsiReversal(SignalDetector):
    ...     '''RSI(14) crosses back above 30 (bullish) or below 70 (bearish).'''
    ...
    ...     signal_type, family = SignalType.MEAN_REVERSION, "reversion"
    ...
    ...     def _scan(self, bars):
    ...         rsi = bars.ind.rsi(14)
    ...         return 60.0 * crossed_above(rsi, 30) - 60.0 * crossed_below(rsi, 70)
    >>> RsiReversal().source_method
    'RsiReversal/1'
    """

    signal_type: SignalType = SignalType.CUSTOM
    family: str = "custom"
    version: str = "1"
    lookback: int | None = None
    horizon: int = 20
    mirror: Literal["arithmetic", "geometric"] | None = "arithmetic"
    mirror_reason: str = ""
    anchor: Literal["session", "history"] | None = None
    _doors: ClassVar[dict[str, str]] = {
        "scan": "_scan",
        "detect": "_detect",
        "signals": "_scan",
        "levels": "_levels",
    }

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.mirror is None and not cls.mirror_reason:
            raise ContractError(
                f"{cls.__name__} has no mirror and does not say why",
                expected="mirror_reason beside mirror = None",
                got="no reason",
                hint="mirror_reason = 'prices fall faster than they rise'",
            )

    def _scan(self, bars: Bars) -> Any:
        """Score every bar; row i may rest on rows up to i only."""
        if type(self)._detect is SignalDetector._detect:
            raise _contract(self, "neither _scan nor _detect", "one of the two", "no hook")
        self._detect(bars)  # tells which indicators it asks for, and so how long a window must be
        length = self._needs(bars)
        return [self._detect(bars[max(0, row - length) : row]) for row in range(1, len(bars) + 1)]

    def _detect(self, window: Bars) -> float:
        """Score the last bar of a window."""
        return float(self._scan(window)[-1])

    def _levels(self, bars: Bars) -> tuple[Any, Any]:
        """Distances of target and stop from the close, in price; NaN where not known yet."""
        # A market that stands still has no range; a level needs a distance all the same.
        atr = np.maximum(bars.ind.atr(14), bars.close * _LEAST_RANGE)
        return 2.0 * atr, 1.5 * atr

    @property
    def source_method(self) -> str:
        """Who says it: the detector with its parameters, and its version."""
        return f"{repr(self).removesuffix('()')}/{self.version}"

    @final
    def scan(self, bars: Bars) -> Detections:
        """Say at every bar what this detector would have said when it closed.

        Parameters
        ----------
        bars : Bars
            Complete bars, oldest first; none is a valid answer to look at.

        Returns
        -------
        Detections
            Columns as long as the bars.

        Raises
        ------
        ContractError
            When a hook raises, or answers in another shape or range than it should.
        """
        _check_bars(self, bars)
        return _look(self, bars, self._scan, "_scan")

    @final
    def detect(self, bars: Bars) -> tuple[Signal, ...]:
        """Say what there is to say now, at the last bar.

        Parameters
        ----------
        bars : Bars
            Complete bars that end now.

        Returns
        -------
        tuple of Signal
            At most one; none when there is nothing to say or not enough to look at.

        Raises
        ------
        ContractError
            When a hook raises, or answers in another shape or range than it should.
        """
        _check_bars(self, bars)
        if not len(bars):
            return ()
        said = _look(self, bars, self._live, "_detect" if _writes_detect(self) else "_scan")
        return (_signal(self, bars, said, len(bars) - 1),) if said.fired[-1] else ()

    @final
    def signals(self, bars: Bars) -> tuple[Signal, ...]:
        """Say at every bar, as signals: the last one is what `detect` says now.

        Parameters
        ----------
        bars : Bars
            Complete bars, oldest first.

        Returns
        -------
        tuple of Signal
            In time order.

        Raises
        ------
        ContractError
            As `scan`.
        """
        said = self.scan(bars)
        return tuple(_signal(self, bars, said, int(row)) for row in np.flatnonzero(said.fired))

    @final
    def levels(self, bars: Bars) -> tuple[Float, Float]:
        """Say how far target and stop would lie from every close, whether it fires there or not.

        Parameters
        ----------
        bars : Bars
            Complete bars, oldest first.

        Returns
        -------
        tuple of ndarray of float64
            Distances of target and stop, in price; NaN where not known yet. With them, a base
            rate can be measured: what the same levels would have done at any bar.

        Raises
        ------
        ContractError
            When ``_levels`` raises, or answers in another shape.
        """
        _check_bars(self, bars)
        return _distances(self, bars) if len(bars) else (np.empty(0), np.empty(0))

    def _live(self, bars: Bars) -> Any:
        """The scores that matter now: by the hook for windows where there is one."""
        if not _writes_detect(self):
            return self._scan(bars)
        self._detect(bars) if self.lookback is None else None
        scores = np.zeros(len(bars))
        scores[-1] = self._detect(bars[max(0, len(bars) - self._needs(bars)) :])
        return scores

    def _needs(self, bars: Bars) -> int:
        """How many bars it needs; inferred needs are known once the hooks have run."""
        if self.lookback is not None:
            return self.lookback
        if bars._touched is not None:
            self._levels(bars)
        needs = (need.lookback for need in (bars._touched or {}).values())
        return max(needs, default=1)


def _writes_detect(detector: SignalDetector) -> bool:
    return type(detector)._detect is not SignalDetector._detect


def _look(
    detector: SignalDetector, bars: Bars, hook: Callable[[Bars], Any], name: str
) -> Detections:
    if not len(bars):  # nothing to ask a hook about
        return Detections(np.empty(0), np.empty(0), np.empty(0), np.empty(0, dtype=bool))
    watched, touched = bars._watched()
    score = _scores(detector, _asked(detector, name, hook, watched), len(bars), name)
    ahead, behind = _distances(detector, watched)
    score = np.where(np.isnan(ahead) | np.isnan(behind), np.nan, score)
    side = np.sign(score)
    said = np.abs(side) > 0
    if (said & ((ahead <= 0) | (behind <= 0))).any():
        got = f"{np.min(ahead[said])} and {np.min(behind[said])} at their smallest"
        raise _contract(detector, "_levels leads nowhere", "distances above zero", got)
    return Detections(
        score,
        target=np.where(said, bars.close + side * ahead, np.nan),
        stop=np.where(said, bars.close - side * behind, np.nan),
        ready=_ready(detector, watched, touched) & ~np.isnan(score),
    )


def _asked(detector: SignalDetector, name: str, hook: Callable[..., Any], *args: Any) -> Any:
    try:
        return hook(*args)
    except ContractError:
        raise
    except Exception as error:
        raise _contract(
            detector, f"{name} raised {type(error).__name__}: {error}", "an answer", "an error"
        ) from error


def _scores(detector: SignalDetector, answer: Any, length: int, name: str) -> Float:
    raw = np.asarray(answer)
    if raw.shape != (length,):
        got = f"shape {raw.shape} for {length} bars"
        raise _contract(detector, f"{name} answered in another length", "one score a bar", got)
    if raw.dtype.kind not in "fiu":
        got = f"an array of {raw.dtype}"
        raise _contract(detector, f"{name} gives no scores", "numbers from -100 to 100", got)
    score = raw.astype(np.float64)
    if (np.abs(score) > 100).any():
        row = int(np.argmax(np.abs(score) > 100))
        got = f"{score[row]} in row {row}"
        raise _contract(detector, f"{name} is out of range", "scores from -100 to 100", got)
    return score


def _distances(detector: SignalDetector, bars: Bars) -> tuple[Float, Float]:
    pair = _asked(detector, "_levels", detector._levels, bars)
    try:
        ahead, behind = (np.broadcast_to(np.asarray(d, dtype=float), len(bars)) for d in pair)
    except (TypeError, ValueError) as error:
        expected = "two distances, each a number or one a bar"
        raise _contract(detector, "_levels answered otherwise", expected, str(error)) from error
    if np.isinf(ahead).any() or np.isinf(behind).any():
        raise _contract(detector, "_levels leads nowhere", "finite distances", "infinite ones")
    return ahead, behind


def _ready(detector: SignalDetector, bars: Bars, touched: dict[Any, Any]) -> Bool:
    rows = np.arange(len(bars))
    ready = rows + 1 >= detector._needs(bars)
    recursive = [need.lookback for need in touched.values() if need.recursive]
    if recursive:
        since_gap = rows - np.maximum.accumulate(np.where(bars.gap_before, rows, 0))
        ready &= since_gap + 1 >= max(recursive)
    if detector.anchor == "session":
        opens = calendar_for(bars.calendar).opens
        whole = bars.time[0] <= opens[bars.session[0]] or bars.session[0] < 0
        ready &= whole | (bars.session != bars.session[0])
    return ready


def _signal(detector: SignalDetector, bars: Bars, said: Detections, row: int) -> Signal:
    known, calendar = int(bars.close_time[row]), calendar_for(bars.calendar)
    direction = Direction.BULLISH if said.direction[row] > 0 else Direction.BEARISH
    doc: list[str] = (type(detector).__doc__ or "").strip().splitlines()
    return Signal(
        bars.symbol,
        from_ns(known),
        bars.timeframe,
        detector.signal_type,
        direction,
        float(said.confidence[row]),
        float(bars.close[row]),
        detector.source_method,
        detector.family,
        warmup=not said.ready[row],
        price_target=float(said.target[row]),
        stop_loss=float(said.stop[row]),
        reasons=doc[:1],
        expires_at=from_ns(calendar.later(known, bars.timeframe, detector.horizon)),
    )


def _check_bars(detector: SignalDetector, bars: Any) -> None:
    if not isinstance(bars, Bars):
        raise UsageError(
            f"{type(detector).__name__} looks at bars",
            expected="Bars",
            got=f"a {type(bars).__name__}",
            hint="Bars.from_frame(frame, symbol, timeframe)",
        )


def _contract(detector: SignalDetector, problem: str, expected: str, got: str) -> ContractError:
    return ContractError(
        f"{type(detector).__name__}: {problem}",
        expected=expected,
        got=got,
        hint="tradekit.testing.check_detector(...) tries a detector in every way",
        detector=type(detector).__name__,
    )
