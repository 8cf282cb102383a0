from __future__ import annotations

import itertools
import logging
import re
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from tradekit import EventQuery, SinkError, UsageError
from tradekit.journal import (
    ComprehensiveLogger,
    MemorySink,
    Mode,
    OrderFilled,
    RunStarted,
    SQLiteSink,
)

NOON = datetime(2024, 3, 8, 16, 30, tzinfo=UTC)


class Broken(MemorySink):
    """Keeps nothing, and cannot be read, until it is mended."""

    def __init__(self):
        super().__init__()
        self.error = OSError("no space left")

    def _write(self, events):
        if self.error:
            raise self.error
        super()._write(events)


def wrote(journal, number=1):
    return [journal.log_system_error("data", f"{i}") for i in range(number)]


def test_events_are_stamped_with_run_mode_number_and_time(sink, clock):
    journal = ComprehensiveLogger(sinks=[sink], clock=clock, mode="live")
    events = wrote(journal, 2)
    assert sink.read() == tuple(events)
    assert [event.seq for event in events] == [0, 1]
    assert {event.run for event in events} == {"live-20240308T163000Z"}
    assert {event.mode for event in events} == {Mode.LIVE}
    assert {event.time for event in events} == {NOON}


def test_what_happened_earlier_was_seen_now(journal, clock):
    event = journal.log_system_error("data", "gone", time=NOON - timedelta(hours=1))
    assert (event.time, event.seen_at) == (NOON - timedelta(hours=1), NOON)


def test_a_derived_run_is_never_one_that_is_known(sink, clock):
    runs = [ComprehensiveLogger(sinks=[sink], clock=clock) for _ in range(3)]
    names = [wrote(journal)[0].run for journal in runs]
    assert names == ["paper-20240308T163000Z" + end for end in ("", "-2", "-3")]


def test_by_default_it_writes_to_the_users_data_folder(monkeypatch, tmp_path, clock, caplog):
    monkeypatch.setattr("platformdirs.user_data_path", lambda name: tmp_path / name)
    with caplog.at_level(logging.INFO, "tradekit.journal"), ComprehensiveLogger() as journal:
        assert journal.path == tmp_path / "tradekit" / "journal.db"
        assert not journal.path.parent.exists()
        wrote(journal, 2)
        assert journal.path.is_file()
    assert len([r for r in caplog.records if "journal.db" in r.getMessage()]) == 1


def test_any_event_can_be_kept(journal, clock, sink):
    fill = OrderFilled(clock.now(), symbol="SPY", order="1", side="buy", quantity=1.0, price=9.0)
    kept = journal.log(fill)
    assert (kept.price, kept.run, sink.read()) == (9.0, journal.run, (kept,))
    with pytest.raises(UsageError, match="no event"):
        journal.log("filled")


def test_a_failing_sink_stops_no_trading_loop(clock):
    broken = Broken()
    journal = ComprehensiveLogger(sinks=[broken], clock=clock)
    events = wrote(journal, 3)
    health = journal.get_system_health_report()
    assert (health["backlog"], health["journal_health_percent"], health["errors"]) == (3, 0.0, 3)
    broken.error = None
    events += wrote(journal)
    assert broken.read() == tuple(events)
    assert journal.get_system_health_report()["journal_health_percent"] == 100.0


def test_what_cannot_be_kept_at_last_is_handed_out(clock):
    journal = ComprehensiveLogger(sinks=[Broken()], clock=clock)
    events = wrote(journal, 3)
    with pytest.raises(SinkError, match="no space left") as caught:
        journal.close()
    assert caught.value.events == tuple(events)
    journal.close()


def test_every_setup_ends(journal, clock, sink):
    journal.log(RunStarted(clock.now(), name="bot"))
    seen = journal.log_opportunity_detected("SPY", "gap", 60.0, "bullish")
    journal.log_opportunity_detected("QQQ", "gap", 60.0, "bullish")
    journal.log_opportunity_executed("QQQ", "gap", 60.0, 1.0, 1.0)
    journal.close()
    miss, ended = sink.read()[-2:]
    assert (miss.setup, miss.code, miss.reason) == (
        seen.setup,
        "expired",
        "undecided when the run ended",
    )
    assert (ended.kind, ended.reason) == ("RunEnded", "closed")


def test_an_error_in_its_with_block_ends_the_run_by_its_name(sink, clock):
    with suppress(KeyError), ComprehensiveLogger(sinks=[sink], clock=clock) as journal:
        journal.log(RunStarted(clock.now(), name="bot"))
        raise KeyError("SPY")
    assert sink.read()[-1].reason == "KeyError"


def test_a_journal_that_was_never_used_leaves_nothing(tmp_path):
    ComprehensiveLogger(path=tmp_path / "journal.db").close()
    assert not list(tmp_path.iterdir())


def test_a_closed_journal_takes_nothing_more_but_answers(tmp_path, clock):
    journal = ComprehensiveLogger(path=tmp_path / "journal.db", clock=clock)
    journal.log_opportunity_missed("SPY", "gap", "regime")
    journal.close()
    with pytest.raises(SinkError, match="closed"):
        wrote(journal)
    assert journal.get_missed_opportunity_analysis()["reasons"] == {"regime": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["journal.db"]


def test_a_batch_is_written_together_and_in_order(clock):
    sink, calls = MemorySink(), []
    sink._write = calls.append
    journal = ComprehensiveLogger(sinks=[sink], clock=clock)
    with journal.batch(), journal.batch():
        events = wrote(journal, 5)
        assert not calls
    assert calls == [tuple(events)]


def test_reading_in_a_batch_sees_what_was_said(journal):
    with journal.batch():
        journal.log_opportunity_missed("SPY", "gap", "regime")
        assert journal.get_missed_opportunity_analysis()["total_missed"] == 1


def test_a_batch_that_breaks_off_is_kept(journal, sink):
    with suppress(KeyError), journal.batch():
        wrote(journal, 2)
        raise KeyError("SPY")
    assert len(sink.read()) == 2


def test_the_same_run_gives_the_same_bytes(tmp_path, clock):
    def play(path):
        with ComprehensiveLogger(path=path, clock=clock, mode="replay") as journal:
            for symbol, kind in itertools.product(("SPY", "QQQ"), ("gap", "breakout")):
                journal.log_opportunity_detected(symbol, kind, 60.0, "bullish", {"x": {"b", "a"}})
                journal.log_opportunity_missed(symbol, kind, "regime")
            with journal.batch():
                wrote(journal, 100)
        return path.read_bytes()

    assert play(tmp_path / "one.db") == play(tmp_path / "two.db")


def test_threads_lose_nothing_and_share_one_count(journal, sink):
    threads = [threading.Thread(target=wrote, args=(journal, 50)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event.seq for event in sink.read()] == list(range(200))


def test_a_journal_that_cannot_be_read_at_its_start_begins_all_the_same(tmp_path, clock):
    path = tmp_path / "journal.db"
    path.write_bytes(b"no database at all" * 99)
    journal = ComprehensiveLogger(path=path, clock=clock)
    event = journal.log_system_error("data", "gone")
    assert journal.get_system_health_report()["backlog"] == 1
    path.unlink()
    journal.close()
    with SQLiteSink(path) as sink:
        assert sink.read(EventQuery(kinds="ErrorOccurred")) == (event,)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"path": "x.db", "sinks": [MemorySink()]}, "path or sinks"),
        ({"path": ""}, "no file"),
        ({"run": ""}, "no run"),
        ({"mode": "demo"}, "no such Mode"),
        ({"sinks": []}, "at least one Sink"),
    ],
)
def test_a_wrong_call_is_refused(wrong, words):
    with pytest.raises(UsageError, match=re.escape(words)):
        ComprehensiveLogger(**wrong)
