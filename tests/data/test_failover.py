from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tradekit import (
    Bars,
    BarsRequest,
    Capabilities,
    DataSource,
    FixedClock,
    NoDataError,
    SourceError,
)
from tradekit.data import MemorySource
from tradekit.data._failover import Failover
from tradekit.data._heard import Heard
from tradekit.data._known import Known

CLOCK = FixedClock(datetime(2024, 3, 8, 15, 6, tzinfo=UTC))
SOURCE = MemorySource(clock=CLOCK)


def bars(symbol="SPY", count=3, newest="2024-03-08T15:00"):
    times = np.datetime64(newest, "ns") - np.arange(count)[::-1] * np.timedelta64(5, "m")
    one = np.ones(count)
    return Bars(symbol, "5Min", times, one, one, one, one, one)


def held(*series, clock=CLOCK, **facts):
    source = MemorySource(series, clock=clock)
    source.capabilities = Capabilities(**facts)
    return source


def asked(*sources, symbols="SPY", limit=3):
    """What comes of asking sources named a, b, ... one after another."""

    async def main():
        failover = Failover(BarsRequest(symbols, "5Min", limit=limit), CLOCK)
        heard = {name: Heard() for name, _ in zip("abc", sources, strict=False)}
        for name, source in zip(heard, sources, strict=True):
            await failover.ask(name, source, failover.open_to(name), 1.0, heard[name])
        failover.settle(heard)
        return failover, heard

    return asyncio.run(main())


def test_each_symbol_has_the_bars_of_one_source():
    first, second = held(bars("SPY")), held(bars("SPY"), bars("QQQ"))
    failover, heard = asked(first, second, symbols=("SPY", "QQQ"))
    assert failover.answered_by == {"SPY": "a", "QQQ": "b"}
    assert (heard["a"].good, heard["b"].good) == (1, 1)
    assert list(failover.result().bars) == ["SPY", "QQQ"]


def test_an_answer_that_is_behind_is_refused_and_the_source_to_blame():
    failover, heard = asked(held(bars(newest="2024-03-08T14:30")), held(bars()))
    assert failover.bars["SPY"].time[-1] == bars().time[-1]
    assert [error.fault for error in heard["a"].bad] == ["stale"]
    assert list(failover.blamed) == ["a"]


def test_a_symbol_that_is_behind_beside_good_ones_is_its_own_case():
    halted = held(bars("SPY"), bars("OLD", newest="2024-03-08T14:30"))
    failover, heard = asked(halted, symbols=("SPY", "OLD"))
    assert heard["a"].bad == []
    assert "a: memory is behind with OLD" in str(failover.result().failures["OLD"])


def test_the_longest_answer_wins_and_who_left_bars_out_is_to_blame():
    short, full = held(bars(count=2)), held(bars(count=3))
    failover, heard = asked(short, full)
    assert failover.answered_by["SPY"] == "b"
    assert [error.fault for error in heard["a"].bad] == ["short"]
    assert list(failover.blamed) == ["a"]


def test_a_young_symbol_is_nobodys_fault():
    failover, heard = asked(held(bars(count=2)), held(bars(count=2)))
    assert len(failover.bars["SPY"]) == 2
    assert {name: (said.good, said.bad) for name, said in heard.items()} == {
        "a": (1, []),
        "b": (1, []),
    }
    assert failover.blamed == {}


def test_of_short_answers_the_longest_is_taken():
    longest = held(bars(count=3))
    failover, heard = asked(held(bars(count=2)), longest, held(bars(count=1)), limit=9)
    assert failover.answered_by["SPY"] == "b"
    assert [heard[name].good for name in "abc"] == [0, 1, 0]


def test_a_source_at_the_end_of_its_depth_may_be_short():
    _, heard = asked(held(bars(count=2), depth=timedelta(days=1)), held(bars(count=3)))
    assert heard["a"].bad == []


def test_a_source_that_lives_in_another_time_tells_nothing_from_the_future():
    source = MemorySource([bars(count=9, newest="2024-03-08T15:15")])  # by the machine's clock
    failover, _ = asked(source)
    assert failover.bars["SPY"].time[-1] == bars().time[-1]


def test_what_came_in_time_is_kept_although_the_rest_is_late():
    class Slow(DataSource):
        clock = CLOCK

        async def _fetch(self, request):
            if request.symbols == ("QQQ",):
                await asyncio.Event().wait()
            return bars("SPY")

    async def main():
        failover, heard = Failover(BarsRequest(("SPY", "QQQ"), "5Min"), CLOCK), Heard()
        asking = failover.ask("slow", Slow(), ("SPY", "QQQ"), 60, heard)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asking, 0.05)
        return failover, heard

    failover, heard = asyncio.run(main())
    assert list(failover.bars) == ["SPY"]
    assert failover.missing == ("QQQ",)
    assert heard.good == 1


def test_when_nobody_has_bars_the_error_names_everybodys_reason():
    failover, _ = asked(held(), held(bars(newest="2024-03-08T14:30")))
    error = failover.result().failures["SPY"]
    assert isinstance(error, NoDataError)
    assert list(error.causes) == ["a", "b"]
    assert str(error).startswith("no source has bars of SPY (5Min): got a: no 5Min bars of SPY in")
    assert "; b: memory is behind with SPY 5Min" in str(error)


def test_an_answer_may_be_replaced_and_refused():
    failover, _ = asked(held(bars()))
    failover.replace("SPY", "b", bars(count=2))
    assert (failover.answered_by["SPY"], len(failover.bars["SPY"])) == ("b", 2)
    failover.refuse("SPY", SourceError("nobody bears it out"))
    assert failover.missing == ("SPY",)
    assert "b: nobody bears it out" in str(failover.result().failures["SPY"])


def test_of_what_is_known_only_the_end_is_asked_for():
    class Watched(MemorySource):
        async def _fetch(self, request):
            self.request = request
            return await super()._fetch(request)

    source = Watched([bars(count=200)], clock=CLOCK)
    before = bars(count=199, newest="2024-03-08T14:55")._replace(source="memory")
    known = Known("a", before, CLOCK.at)
    request = BarsRequest("SPY", "5Min", limit=150)
    failover = Failover(request, CLOCK, {"SPY": known})
    asyncio.run(failover.ask("a", source, ("SPY",), 1.0, Heard()))
    # Settled is what closed by 14:51, and of it the bar of 14:45 and two before it are read again;
    # and so is the last bar before the session, as adjustments change what lies before.
    assert source.request.start == datetime(2024, 3, 8, 14, 25, tzinfo=UTC)
    # As many bars come as were known: a short question does not forget them.
    assert failover.bars["SPY"] == bars(count=199)._replace(source="memory")
    again = Failover(request, CLOCK, {"SPY": known})
    asyncio.run(again.ask("b", source, ("SPY",), 1.0, Heard()))
    assert source.request.start is None  # another source is asked for all


LATE = "2024-03-08T14:55"  # one bar behind, though not by its own length


def leap(series, row=-1, price=3.0):
    high = series.high.copy()
    high[row] = price
    return series._replace(high=high)


def told(failover, heard):
    bars = failover.bars["SPY"]
    blamed = {name: [error.fault for error in said.bad] for name, said in heard.items()}
    return failover.answered_by["SPY"], bars.time[-1], failover.unconfirmed, blamed


def test_who_has_the_newest_bar_is_preferred_and_who_lacks_it_is_not_to_blame():
    answer = told(*asked(held(bars(count=9, newest=LATE)), held(bars(count=9)), limit=9))
    assert answer == ("b", bars().time[-1], set(), {"a": [], "b": []})


def test_where_nobody_has_the_newest_bar_the_first_is_taken_and_trusted():
    late = [held(bars(count=9, newest=LATE)) for _ in "ab"]
    for sources in (late[:1], late):
        who, newest, unconfirmed, _ = told(*asked(*sources, limit=9))
        assert (who, newest, unconfirmed) == ("a", bars(newest=LATE).time[-1], set())


def test_a_tape_that_skips_bars_does_not_take_the_place_of_one_that_lacks_no_more():
    full = bars(count=9, newest=LATE)
    sparse = held(full[:-1], feed="iex")
    failover, heard = asked(held(full), sparse, limit=8)
    assert failover.answered_by["SPY"] == "a"
    assert [heard[name].good for name in "ab"] == [1, 1]


def test_prices_that_leap_give_way_to_others_and_their_source_is_to_blame():
    answer = told(*asked(held(leap(bars())), held(bars())))
    assert answer == ("b", bars().time[-1], set(), {"a": ["spike"], "b": []})


def test_prices_that_leap_are_borne_out_by_who_tells_the_same_leap():
    assert told(*asked(*[held(leap(bars())) for _ in "ab"]))[2:] == (set(), {"a": [], "b": []})
    others = held(leap(bars())), held(leap(bars(), price=9.0))
    assert told(*asked(*others))[2] == {"SPY"}


def test_prices_that_leap_are_not_trusted_of_one_alone_but_kept_to_be_told_again():
    failover, _ = asked(held(leap(bars())))
    assert failover.unconfirmed == {"SPY"} == failover.lasting


def test_an_answer_whose_prices_are_sound_is_preferred_to_a_newer_one_whose_are_not():
    late = bars(count=9, newest=LATE)
    who, _, unconfirmed, _ = told(*asked(held(leap(bars(count=9))), held(late), limit=9))
    assert (who, unconfirmed) == ("b", set())


@pytest.mark.parametrize("dropped", [0, 1])
def test_a_hole_is_trusted_unless_rows_were_left_out_that_were_no_bars(dropped):
    class Holed(DataSource):
        clock = CLOCK

        async def _fetch(self, request):
            full = bars(count=41, newest="2024-03-08T15:00")
            kept = np.delete(np.arange(41), 38)
            columns = ("time", "open", "high", "low", "close", "volume")
            holed = {name: getattr(full, name)[kept] for name in columns}
            return full._replace(**holed, dropped=dropped)

    failover, heard = asked(Holed(), limit=40)
    assert [error.fault for error in heard["a"].errors] == ["gaps"]
    assert failover.unconfirmed == ({"SPY"} if dropped else set())
