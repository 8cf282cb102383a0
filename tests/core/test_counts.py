from __future__ import annotations

import numpy as np
import pytest

from tradekit._core.counts import count
from tradekit._core.errors import UsageError


@pytest.mark.parametrize("value", [1, 7, np.int64(7), np.uint8(7)])
def test_whole_numbers_from_one_count(value):
    assert count(value, "bars are counted", "bars=3") == value
    assert type(count(value, "bars are counted", "bars=3")) is int


@pytest.mark.parametrize("value", [0, -1, True, np.True_, 2.0, np.float64(2), "2", None, [2]])
def test_nothing_else_counts(value):
    with pytest.raises(UsageError) as caught:
        count(value, "bars are counted", "bars=3")
    sentence = f"bars are counted: expected a whole number from 1, got {value!r}. Try: bars=3"
    assert str(caught.value) == sentence
