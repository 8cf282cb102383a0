"""Answers held against those of other sources: who is right when two disagree."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import timedelta
from itertools import combinations
from time import monotonic

import attrs
import numpy as np

from .._core.bars import Bars
from .._core.errors import SourceError
from ._failover import Failover
from ._panel import Panel
from ._second_opinion import agree, compare, odd_one_out
from ._terms import Terms

_SAMPLED = 0.05  # of all answers
_PART = 0.25  # of a call's time: so long an opinion may take
_MOMENT = 1e-3  # seconds


class Jury:
    """Hold answers against a second source's, and a third's where they disagree.

    Of three, the odd one out is wrong: its answer is replaced, and its source quarantined. Of two
    that disagree, nobody can tell; the answer is then unconfirmed, as it is where `always` is
    asked for and no other source answers.

    Parameters
    ----------
    panel : Panel
        The sources.
    seed : int
        Of the answers that are sampled.
    """

    def __init__(self, panel: Panel, seed: int) -> None:
        self._panel = panel
        self._random, self._lock = np.random.default_rng(seed), threading.Lock()

    async def judge(self, failover: Failover, terms: Terms, ends: float) -> None:
        """Hold the answers of a question against others.

        Parameters
        ----------
        failover : Failover
            The answers, of which some may be replaced, called unconfirmed or, by the terms,
            refused.
        terms : Terms
            Which are held against others, and what becomes of those that nobody bears out.
        ends : float
            By `time.monotonic`, when an answer must be there: all questions share one deadline.
        """
        doubted = self._chosen(failover, terms)
        for giver in dict.fromkeys(failover.answered_by[symbol] for symbol in doubted):
            theirs = tuple(s for s in doubted if failover.answered_by[s] == giver)
            failover.unconfirmed |= await self._compare(failover, theirs, giver, terms, ends)
        if terms.unconfirmed == "refuse":
            for symbol in sorted(failover.unconfirmed):
                failover.refuse(symbol, _unconfirmed(failover.answered_by[symbol], symbol))

    def _chosen(self, failover: Failover, terms: Terms) -> tuple[str, ...]:
        if terms.cross_check == "off":
            return ()
        if terms.cross_check == "sampled":
            with self._lock:
                drawn = bool(self._random.random() < _SAMPLED)
            if not drawn:
                return ()
        return tuple(failover.bars)

    async def _compare(
        self,
        failover: Failover,
        symbols: tuple[str, ...],
        giver: str,
        terms: Terms,
        ends: float,
    ) -> set[str]:
        """Hear a second source on all of these, and a third on those where they disagree."""
        second = await self._hear(failover, symbols, {giver}, _in_time(terms, ends))
        agreed = {s: _agreed(failover.bars[s], second.bars.get(s), terms) for s in symbols}
        for symbol in (s for s, same in agreed.items() if same):
            self._note(dict.fromkeys(_told(symbol, failover, second), True))
        doubtful = {s for s, same in agreed.items() if same is None}
        if terms.cross_check != "always":
            doubtful.clear()
        contested = [symbol for symbol, same in agreed.items() if same is False]
        for other in dict.fromkeys(second.answered_by[symbol] for symbol in contested):
            theirs = tuple(s for s in contested if second.answered_by[s] == other)
            third = await self._hear(failover, theirs, {giver, other}, _in_time(terms, ends))
            for symbol in theirs:
                if not self._settle(failover, symbol, second, third, terms):
                    doubtful.add(symbol)
        return doubtful

    async def _hear(
        self, failover: Failover, symbols: tuple[str, ...], apart: set[str], terms: Terms
    ) -> Failover:
        request = attrs.evolve(failover.request, symbols=symbols)
        return await self._panel.ask(request, terms, wanted=failover.wanted, apart_from=apart)

    def _settle(
        self, failover: Failover, symbol: str, second: Failover, third: Failover, terms: Terms
    ) -> bool:
        """Find the odd one of three, and tell whether there was one."""
        answers = _told(symbol, failover, second, third)
        odd = odd_one_out(answers, terms.tolerance)
        if odd is None:
            self._note(_borne_out(answers, terms))
            giver, other = failover.answered_by[symbol], second.answered_by[symbol]
            why = f"its prices of {symbol} differ from those of {other}, and no third decides"
            self._panel.book.contest(giver, why)
            return False
        self._note({name: name != odd for name in answers})
        self._panel.book.quarantine(odd, terms.cool_down, _odd(odd, symbol, answers))
        failover.expelled.add(odd)
        if odd == failover.answered_by[symbol]:
            right = second.answered_by[symbol]
            failover.replace(symbol, right, answers[right])
        return True

    def _note(self, agreed: Mapping[str, bool]) -> None:
        """Note of each source that was heard whether another one told the same."""
        for name, same in agreed.items():
            self._panel.compared(name, same)


def _in_time(terms: Terms, ends: float) -> Terms:
    """Grant a part of the time that is left: an answer is there already, and somebody waits."""
    left = max(_MOMENT, min(ends - monotonic(), _PART * terms.timeout.total_seconds()))
    return attrs.evolve(terms, timeout=timedelta(seconds=left))


def _told(symbol: str, *answered: Failover) -> dict[str, Bars]:
    return {each.answered_by[symbol]: each.bars[symbol] for each in answered if symbol in each.bars}


def _borne_out(answers: Mapping[str, Bars], terms: Terms) -> dict[str, bool]:
    """Tell whose answer agrees with another's, as far as that can be told."""
    verdicts = {
        (one, two): _agreed(answers[one], answers[two], terms)
        for one, two in combinations(answers, 2)
    }
    heard = {name: {v for pair, v in verdicts.items() if name in pair} for name in answers}
    return {name: True in said for name, said in heard.items() if said != {None}}


def _agreed(mine: Bars, other: Bars | None, terms: Terms) -> bool | None:
    return None if other is None else agree(compare(mine, other), terms.tolerance)


def _odd(name: str, symbol: str, answers: Mapping[str, Bars]) -> str:
    others = " and ".join(other for other in answers if other != name)
    return f"its prices of {symbol} differ from those that {others} agree on"


def _unconfirmed(name: str, symbol: str) -> SourceError:
    return SourceError(
        f"nobody bears out what {name} answered of {symbol}",
        hint="unconfirmed='flag' to have it all the same, marked as not to be traded on",
        source=name,
        symbol=symbol,
        fault="unconfirmed",
    )
