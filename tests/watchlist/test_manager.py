from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tradekit import (
    BarsRequest,
    Candidate,
    DynamicWatchlistManager,
    FixedClock,
    NoDataError,
    ReplayClock,
    SourceError,
    UsageError,
    WatchlistCategory,
    calendar_for,
)
from tradekit._core.clock import from_ns
from tradekit._core.event import Event
from tradekit.data import SimulatedSource
from tradekit.watchlist import Calm, Eligibility, Gainers

MONDAY = datetime(2024, 3, 11, 20, tzinfo=UTC)  # its close: clocks went forward on Sunday
ANYBODY = Eligibility(min_sessions=2)


@pytest.fixture
def rising(daily):
    """Symbols by how far each rose on one day, in percent."""

    def make(until="2024-03-08", **percents):
        return [daily(s, [100.0, 100.0 + up], until=until) for s, up in percents.items()]

    return make


def gainers(universe, clock, **options):
    """A list of gainers alone, which anybody may be on."""
    options = {"screens": [Gainers()], "eligibility": ANYBODY} | options
    return DynamicWatchlistManager(universe, clock=clock, **options)


def update(watchlist, manager, held=()):
    return asyncio.run(watchlist.update_watchlists(manager, held))


def test_a_list_is_chosen_from_the_bars_of_a_universe(provider, rising, friday):
    watchlist = gainers(list("ABC"), FixedClock(friday))
    changed = update(watchlist, provider(*rising(A=1, B=5, C=-2)))
    assert watchlist.get_all_symbols() == ["B", "A"]
    assert changed.categories == {"gainers": "ok"}
    assert changed.added == {
        "B": "gainers 1: up 5.0% on its last close",
        "A": "gainers 2: up 1.0% on its last close",
    }
    assert (changed.symbols, changed.removed, changed.time) == (("B", "A"), {}, friday)
    assert Event.from_dict(changed.to_dict()) == changed


def test_a_second_call_in_the_same_session_asks_nothing_and_changes_nothing(
    provider, rising, friday
):
    clock, manager = ReplayClock(friday), provider(*rising(A=1, B=5))
    watchlist = gainers(["A", "B"], clock)
    update(watchlist, manager)
    members = watchlist.members()
    clock.move_to(MONDAY - timedelta(seconds=1))
    again = update(watchlist, manager)
    assert len(manager.asked) == 1
    assert (again.added, again.removed, again.symbols) == ({}, {}, ("B", "A"))
    assert watchlist.members() == members


def test_a_refresh_comes_with_the_next_close(provider, rising, friday):
    clock = ReplayClock(friday)
    watchlist = gainers(["A", "B"], clock, calm=Calm(buffer=1, dwell=1))
    update(watchlist, provider(*rising(A=1, B=-5)))
    clock.move_to(MONDAY)
    changed = update(watchlist, provider(*rising("2024-03-11", A=-1, B=5)))
    assert changed.added == {"B": "gainers 1: up 5.0% on its last close"}
    assert changed.removed == {"A": "gainers: no longer a candidate"}


def test_caps_are_kept_and_may_be_edited_or_replaced(provider, rising, friday):
    names = [f"S{i:02d}" for i in range(30)]
    bars = rising(**{name: i + 1 for i, name in enumerate(names)})
    watchlist = gainers(names, FixedClock(friday))
    update(watchlist, provider(*bars))
    assert watchlist.get_all_symbols() == names[:-11:-1]  # ten, the best first
    watchlist.max_symbols_per_category[WatchlistCategory.GAINERS] = 2
    assert watchlist.get_all_symbols() == ["S29", "S28"]
    watchlist.max_symbols_per_category = {WatchlistCategory.TRENDING: 20}
    assert watchlist.max_symbols_per_category["gainers"] == 10
    with pytest.raises(UsageError, match="a cap counts symbols"):
        watchlist.max_symbols_per_category = {WatchlistCategory.TRENDING: 0}


def test_the_promised_caps_are_there():
    caps = DynamicWatchlistManager().max_symbols_per_category
    assert (caps[WatchlistCategory.TRENDING], caps[WatchlistCategory.VOLUME_LEADERS]) == (20, 15)
    assert set(caps) == set(WatchlistCategory) - {"held", "static"}


@pytest.mark.parametrize("error", [OSError("gone"), SourceError("429"), NoDataError("none")])
def test_a_failing_provider_does_not_empty_the_list(error, provider, rising, friday):
    clock = ReplayClock(friday)
    watchlist = gainers(["A", "B"], clock)
    update(watchlist, provider(*rising(A=1, B=5)))
    clock.move_to(MONDAY)
    changed = update(watchlist, provider(down={"*": error}))
    assert watchlist.get_all_symbols() == ["B", "A"]
    assert (changed.categories, changed.removed) == ({"gainers": "stale"}, {})
    recovered = update(watchlist, provider(*rising("2024-03-11", A=3, B=2)))
    assert recovered.categories == {"gainers": "ok"}
    assert watchlist.get_all_symbols() == ["A", "B"]


def test_a_first_call_without_any_answer_watches_the_core_and_says_so(provider, friday, caplog):
    watchlist = DynamicWatchlistManager(clock=FixedClock(friday), static=["BRK.B"])
    changed = update(watchlist, provider(down={"*": OSError("no network")}))
    assert watchlist.get_all_symbols()[:4] == ["BRK.B", "SPY", "QQQ", "IWM"]
    assert set(changed.categories.values()) == {"failed"}
    assert changed.added["SPY"] == "static 2: watched until a first ranking"
    stats = watchlist.get_watchlist_statistics()
    assert (stats["total_unique_symbols"], stats["dynamic_symbols_count"]) == (61, 0)
    universe = stats["discovery_stats"]["universe"]
    assert (universe["asked"], universe["answered"], universe["failed"]) == (60, 0, 60)
    assert "no network" in universe["problem"]
    assert "no network" in caplog.text


def test_the_core_stands_in_only_until_a_first_ranking(provider, rising, friday):
    watchlist = gainers(["A", "B"], FixedClock(friday))
    assert watchlist.get_all_symbols() == ["A", "B"]
    update(watchlist, provider(down={"*": OSError("gone")}))
    changed = update(watchlist, provider(*rising(A=-1, B=5)))
    assert watchlist.get_all_symbols() == ["B"]
    assert changed.removed == {"A": "no screen chose it"}


def test_a_member_whose_bars_alone_are_missing_stays(provider, rising, friday):
    clock = ReplayClock(friday)
    watchlist = gainers(list("ABCD"), clock, calm=Calm(buffer=1, dwell=1))
    update(watchlist, provider(*rising(A=1, B=5, C=2, D=9)))
    clock.move_to(MONDAY)
    bars = rising("2024-03-11", A=1, B=5, C=2, D=9)
    down = {"B": SourceError("slow"), "C": NoDataError("delisted")}
    changed = update(watchlist, provider(*bars, down=down))
    assert watchlist.get_all_symbols() == ["D", "A", "B"]
    assert changed.removed == {"C": "gainers: no daily bars"}
    assert changed.categories == {"gainers": "ok"}


def test_fewer_than_half_of_the_symbols_make_it_partial_and_the_next_call_mends_it(
    provider, rising, friday
):
    bars, slow = rising(A=1, B=5, C=2), dict.fromkeys("BC", SourceError("slow"))
    watchlist = gainers(["A", "B", "C"], FixedClock(friday))
    assert update(watchlist, provider(*bars, down=slow)).categories == {"gainers": "partial"}
    assert watchlist.get_all_symbols() == ["A"]
    assert update(watchlist, provider(*bars)).categories == {"gainers": "ok"}
    assert watchlist.get_all_symbols() == ["B", "C", "A"]
    assert {m.refreshes for m in watchlist.members()} == {1}  # one session, one refresh


def test_bars_that_are_late_are_said_to_be_stale_and_asked_for_five_minutes_later(
    provider, rising, friday
):
    clock, late = ReplayClock(MONDAY), provider(*rising(A=1, B=5))
    watchlist = gainers(["A", "B"], clock)
    assert update(watchlist, late).categories == {"gainers": "stale"}
    clock.move_to(MONDAY + timedelta(minutes=4))
    update(watchlist, late)
    assert len(late.asked) == 1
    clock.move_to(MONDAY + timedelta(minutes=5))
    fresh = update(watchlist, provider(*rising("2024-03-11", A=2, B=1)))
    assert fresh.categories == {"gainers": "ok"}
    assert watchlist.get_all_symbols() == ["A", "B"]


def test_held_symbols_come_first_outside_the_caps_and_win_over_the_blacklist(
    provider, rising, friday
):
    watchlist = gainers(["A", "B"], FixedClock(friday), blacklist=["Z", "B"])
    manager = provider(*rising(A=1, B=5))
    changed = update(watchlist, manager, held={"Z", "H"})
    assert watchlist.get_all_symbols() == ["H", "Z", "A"]
    assert manager.asked[0][0] == ("A",)  # nobody asks for what may not be watched
    assert changed.added["Z"] == "held 1: watched until it is sold"
    sold = update(watchlist, manager, held="H")
    assert sold.removed == {"Z": "blacklisted"}
    sold = update(watchlist, manager)
    assert sold.removed == {"H": "no longer held"}
    assert len(manager.asked) == 1


def test_the_blacklist_holds_at_once(provider, rising, friday):
    watchlist = gainers(["A", "B"], FixedClock(friday), static=["S"])
    manager = provider(*rising(A=1, B=5))
    update(watchlist, manager)
    watchlist.blacklist |= {"B", "S"}
    assert watchlist.get_all_symbols() == ["A"]
    assert update(watchlist, manager).removed == {"B": "blacklisted", "S": "blacklisted"}


def test_a_blacklisted_member_makes_room_at_the_next_refresh(provider, rising, friday):
    clock = ReplayClock(friday)
    watchlist = gainers(["A", "B"], clock)
    watchlist.max_symbols_per_category["gainers"] = 1
    update(watchlist, provider(*rising(A=1, B=5)))
    watchlist.blacklist.add("B")
    clock.move_to(MONDAY)
    update(watchlist, provider(*rising("2024-03-11", A=1, B=5)))
    assert watchlist.get_all_symbols() == ["A"]


def test_a_member_that_its_screen_cannot_look_at_stays(provider, daily, friday):
    clock, calm = ReplayClock(friday), Calm(buffer=1, dwell=1)
    anybody = Eligibility(min_dollar_volume=0.0)
    options = {"screens": ["volume_leaders"], "eligibility": anybody, "calm": calm}
    watchlist = gainers(["A"], clock, **options)
    update(watchlist, provider(daily("A", [100.0] * 21, volume=[1.0] * 20 + [9.0])))
    clock.move_to(MONDAY)
    dark = daily("A", [100.0] * 22, volume=[1.0] * 21 + [np.nan], until="2024-03-11")
    update(watchlist, provider(dark))
    assert watchlist.get_all_symbols() == ["A"]
    said = watchlist.get_watchlist_statistics()["discovery_stats"]["categories"]["volume_leaders"]
    assert said["not_ready"] == {"volume unknown": 1}


def test_a_symbol_in_several_categories_counts_once(provider, rising, friday):
    watchlist = gainers(["A", "B"], FixedClock(friday), screens=["gainers", "losers"], static=["A"])
    update(watchlist, provider(*rising(A=1, B=-5)))
    stats = watchlist.get_watchlist_statistics()
    assert stats["category_breakdown"] == {"gainers": 1, "losers": 1, "held": 0, "static": 1}
    assert (stats["total_unique_symbols"], stats["dynamic_symbols_count"]) == (2, 2)
    assert json.loads(json.dumps(stats)) == stats


def test_rejections_are_counted_by_reason(provider, daily, rising, friday):
    bars = [*rising(A=1), daily("P", [0.5, 0.6], half=0.1), daily("T", [10, 11], volume=5.0)]
    bars += [daily("N", [10, 11], volume=np.nan)]
    watchlist = gainers(list("APTN"), FixedClock(friday))
    update(watchlist, provider(*bars))
    said = watchlist.get_watchlist_statistics()["discovery_stats"]["categories"]["gainers"]
    assert (said["candidates"], said["eligible"]) == (4, 1)
    assert said["rejected"] == {"dollar volume": 1, "price": 1, "volume unknown": 1}


def test_a_screen_that_fails_takes_no_other_down(provider, rising, friday, caplog):
    class Broken:
        category, lookback = "broken", 2

        def rank(self, universe, asof):
            raise KeyError("oops")

    watchlist = gainers(["A"], FixedClock(friday), screens=[Broken(), Gainers()])
    changed = update(watchlist, provider(*rising(A=1)))
    assert changed.categories == {"broken": "failed", "gainers": "ok"}
    said = watchlist.get_watchlist_statistics()["discovery_stats"]["categories"]["broken"]
    assert said["problem"] == "KeyError: 'oops'"


def test_without_a_universe_the_provider_proposes_symbols(provider, rising, friday):
    class Proposing(provider):
        async def discover(self, category, limit):
            if category != "listed":
                raise SourceError("cannot look")
            return [Candidate("NEWS", category, 1, 1.0, "so", "me", friday)]

    watchlist = gainers(None, FixedClock(friday))
    update(watchlist, Proposing(*rising(NEWS=5, SPY=1)))
    assert watchlist.get_all_symbols() == ["NEWS", "SPY"]
    feeds = watchlist.get_watchlist_statistics()["discovery_stats"]["feeds"]
    assert {name: feed["status"] for name, feed in feeds.items()} == {
        "gainers": "failed",
        "listed": "ok",
    }


def test_an_empty_universe_leaves_what_is_static_and_says_so(provider, friday):
    watchlist, manager = gainers((), FixedClock(friday), static=["S"]), provider()
    changed = update(watchlist, manager)
    assert (changed.symbols, changed.categories, manager.asked) == (
        ("S",),
        {"gainers": "failed"},
        [],
    )
    said = watchlist.get_watchlist_statistics()["discovery_stats"]["categories"]["gainers"]
    assert said["problem"] == "no symbols to ask for"


@pytest.mark.parametrize("manager", [None, object(), "alpaca"])
def test_what_is_no_data_manager_is_refused(manager, friday):
    with pytest.raises(UsageError, match="no data manager"):
        update(gainers(["A"], FixedClock(friday)), manager)


def test_it_works_from_plain_code_and_over_several_loops(provider, rising, friday):
    watchlist = gainers(["A"], FixedClock(friday))
    update(watchlist, provider(down={"*": OSError("gone")}))
    changed = watchlist.blocking.update_watchlists(provider(*rising(A=1)))
    assert changed.symbols == ("A",)
    assert repr(watchlist) == "<DynamicWatchlistManager: 1 symbols>"


class Market:
    """The simulated market, which knows the future of whoever asks about the past."""

    def __init__(self, now):
        self.source = SimulatedSource(clock=FixedClock(now))

    async def get_market_data(self, symbol, timeframe, limit): ...

    async def fetch_many(self, symbols, timeframe, lookback, end=None):
        return await self.source.fetch(BarsRequest(symbols, timeframe, limit=lookback, end=end))


NYSE = calendar_for()
LAST = int(NYSE.sessions.searchsorted(np.datetime64("2024-03-08")))
CLOSES = [from_ns(int(close)) for close in NYSE.closes[LAST - 9 : LAST + 1]]


def replay(symbols, manager_at, calm=None):
    clock = ReplayClock(CLOSES[0])
    watchlist = DynamicWatchlistManager(symbols, clock=clock, calm=calm)
    events = []
    for close in CLOSES:
        clock.move_to(close)
        events.append(update(watchlist, manager_at(close)))
    return watchlist, events


@pytest.fixture(scope="module")
def listed():
    return SimulatedSource(clock=FixedClock(CLOSES[0])).symbols[:60]


def test_the_list_of_a_day_does_not_know_the_days_after(listed):
    future = Market(datetime(2024, 6, 28, 22, tzinfo=UTC))
    cut, with_cut = replay(listed, Market)
    full, with_future = replay(listed, lambda _: future)
    assert [event.to_dict() for event in with_cut] == [event.to_dict() for event in with_future]
    assert cut.members() == full.members()
    assert all(event.symbols for event in with_cut)


def test_calm_takes_churn_out_of_the_list(listed):
    market = Market(CLOSES[-1])
    _, calm = replay(listed, lambda _: market)
    _, plain = replay(listed, lambda _: market, Calm(buffer=1, dwell=1))
    came = [sum(len(event.added) for event in events[1:]) for events in (calm, plain)]
    assert came[0] < 0.6 * came[1]
