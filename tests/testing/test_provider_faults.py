from __future__ import annotations

import pytest

from tradekit import UsageError
from tradekit.testing._provider_faults import FAULTS, Budget, Faults, Plan


def anything(fault):
    return True


def run(faults, times):
    return [faults.next(anything, True)[0] for _ in range(times)]


def test_a_plan_gives_each_fault_its_share_in_the_order_of_the_list():
    plan = Plan({"hang": 0.2, "500": 0.3})  # in the list, 500 stands before hang
    assert [plan.draw(luck) for luck in (0.0, 0.29, 0.31, 0.49, 0.51, 0.99)] == [
        *("500", "500", "hang", "hang"),
        *(None, None),
    ]


def test_draws_repeat_with_the_seed_and_differ_between_providers():
    plan = Plan({"500": 0.3, "hang": 0.2})
    first = run(Faults("iex", 7, plan, None), 200)
    assert first == run(Faults("iex", 7, plan, None), 200)
    assert first != run(Faults("yahoo", 7, plan, None), 200)
    assert first != run(Faults("iex", 8, plan, None), 200)


def test_shares_are_what_was_asked_for():
    drawn = run(Faults("iex", 1, Plan({"500": 0.3, "hang": 0.2}), None), 2000)
    # Three standard deviations: 3 * sqrt(0.3 * 0.7 / 2000) = 0.03.
    assert abs(drawn.count("500") / 2000 - 0.3) < 0.031
    assert abs(drawn.count("hang") / 2000 - 0.2) < 0.027


def test_what_is_forced_comes_first_and_changes_no_later_draw():
    plan = Plan({"500": 0.5})
    drawn, forced = Faults("iex", 3, plan, None), Faults("iex", 3, plan, None)
    forced.force("hang", 2)
    assert run(forced, 30) == ["hang", "hang", *run(drawn, 30)[2:]]


def test_a_forced_fault_waits_for_a_question_that_it_can_strike():
    faults = Faults("alpaca", 0, Plan(), None)
    faults.force("stale_day", 1)
    faults.force("500", 1)
    assert faults.next(anything, False)[0] == "500"
    assert faults.next(anything, False)[0] is None
    assert faults.next(lambda fault: fault != "stale_day", True)[0] is None
    assert faults.next(anything, True)[0] == "stale_day"


def test_a_budget_is_new_after_a_minute():
    now = 1000.0
    budget = Budget(2, lambda: now)
    assert [budget.spend() for _ in range(4)] == [True, True, False, False]
    now = 1045.0
    assert (budget.spend(), budget.left, budget.wait) == (False, 0, 15.0)
    now = 1060.0
    assert (budget.spend(), budget.left, budget.wait) == (True, 1, 60.0)


def test_a_used_budget_goes_before_all_other_faults():
    faults = Faults("iex", 0, Plan({"500": 1.0}), Budget(1, lambda: 0.0))
    assert run(faults, 3) == ["500", "limit", "limit"]


@pytest.mark.parametrize(
    ("chances", "told"),
    [
        ({"505": 0.1}, "no such fault: expected 401 or 403_sip or "),
        ({"500": 1.5}, "the chance of '500': expected a number from 0 to 1"),
        ({"500": 0.6, "hang": 0.6}, "more faults than questions"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(chances, told):
    with pytest.raises(UsageError, match=told):
        Plan(chances)


def test_the_faults_are_those_that_were_asked_for():
    assert set(FAULTS) == {
        *("401", "403_sip", "404", "422", "429", "429_retry_after", "500", "503", "504", "limit"),
        *("hang", "slow_drip", "drop", "truncated_json", "html", "empty", "braces", "no_rows"),
        *("null_bars", "missing_fields", "stale_day", "missing_tail", "price_x100"),
        *("swapped_high_low", "plausible_shift", "unadjusted_split", "duplicate_rows"),
        *("out_of_order", "wrong_symbol"),
    }
