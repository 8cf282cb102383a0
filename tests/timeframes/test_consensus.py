from __future__ import annotations

import pytest

from tradekit import NoDataError, UsageError
from tradekit.timeframes import MultiTimeframeScanner, TimeframeLook, TimeframeScan

from .conftest import NOW, Never, signal

WEIGHTS = {"1Min": 1.0, "5Min": 2.0, "1Hour": 4.0, "1Day": 6.0}


def agree(*looks, **options):
    config = {name: {"weight": weight} for name, weight in WEIGHTS.items()}
    scanner = MultiTimeframeScanner([Never()], timeframes=config)
    for name, value in options.items():
        setattr(scanner, name, value)
    scan = TimeframeScan("X", NOW, {look.timeframe: look for look in looks})
    return scanner.get_timeframe_consensus(scan)


def look(timeframe, direction=None, **facts):
    said = () if direction is None else (signal(direction, timeframe),)
    return TimeframeLook(timeframe, signals=said, age=1 if said else None, **facts)


def blind(timeframe):
    return TimeframeLook(timeframe, failure=NoDataError("no bars"))


def test_longer_timeframes_weigh_more():
    found = agree(look("1Min", "bearish"), look("5Min", "bearish"), look("1Day", "bullish"))
    assert found["consensus"] == "bullish"
    assert found["agreement"] == pytest.approx(6 / 9)
    assert (found["bullish_weight"], found["bearish_weight"]) == (6.0, 3.0)


def test_too_little_agreement_is_mixed():
    found = agree(look("1Hour", "bearish"), look("1Day", "bullish"), consensus_threshold=0.61)
    assert (found["consensus"], found["agreement"]) == ("mixed", 0.6)
    assert agree(look("1Hour", "bearish"), look("1Day", "bullish"))["consensus"] == "bullish"


def test_two_equal_sides_are_mixed_at_any_threshold():
    even = look("5Min", "bearish"), look("1Min", "bullish")
    config = {"1Min": {"weight": 2.0}, "5Min": {"weight": 2.0}}
    scanner = MultiTimeframeScanner([Never()], timeframes=config)
    scanner.consensus_threshold = 0.5
    scan = TimeframeScan("X", NOW, {each.timeframe: each for each in even})
    assert scanner.get_timeframe_consensus(scan)["consensus"] == "mixed"


def test_who_says_nothing_has_no_vote_and_is_named():
    found = agree(look("5Min", "bearish"), look("1Hour"), look("1Day"))
    assert (found["consensus"], found["silent"]) == ("bearish", ["1Hour", "1Day"])
    assert (found["agreement"], found["agreeing_weight"]) == (1.0, pytest.approx(2 / 12))


def test_stale_timeframes_have_no_vote():
    found = agree(look("5Min", "bearish"), look("1Day", "bullish", stale=True))
    assert (found["consensus"], found["stale"]) == ("bearish", ["1Day"])


def test_nothing_said_is_mixed_and_nothing_looked_at_is_unknown():
    assert agree(look("5Min"), look("1Day"))["consensus"] == "mixed"
    assert agree(look("5Min"), blind("1Day"))["consensus"] == "mixed"
    assert agree(blind("5Min"), blind("1Day"))["consensus"] == "unknown"
    assert agree(look("5Min", "bullish", stale=True))["consensus"] == "unknown"


def test_each_timeframe_says_what_it_rests_on():
    found = agree(look("5Min", "bearish"), blind("1Day"))
    assert found["per_timeframe"]["5Min"] == {
        "direction": "bearish",
        "age": 1,
        "stale": False,
        "weight": 2.0,
        "signals": 1,
        "failure": None,
    }
    assert found["per_timeframe"]["1Day"]["failure"] == "no bars"
    assert found["could_not_look"] == ["1Day"]


@pytest.mark.parametrize("nothing", [None, [], (), iter(())])
def test_nothing_at_all_is_mixed(nothing):
    found = MultiTimeframeScanner([Never()]).get_timeframe_consensus(nothing)
    assert (found["consensus"], found["agreeing_weight"]) == ("mixed", 0.0)


def test_plain_signals_can_agree_as_well():
    signals = [signal("bearish", "1Min"), signal("bullish", "1Day"), signal("bullish", "2Hour")]
    found = MultiTimeframeScanner([Never()]).get_timeframe_consensus(signals)
    assert (found["consensus"], list(found["per_timeframe"])) == (
        "bullish",
        ["1Min", "2Hour", "1Day"],
    )


def test_what_is_no_signal_cannot_agree():
    with pytest.raises(UsageError, match="what should agree"):
        MultiTimeframeScanner([Never()]).get_timeframe_consensus(["bullish"])


@pytest.mark.parametrize("wrong", [60, -0.1, "0.6", None])
def test_a_threshold_that_is_no_share_is_refused(wrong):
    scanner = MultiTimeframeScanner([Never()])
    scanner.consensus_threshold = wrong
    with pytest.raises(UsageError, match="cannot use consensus_threshold"):
        scanner.get_timeframe_consensus([])
