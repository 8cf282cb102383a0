"""One question on its way along the sources: once more where it failed, beside where it is late."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import timedelta
from itertools import cycle, islice

import attrs

from .._core.errors import SourceError
from .._core.source import DataSource
from ._calls import hang_up, late
from ._failover import Failover
from ._health import HealthBook
from ._heard import Heard
from ._metrics import Metrics
from ._straggler import LONGEST, let_straggle

ATTEMPTS = 6
_MOMENT = 1e-3
_BLOCKED = 0.05  # seconds by which a wait lasts longer only where something holds the event loop
_LOOK = 0.02  # seconds between two looks whether another call's try has come to its end
_PAUSE = 0.05  # seconds before a source that has just failed is asked again; it doubles


@attrs.define(eq=False)
class Attempt:
    """A source that is being asked."""

    name: str
    size: int
    begun: float
    patience: float  # seconds after which the next source is asked as well, if it can be spared
    share: float  # seconds after which somebody else is asked in its place, spared or not
    enough: float  # seconds after which it is asked once more
    due: float  # seconds after which it is late, however little time was left when it began
    hedged: bool
    heard: Heard
    before: tuple[int, int]  # good answers and errors of earlier attempts

    @property
    def answered(self) -> int:
        return self.heard.good - self.before[0]

    @property
    def errors(self) -> list[SourceError]:
        return self.heard.errors[self.before[1] :]


class Race:
    """Ask sources in turn, several times over, until every symbol has its bars or time is up.

    The next source is asked as soon as one has failed, and also as soon as one takes longer than
    it does nineteen times out of twenty, if the budget of the next has room for that (hedging).
    Who has used up its share of the time has failed: the next one is asked whatever its budget can
    spare, and where there is none, the same once more. The first sound answer wins; who is still
    running then is hung up on. If that one was late, this counts as a failure of its own, but one
    call of each source may go on beside its caller: a sound answer that comes so late takes that
    back, and shows how long such answers take by now.

    Disabled sources come last, each tried by one call at a time: who finds another call trying
    the only ones that are left waits for what comes of it. That a source asks for rest, or
    refuses its keys, is told to all other calls at once.

    Parameters
    ----------
    failover : Failover
        The question, and what is known of its answer.
    sources : mapping of str to DataSource
        Whom, in order.
    health : HealthBook
        Knows how quick they are, and what their budgets have left.
    metrics : Metrics
        Counts their calls.
    seconds : float
        How long it may take, by the running loop.
    cool_down : timedelta, optional
        How long a source rests that does not say how long it wants to.
    """

    def __init__(
        self,
        failover: Failover,
        sources: Mapping[str, DataSource],
        health: HealthBook,
        metrics: Metrics,
        seconds: float,
        cool_down: timedelta | None = None,
    ) -> None:
        self._failover, self._sources = failover, sources
        self._health, self._metrics, self._cool_down = health, metrics, cool_down
        self._loop = asyncio.get_running_loop()
        self._end, self._fair = self._loop.time() + seconds, 0.0
        self._turns = cycle(sources)
        self._tries: Counter[str] = Counter()
        self._trial: set[str] = set()  # disabled ones that we try, and those that others try
        self._tried_elsewhere: set[str] = set()
        self._running: dict[asyncio.Task[None], Attempt] = {}
        self.heard: dict[str, Heard] = {}

    async def run(self) -> dict[str, Heard]:
        """Put the question.

        Returns
        -------
        dict of str to Heard
            What that says of each source, unless it had no time to say anything; the answer is
            in the failover.
        """
        try:
            while self._failover.missing and self._left() > 0:
                if self._is_time() and not await self._begin() and self._is_over():
                    break
                await (self._listen() if self._running else asyncio.sleep(_LOOK))
            self._close()
        finally:
            hang_up(self._running)
            for attempt in self._running.values():
                self._count(attempt)
            for name in self._trial:
                self._health.release(name)
        return {name: heard for name, heard in self.heard.items() if heard.good or heard.errors}

    def _left(self) -> float:
        return self._end - self._loop.time()

    def _until(self, attempt: Attempt, seconds: float) -> float:
        """The time until somebody has been waited for for so long."""
        return attempt.begun + seconds - self._loop.time()

    def _is_time(self) -> bool:
        """Tell whether everybody who is being asked takes too long, or nobody is."""
        return all(self._until(attempt, attempt.patience) <= 0 for attempt in self._asked())

    def _asked(self) -> Collection[Attempt]:
        return self._running.values()

    def _is_over(self) -> bool:
        """Tell whether there is nobody to wait for, or nothing but a longer answer."""
        if self._running:
            return self._failover.is_held
        return not self._health.is_probed(self._tried_elsewhere)

    async def _begin(self) -> bool:
        """Ask the next source that may be asked, and tell whether there was one."""
        if self._tries.total() >= max(ATTEMPTS, 2 * len(self._sources)):
            return False
        for name in islice(self._turns, len(self._sources)):
            if not self._symbols_for(name):
                continue
            if name in self._tries and not self._running:
                await self._rest(self._tries[name])
            # Others go on meanwhile, and the same budget is theirs.
            if (symbols := self._symbols_for(name)) and self._claim(name):
                self._ask(name, symbols)
                return True
        return False

    def _symbols_for(self, name: str) -> tuple[str, ...]:
        """Give what a source may be asked for: beside others, only what it can spare."""
        symbols = self._failover.open_to(name)[: self._health.room(name)]
        known = name in self._tries or name in self._tried_elsewhere
        if known and not self._health.may_again(name):
            return ()
        own = [attempt for attempt in self._asked() if attempt.name == name]
        if any(self._until(attempt, attempt.enough) > 0 for attempt in own):
            return ()
        must = all(self._until(attempt, attempt.share) <= 0 for attempt in self._asked())
        return symbols if must or self._health.spare(name, len(symbols)) else ()

    def _claim(self, name: str) -> bool:
        """Take the right to ask a source; where it is disabled, only one call has it."""
        if self._health.may_again(name):
            return True
        is_ours = self._health.claim(name)
        (self._trial if is_ours else self._tried_elsewhere).add(name)
        return is_ours

    async def _rest(self, tries: int) -> None:
        await asyncio.sleep(min(_PAUSE * 2 ** (tries - 1), self._left() / 2))

    def _ask(self, name: str, symbols: tuple[str, ...]) -> None:
        self._tries[name] += 1
        self._health.asked(name, len(symbols))
        heard, size = self.heard.setdefault(name, Heard()), len(symbols)
        # However little time there is, everybody gets a turn.
        usual, fair = self._health.patience(name, size), self._left() / (len(self._sources) + 1)
        self._fair = max(self._fair, fair)  # that of the first: who begins last has no time
        spans = min(usual, fair), fair, max(usual, fair), min(usual, self._fair)
        before, hedged = (heard.good, len(heard.errors)), bool(self._running)
        attempt = Attempt(name, size, self._loop.time(), *spans, hedged, heard, before)
        heard.asked.update(symbols)
        seconds = max(self._left(), _MOMENT)
        asked = self._failover.ask(name, self._sources[name], symbols, seconds, heard)
        self._running[asyncio.ensure_future(asked)] = attempt

    async def _listen(self) -> None:
        """Wait until somebody has answered, or becomes late."""
        coming = (
            self._until(attempt, seconds)
            for attempt in self._asked()
            for seconds in (attempt.patience, attempt.share, attempt.enough)
        )
        timeout = min((wait for wait in coming if wait > 0), default=self._left())
        begun, timeout = self._loop.time(), max(0.0, min(timeout, self._left()))
        came = await self._wait(timeout)
        if not came and self._loop.time() - begun > timeout + _BLOCKED:
            # An answer may be there, and only not yet read, as the loop was blocked meanwhile.
            await self._wait(_BLOCKED)
        for task in [task for task in self._running if task.done()]:
            attempt = self._running.pop(task)
            task.result()
            self._count(attempt)
            self._health.heed(attempt.name, attempt.errors, self._cool_down)
            if attempt.answered:
                self._health.took(attempt.name, attempt.size, self._waited(attempt))
            elif attempt.name in self._trial:  # others wait for what comes of it
                self._trial.remove(attempt.name)
                self._health.release(attempt.name)

    async def _wait(self, seconds: float) -> bool:
        """Wait for an answer, and tell whether one came."""
        first = asyncio.FIRST_COMPLETED
        return bool((await asyncio.wait(self._running, timeout=seconds, return_when=first))[0])

    def _close(self) -> None:
        """Say of whoever is still running that it was late, if it was."""
        for task, attempt in list(self._running.items()):
            waited = self._waited(attempt)
            error, is_late = late(self._sources[attempt.name], waited), waited >= attempt.due
            self._failover.skip(attempt.name, error, blame=is_late)
            if is_late:
                attempt.heard.errors.append(error)
                self._let_straggle(task, attempt)

    def _let_straggle(self, task: asyncio.Task[None], attempt: Attempt) -> None:
        """Let a late call go on, if its source has none that does."""
        health, seconds = self._health, min(LONGEST, self._left())
        if seconds <= 0 or not health.may_straggle(attempt.name, seconds):
            return
        after = attempt.heard.after = Heard()
        clock = self._loop.time

        def ended(came: bool) -> None:
            took = clock() - attempt.begun if came and after.good and not after.bad else None
            health.straggled(attempt.name, attempt.size, took)

        let_straggle(task, seconds, ended)
        self._count(self._running.pop(task))

    def _count(self, attempt: Attempt) -> None:
        """Count a call that nobody waits for any more."""
        self._metrics.called(
            attempt.name,
            symbols=attempt.size,
            answered=attempt.answered,
            seconds=self._waited(attempt),
            hedged=attempt.hedged,
            errors=attempt.errors,
        )

    def _waited(self, attempt: Attempt) -> float:
        return self._loop.time() - attempt.begun
