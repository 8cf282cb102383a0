from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit._core.errors import ContractError, SinkError, UsageError
from tradekit._core.event import AlertRaised, SetupMissed
from tradekit._core.sink import EventQuery, Sink

NOON = datetime(2024, 3, 8, 17, tzinfo=UTC)


def alert(number=0, **changes):
    return AlertRaised(NOON + timedelta(minutes=number), name="heat", message="hot", **changes)


def missed(number=0, symbol="SPY", **changes):
    facts = {"signal_type": "gap", "code": "regime", "reason": "bear"} | changes
    return SetupMissed(NOON + timedelta(minutes=number), symbol=symbol, **facts)


class Memory(Sink):
    """Keeps events in a list, and notes which hooks are called; knows nothing of the base."""

    def __init__(self):
        self.kept, self.calls = [], []

    def _write(self, events):
        self.calls.append("write")
        self.kept.extend(events)

    def _flush(self):
        self.calls.append("flush")

    def _close(self):
        self.calls.append("close")

    def _read(self, query):
        return filter(query.matches, self.kept)


class Broken(Memory):
    """Raises what it is given in the hooks it is given."""

    def __init__(self, **errors):
        super().__init__()
        self._errors = errors

    def _do(self, name):
        self.calls.append(name)
        if name in self._errors:
            raise self._errors[name]

    def _write(self, events):
        self._do("write")

    def _flush(self):
        self._do("flush")

    def _close(self):
        self._do("close")

    def _read(self, query):
        self._do("read")


def test_events_are_kept_in_the_order_given():
    sink = Memory()
    sink.write([alert(2), alert(1)])
    sink.write(alert(0))
    sink.write(alert(number) for number in (4, 3))
    assert sink.kept == [alert(number) for number in (2, 1, 0, 4, 3)]


def test_a_write_of_nothing_calls_no_hook():
    sink = Memory()
    sink.write([])
    assert sink.calls == []


@pytest.mark.parametrize("strangers", [None, "text", ["text"], [alert(), {}], 3, {"kind": "A"}])
def test_only_events_can_be_kept(strangers):
    sink = Memory()
    with pytest.raises(UsageError, match="only events can be kept: expected Event, got a "):
        sink.write(strangers)
    assert sink.kept == []


def test_a_closed_sink_takes_nothing_more_and_gives_the_events_back():
    sink = Memory()
    sink.close()
    with pytest.raises(SinkError, match="did not keep 2 events: got it is closed") as caught:
        sink.write([alert(0), alert(1)])
    assert caught.value.events == (alert(0), alert(1))
    assert sink.kept == []


def test_a_sink_is_flushed_and_closed_once():
    sink = Memory()
    sink.close()
    sink.close()
    sink.flush()
    assert sink.calls == ["flush", "close"]


@pytest.mark.parametrize("error", [OSError("disk full"), UsageError("odd"), ContractError("odd")])
def test_events_that_could_not_be_written_are_carried_by_the_error(error):
    sink = Broken(write=error)
    with pytest.raises(SinkError) as caught:
        sink.write([alert(0), alert(1)])
    assert caught.value.events == (alert(0), alert(1))
    assert caught.value.__cause__ is error
    sentence = (
        f"Broken() did not keep 2 events: got {type(error).__name__}: {error}. Try: the error"
    )
    assert str(caught.value).startswith(sentence)


def test_a_sink_that_kept_some_says_itself_which_it_did_not():
    error = SinkError("the second one is too long", events=(alert(1),))
    with pytest.raises(SinkError) as caught:
        Broken(write=error).write([alert(0), alert(1)])
    assert caught.value is error


def test_a_sink_that_forgets_to_say_which_is_helped():
    error = SinkError("disk full")
    with pytest.raises(SinkError) as caught:
        Broken(write=error).write([alert(0)])
    assert caught.value.events == (alert(0),)
    assert caught.value.__cause__ is error


def test_an_interruption_is_not_swallowed():
    with pytest.raises(KeyboardInterrupt):
        Broken(write=KeyboardInterrupt()).write(alert())


def test_a_sink_closes_at_the_end_of_its_block_also_after_an_error():
    with Memory() as sink:
        sink.write(alert())
    assert sink.calls == ["write", "flush", "close"]
    with pytest.raises(KeyError), Memory() as sink:
        raise KeyError
    assert sink.calls == ["flush", "close"]


@pytest.mark.parametrize("hook", ["flush", "close"])
def test_a_sink_that_cannot_end_well_says_so_and_is_closed(hook):
    sink = Broken(**{hook: OSError("disk full")})
    with pytest.raises(SinkError, match=r"Broken\(\) failed: got OSError: disk full"):
        sink.close()
    assert sink.calls == ["flush", "close"]
    with pytest.raises(SinkError, match="it is closed"):
        sink.write(alert())
    sink.close()


def test_a_flush_that_fails_says_so_and_may_be_tried_again():
    sink = Broken(flush=OSError("disk full"))
    for _ in range(2):
        with pytest.raises(SinkError, match="disk full"):
            sink.flush()
    assert sink.calls == ["flush", "flush"]


def test_what_is_buffered_is_handed_on_before_it_is_read():
    sink = Memory()
    sink.read()
    assert sink.calls == ["flush"]
    sink.close()
    assert sink.read() == ()
    assert sink.calls == ["flush", "flush", "close"]


def test_a_sink_that_only_writes_says_so():
    class Printer(Sink):
        def _write(self, events): ...

    with pytest.raises(
        SinkError, match=r"Printer\(\) cannot be read: expected a sink that answers"
    ):
        Printer().read()


def test_a_sink_that_cannot_be_read_now_says_why():
    with pytest.raises(SinkError, match="got OSError: locked") as caught:
        Broken(read=OSError("locked")).read()
    assert type(caught.value.__cause__) is OSError


def test_an_error_while_events_are_found_is_told_as_well():
    class Torn(Memory):
        def _read(self, query):
            yield alert()
            raise OSError("torn page")

    with pytest.raises(SinkError, match="torn page"):
        Torn().read()


def test_a_sink_that_finds_nothing_at_all_breaks_its_contract():
    with pytest.raises(ContractError, match="Broken: _read gave what was not asked for"):
        Broken().read()


@pytest.mark.parametrize("found", [[missed(0), alert(1)], [missed(0, "QQQ")], ["text"], [None]])
def test_a_sink_that_gives_what_was_not_asked_for_breaks_its_contract(found):
    class Generous(Memory):
        def _read(self, query):
            return found

    with pytest.raises(ContractError, match="Generous: _read gave what was not asked for"):
        Generous().read(EventQuery(kinds="SetupMissed", symbol="SPY"))


def test_a_limit_keeps_the_newest():
    sink = Memory()
    sink.write(alert(number) for number in range(5))
    assert sink.read(EventQuery(limit=2)) == (alert(3), alert(4))
    assert sink.read(EventQuery(limit=9)) == sink.read() == tuple(map(alert, range(5)))


@pytest.mark.parametrize("query", ["SetupMissed", {"symbol": "SPY"}, 3])
def test_a_sink_is_asked_by_query(query):
    with pytest.raises(UsageError, match="no query: expected an EventQuery, got"):
        Memory().read(query)


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ({}, [0, 1, 2, 3]),
        ({"kinds": "SetupMissed"}, [0, 2]),
        ({"kinds": ("SetupMissed", "AlertRaised")}, [0, 1, 2, 3]),
        ({"symbol": "QQQ"}, [2]),
        ({"setup": "a"}, [1]),
        ({"run": "r"}, [3]),
        ({"start": NOON + timedelta(minutes=1)}, [1, 2, 3]),
        ({"end": NOON + timedelta(minutes=2)}, [0, 1]),
        ({"start": NOON + timedelta(minutes=1), "end": NOON + timedelta(minutes=2)}, [1]),
        ({"symbol": "SPY", "kinds": "SetupMissed", "end": NOON}, []),
    ],
)
def test_a_query_matches_where_every_condition_holds(query, rows):
    events = [missed(0), alert(1, setup="a"), missed(2, "QQQ"), alert(3, run="r")]
    asked = EventQuery(**query)
    assert [row for row, event in enumerate(events) if asked.matches(event)] == rows


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"kinds": "SetupMised"}, "no such kind of event: expected .*, got 'SetupMised'"),
        ({"kinds": (SetupMissed,)}, "no such kind of event"),
        ({"limit": 0}, "a limit counts events: expected a whole number from 1, got 0"),
        ({"limit": True}, "a limit counts events"),
        ({"start": datetime(2024, 3, 8)}, "a time needs a zone"),  # noqa: DTZ001
        ({"end": "2024-03-08"}, "a time needs a zone"),
        ({"start": NOON, "end": NOON}, "an empty window: expected start before end"),
    ],
)
def test_a_question_that_can_have_no_answer_is_refused(query, sentence):
    with pytest.raises(UsageError, match=sentence):
        EventQuery(**query)


def test_a_question_is_put_by_name():
    with pytest.raises(TypeError, match="positional"):
        EventQuery("SetupMissed")


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=6))
def test_what_was_written_is_what_is_read(batches):
    sink, number = Memory(), 0
    said = []
    for batch in batches:
        events = [alert(minute, seq=number + i) for i, minute in enumerate(batch)]
        number += len(batch)
        said += events
        sink.write(events)
    assert sink.read() == tuple(said)


def test_a_batch_is_written_whole_before_another_thread_begins():
    inside, second = Event(), Event()

    class Watched(Memory):
        def _write(self, events):
            self.kept.append(events[0])
            inside.set()
            # The other thread would be in here long before this time is up.
            second.set() if len(self.kept) > 1 else second.wait(0.2)
            self.kept.extend(events[1:])

    sink = Watched()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(sink.write, [alert(0), alert(1)])
        inside.wait()
        pool.submit(sink.write, [alert(2), alert(3)]).result()
        first.result()
    assert sink.kept == [alert(0), alert(1), alert(2), alert(3)]


@pytest.mark.parametrize(
    "decorate",
    [attrs.frozen, attrs.define, dataclasses.dataclass(frozen=True), dataclasses.dataclass],
)
def test_decorated_classes_are_sinks_too(decorate):
    @decorate
    class Kept(Sink):
        path: str = "log"

        def _write(self, events):
            raise OSError(self.path)

    with Kept("other") as sink, pytest.raises(SinkError, match="OSError: other"):
        sink.write(alert())
    with pytest.raises(SinkError, match="it is closed"):
        sink.write(alert())


def test_a_class_with_slots_and_without_a_call_to_super_is_a_sink_too():
    class Slotted(Sink):
        __slots__ = ("kept",)

        def __init__(self, kept):
            self.kept = kept

        def _write(self, events):
            self.kept += events

    kept = []
    with Slotted(kept) as sink:
        sink.write(alert())
    assert kept == [alert()]


@pytest.mark.parametrize("door", ["write", "flush", "close", "read"])
def test_no_door_can_be_replaced(door):
    with pytest.raises(ContractError, match=f"Own overrides Sink.{door}: .* write _{door} instead"):
        type("Own", (Memory,), {door: lambda self: None})
