"""What a detector says at every bar, held against what it may say."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import numpy.typing as npt

from .bars import Bars
from .calendar import calendar_for
from .clock import from_ns
from .doors import answer_of, breach
from .errors import UsageError
from .readiness import readiness, tell
from .signal import Direction, Signal

if TYPE_CHECKING:
    from .detector import SignalDetector

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


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

    Raises
    ------
    UsageError
        When the columns differ in length.

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

    def __attrs_post_init__(self) -> None:
        shapes = {np.shape(getattr(self, field.name)) for field in attrs.fields(Detections)}
        if shapes != {(len(self.score),)}:
            raise UsageError(
                "the columns of detections differ in shape",
                expected="one flat array of the same length each",
                got=str(shapes),
                hint="one row a bar",
            )

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
        return np.asarray(np.abs(self.score) > 0)

    @property
    def warming(self) -> Bool:
        """Where something is known, from too short a history."""
        return ~np.isnan(self.score) & ~self.ready


def look(
    detector: SignalDetector, bars: Bars, hook: Callable[[Bars], Any], name: str
) -> Detections:
    """Ask a hook for scores, and tell where they lead and where they can be trusted.

    Parameters
    ----------
    detector : SignalDetector
        Whose hook.
    bars : Bars
        What to look at; where there are none, no hook is asked.
    hook : callable
        Gives a score for every bar.
    name : str
        What the hook is called.

    Returns
    -------
    Detections
        Columns as long as the bars.

    Raises
    ------
    ContractError
        When a hook raises, or answers in another shape or range than it should.
    """
    if not len(bars):
        return Detections(np.empty(0), np.empty(0), np.empty(0), np.empty(0, dtype=bool))
    watched, touched = bars._watched()
    score = _scores(detector, answer_of(detector, name, hook, watched), len(bars), name)
    ahead, behind = distances(detector, watched)
    side = np.sign(score)
    # No price falls below zero: where a level would, there is no such trade to speak of.
    nowhere = np.maximum(side * behind, -side * ahead) >= bars.close
    score = np.where(np.isnan(ahead) | np.isnan(behind) | nowhere, np.nan, score)
    side = np.sign(score)
    said = np.abs(side) > 0
    target, stop = bars.close + side * ahead, bars.close - side * behind
    if (said & ((side * (target - bars.close) <= 0) | (side * (bars.close - stop) <= 0))).any():
        expected = "distances above zero, large enough to move a price"
        got = f"{np.min(ahead[said])} and {np.min(behind[said])} at their smallest"
        raise breach(detector, "_levels leads nowhere", expected, got)
    ready = readiness(detector, watched, touched) & ~np.isnan(score)
    tell(detector, bars, touched)
    return Detections(score, np.where(said, target, np.nan), np.where(said, stop, np.nan), ready)


def distances(detector: SignalDetector, bars: Bars) -> tuple[Float, Float]:
    """Ask how far target and stop lie from every close.

    Parameters
    ----------
    detector : SignalDetector
        Whose levels.
    bars : Bars
        What to look at.

    Returns
    -------
    tuple of ndarray of float64, each of shape (n,)
        Distances in price; NaN where not known yet.

    Raises
    ------
    ContractError
        When ``_levels`` raises, or gives something else.
    """
    if not len(bars):
        return np.empty(0), np.empty(0)
    pair = answer_of(detector, "_levels", detector._levels, bars)
    try:
        ahead, behind = (np.broadcast_to(_numbers(distance), len(bars)) for distance in pair)
    except (TypeError, ValueError) as error:
        expected = "two distances, each a number or one a bar"
        raise breach(detector, "_levels answered otherwise", expected, str(error)) from error
    if np.isinf(ahead).any() or np.isinf(behind).any():
        raise breach(detector, "_levels leads nowhere", "finite distances", "infinite ones")
    return ahead, behind


def signal_at(detector: SignalDetector, bars: Bars, said: Detections, row: int) -> Signal:
    """Put what was said at a bar into a signal.

    Parameters
    ----------
    detector : SignalDetector
        Who said it.
    bars : Bars
        What it looked at.
    said : Detections
        What it said.
    row : int
        At which bar; it fired there.

    Returns
    -------
    Signal
        Known at the bar's close, news for `horizon` bars.
    """
    known, calendar = int(bars.close_time[row]), calendar_for(bars.calendar)
    return Signal(
        bars.symbol,
        from_ns(known),
        bars.timeframe,
        detector.signal_type,
        Direction.BULLISH if said.direction[row] > 0 else Direction.BEARISH,
        float(said.confidence[row]),
        float(bars.close[row]),
        detector.source_method,
        detector.family,
        warmup=not said.ready[row],
        price_target=float(said.target[row]),
        stop_loss=float(said.stop[row]),
        reasons=(type(detector).__doc__ or "").strip().splitlines()[:1],
        expires_at=from_ns(calendar.later(known, bars.timeframe, detector.horizon)),
    )


def _numbers(answer: Any) -> Float:
    numbers = np.asarray(answer)
    if numbers.dtype.kind in "fiu":
        return numbers.astype(np.float64)
    kind = f"an array of {numbers.dtype}" if numbers.ndim else f"a {type(answer).__name__}"
    raise TypeError(kind)


def _scores(detector: SignalDetector, answer: Any, length: int, name: str) -> Float:
    try:
        score = _numbers(answer)
    except (TypeError, ValueError) as error:
        expected = "numbers from -100 to 100, one a bar"
        raise breach(detector, f"{name} gives no scores", expected, str(error)) from error
    if score.shape != (length,):
        got = f"shape {score.shape} for {length} bars"
        raise breach(detector, f"{name} answered in another length", "one score a bar", got)
    if (np.abs(score) > 100).any():
        row = int(np.argmax(np.abs(score) > 100))
        got = f"{score[row]} in row {row}"
        raise breach(detector, f"{name} is out of range", "scores from -100 to 100", got)
    return score
