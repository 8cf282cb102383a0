from __future__ import annotations

import pytest

from tradekit.journal import MissReason
from tradekit.journal._reasons import code_of


@pytest.mark.parametrize("code", MissReason)
def test_each_code_is_its_own_reason(code):
    assert code_of(code.value) is code
    assert code_of(f"{code.value}_for_bull_regime") is code


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("Low confidence: 61 < 75", MissReason.LOW_CONFIDENCE),
        ("execution_failed", MissReason.EXECUTION_FAILED),
        ("order rejected by the broker", MissReason.EXECUTION_FAILED),
        ("Insufficient buying power", MissReason.NO_CAPITAL),
        ("no_data since noon", MissReason.NO_DATA),
        ("no_database", MissReason.OTHER),
        ("it rained", MissReason.OTHER),
        ("", MissReason.OTHER),
    ],
)
def test_free_text_is_counted_by_how_it_begins(reason, code):
    assert code_of(reason) is code
