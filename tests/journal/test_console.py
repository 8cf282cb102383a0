from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from tradekit import SinkError
from tradekit.journal import ConsoleSink, ErrorOccurred, SetupMissed
from tradekit.testing import check_sink

NINE = datetime(2024, 3, 8, 21, tzinfo=UTC)


def missed(reason):
    return SetupMissed(
        NINE, symbol="SPY", signal_type="gap", code="regime", reason=reason, confidence=0.0
    )


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("check", check_sink(lambda: ConsoleSink(io.StringIO())))
def test_it_passes_the_kit(check):
    check()


def test_an_event_is_one_line():
    stream = io.StringIO()
    ConsoleSink(stream).write([missed("bear market"), missed("two\nlines\x1b[31m")])
    assert stream.getvalue() == (
        "2024-03-08 21:00:00Z SetupMissed symbol=SPY signal_type=gap code=regime "
        'reason="bear market" confidence=0.0\n'
        "2024-03-08 21:00:00Z SetupMissed symbol=SPY signal_type=gap code=regime "
        'reason="two\\nlines\\u001b[31m" confidence=0.0\n'
    )


def test_a_terminal_without_utf_8_shows_letters_by_their_code():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    ConsoleSink(stream).write(missed("größer"))
    assert b"reason=gr\\xf6\\xdfer" in raw.getvalue()


def test_colours_are_for_terminals(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    plain, terminal = io.StringIO(), Terminal()
    for stream in (plain, terminal):
        ConsoleSink(stream).write(ErrorOccurred(NINE, component="data", message="gone"))
    assert "\x1b[31m" in terminal.getvalue()
    assert "\x1b" not in plain.getvalue()


def test_standard_output_is_looked_up_when_it_is_written(capsys):
    ConsoleSink().write(missed("late"))
    assert "reason=late" in capsys.readouterr().out


def test_a_closed_stream_is_a_sink_error():
    stream = io.StringIO()
    stream.close()
    with pytest.raises(SinkError) as caught:
        ConsoleSink(stream).write(missed("lost"))
    assert [event.reason for event in caught.value.events] == ["lost"]
