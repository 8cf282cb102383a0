from __future__ import annotations

import sqlite3
from contextlib import closing

import attrs
import numpy as np
import pytest

from tradekit import Bars
from tradekit.data._database import DamagedError
from tradekit.data._shelf import Series, Shelf

MINUTE = 60 * 10**9
DAY = 1440 * MINUTE


@pytest.fixture
def file():
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE chunks (series, number, data)")
        database.execute("CREATE TABLE series (name PRIMARY KEY, coverage)")
        yield database


def minutes(*numbers, price=100.0):
    flat = np.full(len(numbers), price)
    time = np.array(numbers) * MINUTE
    return Bars("SPY", "1Min", time, flat, flat, flat, flat, flat, source="me", feed="sip")


SERIES = Series("SPY", "1Min", "unknown", "sip", "me")


def test_bars_say_to_which_series_they_belong():
    assert Series.of(minutes(1)) == SERIES
    for name in ("symbol", "adjustment", "feed", "source", "calendar"):
        other = minutes(1)._replace(
            **{name: {"adjustment": "raw", "calendar": "24/7"}.get(name, "x")}
        )
        assert Series.of(other) != SERIES
        assert Series.of(other).name != SERIES.name


def test_a_day_of_minutes_is_a_chunk(file):
    shelf = Shelf(file, SERIES)
    shelf.put(minutes(-1, 0, 1439, 1440, 5000), -DAY, 4 * DAY)
    chunks = file.execute("SELECT number, length(data) FROM chunks ORDER BY number").fetchall()
    row = 6 * 8
    assert chunks == [(-1, row + 4), (0, 2 * row + 4), (1, row + 4), (3, row + 4)]


def test_a_new_answer_writes_no_chunk_anew_that_it_does_not_touch(file):
    Shelf(file, SERIES).put(minutes(0, 1440, 2880), 0, 3 * DAY)
    before = dict(file.execute("SELECT number, rowid FROM chunks").fetchall())
    Shelf(file, SERIES).put(minutes(1441), DAY + MINUTE, DAY + 2 * MINUTE)
    after = dict(file.execute("SELECT number, rowid FROM chunks").fetchall())
    assert {number for number in before if before[number] != after[number]} == {1}


@pytest.mark.parametrize("at", [0, 8, 30, -5, -1])
def test_one_changed_bit_is_damage(file, at):
    Shelf(file, SERIES).put(minutes(1, 2), 0, DAY)
    (data,) = file.execute("SELECT data FROM chunks").fetchone()
    changed = bytearray(data)
    changed[at] ^= 1
    file.execute("UPDATE chunks SET data = ?", (bytes(changed),))
    with pytest.raises(DamagedError, match="checksum"):
        Shelf(file, SERIES).get(0, DAY)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE chunks SET number = 1",
        "UPDATE chunks SET data = x''",
        "UPDATE chunks SET data = 'text'",
        "UPDATE chunks SET data = NULL",
        "DELETE FROM chunks",
        "UPDATE series SET coverage = CAST(replace(coverage, '0', '9') AS BLOB)",
    ],
)
def test_what_lies_elsewhere_or_is_something_else_is_damage(file, change):
    Shelf(file, SERIES).put(minutes(1, 2), 0, DAY)
    file.execute(change)
    with pytest.raises(DamagedError):
        Shelf(file, SERIES).get(0, 2 * DAY)


def test_bars_that_are_read_lie_in_memory_once(file):
    Shelf(file, SERIES).put(minutes(1, 2), 0, DAY)
    bars, _ = Shelf(file, SERIES).get(0, DAY)
    assert np.shares_memory(bars.open.base, bars.close.base)
    assert not any(getattr(bars, name).flags.writeable for name in ("time", "close"))


def test_series_of_two_names_do_not_meet(file):
    other = attrs.evolve(SERIES, source="you")
    Shelf(file, SERIES).put(minutes(1), 0, DAY)
    assert Shelf(file, other).get(0, DAY) == (None, ())
    Shelf(file, other).forget()
    assert Shelf(file, SERIES).get(0, DAY) == (minutes(1), ((0, DAY),))


def test_answers_become_one_where_they_share_a_bar_and_not_where_they_touch(file):
    def pieces(series, *answers):
        shelf = Shelf(file, series)
        for numbers, start, end in answers:
            bars = minutes(*numbers)._replace(adjustment=series.adjustment)
            shelf = Shelf(file, series)
            shelf.put(bars, start * MINUTE, end * MINUTE)
        found = Shelf(file, series).get(0, 100 * MINUTE)[1]
        return [(start // MINUTE, end // MINUTE) for start, end in found]

    touching = ((1, 2), 0, 10), ((11, 12), 10, 20)
    assert pieces(SERIES, *touching) == [(0, 10), (10, 20)]
    assert pieces(SERIES, ((2, 11), 2, 12)) == [(0, 20)]
    assert pieces(attrs.evolve(SERIES, adjustment="raw"), *touching) == [(0, 10), (10, 20)]


def test_the_tapes_of_a_series_are_those_of_its_names(file):
    for series in (SERIES, attrs.evolve(SERIES, feed="iex"), attrs.evolve(SERIES, source="you")):
        bars = minutes(1)._replace(feed=series.feed, source=series.source)
        Shelf(file, series).put(bars, 0, DAY)
    assert Shelf(file, SERIES).feeds == ("iex", "sip")
    assert Shelf(file, attrs.evolve(SERIES, feed="other")).feeds == ("iex", "sip")
    assert Shelf(file, attrs.evolve(SERIES, symbol="SP")).feeds == ()
