"""What detectors say over a whole history, kept for those who will ask about its windows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs
import numpy as np

from .._core.bars import Bars
from .._core.detections import Detections
from .._core.detector import SignalDetector
from .._core.faults import COLUMNS
from ._glance import FRESH, Glance, glance_of, lack_of

if TYPE_CHECKING:
    from .._core.columns import Bool
    from .._core.lines import Need


@attrs.frozen(eq=False)
class _Look:
    """What one detector says at every bar, and where there is anything to tell of it."""

    name: str
    detector: SignalDetector
    said: Detections
    needs: tuple[Need, ...]
    heard: Bool
    warming: Bool

    @classmethod
    def over(cls, bars: Bars, detector: SignalDetector) -> _Look:
        watched, touched = bars._watched()
        said = detector.scan(watched)
        # A voice is heard for some bars; at all others there is nothing to read.
        heard = np.convolve(said.fired, np.ones(min(FRESH, detector.horizon)))[: len(bars)] > 0
        needs = tuple(touched.values())
        return cls(detector.source_method, detector, said, needs, heard, said.warming)

    @property
    def needed(self) -> int:
        return max((need.lookback for need in self.needs), default=1)

    def glance(self, window: Bars, row: int) -> Glance:
        lack = None if self.said.ready[row] else lack_of(window, self.needs)
        if not self.heard[row]:
            warming = bool(self.warming[row])
            return Glance(self.name, self.detector.family, None, None, lack, warming)
        newest = slice(max(row + 1 - min(FRESH, len(window)), 0), row + 1)
        columns = (getattr(self.said, field.name)[newest] for field in attrs.fields(Detections))
        return glance_of(self.detector, window[-FRESH:], Detections(*columns), lack)


class History:
    """What detectors say at every bar of a series.

    Parameters
    ----------
    bars : Bars
        The series.
    detectors : iterable of SignalDetector
        Who looks.

    Raises
    ------
    ContractError
        When a detector raises, or answers in another shape or range than it should.
    """

    def __init__(self, bars: Bars, detectors: Iterable[SignalDetector]) -> None:
        self.bars = bars
        self._looks = [_Look.over(bars, detector) for detector in detectors]
        self._needed = max((look.needed for look in self._looks), default=1)

    def glances(self, window: Bars) -> list[Glance] | None:
        """Tell what is said at the last bar of a window.

        Parameters
        ----------
        window : Bars
            At least one bar.

        Returns
        -------
        list of Glance or None
            None where the window is no part of the history, or too short for all to agree with
            it: then somebody has to look.
        """
        row = self._row(window)
        return None if row is None else [look.glance(window, row) for look in self._looks]

    def _row(self, window: Bars) -> int | None:
        """Where the window ends in the history."""
        mine, stop = self.bars, int(self.bars.time.searchsorted(window.time[-1])) + 1
        start = stop - len(window)
        if start < 0 or mine.extra or window.extra or (start > 0 and len(window) < self._needed):
            return None
        same = all(
            np.array_equal(getattr(mine, name)[start:stop], getattr(window, name), equal_nan=True)
            for name in ("time", *COLUMNS)
        )
        return stop - 1 if same else None
