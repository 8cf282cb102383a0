from __future__ import annotations

import numpy as np
import pytest

from tradekit import calendar_for
from tradekit.signals import OpeningGap

NYSE = calendar_for()
FIRST = int(np.searchsorted(NYSE.sessions, np.datetime64("2024-03-11")))
HALF_HOUR = 1800 * 10**9
HIGHER, LOWER = (103, 104.5, 102.5, 103.5), (103, 103.5, 101.5, 102.5)


def half_hours(*sessions):
    opens, closes = NYSE.opens, NYSE.closes
    return np.concatenate(
        [np.arange(opens[FIRST + s], closes[FIRST + s], HALF_HOUR) for s in sessions]
    )


@pytest.fixture
def days(drawn):
    def make(*rows):
        time = NYSE.midnights[FIRST : FIRST + 30 + len(rows)]
        return drawn(*rows, timeframe="1Day", time=time, calendar="XNYS")

    return make


@pytest.fixture
def intraday(drawn):
    """13 half hours a session: rows 26 to 38 are the third one, row 39 opens the fourth."""

    def make(*rows, time=None):
        time = half_hours(0, 1, 2, 3, 4) if time is None else time
        return drawn(*rows, timeframe="30Min", time=time[: 30 + len(rows)], calendar="XNYS")

    return make


def test_a_day_that_opens_away_and_goes_on_is_a_gap(days, heard):
    # 3 of an average true range of 2: 1.5, one above 0.5, in halves 2.
    assert heard(OpeningGap(), days(HIGHER)) == {30: 66.67}


def test_a_day_that_comes_back_towards_the_close_before_is_none(days, heard):
    assert heard(OpeningGap(), days(LOWER)) == {}


def test_a_day_that_opens_lower_and_falls_is_a_gap_downwards(days, heard):
    assert heard(OpeningGap(), days((97, 97.5, 95.5, 96.5))) == {30: -66.67}


def test_the_gap_itself_does_not_widen_the_range_it_is_measured_in(days, heard):
    # With its own true range of 99 in the average, (13 * 2 + 99) / 14, it would not be 8 ranges.
    far = OpeningGap(size=8)
    assert list(heard(far, days((197, 199, 197, 198)))) == [30]


def test_intraday_a_gap_lies_between_sessions_and_is_measured_in_their_range(intraday, heard):
    # 8 of 2 * sqrt(13) = 7.211: 1.1094, 0.6094 above 0.5, in halves 1.2188.
    opening = (108, 109.5, 107.5, 108.5)
    assert heard(OpeningGap(), intraday(*[100] * 9, opening)) == {39: 61.97}


def test_a_jump_within_a_session_is_no_gap(intraday, heard):
    assert heard(OpeningGap(), intraday(100, 100, (120, 122, 119, 121))) == {}


def test_bars_before_the_opening_are_passed_over(intraday, heard):
    # Half an hour before the opening it trades at 106 already: the gap is from 100 all the same.
    time = half_hours(0, 1, 2, 3)
    time = np.insert(time, 39, time[39] - HALF_HOUR)
    rows = [*[100] * 9, 106, (108, 109.5, 107.5, 108.5)]
    assert list(heard(OpeningGap(), intraday(*rows, time=time))) == [40]


def test_where_the_opening_bar_is_missing_the_gap_is_not_known(intraday):
    time = np.delete(half_hours(0, 1, 2, 3), 39)
    score = OpeningGap()._scan(intraday(*[100] * 9, (108, 109.5, 107.5, 108.5), time=time))
    assert np.isnan(score[39])
    assert score[38] == 0


def test_where_the_bars_begin_before_the_opening_the_gap_is_not_known(intraday):
    # The first 30 bars lie before an opening, the next opens a session: from which close?
    opening = NYSE.opens[FIRST]
    time = opening + np.arange(-30, 1) * HALF_HOUR
    score = OpeningGap().scan(intraday((108, 109.5, 107.5, 108.5), time=time)).score
    assert np.isnan(score[30])
    assert score[29] == 0


def test_a_market_that_stands_still_has_no_gap(bars):
    # No range to measure in, and nothing to measure.
    assert (OpeningGap().scan(bars(300)).score[200:] == 0).all()
