from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest

from tradekit import UsageError
from tradekit.data._database import DamagedError, Database

SHORT = timedelta(milliseconds=20)

# The child has the parent's connection in its hands: whatever it wrote there after the parent is
# done with the file would be lost.
FORKED = """
import os, sys
from datetime import timedelta
from pathlib import Path
from tradekit.data._database import Database
database = Database(Path(sys.argv[1]), timedelta(seconds=5))
def write(name):
    return database.write(lambda file: file.execute("INSERT INTO series VALUES (?, x'')", (name,)))
write("before")
done, is_done = os.pipe()
if child := os.fork():
    write("parent")
    database.close()
    os.write(is_done, b"!")
    sys.exit(os.waitpid(child, 0)[1])
os.read(done, 1)
written = write("child")
database.close()
os._exit(0 if written else 1)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bars.db"


@pytest.fixture
def warnings(caplog):
    caplog.set_level("WARNING", logger="tradekit.data")
    return lambda: [record.getMessage() for record in caplog.records]


def opened(path):
    return Database(path, SHORT)


def write(database, name="a"):
    insert = "INSERT INTO series VALUES (?, x'')"
    return database.write(lambda file: file.execute(insert, (name,)))


def names(database, otherwise=None):
    select = "SELECT CAST(name AS BLOB) FROM series ORDER BY name"
    return database.read(lambda file: [n.decode() for (n,) in file.execute(select)], otherwise)


def raw(path, script):
    with closing(sqlite3.connect(path)) as other:
        other.executescript(script)


def filled(path):
    with closing(opened(path)) as database:
        for number in range(2_000):
            write(database, f"{number:>50}")


def test_what_is_written_is_there_for_the_next(path):
    with closing(opened(path)) as database:
        assert write(database)
    assert [p.name for p in path.parent.iterdir()] == ["bars.db"]
    with closing(opened(path)) as database:
        assert names(database) == ["a"]
        assert database.trouble is None


def test_work_that_fails_leaves_nothing(path):
    def half(file):
        file.execute("INSERT INTO series VALUES ('half', x'')")
        raise KeyboardInterrupt

    with closing(opened(path)) as database:
        with pytest.raises(KeyboardInterrupt):
            database.write(half)
        assert names(database) == []


def test_a_database_that_nobody_closes_lets_go_of_its_file(path):
    database = opened(path)
    write(database)
    assert os.path.exists(f"{path}-wal")
    del database
    gc.collect()
    assert not os.path.exists(f"{path}-wal")


def test_threads_share_it(path):
    with closing(opened(path)) as database, ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda n: write(database, f"{n:03}"), range(100)))
        assert names(database) == [f"{n:03}" for n in range(100)]


def test_many_may_begin_a_file_at_once(tmp_path, warnings):
    together, wait = threading.Barrier(4), timedelta(seconds=20)

    def begin(path):
        together.wait()
        with closing(Database(path, wait)) as database:
            return write(database, str(threading.get_ident()))

    with ThreadPoolExecutor(4) as pool:
        for number in range(10):
            assert all(pool.map(begin, [tmp_path / f"{number}.db"] * 4))
    assert warnings() == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_opens_the_file_for_itself(path):
    subprocess.run([sys.executable, "-c", FORKED, str(path)], check=True, timeout=30)
    with closing(opened(path)) as database:
        assert names(database) == ["before", "child", "parent"]


def test_a_locked_file_is_said_once_and_read_all_the_same(path, warnings):
    with closing(opened(path)) as database, closing(sqlite3.connect(path)) as other:
        write(database)
        other.execute("BEGIN IMMEDIATE")
        assert [write(database, "b"), write(database, "b")] == [False, False]
        assert names(database) == ["a"]
        assert database.trouble == "not written: database is locked"
        assert warnings() == [f"the cache of bars {path} cannot be written: database is locked"]
        other.execute("ROLLBACK")
        assert write(database, "b")
        assert database.trouble is None
        other.execute("BEGIN IMMEDIATE")
        assert not write(database, "c")
        assert len(warnings()) == 2


def test_a_full_disk_is_said_once_and_keeps_what_was_there(path, warnings):
    def fill(file):
        pages = file.execute("PRAGMA page_count").fetchone()[0]
        file.execute(f"PRAGMA max_page_count = {pages}")
        file.execute("INSERT INTO series VALUES ('much', zeroblob(100000))")

    with closing(opened(path)) as database:
        write(database)
        assert [database.write(fill), database.write(fill)] == [False, False]
        assert [word for word in warnings() if "full" in word] == warnings()
        assert len(warnings()) == 1
        assert names(database) == ["a"]


def test_a_place_where_no_file_can_be_is_said_once(tmp_path, warnings):
    (tmp_path / "file").write_text("in the way")
    database = opened(tmp_path / "file" / "bars.db")
    assert [write(database), write(database), names(database, "nothing")] == [
        *(False, False, "nothing"),
    ]
    assert len(warnings()) == 1
    assert database.trouble
    (tmp_path / "file").unlink()
    with closing(database):
        assert write(database)


def garbage(path):
    path.write_bytes(bytes(range(256)) * 40)


def truncated(path):
    filled(path)
    path.write_bytes(path.read_bytes()[:20_000])


def stub(path):
    filled(path)
    path.write_bytes(path.read_bytes()[:50])


def other_version(path):
    filled(path)
    raw(path, "PRAGMA user_version = 4097")  # one bit that changed


def missing_table(path):
    filled(path)
    raw(path, "DROP TABLE chunks")


def page_one(path):
    filled(path)
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xa5" * 3_996 + content[4_096:])


def no_text(path):
    filled(path)
    path.write_bytes(path.read_bytes().replace(b"tablechunks", b"\xff" * 11))


@pytest.mark.parametrize(
    "damage", [garbage, truncated, stub, other_version, missing_table, page_one, no_text]
)
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(path, warnings, damage):
    damage(path)
    content = path.read_bytes()
    with closing(opened(path)) as database:
        assert names(database) == []
        assert write(database)
        assert database.trouble is None
    assert path.with_name("bars.db.corrupt-1").read_bytes() == content
    (said,) = warnings()
    assert "is damaged" in said
    assert "bars.db.corrupt-1" in said
    with closing(opened(path)) as database:
        assert names(database) == ["a"]


def test_each_damaged_file_is_kept_under_a_name_of_its_own(path):
    for _ in range(3):
        garbage(path)
        opened(path).close()
    assert sorted(p.name for p in path.parent.glob("*corrupt*")) == [
        *("bars.db.corrupt-1", "bars.db.corrupt-2", "bars.db.corrupt-3"),
    ]


def test_pages_that_go_bad_later_are_noticed_when_they_are_read(path, warnings):
    filled(path)
    with closing(opened(path)) as database:
        content = bytearray(path.read_bytes())
        half = len(content) // 2 // 4096 * 4096
        content[half : half + 8 * 4096] = b"\xa5" * 8 * 4096
        path.write_bytes(content)
        assert names(database) == []
        assert write(database)
    assert "is damaged" in warnings()[0]
    assert path.with_name("bars.db.corrupt-1").read_bytes() == content


def test_a_table_that_another_program_drops_is_damage(path, warnings):
    with closing(opened(path)) as database:
        write(database)
        raw(path, "DROP TABLE series")
        assert names(database) == []
    assert "no such table" in warnings()[0]
    assert path.with_name("bars.db.corrupt-1").is_file()


def test_the_log_of_a_damaged_file_goes_with_it(path):
    with closing(opened(path)) as database, closing(opened(path)) as other:
        write(other)

        def find(file):
            if file.execute("SELECT name FROM series").fetchone():
                raise DamagedError("so it seems")
            return "nothing"

        assert database.read(find, None) == "nothing"
        assert write(other, "b")  # its file has another name now
    with closing(sqlite3.connect(path.with_name("bars.db.corrupt-1"))) as aside:
        assert aside.execute("SELECT name FROM series").fetchall() == [("a",), ("b",)]


def test_who_finds_damage_that_another_has_mended_takes_the_new_file(path, warnings):
    def find(file):
        names = [name for (name,) in file.execute("SELECT name FROM series")]
        if "old" in names:
            raise DamagedError("so it seems")
        return names

    with closing(opened(path)) as first, closing(opened(path)) as second:
        write(first, "old")
        assert first.read(find, None) == []
        write(first, "new")
        assert second.read(find, None) == ["new"]
    assert len(warnings()) == 1
    assert len(list(path.parent.glob("*corrupt-?"))) == 1


@pytest.mark.parametrize("error", [ValueError, TypeError, KeyError, IndexError])
def test_what_cannot_be_read_is_damage(path, warnings, error):
    def read(file):
        if file.execute("SELECT name FROM series").fetchone():
            raise error("no such thing")
        return "nothing"

    with closing(opened(path)) as database:
        write(database)
        assert database.read(read, None) == "nothing"
    assert "no such thing" in warnings()[0]
    assert path.with_name("bars.db.corrupt-1").is_file()


def test_no_changed_bit_of_the_header_is_an_exception(path):
    filled(path)
    content = path.read_bytes()
    for number in range(100):
        changed = bytearray(content)
        changed[number] ^= 128
        path.write_bytes(changed)
        with closing(opened(path)) as database:
            assert len(names(database, [])) in (0, 2_000)


def test_an_empty_file_is_a_new_one(path, warnings):
    path.touch()
    with closing(opened(path)) as database:
        assert write(database)
    assert warnings() == []


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("PRAGMA user_version = 2", "version 2.*newer"),
        ("PRAGMA application_id = 7; CREATE TABLE mine (x)", "another program"),
        ("PRAGMA application_id = 0; CREATE TABLE mine (x)", "another program"),
    ],
)
def test_a_file_of_a_newer_version_or_another_program_is_refused_untouched(path, script, words):
    filled(path)
    raw(path, script)
    content = path.read_bytes()
    with pytest.raises(UsageError, match=words):
        opened(path)
    assert path.read_bytes() == content
    assert [p.name for p in path.parent.iterdir()] == ["bars.db"]
