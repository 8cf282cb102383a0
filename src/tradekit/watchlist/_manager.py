"""The watchlist: symbols that screens choose, kept calm, and never lost to a failing provider."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from .. import plugins
from .._core.blocking import Blocking
from .._core.calendar import calendar_for
from .._core.clock import Clock, SystemClock, from_ns, to_ns
from .._core.errors import UsageError
from .._core.event import WatchlistChanged
from .._core.figures import duration
from .._core.source import BarsProvider
from .._core.timeframe import Timeframe
from ._calm import Calm
from ._caps import Caps
from ._filters import Eligibility, last_close
from ._inquiry import CORE, LISTED, MOST_LISTED, Answer, daily_bars, propose
from ._members import STANDING, WatchlistCategory, WatchlistMember, names, ordered, standing
from ._record import Record, Status
from ._screens import chosen_screens, proposals
from ._verdict import Verdict

_LOG = logging.getLogger("tradekit.watchlist")
_WAIT = timedelta(minutes=2)
_PATIENCE = timedelta(minutes=5)  # a daily bar comes some minutes after its close
_STAND_INS = 60  # symbols of the universe that are watched until a first ranking
_LOOKBACK = 60  # of a screen that does not say
_MANY, _ONE = "fetch_many", "get_market_data"


class DynamicWatchlistManager:
    """Find the symbols to watch, from the daily bars of a universe.

    A refresh proposes (screens), refuses (eligibility), chooses (caps, with calm), adds what is
    held, and takes out what is blacklisted; a held symbol stays all the same, for its exit needs
    data. It happens once a session, so a loop may call `update_watchlists` every minute.

    Parameters
    ----------
    universe : str or iterable of str, optional
        Symbols to choose from. By default those that the data manager discovers, and some 60
        liquid US names.
    screens : iterable of str or Screen, optional
        Registered names, or anything with a ``category`` and a ``rank``; a ``lookback`` says how
        many daily bars it wants (60 by default). All registered screens by default.
    static : str or iterable of str
        Always watched, outside the caps.
    blacklist : str or iterable of str
        Never watched unless held; the set may be edited at any time.
    eligibility : Eligibility, optional
        Who may be on the list.
    calm : Calm, optional
        How reluctantly the list changes.
    clock : Clock, optional
        Who says what time it is; the machine's clock by default.
    timeout : timedelta
        How long one question to the data manager may take.

    Raises
    ------
    UsageError
        When a symbol, a screen or the timeout is none.
    PluginError
        When a registered screen cannot be loaded.

    Notes
    -----
    A provider that fails does not empty the list: the last good one stays, marked stale, and a
    member whose bars alone are missing stays as well. Until a first ranking succeeds, the first 60
    of the universe stand in as static.

    Examples
    --------
    >>> import asyncio
    >>> from datetime import UTC
    >>> from tradekit import FixedClock
    >>> from tradekit.data import SimulatedSource
    >>> clock = FixedClock(datetime(2024, 3, 8, 22, tzinfo=UTC))
    >>> source = SimulatedSource(clock=clock)
    >>> class Provider:
    ...     async def fetch_many(self, symbols, timeframe, lookback, end=None):
    ...         from tradekit import BarsRequest
    ...         return await source.fetch(BarsRequest(symbols, timeframe, limit=lookback, end=end))
    >>> watchlist = DynamicWatchlistManager(source.symbols[:40], clock=clock)
    >>> changed = asyncio.run(watchlist.update_watchlists(Provider(), held=["SPY"]))
    >>> changed.categories["trending"], watchlist.get_all_symbols()[0]
    ('ok', 'SPY')
    """

    def __init__(
        self,
        universe: Iterable[str] | None = None,
        *,
        screens: Iterable[Any] | None = None,
        static: Iterable[str] = (),
        blacklist: Iterable[str] = (),
        eligibility: Eligibility | None = None,
        calm: Calm | None = None,
        clock: Clock | None = None,
        timeout: timedelta = _WAIT,
    ) -> None:
        self.universe = None if universe is None else names(universe)
        self.screens = chosen_screens(plugins.names("screens") if screens is None else screens)
        self.static = names(static)
        self.blacklist = set(names(blacklist))
        self.eligibility = eligibility or Eligibility()
        self.calm = calm or Calm()
        self.clock = clock or SystemClock()
        self.timeout = duration(timeout, "no time to wait", "timedelta(minutes=1)")
        self._caps = Caps(self._categories)
        self._records = self._earlier = {category: Record() for category in self._categories}
        self._born = self.clock.now()
        self._again: datetime | None = None  # when it is worth asking
        self._heard = Answer().statistics()
        self._asof: datetime | None = None
        self._unsure = False  # whether the newest ranking was a partial one
        self._held: dict[str, datetime] = {}
        self._told: tuple[str, ...] = ()
        self._lock = threading.Lock()  # never held while anybody waits

    def __repr__(self) -> str:
        return f"<DynamicWatchlistManager: {len(self.get_all_symbols())} symbols>"

    @property
    def blocking(self) -> Blocking[DynamicWatchlistManager]:
        """The same manager for plain scripts: ``watchlist.blocking.update_watchlists(manager)``."""
        return Blocking(self)

    @property
    def max_symbols_per_category(self) -> dict[Any, int]:
        """Caps by category, to be edited or replaced; categories left out get their default."""
        return self._caps

    @max_symbols_per_category.setter
    def max_symbols_per_category(self, caps: Mapping[Any, int]) -> None:
        self._caps = Caps(self._categories, caps)

    async def update_watchlists(
        self, data_manager: BarsProvider, held: Iterable[str] = ()
    ) -> WatchlistChanged:
        """Choose anew when a session has closed since the last time; take note of what is held.

        Parameters
        ----------
        data_manager : BarsProvider
            Whom to ask for daily bars, all symbols at once with ``fetch_many``. It is asked again
            at the next call when it failed, five minutes later when its bars were old, and
            otherwise after the next close.
        held : str or iterable of str
            Symbols with a position or an open order.

        Returns
        -------
        WatchlistChanged
            All symbols, those that came and went since the last call with the reason, and by
            category ``ok``, ``partial`` (fewer than half of the symbols answered), ``stale`` (the
            last good list) or ``failed`` (there never was one).

        Raises
        ------
        UsageError
            When it is no data manager, or held symbols are no names.
        """
        if not any(callable(getattr(data_manager, name, None)) for name in (_MANY, _ONE)):
            expected, got = f"{_MANY} or {_ONE}", repr(data_manager)
            hint = "MultiSourceDataManager()"
            raise UsageError("no data manager", expected=expected, got=got, hint=hint)
        holding, now = names(held), self.clock.now()
        due = self._again is None or now >= self._again
        answer = await self._ask(data_manager, now) if due else None
        with self._lock:
            if answer is not None:
                self._learn(answer, now)
            held_before = self._held
            self._held = {symbol: held_before.get(symbol, now) for symbol in holding}
            return self._changed(now, held_before)

    def get_all_symbols(self) -> list[str]:
        """Give every watched symbol once.

        Returns
        -------
        list of str
            Held ones first, then static ones in their order, then by the best rank in any
            category; equals by name.
        """
        return ordered(self.members())

    def members(self) -> tuple[WatchlistMember, ...]:
        """Give every membership; a symbol may have several.

        Returns
        -------
        tuple of WatchlistMember
            Held and static ones, then category by category, best first.
        """
        held = [
            standing(symbol, WatchlistCategory.HELD, 1, "watched until it is sold", since)
            for symbol, since in sorted(self._held.items())
        ]
        static = [
            standing(symbol, WatchlistCategory.STATIC, rank, why, self._born)
            for rank, (symbol, why) in enumerate(self._always().items(), 1)
        ]
        others = [*static, *self._chosen()]
        return (*held, *(member for member in others if member.symbol not in self.blacklist))

    def get_watchlist_statistics(self) -> dict[str, Any]:
        """Count what is watched, and say where it comes from.

        Returns
        -------
        dict
            ``total_unique_symbols``; ``dynamic_symbols_count``, those that a screen chose;
            ``category_breakdown``, memberships by category, which may add up to more;
            ``discovery_stats``, plain JSON: ``universe`` (asked, answered, why others failed),
            ``feeds`` (proposals of the data manager) and ``categories`` (status, candidates,
            eligible, rejected by reason, not ready by reason, entered, left, ``churn`` as share of
            the list that is new at a refresh, ``median_dwell`` in refreshes).
        """
        members = self.members()
        breakdown = dict.fromkeys([*self._categories, *map(str, STANDING)], 0)
        for member in members:
            breakdown[str(member.category)] += 1
        return {
            "total_unique_symbols": len({member.symbol for member in members}),
            "dynamic_symbols_count": len({m.symbol for m in members if m.category not in STANDING}),
            "category_breakdown": breakdown,
            "discovery_stats": {
                **deepcopy(self._heard),
                "categories": {name: kept.statistics() for name, kept in self._records.items()},
            },
        }

    @property
    def _categories(self) -> list[str]:
        return [str(screen.category) for screen in self.screens]

    @property
    def _core(self) -> tuple[str, ...]:
        return CORE if self.universe is None else self.universe

    @property
    def _lookback(self) -> int:
        wanted = (getattr(screen, "lookback", _LOOKBACK) for screen in self.screens)
        return max(self.eligibility.lookback, *wanted)

    def _always(self) -> dict[str, str]:
        """Static symbols; until a first ranking those that stand in as well."""
        stand_ins = self._core[:_STAND_INS] if self._asof is None else ()
        reasons = dict.fromkeys([*self.static, *stand_ins], "watched until a first ranking")
        return reasons | dict.fromkeys(self.static, "always watched")

    def _chosen(self) -> list[WatchlistMember]:
        # A cap that was lowered holds at once; one that was raised, from the next refresh on.
        records = self._records.items()
        return [m for name, record in records for m in record.members[: self._caps.of(name)]]

    async def _ask(self, provider: Any, now: datetime) -> Answer:
        proposed: tuple[str, ...] = ()
        feeds: dict[str, dict[str, Any]] = {}
        if self.universe is None:
            wanted = {name: 2 * self._caps.of(name) for name in self._categories}
            proposed, feeds = await propose(provider, wanted | {LISTED: MOST_LISTED}, self.timeout)
        known = dict.fromkeys([*self._core, *proposed, *(m.symbol for m in self._chosen())])
        asked = tuple(symbol for symbol in known if symbol not in self.blacklist)
        bars, failures = await daily_bars(provider, asked, self._lookback, now, self.timeout)
        return Answer(asked, bars, failures, feeds)

    def _learn(self, answer: Answer, now: datetime) -> None:
        self._heard, asof = answer.statistics(), answer.asof
        if asof is None:
            self._keep(answer.problem or "no symbols to ask for")
            self._again = now
            return
        verdict = Verdict.of(answer, self.eligibility, asof)
        newer = self._asof is None or asof > self._asof
        if newer or (self._unsure and asof == self._asof):
            self._earlier = self._records if newer else self._earlier
            self._records = {
                str(screen.category): self._refreshed(screen, answer, verdict)
                for screen in self.screens
            }
            self._asof, self._unsure = asof, verdict.partial
        late = to_ns(asof) < last_close(to_ns(now))
        if late:
            self._keep(f"the newest daily bar is of {asof:%Y-%m-%d %H:%M} UTC")
        elif verdict.partial:
            _LOG.warning("the watchlist is partial: %s", verdict.problem)
        self._again = _next(now, again=late or verdict.partial, soon=not late and answer.retryable)

    def _keep(self, problem: str) -> None:
        _LOG.warning("the watchlist is not fresh: %s", problem)
        self._records = {name: record.kept(problem) for name, record in self._records.items()}

    def _refreshed(self, screen: Any, answer: Answer, verdict: Verdict) -> Record:
        record = self._earlier[str(screen.category)]
        try:
            ranking, unready = proposals(screen, answer.bars, verdict.asof)
        except Exception as error:  # a user's screen must not take the others down
            _LOG.warning("the screen %r failed", screen, exc_info=True)
            return record.kept(f"{type(error).__name__}: {error}")
        rejected = {c.symbol: why for c in ranking if (why := verdict.rejected.get(c.symbol))}
        eligible = [candidate for candidate in ranking if candidate.symbol not in rejected]
        members, left = self.calm.settle(
            record.members,
            eligible,
            self._caps.of(screen.category),
            verdict.asof,
            barred=verdict.barred | dict.fromkeys(self.blacklist, "blacklisted"),
            unseen={*verdict.unseen, *unready},
        )
        return record.refreshed(
            members,
            left,
            verdict.asof,
            status=Status.PARTIAL if verdict.partial else Status.OK,
            problem=verdict.problem,
            candidates=len(ranking),
            eligible=len(eligible),
            rejected=rejected,
            unready=unready,
        )

    def _changed(self, now: datetime, held_before: Mapping[str, datetime]) -> WatchlistChanged:
        members = self.members()
        symbols, before, self._told = ordered(members), self._told, tuple(ordered(members))
        reasons = {m.symbol: f"{m.category} {m.rank}: {m.reason}" for m in reversed(members)}
        gone = [symbol for symbol in before if symbol not in reasons]
        return WatchlistChanged(
            now,
            symbols=symbols,
            added={symbol: reasons[symbol] for symbol in symbols if symbol not in before},
            removed={symbol: self._why_gone(symbol, held_before) for symbol in gone},
            categories={name: str(record.status) for name, record in self._records.items()},
        )

    def _why_gone(self, symbol: str, held_before: Mapping[str, datetime]) -> str:
        if symbol in self.blacklist:
            return "blacklisted"
        if symbol in held_before:
            return "no longer held"
        records = self._records.items()
        left = [f"{name}: {kept.left[symbol]}" for name, kept in records if symbol in kept.left]
        return "; ".join(left) or "no screen chose it"


def _next(now: datetime, *, again: bool, soon: bool) -> datetime:
    """When it is worth asking: after the next close, unless this answer was not the last word."""
    if again:
        return now if soon else now + _PATIENCE
    return from_ns(calendar_for().later(to_ns(now), Timeframe("1Day"), 1))
