"""The kit passes sources that answer with what is known, and refuses each that does not."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

import attrs
import numpy as np
import pandas as pd
import pytest

from tradekit import Bars, BarsRequest, ContractError, DataSource, NoDataError, UsageError
from tradekit._core.calendar import calendar_for
from tradekit.data import MemorySource, SimulatedSource
from tradekit.testing import check_source
from tradekit.testing._series import altered

REQUEST = BarsRequest(
    ("SPY", "QQQ"),
    "1Day",
    start=datetime(2024, 1, 2, tzinfo=UTC),
    end=datetime(2024, 4, 1, tzinfo=UTC),
    adjustment="raw",
)
FACTS = {"source": "test", "feed": "none", "adjustment": "raw"}


def daily(symbol, count=70):
    """Sessions from 2024-01-02 on."""
    calendar = calendar_for()
    first = int(calendar.sessions.searchsorted(np.datetime64("2024-01-02")))
    rng = np.random.default_rng(sum(map(ord, symbol)))
    close = 100 + np.cumsum(np.round(rng.standard_normal(count), 2))
    volume = 1e6 + np.arange(count)
    time = calendar.midnights[first : first + count]
    return Bars(symbol, "1Day", time, close, close + 1, close - 1, close, volume, **FACTS)


HELD = {symbol: daily(symbol) for symbol in ("SPY", "QQQ")}


class Frames(DataSource):
    """A user's source: a DataFrame a symbol, named columns and provenance."""

    async def _fetch(self, request):
        (symbol,) = request.symbols
        if symbol not in HELD:
            raise NoDataError(f"no {symbol}")
        frame = HELD[symbol].to_frame()
        frame.attrs = FACTS
        return frame


class Batch(DataSource):
    """Answers for all symbols at once."""

    batch = True

    async def _fetch(self, request):
        return {symbol: self._answer(request, bars) for symbol, bars in self._held(request).items()}

    def _held(self, request):
        return {symbol: HELD[symbol] for symbol in request.symbols if symbol in HELD}

    def _answer(self, request, bars):
        return bars


HONEST = {
    "memory": (MemorySource(HELD), REQUEST),
    "frames": (Frames(), REQUEST),
    "batch": (Batch(), REQUEST),
    "simulated": (SimulatedSource(), REQUEST),
    "minutes": (
        SimulatedSource(),
        BarsRequest(
            ("SPY", "AAPL"),
            "15Min",
            start=datetime(2024, 3, 7, tzinfo=UTC),
            end=datetime(2024, 3, 12, tzinfo=UTC),
        ),
    ),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_source_passes(name):
    for check in check_source(*HONEST[name]):
        check()


class HasLittle(Batch):
    """Gives ten bars."""

    def _answer(self, request, bars):
        return bars[:10]


class SaysNothingOfItself(Batch):
    """Leaves out feed and adjustment."""

    def _answer(self, request, bars):
        return bars._replace(feed="unknown", adjustment="unknown")


class StartsAtOneHundred(Batch):
    """Scales prices so that the window starts at 100."""

    def _answer(self, request, bars):
        first = bars.time.searchsorted(int(request.start.timestamp() * 1e9)) if request.start else 0
        names = ("open", "high", "low", "close")
        scale = 100 / bars.close[first]
        return altered(bars, **{name: getattr(bars, name) * scale for name in names})


class GivesTheOldest(Batch):
    """Takes a limit for a number of bars from the start."""

    def _answer(self, request, bars):
        return bars[: request.limit] if request.limit else bars


class CountsTheFormingBar(Batch):
    """Adds the volume of the bar that is forming to the one before it."""

    def _answer(self, request, bars):
        due = pd.Timestamp(request.end).value
        forming = int(bars.close_time.searchsorted(due, side="right"))
        begun = forming < len(bars) and bars.time[forming] < due
        extra = np.where(np.arange(len(bars)) == forming - 1, 7.0 * begun, 0.0)
        return altered(bars, volume=bars.volume + extra)


class Restates(Batch):
    """Changes volumes of a month ago when a later end is asked for."""

    def _answer(self, request, bars):
        late = request.end > datetime(2024, 3, 1, tzinfo=UTC)
        volume = bars.volume.copy()
        volume[5] += 1000.0 * late
        return altered(bars, volume=volume)


class NeverTheSame(Batch):
    """Counts its calls into the volume."""

    calls = 0

    def _answer(self, request, bars):
        self.calls += 1
        return altered(bars, volume=bars.volume + self.calls)


class AlignsSymbols(Batch):
    """Drops the first row when several symbols are asked for, to align them."""

    def _answer(self, request, bars):
        return bars[1:] if len(request.symbols) > 1 else bars


class KnowsEverySymbol(Batch):
    """Makes up bars for symbols that do not exist."""

    def _held(self, request):
        return {symbol: HELD.get(symbol) or daily(symbol) for symbol in request.symbols}


class OneSpoilsAll(Batch):
    """Fails for all when one symbol is unknown."""

    def _held(self, request):
        if unknown := set(request.symbols) - set(HELD):
            raise NoDataError(f"no {unknown}")
        return super()._held(request)


class OneThread(Batch):
    """Keeps one SQLite connection, which belongs to the thread that made it."""

    def __init__(self):
        self.base = sqlite3.connect(":memory:")

    def _answer(self, request, bars):
        self.base.execute("select 1")
        return bars


TWINS = {
    "answers": (HasLittle, "too few bars of SPY to tell anything: expected more than 20, got 10"),
    "says_where_from": (SaysNothingOfItself, "does not say where its bars come from"),
    "stays_in_the_window": (StartsAtOneHundred, "in a window cut out of the middle"),
    "limit_is_the_newest": (GivesTheOldest, "with a limit: the newest, not the oldest"),
    "complete_bars_only": (CountsTheFormingBar, "by the middle of a bar"),
    "past_stays": (Restates, "when asked as of an earlier moment"),
    "same_every_time": (NeverTheSame, "other bars of SPY the second time"),
    "one_as_many": (AlignsSymbols, "when asked for alone"),
    "unknown_symbol": (KnowsEverySymbol, "does not say that NOSUCHSYMBOL is unknown"),
    "unknown_among_known": (OneSpoilsAll, "loses known symbols beside an unknown one"),
    "loops_and_threads": (OneThread, "answers in one thread only"),
}


def verdicts(source, request=REQUEST):
    refused = {}
    for check in check_source(source, request):
        try:
            check()
        except ContractError as error:
            refused[check.name] = str(error)
    return refused


@pytest.mark.parametrize("name", TWINS)
def test_the_kit_refuses_a_broken_twin(name):
    twin, message = TWINS[name]
    assert message in verdicts(twin())[name]


def test_every_check_has_a_twin():
    assert set(TWINS) == {check.name for check in check_source(Batch(), REQUEST)}


@pytest.mark.parametrize("wrong", [{"end": None}, {"start": None}, {"limit": 5}])
def test_a_request_that_pins_nothing_down_is_refused(wrong):
    with pytest.raises(UsageError, match="expected start and end, and no limit"):
        check_source(Batch(), attrs.evolve(REQUEST, **wrong))
