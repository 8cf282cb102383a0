"""Which stretches of time are known."""

from __future__ import annotations

import json
from collections.abc import Collection

import attrs

Interval = tuple[int, int]


@attrs.frozen
class Coverage:
    """The intervals of which everything is known, and how many rows their answers lacked.

    Intervals are nanoseconds since 1970 UTC, from their start up to and without their end.

    Parameters
    ----------
    intervals : tuple of tuple of int
        In order; they do not overlap. Those that touch come from answers that nothing shows to fit
        together.
    dropped : tuple of tuple of int
        Start, end and number of rows that an answer had to drop, somewhere between the two.

    Examples
    --------
    >>> coverage = Coverage().with_answer(0, 10).with_answer(20, 30)
    >>> coverage.gaps(5, 40)
    ((10, 20), (30, 40))
    """

    intervals: tuple[Interval, ...] = ()
    dropped: tuple[tuple[int, int, int], ...] = ()

    @classmethod
    def from_json(cls, said: bytes | memoryview) -> Coverage:
        """Read what `to_json` wrote.

        Parameters
        ----------
        said : bytes
            JSON.
        """
        return cls(*(tuple(map(tuple, each)) for each in json.loads(bytes(said))))

    def to_json(self) -> bytes:
        """Write it as JSON."""
        return json.dumps([self.intervals, self.dropped], separators=(",", ":")).encode()

    def with_answer(
        self, start: int, end: int, dropped: int = 0, *, apart: Collection[Interval] = ()
    ) -> Coverage:
        """Add an interval of which everything is known now.

        Parameters
        ----------
        start, end : int
            The interval.
        dropped : int
            How many rows the answer had to drop.
        apart : collection of tuple of int
            Intervals that are not to become one with it: what it covers of them is its own now.

        Returns
        -------
        Coverage
            What was dropped in answers that reach beyond the interval still counts: nobody knows
            on which side it was.
        """
        met = [i for i in self.intervals if i[0] <= end and start <= i[1] and i not in apart]
        merged = min([start, *(s for s, _ in met)]), max([end, *(e for _, e in met)])
        rest = [(s, min(e, start)) for s, e in self.intervals if (s, e) not in met]
        rest += [(max(s, end), e) for s, e in self.intervals if (s, e) not in met]
        lost = [(s, e, n) for s, e, n in self.dropped if s < start or end < e]
        if dropped:
            lost.append((start, end, int(dropped)))
        intervals = {merged, *((s, e) for s, e in rest if s < e)}
        return Coverage(tuple(sorted(intervals)), tuple(sorted(lost)))

    def within(self, start: int, end: int) -> tuple[Interval, ...]:
        """Give what is known of a window, in order.

        Parameters
        ----------
        start, end : int
            The window.
        """
        inside = (i for i in self.intervals if i[0] < end and start < i[1])
        return tuple((max(s, start), min(e, end)) for s, e in inside)

    def gaps(self, start: int, end: int) -> tuple[Interval, ...]:
        """Give the parts of a window of which nothing is known.

        Parameters
        ----------
        start, end : int
            The window.

        Returns
        -------
        tuple of tuple of int
            In order, as long as they can be; none when all of it is known.
        """
        inside = self.within(start, end)
        begins = [start, *(e for _, e in inside)]
        ends = [*(s for s, _ in inside), end]
        return tuple((s, e) for s, e in zip(begins, ends, strict=True) if s < e)

    def dropped_in(self, start: int, end: int) -> int:
        """Count the rows that were dropped from the answers that reach into a window.

        Parameters
        ----------
        start, end : int
            The window.
        """
        return sum(n for s, e, n in self.dropped if s < end and start < e)
