"""The sources as one: who can be asked, in which order, and what comes of it."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

import attrs

from .._core.answers import unable
from .._core.clock import Clock
from .._core.errors import SourceError, UsageError
from .._core.event import SourceStatusChanged
from .._core.request import BarsRequest
from .._core.source import DataSource
from ._checks import unsuited
from ._failover import Deadline, Failover, Heard, within
from ._health import HealthBook
from ._lineup import USUAL, Lineup

T = TypeVar("T")
log = logging.getLogger("tradekit.data")

_ABILITIES = {"_discover": "discover symbols", "_quotes": "quote prices"}


@attrs.frozen
class Terms:
    """What a call may cost.

    Parameters
    ----------
    timeout : timedelta
        How long it may take.
    most : int
        Failed calls in a row until a source is disabled.
    pause : timedelta
        For how long it is then left alone.
    """

    timeout: timedelta
    most: int
    pause: timedelta


class Panel:
    """Several sources, asked in turn.

    Parameters
    ----------
    lineup : Lineup
        Which, in which order.
    clock : Clock
        Who says what time it is.
    on_change : callable, optional
        Is told when a source is disabled or restored, or when another one answers.
    """

    def __init__(
        self,
        lineup: Lineup,
        clock: Clock,
        on_change: Callable[[SourceStatusChanged], None] | None = None,
    ) -> None:
        self._lineup, self._clock = lineup, clock
        self._health = HealthBook(clock, on_change)

    @property
    def names(self) -> tuple[str, ...]:
        """All sources, present or not, in order."""
        return self._lineup.names

    async def ask(self, request: BarsRequest, terms: Terms) -> Failover:
        """Ask one source after another until every symbol has its bars.

        Parameters
        ----------
        request : BarsRequest
            What.
        terms : Terms
            At what cost.

        Returns
        -------
        Failover
            The bars, who gave them, and why other symbols have none.
        """
        deadline = Deadline(terms.timeout)
        failover = Failover(request, self._clock)
        turn = self._turn(failover)
        for waiting, (name, source) in zip(range(len(turn), 0, -1), turn.items(), strict=True):
            if not failover.missing:
                break
            if not self._health.claim(name):
                failover.skip(name, self._health.barred(name), blame=True)
                continue
            try:
                heard = await failover.ask(name, source, deadline.share(waiting))
                self._hear(name, heard, terms)
            finally:
                self._health.release(name)
        for name, heard in failover.settle().items():
            self._hear(name, heard, terms)
        givers = list(failover.answered_by.values())
        if first := next((name for name, source in turn.items() if source in givers), None):
            self._health.answered(first, failover.blamed)
        return failover

    async def answers(
        self,
        hook: str,
        call: Callable[[DataSource], Coroutine[Any, Any, T]],
        causes: dict[str, SourceError],
        terms: Terms,
    ) -> AsyncGenerator[T]:
        """Put a question that not every source can answer.

        Parameters
        ----------
        hook : {"_discover", "_quotes"}
            Which sources can answer it: those that have written this hook.
        call : callable
            Asks one source.
        causes : dict of str to SourceError
            Is told why a source has no answer.
        terms : Terms
            At what cost.

        Yields
        ------
        object
            What one source after another answers.
        """
        deadline = Deadline(terms.timeout)
        able: dict[str, DataSource] = {}
        for name, source in self._present().items():
            if getattr(type(source), hook) is getattr(DataSource, hook):
                causes[name] = unable(source, _ABILITIES[hook])
            else:
                able[name] = source
        admitted = self._health.admitted(list(able), self._clock.now())
        causes |= self._lineup.absent()
        causes |= {name: self._health.barred(name) for name in able if name not in admitted}
        for waiting, name in zip(range(len(admitted), 0, -1), admitted, strict=True):
            (answer,) = await within(deadline.share(waiting), able[name], [call(able[name])])
            if isinstance(answer, SourceError):
                causes[name] = answer
            else:
                yield answer

    def score(self) -> float:
        """Tell how well the sources do, from 0 to 100."""
        return self._health.score()

    def health(self) -> dict[str, dict[str, Any]]:
        """Say of each source how it stands, as plain data."""
        self._present()
        blank = {"status": "absent", "score": 0.0, "errors": 0, "until": None}
        absent = {n: {**blank, "reason": str(why)} for n, why in self._lineup.absent().items()}
        standings = self._health.standings() | absent
        return {name: standings[name] for name in self.names}

    def reset(self, source: DataSource | str) -> None:
        """Begin anew with a source, or try once more to make it.

        Parameters
        ----------
        source : DataSource or str
            A source or its name.

        Raises
        ------
        UsageError
            When it is none.
        """
        known = self._lineup.present() if isinstance(source, DataSource) else {}
        name = next((name for name, one in known.items() if one is source), source)
        if isinstance(name, str) and name in self.names:
            self._lineup.retry(name)
            self._health.reset(name)
        elif name in USUAL:
            log.info("%s is not among the sources: there is nothing to reset", name)
        else:
            expected = " or ".join(map(repr, self.names))
            raise UsageError("no such source", expected=expected, got=repr(source))

    def _present(self) -> dict[str, DataSource]:
        present = self._lineup.present()
        self._health.enroll(present)
        return present

    def _turn(self, failover: Failover) -> dict[str, DataSource]:
        """Those who can be asked, in order; why the others cannot is noted."""
        for name, absence in self._lineup.absent().items():
            failover.skip(name, absence)
        suited: dict[str, DataSource] = {}
        for name, source in self._present().items():
            if why := unsuited(source, failover.request):
                failover.skip(name, why)
            else:
                suited[name] = source
        admitted = self._health.admitted(list(suited), failover.now)
        for name in suited:
            if name not in admitted:
                failover.skip(name, self._health.barred(name), blame=True)
        return {name: suited[name] for name in admitted}

    def _hear(self, name: str, heard: Heard, terms: Terms) -> None:
        self._health.heard(name, heard.good, heard.bad, terms.most, terms.pause)
