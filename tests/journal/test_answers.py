from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import Bars, ReplayClock, UsageError
from tradekit.journal import ComprehensiveLogger, MemorySink

SEEN = {"price": 100.0, "price_target": 104.0, "stop_loss": 98.0}


def detect(journal, symbol="SPY", **more):
    return journal.log_opportunity_detected(symbol, "gap", 60.0, "bullish", SEEN | more)


def daily(symbol="SPY"):
    """Three days; the third reaches 105."""
    time = np.array(["2024-03-07T05:00", "2024-03-08T05:00", "2024-03-11T04:00"], "M8[ns]")
    prices = [
        [99.0, 100.0, 101.0],
        [101.0, 102.0, 105.0],
        [98.5, 99.0, 100.5],
        [100.0, 101.0, 104.0],
    ]
    return Bars(symbol, "1Day", time, *prices, [1e6] * 3)


def test_an_analysis_looks_back_as_far_as_it_is_told(journal, clock):
    journal.log_opportunity_missed("OLD", "gap", "cash")
    clock.move_to(clock.now() + timedelta(hours=2))
    journal.log_opportunity_missed("NEW", "gap", "regime")
    assert journal.get_missed_opportunity_analysis(1)["by_symbol"] == {"NEW": 1}
    assert journal.get_missed_opportunity_analysis()["by_symbol"] == {"NEW": 1, "OLD": 1}


def test_what_is_decided_later_counts_where_the_setup_was_first_seen(journal, clock):
    detect(journal)
    clock.move_to(clock.now() + timedelta(hours=30))
    journal.log_opportunity_missed("SPY", "gap", "regime")
    journal.log_opportunity_missed("QQQ", "gap", "cash")
    day, both = (
        journal.get_missed_opportunity_analysis(),
        journal.get_missed_opportunity_analysis(31),
    )
    assert (day["total_detected"], day["total_unlinked"], day["reasons"]) == (0, 1, {"cash": 1})
    assert (both["total_detected"], both["total_unlinked"]) == (1, 1)
    assert both["reasons"] == {"cash": 1, "regime": 1}


def test_a_session_counts_its_own_setups_and_what_became_of_them_later(journal, clock):
    detect(journal)
    clock.move_to(datetime.fromisoformat("2024-03-11T14:00+00:00"))
    journal.log_opportunity_executed("SPY", "gap", 60.0, 100.0, 1.0)
    journal.log_trade_entry("SPY", "BUY", 1.0, 100.0)
    monday, friday = journal.get_daily_summary(), journal.get_daily_summary(date(2024, 3, 8))
    assert (friday["opportunities_executed"], friday["capture_rate"]) == (1, 100.0)
    assert (monday["opportunities_executed"], monday["opportunities_unlinked"]) == (0, 0)
    assert (monday["capture_rate_known"], monday["trades_entered"]) == (False, 1)
    assert "no setups" in journal.daily_report()
    assert "  executed        1" in journal.daily_report(date(2024, 3, 8)).splitlines()


ACTS = {
    "detect": detect,
    "miss": lambda journal, symbol: journal.log_opportunity_missed(symbol, "gap", "regime"),
    "execute": lambda journal, symbol: journal.log_opportunity_executed(symbol, "gap", 60, 9, 1),
    "enter": lambda journal, symbol: journal.log_trade_entry(symbol, "BUY", 1.0, 100.0),
}
STEPS = st.tuples(st.integers(0, 30), st.sampled_from(sorted(ACTS)), st.sampled_from("AB"))


@given(st.lists(STEPS, max_size=12))
def test_every_setup_of_a_day_ends_once_and_every_setup_has_one_day(steps):
    clock = ReplayClock(datetime.fromisoformat("2024-03-04T00:00+00:00"))
    journal = ComprehensiveLogger(sinks=[MemorySink()], clock=clock, calendar="24/7")
    for hours, act, symbol in steps:
        clock.move_to(clock.now() + timedelta(hours=hours))
        ACTS[act](journal, symbol)
    first = {}
    for event in journal.read():
        first.setdefault(event.setup, event.time.date())
    for day in (date(2024, 3, 4) + timedelta(days=n) for n in range(16)):
        said = journal.get_daily_summary(day)
        ends = (said[f"opportunities_{end}"] for end in ("executed", "missed", "undecided"))
        seen = said["opportunities_detected"] + said["opportunities_unlinked"]
        assert sum(ends) == seen == list(first.values()).count(day)


@pytest.mark.parametrize("mode", ["simulated", "replay"])
def test_two_tellings_of_the_same_days_do_not_add_up(sink, clock, mode):
    first, second = (
        ComprehensiveLogger(sinks=[sink], clock=clock, mode=mode, run=run) for run in ("a", "b")
    )
    first.log_opportunity_missed("SPY", "gap", "risk_limit")
    second.log_opportunity_missed("QQQ", "gap", "no_capital")
    assert second.get_missed_opportunity_analysis()["reasons"] == {"no_capital": 1}
    assert second.get_daily_summary()["opportunities_missed"] == 1
    assert "risk_limit" not in second.weekly_report()


def test_hours_count_every_run_of_the_mode_and_health_this_run_alone(sink, clock):
    first = ComprehensiveLogger(sinks=[sink], clock=clock)
    detect(first)
    first.log_opportunity_executed("SPY", "gap", 60.0, 100.0, 1.0)
    live = ComprehensiveLogger(sinks=[sink], clock=clock, mode="live")
    live.log_opportunity_missed("SPY", "gap", "regime")
    second = ComprehensiveLogger(sinks=[sink], clock=clock)
    second.log_opportunity_missed("SPY", "gap", "cash")
    answer = second.get_missed_opportunity_analysis()
    assert (answer["total_executed"], answer["reasons"]) == (1, {"cash": 1})
    assert second.get_daily_summary()["capture_rate"] == 50.0
    assert second.calculate_opportunity_capture_rate() == 0.0
    assert first.calculate_opportunity_capture_rate() == 100.0


def test_a_day_is_a_session_of_the_exchange(journal, clock):
    detect(journal)
    clock.move_to(datetime.fromisoformat("2024-03-11T03:30+00:00"))  # Sunday night in New York
    journal.log_system_error("data", "gone")
    clock.move_to(datetime.fromisoformat("2024-03-11T14:00+00:00"))
    monday, friday = journal.get_daily_summary(), journal.get_daily_summary(date(2024, 3, 8))
    assert (monday["session"], monday["opportunities_detected"]) == ("2024-03-11", 0)
    assert (friday["session"], friday["opportunities_detected"], friday["errors"]) == (
        *("2024-03-08", 1, 1),
    )
    with pytest.raises(UsageError, match="no day"):
        journal.get_daily_summary("2024-03-08")


def test_health_counts_what_was_seen_an_hour_of_open_market(journal, clock):
    for symbol in ("A", "B", "C"):
        detect(journal, symbol)
    assert journal.get_system_health_report()["opportunities_per_hour"] == 3.0  # not 3 in no time
    # From 16:30 UTC to the close at 21:00 are 4.5 hours; the weekend adds none.
    clock.move_to(clock.now() + timedelta(days=2))
    assert journal.get_system_health_report()["opportunities_per_hour"] == pytest.approx(0.7)


def test_health_tells_tried_from_never_tried(journal):
    untried = journal.get_system_health_report()
    assert (untried["execution_rate_percent"], untried["execution_rate_known"]) == (0.0, False)
    for symbol, reason in (("A", "execution_failed"), ("B", "low_confidence"), ("C", None)):
        detect(journal, symbol)
        if reason:
            journal.log_opportunity_missed(symbol, "gap", reason)
        else:
            journal.log_opportunity_executed(symbol, "gap", 60.0, 100.0, 1.0)
    report = journal.get_system_health_report()
    assert (report["execution_rate_percent"], report["execution_rate_known"]) == (50.0, True)
    assert report["capture_rate_percent"] == pytest.approx(100 / 3)


def test_outcomes_are_told_once_and_never_ahead_of_time(journal, clock, sink):
    for symbol in ("SPY", "QQQ"):
        detect(journal, symbol)
        journal.log_opportunity_missed(symbol, "gap", "regime")
    bars = {"SPY": daily(), "QQQ": daily("QQQ")}
    clock.move_to(datetime.fromisoformat("2024-03-11T19:00+00:00"))
    assert journal.resolve(bars) == ()  # Monday's bar is not complete
    clock.move_to(datetime.fromisoformat("2024-03-11T20:00+00:00"))
    (outcome, _) = journal.resolve(bars)
    assert (outcome.exit, outcome.entry_price, outcome.run) == ("target", 101.0, journal.run)
    assert journal.resolve(bars) == ()
    told = journal.get_missed_opportunity_analysis(100)["outcomes"]["regime"]
    assert (told["resolved"], told["pending"], told["hit_rate_percent"]) == (2, 0, 100.0)


def test_a_later_run_tells_what_became_of_an_earlier_one(sink, clock):
    with ComprehensiveLogger(sinks=[sink], clock=clock) as first:
        detect(first)
        first.log_opportunity_executed("SPY", "gap", 60.0, 100.0, 1.0)
    clock.move_to(clock.now() + timedelta(days=4))
    fresh = MemorySink()
    fresh.write(sink.read())
    later = ComprehensiveLogger(sinks=[fresh], clock=clock)
    assert [outcome.exit for outcome in later.resolve({"SPY": daily()})] == ["target"]
    assert later.get_system_health_report()["opportunities_detected"] == 0


def test_an_export_lies_beside_its_journal_under_the_name_of_its_run(tmp_path, clock):
    journal = ComprehensiveLogger(path=tmp_path / "journal.db", clock=clock, run="a/b: c")
    journal.log_system_error("data", "gone")
    assert journal.export_session_data("csv") == tmp_path / "a_b__c.csv"


def test_without_a_file_an_export_lies_in_the_working_folder(journal, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = journal.export_session_data()
    assert path == Path.cwd() / "paper-20240308T163000Z.json"


@pytest.mark.parametrize("hours", [0, -1, "24", float("nan"), True, None])
def test_hours_are_above_zero(journal, hours):
    with pytest.raises(UsageError, match="no such number of hours"):
        journal.get_missed_opportunity_analysis(hours)


@pytest.mark.parametrize("wrong", [{"bars": daily()}, {"bars": {}, "horizon": 0}])
def test_bars_come_by_symbol_and_time_is_up_at_some_bar(journal, wrong):
    with pytest.raises(UsageError):
        journal.resolve(**wrong)
