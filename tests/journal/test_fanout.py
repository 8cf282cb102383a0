from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest

from tradekit import Sink, SinkError, UsageError
from tradekit.journal import AlertRaised, FanoutSink, MemorySink
from tradekit.testing import check_sink


class Moody(MemorySink):
    """Keeps events when it is well."""

    def __init__(self):
        super().__init__()
        self.ill = False

    def _write(self, events):
        if self.ill:
            raise OSError("no space left")
        super()._write(events)


class Mute(Sink):
    """Cannot be read."""

    def _write(self, events):
        pass


def alert(number):
    return AlertRaised(datetime(2024, 3, 8, tzinfo=UTC), seq=number, name="heat", message="hot")


@pytest.mark.parametrize("check", check_sink(lambda: FanoutSink([MemorySink(), Mute()])))
def test_it_passes_the_kit(check):
    check()


def test_a_failing_second_sink_does_not_hold_up_the_first():
    first, second = MemorySink(), Moody()
    sink = FanoutSink([first, second])
    second.ill = True
    sink.write([alert(1), alert(2)])
    assert first.read() == (alert(1), alert(2))
    assert sink.waiting == (0, 2)
    assert "no space left" in sink.errors[1]


def test_what_waits_is_offered_again_in_order():
    moody = Moody()
    sink = FanoutSink([moody])
    for number, ill in enumerate([False, True, True, False]):
        moody.ill = ill
        sink.write(alert(number))
    assert moody.read() == tuple(map(alert, range(4)))
    assert (sink.waiting, sink.errors) == ((0,), (None,))


def test_what_waits_can_be_read():
    moody = Moody()
    sink = FanoutSink([moody])
    sink.write(alert(1))
    moody.ill = True
    sink.write(alert(2))
    assert sink.read() == (alert(1), alert(2))


def test_closing_tries_once_more_and_then_hands_out_what_is_lost():
    recovered, lost = Moody(), Moody()
    for moody in (recovered, lost):
        moody.ill = True
    sinks = [FanoutSink([recovered]), FanoutSink([lost])]
    for sink in sinks:
        sink.write([alert(1), alert(2)])
    recovered.ill = False
    sinks[0].close()
    assert recovered.read() == (alert(1), alert(2))
    with pytest.raises(SinkError, match="no space left") as caught:
        sinks[1].close()
    assert caught.value.events == (alert(1), alert(2))


def test_each_cause_is_logged_once(caplog):
    moody = Moody()
    moody.ill = True
    sink = FanoutSink([moody])
    with caplog.at_level(logging.WARNING, "tradekit.journal"):
        for number in range(5):
            sink.write(alert(number))
    assert len(caplog.records) == 1


def test_the_first_that_can_be_read_answers():
    memory = MemorySink()
    sink = FanoutSink([Mute(), memory])
    sink.write(alert(1))
    assert sink.read() == (alert(1),)
    with pytest.raises(SinkError, match="cannot be read"):
        FanoutSink([Mute()]).read()


@pytest.mark.parametrize("nothing", [[], ["sqlite"], [None]])
def test_it_needs_sinks(nothing):
    with pytest.raises(UsageError, match="a journal goes to sinks"):
        FanoutSink(nothing)
