"""What detectors say about one view, kept as long as the view stays the same."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from threading import Lock

import attrs
import numpy as np

from .._core.bars import Bars
from .._core.detections import signal_at
from .._core.detector import SignalDetector
from .._core.errors import TradekitError
from .._core.faults import COLUMNS
from .._core.signal import Signal

_KEPT = 4096


@attrs.frozen
class Sight:
    """What was said, how long ago, who needs more bars, and who failed."""

    signals: tuple[Signal, ...]
    age: int | None
    not_ready: tuple[str, ...]
    errors: dict[str, TradekitError]


def look_at(bars: Bars, detectors: tuple[SignalDetector, ...]) -> Sight:
    """The newest signal of each detector that is still news."""
    found: list[tuple[int, Signal]] = []
    not_ready: list[str] = []
    errors: dict[str, TradekitError] = {}
    for detector in detectors:
        try:
            said = detector.scan(bars)
        except TradekitError as error:  # one that fails does not silence the others
            errors[detector.source_method] = error
            continue
        if not said.ready[-1]:
            not_ready.append(detector.source_method)
            continue
        first = max(len(bars) - detector.horizon, 0)
        rows = first + np.flatnonzero((said.fired & said.ready)[first:])
        if len(rows):
            row = int(rows[-1])
            found.append((len(bars) - 1 - row, signal_at(detector, bars, said, row)))
    found.sort(key=lambda pair: (pair[0], pair[1].source_method))
    age = found[0][0] if found else None
    return Sight(tuple(signal for _, signal in found), age, tuple(not_ready), errors)


class SightMemo:
    """Remembers what was said about the newest views; a view is told by all that it holds."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, Sight] = OrderedDict()
        self._lock = Lock()
        self.hits = 0

    def __len__(self) -> int:
        return len(self._kept)

    def look(self, bars: Bars, detectors: tuple[SignalDetector, ...]) -> Sight:
        """What detectors say about bars, looked up where it is known."""
        key = _digest(bars, detectors)
        with self._lock:
            if key in self._kept:
                self.hits += 1
                self._kept.move_to_end(key)
                return self._kept[key]
        sight = look_at(bars, detectors)
        with self._lock:
            self._kept[key] = sight
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return sight


def _digest(bars: Bars, detectors: tuple[SignalDetector, ...]) -> bytes:
    facts = (bars.symbol, bars.timeframe, bars.source, bars.feed, bars.adjustment, bars.calendar)
    authors = tuple(detector.source_method for detector in detectors)
    extras = [array for extra in bars.extra.values() for array in attrs.astuple(extra)]
    key = blake2b(repr((facts, authors, tuple(bars.extra), len(bars))).encode(), digest_size=16)
    for array in (bars.time, *(getattr(bars, name) for name in COLUMNS), *extras):
        key.update(np.ascontiguousarray(array).tobytes())
    return key.digest()
