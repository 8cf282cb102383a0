from __future__ import annotations

import numpy as np
import pytest

from tradekit import UsageError
from tradekit.regime._ranges import within


def test_both_ends_are_within():
    assert (within("x", 0, 0, 1), within("x", np.float64(1), 0, 1)) == (0.0, 1.0)


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan"), float("inf"), None, "1", True])
def test_anything_else_is_refused(wrong):
    with pytest.raises(UsageError, match=r"cannot use x: expected a number from 0 to 1, got"):
        within("x", wrong, 0, 1)


def test_infinity_is_outside_even_where_there_is_no_end():
    with pytest.raises(UsageError, match="a number from 0, got inf"):
        within("x", float("inf"))
