from __future__ import annotations

import json

import pytest

from tradekit import SignalType
from tradekit.journal import ComprehensiveLogger, ConsoleSink, SQLiteSink

PLANTED = "PKTESTKEY0123456789"


@pytest.fixture
def journal(monkeypatch, tmp_path, clock):
    monkeypatch.setenv("APCA_API_KEY_ID", PLANTED)
    monkeypatch.setenv("APCA_API_BASE_URL", "https://paper-api.alpaca.markets")
    monkeypatch.setenv("ALPACA_PAPER", "true")
    sinks = [SQLiteSink(tmp_path / "journal.db"), ConsoleSink()]
    with ComprehensiveLogger(sinks=sinks, clock=clock) as journal:
        yield journal


def test_a_secret_of_the_environment_is_in_no_sink_and_no_export(journal, tmp_path, capsys):
    try:
        raise ValueError(f"401 for {PLANTED}")
    except ValueError as error:
        journal.log_system_error("broker", error)
    journal.log_system_error(f"broker {PLANTED}", f"bad {PLANTED}", {"deep": [{"x": PLANTED}]})
    journal.log_opportunity_missed("SPY", "gap", f"rejected {PLANTED}", metadata={PLANTED: 1})
    journal.log_trade_entry("SPY", "BUY", 1, 10.0, PLANTED)
    for form in ("json", "csv", "parquet"):
        assert PLANTED.encode() not in journal.export_session_data(form).read_bytes()
    journal.close()
    assert PLANTED.encode() not in (tmp_path / "journal.db").read_bytes()
    shown = capsys.readouterr().out
    assert PLANTED not in shown
    assert "401 for [redacted]" in shown


def test_what_is_named_like_a_secret_is_taken_out(journal):
    names = ["api_key", "secret", "Password", "accessToken", "alpaca_key", "APCA-API-KEY-ID"]
    event = journal.log_system_error("x", "y", {"headers": dict.fromkeys(names, "hush")})
    assert event.details == {"headers": dict.fromkeys(names, "[redacted]")}


def test_what_only_sounds_like_one_stays(journal):
    facts = {"key_indicators": {"adx": 31.0}, "monkey": "ok", "keyboard": "qwerty", "paper": "true"}
    event = journal.log_system_error("x", "https://paper-api.alpaca.markets is down", facts)
    assert event.details == facts
    assert event.message == "https://paper-api.alpaca.markets is down"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("GET /iex?token=abc123&x=1", "GET /iex?token=[redacted]&x=1"),
        ('{"api_key": "abc123"}', '{"api_key": "[redacted]"}'),
        ("Authorization: Bearer abc123", "Authorization: Bearer [redacted]"),
        ("password=hunter2, user=me", "password=[redacted], user=me"),
        ("confidence: 61", "confidence: 61"),
    ],
)
def test_what_stands_behind_such_a_name_in_a_text_is_taken_out(journal, text, clean):
    assert journal.log_system_error("x", text).message == clean


def test_what_is_not_secret_is_written_as_it_came(journal):
    event = journal.log_opportunity_missed("SPY", SignalType.GAP, "regime: bear = wait", 61.0)
    assert (event.signal_type, event.reason) == ("gap", "regime: bear = wait")
    assert json.loads(json.dumps(event.to_dict()))["mode"] == "paper"
