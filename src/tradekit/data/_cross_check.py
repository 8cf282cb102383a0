"""Answers held against those of other sources: who is right when two disagree."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import combinations
from time import monotonic

import attrs
import numpy as np

from .._core.bars import Bars
from .._core.errors import SourceError
from ._comparison import agree, compare, odd_one_out, reaches
from ._failover import Failover
from ._pool import SourcePool
from ._settings import Settings

_SAMPLED = 0.05  # of all answers
_PART = 0.25  # of a call's time: so long an opinion may take
_MOMENT = 1e-3  # seconds
_NAMED = 2  # of all symbols that are meant, in a message


class CrossChecker:
    """Hold answers against a second source's, and a third's where they disagree.

    Of three, the odd one out is wrong: its answer is replaced, and its source quarantined. Of two
    that disagree, nobody can tell; the answer is then unconfirmed, as it is where `always` is
    asked for and no other source answers.

    Parameters
    ----------
    pool : SourcePool
        The sources.
    seed : int
        Of the answers that are sampled.
    """

    def __init__(self, pool: SourcePool, seed: int) -> None:
        self._pool = pool
        self._random, self._lock = np.random.default_rng(seed), threading.Lock()

    async def judge(self, failover: Failover, settings: Settings, ends: float) -> None:
        """Hold the answers of a question against others.

        Parameters
        ----------
        failover : Failover
            The answers, of which some may be replaced, called unconfirmed or, by the settings,
            refused.
        settings : Settings
            Which are held against others, and what becomes of those that nobody bears out.
        ends : float
            By `time.monotonic`, when an answer must be there: all questions share one deadline.
        """
        doubted = self._chosen(failover, settings)
        for giver in dict.fromkeys(failover.answered_by[symbol] for symbol in doubted):
            theirs = tuple(s for s in doubted if failover.answered_by[s] == giver)
            await self._compare(failover, theirs, giver, settings, ends)
        if settings.unconfirmed == "refuse":
            for symbol in sorted(failover.unconfirmed):
                failover.refuse(symbol, _unconfirmed(failover.answered_by[symbol], symbol))

    def _chosen(self, failover: Failover, settings: Settings) -> tuple[str, ...]:
        if settings.cross_check == "off":
            return ()
        if settings.cross_check == "sampled":
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
        settings: Settings,
        ends: float,
    ) -> None:
        """Hear a second source on all of these, and a third on those where they disagree."""
        second = await self._hear(failover, symbols, {giver}, _in_time(settings, ends))
        verdicts = {s: _borne_out(failover.bars[s], second.bars.get(s), settings) for s in symbols}
        for symbol in (s for s, verdict in verdicts.items() if verdict):
            self._note(dict.fromkeys(_told(symbol, failover, second), True))
        contested = [symbol for symbol, verdict in verdicts.items() if verdict is False]
        for other in dict.fromkeys(second.answered_by[symbol] for symbol in contested):
            theirs = tuple(s for s in contested if second.answered_by[s] == other)
            third = await self._hear(failover, theirs, {giver, other}, _in_time(settings, ends))
            verdicts |= {s: self._settle(failover, s, second, third, settings) for s in theirs}
            undecided = [symbol for symbol in theirs if verdicts[symbol] is False]
            why = f"differ from those of {other}, and no third decides"
            self._doubt(failover, undecided, "its prices of", why)
        for symbol in (s for s, verdict in verdicts.items() if verdict):
            failover.confirm(symbol)
        if settings.cross_check == "always":
            unheard = [symbol for symbol, verdict in verdicts.items() if verdict is None]
            self._doubt(failover, unheard, "nobody else could tell of", "up to the newest bars")

    async def _hear(
        self, failover: Failover, symbols: tuple[str, ...], apart: set[str], settings: Settings
    ) -> Failover:
        request = attrs.evolve(failover.request, symbols=symbols)
        return await self._pool.ask(request, settings, wanted=failover.wanted, apart_from=apart)

    def _settle(
        self, failover: Failover, symbol: str, second: Failover, third: Failover, settings: Settings
    ) -> bool | None:
        """Find the odd one of three, and tell whether the answer is borne out then."""
        answers = _told(symbol, failover, second, third)
        odd = odd_one_out(answers, settings.tolerance)
        if odd is None:
            self._note(_in_company(answers, settings))
            return False
        self._note({name: name != odd for name in answers})
        self._pool.book.quarantine(odd, settings.cool_down, _odd(odd, symbol, answers))
        failover.expelled.add(odd)
        right = {name: bars for name, bars in answers.items() if name != odd}
        if odd == failover.answered_by[symbol]:
            trusted = right if settings.trusted is None else settings.trusted
            giver = next((name for name in right if name in trusted), next(iter(right)))
            failover.replace(symbol, giver, right[giver])
        mine = right.pop(failover.answered_by[symbol])
        return True if any(reaches(mine, other) for other in right.values()) else None

    def _doubt(self, failover: Failover, symbols: Sequence[str], what: str, why: str) -> None:
        """Call answers unconfirmed, and tell so once of each who gave them."""
        failover.unconfirmed |= set(symbols)
        for giver in dict.fromkeys(failover.answered_by[symbol] for symbol in symbols):
            theirs = [symbol for symbol in symbols if failover.answered_by[symbol] == giver]
            self._pool.book.contest(giver, f"{what} {_several(theirs)} {why}")

    def _note(self, agreed: Mapping[str, bool]) -> None:
        """Note of each source that was heard whether another one told the same."""
        for name, same in agreed.items():
            self._pool.compared(name, same)


def _in_time(settings: Settings, ends: float) -> Settings:
    """Grant a part of the time that is left: an answer is there already, and somebody waits."""
    left = max(_MOMENT, min(ends - monotonic(), _PART * settings.timeout.total_seconds()))
    return attrs.evolve(settings, timeout=timedelta(seconds=left))


def _told(symbol: str, *answered: Failover) -> dict[str, Bars]:
    return {each.answered_by[symbol]: each.bars[symbol] for each in answered if symbol in each.bars}


def _in_company(answers: Mapping[str, Bars], settings: Settings) -> dict[str, bool]:
    """Tell whose answer agrees with another's, as far as that can be told."""
    verdicts = {
        (one, two): _agreed(answers[one], answers[two], settings)
        for one, two in combinations(answers, 2)
    }
    heard = {name: {v for pair, v in verdicts.items() if name in pair} for name in answers}
    return {name: True in said for name, said in heard.items() if said != {None}}


def _borne_out(mine: Bars, other: Bars | None, settings: Settings) -> bool | None:
    """Tell whether another answer is the same up to the newest bars; None where it does not say."""
    agreed = None if other is None else _agreed(mine, other, settings)
    return None if agreed and other is not None and not reaches(mine, other) else agreed


def _agreed(mine: Bars, other: Bars, settings: Settings) -> bool | None:
    return agree(compare(mine, other), settings.tolerance)


def _several(symbols: Sequence[str]) -> str:
    """Name a few."""
    more = len(symbols) - _NAMED
    return ", ".join(symbols[:_NAMED]) + (f" and {more} more" if more > 0 else "")


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
