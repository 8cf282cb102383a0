from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import attrs
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit._core import event as module
from tradekit._core.errors import ContractError, UsageError
from tradekit._core.event import (
    AlertRaised,
    ErrorOccurred,
    Event,
    MissReason,
    Mode,
    OrderFilled,
    SetupDetected,
    SetupMissed,
    WatchlistChanged,
)
from tradekit._core.signal import Direction, SignalType

NOON = datetime(2024, 3, 8, 17, 0, 0, 123456, tzinfo=UTC)
KINDS = [
    kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Event)
]
SAMPLES = {
    "str": 'niedrig ✓ "twice" \u0000',
    "float": 61.803398874989485,
    "int": 3,
    "bool": True,
    "datetime": NOON + timedelta(seconds=1),
    "Mode": Mode.PAPER,
    "MissReason": MissReason.REGIME,
    "tuple[str, ...]": ("a", "b"),
    "dict[str, Any]": {"nested": {"list": [1, 2.5, None, True]}},
    "dict[str, str]": {"SPY": "held"},
}

OTHERS = {
    "str": "other",
    "float": -1.0,
    "int": 9,
    "bool": True,
    "datetime": NOON,
    "Mode": Mode.LIVE,
    "MissReason": MissReason.OTHER,
    "tuple[str, ...]": ("c",),
    "dict[str, Any]": {"c": 1},
    "dict[str, str]": {"QQQ": "new"},
}


@attrs.frozen(kw_only=True)
class Rebalanced(Event):
    """A kind of the user's own."""

    v = 2
    weights: dict[str, Any] = attrs.field(factory=dict)
    due: datetime | None = None


def bare(field):
    """The type of a field, whether or not it may be None."""
    return str(field.type).removesuffix(" | None")


def sample(kind, *, full):
    fields = [f for f in attrs.fields(kind) if full or f.default is attrs.NOTHING]
    return kind(**{f.name: SAMPLES[bare(f)] for f in fields})


def alert(**changes):
    return AlertRaised(**{"time": NOON, "name": "heat", "message": "hot"} | changes)


def test_the_hall_has_every_kind_that_the_rooms_write():
    assert {kind.__name__ for kind in KINDS} == {
        *("Event", "RunStarted", "RunEnded", "SetupDetected", "SetupExecuted", "SetupMissed"),
        *("SetupResolved", "TradeEntered", "TradeExited", "OrderSubmitted", "OrderFilled"),
        *("OrderRejected", "MarketConditionChanged", "WatchlistChanged", "SourceStatusChanged"),
        *("ErrorOccurred", "AlertRaised"),
    }


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("kind", [*KINDS, Rebalanced])
def test_every_kind_comes_back_from_json_as_it_was(kind, full):
    said = sample(kind, full=full)
    back = Event.from_dict(json.loads(json.dumps(said.to_dict(), allow_nan=False)))
    assert back == said
    assert type(back) is kind
    assert back.id == said.id == said.to_dict()["id"]
    assert (said.to_dict()["kind"], said.to_dict()["v"]) == (kind.__name__, kind.v)


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.datetimes(timezones=st.timezones()),
    st.dictionaries(st.text(), st.text() | st.floats()),
)
def test_numbers_times_and_details_come_back_to_the_last_bit(number, moment, detail):
    said = OrderFilled(
        moment, symbol="S", order="1", side="buy", quantity=number, price=number, setup="x"
    )
    assert Event.from_dict(json.loads(json.dumps(said.to_dict()))) == said
    noted = alert(details=detail)
    assert Event.from_dict(json.loads(json.dumps(noted.to_dict()))).id == noted.id


def test_an_event_is_known_when_it_happens_unless_said_otherwise():
    assert alert().seen_at == NOON
    later = NOON + timedelta(minutes=1)
    assert (alert(seen_at=later).time, alert(seen_at=later).seen_at) == (NOON, later)


def test_the_time_may_be_given_without_its_name_and_nothing_else():
    assert AlertRaised(NOON, name="heat", message="hot") == alert()
    with pytest.raises(TypeError):
        AlertRaised(NOON, NOON, name="heat", message="hot")


@pytest.mark.parametrize("name", ["time", "seen_at"])
@pytest.mark.parametrize("moment", [datetime(2024, 3, 8), "2024-03-08", None, pd.NaT])  # noqa: DTZ001
def test_times_have_a_zone(name, moment):
    with pytest.raises(UsageError, match="a time needs a zone"):
        alert(**{name: moment})


def test_one_moment_in_any_zone_is_one_event():
    moments = [NOON, NOON.astimezone(), pd.Timestamp(NOON).tz_convert("America/New_York")]
    assert {alert(time=moment).id for moment in moments} == {alert().id}
    assert {str(alert(time=moment).time) for moment in moments} == {str(NOON)}


def test_equal_things_that_happen_at_once_are_told_apart_by_their_number():
    assert alert(seq=1).id != alert(seq=2).id
    assert alert(seq=np.int64(1)).id == alert(seq=1).id


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_changes_the_id(kind):
    said = sample(kind, full=False)
    ids = {said.id}
    for field in attrs.fields(kind):
        ids.add(attrs.evolve(said, **{field.name: OTHERS[bare(field)]}).id)
    assert len(ids) == 1 + len(attrs.fields(kind))


def test_the_id_is_the_same_in_every_process():
    code = (
        "from datetime import UTC, datetime\n"
        "from tradekit._core.event import AlertRaised\n"
        "at = datetime(2024, 3, 8, 17, 0, 0, 123456, UTC)\n"
        "print(AlertRaised(at, name='heat', message='hot', details={'tags': {*'abcdef'}}).id)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == alert(details={"tags": {*"fedcba"}}).id


def test_the_order_of_details_does_not_change_the_id():
    assert alert(details={"a": 1, "b": 2}).id == alert(details={"b": 2, "a": 1}).id


def test_a_whole_number_is_the_same_size_as_its_float():
    filled = [
        OrderFilled(NOON, symbol="S", order="1", side="buy", quantity=size, price=2.0).id
        for size in (10, 10.0, np.float64(10), np.int64(10))
    ]
    assert len(set(filled)) == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "5", True, [5.0]])
def test_a_number_is_finite(value):
    with pytest.raises(UsageError, match="OrderFilled needs price: expected a finite number, got"):
        OrderFilled(NOON, symbol="S", order="1", side="buy", quantity=1, price=value)


def test_a_number_that_is_not_known_is_none_where_that_may_be():
    missed = {"symbol": "S", "signal_type": "gap", "code": "regime", "reason": "bear"}
    assert SetupMissed(NOON, **missed).confidence is None
    with pytest.raises(UsageError, match="expected a finite number or None, got nan"):
        SetupMissed(NOON, **missed, confidence=float("nan"))
    with pytest.raises(UsageError, match="needs price: expected a finite number, got None"):
        OrderFilled(NOON, symbol="S", order="1", side="buy", quantity=1, price=None)


@pytest.mark.parametrize("message", [ValueError("gone"), object(), ["gone"], {"gone"}, b"gone"])
def test_what_would_not_come_back_is_not_kept(message):
    with pytest.raises(UsageError, match="AlertRaised cannot keep its message: expected a text"):
        alert(message=message)


def test_words_of_the_hall_are_kept_as_their_texts():
    said = SetupDetected(
        NOON, symbol="S", signal_type=SignalType.GAP, direction=Direction.BULLISH, confidence=5
    )
    assert said.to_dict()["signal_type"] == "gap"
    assert Event.from_dict(said.to_dict()) == said


@pytest.mark.parametrize(("name", "value"), [("mode", "demo"), ("code", "bad luck")])
def test_words_come_from_their_lists(name, value):
    facts = {"symbol": "S", "signal_type": "gap", "code": "regime", "reason": "bear"}
    with pytest.raises(UsageError, match="no such M"):
        SetupMissed(NOON, **facts | {name: value})


def test_one_symbol_is_one_symbol():
    assert WatchlistChanged(NOON, symbols="SPY").symbols == ("SPY",)
    assert ErrorOccurred(NOON, component="c", message="m", frames="a.py:1").frames == ("a.py:1",)


def test_details_are_a_plain_copy_by_name():
    mine = {"levels": np.array([1.0, np.nan]), "at": NOON, "type": SignalType.GAP}
    said = alert(details=mine)
    mine.clear()
    at = "2024-03-08T17:00:00.123456+00:00"
    assert said.details == {"levels": [1.0, "nan"], "at": at, "type": "gap"}
    with pytest.raises(UsageError, match="details have names"):
        alert(details="hot")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"kind": "Alert"}, "expected one of AlertRaised, .* got Alert with fields time"),
        ({"kind": None}, "an event that this version does not know"),
        ({"loudness": 3}, "got AlertRaised with fields .*loudness"),
        ({"time": "noon"}, "no time: expected an ISO text, got 'noon'"),
        ({"time": "2024-03-08T17:00:00"}, "a time needs a zone"),
        ({"mode": "demo"}, "no such Mode"),
    ],
)
def test_what_was_not_written_by_an_event_is_refused(change, sentence):
    with pytest.raises(UsageError, match=sentence):
        Event.from_dict({**alert().to_dict(), **change})


def test_a_missing_field_is_refused():
    values = alert().to_dict()
    del values["message"]
    with pytest.raises(UsageError, match=r"an incomplete AlertRaised: .*'message'"):
        Event.from_dict(values)


def test_a_kind_of_your_own_may_not_take_a_name_that_is_taken():
    with pytest.raises(ContractError, match="two kinds of events are named AlertRaised"):

        @attrs.frozen(kw_only=True)
        class AlertRaised(Event):
            loudness: int = 0

    assert Event.from_dict(alert().to_dict()) == alert()


def test_a_kind_of_your_own_may_be_written_anew_as_in_a_notebook():
    def cell():
        @attrs.frozen(kw_only=True)
        class Noted(Event):
            text: str

        return Noted

    first, second = cell(), cell()
    assert first is not second
    assert type(Event.from_dict(first(NOON, text="a").to_dict())) is second


def test_reasons_for_a_miss_are_told_apart():
    assert all(one != other for one, other in pairwise(sorted(MissReason)))
    assert MissReason("low_confidence") is MissReason.LOW_CONFIDENCE
