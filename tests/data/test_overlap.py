from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from tradekit import Bars, FixedClock
from tradekit.data import MemorySource
from tradekit.data._known import Known
from tradekit.data._overlap import jump, told_before

NOON = datetime(2024, 3, 8, 17, tzinfo=UTC)
LATER, NEXT_DAY = datetime(2024, 3, 8, 18, tzinfo=UTC), datetime(2024, 3, 11, 15, tzinfo=UTC)
SOURCE = MemorySource(clock=FixedClock(NOON))


def bars(factor=1.0, first=0, last=20, adjustment="all", **facts):
    """Some of the minutes of that session, each a little dearer than the one before."""
    rows = np.arange(first, last)
    times = np.datetime64("2024-03-08T14:30", "ns") + rows * np.timedelta64(1, "m")
    p = (100.0 + rows / 100) * factor
    return Bars("SPY", "1Min", times, p, p, p, p, p, source="a", adjustment=adjustment, **facts)


def told(fresh, now=LATER, **known):
    return jump(SOURCE, Known("a", bars(adjustment=fresh.adjustment), NOON, **known), fresh, now)


def test_the_same_bars_at_another_price_are_a_jump():
    error = told(bars(1.1))
    assert error.fault == "jump"
    assert "contradicts what is known of SPY: expected the prices that a told before" in str(error)
    assert error.got == "close prices 1.1 times as high"


def test_what_two_tapes_differ_by_is_none():
    assert told(bars(1.009)) is None
    assert told(bars(1.011)) is not None


def test_one_corrected_bar_is_none():
    close = bars().close.copy()
    close[3] *= 2
    assert told(bars()._replace(close=close, high=close)) is None


def test_of_fewer_than_three_common_bars_nothing_can_be_told():
    assert told(bars(2.0, first=18, last=40)) is None
    assert told(bars(2.0, first=17, last=40)) is not None


@pytest.mark.parametrize(
    ("factor", "adjustment", "now", "is_jump"),
    [
        (0.97, "all", NEXT_DAY, False),  # a dividend
        (0.94, "all", NEXT_DAY, True),  # which hardly any leaves of a price
        (0.5, "all", NEXT_DAY, True),  # a split of two for one, or an error of unit
        (10.0, "all", NEXT_DAY, True),  # a reverse split, or one
        (1.1, "all", NEXT_DAY, True),  # which nothing makes of a price
        (0.97, "all", LATER, True),  # no session has begun since
        (0.97, "raw", NEXT_DAY, True),  # which nobody adjusts
    ],
)
def test_history_may_be_adjusted_by_a_dividend_when_a_session_has_begun(
    factor, adjustment, now, is_jump
):
    assert (told(bars(factor, adjustment=adjustment), now) is not None) is is_jump


def test_what_was_kept_on_disk_may_have_been_adjusted_since():
    assert told(bars(0.97), covered=((0, 1),)) is None
    assert told(bars(0.5), covered=((0, 1),)) is not None


def test_another_factor_for_each_bar_is_no_adjustment():
    fresh = bars()
    p = fresh.close * np.linspace(0.95, 0.98, len(fresh))
    assert told(fresh._replace(open=p, high=p, low=p, close=p), NEXT_DAY) is not None


@pytest.mark.parametrize(("price", "factor"), [("high", 3), ("low", 0.3)])
def test_highs_and_lows_jump_as_closes_do(price, factor):
    error = told(bars()._replace(**{price: getattr(bars(), price) * factor}))
    assert error.got == f"{price} prices {factor} times as high"


def test_who_sees_fewer_trades_sees_highs_that_are_lower_by_less_than_a_bar():
    wide = bars()._replace(high=bars().high * 1.04)
    known = Known("a", wide, NOON)
    assert jump(SOURCE, known, bars(), LATER) is None  # which has no wicks at all
    assert jump(SOURCE, known, wide._replace(high=bars().high * 1.1), LATER) is not None


def test_bars_that_were_told_before_are_known_again():
    known, fresh = Known("a", bars(), NOON), bars(first=18, last=22)
    assert told_before(known, fresh).tolist() == [True, True, False, False]
    high = fresh.high.copy()
    high[0] *= 1.5
    assert told_before(known, fresh._replace(high=high)).tolist() == [False, True, False, False]
