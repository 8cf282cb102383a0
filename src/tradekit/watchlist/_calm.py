"""Calm: a list that does not change its mind at every refresh."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import attrs

from .._core.candidate import Candidate
from .._core.errors import UsageError
from .._core.figures import as_float, count, finite
from ._members import WatchlistMember


def _dwell(value: object) -> int:
    return count(value, "a dwell counts refreshes", "dwell=3")


@attrs.frozen
class Calm:
    """Hysteresis for one category: it is harder to leave the list than to stay out of it.

    Parameters
    ----------
    buffer : float
        A list of K symbols takes those of the first K ranks, and lets a member go only beyond rank
        ``buffer * K``; from 1.
    dwell : int
        Refreshes that a member stays at least, unless it is no longer eligible; from 1. Refreshes,
        not hours: a refresh that comes minutes early must not upset the list.

    Raises
    ------
    UsageError
        When one of them is below 1.

    Notes
    -----
    ``Calm(buffer=1, dwell=1)`` is the plain ranking. The cap holds all the same: newcomers wait
    until a place is free.

    Examples
    --------
    >>> Calm()
    Calm(buffer=2.0, dwell=3)
    """

    buffer: float = attrs.field(default=2.0, converter=as_float, validator=finite)
    dwell: int = attrs.field(default=3, converter=_dwell)

    def __attrs_post_init__(self) -> None:
        if self.buffer < 1:
            raise UsageError(
                "a buffer keeps members longer",
                expected="a factor from 1",
                got=f"buffer={self.buffer}",
                hint="buffer=2.0",
            )

    def settle(
        self,
        previous: Sequence[WatchlistMember],
        ranking: Sequence[Candidate],
        most: int,
        asof: datetime,
        *,
        barred: Mapping[str, str],
        unseen: Collection[str] = (),
    ) -> tuple[tuple[WatchlistMember, ...], dict[str, str]]:
        """Decide who stays, who goes and who comes.

        Parameters
        ----------
        previous : sequence of WatchlistMember
            The list so far.
        ranking : sequence of Candidate
            Eligible candidates, best first.
        most : int
            The cap.
        asof : datetime
            Aware; when the ranking was known.
        barred : mapping of str to str
            Symbols that may not be members, whatever their dwell, each with the reason.
        unseen : collection of str
            Symbols that could not be looked at: no reason to let them go.

        Returns
        -------
        members : tuple of WatchlistMember
            At most ``most``, best first.
        left : dict of str to str
            Who went, and why.

        Examples
        --------
        >>> from datetime import UTC
        >>> day = datetime(2024, 3, 8, 21, tzinfo=UTC)
        >>> nvda = Candidate("NVDA", "trending", 1, 3.2, "3.2 ATR above", "sim", day)
        >>> members, left = Calm().settle((), [nvda], 20, day, barred={})
        >>> [member.symbol for member in members], left
        (['NVDA'], {})
        """
        ranks = {candidate.symbol: rank for rank, candidate in enumerate(ranking, 1)}
        left = {
            member.symbol: why
            for member in previous
            if (why := barred.get(member.symbol) or self._reason(member, ranks, most, unseen))
        }
        stay = [member for member in previous if member.symbol not in left]
        stay.sort(key=lambda m: (m.symbol not in ranks, ranks.get(m.symbol, m.rank), m.symbol))
        left |= {member.symbol: f"the cap is {most} now" for member in stay[most:]}
        known = {member.symbol: member for member in stay[:most]}
        new = [c.symbol for c in ranking[:most] if c.symbol not in known and c.symbol not in left]
        chosen = {*known, *new[: most - len(known)]}
        fresh = [
            _ranked(candidate, rank, known.get(candidate.symbol), asof)
            for rank, candidate in enumerate(ranking, 1)
            if candidate.symbol in chosen
        ]
        unranked = [member for member in known.values() if member.symbol not in ranks]
        older = [attrs.evolve(member, refreshes=member.refreshes + 1) for member in unranked]
        return (*fresh, *older), left

    def _reason(
        self,
        member: WatchlistMember,
        ranks: Mapping[str, int],
        most: int,
        unseen: Collection[str],
    ) -> str | None:
        """Why a member may go, if its dwell is over and somebody looked."""
        if member.symbol in unseen or member.refreshes < self.dwell:
            return None
        if (rank := ranks.get(member.symbol)) is None:
            return "no longer a candidate"
        return f"rank {rank}, beyond {self.buffer * most:g}" if rank > self.buffer * most else None


def _ranked(
    candidate: Candidate, rank: int, was: WatchlistMember | None, asof: datetime
) -> WatchlistMember:
    return WatchlistMember(
        symbol=candidate.symbol,
        category=candidate.category,
        rank=rank,
        score=candidate.score,
        reason=candidate.reason,
        source=candidate.source,
        asof=candidate.asof,
        since=was.since if was else asof,
        refreshes=was.refreshes + 1 if was else 1,
    )
