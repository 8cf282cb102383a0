"""Where questions for bars arrive: answered from memory, by whoever is asked already, or anew."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

import attrs

from .._core.bar import Bar
from .._core.bars import Bars
from .._core.calendar import calendar_for
from .._core.clock import Clock, from_ns, to_ns
from .._core.errors import NoDataError, SourceError
from .._core.request import BarsRequest, Fetched, calendar_of
from .._core.timeframe import Timeframe
from ._cache import NEVER, BarsCache, Entry
from ._disk_cache import DiskCache
from ._failover import Failover
from ._freshness import next_close
from ._inquiry import Inquiry
from ._known import Known, unsettled
from ._ledger import running
from ._live import comparably_long_before, listen
from ._parts import asked_of
from ._pool import SourcePool
from ._settings import Settings
from ._single_flight import SingleFlight
from ._stream import follow
from ._window import last_close

# A source's own stream mends what it can within five seconds of a close; then it is our turn.
_SETTLE = timedelta(seconds=8)
_GRACE = 0.5  # seconds for an answer, or its error, to come from another caller's event loop
# Bars to ask for at least: from fewer cannot be seen how many a tape skips, nor who is right.
_TELLING = 60
_SERIES, _WINDOWS = 2_000, 500  # that are remembered
_MICROSECOND = timedelta(microseconds=1)

Key = tuple[str, Timeframe, str, datetime | None]
Answers = dict[str, Bars | SourceError]


class Desk:
    """Answer questions for the newest bars and for those of the past.

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
        self._inquiry = Inquiry(pool, clock, seed, disk)
        self._newest, self._past = BarsCache(_SERIES), BarsCache(_WINDOWS)
        self._flights: SingleFlight[BarsRequest, Bars | SourceError] = SingleFlight()

    def kept(
        self, symbol: str, timeframe: Timeframe, limit: int, settings: Settings
    ) -> Entry | None:
        """Find an answer that is still the newest, and will do."""
        entry = self._found((symbol, timeframe, settings.adjustment, None), limit, settings)
        if entry:
            self._pool.metrics.memory_hit()
        return entry

    async def many(self, request: BarsRequest, settings: Settings) -> Fetched:
        """Give bars of many symbols: the newest where none has closed since the end, else the past.

        Parameters
        ----------
        request : BarsRequest
            With a limit, and with an end or without.
        settings : Settings
            At what cost.

        Returns
        -------
        Fetched
            Every symbol.
        """
        asked = attrs.evolve(request, end=await self._over(request))
        answers = await self._kept_or_asked(asked, settings)
        if asked.end is None and (end := await self._over(request)):
            # A bar has closed meanwhile: it came too, or has cost the oldest one its place.
            unlike = tuple(s for s, bars in answers.bars.items() if not _fits(bars, request, end))
            if unlike:
                past = attrs.evolve(request, symbols=unlike, end=end)
                answers = _updated(answers, await self._kept_or_asked(past, settings))
        return answers

    async def fetch(self, request: BarsRequest, settings: Settings) -> Fetched:
        """Give bars that are not at hand, each symbol's asked for once however many want it now.

        Parameters
        ----------
        request : BarsRequest
            With a limit; for the newest bars without an end.
        settings : Settings
            At what cost.

        Returns
        -------
        Fetched
            Every symbol.
        """
        # Who wants ten bars shares the question of who wants twenty.
        asked = attrs.evolve(request, limit=max(request.limit or 1, _TELLING))
        answer = self._once(asked, settings, request.limit)
        fetched = await self._pool.metrics.counted(len(request.symbols), answer)
        bars = {symbol: _newest(each, request.limit) for symbol, each in fetched.bars.items()}
        return attrs.evolve(fetched, bars=bars)

    def stream(
        self,
        symbols: tuple[str, ...],
        timeframe: Timeframe,
        settings: Callable[[], Settings],
    ) -> AsyncGenerator[Bar]:
        """Follow bars: what a source's own stream tells is fast, and questions mend it.

        Parameters
        ----------
        symbols : tuple of str
            Whose.
        timeframe : Timeframe
            Length of the bars.
        settings : callable
            Tells at what cost each question is put.

        Returns
        -------
        async generator of Bar
            As `follow` gives them.
        """

        async def fetch(request: BarsRequest) -> Fetched:
            now = settings()
            asked = attrs.evolve(request, adjustment=now.adjustment)
            if now.cross_check != "off" and request.start is not None:
                asked = attrs.evolve(asked, start=comparably_long_before(request))
            return (await self._ask(asked, now)).result()

        def is_enough() -> bool:
            return settings().cross_check != "always"

        def trusts(name: str) -> bool:
            return self._inquiry.trusts(name, settings().trusted)

        return follow(
            fetch,
            symbols,
            timeframe,
            clock=self._clock,
            calendar=calendar_of,
            line=partial(listen, self._pool, symbols, is_enough, trusts),
            settle=_SETTLE,
        )

    async def _over(self, request: BarsRequest) -> datetime | None:
        """Give the last close before an end that is over; None where no bar has closed since."""
        now, end, timeframe = self._clock.now(), request.end, request.timeframe
        if end is None or end >= now:
            return None
        await self._pool.ready(request.symbols)
        calendars = [calendar_for(code) for code in set(map(calendar_of, request.symbols))]
        if all(running(each, timeframe, to_ns(end))[1] > to_ns(now) for each in calendars):
            return None
        # All who mean the same bars ask for the same.
        return max(last_close(each, timeframe, end) for each in calendars)

    async def _kept_or_asked(self, request: BarsRequest, settings: Settings) -> Fetched:
        limit = request.limit or 1
        kept = {
            each.symbols[0]: entry.newest(limit)
            for each in _each(request)
            if (entry := self._found(_key(each), limit, settings))
        }
        self._pool.metrics.memory_hit(len(kept))
        missing = tuple(symbol for symbol in request.symbols if symbol not in kept)
        fetched = await self.fetch(asked_of(request, missing), settings) if missing else Fetched()
        bars = kept | fetched.bars
        return Fetched({s: bars[s] for s in request.symbols if s in bars}, fetched.failures)

    async def _once(self, request: BarsRequest, settings: Settings, wanted: int | None) -> Fetched:
        """Share each symbol's question with all who ask it now, in whatever thread and loop."""
        own: set[BarsRequest] = set()

        async def flown(asked: tuple[BarsRequest, ...]) -> dict[BarsRequest, Bars | SourceError]:
            own.update(asked)
            # Another's question may have been answered since these were looked for.
            kept = {
                each: entry.bars
                for each in asked
                if (entry := self._found(_key(each), each.limit or 1, settings))
            }
            rest = tuple(symbol for each in asked if each not in kept for symbol in each.symbols)
            answers = await self._fetch(asked_of(request, rest), settings, wanted) if rest else {}
            return {each: kept.get(each) or answers[each.symbols[0]] for each in asked}

        # Whoever else began a flight may be held up: nobody waits for it longer than for one's own.
        seconds = settings.timeout.total_seconds() + _GRACE
        try:
            shared = await self._flights.share(_each(request), flown, seconds)
        except TimeoutError:
            nobody = Failover(request, self._clock)
            return _sorted(
                {
                    s: self._stale(s, nobody, settings) or _held_up(s, seconds)
                    for s in request.symbols
                }
            )
        self._pool.metrics.shared(len(request.symbols) - len(own))
        return _sorted(
            {symbol: answer for each, answer in shared.items() for symbol in each.symbols}
        )

    async def _fetch(self, request: BarsRequest, settings: Settings, wanted: int | None) -> Answers:
        """Ask, and keep the answers; an old one may stand in for a failure."""
        known = self._remembered(request) if request.end is None else {}
        failover = await self._ask(request, settings, known, wanted)
        for symbol in failover.lasting:
            self._keep(failover, symbol, settings)
        failures = {
            symbol: self._stale(symbol, failover, settings) or failure
            for symbol, failure in failover.result().failures.items()
        }
        return {**failover.bars, **failures}

    async def _ask(
        self,
        request: BarsRequest,
        settings: Settings,
        known: Mapping[str, Known] | None = None,
        wanted: int | None = None,
    ) -> Failover:
        """Put a question, and forget what those have answered who are shown to be wrong."""
        failover = await self._inquiry.ask(request, settings, known, wanted)
        for giver in failover.expelled:
            self._newest.forget(giver)
            self._past.forget(giver)
        return failover

    def _keep(self, failover: Failover, symbol: str, settings: Settings) -> None:
        """Keep an answer: if it is the newest, or of a past that can no longer be corrected."""
        giver, bars, request = failover.answered_by[symbol], failover.bars[symbol], failover.request
        can, is_past = self._pool.source(giver).capabilities, request.end is not None
        is_doubtful, wanted = self._is_doubtful(failover, symbol), failover.wanted or 0
        is_refused = symbol in failover.refused  # then only the next one is held against it
        if request.end is not None:
            settles = request.end + unsettled(request.timeframe, can.settle)
            if is_refused or settles > failover.now:
                return
        entry = Entry(
            giver,
            bars,
            # Where fewer came than were asked for, nobody has looked for more than were wanted.
            asked=max(wanted, len(bars)),
            stored=failover.now,
            settle=can.settle,
            renewed=NEVER if is_past else next_close(bars) + can.delay // _MICROSECOND * 1_000,
            checked=settings.cross_check == "always",
            is_doubtful=is_doubtful,
            is_refused=is_refused,
            is_for_good=is_past and not is_doubtful and _is_for_good(bars, wanted),
        )
        self._cache(request).put(_key(asked_of(request, (symbol,))), entry)

    def _is_doubtful(self, failover: Failover, symbol: str) -> bool:
        """Whether no trade should be opened on an answer, whoever is trusted then."""
        bars, giver = failover.bars[symbol], failover.answered_by[symbol]
        is_sound = bars.stale_since is None and symbol not in failover.unconfirmed
        return not (is_sound and self._inquiry.trusts(giver, None))

    def _found(self, key: Key, limit: int, settings: Settings) -> Entry | None:
        """Find an answer that lasts, and say whether it is to be trusted."""
        cache, now = self._newest if key[-1] is None else self._past, self._clock.now()
        entry = cache.get(key, now)
        if entry is None or not entry.will_do(limit, now, settings.cache_duration):
            return None
        if entry.is_refused or (settings.cross_check == "always" and not entry.checked):
            return None
        doubtful = entry.is_doubtful or entry.is_beyond_settle(now)
        return entry.vouched(not doubtful and self._inquiry.trusts(entry.giver, settings.trusted))

    def _remembered(self, request: BarsRequest) -> dict[str, Known]:
        """Give what is known of series, though it is out of date."""
        now, known = self._clock.now(), {}
        for each in _each(request):
            if entry := self._cache(each).get(_key(each), now):
                is_whole = len(entry.bars) >= (request.limit or 1) and not entry.bars.dropped
                known[each.symbols[0]] = Known(
                    entry.giver, entry.bars, entry.stored, is_complete=is_whole
                )
        return known

    def _stale(self, symbol: str, failover: Failover, settings: Settings) -> Bars | None:
        """Give the newest bars that anybody has, marked, where they are not too old."""
        if settings.max_stale is None:
            return None
        request, now = asked_of(failover.request, (symbol,)), failover.now
        end = min(request.end or now, now)
        found = [
            (bars, known)
            for known in self._held(request, failover)
            if len(bars := known.bars.until(end))
        ]
        if not found:
            return None
        bars, known = max(found, key=lambda each: (each[0].close_time[-1], len(each[0])))
        close = from_ns(next_close(bars))
        due = close + self._pool.source(known.giver).capabilities.delay
        is_newest = close > end or due > now  # there is nothing newer: it is the answer that ages
        if not is_newest and now - due > settings.max_stale:
            return None
        since = known.since if is_newest else due
        newest = _newest(bars, request.limit)
        return newest._replace(stale_since=since, trusted_for_entries=False)

    def _held(self, request: BarsRequest, failover: Failover) -> list[Known]:
        """Give all that is known of a symbol's bars, whoever told it."""
        symbol, now = request.symbols[0], failover.now
        asked = request, attrs.evolve(request, end=None)  # which may reach back to its end
        entries = [self._cache(each).get(_key(each), now) for each in asked]
        refused = {entry.giver for entry in entries if entry and entry.is_refused}
        held = [self._remembered(each).get(symbol) for each in asked]
        held.append(failover.known.get(symbol))
        if behind := failover.behind.get(symbol):
            held.append(Known(*behind, failover.now))
        unfit = failover.expelled | refused
        return [known for known in held if known and known.giver not in unfit]

    def _cache(self, question: BarsRequest) -> BarsCache:
        return self._newest if question.end is None else self._past


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


def _newest(bars: Bars, limit: int | None) -> Bars:
    """Give no more bars than are wanted."""
    return bars if limit is None or len(bars) <= limit else bars[-limit:]


def _fits(bars: Bars, request: BarsRequest, end: datetime) -> bool:
    """Whether bars are as many as are wanted, and complete by an end."""
    return len(bars) >= (request.limit or 1) and int(bars.close_time[-1]) <= to_ns(end)


def _is_for_good(bars: Bars, wanted: int) -> bool:
    """Whether settled bars are all that there will ever be, at prices that will not change."""
    is_whole = len(bars) >= wanted and not bars.dropped and not bars.gap_before.any()
    return is_whole and bars.adjustment == "raw"


def _key(question: BarsRequest) -> Key:
    return question.symbols[0], question.timeframe, question.adjustment, question.end


def _each(request: BarsRequest) -> list[BarsRequest]:
    """The same question of each symbol."""
    return [asked_of(request, (symbol,)) for symbol in request.symbols]


def _sorted(answers: Answers) -> Fetched:
    """Put answers by symbol where they belong."""
    bars = {s: answer for s, answer in answers.items() if isinstance(answer, Bars)}
    failures = {s: answer for s, answer in answers.items() if isinstance(answer, SourceError)}
    return Fetched(bars, failures)


def _updated(answers: Fetched, newer: Fetched) -> Fetched:
    return _sorted({**answers.failures, **answers.bars, **newer.failures, **newer.bars})
