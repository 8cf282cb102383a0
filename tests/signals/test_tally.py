from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from tradekit import Signal, Timeframe
from tradekit.signals._answer import AggregatedSignals
from tradekit.signals._glance import NotReady
from tradekit.signals._tally import Tally

CLOSE = datetime(2024, 3, 8, 21, tzinfo=UTC)


def said(symbol="SPY", *, minutes=0, lives=10, signals=1, **explanation):
    time = CLOSE + timedelta(minutes=minutes)
    ends = None if lives is None else time + timedelta(minutes=lives)
    one = Signal(symbol, time, "5Min", "gap", "bullish", 60, 100, "A/1", "gap", expires_at=ends)
    facts = {"symbol": symbol, "timeframe": Timeframe("5Min"), "bars": 78, "time": time}
    return AggregatedSignals([one] * signals, **facts, **explanation), one


def test_everything_is_counted_since_the_start_and_is_plain_json():
    tally = Tally()
    one = said()[1]
    tally.add(said(duplicates=(one,), below_threshold=(one, one), errors={"B/1": "broken"})[0])
    tally.add(said("QQQ", signals=0, against_consensus=(one, one))[0])
    assert json.loads(json.dumps(tally.stats())) == {
        "total_active_signals": 1,
        "not_ready": {},
        "symbols_scanned": 2,
        "answers": 2,
        "signals_emitted": 1,
        "below_threshold": 2,
        "duplicates_removed": 1,
        "against_consensus": 2,
        "conflicts": 1,
        "errors": 1,
    }


def test_a_signal_is_active_in_its_symbols_latest_answer_until_it_expires():
    tally = Tally()
    tally.add(said("SPY", lives=10)[0])
    tally.add(said("QQQ", lives=None)[0])
    assert tally.stats()["total_active_signals"] == 2
    tally.add(said("IWM", minutes=9, signals=0)[0])
    assert tally.stats()["total_active_signals"] == 2
    tally.add(said("IWM", minutes=10, signals=0)[0])  # what expires now is no longer news
    assert tally.stats()["total_active_signals"] == 1
    tally.add(said("QQQ", minutes=10, signals=0)[0])
    assert tally.stats()["total_active_signals"] == 0


def test_what_is_not_ready_comes_from_the_latest_answers():
    tally = Tally()
    tally.add(said("SPY", not_ready={"B/1": NotReady(224, 78), "A/1": NotReady(135, 78)})[0])
    assert tally.stats()["not_ready"] == {"A/1": 135, "B/1": 224}
    tally.add(said("SPY", minutes=5)[0])
    assert tally.stats()["not_ready"] == {}


def test_an_answer_that_is_edited_afterwards_counts_as_it_was():
    tally, (answer, _) = Tally(), said()
    tally.add(answer)
    answer.clear()
    assert tally.stats()["total_active_signals"] == 1


def test_answers_from_several_threads_are_all_counted_and_a_cause_is_new_once():
    tally = Tally()
    with ThreadPoolExecutor(8) as pool:
        news = list(pool.map(lambda _: tally.is_new("cause"), range(400)))
        list(pool.map(lambda i: tally.add(said(f"S{i % 5}")[0]), range(400)))
    assert sum(news) == 1
    assert (tally.stats()["answers"], tally.stats()["symbols_scanned"]) == (400, 5)
