from __future__ import annotations

import gc
import itertools
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from tradekit import EventQuery, SinkError, UsageError
from tradekit.journal import ErrorOccurred, SetupMissed, SQLiteSink
from tradekit.testing import check_sink

NOON = datetime(2024, 3, 8, 17, tzinfo=UTC)

# Writes until it is killed, and says after each write how many were acknowledged.
WRITER = """
import sys
from datetime import UTC, datetime
from tradekit.journal import ErrorOccurred, SQLiteSink
sink = SQLiteSink(sys.argv[1])
for i in range(1_000_000):
    sink.write(ErrorOccurred(datetime(2024, 3, 8, tzinfo=UTC), seq=i, component="x", message="y"))
    sys.stdout.write(f"{i + 1}\\n")
    sys.stdout.flush()
"""


def missed(number=0, symbol="SPY", **changes):
    facts = {"signal_type": "gap", "code": "regime", "reason": "bear", "seq": number} | changes
    return SetupMissed(NOON + timedelta(minutes=number), symbol=symbol, **facts)


def query_plan(path, where):
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute(f"EXPLAIN QUERY PLAN SELECT payload FROM events {where}")
        return " ".join(row[-1] for row in rows)


def foreign(path):
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE mine (x)")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    folder, numbers = tmp_path_factory.mktemp("sinks"), itertools.count()
    return lambda: SQLiteSink(folder / f"{next(numbers)}" / "journal.db")


def pytest_generate_tests(metafunc):
    if "kit_check" in metafunc.fixturenames:
        names = [check.name for check in check_sink(lambda: SQLiteSink("never-opened.db"))]
        metafunc.parametrize("kit_check", names)


def test_it_passes_the_kit(kit_check, fresh):
    next(check for check in check_sink(fresh) if check.name == kit_check)()


def test_the_file_is_made_by_the_first_write(tmp_path):
    path = tmp_path / "new" / "journal.db"
    with SQLiteSink(path) as sink:
        assert not path.parent.exists()
        sink.write(missed())
        assert path.is_file()


def test_the_same_event_written_twice_is_kept_once(tmp_path):
    with SQLiteSink(tmp_path / "journal.db") as sink:
        sink.write([missed(1), missed(2)])
        sink.write([missed(2), missed(3)])
        assert sink.read() == (missed(1), missed(2), missed(3))


def test_the_same_writes_give_the_same_bytes(tmp_path):
    contents = []
    for name in ("one.db", "two.db"):
        with SQLiteSink(tmp_path / name) as sink:
            for start in range(0, 3000, 30):
                sink.write(
                    [missed(i, f"S{i % 7}", setup=f"{i % 11}") for i in range(start, start + 30)]
                )
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.db", "two.db"]  # no log left over


def test_it_goes_on_where_an_earlier_process_stopped(tmp_path):
    path = tmp_path / "journal.db"
    for number in range(3):
        with SQLiteSink(path) as sink:
            sink.write(missed(number))
    with SQLiteSink(path) as sink:
        assert sink.read() == (missed(0), missed(1), missed(2))


def test_what_is_asked_by_kind_run_symbol_or_setup_is_found_by_an_index(tmp_path):
    path = tmp_path / "journal.db"
    with SQLiteSink(path) as sink:
        sink.write([missed(i) for i in range(10)])
    for column in ("kind", "run", "symbol", "setup"):
        assert f"USING INDEX events_by_{column}" in query_plan(path, f"WHERE {column} = 'x'")


def test_reading_after_the_end_leaves_nothing_open(tmp_path):
    sink = SQLiteSink(tmp_path / "journal.db")
    sink.write(missed())
    sink.close()
    assert sink.read() == (missed(),)
    assert [p.name for p in tmp_path.iterdir()] == ["journal.db"]


def test_a_sink_that_nobody_closes_lets_go_of_its_file(tmp_path):
    sink = SQLiteSink(tmp_path / "journal.db")
    sink.write(ErrorOccurred(NOON, component="data", message="gone"))
    assert (tmp_path / "journal.db-wal").exists()
    del sink
    gc.collect()
    assert not (tmp_path / "journal.db-wal").exists()


def test_another_process_reads_while_one_writes(tmp_path):
    path = tmp_path / "journal.db"
    with SQLiteSink(path) as writer, SQLiteSink(path) as reader:
        for number in range(3):
            writer.write(missed(number))
            assert len(reader.read()) == number + 1


def test_a_locked_journal_says_so_and_goes_on_when_it_is_free(tmp_path):
    path = tmp_path / "journal.db"
    with SQLiteSink(path, busy_timeout=timedelta(milliseconds=10)) as sink:
        sink.write(missed(0))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(SinkError, match=r"locked.*close the other writer") as caught:
                sink.write(missed(1))
        sink.write(caught.value.events)
        assert sink.read() == (missed(0), missed(1))


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda path: path.write_bytes(b"no database at all" * 99), "move the file away"),
        (lambda path: path.mkdir(), "another path"),
        (foreign, "another database"),
    ],
    ids=["corrupt", "folder", "foreign"],
)
def test_what_cannot_be_a_journal_is_refused_with_a_cure(tmp_path, prepare, words):
    path = tmp_path / "journal.db"
    prepare(path)
    with pytest.raises(SinkError, match=words) as caught:
        SQLiteSink(path).write(missed())
    assert caught.value.events == (missed(),)
    with pytest.raises(SinkError, match=words):
        SQLiteSink(path).read()


def test_a_journal_of_a_newer_version_is_left_alone(tmp_path):
    path = tmp_path / "journal.db"
    with SQLiteSink(path) as sink:
        sink.write(missed())
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 9")
    with pytest.raises(SinkError, match=r"got version 9\. Try: a newer tradekit"):
        SQLiteSink(path).read()


def test_texts_that_are_no_unicode_do_not_block_the_journal(tmp_path):
    odd = ErrorOccurred(NOON, component="data", message="half \ud83d", run="r\udc00")
    with SQLiteSink(tmp_path / "journal.db") as sink:
        sink.write(odd)
        assert sink.read(EventQuery(run="r\udc00")) == (odd,)


@pytest.mark.parametrize("wrong", [{"path": ""}, {"path": 3}, {"busy_timeout": 1}])
def test_it_needs_a_path_and_a_wait(wrong):
    with pytest.raises(UsageError):
        SQLiteSink(**({"path": "journal.db"} | wrong))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_what_was_acknowledged_survives_a_killed_process(tmp_path):
    for kill in range(10):
        path = tmp_path / f"{kill}.db"
        command = [sys.executable, "-c", WRITER, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            acknowledged = [next(process.stdout) for _ in range(5 + 13 * kill)]
            process.kill()
            acknowledged += process.stdout.read().splitlines()
        with SQLiteSink(path) as sink:
            kept = [event.seq for event in sink.read()]
        assert kept[: len(acknowledged)] == list(range(len(acknowledged)))
        assert len(kept) <= len(acknowledged) + 1  # one may be kept, and its word lost
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
