"""The reference bot, end to end: what it shows, what it writes, and that it writes it twice."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from contextlib import redirect_stdout
from datetime import UTC, datetime
from io import StringIO

import pytest

from tradekit import (
    BarsRequest,
    ComprehensiveLogger,
    EventQuery,
    FixedClock,
    MultiSourceDataManager,
    Timeframe,
    UsageError,
)
from tradekit.data import MemorySource, SimulatedSource
from tradekit.journal import SQLiteSink, read_export

WEEK = ("--symbols", "SPY,QQQ,IWM,AAPL", "--from", "2024-06-25", "--to", "2024-06-27")
# Words that open a connection, or ask where to open one, end the process.
OFFLINE = """
import sys
def refuse(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind", "socket.sendto"):
        raise SystemExit(f"the network was used: {event} {args}")
sys.addaudithook(refuse)
from tradekit.__main__ import main
raise SystemExit(main(sys.argv[1:]))
"""
# Where nobody listens: a network that is down, wherever the test runs.
NO_NETWORK = dict.fromkeys(
    ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9"
)


@pytest.fixture(scope="module")
def week(play, tmp_path_factory):
    """Three days of the simulated market: what was shown, and the journal."""
    path = tmp_path_factory.mktemp("week") / "journal.db"
    with redirect_stdout(StringIO()) as shown:
        assert play(*WEEK, "--journal", path) == 0
    return shown.getvalue(), path


@pytest.fixture(scope="module")
def events(week):
    with SQLiteSink(week[1]) as sink:
        return sink.read()


def test_every_screen_says_that_the_market_is_simulated(week):
    titles = ("A bot on", "Health", "Daily summary", "Weekly report")
    shown = week[0]
    assert all(title in shown for title in titles)
    assert shown.count("SIMULATED MARKET") == len(titles) + 1  # and once before anything is read


def test_setups_are_executed_and_missed_and_none_is_left_open(events):
    kinds = Counter(event.kind for event in events)
    assert kinds["SetupExecuted"] > 3
    assert kinds["SetupMissed"] > 3
    ended = {e.setup for e in events if e.kind in {"SetupExecuted", "SetupMissed"}}
    assert {e.setup for e in events if e.kind == "SetupDetected"} == ended


def test_the_regime_and_the_watchlist_stand_in_the_journal(events):
    assert [e.regime for e in events if e.kind == "MarketConditionChanged"]
    assert [e for e in events if e.kind == "WatchlistChanged" and e.added]


def test_every_fill_belongs_to_a_setup_and_comes_after_its_order(events):
    submitted = {e.order: e.time for e in events if e.kind == "OrderSubmitted"}
    fills = [e for e in events if e.kind == "OrderFilled"]
    detected = {e.setup for e in events if e.kind == "SetupDetected"}
    assert fills
    assert all(fill.setup in detected for fill in fills)
    entries = [fill for fill in fills if fill.order in submitted]
    assert all(fill.time >= submitted[fill.order] for fill in entries)


def test_what_became_of_setups_is_known_for_taken_and_missed_ones(events):
    resolved = {e.setup for e in events if e.kind == "SetupResolved"}
    for kind in ("SetupExecuted", "SetupMissed"):
        assert resolved & {e.setup for e in events if e.kind == kind}


def test_nothing_is_known_before_it_happened(events):
    assert all(event.seen_at >= event.time for event in events)


def test_twice_the_same_market_gives_the_same_journal_byte_for_byte(week, play, tmp_path):
    again = tmp_path / "journal.db"
    with redirect_stdout(StringIO()):
        play(*WEEK, "--journal", again)
    assert again.read_bytes() == week[1].read_bytes()


def test_a_journal_that_holds_the_run_already_is_left_alone(week, play):
    before = week[1].read_bytes()
    with redirect_stdout(StringIO()), pytest.raises(UsageError, match="holds this run already"):
        play(*WEEK, "--journal", week[1])
    assert week[1].read_bytes() == before


def test_the_export_holds_what_the_journal_holds(week, events):
    (export,) = week[1].parent.glob("*.json")
    kept = read_export(export)
    assert list(kept) == list(events)[: len(kept)]
    assert json.loads(export.read_text("utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two collections that hold the same symbol: days of three funds, and minutes of one."""
    root = tmp_path_factory.mktemp("bars")
    source = SimulatedSource(clock=FixedClock(datetime(2024, 6, 28, 22, tzinfo=UTC)))
    for name, symbols, timeframe, limit in (
        ("days", ("SPY", "QQQ", "IWM"), "1Day", 400),
        ("minutes", ("SPY",), "5Min", 78 * 8),
    ):
        (root / name).mkdir()
        request = BarsRequest(symbols, timeframe, limit=limit)
        for symbol, bars in source.blocking.fetch(request).bars.items():
            bars.to_frame().to_csv(root / name / f"{symbol}.csv")
    return root


def test_each_collection_of_a_folder_is_a_run_of_its_own(folder, play, tmp_path):
    path = tmp_path / "journal.db"
    with redirect_stdout(StringIO()) as shown:
        play("--replay", folder, "--from", "2024-06-17", "--to", "2024-06-27", "--journal", path)
    with SQLiteSink(path) as sink:
        runs = {event.run: event.mode.value for event in sink.read()}
    assert runs == {
        "replay-days-1Day-20240617-20240627": "replay",
        "replay-minutes-5Min-20240618-20240627": "replay",
    }
    assert shown.getvalue().count("REPLAY") == 10
    assert "SIMULATED" not in shown.getvalue()


def test_a_replay_cut_short_says_the_same_up_to_there(folder, play, tmp_path):
    ends = {"short": "2024-06-21", "long": "2024-06-27"}
    told = {}
    for name, end in ends.items():
        path = tmp_path / f"{name}.db"
        options = ("--symbols", "SPY", "--timeframe", "5Min", "--from", "2024-06-18", "--to", end)
        with redirect_stdout(StringIO()):
            play("--replay", folder / "minutes", *options, "--journal", path)
        with SQLiteSink(path) as sink:
            detected = sink.read(EventQuery(kinds="SetupDetected"))
        told[name] = [(e.time, e.signal_id, e.confidence) for e in detected]
    assert told["short"]
    assert told["long"][: len(told["short"])] == told["short"]


def test_days_without_bars_are_an_error_and_no_empty_report(folder, play, tmp_path):
    with pytest.raises(UsageError, match="no bars to run on"):
        play(
            "--replay",
            folder,
            "--from",
            "1999-01-01",
            "--to",
            "1999-12-31",
            "--journal",
            tmp_path / "j",
        )


def test_a_symbol_that_nobody_knows_is_named(folder, play, tmp_path):
    for where in ((), ("--replay", folder)):
        with redirect_stdout(StringIO()), pytest.raises(UsageError, match=r"no bars of ZZZ: "):
            play(*where, "--symbols", "SPY,ZZZ", "--journal", tmp_path / "journal.db")


def test_files_that_cannot_be_read_say_why(play, tmp_path):
    (tmp_path / "SPY.csv").write_text("a,b,c\n1,2,3\n")
    with redirect_stdout(StringIO()), pytest.raises(UsageError, match="column 'open' is missing"):
        play("--replay", tmp_path, "--journal", tmp_path / "journal.db")


def test_a_bot_on_weeks_has_no_longer_timeframe_to_ask(play, tmp_path):
    week = ("--timeframe", "1Week", "--from", "2024-05-01", "--symbols", "SPY,QQQ")
    with redirect_stdout(StringIO()):
        assert play(*week, "--journal", tmp_path / "journal.db") == 0


def test_a_folder_without_bars_says_what_was_expected(play, tmp_path):
    with pytest.raises(UsageError, match="holds no files of bars"):
        play("--replay", tmp_path, "--journal", tmp_path / "journal.db")


def process(*words, **environment):
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONUTF8": "1", **environment},
    )


@pytest.mark.slow
def test_the_bot_runs_without_a_network(tmp_path):
    done = process("-c", OFFLINE, "demo", *WEEK, "--journal", str(tmp_path / "journal.db"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Weekly report" in done.stdout


def test_a_live_source_that_cannot_be_reached_is_said_and_ends_the_command(tmp_path):
    words = ("-m", "tradekit", "demo", "--source", "yahoo", "--journal", str(tmp_path / "j.db"))
    done = process(*words, **NO_NETWORK)
    assert done.returncode == 1, done.stdout
    assert "tradekit: no source has bars of SPY" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "j.db").exists()


def test_a_live_source_without_keys_says_which_ones(tmp_path):
    keys = dict.fromkeys(
        ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "ALPACA_API_KEY", "ALPACA_SECRET_KEY"), ""
    )
    done = process("-m", "tradekit", "demo", "--source", "alpaca", **keys)
    assert done.returncode == 1
    assert "APCA_API_KEY_ID" in done.stderr


def test_the_bot_looks_at_a_live_source_pass_by_pass(play, tmp_path):
    path = tmp_path / "journal.db"
    with redirect_stdout(StringIO()) as shown:
        assert play("--source", "simulated", "--passes", 1, "--journal", path) == 0
    assert shown.getvalue().count("SIMULATED MARKET") == 3
    with SQLiteSink(path) as sink:
        assert sink.read(EventQuery(kinds=("RunStarted",)))


@pytest.fixture
def blind(example, tmp_path):
    """A bot whose only source knows nothing."""
    clock = FixedClock(datetime(2024, 6, 27, 18, tzinfo=UTC))
    manager = MultiSourceDataManager(sources=[MemorySource(clock=clock)], clock=clock)
    logger = ComprehensiveLogger(path=tmp_path / "journal.db", clock=clock)
    return example("bot").TradingBot(manager, clock=clock, logger=logger, universe=["SPY"])


def test_a_bot_that_cannot_look_says_so_once_and_goes_on(blind):
    for _ in range(3):
        asyncio.run(blind.enhanced_trading_loop())
    errors = blind.logger.read(EventQuery(kinds="ErrorOccurred"))
    told = [event.details["symbol"] for event in errors]
    assert sorted(told) == ["IWM", "IWM 1Day", "QQQ", "QQQ 1Day", "SPY", "SPY 1Day"]
    assert blind.get_system_health_report()["current_regime"] == "unknown"


def test_the_promised_screens_work_before_anything_happened(blind, capsys):
    blind.display_health_dashboard()
    blind.monitor_upgrade_performance()
    report = blind.generate_weekly_report()
    shown = capsys.readouterr().out
    assert all(title in shown for title in ("Health", "Alerts", "Weekly report"))
    assert "detected" in report


@pytest.mark.parametrize(
    ("now", "timeframe", "due"),
    [
        ("2024-03-08T14:33", "5Min", "2024-03-08T14:35"),
        ("2024-03-08T14:35", "5Min", "2024-03-08T14:40"),
        ("2024-03-08T15:10", "1Hour", "2024-03-08T15:30"),  # hours count from 09:30 in New York
        ("2024-03-08T20:45", "1Hour", "2024-03-08T21:00"),
        ("2024-03-08T21:30", "1Hour", "2024-03-11T14:30"),  # over the weekend, in summer time
        ("2024-03-08T21:30", "1Day", "2024-03-11T20:00"),
    ],
)
def test_a_live_bot_waits_for_the_end_of_the_next_bar(example, now, timeframe, due):
    start, end = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (now, due))
    wait = example("run")._seconds_to_next(FixedClock(start), Timeframe(timeframe))
    assert wait == (end - start).total_seconds() + 5


def test_what_the_journal_holds_is_shown_as_it_is(example):
    out = example("screens").console()
    with out.capture() as shown:
        out.print("key [redacted] :smile: [/x]")
    assert shown.get().strip() == "key [redacted] :smile: [/x]"


def test_a_live_run_goes_on_in_the_journal_of_all_live_runs(play, monkeypatch, tmp_path):
    monkeypatch.setattr("platformdirs.user_data_path", lambda name: tmp_path / name)
    for _ in range(2):
        with redirect_stdout(StringIO()) as shown:
            play("--source", "simulated", "--passes", 1)
    assert str(tmp_path / "tradekit" / "journal.db") in shown.getvalue()
    with SQLiteSink(tmp_path / "tradekit" / "journal.db") as sink:
        assert len(sink.read(EventQuery(kinds="RunStarted"))) == 2
