from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import numpy as np
import pytest

from tradekit import Bars, Timeframe
from tradekit.data._cache import NEVER, BarsCache, Entry

KEY = ("SPY", Timeframe("5Min"), "all")
LONG = timedelta(days=9)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def bars(count=3, newest="2024-03-08T15:00"):
    time = np.datetime64(newest, "ns") - np.arange(count)[::-1] * np.timedelta64(5, "m")
    price = np.arange(1.0, count + 1)
    return Bars("SPY", "5Min", time, price, price, price, price, price)


NOW = at("2024-03-08T15:05:01")
QUARTER = timedelta(minutes=15)


def answer(asked=3, **facts):
    renewed = int(np.datetime64("2024-03-08T15:10", "ns").astype("i8"))
    return Entry("a", bars(), asked, NOW, **{"renewed": renewed, **facts})


def test_an_answer_will_do_until_the_source_can_have_a_newer_bar():
    assert answer().will_do(3, at("2024-03-08T15:09:59"), LONG)
    assert not answer().will_do(3, at("2024-03-08T15:10"), LONG)


def test_an_answer_lasts_no_longer_than_is_wanted_when_it_is_looked_for():
    assert answer().will_do(3, NOW + timedelta(seconds=59), timedelta(minutes=1))
    assert not answer().will_do(3, NOW + timedelta(seconds=60), timedelta(minutes=1))


def test_what_nothing_can_change_lasts_unless_nothing_is_to_be_kept():
    final = answer(renewed=NEVER, is_for_good=True)
    assert final.will_do(3, NOW + 9 * LONG, timedelta(minutes=1))
    assert not final.will_do(3, NOW, timedelta(0))


def test_many_bars_serve_whoever_wants_fewer_and_not_more():
    assert answer().newest(2).close.tolist() == [2, 3]
    assert answer().frame(2)["close"].tolist() == [2, 3]
    assert not answer().will_do(4, NOW, LONG)


def test_all_that_there_are_serve_whoever_wants_as_many_as_were_asked():
    assert len(answer(asked=100).newest(100)) == 3
    assert answer(asked=100).will_do(100, NOW, LONG)
    assert not answer(asked=100).will_do(101, NOW, LONG)


@pytest.mark.parametrize("limit", [2, 3])
def test_frames_are_their_owners(limit):
    entry, own = answer(), bars()[-limit:].to_frame()
    mine = entry.frame(limit)
    mine["close"] = 0.0
    mine.attrs["source"] = "me"
    assert entry.frame(limit).equals(own)
    assert entry.frame(limit).attrs == own.attrs


def test_a_frame_of_each_length_is_made_once_and_only_a_few_are_kept(monkeypatch):
    made, make = [], Bars.to_frame
    monkeypatch.setattr(Bars, "to_frame", lambda bars: made.append(len(bars)) or make(bars))
    entry = Entry("a", bars(40), 40, NOW)
    for limit in (7, 9, 7, 9, 40, 99):
        assert len(entry.frame(limit)) == min(limit, 40)
    assert made == [7, 9, 40]
    for limit in range(1, 41):
        entry.frame(limit)
    assert len(entry._frames) <= 8


def test_an_answer_of_settled_bars_is_never_beyond_settle():
    settled = Entry("a", bars(newest="2024-03-08T14:45"), 3, NOW, settle=QUARTER)  # to 14:50
    assert not settled.is_beyond_settle(NOW + LONG)
    nothing_to_settle = answer(settle=timedelta(0))
    assert not nothing_to_settle.is_beyond_settle(NOW + LONG)


def test_an_answer_of_bars_that_were_not_settled_is_beyond_settle_after_that_time():
    assert not answer(settle=QUARTER).is_beyond_settle(NOW + QUARTER)
    assert answer(settle=QUARTER).is_beyond_settle(NOW + QUARTER + timedelta(seconds=1))


def test_an_answer_says_what_it_is_told_to_of_its_trust_and_is_made_once():
    entry = Entry("a", bars()._replace(trusted_for_entries=True), 3, NOW)
    assert entry.vouched(True) is entry
    doubted = entry.vouched(False)
    assert doubted is entry.vouched(False)
    assert not doubted.newest(3).trusted_for_entries
    assert doubted.frame(3).attrs["trusted_for_entries"] is False
    assert entry.newest(3).trusted_for_entries


def test_the_series_that_was_used_longest_ago_goes_first():
    cache = BarsCache(2)
    first, second, third = [(name, Timeframe("5Min"), "all") for name in "ABC"]
    cache.put(first, answer())
    cache.put(second, answer())
    assert cache.get(first, NOW)
    cache.put(third, answer())
    found = [cache.get(key, NOW) is not None for key in (first, second, third)]
    assert found == [True, False, True]
    assert len(cache) == 2


def test_an_answer_that_is_out_of_date_is_still_the_last_and_one_from_the_future_is_none():
    cache = BarsCache()
    cache.put(KEY, answer())
    assert cache.get(KEY, NOW + timedelta(days=1)).bars == bars()
    assert cache.get(("QQQ", *KEY[1:]), NOW) is None
    assert cache.get(KEY, NOW - timedelta(seconds=1)) is None  # a replay that began anew


def test_what_a_giver_has_answered_can_be_forgotten():
    cache = BarsCache()
    cache.put("a", answer())
    cache.put("b", attrs.evolve(answer(), giver="b"))
    cache.forget("a")
    assert (cache.get("a", NOW), cache.get("b", NOW).giver) == (None, "b")
