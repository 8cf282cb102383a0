from __future__ import annotations

import json
from datetime import timedelta

from tradekit.watchlist import WatchlistMember
from tradekit.watchlist._record import Record, Status

FACTS = {"problem": "", "candidates": 9, "eligible": 7, "unready": {"N": "young"}}


def member(symbol, refreshes, friday):
    return WatchlistMember(symbol, "trending", 1, 1.0, "so", "here", friday, friday, refreshes)


def grow(record, friday, members, left=(), status=Status.OK):
    new = tuple(member(symbol, refreshes, friday) for symbol, refreshes in members)
    why = dict.fromkeys(left, "gone")
    rejected = {"P": "price", "Q": "price"}
    return record.refreshed(new, why, friday, status=status, rejected=rejected, **FACTS)


def test_reasons_are_counted(friday):
    said = grow(Record(), friday, [("A", 1)]).statistics()
    assert said["rejected"] == {"price": 2}
    assert said["not_ready"] == {"young": 1}
    assert (said["candidates"], said["eligible"], said["members"]) == (9, 7, 1)


def test_churn_is_the_mean_share_of_the_list_that_is_new_after_the_first(friday):
    record = grow(Record(), friday, [("A", 1), ("B", 1)])
    assert record.statistics()["churn"] is None
    record = grow(record, friday, [("A", 2), ("C", 1)], ["B"])  # one of two
    record = grow(record, friday, [("A", 3), ("C", 2)])  # none
    assert record.statistics()["churn"] == 0.25
    assert record.statistics()["refreshes"] == 3


def test_the_dwell_is_the_median_of_those_who_went(friday):
    record = grow(Record(), friday, [("A", 1), ("B", 4), ("C", 9)])
    assert record.statistics()["median_dwell"] is None
    record = grow(record, friday, [], ["A", "B", "C"])
    assert record.statistics()["median_dwell"] == 4
    assert record.statistics()["left"] == 3


def test_a_failure_keeps_the_list_and_says_that_it_is_old(friday):
    record = grow(Record(), friday, [("A", 1)]).kept("timed out")
    assert (record.status, record.problem) == (Status.STALE, "timed out")
    assert [m.symbol for m in record.members] == ["A"]


def test_a_failure_before_any_list_is_a_failure():
    assert Record().kept("timed out").status is Status.FAILED


def test_statistics_are_plain_json(friday):
    for record in (Record(), grow(Record(), friday + timedelta(1), [("A", 1)])):
        assert json.loads(json.dumps(record.statistics())) == record.statistics()
