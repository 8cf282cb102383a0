"""Where questions for bars arrive: answered from memory, by whoever is asked already, or anew."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from datetime import timedelta
from time import monotonic

import attrs

from .._core.bar import Bar
from .._core.bars import Bars
from .._core.candidate import Candidate
from .._core.clock import Clock, from_ns
from .._core.errors import NoDataError, SourceError
from .._core.request import BarsRequest, Fetched
from .._core.source import DataSource
from .._core.timeframe import Timeframe
from .._core.words import words
from ._archive import Archive
from ._cache import BarsCache, Entry, Key
from ._failover import Failover, nobody
from ._flights import Flights
from ._jury import Jury
from ._panel import Panel
from ._stream import follow
from ._tail import Known
from ._terms import Terms
from ._window import calendar_of

log = logging.getLogger("tradekit.data")

# A source's own stream mends what it can within five seconds of a close; then it is our turn.
_SETTLE = timedelta(seconds=8)
_GRACE = 0.5  # seconds for an answer, or its error, to come from another caller's event loop
_COMPARABLE = 3  # bars, without which two answers cannot be compared
_MANY = 2_000
_DISK = 0.5  # seconds that a look on disk may take
_AGAIN = 20.0  # seconds until a stream that broke is tried again

Question = tuple[str, Timeframe, str, int]


class Desk:
    """Answer questions for the newest bars and for those of the past.

    Parameters
    ----------
    panel : Panel
        Who can be asked.
    clock : Clock
        Who says what time it is.
    seed : int
        Of what is left to chance: which answers are held against others.
    archive : Archive, optional
        Where settled answers are kept on disk.
    """

    def __init__(
        self, panel: Panel, clock: Clock, seed: int, archive: Archive | None = None
    ) -> None:
        self._panel, self._clock = panel, clock
        self._jury, self._archive = Jury(panel, seed), archive
        self._cache = BarsCache()
        self._flights: Flights[Question, Bars | SourceError] = Flights()

    def kept(
        self, key: Key, limit: int, lasting: timedelta, trusted: Sequence[str] | None
    ) -> Entry | None:
        """Find an answer that is still the newest, and was given no longer ago."""
        now = self._clock.now()
        entry = self._cache.get(key, limit, now, lasting)
        if entry is None or not entry.bars.trusted_for_entries:
            return entry
        fresh = now - entry.stored <= entry.settle
        return entry if fresh and self._trusts(entry.giver, trusted) else entry.untrusted()

    async def newest(
        self,
        symbols: Sequence[str],
        timeframe: Timeframe,
        limit: int,
        terms: Terms,
    ) -> Fetched:
        """Give the newest bars of symbols, each asked for once however many want it now.

        Parameters
        ----------
        symbols : sequence of str
            Whose.
        timeframe : Timeframe
            Length of the bars.
        limit : int
            How many.
        terms : Terms
            At what cost.

        Returns
        -------
        Fetched
            Every symbol.
        """

        async def fly(asked: tuple[Question, ...]) -> dict[Question, Bars | SourceError]:
            names = [symbol for symbol, *_ in asked]
            most = self._most(names, timeframe, limit, terms)
            request = BarsRequest(names, timeframe, limit=most, adjustment=terms.adjustment)
            answers = await self._fetch(request, terms)
            return {question: _newest(answers[question[0]], limit) for question in asked}

        questions = [(symbol, timeframe, terms.adjustment, limit) for symbol in symbols]
        # Whoever else began a flight may be held up: nobody waits for it longer than for one's own.
        seconds = terms.timeout.total_seconds() + _GRACE
        try:
            shared = await asyncio.wait_for(self._flights.share(questions, fly), seconds)
        except TimeoutError:
            return Fetched(failures={symbol: _held_up(symbol, seconds) for symbol in symbols})
        return _sorted({question[0]: answer for question, answer in shared.items()})

    async def window(self, request: BarsRequest, terms: Terms) -> Fetched:
        """Give bars of a window, or of the past.

        Parameters
        ----------
        request : BarsRequest
            With an end.
        terms : Terms
            At what cost.

        Returns
        -------
        Fetched
            Every symbol.
        """
        failover, answers = await self._ask(request, terms)
        return Fetched(answers, failover.result().failures)

    async def discover(self, category: str, limit: int, terms: Terms) -> tuple[Candidate, ...]:
        """Ask which symbols the sources propose; the first that proposes any is heard.

        Parameters
        ----------
        category : str
            What to look for.
        limit : int
            At most so many.
        terms : Terms
            At what cost.

        Returns
        -------
        tuple of Candidate
            None when those who could look found none.

        Raises
        ------
        NoDataError
            When no source could look.
        """
        causes: dict[str, SourceError] = {}
        looked = False
        answers = self._panel.answers(
            "_discover", lambda source: source.discover(category, limit), causes, terms
        )
        async with aclosing(answers):
            async for found in answers:
                if found:
                    return found
                looked = True
        if looked:
            return ()
        raise nobody(f"can look for {category!r}", causes)

    async def quotes(
        self, symbols: tuple[str, ...], terms: Terms
    ) -> dict[str, Mapping[str, float]]:
        """Ask for the latest bid and ask; each symbol's come from the first source that has them.

        Parameters
        ----------
        symbols : tuple of str
            Whose.
        terms : Terms
            At what cost.

        Returns
        -------
        dict of str to mapping
            For every symbol.

        Raises
        ------
        NoDataError
            When a symbol cannot be quoted; ``found`` has the others.
        """
        missing = symbols
        quoted: dict[str, Mapping[str, float]] = {}
        causes: dict[str, SourceError] = {}
        answers = self._panel.answers(
            "_quotes", lambda source: source.quotes(missing), causes, terms
        )
        async with aclosing(answers):
            async for found in answers:
                quoted |= {symbol: found[symbol] for symbol in missing if symbol in found}
                if not (missing := tuple(s for s in missing if s not in quoted)):
                    return quoted
        raise nobody(f"has quotes of {', '.join(missing)}", causes, found=quoted)

    def stream(
        self,
        symbols: tuple[str, ...],
        timeframe: Timeframe,
        terms: Callable[[], Terms],
    ) -> AsyncGenerator[Bar]:
        """Follow bars: what a source's own stream tells is fast, and questions mend it.

        Parameters
        ----------
        symbols : tuple of str
            Whose.
        timeframe : Timeframe
            Length of the bars.
        terms : callable
            Tells at what cost each question is put.

        Returns
        -------
        async generator of Bar
            As `follow` gives them.
        """

        async def fetch(request: BarsRequest) -> Fetched:
            now = terms()
            return await self.window(attrs.evolve(request, adjustment=now.adjustment), now)

        async def listen(hear: Callable[[Bar], None]) -> None:
            while True:
                # Only who answers questions too: bars of two sources are not to be mixed.
                name, source = self._panel.first()
                if source is not None and source.capabilities.streams:
                    await self._heard(name, source, symbols, hear)
                await asyncio.sleep(_AGAIN)

        return follow(
            fetch,
            symbols,
            timeframe,
            clock=self._clock,
            calendar=calendar_of,
            line=listen,
            settle=_SETTLE,
        )

    async def _heard(
        self,
        name: str,
        source: DataSource,
        symbols: tuple[str, ...],
        hear: Callable[[Bar], None],
    ) -> None:
        """Listen to a source's own stream of minutes until it breaks, or another answers."""
        try:
            async for minute in source.stream(symbols, "1Min"):
                if self._panel.first()[0] != name:
                    return
                hear(minute)
        except SourceError as error:
            log.warning("%s streams no more, and is asked instead: %s", name, error)

    async def _fetch(self, request: BarsRequest, terms: Terms) -> dict[str, Bars | SourceError]:
        """Ask for the newest bars, and keep them; an old answer may stand in for a failure."""
        failover, bars = await self._ask(request, terms, self._remembered(request))
        for symbol, answer in bars.items():
            if symbol not in failover.unconfirmed:
                self._keep(request, failover, symbol, answer)
        failures = {
            symbol: self._stale(symbol, request, terms) or failure
            for symbol, failure in failover.result().failures.items()
        }
        return {**bars, **failures}

    def _most(self, symbols: Sequence[str], timeframe: Timeframe, limit: int, terms: Terms) -> int:
        """Tell how many bars to ask for: as many as are known, for only their end travels."""
        now, least = self._clock.now(), limit if terms.cross_check == "off" else _COMPARABLE
        keys = [(symbol, timeframe, terms.adjustment) for symbol in symbols]
        known = [entry.asked for key in keys if (entry := self._cache.last(key, 1, now))]
        return max(limit, least, *(asked for asked in known if asked <= _MANY), 1)

    def _keep(self, request: BarsRequest, failover: Failover, symbol: str, bars: Bars) -> None:
        giver, asked = failover.answered_by[symbol], request.limit or len(bars)
        can = self._panel.source(giver).capabilities
        entry = Entry(giver, bars, asked, failover.now, can.delay, can.settle)
        self._cache.put(_key(request, symbol), entry)

    def _remembered(self, request: BarsRequest) -> dict[str, Known]:
        """Give what is known of the newest bars, though they are out of date."""
        now = self._clock.now()
        return {
            symbol: Known(entry.giver, entry.bars, entry.stored)
            for symbol in request.symbols
            if (entry := self._cache.last(_key(request, symbol), request.limit or 1, now))
        }

    async def _ask(
        self, request: BarsRequest, terms: Terms, known: Mapping[str, Known] | None = None
    ) -> tuple[Failover, dict[str, Bars]]:
        ends = monotonic() + terms.timeout.total_seconds()
        beginnings = {**await self._archived(request, known or {}), **(known or {})}
        failover = await self._panel.ask(request, terms, known=beginnings)
        await self._jury.judge(failover, terms, ends)
        self._put_away(failover)
        return failover, {
            symbol: self._vouched(failover, symbol, terms) for symbol in failover.bars
        }

    async def _archived(self, request: BarsRequest, known: Mapping[str, Known]) -> dict[str, Known]:
        """Look on disk for what memory does not know."""
        rest = tuple(symbol for symbol in request.symbols if symbol not in known)
        if self._archive is None or not rest:
            return {}
        asked = attrs.evolve(request, symbols=rest)
        looking = asyncio.to_thread(
            self._archive.known, self._panel.present(), asked, self._clock.now()
        )
        with suppress(TimeoutError):  # another process writes: then it is asked for as a whole
            return await asyncio.wait_for(looking, _DISK)
        return {}

    def _put_away(self, failover: Failover) -> None:
        """Write to disk beside what goes on: nobody waits for it, but the end of the event loop."""
        if self._archive is None:
            return
        answers = [
            (bars, self._panel.source(failover.answered_by[symbol]).capabilities.settle)
            for symbol, bars in failover.bars.items()
            if symbol not in failover.unconfirmed
        ]
        asyncio.get_running_loop().run_in_executor(None, self._archive.keep, answers, failover.now)

    def _vouched(self, failover: Failover, symbol: str, terms: Terms) -> Bars:
        """Say of an answer whether trades may be opened on it."""
        giver, bars = failover.answered_by[symbol], failover.bars[symbol]
        sound = symbol not in failover.unconfirmed and self._trusts(giver, terms.trusted)
        return bars._replace(trusted_for_entries=True) if sound else bars

    def _trusts(self, giver: str, trusted: Sequence[str] | None) -> bool:
        allowed = trusted is None or giver in words(trusted)
        return allowed and not self._panel.book.is_quarantined(giver)

    def _stale(self, symbol: str, request: BarsRequest, terms: Terms) -> Bars | None:
        """Give the last good answer, marked, where it is not too old."""
        last = self._cache.last(_key(request, symbol), request.limit or 1, self._clock.now())
        if last is None or terms.max_stale is None:
            return None
        since = from_ns(last.renewed)
        if self._clock.now() - since > terms.max_stale:
            return None
        bars = last.newest(request.limit or len(last.bars))
        return bars._replace(stale_since=since, trusted_for_entries=False)


def _held_up(symbol: str, seconds: float) -> NoDataError:
    return NoDataError(
        f"no answer for {symbol} came in time",
        retryable=True,
        got=f"nothing within {seconds:.1f} s from another caller's event loop",
        hint="keep event loops free: await asyncio.to_thread(...) for what blocks",
        symbol=symbol,
        fault="late",
    )


def _newest(answer: Bars | SourceError, limit: int) -> Bars | SourceError:
    return answer[-limit:] if isinstance(answer, Bars) and len(answer) > limit else answer


def _key(request: BarsRequest, symbol: str) -> Key:
    return symbol, request.timeframe, request.adjustment


def _sorted(answers: Mapping[str, Bars | SourceError]) -> Fetched:
    """Put answers by symbol where they belong."""
    bars = {s: answer for s, answer in answers.items() if isinstance(answer, Bars)}
    failures = {s: answer for s, answer in answers.items() if isinstance(answer, SourceError)}
    return Fetched(bars, failures)
