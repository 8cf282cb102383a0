from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from tradekit import Bars, Timeframe
from tradekit.data._cache import BarsCache, Entry

KEY = ("SPY", Timeframe("5Min"), "all")
LONG, NO_DELAY = timedelta(days=9), timedelta(0)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def bars(count=3, newest="2024-03-08T15:00"):
    time = np.datetime64(newest, "ns") - np.arange(count)[::-1] * np.timedelta64(5, "m")
    price = np.arange(1.0, count + 1)
    return Bars("SPY", "5Min", time, price, price, price, price, price)


NOW = at("2024-03-08T15:05:01")


def kept(*, asked=3, now=NOW, delay=NO_DELAY, size=9):
    cache = BarsCache(size)
    cache.put(KEY, Entry("a", bars(), asked, now, delay))
    return cache


def test_an_answer_lasts_until_the_next_bar_is_complete():
    assert kept().get(KEY, 3, at("2024-03-08T15:09:59"), LONG)
    assert kept().get(KEY, 3, at("2024-03-08T15:10"), LONG) is None


def test_an_answer_of_a_late_source_lasts_until_it_can_have_the_next_bar():
    late = kept(delay=timedelta(minutes=15))
    assert late.get(KEY, 3, at("2024-03-08T15:24:59"), LONG)
    assert late.get(KEY, 3, at("2024-03-08T15:25"), LONG) is None


def test_an_answer_lasts_no_longer_than_is_wanted_when_it_is_looked_for():
    assert kept().get(KEY, 3, NOW + timedelta(seconds=59), timedelta(minutes=1))
    assert kept().get(KEY, 3, NOW + timedelta(seconds=60), timedelta(minutes=1)) is None


def test_an_answer_from_the_future_is_none():
    assert kept().get(KEY, 3, NOW - timedelta(seconds=1), LONG) is None


def test_many_bars_serve_whoever_wants_fewer_and_not_more():
    cache = kept()
    assert cache.get(KEY, 2, NOW, LONG).newest(2).close.tolist() == [2, 3]
    assert cache.get(KEY, 2, NOW, LONG).frame(2)["close"].tolist() == [2, 3]
    assert cache.get(KEY, 4, NOW, LONG) is None


def test_all_that_there_are_serve_whoever_wants_as_many_as_were_asked():
    cache = kept(asked=100)
    assert len(cache.get(KEY, 100, NOW, LONG).newest(100)) == 3
    assert cache.get(KEY, 101, NOW, LONG) is None


def test_frames_are_their_owners():
    entry = kept().get(KEY, 3, NOW, LONG)
    mine = entry.frame(3)
    mine["close"] = 0.0
    mine.attrs["source"] = "me"
    assert entry.frame(3).equals(bars().to_frame())
    assert entry.frame(3).attrs == bars().to_frame().attrs


def test_the_series_that_was_used_longest_ago_goes_first():
    cache = BarsCache(2)
    first, second, third = [(name, Timeframe("5Min"), "all") for name in "ABC"]
    cache.put(first, Entry("a", bars(), 3, NOW, NO_DELAY))
    cache.put(second, Entry("a", bars(), 3, NOW, NO_DELAY))
    assert cache.get(first, 3, NOW, LONG)
    cache.put(third, Entry("a", bars(), 3, NOW, NO_DELAY))
    assert [cache.get(key, 3, NOW, LONG) is not None for key in (first, second, third)] == [
        True,
        False,
        True,
    ]
    assert len(cache) == 2


def test_an_answer_that_is_out_of_date_is_still_the_last():
    cache, later = kept(), NOW + timedelta(days=1)
    assert cache.get(KEY, 3, later, LONG) is None
    assert cache.last(KEY, 3, later).bars == bars()
    assert cache.last(KEY, 4, later) is None
    assert cache.last(("QQQ", *KEY[1:]), 3, later) is None
    assert cache.last(KEY, 3, NOW - timedelta(seconds=1)) is None  # a replay that began anew


def test_an_answer_may_lose_its_trust():
    entry = Entry("a", bars()._replace(trusted_for_entries=True), 3, NOW, NO_DELAY)
    later = entry.untrusted()
    assert not later.newest(3).trusted_for_entries
    assert later.frame(3).attrs["trusted_for_entries"] is False
    assert entry.newest(3).trusted_for_entries
