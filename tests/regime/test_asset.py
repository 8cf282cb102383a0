from __future__ import annotations

import attrs
import numpy as np
import pytest

from tradekit import Bars
from tradekit.regime import TrendVolRegimeModel
from tradekit.regime._asset import Asset, follow

MODEL = TrendVolRegimeModel()


def begun(bars: Bars) -> Asset:
    return follow(None, bars, MODEL).asset


def rescaled(bars: Bars, factor: object) -> Bars:
    prices = {name: getattr(bars, name) * factor for name in ("open", "high", "low", "close")}
    return attrs.evolve(bars, **prices)


def test_only_bars_that_are_new_are_taken(market):
    bars = market(1, 100)
    step = follow(begun(bars[:90]), bars[60:95], MODEL)
    assert step.goes_on
    assert not step.restart
    assert step.news == MODEL.classify(bars[:95])[90:]


def test_the_same_bars_again_are_no_news(market):
    bars = market(1, 100)
    asset = begun(bars)
    step = follow(asset, bars[-30:], MODEL)
    assert (step.news, step.asset.said) == ((), asset.said)


def test_what_was_known_is_left_as_it_was(market):
    bars = market(1, 100)
    asset = begun(bars[:90])
    before = asset.model.snapshot()
    follow(asset, bars, MODEL)
    assert asset.model.snapshot() == before
    assert MODEL.snapshot() == TrendVolRegimeModel().snapshot()


def test_a_dividend_that_moves_all_closes_goes_on(market):
    bars = market(1, 400)
    asset = begun(bars[:300])
    for factor, end in ((0.99, 350), (0.25, 400)):
        step = follow(asset, rescaled(bars[end - 80 : end], factor), MODEL)
        assert step.goes_on
        asset = step.asset
    whole = MODEL.classify(bars)[-1]
    assert asset.said.regime == whole.regime
    for regime, share in whole.probabilities.items():
        assert asset.said.probabilities[regime] == pytest.approx(share, rel=1e-9)


def test_a_correction_of_a_cent_goes_on(market):
    bars = market(1, 100)
    corrected = rescaled(bars, np.where(np.arange(100) == 89, 1 + 2e-5, 1.0))
    assert follow(begun(bars[:90]), corrected, MODEL).goes_on


@pytest.mark.parametrize("row", [40, 89])
def test_a_history_that_was_rewritten_begins_anew(market, row: int):
    bars = market(1, 100)
    other = rescaled(bars, np.where(np.arange(100) == row, 1.01, 1.0))
    step = follow(begun(bars[:90]), other, MODEL)
    assert "rewritten" in step.restart
    assert step.news == MODEL.classify(other)


def test_one_bar_that_is_shared_cannot_tell_a_dividend(market):
    bars = market(1, 100)
    assert follow(begun(bars[:90]), rescaled(bars[89:], 0.99), MODEL).restart
    assert follow(begun(bars[:90]), bars[89:], MODEL).goes_on


def test_going_back_in_time_begins_anew(market):
    bars = market(1, 100)
    step = follow(begun(bars), bars[:90], MODEL)
    assert "back in time" in step.restart
    assert step.news == MODEL.classify(bars[:90])


@pytest.mark.parametrize(("missing", "goes_on"), [(0, True), (5, True), (6, False)])
def test_windows_that_leave_bars_out_begin_anew(market, missing: int, goes_on: bool):
    bars = market(1, 100)
    step = follow(begun(bars[:60]), bars[60 + missing :], MODEL)
    assert (step.goes_on, "missing" in step.restart) == (goes_on, not goes_on)


def test_another_timeframe_begins_anew(market):
    bars = market(1, 100)
    weekly = attrs.evolve(bars[::1], timeframe="1Day")
    hours = (weekly.time // 3_600_000_000_000 * 3_600_000_000_000) + 12 * 3_600_000_000_000
    other = attrs.evolve(weekly, timeframe="1Hour", time=hours)
    assert "1Hour" in follow(begun(bars), other, MODEL).restart
