"""What the answers mean for each symbol: it may be a member, it may not, or nobody could look."""

from __future__ import annotations

from collections.abc import Set
from datetime import datetime, timedelta

import attrs

from .._core.clock import to_ns
from ._filters import Eligibility
from ._inquiry import Answer

# A symbol whose bars are older no longer trades; with younger ones, the provider is late.
_LATE = timedelta(days=7)


@attrs.frozen
class Verdict:
    """Who may be on the list at a refresh.

    Parameters
    ----------
    asof : datetime
        When the newest bar closed.
    rejected : dict of str to str
        Symbols with bars that are not eligible, and why.
    barred : dict of str to str
        Symbols that cannot stay, and why.
    unseen : set of str
        Symbols that nobody could look at: they do not come, and do not have to go.
    partial : bool
        Whether fewer than half of the symbols could be looked at.
    problem : str
        What is wrong when it is partial.
    """

    asof: datetime
    rejected: dict[str, str]
    barred: dict[str, str]
    unseen: Set[str]
    partial: bool
    problem: str

    @classmethod
    def of(cls, answer: Answer, eligibility: Eligibility, asof: datetime) -> Verdict:
        """Judge an answer.

        Parameters
        ----------
        answer : Answer
            Bars and failures.
        eligibility : Eligibility
            What a member must be.
        asof : datetime
            Aware; when the newest bar closed.

        Returns
        -------
        Verdict
            For every symbol of the answer.
        """
        judged = {s: eligibility.rejection(bars, asof) for s, bars in answer.bars.items()}
        rejected = {symbol: why for symbol, why in judged.items() if why}
        late = to_ns(asof - _LATE)
        blind = {*answer.failures} | {
            symbol
            for symbol, why in rejected.items()
            if why == "volume unknown"
            or (why == "stale" and answer.bars[symbol].close_time[-1] > late)
        }
        partial = 2 * len(blind) > len(answer.asked)
        # "There are no such bars" is believed, unless it is said of most symbols.
        absent = {s for s, error in answer.failures.items() if not (error.retryable or partial)}
        unseen = blind - absent
        out = rejected | dict.fromkeys(absent, "no daily bars")
        barred = {symbol: why for symbol, why in out.items() if symbol not in unseen}
        seen, asked = len(answer.asked) - len(blind), len(answer.asked)
        problem = answer.problem or f"current bars of {seen} of {asked} symbols"
        return cls(asof, rejected, barred, unseen, partial, problem if partial else "")
