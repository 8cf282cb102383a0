"""The interface of everything that looks at bars and says "now"."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, final

import numpy as np

from .bars import Bars
from .detections import Detections, Float, distances, look, signal_at
from .doors import Author, answer_of, breach
from .errors import ContractError, UsageError
from .figures import count
from .signal import Signal, SignalType

__all__ = ["Detections", "SignalDetector"]

# A market that stands still has no range; a level needs a distance all the same.
_LEAST_RANGE = 1e-4
_CHOICES = {"mirror": ("arithmetic", "geometric", None), "anchor": ("session", "history", None)}


class SignalDetector(Author):
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
        asks for. Say it where it asks for one only now and then.
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
    _kit: ClassVar[str] = "check_detector"

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
        if not _writes(self, "_detect"):
            raise breach(self, "neither _scan nor _detect", "one of the two", "no hook")
        return [self._detect(bars[s : row + 1]) for row, s in enumerate(self._starts(bars))]

    def _detect(self, window: Bars) -> float:
        """Score the last bar of a window."""
        return float(self._scan(window)[-1])

    def _levels(self, bars: Bars) -> tuple[Any, Any]:
        """Distances of target and stop from the close, in price; NaN where not known yet."""
        atr = np.maximum(bars.ind.atr(14), bars.close * _LEAST_RANGE)
        return 2.0 * atr, 1.5 * atr

    @property
    def source_method(self) -> str:
        """Who says it: the detector with its parameters, and its version."""
        return self._signature

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
        _check_call(self, bars)
        return look(self, bars, self._scan, "_scan" if _writes(self, "_scan") else "_detect")

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
        _check_call(self, bars)
        said = look(self, bars, self._live, "_detect" if _writes(self, "_detect") else "_scan")
        return (signal_at(self, bars, said, len(bars) - 1),) if said.fired[-1:].any() else ()

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
        return tuple(signal_at(self, bars, said, int(row)) for row in np.flatnonzero(said.fired))

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
        _check_call(self, bars)
        return distances(self, bars)

    def _live(self, bars: Bars) -> Any:
        """The scores that matter now: by the hook for windows where there is one."""
        if not _writes(self, "_detect"):
            return self._scan(bars)
        # A list keeps what the hook gave; an array would turn None into NaN.
        return [*np.zeros(len(bars) - 1), self._detect(bars[self._starts(bars)[-1] :])]

    def _starts(self, bars: Bars) -> list[int]:
        """Where the window of each bar begins."""
        rows = np.arange(len(bars))
        if self.anchor == "history":
            return [0] * len(bars)
        starts = np.maximum(rows + 1 - self._needs(bars), 0)
        if self.anchor == "session":
            turn = np.diff(bars.session, prepend=bars.session[:1]) != 0
            starts = np.minimum(starts, np.maximum.accumulate(np.where(turn, rows, 0)))
        return [int(start) for start in starts]

    def _needs(self, bars: Bars) -> int:
        """How many bars it needs: as it says, else as its indicators need that it asks for."""
        if self.lookback is not None:
            return self.lookback
        watched, touched = bars._watched()
        self._detect(watched)
        answer_of(self, "_levels", self._levels, watched)
        return max((need.lookback for need in touched.values()), default=1)


def _writes(detector: SignalDetector, hook: str) -> bool:
    return getattr(type(detector), hook) is not getattr(SignalDetector, hook)


def _check_call(detector: SignalDetector, bars: Any) -> None:
    name = type(detector).__name__
    if not isinstance(bars, Bars):
        raise UsageError(
            f"{name} looks at bars",
            expected="Bars",
            got=f"a {type(bars).__name__}",
            hint="Bars.from_frame(frame, symbol, timeframe)",
        )
    count(detector.horizon, f"{name}: horizon counts bars", "horizon = 20")
    if detector.lookback is not None:
        count(detector.lookback, f"{name}: lookback counts bars", "lookback = 200")
    for attribute, choices in _CHOICES.items():
        if (given := getattr(detector, attribute)) not in choices:
            expected = " or ".join(map(repr, choices))
            raise breach(detector, f"no such {attribute}", expected, repr(given))
