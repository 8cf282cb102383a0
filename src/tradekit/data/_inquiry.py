"""A question and all that belongs to it: what is on disk, who answers, and who bears that out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from time import monotonic

import attrs

from .._core.clock import Clock
from .._core.request import BarsRequest
from .._core.words import words
from ._cross_check import CrossChecker
from ._disk_cache import CREW, DiskCache, keeps
from ._failover import Failover
from ._known import Known
from ._parts import asked_of
from ._pool import SourcePool
from ._settings import Settings

log = logging.getLogger("tradekit.data")

_DISK = 0.5  # seconds that a look on disk may take
_MOMENT = 1e-3


class Inquiry:
    """Put questions to the pool.

    Parameters
    ----------
    pool : SourcePool
        Who can be asked.
    clock : Clock
        Who says what time it is.
    seed : int
        Of what is left to chance: which answers are held against others.
    disk : DiskCache, optional
        Where settled answers are kept on disk.
    """

    def __init__(
        self, pool: SourcePool, clock: Clock, seed: int, disk: DiskCache | None = None
    ) -> None:
        self._pool, self._clock = pool, clock
        self._checker, self._disk = CrossChecker(pool, seed), disk
        self._is_told = False  # that the disk cannot be read

    async def ask(
        self,
        request: BarsRequest,
        settings: Settings,
        known: Mapping[str, Known] | None = None,
        wanted: int | None = None,
    ) -> Failover:
        """Put one question.

        Parameters
        ----------
        request : BarsRequest
            What.
        settings : Settings
            At what cost.
        known : mapping of str to Known, optional
            By symbol, what a source has answered before, as far as memory goes.
        wanted : int, optional
            How many bars will do, where more are asked for so that an answer can be judged.

        Returns
        -------
        Failover
            Whose bars say whether trades may be opened on them.
        """
        await self._pool.ready(request.symbols)
        ends = monotonic() + settings.timeout.total_seconds()
        on_disk, in_time = await self._on_disk(request, known or {}), settings
        if self._disk is not None:  # which took its time
            left = timedelta(seconds=max(_MOMENT, ends - monotonic()))
            in_time = attrs.evolve(settings, timeout=left)
        before = {**(known or {}), **on_disk}
        failover = await self._pool.ask(request, in_time, known=before, wanted=wanted)
        givers = {symbol: each.giver for symbol, each in on_disk.items()}
        self._pool.metrics.disk_hit(len(givers.items() & failover.answered_by.items()))
        await self._checker.judge(failover, settings, ends)
        self._put_away(failover)
        self._vouch(failover, settings)
        return failover

    def trusts(self, giver: str, trusted: Sequence[str] | None) -> bool:
        """Tell whether trades may be opened on a source's bars.

        Parameters
        ----------
        giver : str
            The name of the source.
        trusted : sequence of str, optional
            Who is allowed; None means all.

        Returns
        -------
        bool
            False while it is in quarantine.
        """
        allowed = trusted is None or giver in words(trusted)
        return allowed and not self._pool.book.is_quarantined(giver)

    async def _on_disk(self, request: BarsRequest, known: Mapping[str, Known]) -> dict[str, Known]:
        """Look there for what memory does not know, or not all of."""
        enough = {symbol for symbol, each in known.items() if each.is_complete}
        rest = tuple(symbol for symbol in request.symbols if symbol not in enough)
        if self._disk is None or not rest:
            return {}
        asked = asked_of(request, rest)
        look = partial(self._disk.known, self._pool.present(), asked, self._clock.now())
        try:
            return await asyncio.wait_for(CREW.run(look, patience=_DISK), _DISK)
        except TimeoutError:  # another process writes: then it is asked for as a whole
            return {}
        except Exception:
            if not self._is_told:
                log.exception("the disk cache cannot be read")
            self._is_told = True
            return {}

    def _put_away(self, failover: Failover) -> None:
        """Write to disk beside what goes on: nobody waits for it."""
        if self._disk is None:
            return
        lasting, sources = failover.lasting, self._pool.present()
        answers = [
            (failover.bars[symbol], sources[giver].capabilities.settle)
            for symbol, giver in failover.answered_by.items()
            if symbol in lasting and keeps(giver, sources[giver])
        ]
        expelled = [name for name in failover.expelled if keeps(name, sources[name])]
        self._disk.renew(expelled, answers, failover.now)

    def _vouch(self, failover: Failover, settings: Settings) -> None:
        """Let each answer say whether trades may be opened on it, whatever it said before."""
        doubtful = failover.unconfirmed | failover.recalled
        for symbol, giver in failover.answered_by.items():
            bars = failover.bars[symbol]
            sound = (
                symbol not in doubtful
                and bars.stale_since is None
                and self.trusts(giver, settings.trusted)
            )
            if sound != bars.trusted_for_entries:
                failover.bars[symbol] = bars._replace(trusted_for_entries=sound)
