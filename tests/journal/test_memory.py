from __future__ import annotations

import pytest

from tradekit.journal import MemorySink
from tradekit.testing import check_sink


@pytest.mark.parametrize("check", check_sink(MemorySink))
def test_it_passes_the_kit(check):
    check()
