from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tradekit import ReplayClock
from tradekit.journal import ComprehensiveLogger, MemorySink

# A Friday, two hours after the open in New York.
NOON = datetime(2024, 3, 8, 16, 30, tzinfo=UTC)


@pytest.fixture
def clock() -> ReplayClock:
    return ReplayClock(NOON)


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def journal(sink: MemorySink, clock: ReplayClock) -> ComprehensiveLogger:
    return ComprehensiveLogger(sinks=[sink], clock=clock)
