"""Where questions for bars arrive: answered from memory, by whoever is asked already, or anew."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

import attrs

from .._core.bar import Bar
from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.clock import Clock, from_ns
from .._core.errors import NoDataError, SourceError
from .._core.request import BarsRequest, Fetched
from .._core.timeframe import Timeframe
from ._archive import Archive
from ._cache import BarsCache, Entry
from ._checks import next_close
from ._failover import Failover
from ._flights import Flights
from ._inquiry import Inquiry
from ._known import Known, unsettled
from ._live import listen
from ._panel import Panel
from ._parts import asked_of
from ._stream import follow
from ._terms import Terms
from ._window import calendar_of, newest_from

# A source's own stream mends what it can within five seconds of a close; then it is our turn.
_SETTLE = timedelta(seconds=8)
_GRACE = 0.5  # seconds for an answer, or its error, to come from another caller's event loop
# Bars to ask for at least: from fewer cannot be seen how many a tape skips, nor who is right.
_TELLING = 60
_COMPARABLE = 3
_MANY = 2_000
_SERIES, _WINDOWS = 2_000, 500  # that are remembered

Key = tuple[str, Timeframe, str]
Answers = dict[str, Bars | SourceError]


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
        self._inquiry = Inquiry(panel, clock, seed, archive)
        self._newest, self._past = BarsCache(_SERIES), BarsCache(_WINDOWS)
        self._flights: Flights[BarsRequest, Bars | SourceError] = Flights()

    def kept(self, key: Key, limit: int, terms: Terms) -> Entry | None:
        """Find an answer that is still the newest, and will do."""
        return self._found(self._newest, key, limit, terms)

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

        async def fly(names: tuple[str, ...]) -> Answers:
            most = self._most(names, timeframe, limit, terms)
            asked = BarsRequest(names, timeframe, limit=most, adjustment=terms.adjustment)
            return await self._fetch(asked, terms, limit)

        if not symbols:
            return Fetched()
        # Who wants ten bars shares the question of who wants twenty.
        most = max(limit, _TELLING)
        request = BarsRequest(symbols, timeframe, limit=most, adjustment=terms.adjustment)
        return _newest(await self._counted(request, terms, fly), limit)

    async def past(self, request: BarsRequest, terms: Terms) -> Fetched:
        """Give bars of the past, each symbol's asked for once however many want it now.

        Parameters
        ----------
        request : BarsRequest
            With an end that is over.
        terms : Terms
            At what cost.

        Returns
        -------
        Fetched
            Every symbol.
        """
        wanted = request.limit
        request = attrs.evolve(request, limit=wanted and max(wanted, _TELLING))

        async def fly(names: tuple[str, ...]) -> Answers:
            failover = await self._ask(asked_of(request, names), terms, wanted=wanted)
            self._keep_past(failover, terms)
            return {**failover.bars, **failover.result().failures}

        questions = {each: each.symbols[0] for each in _each(request)}
        kept = {
            symbol: entry.bars
            for each, symbol in questions.items()
            if (entry := self._found(self._past, each, wanted or 1, terms))
        }
        self._panel.metrics.memory_hit(len(kept))
        if missing := tuple(symbol for symbol in request.symbols if symbol not in kept):
            fetched = await self._counted(asked_of(request, missing), terms, fly)
        else:
            fetched = Fetched()
        return _newest(Fetched({**kept, **fetched.bars}, fetched.failures), wanted)

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
            asked = attrs.evolve(request, adjustment=now.adjustment)
            if now.cross_check != "off" and request.start is not None:
                asked = attrs.evolve(asked, start=_comparably_long_before(request))
            return (await self._ask(asked, now)).result()

        def is_enough() -> bool:
            return terms().cross_check != "always"

        def trusts(name: str) -> bool:
            return self._inquiry.trusts(name, terms().trusted)

        return follow(
            fetch,
            symbols,
            timeframe,
            clock=self._clock,
            calendar=calendar_of,
            line=partial(listen, self._panel, symbols, is_enough, trusts),
            settle=_SETTLE,
        )

    async def _counted(
        self,
        request: BarsRequest,
        terms: Terms,
        fly: Callable[[tuple[str, ...]], Awaitable[Answers]],
    ) -> Fetched:
        asked = self._once(request, terms, fly)
        return await self._panel.metrics.counted(len(request.symbols), asked)

    async def _once(
        self,
        request: BarsRequest,
        terms: Terms,
        fly: Callable[[tuple[str, ...]], Awaitable[Answers]],
    ) -> Fetched:
        """Share each symbol's question with all who ask it now, in whatever thread and loop."""
        own: set[BarsRequest] = set()

        async def flown(asked: tuple[BarsRequest, ...]) -> dict[BarsRequest, Bars | SourceError]:
            own.update(asked)
            # Another's question may have been answered since these were looked for.
            kept = {each: entry.bars for each in asked if (entry := self._at_hand(each, terms))}
            rest = tuple(symbol for each in asked if each not in kept for symbol in each.symbols)
            answers: Answers = await fly(rest) if rest else {}
            return {each: kept.get(each) or answers[each.symbols[0]] for each in asked}

        # Whoever else began a flight may be held up: nobody waits for it longer than for one's own.
        seconds = terms.timeout.total_seconds() + _GRACE
        try:
            shared = await self._flights.share(_each(request), flown, seconds)
        except TimeoutError:
            return Fetched(
                failures={symbol: _held_up(symbol, seconds) for symbol in request.symbols}
            )
        self._panel.metrics.shared(len(request.symbols) - len(own))
        return _sorted(
            {symbol: answer for each, answer in shared.items() for symbol in each.symbols}
        )

    async def _fetch(self, request: BarsRequest, terms: Terms, wanted: int) -> Answers:
        """Ask for the newest bars, and keep them; an old answer may stand in for a failure."""
        failover = await self._ask(request, terms, self._remembered(request, wanted), wanted)
        for symbol in failover.lasting:
            self._newest.put(_key(request, symbol), self._entry(failover, symbol, terms))
        failures = {
            symbol: self._stale(symbol, failover, terms) or failure
            for symbol, failure in failover.result().failures.items()
        }
        return {**failover.bars, **failures}

    def _most(self, symbols: Sequence[str], timeframe: Timeframe, limit: int, terms: Terms) -> int:
        """Tell how many bars to ask for: as many as are known, for only their end travels."""
        now = self._clock.now()
        keys = [(symbol, timeframe, terms.adjustment) for symbol in symbols]
        known = [entry.asked for key in keys if (entry := self._newest.last(key, 1, now))]
        return max(limit, _TELLING, *(asked for asked in known if asked <= _MANY))

    def _keep_past(self, failover: Failover, terms: Terms) -> None:
        """Keep what can no longer be corrected."""
        lasting = failover.lasting
        for question in _each(failover.request):
            symbol, end = question.symbols[0], question.end
            if end is not None and symbol in lasting:
                entry = attrs.evolve(self._entry(failover, symbol, terms), is_past=True)
                if end + unsettled(question.timeframe, entry.settle) <= failover.now:
                    self._past.put(question, entry)

    def _entry(self, failover: Failover, symbol: str, terms: Terms) -> Entry:
        giver, bars = failover.answered_by[symbol], failover.bars[symbol]
        can, checked = self._panel.source(giver).capabilities, terms.cross_check == "always"
        limit, wanted = failover.request.limit or 0, failover.wanted or 0
        # Where fewer came than were asked for, nobody has looked for more than were wanted.
        asked = limit if len(bars) >= limit > 0 else max(wanted, len(bars))
        return Entry(giver, bars, asked, failover.now, can.delay, can.settle, checked)

    async def _ask(
        self,
        request: BarsRequest,
        terms: Terms,
        known: Mapping[str, Known] | None = None,
        wanted: int | None = None,
    ) -> Failover:
        """Put a question, and forget what those have answered who are shown to be wrong."""
        failover = await self._inquiry.ask(request, terms, known, wanted)
        for giver in failover.expelled:
            self._newest.forget(giver)
            self._past.forget(giver)
        return failover

    def _found(self, cache: BarsCache, key: Hashable, limit: int, terms: Terms) -> Entry | None:
        """Find an answer that lasts, and say whether it is still to be trusted."""
        now = self._clock.now()
        entry = cache.get(key, limit, now, terms.cache_duration)
        if entry is None or (terms.cross_check == "always" and not entry.checked):
            return None
        if not entry.bars.trusted_for_entries:
            return entry
        fresh = now - entry.stored <= entry.settle
        trusted = fresh and self._inquiry.trusts(entry.giver, terms.trusted)
        return entry if trusted else entry.untrusted()

    def _at_hand(self, question: BarsRequest, terms: Terms) -> Entry | None:
        if question.end is not None:
            return self._found(self._past, question, question.limit or 1, terms)
        return self.kept(_key(question, question.symbols[0]), question.limit or 1, terms)

    def _remembered(self, request: BarsRequest, wanted: int) -> dict[str, Known]:
        """Give what is known of the newest bars, though they are out of date."""
        now = self._clock.now()
        known = {}
        for symbol in request.symbols:
            if entry := self._newest.last(_key(request, symbol), wanted, now):
                whole = len(entry.bars) >= (request.limit or 1) and not entry.bars.dropped
                known[symbol] = Known(entry.giver, entry.bars, entry.stored, is_complete=whole)
        return known

    def _stale(self, symbol: str, failover: Failover, terms: Terms) -> Bars | None:
        """Give the newest bars that anybody has, marked, where they are not too old."""
        known, behind = failover.known.get(symbol), failover.behind.get(symbol)
        if terms.max_stale is None or (known is None and behind is None):
            return None
        held = [(known.giver, known.bars)] if known else []
        giver, bars = max([*held, *([behind] if behind else [])], key=_last_close)
        since = from_ns(next_close(bars)) + self._panel.source(giver).capabilities.delay
        if since > failover.now and known:  # nothing newer can be there: it is the answer that aged
            since = known.since
        if failover.now - since > terms.max_stale:
            return None
        newest = bars[-(failover.request.limit or len(bars)) :]
        return newest._replace(stale_since=since, trusted_for_entries=False)


def _last_close(answer: tuple[str, Bars]) -> int:
    return int(answer[1].close_time[-1])


def _comparably_long_before(request: BarsRequest) -> datetime:
    """Begin so early that there are bars enough to compare."""
    codes = {calendar_of(symbol) for symbol in request.symbols}
    due = request.start or from_ns(0)
    return min(
        newest_from(calendar_for(code), request.timeframe, due, _COMPARABLE) for code in codes
    )


def _held_up(symbol: str, seconds: float) -> NoDataError:
    return NoDataError(
        f"no answer for {symbol} came in time",
        retryable=True,
        got=f"nothing within {seconds:.1f} s from another caller's event loop",
        hint="keep event loops free: await asyncio.to_thread(...) for what blocks",
        symbol=symbol,
        causes={},
        fault="late",
    )


def _newest(fetched: Fetched, limit: int | None) -> Fetched:
    """Give no more bars than are wanted."""
    if limit is None:
        return fetched
    bars = {s: each[-limit:] if len(each) > limit else each for s, each in fetched.bars.items()}
    return Fetched(bars, fetched.failures)


def _key(request: BarsRequest, symbol: str) -> Key:
    return symbol, request.timeframe, request.adjustment


def _each(request: BarsRequest) -> list[BarsRequest]:
    """The same question of each symbol."""
    return [asked_of(request, (symbol,)) for symbol in request.symbols]


def _sorted(answers: Answers) -> Fetched:
    """Put answers by symbol where they belong."""
    bars = {s: answer for s, answer in answers.items() if isinstance(answer, Bars)}
    failures = {s: answer for s, answer in answers.items() if isinstance(answer, SourceError)}
    return Fetched(bars, failures)
