"""What a detector must not touch is heard, and only then."""

from __future__ import annotations

import datetime as dt
import itertools
import logging
import sqlite3
import sys
import time

import numpy as np
import pandas as pd
import pytest

from tradekit.testing._quiet import listening, side_by_side


class Moment(dt.datetime):
    pass


def later(moment=None):
    return pd.Timestamp.now() if moment is None else moment


LOUD = {
    "a file": (lambda: open(__file__, encoding="utf-8").close(), "open"),
    "a database": (lambda: sqlite3.connect(":memory:").close(), "sqlite3.connect"),
    "time": (time.time, "the clock, time"),
    "nanoseconds": (time.perf_counter_ns, "the clock, perf_counter_ns"),
    "now": (lambda: dt.datetime.now(dt.UTC), "the clock, datetime.now"),
    "today": (dt.date.today, "the clock, date.today"),
    "a subclass's now": (Moment.now, "the clock, Moment.now"),
    "pandas' now": (later, "the clock, Timestamp.now in later"),
    "numpy's now": (lambda: np.datetime64("now"), "the clock, datetime64('now')"),
}


@pytest.mark.parametrize("what", LOUD)
def test_it_is_heard(what):
    act, name = LOUD[what]
    with listening() as heard:
        act()
    assert any(event.startswith(name) for event in heard), heard


def quiet_work():
    frame = pd.DataFrame({"close": np.arange(50.0)})
    moved = frame["close"].rolling(5).mean() + frame["close"].ewm(span=3).mean()
    logging.getLogger("tradekit.test").info("told %s", moved.size)
    return dt.datetime.fromtimestamp(0, dt.UTC), np.datetime64("2024-03-08")


def test_work_on_numbers_logs_and_given_times_is_not_heard():
    quiet_work()
    with listening() as heard:
        quiet_work()
    assert heard == []


def test_nothing_is_heard_afterwards_and_a_profiler_stays():
    def profiler(*_):
        return None

    sys.setprofile(profiler)
    try:
        with listening() as heard:
            pass
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(None)
    open(__file__, encoding="utf-8").close()
    time.time()
    assert heard == []


def test_threads_take_turns_after_every_line():
    seen, left = [], {"one": 20, "two": 20}

    def work(name):
        while left[name]:
            seen.append(name)
            left[name] -= 1
        return name

    calls = [lambda: work("one"), lambda: work("two")]
    assert side_by_side(calls, __name__) == ["one", "two"]
    switches = sum(a != b for a, b in itertools.pairwise(seen))
    assert switches > 5


def test_an_error_in_a_thread_comes_out():
    with pytest.raises(ZeroDivisionError):
        side_by_side([lambda: 1, lambda: 1 // 0], __name__)
