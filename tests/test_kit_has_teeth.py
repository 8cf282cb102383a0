"""Faults that nobody told the kit of, each written as people write them: it refuses them all."""

from __future__ import annotations

import datetime as dt
import random
import re
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from tradekit import ContractError, SignalDetector, crossed_above, crossed_below
from tradekit._core.calendar import calendar_for
from tradekit.testing import check_detector

FAULTS = []
SEEDS = range(2)


class Fault(SignalDetector):
    """Wrong in one way; whether it has a mirror is not what is tried here."""

    mirror, mirror_reason = None, "not what is tried here"

    def __init_subclass__(cls):
        super().__init_subclass__()
        FAULTS.append(cls())


def reversal(bars):
    rsi = bars.ind.rsi(14)
    return np.nan_to_num(60.0 * crossed_above(rsi, 30) - 60.0 * crossed_below(rsi, 70))


def tomorrow(bars):
    return 50.0 * np.sign(np.append(bars.close[1:], bars.close[-1]) - bars.close)


def body(bars):
    return 50.0 * np.sign(bars.close - bars.open)


def closes(bars):
    return bars.to_frame()["close"]


# Rows that have not been yet


class Rolled(Fault):
    def _scan(self, bars):
        return 50.0 * np.sign(np.roll(bars.close, -1) - bars.close)


class GuardedByTry(Fault):
    def _scan(self, bars):
        score = np.zeros(len(bars))
        for row in range(len(bars)):
            try:
                score[row] = 40.0 * (bars.high[row + 1] > 1.01 * bars.high[row])
            except IndexError:
                continue
        return score


class BackwardPercentChange(Fault):
    def _scan(self, bars):
        change = closes(bars).pct_change(-5).to_numpy()
        return np.where(np.abs(change) > 0.02, -50.0 * np.sign(change), 0.0)


class CentredRolling(Fault):
    def _scan(self, bars):
        close = closes(bars)
        return body(bars) * (close > close.rolling(9, center=True, min_periods=1).mean()).to_numpy()


class LongerBarsByLabel(Fault):
    def _scan(self, bars):
        close = closes(bars)
        longer = close.resample("1h" if bars.timeframe.is_intraday else "W").last()
        joined = longer.reindex(close.index, method="ffill")
        return np.nan_to_num(50.0 * np.sign(joined - close).to_numpy())


class ByFutureVolatility(Fault):
    def _scan(self, bars):
        change = closes(bars).pct_change()
        later = change.rolling(20).std().shift(-20)
        return np.clip(np.nan_to_num((10 * change / later).to_numpy()), -100, 100)


class MovedCloud(Fault):
    def _scan(self, bars):
        later = closes(bars).shift(-26).to_numpy()
        return np.where(later > bars.close, 40.0, np.where(later < bars.close, -40.0, 0.0))


class BothWaysAverage(Fault):
    def _scan(self, bars):
        close = closes(bars)
        mean = (close.ewm(span=9).mean() + close[::-1].ewm(span=9).mean()[::-1]) / 2
        return 50.0 * np.sign(close - mean).to_numpy()


class LowestFromHere(Fault):
    def _scan(self, bars):
        return 50.0 * (bars.low <= np.minimum.accumulate(bars.low[::-1])[::-1])


# The whole series at once


class LineThroughAll(Fault):
    def _scan(self, bars):
        if len(bars) < 30:
            return np.full(len(bars), np.nan)
        rows = np.arange(len(bars))
        rest = bars.close - np.polyval(np.polyfit(rows, bars.close, 1), rows)
        return np.clip(-20.0 * rest / rest.std(), -100, 100)


class RankAmongAll(Fault):
    def _scan(self, bars):
        return 100.0 * (closes(bars).rank(pct=True).to_numpy() - 0.5)


class SmoothedByFourier(Fault):
    def _scan(self, bars):
        waves = np.fft.rfft(bars.close)
        waves[len(waves) // 8 :] = 0
        return 50.0 * np.sign(bars.close - np.fft.irfft(waves, len(bars)))


class LastThird(Fault):
    def _scan(self, bars):
        return body(bars) * (np.arange(len(bars)) > 0.66 * len(bars))


class FewDaysBeforeTheEnd(Fault):
    def _scan(self, bars):
        return body(bars) * (bars.close_time[-1] - bars.close_time < 5 * 86_400 * 10**9)


class RepaintsTheLastBar(Fault):
    def _scan(self, bars):
        score = reversal(bars)
        score[-1] = 20.0 * (bars.close[-1] > bars.close[-30:].mean())
        return score


class FarthestLevel(Fault):
    def _scan(self, bars):
        return reversal(bars)

    def _levels(self, bars):
        return np.ptp(bars.close) + 1.0, 1.0


# Honest, but for rare bars


class PeeksAtGaps(Fault):
    def _scan(self, bars):
        return np.where(bars.gap_before, tomorrow(bars), reversal(bars))

    def _levels(self, bars):
        return 0.02 * bars.close, 0.01 * bars.close


class KnowsThatABarWillMiss(Fault):
    def _scan(self, bars):
        return np.where(np.append(bars.gap_before[1:], False), 50.0, reversal(bars))


class PeeksOnHalfDays(Fault):
    def _scan(self, bars):
        hours = (calendar_for().closes - calendar_for().opens)[bars.session]
        return np.where(hours < 6 * 3600 * 10**9, tomorrow(bars), reversal(bars))


class PeeksAtTheOpen(Fault):
    def _scan(self, bars):
        first = (np.diff(bars.session, prepend=-1) != 0) & bars.timeframe.is_intraday
        return np.where(first, tomorrow(bars), reversal(bars))


class PeeksAtBursts(Fault):
    def _scan(self, bars):
        burst = bars.volume > 3 * np.nan_to_num(bars.ind.sma(20, of="volume"), nan=np.inf)
        return np.where(np.isnan(bars.volume), np.nan, np.where(burst, tomorrow(bars), 0.0))


class MonthsEndByTheNextBar(Fault):
    def _scan(self, bars):
        months = bars.time.astype("M8[ns]").astype("M8[M]")
        return np.where(np.append(months[1:] != months[:-1], False), 30.0, reversal(bars))


class DropsWhatWillFail(Fault):
    def _scan(self, bars):
        score = reversal(bars)
        return np.where(score * tomorrow(bars) < 0, 0.0, score)


class PeeksAtMiddlingMoves(Fault):
    def _scan(self, bars):
        move = np.append(np.diff(np.log(bars.close)), 0.0)
        middling = (np.abs(move) > 0.004) & (np.abs(move) < 0.006)
        return np.where(middling, 50.0 * np.sign(move), reversal(bars))


class PeeksAtIndecision(Fault):
    def _scan(self, bars):
        small = np.abs(bars.close - bars.open) < 0.05 * (bars.high - bars.low)
        return np.where(np.append(small[1:], False), 40.0, reversal(bars))


# Where its bars start


class SinceTheFirstClose(Fault):
    def _scan(self, bars):
        return 40.0 * (bars.close > 1.05 * bars.close[0])


class RecordHigh(Fault):
    lookback = 150

    def _scan(self, bars):
        return 40.0 * (bars.close >= np.maximum.accumulate(bars.close))


# Memory, clocks and chance


class CachesByEnd(Fault):
    answers: ClassVar[dict] = {}

    def _scan(self, bars):
        return self.answers.setdefault((bars.symbol, len(bars), bars.time[-1]), tomorrow(bars))


class RemembersCloses(Fault):
    seen: ClassVar[dict] = {}

    def _scan(self, bars):
        seen = self.seen.setdefault(bars.symbol, {})
        seen.update(zip(bars.time, bars.close, strict=True))
        after = dict(zip(sorted(seen), sorted(seen)[1:], strict=False))
        return np.array([50.0 * np.sign(seen[after.get(t, t)] - seen[t]) for t in bars.time])


class MutableDefault(Fault):
    def _scan(self, bars, told=set()):  # noqa: B006
        score = body(bars)
        score[-1] *= bars.time[-1] not in told
        told.add(bars.time[-1])
        return score


class SharedBetweenHooks(Fault):
    def _scan(self, bars):
        self._mine = bars
        return body(bars)

    def _levels(self, bars):
        return 0.02 * self._mine.close, 0.01 * self._mine.close


class LoopsOverWhatItKeeps(Fault):
    def _scan(self, bars):
        self._mine = bars
        return [
            50.0 * np.sign(self._mine.close[row] - self._mine.open[row])
            for row in range(len(self._mine))
        ]


class FromThisYearOn(Fault):
    def _scan(self, bars):
        return body(bars) * (dt.datetime.now(dt.UTC).year > 2000)


class StaleByPandas(Fault):
    def _scan(self, bars):
        return body(bars) * (bars.close_time[-1] < pd.Timestamp.now("UTC").value + 1e18)


class Unseeded(Fault):
    def _scan(self, bars):
        return body(bars) * (np.random.default_rng().random(len(bars)) > 0.01)


class Chance(Fault):
    def _scan(self, bars):
        return body(bars) * (random.random() > 0.2)


# What it is told; a fault in the code above would be told in other words.
TOLD = (
    "looks ahead|depends on where its bars start|does not say the same|looks at more than its bars"
)


def refusal(fault, seed):
    for check in check_detector(fault, seed=seed):
        try:
            check()
        except ContractError as error:
            if re.search(TOLD, str(error)):
                return str(error)
    return "none"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_the_kit_refuses_it(fault, seed):
    assert re.search(TOLD, refusal(fault, seed))
