"""Closes are Apple's and UVXY's as they were traded; factors are worked out by hand beside them."""

from __future__ import annotations

import threading
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit import Bars, SourceError
from tradekit.data._tiingo_factors import FactorMemory, Factors, newest_session


def row(day, close, adjusted=None, split=1.0, cash=0.0):
    adjusted = close if adjusted is None else adjusted
    return {
        "date": f"{day}T00:00:00.000Z",
        "close": close,
        "adjClose": adjusted,
        "splitFactor": split,
        "divCash": cash,
    }


# Four for one on Monday, August 31.
APPLE = [
    row("2020-08-27", 500.04, 125.01),
    row("2020-08-28", 499.23, 124.8075),
    row("2020-08-31", 129.04, split=4.0),
    row("2020-09-01", 134.18),
]


def moment(text):
    return int(np.datetime64(text, "ns").astype("i8"))


def bars(*opens):
    """Bars of half an hour, with 1,000 shares each: ``(label, open)``."""
    times = np.array([label for label, _ in opens], "M8[ns]")
    price = np.array([price for _, price in opens])
    volume = np.full(len(price), 1000.0)
    facts = {"source": "iex", "feed": "iex", "adjustment": "raw"}
    return Bars("AAPL", "30Min", times, price, price + 1, price - 1, price, volume, **facts)


def test_a_split_divides_earlier_prices_and_multiplies_their_volume():
    before, after = ("2020-08-28T19:30", 500.0), ("2020-08-31T13:30", 127.5)
    adjusted = Factors.of(APPLE).applied(bars(before, after), "split", moment("2020-09-02T15:00"))
    assert adjusted.open.tolist() == [125.0, 127.5]
    assert adjusted.high.tolist() == [125.25, 128.5]
    assert adjusted.volume.tolist() == [4000.0, 1000.0]
    assert (adjusted.adjustment, adjusted.feed, adjusted.source) == ("split", "iex", "iex")


def test_seven_for_one_and_the_dividend_before_it():
    # The dividend of May 8, 2014: 1 - 3.29 / 592.33 = 0.994446; a seventh of that is 0.142064.
    # Tiingo's adjClose: 645.57 / 7 = 92.22429, 588.12 / 7 = 84.01714, and before the dividend
    # 588.12 / 591.41 of 592.33 / 7, which is 84.14784.
    rows = [
        row("2014-05-07", 592.33, 84.14784),
        row("2014-05-08", 588.12, 84.01714, cash=3.29),
        row("2014-06-06", 645.57, 92.22429),
        row("2014-06-09", 93.70, split=7.0),
    ]
    factors = Factors.of(rows)
    np.testing.assert_allclose(factors.split, [1 / 7, 1 / 7, 1 / 7, 1])
    np.testing.assert_allclose(factors.both, [0.142064, 1 / 7, 1 / 7, 1], rtol=1e-5)


def test_a_reverse_split_multiplies_prices_and_divides_volume():
    # UVXY made one share of five on April 11, 2024.
    factors = Factors.of([row("2024-04-10", 6.89, 34.45), row("2024-04-11", 33.58, split=0.2)])
    adjusted = factors.applied(bars(("2024-04-10T15:00", 7.0)), "all", moment("2024-04-12T12:00"))
    np.testing.assert_allclose(adjusted.open, [35.0])
    np.testing.assert_allclose(adjusted.volume, [200.0])


def test_a_dividend_is_held_against_the_close_before_it_and_leaves_volume_alone():
    # Apple paid 0.25 on May 10, 2024, after a close of 184.57: 1 - 0.25 / 184.57 = 0.99864550.
    # Tiingo's adjClose compares with the close of the day: 183.05 / 183.30 = 0.99863612.
    rows = [
        row("2024-05-09", 184.57, 184.57 * 183.05 / 183.30),
        row("2024-05-10", 183.05, cash=0.25),
    ]
    factors, now = Factors.of(rows), moment("2024-05-10T23:00")
    asked = bars(("2024-05-09T15:00", 184.0), ("2024-05-10T15:00", 183.5))
    adjusted = factors.applied(asked, "all", now)
    np.testing.assert_allclose(adjusted.open, [184.0 * 0.99864550, 183.5], rtol=1e-8)
    assert adjusted.volume.tolist() == [1000.0, 1000.0]
    assert factors.applied(asked, "split", now).open.tolist() == [184.0, 183.5]


def test_a_dividend_on_the_day_of_a_split_is_one_of_new_shares():
    # 100 a share; two new ones at 50, of which each pays 1: 49 / 50 / 2 = 0.49.
    rows = [row("2024-05-09", 100.0, 49.0), row("2024-05-10", 49.0, split=2.0, cash=1.0)]
    assert Factors.of(rows).both.tolist() == pytest.approx([0.49, 1.0])


nights = st.tuples(
    st.sampled_from([1.0, 1.0, 2.0, 4.0, 0.1]), st.floats(0, 0.02), st.floats(-0.05, 0.05)
)


@given(st.lists(nights, max_size=8))
def test_factors_are_those_of_a_walk_back_from_the_newest_day(told):
    day, close = np.datetime64("2024-01-02"), 100.0
    rows, before = [row(day, close)], close
    for number, (split, paid, change) in enumerate(told, 1):
        cash = paid * before / split
        close = before / split * (1 + change)
        rows.append(row(day + number, close, split=split, cash=cash))
        before = close
    split, both, told, wanted = 1.0, 1.0, 1.0, []
    for older, newer in zip(rows[-2::-1], rows[:0:-1], strict=True):
        wanted.append((split, both))
        newer_split = newer["splitFactor"]
        split /= newer_split
        both *= (1 - newer["divCash"] * newer_split / older["close"]) / newer_split
        told *= newer["close"] / (newer["close"] + newer["divCash"]) / newer_split
        older["adjClose"] = older["close"] * told
    wanted.append((split, both))
    factors = Factors.of(rows)
    np.testing.assert_allclose(factors.split[::-1], [split for split, _ in wanted])
    np.testing.assert_allclose(factors.both[::-1], [both for _, both in wanted])


DAY = row("2024-03-07", 10.0)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "no end-of-day rows"),
        ([DAY, DAY], "cannot be"),
        ([row("2024-03-08", 10.0), DAY], "cannot be"),
        ([row("2024-03-07", 0.0)], "cannot be"),
        ([row("2024-03-07", None)], "cannot be"),
        ([row("2024-03-07", 10.0, split=0.0)], "cannot be"),
        ([DAY, row("2024-03-08", 10.0, cash=10.5)], "a dividend that cannot be"),
        ([DAY, row("2024-03-08", 10.0, cash=-1.0)], "a dividend that cannot be"),
        ([DAY, row("2024-03-08", 10.0, cash=None)], "a dividend that cannot be"),
        # Something happened after the last of these.
        ([row("2024-03-07", 10.0, 2.5)], "end too early, on 2024-03-07"),
        # The row of the split is missing among them.
        ([row("2024-03-06", 40.0, 10.0), row("2024-03-08", 10.0)], "of 2024-03-06 tells of more"),
        # The row of a dividend is: one of a fifth of a percent.
        ([row("2024-03-06", 50.0, 49.9), row("2024-03-08", 50.0)], "of 2024-03-06 tells of more"),
    ],
)
def test_rows_that_contradict_themselves_are_no_factors(rows, said):
    with pytest.raises(ValueError, match=said):
        Factors.of(rows)


@pytest.mark.parametrize("field", ["date", "close", "adjClose", "splitFactor", "divCash"])
def test_rows_that_lack_a_field_are_no_factors(field):
    with pytest.raises(KeyError, match=field):
        Factors.of([{name: value for name, value in DAY.items() if name != field}])


def test_a_day_without_a_row_cannot_be_adjusted():
    asked = bars(("2020-08-26T15:00", 506.0), ("2020-08-28T15:00", 500.0))
    with pytest.raises(SourceError, match="expected the end-of-day row of 2020-08-26") as caught:
        Factors.of(APPLE).applied(asked, "split", moment("2020-09-02T15:00"))
    assert (caught.value.fault, caught.value.retryable) == ("transient", True)


def test_the_row_of_the_newest_day_may_be_missing_until_the_evening():
    asked = bars(("2020-08-28T15:00", 500.0), ("2020-09-02T15:00", 137.5))
    factors = Factors.of(APPLE)
    adjusted = factors.applied(asked, "all", moment("2020-09-02T23:59"))
    assert adjusted.open.tolist() == [125.0, 137.5]
    with pytest.raises(SourceError, match="row of 2020-09-02"):  # at 20:00 in New York
        factors.applied(asked, "all", moment("2020-09-03T00:00"))


def test_a_day_that_may_have_split_is_not_guessed_before_its_row_is_out():
    asked = bars(("2020-08-28T15:00", 500.0), ("2020-08-31T13:30", 127.5))
    with pytest.raises(SourceError, match=r"an open at 127\.5 after a close at 499\.23"):
        Factors.of([row("2020-08-28", 499.23)]).applied(asked, "all", moment("2020-08-31T15:00"))


def test_the_newest_session_is_the_one_that_opened_last():
    assert str(newest_session(moment("2024-03-11T13:29"))) == "2024-03-08"
    assert str(newest_session(moment("2024-03-11T13:30"))) == "2024-03-11"


SINCE = date(2020, 1, 1)
KNOWN = Factors.of(APPLE)  # up to September 1; the next row comes on the 2nd at 17:30


def test_factors_are_remembered_until_a_newer_row_is_out():
    memory = FactorMemory(9)
    memory.put("AAPL", SINCE, moment("2020-09-02T15:00"), KNOWN)
    assert memory.get("AAPL", SINCE, moment("2020-09-02T21:29")) is KNOWN
    assert memory.get("AAPL", SINCE, moment("2020-09-02T21:30")) is None
    assert memory.get("AAPL", date(2019, 12, 31), moment("2020-09-02T15:00")) is None
    assert memory.get("MSFT", SINCE, moment("2020-09-02T15:00")) is None


def test_a_row_that_is_late_is_asked_for_every_quarter_of_an_hour():
    memory = FactorMemory(9)
    memory.put("AAPL", SINCE, moment("2020-09-02T21:40"), KNOWN)
    assert memory.get("AAPL", SINCE, moment("2020-09-02T21:54")) is KNOWN
    assert memory.get("AAPL", SINCE, moment("2020-09-02T21:55")) is None


def test_those_that_were_put_in_first_are_forgotten_first():
    memory, now = FactorMemory(2), moment("2020-09-02T15:00")
    for symbol in ("A", "B", "A", "C"):
        memory.put(symbol, SINCE, now, KNOWN)
    assert [memory.get(symbol, SINCE, now) for symbol in "ABC"] == [KNOWN, None, KNOWN]


def test_many_threads_share_a_memory():
    memory, now = FactorMemory(3), moment("2020-09-02T15:00")

    def work(symbol):
        for _ in range(300):
            memory.put(symbol, SINCE, now, KNOWN)
            memory.get(symbol, SINCE, now)

    threads = [threading.Thread(target=work, args=(symbol,)) for symbol in "ABCDEF"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(memory.get(symbol, SINCE, now) is KNOWN for symbol in "ABCDEF") == 3


@pytest.mark.parametrize("symbol", ["AAPL", "ASML", "FCX", "IBKR", "META", "MSFT", "NVO", "UVXY"])
def test_real_rows_agree_with_themselves(market_data, symbol):
    """Tiingo's own rows of two years: volumes tell the splits, adjusted closes the dividends."""
    pandas = pytest.importorskip("pandas")
    raw, adjusted = (
        pandas.read_parquet(market_data / f"bars/1d/tiingo-{kind}/{symbol}.parquet")
        for kind in ("raw", "adj")
    )
    actions = pandas.read_csv(market_data / "actions/corporate_actions.csv")
    actions = actions[actions.source.str.startswith("Tiingo") & (actions.symbol == symbol)]
    happened = actions.set_index("ex_date")
    splits, paid = happened.split_ratio.dropna(), happened.cash.dropna()
    days = raw.ts.dt.tz_convert("America/New_York").dt.strftime("%Y-%m-%d")
    factors = Factors.of(
        [
            row(day, close, told, splits.get(day, 1.0), paid.get(day, 0.0))
            for day, close, told in zip(days, raw.close, adjusted.close, strict=True)
        ]
    )
    np.testing.assert_allclose(factors.split, raw.volume / adjusted.volume, rtol=1e-5)
    np.testing.assert_allclose(factors.both, adjusted.close / raw.close, rtol=2e-3)
