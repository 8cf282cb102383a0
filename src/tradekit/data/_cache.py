"""Answers that are still the newest."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import attrs

from .._core.bars import Bars
from .._core.clock import to_ns
from ._freshness import next_close

if TYPE_CHECKING:
    import pandas as pd

_NEVER = 2**63 - 1


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
    delay : timedelta
        How late the source is at best.
    settle : timedelta
        How long an answer may be trusted without another look.
    checked : bool
        Whether it was held against another source's.
    is_past : bool
        Whether no newer bar belongs to it, however late it is.
    """

    giver: str
    bars: Bars
    asked: int
    stored: datetime
    delay: timedelta
    settle: timedelta = timedelta(minutes=15)
    checked: bool = False
    is_past: bool = False
    renewed: int = attrs.field(init=False)
    _frame: pd.DataFrame | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        # When the source can have a newer bar.
        delay = self.delay // timedelta(microseconds=1) * 1_000
        self.renewed = _NEVER if self.is_past else next_close(self.bars) + delay

    def untrusted(self) -> Entry:
        """Give the same answer as one that no trade should be opened on."""
        return attrs.evolve(self, bars=self.bars._replace(trusted_for_entries=False))

    def newest(self, limit: int) -> Bars:
        """Give the newest so many bars."""
        return self.bars if limit >= len(self.bars) else self.bars[-limit:]

    def frame(self, limit: int) -> pd.DataFrame:
        """Give them as a frame that its owner may write into."""
        if self._frame is None:
            self._frame = self.bars.to_frame()
        frame = self._frame
        return (frame if limit >= len(frame) else frame.iloc[-limit:]).copy()


class BarsCache:
    """Bars of many questions, in memory, each until a newer bar is due.

    Parameters
    ----------
    size : int
        At most so many questions; the one that was used longest ago goes first.
    """

    def __init__(self, size: int = 2_000) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable, limit: int, now: datetime, lasting: timedelta) -> Entry | None:
        """Find an answer that has at least so many bars and is not out of date.

        Parameters
        ----------
        key : hashable
            What was asked for.
        limit : int
            How many bars.
        now : datetime
            Aware.
        lasting : timedelta
            How long an answer is kept at most.

        Returns
        -------
        Entry or None
            None when the source must be asked.
        """
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or limit > entry.asked:
                return None
            # An answer from the future is none: a replay may begin anew.
            if not (entry.stored <= now < entry.stored + lasting and to_ns(now) < entry.renewed):
                return None
            self._entries.move_to_end(key)
            return entry

    def last(self, key: Hashable, limit: int, now: datetime) -> Entry | None:
        """Find the last answer of so many bars, out of date or not; one of the future is none.

        Parameters
        ----------
        key : hashable
            What was asked for.
        limit : int
            How many bars.
        now : datetime
            Aware.

        Returns
        -------
        Entry or None
            None where there never was one.
        """
        with self._lock:
            entry = self._entries.get(key)
        known = entry is not None and limit <= entry.asked and entry.stored <= now
        return entry if known else None

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
