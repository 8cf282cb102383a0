"""The command line, as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tradekit.__main__ import main

DAY = ("--symbols", "SPY,QQQ,IWM", "--from", "2024-06-27", "--to", "2024-06-27")


def run(*words, **environment):
    return subprocess.run(
        [sys.executable, "-m", "tradekit", *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONUTF8": "1", **environment},
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return run("demo", *DAY, "--journal", str(tmp_path_factory.mktemp("demo") / "journal.db"))


def test_the_demo_says_first_that_its_market_is_simulated(demo):
    assert demo.returncode == 0, demo.stderr
    assert "SIMULATED MARKET" in demo.stdout.partition("A bot on")[0]
    assert demo.stderr == ""


def test_the_demo_shows_how_many_setups_were_missed_and_why(demo):
    for words in ("detected", "executed", "missed", "Missed, by reason", "Market regime"):
        assert words in demo.stdout


def test_the_demo_says_last_where_its_journal_is(demo):
    assert demo.stdout.splitlines()[-1].startswith("Journal: ")
    assert demo.stdout.strip().endswith("journal.db")


def test_no_screen_opens_with_a_profit(demo):
    shown = demo.stdout.lower()
    assert "profit" not in shown.replace("no profit or loss", "")
    assert shown.index("detected") < shown.index("realised")


def test_without_a_word_about_it_the_journal_lies_in_the_users_data_and_begins_anew(tmp_path):
    home = {"XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    first, second = (run("demo", *DAY, **home) for _ in range(2))
    assert first.stdout == second.stdout
    assert str(tmp_path) in first.stdout or sys.platform == "win32"


def test_the_demo_needs_no_utf8_terminal(tmp_path):
    words = ("demo", *DAY, "--journal", str(tmp_path / "journal.db"))
    shown = run(*words, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert shown.returncode == 0, shown.stderr


def test_another_seed_is_another_market(demo, tmp_path):
    other = run("demo", *DAY, "--seed", "1", "--journal", str(tmp_path / "journal.db"))
    assert other.stdout.partition("Journal")[0] != demo.stdout.partition("Journal")[0]


def test_what_cannot_be_done_is_one_line_on_standard_error(capsys):
    assert main(["demo", "--replay", "no/such/folder"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("tradekit: no/such/folder holds no files of bars")
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("demo", "--from", "June"), "'June' is no day"),
        (("demo", "--symbols", ","), "names no symbol"),
        (("demo", "--source", "yahoo", "--passes", "0"), "no number of passes"),
        (("demo", "--source", "yahoo", "--replay", "."), "not allowed with"),
        ((), "COMMAND"),
        (("trade",), "invalid choice"),
    ],
)
def test_a_word_that_is_not_understood_ends_the_command(words, told, capsys):
    with pytest.raises(SystemExit):
        main(list(words))
    assert told in capsys.readouterr().err
