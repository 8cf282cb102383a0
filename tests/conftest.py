from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples on every machine, and no deadline: a slow machine is not a failure.
settings.register_profile(
    "house",
    derandomize=True,
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("house")

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "market-data"


@pytest.fixture(scope="session")
def market_data() -> Path:
    """The folder of real bars: TRADEKIT_MARKET_DATA, else ../shared/market-data."""
    folder = Path(os.environ.get("TRADEKIT_MARKET_DATA", BESIDE))
    if not (folder / "manifest.json").is_file():
        pytest.skip(f"real bars are absent: no {folder.name}/manifest.json")
    return folder
