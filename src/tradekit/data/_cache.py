"""Answers that may be given again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import attrs

from .._core.bars import Bars
from .._core.clock import from_ns, to_ns
from ._known import unsettled

if TYPE_CHECKING:
    import pandas as pd

NEVER = 2**63 - 1
_FRAMES = 8  # that are kept ready of one answer, by their lengths


@attrs.define(eq=False)
class Entry:
    """Bars of one series, as they were answered.

    Parameters
    ----------
    giver : str
        The name of the source.
    bars : Bars
        Checked, at least one.
    asked : int
        How many were asked for; fewer came where there are no more.
    stored : datetime
        Aware moment of the question.
    settle : timedelta
        How long after its close the source may still correct a bar.
    renewed : int
        When the source can have a newer bar, nanoseconds since 1970 UTC; never for the past.
    checked : bool
        Whether it was held against another source's.
    is_doubtful : bool
        Whether no trade should be opened on it, whoever is trusted.
    is_refused : bool
        Whether it is no answer: it is kept so that the next one can be held against it.
    is_for_good : bool
        Whether nothing can change it any more.
    """

    giver: str
    bars: Bars
    asked: int
    stored: datetime
    settle: timedelta = timedelta(minutes=15)
    renewed: int = NEVER
    checked: bool = False
    is_doubtful: bool = False
    is_refused: bool = False
    is_for_good: bool = False
    _had_settled: bool = attrs.field(init=False)
    _twin: Entry | None = attrs.field(default=None, init=False)
    _frames: dict[int, pd.DataFrame] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        close = from_ns(self.bars.close_time[-1])
        self._had_settled = close + unsettled(self.bars.timeframe, self.settle) <= self.stored

    def will_do(self, limit: int, now: datetime, lasting: timedelta) -> bool:
        """Tell whether it can be given again, instead of asking anew.

        Parameters
        ----------
        limit : int
            How many bars are wanted.
        now : datetime
            Aware.
        lasting : timedelta
            How long an answer is kept at most, unless it is for good; zero keeps nothing.
        """
        kept = timedelta(0) if self.is_for_good else now - self.stored
        return limit <= self.asked and kept < lasting and to_ns(now) < self.renewed

    def is_beyond_settle(self, now: datetime) -> bool:
        """Tell whether it may have been corrected since.

        Parameters
        ----------
        now : datetime
            Aware.
        """
        return not self._had_settled and now - self.stored > self.settle

    def vouched(self, trusted: bool) -> Entry:
        """Give the same answer, saying whether trades may be opened on it."""
        if self.bars.trusted_for_entries == trusted:
            return self
        if self._twin is None:
            bars = self.bars._replace(trusted_for_entries=trusted)
            self._twin = attrs.evolve(self, bars=bars)
        return self._twin

    def newest(self, limit: int) -> Bars:
        """Give the newest so many bars."""
        return self.bars if limit >= len(self.bars) else self.bars[-limit:]

    def frame(self, limit: int) -> pd.DataFrame:
        """Give them as a frame that its owner may write into."""
        most = min(limit, len(self.bars))
        if (frame := self._frames.get(most)) is None:
            if len(self._frames) >= _FRAMES:
                self._frames.clear()
            frame = self._frames[most] = self.newest(most).to_frame()
        return frame.copy()


class BarsCache:
    """The last answers to many questions, in memory.

    Parameters
    ----------
    size : int
        At most so many; the one that was used longest ago goes first.
    """

    def __init__(self, size: int = 2_000) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable, now: datetime) -> Entry | None:
        """Find the last answer, out of date or not.

        Parameters
        ----------
        key : hashable
            What was asked for.
        now : datetime
            Aware.

        Returns
        -------
        Entry or None
            None where there never was one; one from the future is none, as a replay may begin anew.
        """
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry.stored > now:
                return None
            self._entries.move_to_end(key)
            return entry

    def put(self, key: Hashable, entry: Entry) -> None:
        """Keep an answer.

        Parameters
        ----------
        key : hashable
            What was asked for.
        entry : Entry
            The answer.
        """
        with self._lock:
            self._entries[key] = entry
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def forget(self, giver: str) -> None:
        """Forget all that a source has answered.

        Parameters
        ----------
        giver : str
            Its name.
        """
        with self._lock:
            for key in [key for key, entry in self._entries.items() if entry.giver == giver]:
                del self._entries[key]
