"""What became of one category, refresh by refresh."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from statistics import fmean, median
from typing import Any

import attrs

from .._core.words import Word
from ._members import WatchlistMember

_REMEMBERED = 250  # a year of refreshes, and as many departures


class Status(Word):
    """How far a category can be trusted."""

    OK = "ok"
    PARTIAL = "partial"
    STALE = "stale"
    FAILED = "failed"


def _counts(reasons: Mapping[str, str]) -> dict[str, int]:
    return dict(sorted(Counter(reasons.values()).items()))


@attrs.frozen
class Record:
    """Members of a category, what they were chosen from, and how calm it has been.

    Parameters
    ----------
    members : tuple of WatchlistMember
        The last good list.
    status : Status, optional
        None before anybody looked.
    problem : str
        Why it is not ok.
    asof : datetime, optional
        When the members were chosen.
    candidates, eligible : int
        How many the screen proposed, and how many of them may be on the list.
    rejected, unready : dict of str to int
        How many may not, and how many the screen could not look at, by reason.
    left : dict of str to str
        Who went at the last refresh, and why.
    entered : int
        How many came at the last refresh.
    refreshes : int
        How often the list was chosen.
    churns : tuple of float
        Share of the list that was new, at each refresh but the first.
    stays : tuple of int
        In how many refreshes those who went had been.
    """

    members: tuple[WatchlistMember, ...] = ()
    status: Status | None = None
    problem: str = ""
    asof: datetime | None = None
    candidates: int = 0
    eligible: int = 0
    rejected: dict[str, int] = attrs.field(factory=dict)
    unready: dict[str, int] = attrs.field(factory=dict)
    left: dict[str, str] = attrs.field(factory=dict)
    entered: int = 0
    refreshes: int = 0
    churns: tuple[float, ...] = ()
    stays: tuple[int, ...] = ()

    def kept(self, problem: str) -> Record:
        """Keep the last good list, and say that it is not new.

        Parameters
        ----------
        problem : str
            Why.

        Returns
        -------
        Record
            Stale where there is a list, failed where there never was one.
        """
        status = Status.STALE if self.refreshes else Status.FAILED
        return attrs.evolve(self, status=status, problem=problem)

    def refreshed(
        self,
        members: tuple[WatchlistMember, ...],
        left: Mapping[str, str],
        asof: datetime,
        **facts: Any,
    ) -> Record:
        """Take a new list.

        Parameters
        ----------
        members : tuple of WatchlistMember
            It.
        left : mapping of str to str
            Who went, and why.
        asof : datetime
            When it was known.
        **facts : object
            ``status``, ``problem``, ``candidates``, ``eligible``, ``rejected`` and ``unready``.

        Returns
        -------
        Record
            With its counts.
        """
        entered = sum(member.refreshes == 1 for member in members)
        churn = (entered / len(members),) if self.refreshes and members else ()
        stays = tuple(member.refreshes for member in self.members if member.symbol in left)
        return attrs.evolve(
            self,
            members=members,
            left=dict(left),
            asof=asof,
            entered=entered,
            refreshes=self.refreshes + 1,
            churns=(*self.churns, *churn)[-_REMEMBERED:],
            stays=(*self.stays, *stays)[-_REMEMBERED:],
            rejected=_counts(facts.pop("rejected")),
            unready=_counts(facts.pop("unready")),
            **facts,
        )

    def statistics(self) -> dict[str, Any]:
        """Say it all in plain JSON values.

        Returns
        -------
        dict
            ``churn`` and ``median_dwell`` over the last 250 refreshes and departures; None before
            the first.
        """
        return {
            "status": self.status and self.status.value,
            "problem": self.problem,
            "asof": self.asof and self.asof.isoformat(),
            "candidates": self.candidates,
            "eligible": self.eligible,
            "rejected": dict(self.rejected),
            "not_ready": dict(self.unready),
            "members": len(self.members),
            "entered": self.entered,
            "left": len(self.left),
            "refreshes": self.refreshes,
            "churn": fmean(self.churns) if self.churns else None,
            "median_dwell": median(self.stays) if self.stays else None,
        }
