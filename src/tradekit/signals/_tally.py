"""What an aggregator has answered so far, counted."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from copy import copy
from typing import Any

from ._answer import AggregatedSignals

_COUNTS: dict[str, Callable[[AggregatedSignals], int]] = {
    "answers": lambda _: 1,
    "signals_emitted": len,
    "below_threshold": lambda said: len(said.below_threshold),
    "duplicates_removed": lambda said: len(said.duplicates),
    "against_consensus": lambda said: len(said.against_consensus),
    "conflicts": lambda said: int(said.conflict),
    "errors": lambda said: len(said.errors),
}


class Tally:
    """Counts of answers, and the latest answer about each symbol; from any thread.

    Examples
    --------
    >>> Tally().stats()["answers"]
    0
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counter(dict.fromkeys(_COUNTS, 0))
        self._latest: dict[str, AggregatedSignals] = {}
        self._causes: set[str] = set()

    def add(self, said: AggregatedSignals) -> None:
        """Count an answer.

        Parameters
        ----------
        said : AggregatedSignals
            It is copied: whoever gets it may edit the list.
        """
        news = {name: count(said) for name, count in _COUNTS.items()}
        with self._lock:
            self._counts.update(news)
            self._latest[said.symbol] = copy(said)

    def is_new(self, cause: str) -> bool:
        """Tell whether a cause is told for the first time.

        Parameters
        ----------
        cause : str
            What is to be told once.

        Returns
        -------
        bool
            True once for each cause.
        """
        with self._lock:
            known = cause in self._causes
            self._causes.add(cause)
            return not known

    def stats(self) -> dict[str, Any]:
        """Give the counts, as plain values.

        Returns
        -------
        dict
            As `MultiSourceSignalAggregator.get_aggregation_stats` says.
        """
        with self._lock:
            latest, counts = [self._latest[name] for name in sorted(self._latest)], {**self._counts}
        now = max((said.time for said in latest), default=None)
        ends = [signal.expires_at for said in latest for signal in said]
        lacks = {name: lack.needed for said in latest for name, lack in said.not_ready.items()}
        return {
            "total_active_signals": sum(end is None or now is None or end > now for end in ends),
            "not_ready": dict(sorted(lacks.items())),
            "symbols_scanned": len(latest),
            **counts,
        }
