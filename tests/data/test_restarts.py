"""Whatever was asked before, in memory or on disk: an answer is what its source would tell now."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random

import attrs
import numpy as np
import pytest

from tradekit import BarsRequest, DataSource, ReplayClock
from tradekit._core.calendar import calendar_for
from tradekit._core.clock import to_ns
from tradekit.data import MultiSourceDataManager, SimulatedSource

pytestmark = pytest.mark.slow

BEGIN = datetime(2024, 3, 4, 15, 2, tzinfo=UTC)
OPENS = calendar_for().opens
SPLITS = {datetime(2024, 3, day, 14, 30, tzinfo=UTC): left for day, left in ((6, 0.5), (8, 0.997))}


class Vendor(DataSource):
    """Adjusts all prices before a split, some sessions late, and may lack two bars in three."""

    name, batch = "vendor", True

    def __init__(self, clock, every=1, late=0):
        self.clock, self.every, self.late = clock, every, late
        self.market = SimulatedSource(clock=clock)
        self.capabilities = self.market.capabilities

    async def _fetch(self, request):
        limit = request.limit and (request.limit + 9) * self.every
        fetched = await self.market.fetch(attrs.evolve(request, limit=limit, adjustment="raw"))
        return {symbol: self._told(bars, request) for symbol, bars in fetched.bars.items()}

    def _told(self, bars, request):
        factor = np.ones(len(bars))
        for moment, left in SPLITS.items():
            session = OPENS.searchsorted(to_ns(moment))
            is_told = OPENS[session + self.late] <= to_ns(self.clock.now())
            if request.adjustment != "raw" and is_told:
                factor[bars.close_time <= OPENS[session]] *= left
        columns = {name: getattr(bars, name) * factor for name in ("open", "high", "low", "close")}
        columns |= {"time": bars.time, "volume": bars.volume}
        kept = bars.time // bars.timeframe.ns % self.every == 0
        told = {name: column[kept] for name, column in columns.items()}
        facts = {"source": self.name, "feed": "iex", "adjustment": request.adjustment}
        return bars._replace(**told, **facts)[-(request.limit or len(bars)) :]


TIMEFRAMES = ["5Min", "5Min", "1Day"]
PAUSES = [3, 7, 30, 120, 600, 1440]  # minutes
AGO = [None, None, 1, 16, 90, 400, 1500, 4000]  # minutes; None asks for the newest
LIMITS = [1, 5, 60, 100, 300]


@pytest.mark.parametrize("seed", range(12))
def test_an_answer_is_what_its_source_would_tell_now(seed, tmp_path):
    drawn, clock, manager = Random(seed), ReplayClock(BEGIN), None
    adjustment, every = drawn.choice(["raw", "all", "all"]), drawn.choice([1, 1, 3])
    timeframe, late = drawn.choice(TIMEFRAMES), drawn.choice([0, 2, 4])
    for _ in range(25):
        clock.move_to(clock.at + timedelta(minutes=drawn.choice(PAUSES)))
        limit, ago = drawn.choice(LIMITS), drawn.choice(AGO)
        source, end = Vendor(clock, every, late), ago and clock.at - timedelta(minutes=ago)
        if manager is None or drawn.random() < 0.5:
            options = {"disk_cache": tmp_path / "bars.db", "adjustment": adjustment}
            manager = MultiSourceDataManager(sources=[source], **options)
        asked = BarsRequest("SPY", timeframe, limit=limit, end=end, adjustment=adjustment)
        true = asyncio.run(source.fetch(asked))["SPY"]
        fetched = asyncio.run(manager.fetch_many(["SPY"], timeframe, limit, end=end))
        for bars in fetched.bars.values():
            for name in ("time", "open", "high", "low", "close", "volume"):
                np.testing.assert_allclose(getattr(bars, name), getattr(true, name), rtol=1e-12)
        assert all(error.causes["vendor"].fault == "stale" for error in fetched.failures.values())
