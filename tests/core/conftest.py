from __future__ import annotations

import importlib
import warnings

import numpy as np
import pytest

from tradekit._core.bars import Bars


def _minutes(close, high=None, low=None, volume=100.0, at=None, calendar="24/7"):
    close = np.asarray(close, dtype=float)
    high, low = (close if side is None else np.asarray(side, dtype=float) for side in (high, low))
    time = np.arange(len(close)) if at is None else np.asarray(at)
    volume = np.broadcast_to(np.asarray(volume, dtype=float), close.shape)
    return Bars("X", "1Min", time * 60 * 10**9, close, high, low, close, volume, calendar=calendar)


@pytest.fixture(scope="session")
def minutes():
    """Make one-minute bars of closes; at says which minutes, so that one can be missing."""
    return _minutes


@pytest.fixture(scope="session")
def alpaca():
    """The vendor's data models, without the noise of importing them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        importlib.import_module("alpaca.data.models")
        return importlib.import_module("alpaca.data")
