from __future__ import annotations

from datetime import timedelta

from tradekit.journal import OrderFilled, SetupResolved


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
        "Fills: none, so there is no profit or loss to state"
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
    assert "Market regime: bull" in lines
    assert "  2024-03-08T16:30Z  unknown -> bull (70%)" in lines
    assert lines[-1] == "Fills: 2, realised +2.50 after fees (paper)"


def test_misses_stand_in_columns_with_what_became_of_them(journal, clock):
    def miss(symbol, reason, *ends):
        event = journal.log_opportunity_missed(symbol, "gap", reason)
        for how, earned in ends:
            journal.log(
                SetupResolved(
                    clock.now(),
                    setup=event.setup,
                    symbol=symbol,
                    exit=how,
                    entry_price=100.0,
                    exit_price=100.0 * (1 + earned),
                    net_return=earned,
                    bars_held=3,
                )
            )

    for symbol, end in (("A", ("target", 0.04)), ("B", ("stop", -0.01)), ("C", None)):
        miss(symbol, "bear", *([end] if end else []))
    miss("D", "a\nvery long reason " * 9)
    lines = journal.daily_report().splitlines()
    first = lines.index("Missed, by reason, and what that would have earned a trade, after costs")
    assert lines[first + 1 : first + 4] == [
        "  missed  reason                                    ended  at target  mean net  pending",
        # One of two at its target; 4 % and -1 % are 1.5 % on average.
        "       3  bear                                          2        50%    +1.50%        1",
        "       1  a very long reason a very long reason a…      0          -         -        1",
    ]


def test_no_line_is_wider_than_its_box_and_the_last_is_not_empty(journal, clock):
    journal.log_market_condition_change("a long word for a bear\nmarket " * 5, 70.0)
    journal.log_market_condition_change("another long word " * 5, 70.0)
    journal.log_opportunity_missed("SPY", "gap", "reason " * 30)
    lines = journal.daily_report().split("\n")
    assert max(map(len, lines)) == 92
    assert all(lines)


def test_more_reasons_than_fit_are_counted(journal):
    for number in range(13):
        journal.log_opportunity_missed("SPY", "gap", f"reason {number}")
    assert "  and 3 more reasons" in journal.weekly_report().splitlines()
