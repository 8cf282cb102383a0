"""The command line, as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from tradekit.__main__ import main


def run(*words, **environment):
    return subprocess.run(
        [sys.executable, "-m", "tradekit", *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture(scope="module")
def demo():
    return run("demo", "--symbols", "IWM")


def test_the_demo_says_first_that_its_market_is_simulated(demo):
    assert demo.returncode == 0, demo.stderr
    assert demo.stdout.startswith("SIMULATED MARKET")
    assert demo.stderr == ""


def test_the_demo_shows_four_detectors_at_three_timeframes_beside_their_base_rate(demo):
    rows = [line.split() for line in demo.stdout.splitlines()]
    scores = [row for row in rows if row[:1] in (["5Min"], ["1Hour"], ["1Day"]) and len(row) == 7]
    assert len({(row[0], row[1]) for row in scores}) == 12
    assert "Base rate" in demo.stdout


def test_the_demo_shows_target_stop_and_what_became_of_a_signal(demo):
    for word in ("Target", "Stop", "Became", "Net", "At the last bar"):
        assert word in demo.stdout


def test_the_demo_prints_the_same_twice(demo):
    assert run("demo", "--symbols", "IWM").stdout == demo.stdout


def test_the_demo_needs_no_utf8_terminal():
    shown = run("demo", "--symbols", "IWM", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert shown.returncode == 0, shown.stderr


def test_another_seed_is_another_market(demo):
    assert run("demo", "--symbols", "IWM", "--seed", "1").stdout != demo.stdout


def test_a_folder_that_is_missing_is_one_sentence_and_a_failure(capsys, tmp_path):
    assert main(["demo", "--data", str(tmp_path / "no")]) == 1
    assert "holds no files of bars" in capsys.readouterr().err


def test_an_empty_folder_is_one_sentence_and_a_failure(capsys, tmp_path):
    assert main(["demo", "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("tradekit: ")


def test_a_symbol_that_nobody_has_is_told_and_a_failure(capsys):
    assert main(["demo", "--symbols", "NOSUCH"]) == 1
    assert "NOSUCH" in capsys.readouterr().out


def test_a_folder_of_daily_bars_is_looked_at_by_day(capsys, tmp_path):
    days = np.arange("2023-01-02", "2024-06-01", dtype="M8[D]")
    days = days[np.is_busday(days)]
    close = 100 + 10 * np.sin(np.arange(len(days)) / 7)
    lines = [
        f"{d},{c:.2f},{c + 1:.2f},{c - 1:.2f},{c:.2f},1000"
        for d, c in zip(days, close, strict=True)
    ]
    (tmp_path / "WAVE.csv").write_text("\n".join(["date,open,high,low,close,volume", *lines]))
    assert main(["demo", "--data", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "SIMULATED" not in shown
    assert "1Day" in shown
    assert "5Min" not in shown


def test_every_session_of_spy_minutes_is_looked_at(market_data, capsys):
    assert main(["demo", "--data", str(market_data / "bars" / "1m"), "--symbols", "SPY"]) == 0
    first = capsys.readouterr().out
    assert all(timeframe in first for timeframe in ("5Min", "1Hour", "1Day"))
    assert main(["demo", "--data", str(market_data / "bars" / "1m"), "--symbols", "SPY"]) == 0
    assert capsys.readouterr().out == first


def test_sixty_symbols_of_daily_bars_are_looked_at(market_data, capsys):
    assert main(["demo", "--data", str(market_data / "bars" / "1d" / "smallmid-split")]) == 0
    assert "80 symbols" in capsys.readouterr().out
