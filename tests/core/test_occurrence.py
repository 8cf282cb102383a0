from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import attrs
import pytest

from tradekit._core.errors import UsageError
from tradekit._core.occurrence import Event, Mode, number

NOON = datetime(2024, 3, 8, 17, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Weighed(Event):
    """A kind of the user's own, with a number that must be there and one that need not."""

    weight: float = number()
    least: float | None = number(default=None)
    due: datetime | None = None


def test_the_id_is_the_digest_of_what_is_written_beside_it():
    said = Weighed(NOON, weight=2, due=NOON).to_dict()
    text = json.dumps({k: v for k, v in said.items() if k != "id"}, sort_keys=True)
    text = text.replace(": ", ":").replace(", ", ",")
    assert said["id"] == hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def test_an_event_says_its_kind_and_version_first_and_its_fields_in_their_order():
    assert list(Weighed(NOON, weight=2).to_dict()) == [
        *("id", "kind", "v", "time", "seen_at", "run", "mode", "setup", "seq"),
        *("weight", "least", "due"),
    ]


@pytest.mark.parametrize("due", [None, NOON])
def test_times_of_your_own_come_back_as_times(due):
    said = Weighed(NOON, weight=2, due=due)
    assert Event.from_dict(said.to_dict()) == said


def test_a_number_is_finite_and_may_only_be_absent_where_none_is_its_default():
    assert (Weighed(NOON, weight=2).weight, Weighed(NOON, weight=2).least) == (2.0, None)
    with pytest.raises(UsageError, match="Weighed needs weight: expected a finite number, got"):
        Weighed(NOON, weight=None)
    with pytest.raises(UsageError, match="expected a finite number or None"):
        Weighed(NOON, weight=2, least=float("inf"))


def test_what_is_read_is_left_as_it_is():
    values = Weighed(NOON, weight=2).to_dict()
    before = dict(values)
    Event.from_dict(values)
    assert values == before


def test_a_kind_written_anew_with_other_fields_is_read_by_its_new_fields():
    def cell(*, again):
        if again:

            @attrs.frozen(kw_only=True)
            class Jotted(Event):
                first: str
                second: datetime

        else:

            @attrs.frozen(kw_only=True)
            class Jotted(Event):
                first: str

        return Jotted

    assert cell(again=False)(NOON, first="a").to_dict()["first"] == "a"
    later = cell(again=True)(NOON, first="a", second=NOON)
    assert Event.from_dict(later.to_dict()) == later


def test_money_is_simulated_unless_said_otherwise():
    assert Weighed(NOON, weight=2).mode is Mode.SIMULATED
