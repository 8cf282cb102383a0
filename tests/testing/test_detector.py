"""The kit refuses every broken detector, and passes honest ones."""

from __future__ import annotations

from unittest import SkipTest

import numpy as np
import pytest

from tradekit import ContractError, SignalDetector, UsageError, crossed_above, crossed_below
from tradekit.testing import broken_detectors, check_detector

TWINS = [(twin, name) for twin in broken_detectors() for name in twin.caught_by]


@pytest.mark.parametrize(
    ("twin", "name"), TWINS, ids=[f"{type(twin).__name__}-{name}" for twin, name in TWINS]
)
def test_the_kit_refuses_a_broken_twin(twin, name):
    check = next(check for check in check_detector(twin) if check.name == name)
    with pytest.raises(ContractError, match=type(twin).__name__):
        check()


class RsiReversal(SignalDetector):
    """RSI(14) crosses back above 30 (bullish) or below 70 (bearish)."""

    def _scan(self, bars):
        rsi = bars.ind.rsi(14)
        return 60.0 * crossed_above(rsi, 30) - 60.0 * crossed_below(rsi, 70)


class SmaCross(SignalDetector):
    """SMA(20) crosses SMA(50)."""

    def _scan(self, bars):
        fast, slow = bars.ind.sma(20), bars.ind.sma(50)
        return 50.0 * crossed_above(fast, slow) - 50.0 * crossed_below(fast, slow)


class ObvBreak(SignalDetector):
    """OBV leaves the range of its last 20 values; path-dependent, but its differences are not."""

    lookback = 200
    anchor = "history"

    def _scan(self, bars):
        obv = bars.ind.obv()
        score = np.full(len(bars), np.nan)
        for row in range(20, len(bars)):
            past = obv[row - 20 : row]
            score[row] = 50.0 * (obv[row] > past.max()) - 50.0 * (obv[row] < past.min())
        return np.where(np.isnan(obv), np.nan, score)


class AboveVwap(SignalDetector):
    """The close crosses the session's volume-weighted average price."""

    anchor = "session"

    def _scan(self, bars):
        if not bars.timeframe.is_intraday:
            return np.full(len(bars), np.nan)
        vwap = bars.ind.vwap()
        return 50.0 * crossed_above(bars.close, vwap) - 50.0 * crossed_below(bars.close, vwap)


class PivotDivergence(SignalDetector):
    """A confirmed low below the one before it, while RSI there is higher; and the reverse."""

    def _scan(self, bars):
        rsi, pivots = bars.ind.rsi(14), bars.ind.pivots(5, 5)
        return self._side(pivots.low, rsi, 1.0) + self._side(-pivots.high, -rsi, -1.0)

    def _side(self, price, rsi, sign):
        score, last = np.where(np.isnan(rsi), np.nan, 0.0), None
        for row in np.flatnonzero(~np.isnan(price)):
            then = rsi[row - 5]
            near = last is not None and row - last[2] < 60
            if near and price[row] < last[0] and then > last[1]:
                score[row] = 60.0 * sign
            last = (price[row], then, row)
        return score

    lookback = 220


class WindowMomentum(SignalDetector):
    """The last close above all of the 20 before it, or below; written for a window."""

    lookback = 150

    def _detect(self, window):
        past = window.close[-21:-1]
        if len(past) < 20:
            return float("nan")
        return 40.0 * (window.close[-1] > past.max()) - 40.0 * (window.close[-1] < past.min())


HONEST = [RsiReversal(), SmaCross(), ObvBreak(), AboveVwap(), PivotDivergence(), WindowMomentum()]
CHECKS = [(type(d).__name__, check) for d in HONEST for check in check_detector(d)]


@pytest.mark.parametrize(("who", "check"), CHECKS, ids=[f"{w}-{c.name}" for w, c in CHECKS])
def test_an_honest_detector_passes(who, check):
    check()


def test_a_known_failure_is_skipped_with_its_reason():
    known = {"mirror": "prices fall faster than they rise"}
    twin = next(t for t in broken_detectors() if type(t).__name__ == "OnlyPercentages")
    check = next(c for c in check_detector(twin, known_failures=known) if c.name == "mirror")
    with pytest.raises(SkipTest, match="prices fall faster"):
        check()


def test_a_known_failure_that_passes_is_an_error():
    checks = check_detector(SmaCross(), known_failures={"prefix": "not yet"})
    with pytest.raises(ContractError, match="take 'prefix' out of known_failures"):
        next(check for check in checks if check.name == "prefix")()


def test_a_known_failure_must_name_a_check_and_a_reason():
    with pytest.raises(UsageError, match="expected fires, prefix"):
        check_detector(SmaCross(), known_failures={"prefx": "typo"})
    with pytest.raises(UsageError, match="says why"):
        check_detector(SmaCross(), known_failures={"prefix": ""})


def test_pytest_names_each_check():
    assert [check.__name__ for check in check_detector(SmaCross())][:2] == ["fires", "prefix"]


def test_own_bars_replace_the_markets_of_the_kit(one_session):
    fires = check_detector(SmaCross(), bars=one_session[:20])[0]
    with pytest.raises(ContractError, match="never fires"):
        fires()
