"""Checks of sinks: they keep what they were given, in order, and say so when they cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

from .._core.errors import SinkError
from .._core.event import ErrorOccurred, Event, SetupDetected, SetupMissed
from .._core.sink import EventQuery, Sink
from ._check import Check, as_checks, fail
from ._quiet import side_by_side

_START = datetime(2024, 3, 8, 14, 30, tzinfo=UTC)
_THREADS, _EACH = 4, 25


def check_sink(
    make: Callable[[], Sink],
    *,
    known_failures: Mapping[str, str] | None = None,
) -> tuple[Check, ...]:
    """Give the checks that every sink should pass, by name.

    Sinks that cannot be read are held to everything but what reading back would tell.

    Parameters
    ----------
    make : callable
        Makes a new, empty sink each time (a new file each time, say).
    known_failures : mapping of str to str, optional
        Checks that are known to fail, each with the reason; one that passes is an error.

    Returns
    -------
    tuple of Check
        For ``@pytest.mark.parametrize("check", check_sink(...))``.

    Notes
    -----
    - ``takes_events``: none, one, several.
    - ``refuses_after_close``, ``closes_twice`` and ``closes_after_an_error``, which it lets
      through.
    - ``keeps_all_in_order``, ``keeps_every_word`` and ``finds_what_is_asked``: what is read back
      is what was written, to the last bit.
    - ``keeps_threads_apart``: writers in several threads lose nothing.

    Examples
    --------
    >>> class Memory(Sink):
    ...     '''Keeps events in a list.'''
    ...
    ...     def __init__(self):
    ...         self.kept = []
    ...
    ...     def _write(self, events):
    ...         self.kept.extend(events)
    ...
    ...     def _read(self, query):
    ...         return filter(query.matches, self.kept)
    >>> for check in check_sink(Memory):
    ...     check()
    """
    trial = _Trial(make)
    questions: dict[str, Callable[[], None]] = {
        "takes_events": trial.takes_events,
        "refuses_after_close": trial.refuses_after_close,
        "closes_twice": trial.closes_twice,
        "closes_after_an_error": trial.closes_after_an_error,
    }
    if trial.kind._read is not Sink._read:
        questions |= {
            "keeps_all_in_order": trial.keeps_all_in_order,
            "keeps_every_word": trial.keeps_every_word,
            "finds_what_is_asked": trial.finds_what_is_asked,
            "keeps_threads_apart": trial.keeps_threads_apart,
        }
    return as_checks(questions, known_failures)


def _events(count: int, symbol: str = "SPY") -> tuple[Event, ...]:
    return tuple(
        SetupMissed(
            _START + timedelta(minutes=i),
            run="kit",
            setup=f"{symbol}-{i}",
            seq=i,
            symbol=symbol,
            signal_type="breakout",
            code="low_confidence",
            reason=f"niedrig ✓ {i}\n'quoted' \"twice\"",
            confidence=float(i),
            details={"nested": {"list": [1, 2.5, None, True]}},
        )
        for i in range(count)
    )


class _Trial:
    def __init__(self, make: Callable[[], Sink]) -> None:
        self.make, probe = make, make()
        self.kind, self.who = type(probe), type(probe).__name__
        with suppress(SinkError):  # a check of its own says so
            probe.close()

    def takes_events(self) -> None:
        with self.make() as sink:
            sink.write([])
            sink.write(_events(1)[0])
            sink.write(_events(3))
            sink.flush()

    def refuses_after_close(self) -> None:
        sink = self.make()
        sink.close()
        try:
            sink.write(_events(2))
        except SinkError as error:
            if len(error.events) == 2:
                return
        fail(
            self.who,
            "takes events when it is closed",
            expected="a SinkError that carries them",
            got="none",
            hint="leave write and close to the base",
        )

    def closes_twice(self) -> None:
        sink = self.make()
        sink.write(_events(1))
        try:
            sink.close()
            sink.close()
        except SinkError as error:
            fail(
                self.who,
                "fails when it is closed",
                expected="a closed sink, and nothing more the second time",
                got=str(error.got),
                hint="let go of what is open, and of nothing else",
            )

    def closes_after_an_error(self) -> None:
        sink, swallowed = self.make(), False
        with suppress(KeyError):
            with sink:
                raise KeyError("of the user")
            swallowed = True
        if swallowed:
            fail(
                self.who,
                "swallows the errors of its with block",
                expected="the user's KeyError",
                got="no error",
                hint="leave __exit__ to the base",
            )
        if not sink._closed:
            fail(
                self.who,
                "stays open after an error in its with block",
                expected="a closed sink",
                got="an open one",
                hint="leave __exit__ to the base",
            )

    def keeps_all_in_order(self) -> None:
        events = _events(50)
        with self.make() as sink:
            for start in range(0, 50, 7):
                sink.write(events[start : start + 7])
            sink.flush()
            self._same(events, sink.read(), "all events, in order")

    def keeps_every_word(self) -> None:
        said = SetupDetected(
            _START,
            mode="paper",
            symbol="BRK.B",
            signal_type="breakout",
            direction="bullish",
            confidence=61.803398874989485,
            price=1e-8,
            price_target=None,
            details={"text": "—\u0000\U0001f680", "empty": "", "big": 2**60},
        )
        error = ErrorOccurred(_START, component="data", message="", frames=("a.py:1", "b.py:2"))
        with self.make() as sink:
            sink.write((said, error))
            sink.flush()
            self._same((said, error), sink.read(), "every field to the last bit")

    def finds_what_is_asked(self) -> None:
        events = (*_events(5), *_events(5, "QQQ"))
        questions = (
            EventQuery(symbol="QQQ"),
            EventQuery(kinds=("SetupMissed",), start=_START + timedelta(minutes=2)),
            EventQuery(end=_START + timedelta(minutes=3), run="kit"),
            EventQuery(setup="SPY-4"),
            EventQuery(kinds=("RunEnded",)),
            EventQuery(symbol="SPY", limit=2),
        )
        with self.make() as sink:
            sink.write(events)
            sink.flush()
            for query in questions:
                wanted = tuple(event for event in events if query.matches(event))
                wanted = wanted[-query.limit :] if query.limit else wanted
                self._same(wanted, sink.read(query), str(query))

    def keeps_threads_apart(self) -> None:
        batches = [_events(_EACH, f"T{i}") for i in range(_THREADS)]
        with self.make() as sink:
            calls = [partial(sink.write, batch) for batch in batches]
            side_by_side(calls, self.kind.__module__)
            sink.flush()
            for i, batch in enumerate(batches):
                self._same(batch, sink.read(EventQuery(symbol=f"T{i}")), f"all of thread {i}")

    def _same(self, wanted: tuple[Event, ...], got: tuple[Event, ...], what: str) -> None:
        if wanted != got:
            fail(
                self.who,
                "does not give back what it was given",
                expected=f"{what}: {len(wanted)} events",
                got=_difference(wanted, got),
                hint="keep event.to_dict() as JSON, and Event.from_dict(...) on the way back",
            )


def _difference(wanted: tuple[Event, ...], got: tuple[Event, ...]) -> str:
    if len(wanted) != len(got):
        return f"{len(got)} events"
    row = next(i for i, pair in enumerate(zip(wanted, got, strict=True)) if pair[0] != pair[1])
    one, two = wanted[row].to_dict(), got[row].to_dict()
    names = [name for name in one if name != "id" and one[name] != two.get(name)]
    facts = [f"{name} {two.get(name)!r} instead of {one[name]!r}" for name in names]
    return f"in event {row} {', '.join(facts[:3])}"
