from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from itertools import count

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradekit import Bars, Timeframe, UsageError
from tradekit.data._shelf import Series
from tradekit.data._store import BarsStore
from tradekit.testing import any_bars

MINUTE = 60 * 10**9

# Puts answers of 1000 minutes over and over, and says after each how many it has kept.
WRITER = """
import sys
from datetime import timedelta
import numpy as np
from tradekit import Bars
from tradekit.data._shelf import Series
from tradekit.data._store import BarsStore
path, symbol, most = sys.argv[1], sys.argv[2], int(sys.argv[3])
store, width = BarsStore(path, busy_timeout=timedelta(seconds=20)), 1000
for i in range(most):
    minutes = np.arange(i * width, (i + 1) * width)
    price = 100.0 + minutes % 97
    bars = Bars(symbol, "1Min", minutes * 60 * 10**9, price, price, price, price, price)
    kept = store.put(Series.of(bars), bars, i * width * 60 * 10**9, (i + 1) * width * 60 * 10**9)
    sys.stdout.write(f"{kept}\\n")
    sys.stdout.flush()
"""


def minutes(numbers, symbol="SPY", factor=1.0, **facts):
    numbers = np.array(numbers, dtype=np.int64)
    price = factor * (100.0 + numbers % 97)
    return Bars(symbol, "1Min", numbers * MINUTE, price, price, price, price, price, **facts)


SERIES = Series.of(minutes([0]))
NUMBERS = count()  # of files, each for one example


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bars.db"


@pytest.fixture
def store(path):
    with BarsStore(path) as store:
        yield store


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("stores")


def put(store, first, last, **facts):
    """Keep all minutes from the first to the one before the last."""
    bars = minutes(range(first, last), **facts)
    return store.put(Series.of(bars), bars, first * MINUTE, last * MINUTE)


def get(store, first, last, series=SERIES):
    return store.get(series, first * MINUTE, last * MINUTE)


def columns(bars):
    names = ("time", "open", "high", "low", "close", "volume")
    return [getattr(bars, name).tobytes() for name in names]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["1Min", "1Hour", "1Day"]).flatmap(any_bars), st.integers(0, 3))
def test_bars_come_back_bit_for_bit(folder, bars, dropped):
    volume = np.where(bars.volume > 5e5, np.nan, bars.volume)
    whole = bars._replace(volume=volume, dropped=dropped, feed="iex", adjustment="split")
    window = int(whole.time[0]), int(whole.time[-1]) + 1
    with BarsStore(folder / f"{next(NUMBERS)}.db") as store:
        assert store.put(Series.of(whole), whole, *window)
        kept = store.get(Series.of(whole), *window)
    assert columns(kept.bars) == columns(whole)
    assert (kept.bars, kept.gaps) == (whole, ())


# Round numbers make windows that begin where others end.
WINDOWS = st.tuples(
    st.integers(-2000, 6000) | st.sampled_from(range(-1440, 6000, 720)),
    st.integers(1, 2500) | st.sampled_from([1, 720, 1440]),
).map(lambda window: (window[0], sum(window)))
STEPS = st.sampled_from([1, 1, 7, 400])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(WINDOWS, STEPS, st.integers(0, 99)), max_size=6), WINDOWS)
def test_it_knows_what_a_plain_set_of_labels_knows(folder, answers, window):
    covered, present = set(), set()
    with BarsStore(folder / f"{next(NUMBERS)}.db") as store:
        for (first, last), step, shift in answers:
            labels = range(first, last)[min(shift, last - first - 1) :: step]
            assert store.put(SERIES, minutes(labels), first * MINUTE, last * MINUTE)
            covered |= set(range(first, last))
            present = present - set(range(first, last)) | set(labels)
        kept = get(store, *window)
    asked = set(range(*window))
    gaps = [m for start, end in kept.gaps for m in range(start // MINUTE, end // MINUTE)]
    assert gaps == sorted(asked - covered)
    assert (kept.bars is None) == (not asked & covered)
    if kept.bars is not None:
        assert kept.bars == minutes(sorted(asked & present))


def test_an_answer_takes_the_place_of_what_was_known_of_its_interval(store):
    put(store, 0, 30)
    store.put(SERIES, minutes([11, 12]), 10 * MINUTE, 20 * MINUTE)
    kept = get(store, 0, 30)
    assert (kept.bars, kept.gaps) == (minutes([*range(10), 11, 12, *range(20, 30)]), ())


def test_what_is_covered_without_a_bar_is_no_gap(store):
    store.put(SERIES, minutes([5]), 0, 10 * MINUTE)
    assert get(store, 0, 5).gaps == ()
    assert len(get(store, 0, 5).bars) == 0
    assert get(store, 10, 12).bars is None
    assert get(store, 10, 12).gaps == ((10 * MINUTE, 12 * MINUTE),)


def test_a_series_never_holds_two_adjustments(store):
    put(store, 0, 5000)
    assert put(store, 4999, 5100, factor=0.5)  # a split since
    kept = get(store, 0, 5100)
    assert kept.gaps == ((0, 4999 * MINUTE),)
    assert kept.bars == minutes(range(4999, 5100), factor=0.5)


def test_what_is_adjusted_otherwise_is_not_taken_for_one(store):
    put(store, 0, 10)
    put(store, 10, 20, factor=0.5)  # a split between the two answers, which share no bar
    assert get(store, 0, 20).pieces == ((0, 10 * MINUTE), (10 * MINUTE, 20 * MINUTE))
    assert get(store, 0, 20).gaps == ()


def test_steps_are_taken_in_order_and_all_or_none(store):
    mine, yours = minutes(range(9), source="me"), minutes(range(9), source="you")
    assert store.change([mine, yours, "me"])
    assert get(store, 0, 9, Series.of(mine)).bars is None
    assert get(store, 0, 9, Series.of(yours)).bars == yours
    assert store.change(["me", mine])
    assert get(store, 0, 9, Series.of(mine)).bars == mine
    with pytest.raises(UsageError, match="an empty answer is none"):
        store.change(["me", minutes([])])
    assert get(store, 0, 9, Series.of(mine)).bars == mine


@pytest.mark.parametrize(
    "fact", ["symbol", "timeframe", "adjustment", "feed", "source", "calendar"]
)
def test_each_fact_makes_another_series(store, fact):
    put(store, 0, 10)
    words = {"timeframe": Timeframe("5Min"), "adjustment": "raw", "calendar": "24/7"}
    other = attrs.evolve(SERIES, **{fact: words.get(fact, "other")})
    assert get(store, 0, 10, other).bars is None
    with pytest.raises(UsageError, match="another series"):
        store.put(other, minutes([0]), 0, MINUTE)


@pytest.mark.parametrize(
    ("bars", "window", "words"),
    [
        (minutes([]), (0, 9), "an empty answer is none"),
        (minutes([1, 9]), (0, 9), "within the interval"),
        (minutes([1, 9]), (2, 10), "within the interval"),
        (minutes([1], stale_since=datetime(2024, 3, 8, tzinfo=UTC)), (0, 9), "not stale"),
        (minutes([1]).with_extra("mood", [1.0], [0]), (0, 9), "without joined columns"),
        (minutes([1]), (9, 9), "a start before an end"),
        (minutes([1]), (9, 0), "a start before an end"),
    ],
)
def test_what_is_no_settled_answer_is_refused(store, bars, window, words):
    with pytest.raises(UsageError, match=words):
        store.put(SERIES, bars, *(moment * MINUTE for moment in window))
    assert get(store, 0, 99).bars is None


@pytest.mark.parametrize(
    "wrong", [{"path": ""}, {"path": 3}, {"path": "a\0b"}, {"busy_timeout": 1}]
)
def test_it_needs_a_path_and_a_wait(wrong):
    with pytest.raises(UsageError):
        BarsStore(**({"path": "never.db"} | wrong))


def test_without_a_path_it_lies_in_the_users_folder_for_caches(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / name)
    with BarsStore() as store:
        assert put(store, 0, 10)
        assert store.path == tmp_path / "tradekit" / "bars.db"


def test_where_no_file_can_be_nothing_is_kept_and_nothing_raised(tmp_path, caplog):
    (tmp_path / "file").touch()
    store = BarsStore(tmp_path / "file" / "bars.db")
    assert put(store, 0, 10) is False
    assert get(store, 0, 10).gaps == ((0, 10 * MINUTE),)
    assert store.feeds(SERIES) == ()
    assert store.trouble
    assert len(caplog.records) == 1


def test_a_price_that_changed_on_disk_is_noticed(path, caplog):
    with BarsStore(path) as store:
        put(store, 0, 5000)
    content = path.read_bytes()
    price, other = (np.float64(number).tobytes() for number in (150.0, 151.0))
    path.write_bytes(content.replace(price, other, 1))
    with BarsStore(path) as store:
        kept = get(store, 0, 5000)
        assert (kept.bars, kept.gaps) == (None, ((0, 5000 * MINUTE),))
        assert put(store, 0, 10)
    assert "checksum" in caplog.text
    assert path.with_name("bars.db.corrupt-1").is_file()


@pytest.fixture(scope="module")
def whole(folder):
    path = folder / "whole.db"
    with BarsStore(path) as store:
        for symbol in ("SPY", "QQQ"):
            for first in range(0, 4000, 400):
                put(store, first, first + 400, symbol=symbol)
    return path


ZEROS, ONES = bytes(4096), b"\xff" * 4096


@settings(max_examples=80, deadline=None)
@given(
    st.integers(100, 400_000),  # whose file it is lies before the first hundred
    st.sampled_from([ZEROS, ONES]) | st.binary(max_size=9),
    st.sampled_from([0, 1, 4096, 400_000]),
)
def test_whatever_befalls_its_bytes_the_bars_are_right_or_none(folder, whole, at, new, length):
    content = whole.read_bytes()
    path = folder / "damaged.db"
    path.write_bytes(content[:at] + new + content[at + length :])
    with BarsStore(path) as store:
        kept = get(store, 0, 4000)
        assert kept.bars in (minutes(range(4000)), None)
        assert kept.gaps == (() if kept.bars else ((0, 4000 * MINUTE),))
        assert put(store, 0, 10)
        assert store.trouble is None


def test_threads_share_a_store(store):
    def work(number):
        symbol = f"S{number % 4}"
        assert put(store, number * 10, number * 10 + 10, symbol=symbol)
        return get(store, number * 10, number * 10 + 10, attrs.evolve(SERIES, symbol=symbol)).gaps

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(100))) == [()] * 100


def test_two_processes_share_a_file(path):
    commands = [[sys.executable, "-c", WRITER, str(path), name, "40"] for name in ("A", "B")]
    writers = [subprocess.Popen(c, stdout=subprocess.PIPE, text=True) for c in commands]
    for writer in writers:
        said, _ = writer.communicate(timeout=60)
        assert said.split() == ["True"] * 40
    with BarsStore(path) as store:
        for symbol in ("A", "B"):
            kept = get(store, 0, 40_000, attrs.evolve(SERIES, symbol=symbol))
            assert kept.gaps == ()
            assert kept.bars == minutes(range(40_000), symbol)
    assert [p.name for p in path.parent.iterdir()] == ["bars.db"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_process_leaves_complete_answers_only(path):
    for kill in range(10):
        command = [sys.executable, "-c", WRITER, str(path), f"S{kill}", "1000000"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            said = [next(writer.stdout) for _ in range(1 + 7 * kill)]
            writer.kill()
            said += writer.stdout.read().splitlines()
        series = attrs.evolve(SERIES, symbol=f"S{kill}")
        with BarsStore(path) as store:
            kept = store.get(series, 0, 10**18)
        end = kept.pieces[-1][1]
        answers, rest = divmod(end // MINUTE, 1000)
        assert (kept.pieces[0][0], rest) == (0, 0)
        assert len(said) <= answers <= len(said) + 1  # one may be kept, and its word lost
        assert kept.gaps == ((end, 10**18),)
        assert kept.bars == minutes(range(answers * 1000), f"S{kill}")
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
