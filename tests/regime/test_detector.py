from __future__ import annotations

import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import attrs
import numpy as np
import pytest

from tradekit import (
    Bars,
    ContractError,
    FixedClock,
    NoDataError,
    PluginError,
    Regime,
    RegimeAnalysis,
    RegimeModel,
    ReplayClock,
    UsageError,
)
from tradekit._core.clock import from_ns
from tradekit.regime import MarketRegimeDetector, TrendVolRegimeModel


class UpIsBull(RegimeModel):
    """Bull after a bar that closed above 100; at once, and warm from the third bar."""

    lookback = 3
    persistence = 0.0

    def _start(self):
        return ()

    def _step(self, state, bar):
        return state, {"bull": 0.9, "bear": 0.1} if bar.close > 100 else {"bull": 0.2, "bear": 0.8}


def detect(detector: MarketRegimeDetector, **market: object) -> RegimeAnalysis:
    return asyncio.run(detector.detect_market_regime(market))


def indices(market, length: int = 600) -> dict[str, Bars]:
    return {name: market(seed, length, name) for seed, name in enumerate(("SPY", "QQQ", "IWM"))}


def cut(bars: dict[str, Bars], stop: int, most: int | None = None) -> dict[str, Bars]:
    return {name: each[:stop][-most:] if most else each[:stop] for name, each in bars.items()}


@pytest.mark.parametrize("window", [30, 300])
def test_day_by_day_is_at_once(market, window: int):
    bars = indices(market)
    once, daily = MarketRegimeDetector(), MarketRegimeDetector()
    whole = detect(once, **bars)
    detect(daily, **cut(bars, 200))
    for day in range(201, 601):
        last = daily.blocking.detect_market_regime(cut(bars, day, window))
    assert last == whole
    assert daily.get_regime_statistics() == once.get_regime_statistics()
    assert daily.changes == once.changes
    assert once.get_regime_statistics()["total_regime_changes"] > 0


def test_a_call_with_nothing_new_changes_nothing(market):
    bars, detector = indices(market), MarketRegimeDetector()
    first = detect(detector, **bars)
    before = detector.get_regime_statistics()
    assert detect(detector, **cut(bars, 600, 30)) == first
    assert detector.get_regime_statistics() == before


def test_one_asset_is_the_model_alone(market):
    bars = market(3)
    alone = TrendVolRegimeModel().classify(bars)[-1]
    said = detect(MarketRegimeDetector(), SPY=bars)
    assert (said.regime, said.since, said.pending) == (alone.regime, alone.since, alone.pending)
    assert said.probabilities == alone.probabilities
    assert said.model == alone.model
    assert alone.key_indicators.items() <= said.key_indicators.items()


def test_three_assets_are_averaged_by_weight(daily):
    detector = MarketRegimeDetector(UpIsBull())
    said = detect(
        detector,
        SPY=daily([101] * 4, "SPY"),
        QQQ=daily([99] * 4, "QQQ"),
        IWM=daily([101] * 4, "IWM"),
    )
    assert said.probabilities[Regime.BULL] == pytest.approx(0.67 * 0.9 + 0.165 * (0.2 + 0.9))
    assert said.per_asset == {"SPY": "bull", "QQQ": "bear", "IWM": "bull"}
    assert said.key_indicators["disagreement"] == pytest.approx(1 / 3)


def test_weights_can_be_edited(daily):
    detector = MarketRegimeDetector(UpIsBull(), weights={"SPY": 1, "QQQ": 1})
    bars = {"SPY": daily([101] * 4, "SPY"), "QQQ": daily([99] * 4, "QQQ")}
    assert detect(detector, **bars).probabilities[Regime.BULL] == pytest.approx(0.55)
    detector.weights["QQQ"] = 3
    assert detect(detector, **bars).probabilities[Regime.BULL] == pytest.approx(0.375)
    with pytest.raises(UsageError, match="IWM needs a weight"):
        detect(detector, IWM=daily([101] * 4, "IWM"))


def test_frames_as_a_manager_gives_them_are_read(market):
    bars = indices(market, 300)
    frames = {name: each.to_frame() for name, each in bars.items()}
    said = detect(MarketRegimeDetector(), **frames)
    assert said == detect(MarketRegimeDetector(), **bars)


def test_the_absent_are_left_out_reported_and_logged_once(market, caplog):
    bars, detector = indices(market, 300), MarketRegimeDetector()
    empty = bars["IWM"].to_frame().iloc[:0]
    with caplog.at_level(logging.WARNING, "tradekit.regime"):
        said = detect(detector, SPY=bars["SPY"], QQQ=None, IWM=empty)
        detect(detector, SPY=bars["SPY"], QQQ=None, IWM=empty)
    assert said.probabilities == detect(MarketRegimeDetector(), SPY=bars["SPY"]).probabilities
    assert list(detector.last_skipped) == ["QQQ", "IWM"]
    assert [record.args[0] for record in caplog.records] == ["QQQ", "IWM"]
    detect(detector, **bars)
    assert detector.last_skipped == {}


def test_a_short_asset_is_spoken_for(market):
    bars, detector = indices(market, 400), MarketRegimeDetector()
    said = detect(detector, SPY=bars["SPY"], QQQ=bars["QQQ"][-30:])
    assert not said.warmup
    assert said.probabilities == detect(MarketRegimeDetector(), SPY=bars["SPY"]).probabilities
    assert "fewer than 252 bars" in detector.last_skipped["QQQ"]
    assert set(said.per_asset) == {"SPY", "QQQ"}


def test_thirty_bars_are_answered_as_warming_with_the_cure(market, caplog):
    bars = indices(market, 30)
    with caplog.at_level(logging.WARNING, "tradekit.regime"):
        said = detect(MarketRegimeDetector(), **bars)
    assert said.warmup
    assert said.confidence < 50
    assert [record.getMessage() for record in caplog.records] == [
        "warming up on fewer than 252 bars. Try: limit=300"
    ]


def test_nothing_to_look_at_is_an_error_that_names_each_reason(market):
    detector = MarketRegimeDetector()
    with pytest.raises(NoDataError, match=r"SPY: nothing came.*None.*QQQ: nothing came"):
        detect(detector, SPY=None, QQQ=market(1, 30).to_frame().iloc[:0])
    assert detector.current_regime is None
    said = detect(detector, SPY=market(1, 300))
    with pytest.raises(NoDataError):
        detect(detector, SPY=None)
    assert detector.current_regime == said.regime
    assert detector.last_skipped == {"SPY": "nothing came: expected bars, got None"}


@pytest.mark.parametrize(("later", "counts"), [(0, True), (5, True), (6, False)])
def test_in_an_outage_the_last_answer_counts_for_five_days(market, later, counts):
    clock = ReplayClock(datetime(2000, 1, 1, tzinfo=UTC))
    detector = MarketRegimeDetector(clock=clock)
    bars = market(1, 300)
    clock.move_to(from_ns(bars.close_time[-1]) + timedelta(days=later))
    said = detect(detector, SPY=bars)
    if counts:
        assert detect(detector, SPY=None) is said
    else:
        with pytest.raises(NoDataError, match="nothing came"):
            detect(detector, SPY=None)
    assert detector.last_skipped == {"SPY": "nothing came: expected bars, got None"}


def test_a_frame_that_cannot_be_read_is_no_outage(market):
    bars = market(1, 300)
    detector = MarketRegimeDetector(clock=FixedClock(from_ns(bars.close_time[-1])))
    detect(detector, SPY=bars)
    with pytest.raises(NoDataError, match="column 'open' is missing"):
        detect(detector, SPY=bars.to_frame().drop(columns="open"))


def test_an_asset_that_lags_a_bar_counts_with_its_last_word(daily):
    detector = MarketRegimeDetector(UpIsBull())
    up, down = daily([101] * 5, "SPY"), daily([99] * 5, "QQQ")
    early = detect(detector, SPY=up, QQQ=down[:4])
    assert early.probabilities[Regime.BULL] == pytest.approx(0.67 * 0.9 + 0.33 * 0.2)
    late = detect(detector, SPY=up, QQQ=down)
    assert late == early
    assert detector.get_regime_statistics()["total_bars"] == 5


def test_an_asset_that_stopped_long_ago_has_no_say(daily):
    detector = MarketRegimeDetector(UpIsBull())
    said = detect(detector, SPY=daily([101] * 20, "SPY"), QQQ=daily([99] * 8, "QQQ"))
    assert said.probabilities[Regime.BULL] == pytest.approx(0.9)
    assert "long before" in detector.last_skipped["QQQ"]
    with pytest.raises(NoDataError, match="long before"):
        detect(detector, QQQ=daily([99] * 8, "QQQ"))


def test_going_back_in_time_begins_anew_and_sees_no_future(market, caplog):
    bars, detector = indices(market), MarketRegimeDetector()
    detect(detector, **bars)
    with caplog.at_level(logging.WARNING, "tradekit.regime"):
        early = detect(detector, **cut(bars, 400))
        detect(detector, **cut(bars, 399))
    fresh = MarketRegimeDetector()
    assert early == detect(fresh, **cut(bars, 400))
    assert [record.args[0] for record in caplog.records] == ["SPY", "QQQ", "IWM"]


def test_one_rewritten_asset_begins_anew_and_the_others_go_on(market):
    bars, detector = indices(market), MarketRegimeDetector()
    detect(detector, **cut(bars, 599))
    changed = np.where(np.arange(600) == 500, 0.97, 1.0)
    prices = {name: getattr(bars["QQQ"], name) * changed for name in ("open", "high", "low")}
    other = attrs.evolve(bars["QQQ"], close=bars["QQQ"].close * changed, **prices)
    detect(detector, SPY=bars["SPY"], QQQ=other, IWM=bars["IWM"])
    assert detector.get_regime_statistics()["total_bars"] == 600


def test_a_bar_that_is_not_over_does_not_count(daily, close_of):
    bars = daily([101] * 4 + [99])
    detector = MarketRegimeDetector(UpIsBull(), clock=FixedClock(close_of(bars, -2)))
    said = detect(detector, SPY=bars)
    assert (said.time, said.regime) == (close_of(bars, -2), "bull")


def test_a_model_that_fails_leaves_what_was_known(daily):
    class Fails(UpIsBull):
        def _step(self, state, bar):
            if bar.close > 200:
                raise ZeroDivisionError
            return super()._step(state, bar)

    detector = MarketRegimeDetector(Fails())
    good, bad = daily([101] * 4), daily([101] * 4 + [201])
    said = detect(detector, SPY=good)
    with pytest.raises(ContractError):
        detect(detector, SPY=bad)
    assert detect(detector, SPY=good) == said


def test_statistics_begin_with_the_unknown_and_are_plain(market):
    detector = MarketRegimeDetector()
    before = detector.get_regime_statistics()
    assert before["current_regime"] == "unknown"
    assert (before["current_regime_duration_days"], before["total_regime_changes"]) == (0, 0)
    said = detect(detector, **indices(market))
    after = detector.get_regime_statistics()
    assert after["current_regime"] == detector.current_regime.value
    assert after["current_regime_duration_days"] == (said.time - said.since).days
    assert sum(after["occupancy"].values()) == pytest.approx(1)
    assert json.loads(json.dumps(after)) == after


def test_lowering_a_threshold_by_a_tenth_lowers_what_is_asked_by_a_tenth(market):
    for length in (30, 400):
        detector = MarketRegimeDetector()
        detect(detector, **indices(market, length))
        params = {"min_confidence": 0.75}
        before = detector.get_strategy_adjustments(params)["min_confidence"]
        detector.regime_strategies[detector.current_regime]["confidence_threshold"] *= 0.9
        after = detector.get_strategy_adjustments(params)["min_confidence"]
        assert after == pytest.approx(0.9 * before)


def test_a_threshold_out_of_reach_is_said_once_with_the_cure(caplog):
    detector = MarketRegimeDetector()
    with caplog.at_level(logging.WARNING, "tradekit.regime"):
        detector.get_strategy_adjustments({"min_confidence": 0.4})
        assert not caplog.records
        detector.get_strategy_adjustments({"min_confidence": 0.75})
        detector.get_strategy_adjustments({"min_confidence": 0.75})
    (record,) = caplog.records
    assert "min_edge" in record.getMessage()


def test_detectors_do_not_share_their_tables():
    one, two = MarketRegimeDetector(), MarketRegimeDetector()
    one.regime_strategies[Regime.BULL]["confidence_threshold"] = 0.1
    assert two.regime_strategies[Regime.BULL]["confidence_threshold"] == 0.5


def test_several_threads_and_loops_give_one_answer(market):
    bars, detector = indices(market, 300), MarketRegimeDetector()
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda _: detect(detector, **bars), range(8)))
    assert all(each == said[0] for each in said)
    assert detector.get_regime_statistics()["total_bars"] == 300
    assert detector.blocking.detect_market_regime(bars) == said[0]


def test_the_model_may_be_named(market):
    by_name = MarketRegimeDetector("trend_vol")
    assert detect(by_name, SPY=market(1, 50)).model.startswith("TrendVolRegimeModel(")
    with pytest.raises(PluginError):
        MarketRegimeDetector("nobody")
    with pytest.raises(UsageError, match="no regime model"):
        MarketRegimeDetector(TrendVolRegimeModel)


def test_the_users_model_and_the_detectors_go_their_own_ways(market):
    model, bars = TrendVolRegimeModel(), market(1, 50)
    detector = MarketRegimeDetector(model)
    detect(detector, SPY=bars)
    assert model.snapshot() == TrendVolRegimeModel().snapshot()
    model.update(bars[0])
    assert detect(detector, QQQ=market(2, 50, "QQQ")).per_asset.keys() == {"QQQ"}
