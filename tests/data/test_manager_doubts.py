"""Answers that may be wrong: by what was known, by others, by their age, by their own word."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tradekit import Bars, DataSource, NoDataError, ReplayClock, SourceError
from tradekit.data import MemorySource, MultiSourceDataManager, SimulatedSource

NOW = datetime(2024, 3, 8, 20, tzinfo=UTC)
CLOSE, HOUR = timedelta(minutes=5), timedelta(hours=1)


class Vendor(DataSource):
    """The simulated market, at another price or up to another time, and sometimes down."""

    batch, up, factor, until = True, True, 1.0, None

    def __init__(self, name, clock):
        self.name, self.clock, self.market = name, clock, SimulatedSource(clock=clock)
        self.capabilities = self.market.capabilities

    async def _fetch(self, request):
        if not self.up:
            raise SourceError("it is down", retryable=False)
        fetched = await self.market.fetch(request)
        return {symbol: self._told(bars) for symbol, bars in fetched.bars.items()}

    def _told(self, bars):
        bars = bars.until(self.until) if self.until else bars
        prices = {n: getattr(bars, n) * self.factor for n in ("open", "high", "low", "close")}
        return bars._replace(source=self.name, **prices)


@pytest.fixture
def clock():
    return ReplayClock(NOW)


def manager_of(*sources, **options):
    return MultiSourceDataManager(sources=list(sources), **options)


def fetch(manager, count=100):
    return manager.blocking.fetch("SPY", "5Min", count)


@pytest.mark.parametrize("adjustment", ["raw", "all"])
def test_who_contradicts_what_another_told_is_trusted_when_it_tells_the_same_once_more(
    clock, adjustment
):
    first, second = Vendor("a", clock), Vendor("b", clock)
    second.factor = 1.1
    manager = manager_of(first, second, adjustment=adjustment)
    fetch(manager)
    first.up = False
    for trusted in (False, True):
        clock.move_to(clock.at + CLOSE)
        bars = fetch(manager)
        assert (bars.source, bars.trusted_for_entries) == ("b", trusted)


def test_where_two_contradict_each_other_neither_is_trusted(clock):
    first, second = Vendor("a", clock), Vendor("b", clock)
    second.factor = 1.1
    manager = manager_of(first, second, adjustment="raw")
    first.up = False
    fetch(manager)
    first.up = True
    for _ in range(2):
        clock.move_to(clock.at + CLOSE)
        bars = fetch(manager)
        assert (bars.source, bars.trusted_for_entries) == ("b", False)
    assert manager.health()["a"]["errors"] == 1  # when it was down: nobody knows who is right


def test_where_two_tell_the_same_what_was_known_before_was_wrong(clock):
    first, second, third = (Vendor(name, clock) for name in "abc")
    first.factor = 1.1
    manager = manager_of(first, second, third, adjustment="raw")
    fetch(manager)
    first.up = False
    clock.move_to(clock.at + CLOSE)
    bars = fetch(manager)
    assert (bars.source, bars.trusted_for_entries) == ("c", True)
    assert manager.health()["b"]["success"] == 1.0


def test_who_contradicts_itself_gives_way_to_another(clock):
    first, second = Vendor("a", clock), Vendor("b", clock)
    manager = manager_of(first, second)
    fetch(manager)
    first.factor = 1.1
    clock.move_to(clock.at + CLOSE)
    bars = fetch(manager)
    assert (bars.source, bars.trusted_for_entries) == ("b", True)


def test_who_contradicts_itself_alone_is_trusted_when_it_tells_the_same_once_more(clock):
    source = Vendor("a", clock)
    manager = manager_of(source, adjustment="raw")
    fetch(manager)
    source.factor = 0.5
    for trusted in (False, True):
        clock.move_to(clock.at + CLOSE)
        assert fetch(manager).trusted_for_entries is trusted
        assert fetch(manager).trusted_for_entries is trusted  # as it was kept


def test_where_it_is_refused_it_is_believed_as_well_when_it_tells_the_same_once_more(clock):
    source = Vendor("a", clock)
    manager = manager_of(source, adjustment="raw", unconfirmed="refuse")
    fetch(manager)
    source.factor = 0.5
    clock.move_to(clock.at + CLOSE)
    with pytest.raises(NoDataError, match="nobody bears out"):
        fetch(manager)
    # Nobody is served what was refused: it is asked for again, and is the same.
    assert fetch(manager).trusted_for_entries


def test_what_the_others_bear_out_is_trusted_after_a_quarantine(clock):
    first, second, third = (Vendor(name, clock) for name in "abc")
    first.factor = 1.02
    settings = {"cross_check": "always", "cool_down": timedelta(minutes=1)}
    for unconfirmed in ("flag", "refuse"):
        manager = manager_of(first, second, third, unconfirmed=unconfirmed, **settings)
        for _ in range(4):
            assert fetch(manager).trusted_for_entries
            clock.move_to(clock.at + CLOSE)


def test_a_price_that_leaps_is_trusted_when_it_is_told_once_more(clock):
    class Wild(Vendor):
        def _told(self, bars):
            high = bars.high.copy()
            high[bars.time.searchsorted(np.datetime64("2024-03-08T18:00", "ns").astype(int))] *= 3
            return super()._told(bars._replace(high=high))

    manager = manager_of(Wild("a", clock))
    for trusted in (False, True, True):
        assert fetch(manager).trusted_for_entries is trusted
        clock.move_to(clock.at + CLOSE)


def test_an_answer_that_praises_itself_is_not_believed(clock):
    saved = fetch(manager_of(Vendor("good", clock)))
    assert saved.trusted_for_entries
    memory = MemorySource([saved], clock=clock)
    assert fetch(manager_of(memory)).trusted_for_entries
    assert not fetch(manager_of(memory, trusted=["alpaca"])).trusted_for_entries
    old = saved._replace(stale_since=NOW, trusted_for_entries=True)
    assert not fetch(manager_of(MemorySource([old], clock=clock))).trusted_for_entries


def test_the_newest_bars_that_anybody_has_stand_in_marked(clock):
    first, second = Vendor("a", clock), Vendor("b", clock)
    first.until, second.until = NOW - HOUR, NOW - HOUR / 2
    with pytest.raises(NoDataError, match="is behind with SPY"):
        fetch(manager_of(first, second))
    bars = fetch(manager_of(first, second, max_stale=HOUR))
    assert (bars.source, bars.trusted_for_entries) == ("b", False)
    assert bars.stale_since == NOW - HOUR / 2 + CLOSE  # when the next bar was due
    with pytest.raises(NoDataError):
        fetch(manager_of(first, second, max_stale=CLOSE))


def test_over_a_weekend_it_is_the_answer_that_grows_old(clock):
    source = Vendor("a", clock)
    manager = manager_of(source, max_stale=2 * HOUR)
    clock.move_to(datetime(2024, 3, 8, 22, tzinfo=UTC))
    fetch(manager)
    source.up = False
    clock.move_to(clock.at + HOUR)
    assert fetch(manager).stale_since == datetime(2024, 3, 8, 22, tzinfo=UTC)


@pytest.mark.parametrize("timeframe", ["5Min", "1Day"])
def test_where_nothing_newer_can_exist_the_last_answer_stands_in_however_old(clock, timeframe):
    source = Vendor("a", clock)
    manager = manager_of(source, max_stale=CLOSE)
    friday = datetime(2024, 3, 8, 21, 1, tzinfo=UTC)
    clock.move_to(friday)
    manager.blocking.fetch("SPY", timeframe, 60)
    source.up = False
    for monday in (
        datetime(2024, 3, 10, 12, tzinfo=UTC),
        datetime(2024, 3, 11, 13, 31, tzinfo=UTC),
    ):
        clock.move_to(monday)
        bars = manager.blocking.fetch("SPY", timeframe, 60)
        assert (bars.stale_since, bars.trusted_for_entries) == (friday, False)
    clock.move_to(datetime(2024, 3, 11, 20, 6, tzinfo=UTC))
    with pytest.raises(NoDataError):
        manager.blocking.fetch("SPY", timeframe, 60)


def test_who_wants_more_bars_than_are_known_gets_those_when_nobody_answers(clock):
    source = Vendor("a", clock)
    manager = manager_of(source, max_stale=HOUR)
    known = fetch(manager, 100)
    source.up = False
    clock.move_to(NOW + CLOSE)
    bars = fetch(manager, 101)
    assert (len(bars), bars.stale_since) == (100, NOW + CLOSE)
    np.testing.assert_array_equal(bars.close, known.close)


def test_bars_of_the_past_stand_in_marked_when_nobody_answers(clock):
    source = Vendor("a", clock)
    manager, evening = manager_of(source, max_stale=CLOSE), NOW - 24 * HOUR

    def ask(end):
        return asyncio.run(manager.fetch_many(["SPY"], "5Min", 100, end=end))["SPY"]

    known = ask(evening)
    newest = fetch(manager, 100)
    source.up = False
    clock.move_to(NOW + HOUR)
    bars = ask(evening)
    assert (bars.stale_since, bars.trusted_for_entries) == (NOW, False)
    np.testing.assert_array_equal(bars.close, known.close)
    earlier = ask(NOW - HOUR)  # the newest bars reach back to that end
    np.testing.assert_array_equal(earlier.close, newest.close[: len(earlier)])
    assert (earlier[-1].close_time, earlier.stale_since) == (NOW - HOUR, NOW)
    with pytest.raises(NoDataError):
        ask(NOW + HOUR - 2 * CLOSE)  # bars are missing for longer than they may be
    manager.max_stale = None
    with pytest.raises(NoDataError):
        ask(evening)


def test_who_waits_in_vain_for_another_callers_answer_gets_the_last_one(clock):
    manager = manager_of(Vendor("a", clock), max_stale=HOUR)
    known = fetch(manager)
    clock.move_to(NOW + CLOSE)

    async def is_held_up(*_):
        raise TimeoutError

    manager._desk._flights.share = is_held_up
    bars = fetch(manager)
    np.testing.assert_array_equal(bars.close, known.close)
    assert (bars.stale_since, bars.trusted_for_entries) == (NOW + CLOSE, False)


def test_an_answer_is_trusted_as_soon_as_its_source_is(clock):
    manager = manager_of(Vendor("a", clock), Vendor("b", clock), trusted=["b"])
    doubted = fetch(manager)
    assert not doubted.trusted_for_entries
    again = fetch(manager)
    assert (again.trusted_for_entries, again is fetch(manager)) == (False, True)
    manager.trusted = ["a"]
    assert fetch(manager).trusted_for_entries
    assert manager.metrics()["requests"] == 1


def test_what_a_source_told_in_quarantine_is_not_trusted_after_it(clock):
    source = Vendor("a", clock)
    manager = manager_of(source)
    manager.health()
    manager._pool.book.quarantine("a", timedelta(minutes=1), "the odd one out")
    assert not fetch(manager).trusted_for_entries
    clock.move_to(NOW + timedelta(minutes=2))
    assert not fetch(manager).trusted_for_entries
    assert manager.metrics()["requests"] == 1


def test_what_a_source_told_that_is_shown_to_be_wrong_is_forgotten(clock):
    first, second, third = (Vendor(name, clock) for name in "abc")
    first.factor = 1.05
    manager = manager_of(first, second, third)
    wrong = manager.blocking.fetch("QQQ", "5Min", 100)
    manager.cross_check = "always"
    assert fetch(manager).source == "b"
    manager.cross_check = "off"
    clock.move_to(clock.at + timedelta(minutes=2))  # the quarantine is over
    first.factor = 1.0
    bars = manager.blocking.fetch("QQQ", "5Min", 100)
    np.testing.assert_allclose(bars.close, wrong.close / 1.05)


def test_an_answer_that_nobody_checked_does_not_do_once_all_are_to_be_checked(clock):
    first, second = Vendor("a", clock), Vendor("b", clock)
    first.factor = 1.05
    manager = manager_of(first, second)
    assert fetch(manager).trusted_for_entries
    manager.cross_check = "always"
    assert not fetch(manager).trusted_for_entries
    second.factor = 1.05
    assert fetch(manager).trusted_for_entries
    second.up = False
    assert fetch(manager).trusted_for_entries  # checked before, and kept


def test_no_bar_is_complete_after_the_end_that_was_asked_for(clock):
    end = NOW + timedelta(seconds=1)

    class Slow(Vendor):
        async def _fetch(self, request):
            clock.move_to(NOW + 2 * CLOSE)
            return await super()._fetch(request)

    manager = manager_of(Slow("a", clock))
    bars = manager.blocking.fetch_many(["SPY"], "5Min", 100, end=end)["SPY"]
    assert bars[-1].close_time == NOW


def thin(minutes):
    """A symbol that trades every tenth minute, or later."""
    rows = np.flatnonzero(np.random.default_rng(4).random(minutes) < 0.1)
    times = np.datetime64("2024-03-08T14:30", "ns") + rows * np.timedelta64(1, "m")
    p = 100.0 + rows / 100
    return Bars("THIN", "1Min", times, p, p, p, p, p, feed="iex", adjustment="all")


def test_the_one_newest_bar_of_a_symbol_that_trades_seldom_is_had_as_a_hundred_are(clock):
    source = MemorySource([thin(390)], clock=clock)
    answers = []
    for minute in range(12):
        clock.move_to(NOW + timedelta(minutes=minute))
        fetched = manager_of(source).blocking.fetch_many(["THIN"], "1Min", 1)
        answers += [len(bars) for bars in fetched.bars.values()]
    assert answers == [1] * 12


@pytest.mark.parametrize("count", [1, 2])
def test_one_bar_can_be_held_against_anothers(clock, count):
    settings = {"cross_check": "always", "unconfirmed": "refuse"}
    manager = manager_of(Vendor("a", clock), Vendor("b", clock), **settings)
    for end in (None, NOW - HOUR):
        bars = asyncio.run(manager.fetch_many(["SPY"], "5Min", count, end=end))["SPY"]
        assert (len(bars), bars.trusted_for_entries) == (count, True)
