from __future__ import annotations

import numpy as np
import pytest

from tradekit import Bars


@pytest.fixture(scope="session")
def one_session():
    """2024-03-08 in 5-minute bars that climb by one cent each."""
    time = np.datetime64("2024-03-08T14:30", "ns") + np.arange(78) * np.timedelta64(5, "m")
    close = 500 + 0.01 * np.arange(78)
    return Bars("SPY", "5Min", time, close - 0.01, close, close - 0.01, close, np.full(78, 1e5))
