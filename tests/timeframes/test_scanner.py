from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import FixedClock, Signal, SignalDetector, UsageError, resample
from tradekit.timeframes import MultiTimeframeScanner

from .conftest import NOW, Deep, Never, Up, held, minutes, simulated

SOME = ("5Min", "1Hour", "1Day")


def scan(provider, *detectors, symbol="SPY", **options):
    scanner = MultiTimeframeScanner(detectors or (Up(),), **{"timeframes": SOME, **options})
    return asyncio.run(scanner.scan_all_timeframes(symbol, provider))


def test_every_timeframe_is_looked_at(market):
    found = scan(market)
    assert list(found.looks) == list(SOME)
    assert all(isinstance(signal, Signal) for signal in found)
    assert {signal.timeframe for signal in found} == set(SOME)
    assert [look.bars for look in found.looks.values()] == [300, 300, 250]


def test_signals_are_what_the_detector_says_of_the_bars(market):
    found = scan(market, timeframes=("1Hour",))
    bars = asyncio.run(market.fetch_many(("SPY",), "30Min", 1000))["SPY"]
    hours = resample(bars, "1Hour", cut=True)
    assert found[0].id == Up().detect(hours)[0].id
    assert found.looks["1Hour"].newest_close == datetime(2024, 3, 8, 17, 30, tzinfo=UTC)


@given(st.integers(0, 60 * 24 * 3))
def test_a_scan_is_the_same_however_much_future_there_is(ahead):
    now = NOW + timedelta(minutes=ahead)
    live = scan(simulated(now))
    later = scan(simulated(now + timedelta(days=9)), clock=FixedClock(now))
    assert (live.signals, dict(live.looks)) == (later.signals, dict(later.looks))
    assert all(signal.time <= now for signal in live)


def test_a_scan_does_not_depend_on_what_was_scanned_before(market):
    used = MultiTimeframeScanner([Up()], timeframes=SOME)
    for symbol in ("QQQ", "SPY"):
        asyncio.run(used.scan_all_timeframes(symbol, market))
    market.clock.move_to(NOW + timedelta(hours=1))
    used.timeframes["5Min"]["lookback"] = 120
    asyncio.run(used.scan_all_timeframes("SPY", market))
    used.timeframes["5Min"]["lookback"] = 300
    assert asyncio.run(used.scan_all_timeframes("SPY", market)) == scan(market)


def test_a_folder_of_days_says_why_the_rest_is_missing():
    days = minutes(np.arange(1.0, 11.0), "2024-02-26T05:00", timeframe="1Day", calendar="XNYS")
    days = days[:5]
    found = scan(held(days, now=datetime(2024, 3, 1, 22, tzinfo=UTC)), symbol="X")
    assert found.ok
    assert (list(found.failures), len(found)) == (["5Min", "1Hour"], 1)
    assert "could not look: no 5Min bars of X in memory" in repr(found)


def test_a_symbol_that_nobody_knows_is_no_exception():
    found = scan(held())
    assert (found.ok, len(found), len(found.failures)) == (False, 0, 3)
    assert repr(found).startswith("<TimeframeScan SPY at 2024-03-08 18:07 UTC: could not look")


def test_detectors_that_all_need_more_bars_could_not_look(market):
    alone = scan(market, Deep(), timeframes=("1Day",))
    assert "no detector is ready at 1Day of SPY" in str(alone.failures["1Day"])
    beside = scan(market, Deep(), Never(), timeframes=("1Day",)).looks["1Day"]
    assert (beside.ok, beside.ready, beside.not_ready) == (True, False, ("Deep/1",))


def test_the_configuration_may_be_edited_between_scans(market):
    scanner = MultiTimeframeScanner([Up()], timeframes=SOME)
    for config in scanner.timeframes.values():
        config["lookback"] = int(config["lookback"] * 0.8)
    del scanner.timeframes["1Hour"]
    found = asyncio.run(scanner.scan_all_timeframes("SPY", market))
    assert {n: look.bars for n, look in found.looks.items()} == {"5Min": 240, "1Day": 200}
    scanner.timeframes["1Day"]["lookback"] = 0
    with pytest.raises(UsageError, match="1Day"):
        asyncio.run(scanner.scan_all_timeframes("SPY", market))


def test_a_feed_that_stopped_is_stale(market):
    found = scan(market, clock=FixedClock(NOW + timedelta(days=7)))
    assert [look.stale for look in found.looks.values()] == [True, True, True]


def test_the_clock_is_the_providers_where_none_is_given(market):
    assert scan(market).time == NOW
    assert scan(market, clock=FixedClock(NOW - timedelta(days=1))).time == NOW - timedelta(days=1)


def test_before_the_first_scan_there_is_nothing_to_count():
    empty = MultiTimeframeScanner([Up()]).get_scan_statistics()
    assert (empty["total_scans"], empty["avg_opportunities_per_scan"]) == (0, 0.0)


def test_scans_are_counted(market):
    scanner = MultiTimeframeScanner([Up()], timeframes=SOME)
    one, two = (asyncio.run(scanner.scan_all_timeframes(s, market)) for s in ("SPY", "QQQ"))
    blind = asyncio.run(scanner.scan_all_timeframes("NONE", held()))
    said = scanner.get_scan_statistics()
    assert (said["total_scans"], said["failed_scans"], blind.ok) == (3, 1, False)
    assert said["total_opportunities"] == len(one) + len(two)
    assert said["avg_opportunities_per_scan"] == (len(one) + len(two)) / 3
    assert said["per_timeframe"]["1Day"] == {
        "looks": 2,
        "opportunities": len(one.looks["1Day"].signals) + len(two.looks["1Day"].signals),
        "failures": 1,
    }


def test_what_has_not_changed_is_not_looked_at_again(market):
    scanner = MultiTimeframeScanner([Up()], timeframes=SOME)
    asyncio.run(scanner.scan_all_timeframes("SPY", market))
    market.clock.move_to(NOW + timedelta(minutes=5))
    before = Up.scans
    asyncio.run(scanner.scan_all_timeframes("SPY", market))
    assert Up.scans - before == 1  # five minutes later only they are new
    assert scanner.get_scan_statistics()["remembered"] == 2


def test_threads_count_every_scan(market):
    scanner = MultiTimeframeScanner([Up()], timeframes=("1Day",))
    with ThreadPoolExecutor(4) as pool:
        scans = [
            pool.submit(scanner.blocking.scan_all_timeframes, "SPY", market) for _ in range(20)
        ]
        scans += [
            pool.submit(asyncio.run, scanner.scan_all_timeframes("SPY", market)) for _ in range(20)
        ]
    assert len({repr(done.result()) for done in scans}) == 1
    assert scanner.get_scan_statistics()["total_scans"] == 40


def test_all_registered_detectors_look_where_none_are_given():
    from tradekit.plugins import names

    scanner = MultiTimeframeScanner()
    assert len(scanner.detectors) == len(names("detectors"))


def test_one_detector_needs_no_brackets():
    assert [type(each) for each in MultiTimeframeScanner(Up()).detectors] == [Up]


@pytest.mark.parametrize("wrong", [(), ["rsi"], [Up], Up, 5, [Up(), Up()]])
def test_what_is_no_detector_cannot_look(wrong):
    with pytest.raises(UsageError, match="who should look"):
        MultiTimeframeScanner(wrong)


def test_a_scan_is_of_a_symbol(market):
    with pytest.raises(UsageError, match="whose bars"):
        scan(market, symbol="")


@pytest.mark.parametrize("wrong", [None, "SPY", [1]])
def test_a_scan_needs_somebody_who_has_bars(wrong):
    with pytest.raises(UsageError, match="no data manager"):
        scan(wrong)


class Broken(SignalDetector):
    """It raises."""

    def _scan(self, bars):
        raise RuntimeError("no idea")


def test_a_detector_that_fails_is_named_once_and_silences_nobody(market, caplog):
    scanner = MultiTimeframeScanner((Up(), Broken()), timeframes=SOME)
    for _ in range(2):
        found = asyncio.run(scanner.scan_all_timeframes("SPY", market))
    assert found.ok
    assert {signal.source_method for signal in found} == {Up().source_method}
    assert all(
        list(look.errors) == ["Broken/1"] and not look.ready for look in found.looks.values()
    )
    assert sum("no idea" in record.message for record in caplog.records) == 1
    assert "1 detectors failed" in repr(found)


def test_where_all_detectors_fail_nothing_could_be_looked_at(market):
    found = scan(market, Broken())
    assert not found.ok
    assert "no idea" in str(found.failures["1Day"])
