"""Which stretches of time are known."""

from __future__ import annotations

import json

import attrs

Interval = tuple[int, int]


@attrs.frozen
class Coverage:
    """The intervals of which everything is known, and how many rows their answers lacked.

    Intervals are nanoseconds since 1970 UTC, from their start up to and without their end.

    Parameters
    ----------
    intervals : tuple of tuple of int
        In order; they neither overlap nor touch.
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

    def with_answer(self, start: int, end: int, dropped: int = 0) -> Coverage:
        """Add an interval of which everything is known now.

        Parameters
        ----------
        start, end : int
            The interval.
        dropped : int
            How many rows the answer had to drop.

        Returns
        -------
        Coverage
            What was dropped in answers that reach beyond the interval still counts: nobody knows
            on which side it was.
        """
        apart = [(s, e) for s, e in self.intervals if e < start or end < s]
        touching = [(s, e) for s, e in self.intervals if s <= end and start <= e]
        merged = min([start, *(s for s, _ in touching)]), max([end, *(e for _, e in touching)])
        lost = [(s, e, n) for s, e, n in self.dropped if s < start or end < e]
        if dropped:
            lost.append((start, end, int(dropped)))
        return Coverage(tuple(sorted([*apart, merged])), tuple(sorted(lost)))

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
        inside = [(s, e) for s, e in self.intervals if s < end and start < e]
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
