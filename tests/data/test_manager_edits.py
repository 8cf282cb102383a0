"""What may be changed on a manager while it runs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tradekit import UsageError
from tradekit.data import MultiSourceDataManager


async def nobody_awaits(told):
    raise AssertionError(told)


@pytest.mark.parametrize("callback", [nobody_awaits, "print"])
@pytest.mark.parametrize("name", ["on_change", "on_call"])
def test_a_callback_is_a_plain_function(name, callback):
    with pytest.raises(UsageError, match=f"no such {name}: expected a plain function"):
        MultiSourceDataManager(sources=["simulated"], **{name: callback})


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("cache_duration", 5, "cache_duration is a duration"),
        ("cache_duration", timedelta(-1), "cache_duration is a duration"),
        ("max_errors_before_disable", "5", "errors are counted"),
        ("cool_down", 60, "cool_down is a duration"),
        ("timeout", None, "timeout is a duration"),
    ],
)
def test_what_cannot_be_is_refused_at_once_and_changes_nothing(name, value, problem):
    manager = MultiSourceDataManager(sources=["simulated"])
    before = getattr(manager, name)
    with pytest.raises(UsageError, match=problem):
        setattr(manager, name, value)
    assert getattr(manager, name) == before
