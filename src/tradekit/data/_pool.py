"""The sources as one: who can be asked, in which order, and what comes of it."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import (
    AsyncGenerator,
    Callable,
    Collection,
    Coroutine,
    Iterable,
    Mapping,
)
from time import monotonic
from typing import Any, TypeVar

from .._core.answers import unable
from .._core.calendar import calendar_for
from .._core.clock import Clock
from .._core.errors import CredentialsError, RateLimitError, SourceError, UsageError
from .._core.event import SourceStatusChanged
from .._core.request import BarsRequest, calendar_of
from .._core.source import DataSource
from ._calls import Deadline, within
from ._checks import unsuited
from ._failover import Failover
from ._health import HealthBook
from ._heard import Heard
from ._known import Known
from ._lineup import USUAL, Lineup
from ._metrics import Metrics, OnCall
from ._race import Race
from ._settings import Settings

T = TypeVar("T")
log = logging.getLogger("tradekit.data")

_ABILITIES = {"_discover": "discover symbols", "_quotes": "quote prices"}


class SourcePool:
    """Several sources, asked in turn.

    Parameters
    ----------
    lineup : Lineup
        Which, in which order.
    clock : Clock
        Who says what time it is.
    on_change : callable, optional
        Is told when a source is disabled or restored, or when another one answers.
    on_call : callable, optional
        Is told of each call as it ends.

    Raises
    ------
    UsageError
        When a callback cannot be called, or is a coroutine function, which nobody would await.
    """

    def __init__(
        self,
        lineup: Lineup,
        clock: Clock,
        on_change: Callable[[SourceStatusChanged], None] | None = None,
        on_call: OnCall | None = None,
    ) -> None:
        _check_callback("on_change", on_change)
        _check_callback("on_call", on_call)
        self._lineup, self._clock = lineup, clock
        self.book, self.metrics = HealthBook(clock, on_change), Metrics(clock, on_call)
        self._beside = {hook: HealthBook(clock, None) for hook in _ABILITIES}
        self._calendars: set[str] = set()

    @property
    def names(self) -> tuple[str, ...]:
        """All sources, present or not, in order."""
        return self._lineup.names

    def source(self, name: str) -> DataSource:
        """Give the source of a name."""
        return self._lineup.present()[name]

    def first(self) -> tuple[str, DataSource | None]:
        """Give the source that is asked first now, and its name."""
        present = self.present()
        name = next(iter(self.book.admitted(list(present))), "")
        sound = name and self.book.may_again(name) and not self.book.is_quarantined(name)
        return (name, present[name]) if sound else ("", None)

    async def ready(self, symbols: Iterable[str] = ()) -> None:
        """Make the sources and read the calendars of symbols, the first time.

        That takes a second or two, of which no source is to blame: it is done beside the event
        loop, and before any deadline begins.

        Parameters
        ----------
        symbols : iterable of str
            Whose bars are going to be asked for.
        """
        codes = {calendar_of(symbol) for symbol in symbols}
        if not self._lineup.is_made or codes - self._calendars:
            await asyncio.to_thread(self._prepare, codes)

    def _prepare(self, codes: Collection[str]) -> None:
        self.present()
        for code in codes:
            calendar_for(code)
        self._calendars |= set(codes)

    async def ask(
        self,
        request: BarsRequest,
        settings: Settings,
        *,
        known: Mapping[str, Known] | None = None,
        wanted: int | None = None,
        apart_from: Collection[str] = (),
    ) -> Failover:
        """Ask the sources until every symbol has its bars, or time is up.

        Parameters
        ----------
        request : BarsRequest
            What.
        settings : Settings
            At what cost.
        known : mapping of str to Known, optional
            By symbol, what a source has answered before.
        wanted : int, optional
            How many bars will do, where more are asked for so that an answer can be judged.
        apart_from : collection of str
            Whom not to ask.

        Returns
        -------
        Failover
            The bars, who gave them, and why other symbols have none.
        """
        failover = Failover(request, self._clock, known, wanted, self.book.has_served)
        ends = monotonic() + settings.timeout.total_seconds()
        turn = self._turn(failover, apart_from)
        failover.recall(turn)
        race = Race(failover, turn, self.book, self.metrics, ends - monotonic(), settings.cool_down)
        heard = await race.run()
        failover.settle(heard)
        for name in turn if failover.missing else ():
            failover.explain(name, self.book.barred(name))
        for name, said in heard.items():
            self.book.heard(name, said, settings)
        givers = failover.answered_by.values()
        if not apart_from and (first := next((name for name in turn if name in givers), None)):
            self.book.answered(first, failover.blamed)
        return failover

    async def answers(
        self,
        hook: str,
        call: Callable[[DataSource], Coroutine[Any, Any, T]],
        causes: dict[str, SourceError],
        settings: Settings,
    ) -> AsyncGenerator[T]:
        """Put a question that not every source can answer.

        Whoever fails at it time and again is left alone with it for a while, by the rules for
        bars, and is asked for bars all the same.

        Parameters
        ----------
        hook : {"_discover", "_quotes"}
            Which sources can answer it: those that have written this hook.
        call : callable
            Asks one source.
        causes : dict of str to SourceError
            Is told why a source has no answer.
        settings : Settings
            At what cost.

        Yields
        ------
        object
            What one source after another answers.
        """
        await self.ready()
        deadline = Deadline(settings.timeout)
        able: dict[str, DataSource] = {}
        for name, source in self.present().items():
            if getattr(type(source), hook) is getattr(DataSource, hook):
                causes[name] = unable(source, _ABILITIES[hook])
            else:
                able[name] = source
        causes |= self._lineup.absent()
        book = self._beside[hook]
        book.enroll(able)
        order = self.book.admitted(list(able))
        causes |= {name: self.book.barred(name) for name in able if name not in order}
        for waiting, name in zip(range(len(order), 0, -1), order, strict=True):
            # Others ask meanwhile, and the same budget is theirs.
            if closed := [each for each in (self.book, book) if not each.admitted([name])]:
                causes[name] = closed[0].barred(name)
                continue
            self.book.asked(name)
            (answer,) = await within(deadline.share(waiting), able[name], [call(able[name])])
            self._hear(book, name, answer, settings)
            if isinstance(answer, SourceError):
                causes[name] = answer
            else:
                yield answer

    def _hear(self, book: HealthBook, name: str, answer: object, settings: Settings) -> None:
        """Draw the consequences of an answer to a question beside the bars."""
        if not isinstance(answer, SourceError):
            book.heard(name, Heard(served={name}), settings)
            self.book.rested(name)
        elif isinstance(answer, RateLimitError):  # it asks for rest, whatever it was asked
            self.book.heed(name, [answer], settings.cool_down)
        elif answer.retryable or isinstance(answer, CredentialsError):
            book.heard(name, Heard(errors=[answer]), settings)

    def health(self) -> dict[str, dict[str, Any]]:
        """Say of each source how it stands, as plain data."""
        self.present()
        blank = {"status": "absent", "score": 0.0, "errors": 0, "until": None}
        absent = {
            name: {**blank, "reason": str(why), "reasons": [str(why)]}
            for name, why in self._lineup.absent().items()
        }
        standings = self.book.standings() | absent
        return {name: standings[name] for name in self.names}

    def compared(self, name: str, agreed: bool) -> None:
        """Note whether another source bore out a source's answer."""
        self.book.compared(name, agreed)
        self.metrics.compared(name, agreed)

    def counted(self) -> dict[str, Any]:
        """Give what was asked and answered so far, as plain data."""
        return self.metrics.plain(self.names, self.book.requests())

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
            for book in (self.book, *self._beside.values()):
                book.reset(name)
        elif name in USUAL:
            log.info("%s is not among the sources: there is nothing to reset", name)
        else:
            expected = " or ".join(map(repr, self.names))
            raise UsageError("no such source", expected=expected, got=repr(source))

    def present(self) -> dict[str, DataSource]:
        """Give the sources that there are, by name."""
        present = self._lineup.present()
        self.book.enroll(present)
        return present

    def _turn(self, failover: Failover, apart_from: Collection[str]) -> dict[str, DataSource]:
        """Those who can be asked, in order; why the others cannot is noted.

        Nobody is worth a try for a second opinion: then those that are disabled are left alone.
        """
        for name, absence in self._lineup.absent().items():
            failover.skip(name, absence)
        suited: dict[str, DataSource] = {}
        for name, source in self.present().items():
            if name in apart_from:
                continue
            if why := unsuited(source, failover.request, failover.now):
                failover.skip(name, why)
            else:
                suited[name] = source
        turn = self.book.admitted(list(suited), last_resort=not apart_from)
        for name in suited:
            if not self.book.may_again(name):
                failover.skip(name, self.book.barred(name), blame=True)
            elif suspicion := self.book.suspicion(name):
                failover.blamed[name] = suspicion
        return {name: suited[name] for name in turn}


def _check_callback(name: str, callback: object) -> None:
    if callback is None:
        return
    said = [callback, vars(type(callback)).get("__call__")]  # a function, or an object like one
    if callable(callback) and not any(map(inspect.iscoroutinefunction, said)):
        return
    expected = "a plain function, called where the event loop runs"
    hint = f"{name}=queue.put_nowait, and await the queue elsewhere"
    raise UsageError(f"no such {name}", expected=expected, got=repr(callback), hint=hint)
