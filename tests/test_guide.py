"""The guide's own bot: with only its imports changed, it runs on the simulated market."""

from __future__ import annotations

import asyncio
import functools
import json
import re
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

import tradekit
from tradekit import EventQuery, FixedClock, Regime, WatchlistCategory
from tradekit.data import SimulatedSource

BLOCKS = re.findall(
    r"^```python\n(.*?)^```",
    Path(__file__).with_name("guide.md").read_text("utf-8"),
    flags=re.MULTILINE | re.DOTALL,
)
CLASS, LOOP, HEALTH, MAIN, *SETTINGS = BLOCKS[:7]
MONITOR, WEEKLY, SOURCES, CAPTURE, SCANS = BLOCKS[7:]
NOW = datetime(2024, 3, 8, 20, 2, tzinfo=UTC)  # a Friday, an hour before the close
GUIDE = Path(__file__).resolve().parents[2] / "shared" / "integration-guide.md"


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory):
    """What the guide's code defines, after its last lines have run a day of its bot."""
    clock = FixedClock(NOW)
    given = {
        "MultiSourceDataManager": {"sources": [SimulatedSource(clock=clock)], "clock": clock},
        "DynamicWatchlistManager": {"clock": clock},
        "ComprehensiveLogger": {
            "clock": clock,
            "path": tmp_path_factory.mktemp("journal") / "journal.db",
        },
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, options in given.items():
            patch.setattr(tradekit, name, functools.partial(getattr(tradekit, name), **options))
        yield run_the_guide()


def run_the_guide() -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "__main__", "asyncio": asyncio}
    exec(CLASS, names)
    bot = names["TradingBot"]
    bot.alpaca_key = bot.alpaca_secret = None  # the guide takes them from elsewhere
    for block in (LOOP, HEALTH, MONITOR, WEEKLY):
        methods: dict[str, Any] = {}
        exec(block, names, methods)
        for name, method in methods.items():
            setattr(bot, name, method)
    with redirect_stdout(StringIO()) as shown:
        exec(MAIN, names)
    return names | {"shown": shown.getvalue()}


@pytest.fixture(scope="module")
def bot(names: dict[str, Any]) -> Any:
    return names["bot"]


def run_as(self: Any, block: str) -> str:
    """Run a block of the guide that speaks of `self`, and return what it prints."""
    with redirect_stdout(StringIO()) as shown:
        exec(block, {"self": self, "timedelta": timedelta, "WatchlistCategory": WatchlistCategory})
    return shown.getvalue()


def test_the_guide_is_the_one_that_users_have():
    if not GUIDE.is_file():
        pytest.skip("the guide lies beside the project, not in it")
    there = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    moved = [re.sub(r"from \w+\.\w+ import", "from tradekit import", code) for code in there]
    assert [code for code in moved if "sys.path" not in code] == BLOCKS


def test_its_day_ends_with_a_dashboard_and_a_summary(names: dict[str, Any]):
    assert "TRADING BOT HEALTH" in names["shown"]
    assert re.search(r"Opportunities: \d+\n  Executed: \d+\n  Capture Rate: \d", names["shown"])


def test_its_loop_meets_no_error(bot: Any):
    errors = bot.logger.read(EventQuery(kinds=("ErrorOccurred",)))
    assert [event.message for event in errors] == []


def test_every_setup_of_its_day_was_executed_or_missed_with_a_reason(bot: Any):
    events = bot.logger.read()
    ended = {e.setup for e in events if e.kind in ("SetupExecuted", "SetupMissed")}
    found = {event.setup for event in events if event.kind == "SetupDetected"}
    assert found
    assert found <= ended


def test_its_health_report_has_every_key(bot: Any):
    report = bot.get_system_health_report()
    assert 0 <= report["overall_health"] <= 100
    assert report["data_sources_health"] == 100
    assert report["active_symbols"] > 3
    assert report["current_regime"] in set(Regime)


def test_its_monitor_names_the_reasons_of_misses(bot: Any):
    shown = run_as(bot, MONITOR + "\nmonitor_upgrade_performance(self)")
    assert "Top miss reasons" in shown


def test_its_weekly_report_tells_the_regime_the_watchlist_and_where_the_export_lies(bot: Any):
    report = bot.generate_weekly_report()
    assert f"Current: {bot.regime_detector.current_regime.value}" in report
    exported = Path(re.search(r"Data Exported: (.+)", report)[1].strip())
    assert json.loads(exported.read_text("utf-8"))


def test_its_settings_are_taken(bot: Any):
    for room, block in zip(
        (bot.data_manager, bot.signal_aggregator, bot.watchlist_manager), SETTINGS, strict=True
    ):
        run_as(room, block)
    assert bot.data_manager.cache_duration == timedelta(minutes=5)
    assert bot.signal_aggregator.consensus_threshold == 0.6
    asyncio.run(bot.watchlist_manager.update_watchlists(bot.data_manager))


def test_its_cure_for_failing_sources_runs(bot: Any):
    assert bot.data_manager.get_health_score() == 100
    run_as(bot, SOURCES.replace("< 80", "<= 100"))  # as if they failed


def test_its_cure_for_low_capture_lowers_what_the_regime_asks_for(bot: Any):
    before = bot.regime_detector.get_strategy_adjustments({"min_confidence": 0.5})
    run_as(bot, CAPTURE.replace("< 70", "<= 100"))
    after = bot.regime_detector.get_strategy_adjustments({"min_confidence": 0.5})
    assert after["min_confidence"] == pytest.approx(0.9 * before["min_confidence"])


def test_its_cure_for_slow_scans_shortens_the_look_back(bot: Any):
    before = bot.timeframe_scanner.timeframes["1Day"]["lookback"]
    run_as(bot, SCANS.replace("< 1", "< 1e9"))
    assert bot.timeframe_scanner.timeframes["1Day"]["lookback"] == int(before * 0.8)
