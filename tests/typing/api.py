"""The public interface as a user meets it: checked by mypy, never run."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from tradekit import (
    Bar,
    Bars,
    BarsRequest,
    DataSource,
    Detections,
    Direction,
    Event,
    Fetched,
    FixedClock,
    Outcomes,
    Signal,
    SignalDetector,
    SignalType,
    Sink,
    Timeframe,
    calendar_for,
    crossed_above,
    crossed_below,
    resample,
    triple_barrier,
)

Float = npt.NDArray[np.float64]


class RsiReversal(SignalDetector):
    signal_type, family = SignalType.MEAN_REVERSION, "reversion"

    def _scan(self, bars: Bars) -> Float:
        rsi = bars.ind.rsi(14)
        return 60.0 * crossed_above(rsi, 30) - 60.0 * crossed_below(rsi, 70)


class Silent(SignalDetector):
    def _detect(self, window: Bars) -> float:
        return 0.0


class Ledger(DataSource):
    async def _fetch(self, request: BarsRequest) -> pd.DataFrame:
        return pd.DataFrame()


class Kept(Sink):
    def _write(self, events: tuple[Event, ...]) -> None:
        for event in events:
            print(event.kind, event.time)


async def bars_come_in(source: DataSource) -> Bars:
    start = datetime(2024, 3, 1, tzinfo=UTC)
    fetched: Fetched = await source.fetch(BarsRequest(["SPY", "QQQ"], "5Min", start=start))
    for symbol, error in fetched.failures.items():
        print(symbol, error.retryable)
    return fetched["SPY"]


def signals_go_out(bars: Bars) -> tuple[Signal, ...]:
    detector = RsiReversal()
    said: Detections = detector.scan(bars)
    rows: npt.NDArray[np.intp] = np.flatnonzero(said.fired)
    outcomes: Outcomes = triple_barrier(
        bars, rows, said.direction[rows], said.target[rows], said.stop[rows], horizon=20
    )
    rate: float = outcomes.hit_rate
    now: tuple[Signal, ...] = detector.detect(bars)
    bullish = [signal for signal in now if signal.direction is Direction.BULLISH]
    print(rate, [signal.price_target for signal in bullish])
    return detector.signals(bars)


def values_say_what_they_are(frame: pd.DataFrame) -> None:
    bars: Bars = Bars.from_frame(frame, "SPY", "1Min", tz="America/New_York", bad="drop")
    hour: Bars = resample(bars, "1Hour")
    last: Bar = hour[-1]
    window: Bars = hour[-200:]
    timeframe: Timeframe = window.timeframe
    known: npt.NDArray[np.int64] = window.close_time
    past: Bars = hour.until(last.close_time)
    back: pd.DataFrame = past.to_frame()
    clock = FixedClock(last.time)
    print(timeframe < "1Day", known[-1], back.attrs, clock.now(), calendar_for("XNYS").tz)
