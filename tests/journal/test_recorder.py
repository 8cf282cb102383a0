from __future__ import annotations

from datetime import timedelta

import pytest

from tradekit.journal import ComprehensiveLogger, MemorySink, SetupDetected, SetupMissed

SEEN = {"timeframe": "5Min", "source_method": "Breakout/1"}


def detect(journal, symbol="SPY", kind="breakout", side="bullish", **said):
    return journal.log_opportunity_detected(symbol, kind, 60.0, side, SEEN | said)


def execute(journal, symbol="SPY", kind="breakout"):
    return journal.log_opportunity_executed(symbol, kind, 60.0, 100.0, 1.0)


def miss(journal, symbol="SPY", kind="breakout", reason="regime"):
    return journal.log_opportunity_missed(symbol, kind, reason)


def enter(journal, symbol="SPY", **said):
    return journal.log_trade_entry(symbol, "BUY", 1.0, 100.0, "mine", said)


def test_seeing_an_undecided_setup_again_is_the_same_setup(journal, clock, sink):
    first = detect(journal)
    clock.move_to(clock.now() + timedelta(hours=1))
    assert detect(journal) is first
    assert sink.read() == (first,)


def test_seeing_a_decided_setup_again_on_its_first_bar_is_the_same_setup(journal, clock, sink):
    first = detect(journal)
    decided = miss(journal)
    clock.move_to(clock.now() + timedelta(minutes=4))  # 16:30 to 16:35 is one bar
    assert detect(journal) is first
    assert miss(journal) is decided
    assert sink.read() == (first, decided)


def test_a_decided_setup_on_a_later_bar_is_another_one(journal, clock):
    first = detect(journal)
    miss(journal)
    clock.move_to(clock.now() + timedelta(minutes=5))
    assert detect(journal).setup != first.setup


def test_a_signal_id_tells_setups_apart_and_together(journal):
    first = detect(journal, signal_id="a")
    miss(journal)
    second = detect(journal, signal_id="b")
    miss(journal)
    assert detect(journal, signal_id="a") is first
    assert second.setup != first.setup


@pytest.mark.parametrize(
    "other", [{"symbol": "QQQ"}, {"side": "bearish"}, {"source_method": "Gap/1"}]
)
def test_another_symbol_side_or_strategy_is_another_setup(journal, other):
    assert detect(journal).setup != detect(journal, **other).setup


def test_decisions_join_the_newest_undecided_setup_of_their_symbol_and_type(journal):
    old = detect(journal)
    new = detect(journal, source_method="Range/1")
    gap = detect(journal, kind="gap", source_method="Gap/1")
    assert miss(journal).setup == new.setup
    assert execute(journal).setup == old.setup
    assert miss(journal, kind="gap").setup == gap.setup


def test_a_decision_without_a_setup_opens_one_that_says_so(journal):
    events = [miss(journal), miss(journal), execute(journal), enter(journal, signal_type="gap")]
    assert all(event.unlinked for event in events)
    assert len({event.setup for event in events}) == 4


def test_entry_and_execution_are_one_in_either_order(journal):
    first = detect(journal)
    assert enter(journal, signal_type="breakout").setup == first.setup
    assert execute(journal).setup == first.setup
    second = detect(journal, "QQQ")
    assert execute(journal, "QQQ").setup == second.setup
    assert enter(journal, "QQQ").setup == second.setup
    assert journal.calculate_opportunity_capture_rate() == 100.0


def test_an_execution_joins_its_entry_before_an_undecided_setup(journal):
    detect(journal)
    newer = detect(journal, source_method="Range/1")
    assert enter(journal, signal_type="breakout").setup == newer.setup
    assert execute(journal).setup == newer.setup


def test_a_setup_that_is_traded_at_each_look_stays_one(journal):
    first = detect(journal)
    for _ in range(3):
        assert detect(journal) is first
        assert enter(journal, signal_type="breakout").setup == first.setup
        assert execute(journal).setup == first.setup
    answer = journal.get_missed_opportunity_analysis()
    assert (answer["total_executed"], answer["total_unlinked"]) == (1, 0)


def test_a_new_setup_is_not_taken_for_the_other_half_of_an_old_execution(journal, clock):
    detect(journal)
    execute(journal)
    clock.move_to(clock.now() + timedelta(minutes=5))
    newer = detect(journal)
    assert enter(journal).setup == newer.setup


def test_a_miss_does_not_join_a_trade_that_nobody_saw_again(journal):
    execute(journal)
    assert miss(journal).unlinked
    assert journal.get_missed_opportunity_analysis()["total_missed"] == 1


def test_a_missed_setup_may_be_traded_after_all(journal):
    first = detect(journal)
    miss(journal)
    detect(journal)
    assert execute(journal).setup == first.setup
    answer = journal.get_missed_opportunity_analysis()
    assert (answer["total_missed"], answer["total_executed"]) == (0, 1)


def test_a_setup_that_is_named_is_taken_at_its_word(journal):
    seen = journal.log_opportunity_detected("SPY", "gap", 60.0, "bullish", setup="mine")
    detect(journal)
    decided = journal.log_opportunity_missed("SPY", "gap", "regime", setup="mine")
    assert (seen.setup, decided.setup, decided.unlinked) == ("mine", "mine", False)
    assert journal.log_opportunity_missed("SPY", "gap", "regime", setup="unknown").unlinked


def test_setups_have_the_same_names_in_every_run_of_the_same_name(clock):
    names = []
    for _ in range(2):
        journal = ComprehensiveLogger(sinks=[MemorySink()], clock=clock, run="one")
        names.append([detect(journal).setup, miss(journal, "QQQ").setup])
    assert names[0] == names[1]


def test_a_run_is_taken_up_where_it_stopped(sink, clock):
    before = ComprehensiveLogger(sinks=[sink], clock=clock, run="one")
    before.log_market_condition_change("bull", 70.0)
    first = detect(before)
    after = ComprehensiveLogger(sinks=[sink], clock=clock, run="one")
    assert detect(after) == first
    assert after.log_market_condition_change("bull", 75.0) is None
    assert miss(after).setup == first.setup
    assert [event.seq for event in sink.read()] == [0, 1, 2]


def test_events_of_their_own_find_their_setups_too(journal, clock):
    about = {"symbol": "SPY", "signal_type": "gap"}
    seen = journal.log(SetupDetected(clock.now(), direction="bullish", confidence=1.0, **about))
    decided = journal.log(SetupMissed(clock.now(), code="regime", reason="bear", **about))
    assert seen.setup == decided.setup is not None
