from __future__ import annotations

import numpy as np
import pytest

from tradekit import NoDataError, SourceError
from tradekit.watchlist import Eligibility
from tradekit.watchlist._inquiry import Answer
from tradekit.watchlist._verdict import Verdict

RULE = Eligibility(min_sessions=2)


@pytest.fixture
def judge(daily, friday):
    def of(bars, failures=None):
        asked = (*(b.symbol for b in bars), *(failures or {}))
        answer = Answer(asked, {b.symbol: b for b in bars}, failures or {})
        return Verdict.of(answer, RULE, friday)

    return of


def test_an_eligible_symbol_is_neither_rejected_nor_barred(judge, daily):
    verdict = judge([daily("A", [50, 51])])
    assert (verdict.rejected, verdict.barred, verdict.unseen) == ({}, {}, set())
    assert (verdict.partial, verdict.problem) == (False, "")


def test_a_symbol_that_is_too_cheap_cannot_stay(judge, daily):
    verdict = judge([daily("A", [50, 51]), daily("B", [0.6, 0.7])])
    assert verdict.barred == verdict.rejected == {"B": "price"}


def test_a_failure_that_may_pass_is_no_reason_to_go(judge, daily):
    verdict = judge([daily("A", [50, 51])], {"B": SourceError("timed out")})
    assert (verdict.barred, verdict.unseen) == ({}, {"B"})


def test_a_symbol_without_bars_cannot_stay(judge, daily):
    verdict = judge([daily("A", [50, 51])], {"B": NoDataError("delisted")})
    assert (verdict.barred, verdict.unseen) == ({"B": "no daily bars"}, set())


def test_bars_of_yesterday_are_late_and_bars_of_last_month_are_stale(judge, daily):
    yesterday = daily("B", [50, 51], until="2024-03-07")
    month_ago = daily("C", [50, 51], until="2024-02-08")
    verdict = judge([daily("A", [50, 51]), daily("D", [50, 51]), yesterday, month_ago])
    assert verdict.rejected == {"B": "stale", "C": "stale"}
    assert (verdict.barred, verdict.unseen) == ({"C": "stale"}, {"B"})


def test_an_unknown_volume_keeps_a_symbol_out_but_puts_none_out(judge, daily):
    verdict = judge([daily("A", [50, 51]), daily("B", [50, 51], volume=np.nan)])
    assert verdict.rejected == {"B": "volume unknown"}
    assert (verdict.barred, verdict.unseen) == ({}, {"B"})


def test_half_of_the_symbols_are_enough(judge, daily):
    failures = {name: NoDataError("none") for name in "BC"}
    assert not judge([daily("A", [50, 51]), daily("D", [50, 51])], failures).partial


def test_when_most_symbols_are_missing_the_provider_is_not_believed(judge, daily):
    verdict = judge([daily("A", [50, 51])], {name: NoDataError("none") for name in "BC"})
    assert (verdict.partial, verdict.barred, verdict.unseen) == (True, {}, {"B", "C"})
    assert verdict.problem == "2 of 3 symbols failed, 2 so: none"


def test_late_bars_make_it_partial_as_well(judge, daily):
    late = [daily(name, [50, 51], until="2024-03-07") for name in "BC"]
    verdict = judge([daily("A", [50, 51]), *late])
    assert (verdict.partial, verdict.problem) == (True, "current bars of 1 of 3 symbols")
