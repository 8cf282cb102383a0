"""The kit passes sinks that keep what they are given, and refuses each that does not."""

from __future__ import annotations

import itertools
import json
import sqlite3
import threading
from contextlib import closing

import pytest

from tradekit import ContractError, Event, Sink, SinkError
from tradekit.testing import check_sink


class MemorySink(Sink):
    """Keeps events in a list."""

    def __init__(self):
        self.kept = []

    def _write(self, events):
        self.kept.extend(events)

    def _read(self, query):
        return filter(query.matches, self.kept)


class JsonLinesSink(Sink):
    """A line of JSON for each event."""

    def __init__(self, path):
        self.path = path
        self.file = path.open("a", encoding="utf-8")

    def _write(self, events):
        self.file.writelines(json.dumps(event.to_dict()) + "\n" for event in events)

    def _flush(self):
        self.file.flush()

    def _close(self):
        self.file.close()

    def _read(self, query):
        self.file.flush()
        lines = self.path.read_text("utf-8").splitlines()
        return filter(query.matches, (Event.from_dict(json.loads(line)) for line in lines))


class SqliteSink(Sink):
    """A row for each event, written in one transaction."""

    def __init__(self, path):
        self.path = str(path)
        with closing(sqlite3.connect(self.path)) as base, base:
            base.execute("create table events (row integer primary key, said text)")

    def _write(self, events):
        rows = [(json.dumps(event.to_dict()),) for event in events]
        with closing(sqlite3.connect(self.path)) as base, base:
            base.executemany("insert into events (said) values (?)", rows)

    def _read(self, query):
        with closing(sqlite3.connect(self.path)) as base:
            rows = base.execute("select said from events order by row").fetchall()
        return filter(query.matches, (Event.from_dict(json.loads(said)) for (said,) in rows))


class WriteOnlySink(Sink):
    """Counts, and cannot be read."""

    written = 0

    def _write(self, events):
        self.written += len(events)


@pytest.mark.parametrize("kind", [MemorySink, JsonLinesSink, SqliteSink, WriteOnlySink])
def test_an_honest_sink_passes(kind, tmp_path):
    numbers = itertools.count()
    made = []

    def make():
        on_disk = kind in (JsonLinesSink, SqliteSink)
        made.append(kind(tmp_path / f"{next(numbers)}") if on_disk else kind())
        return made[-1]

    for check in check_sink(make):
        check()
    for sink in made:
        sink.close()


def test_a_sink_that_cannot_be_read_is_not_asked_to_give_back():
    names = [check.name for check in check_sink(WriteOnlySink)]
    assert "takes_events" in names
    assert "keeps_all_in_order" not in names


class FailsOnOne(MemorySink):
    """Takes several events only."""

    def _write(self, events):
        self.kept.extend([*events[:1], events[1]])


class NeverCloses(MemorySink):
    """Forgets that it is closed."""

    _closed = property(lambda self: False, lambda self, value: None)


class ClosesAFileItNeverOpened(MemorySink):
    """Fails in close when nothing was written."""

    file = None

    def _close(self):
        self.file.close()


class StaysOpen(MemorySink):
    """Closes only after a with block without errors."""

    def __exit__(self, kind, error, traceback):
        if kind is None:
            self.close()


class Swallows(MemorySink):
    """Closes, and keeps the error to itself."""

    def __exit__(self, kind, error, traceback):
        self.close()
        return True


class NewestFirst(MemorySink):
    """Gives the newest first."""

    def _read(self, query):
        return reversed([*filter(query.matches, self.kept)])


class RoundsNumbers(MemorySink):
    """Keeps six digits of every number."""

    def _write(self, events):
        for event in events:
            text = json.dumps(event.to_dict(), indent=None)
            rounded = json.loads(text, parse_float=lambda digits: float(f"{float(digits):.6g}"))
            self.kept.append(Event.from_dict(rounded))


class StartsLate(MemorySink):
    """Takes the start of a query for the last moment that is not asked for."""

    def _read(self, query):
        found = filter(query.matches, self.kept)
        return [event for event in found if event.time != query.start]


class LastThreadWins(MemorySink):
    """Keeps what one thread wrote, and forgets those before it."""

    def _write(self, events):
        here = threading.get_ident()
        self.kept = [pair for pair in self.kept if pair[0] == here] + [(here, e) for e in events]

    def _read(self, query):
        return [event for _, event in self.kept if query.matches(event)]


TWINS = {
    "takes_events": (FailsOnOne, "did not keep 1 events: .*IndexError"),
    "refuses_after_close": (NeverCloses, "takes events when it is closed: expected a SinkError"),
    "closes_twice": (
        ClosesAFileItNeverOpened,
        "fails when it is closed: .* has no attribute 'close'",
    ),
    "closes_after_an_error": (StaysOpen, "stays open after an error in its with block"),
    "keeps_all_in_order": (
        NewestFirst,
        "expected all events, in order: 50 events, got in event 0 time .*15:19",
    ),
    "keeps_every_word": (
        RoundsNumbers,
        "got in event 0 confidence 61.8034 instead of 61.80339887498948",
    ),
    "finds_what_is_asked": (StartsLate, "EventQuery.kinds=.*: 6 events, got 4 events"),
    "keeps_threads_apart": (LastThreadWins, "all of thread .: 25 events, got 0 events"),
}


@pytest.mark.parametrize("name", TWINS)
def test_the_kit_refuses_a_broken_twin(name):
    twin, message = TWINS[name]
    with pytest.raises((ContractError, SinkError), match=message):
        next(check for check in check_sink(twin) if check.name == name)()


def test_an_error_that_is_swallowed_is_a_fault():
    check = next(c for c in check_sink(Swallows) if c.name == "closes_after_an_error")
    with pytest.raises(ContractError, match="swallows the errors of its with block"):
        check()


def test_every_check_has_a_twin():
    assert set(TWINS) == {check.name for check in check_sink(MemorySink)}
