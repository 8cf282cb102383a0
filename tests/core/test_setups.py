from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tradekit._core import event
from tradekit._core.errors import UsageError
from tradekit._core.setups import MissReason, SetupExecuted, SetupMissed, SetupResolved

NOON = datetime(2024, 3, 8, 17, tzinfo=UTC)


def test_the_kinds_of_setups_are_found_among_all_kinds():
    assert event.SetupMissed is SetupMissed
    assert event.KINDS["SetupResolved"] is SetupResolved


def test_a_miss_is_counted_by_a_code_of_the_list():
    said = {"symbol": "S", "signal_type": "gap", "reason": "bear market"}
    assert SetupMissed(NOON, code="regime", **said).code is MissReason.REGIME
    with pytest.raises(UsageError, match="no such MissReason"):
        SetupMissed(NOON, code="bear market", **said)


def test_a_decision_is_linked_unless_said_otherwise():
    said = {"symbol": "S", "signal_type": "gap", "confidence": 61, "size": 1}
    assert not SetupExecuted(NOON, **said).unlinked
    assert SetupExecuted(NOON, unlinked=True, **said).unlinked
