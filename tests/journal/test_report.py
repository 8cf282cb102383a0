from __future__ import annotations

from datetime import timedelta

from tradekit.journal import OrderFilled


def test_an_empty_day_says_that_nothing_was_seen(journal):
    assert journal.daily_report() == (
        "Session 2024-03-08 (paper)\n"
        "==========================\n"
        "Setups\n"
        "  detected        0\n"
        "  executed        0\n"
        "  missed          0\n"
        "  captured  no setups\n"
        "Missed, by reason, and what that would have earned a trade, after costs\n"
        "  none\n"
        "Market regime: unknown\n"
        "Errors: 0\n"
        "Fills: none, so there is no profit or loss to state\n"
    )


def test_a_week_shows_funnel_reasons_regimes_and_fills_with_their_mode(journal, clock):
    journal.log_market_condition_change("bull", 70.0)
    clock.move_to(clock.now() + timedelta(days=3))
    journal.log_opportunity_missed("SPY", "gap", "a\nvery long reason " * 9)
    for side, price in (("buy", 10.0), ("sell", 12.5)):
        journal.log(
            OrderFilled(clock.now(), symbol="SPY", order="1", side=side, quantity=1, price=price)
        )
    lines = journal.weekly_report().splitlines()
    assert lines[0] == "2024-03-04 to 2024-03-11 (paper)"
    assert "  unlinked        1" in lines
    assert "      1  a very long reason a very long reason a ver… 1 pending" in lines
    assert "Market regime: bull" in lines
    assert "  2024-03-08T16:30Z  unknown -> bull (70%)" in lines
    assert lines[-1] == "Fills: 2, realised +2.50 after fees (paper)"


def test_more_reasons_than_fit_are_counted(journal):
    for number in range(13):
        journal.log_opportunity_missed("SPY", "gap", f"reason {number}")
    assert "  and 3 more reasons" in journal.weekly_report().splitlines()
