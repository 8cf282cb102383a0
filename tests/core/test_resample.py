from __future__ import annotations

import itertools
import warnings
from datetime import UTC, datetime

import exchange_calendars
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradekit._core.bars import Bars
from tradekit._core.calendar import calendar_for
from tradekit._core.columns import Extra
from tradekit._core.errors import UsageError
from tradekit._core.resample import resample

NS, MINUTE = 10**9, 60 * 10**9
NYSE = calendar_for("XNYS")
TARGETS = ["5Min", "15Min", "30Min", "1Hour", "2Hour", "4Hour", "1Day"]


def walk(time, seed=1, **facts):
    """Bars of a random walk in whole cents, with whole volumes, at the given minutes."""
    rng, time = np.random.default_rng(seed), np.asarray(time, dtype=np.int64)
    close = 50_000 + np.cumsum(rng.integers(-9, 10, len(time)))
    opened = close - rng.integers(-9, 10, len(time))
    high = np.maximum(opened, close) + rng.integers(0, 9, len(time))
    low = np.minimum(opened, close) - rng.integers(0, 9, len(time))
    volume = rng.integers(0, 1_000, len(time))
    columns = (column / 100 for column in (opened, high, low, close))
    return Bars("SPY", "1Min", time, *columns, volume, **facts)


def session_minutes(first, last=None, code="XNYS"):
    calendar = calendar_for(code)
    days = np.flatnonzero(
        (calendar.sessions >= np.datetime64(first))
        & (calendar.sessions <= np.datetime64(last or first))
    )
    spans = [np.arange(calendar.opens[d], calendar.closes[d], MINUTE) for d in days]
    return np.concatenate(spans)


def local(bars, tz="America/New_York"):
    index = pd.DatetimeIndex(bars.time.astype("M8[ns]"), tz="UTC").tz_convert(tz)
    return index.strftime("%m-%d %H:%M").tolist()


def known(bars, tz="America/New_York"):
    index = pd.DatetimeIndex(bars.close_time.astype("M8[ns]"), tz="UTC").tz_convert(tz)
    return index.strftime("%m-%d %H:%M").tolist()


@pytest.mark.parametrize("day", ["2024-03-08", "2024-03-11", "2024-11-01", "2024-11-04"])
def test_two_and_four_hours_are_counted_from_the_open_across_both_clock_changes(day):
    minutes, date = walk(session_minutes(day)), day[5:]
    two, four = resample(minutes, "2Hour"), resample(minutes, "4Hour")
    assert local(two) == [f"{date} {hour}" for hour in ("09:30", "11:30", "13:30", "15:30")]
    assert known(two) == [f"{date} {hour}" for hour in ("11:30", "13:30", "15:30", "16:00")]
    assert local(four) == [f"{date} 09:30", f"{date} 13:30"]
    assert known(four) == [f"{date} 13:30", f"{date} 16:00"]
    assert resample(minutes, "1Day").volume == [minutes.volume.sum()]


@pytest.mark.parametrize("day", ["2024-07-03", "2024-11-29"])
def test_a_half_day_ends_at_one(day):
    minutes, date = walk(session_minutes(day)), day[5:]
    assert len(minutes) == 210  # 09:30 to 13:00
    assert local(resample(minutes, "2Hour")) == [f"{date} 09:30", f"{date} 11:30"]
    assert known(resample(minutes, "2Hour")) == [f"{date} 11:30", f"{date} 13:00"]
    assert known(resample(minutes, "4Hour")) == [f"{date} 13:00"]
    assert (local(resample(minutes, "1Day")), known(resample(minutes, "1Day"))) == (
        [f"{date} 00:00"],
        [f"{date} 13:00"],
    )


def test_a_holiday_has_no_bar():
    minutes = walk(session_minutes("2024-07-02", "2024-07-05"))
    assert local(resample(minutes, "1Day")) == ["07-02 00:00", "07-03 00:00", "07-05 00:00"]
    assert not resample(minutes, "1Day").gap_before.any()


def test_a_golden_hour_by_hand():
    # 09:30 to 09:34 and, with 09:36 missing, 09:35 to 09:39.
    time = session_minutes("2024-03-08")[[0, 1, 2, 3, 4, 5, 7, 8, 9]]
    opened = [10.0, 11, 12, 13, 14, 15, 17, 18, 19]
    high = [12.0, 19, 14, 15, 16, 17, 19, 20, 21]
    low = [9.0, 10, 8, 12, 13, 14, 16, 7, 18]
    close = [11.0, 12, 13, 14, 15, 16, 18, 19, 20]
    five = resample(Bars("SPY", "1Min", time, opened, high, low, close, range(1, 10)), "5Min")
    assert local(five) == ["03-08 09:30", "03-08 09:35"]
    assert five.open.tolist() == [10, 15]
    assert five.high.tolist() == [19, 21]
    assert five.low.tolist() == [8, 7]
    assert five.close.tolist() == [15, 20]
    assert five.volume.tolist() == [1 + 2 + 3 + 4 + 5, 6 + 7 + 8 + 9]


def test_the_first_minute_belongs_to_the_first_bar_and_the_last_to_the_last():
    minutes = walk(session_minutes("2024-03-08"))
    for target in TARGETS:
        longer = resample(minutes, target)
        assert (longer.open[0], longer.close[-1]) == (minutes.open[0], minutes.close[-1])
    five = resample(minutes, "5Min")
    assert five.open[1] == minutes.open[5]
    assert five.close[0] == minutes.close[4]


@pytest.fixture(scope="module")
def hours():
    """Opens and closes of ten years, as exchange_calendars has them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it calls pandas in old ways
        exchange = exchange_calendars.get_calendar("XNYS", start="2014-01-01", end="2023-12-31")
        schedule = exchange.schedule
    return list(zip(schedule["open"], schedule["close"], strict=True))


@pytest.fixture(scope="module")
def decade(hours):
    return walk(np.concatenate([np.arange(a.value, b.value, MINUTE) for a, b in hours]))


FOLD = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}


@pytest.mark.parametrize("target", TARGETS)
def test_ten_years_are_right_in_every_bar(decade, target):
    # Naive exchange time has no clock changes, so pandas counts right from 09:30 within a day:
    # 24 hours hold a whole number of these bars, which restarts the count at each 09:30.
    time = pd.DatetimeIndex(decade.time.astype("M8[ns]"), tz="UTC")
    naive = time.tz_convert("America/New_York").tz_localize(None)
    rule = target.replace("Min", "min").replace("Hour", "h").replace("1Day", "1D")
    origin = {} if target == "1Day" else {"origin": pd.Timestamp("2014-01-02 09:30")}
    frame = pd.DataFrame({name: getattr(decade, name) for name in FOLD}, index=naive)
    expected = frame.resample(rule, **origin).agg(FOLD).dropna()
    longer = resample(decade, target)
    labels = expected.index.tz_localize("America/New_York").tz_convert("UTC").as_unit("ns").asi8
    assert longer.time.tolist() == labels.tolist()
    for name in FOLD:
        assert (getattr(longer, name) == expected[name]).all()


@pytest.mark.parametrize("target", ["2Hour", "4Hour", "1Week"])
def test_ten_years_are_right_by_a_plain_loop(decade, hours, target):
    step = {"2Hour": 120, "4Hour": 240, "1Week": 10**6}[target] * MINUTE
    starts, weeks = [], [opened.isocalendar()[:2] for opened, _ in hours]
    for r, (opened, closed) in enumerate(hours):
        if target != "1Week" or not r or weeks[r] != weeks[r - 1]:
            starts += range(opened.value, closed.value, step)
    at = np.searchsorted(decade.time, starts).tolist()
    groups = [slice(a, b) for a, b in itertools.pairwise([*at, len(decade)])]
    longer = resample(decade, target)
    assert longer.open.tolist() == [decade.open[group][0] for group in groups]
    assert longer.high.tolist() == [decade.high[group].max() for group in groups]
    assert longer.low.tolist() == [decade.low[group].min() for group in groups]
    assert longer.close.tolist() == [decade.close[group][-1] for group in groups]
    assert longer.volume.tolist() == [decade.volume[group].sum() for group in groups]


@pytest.mark.parametrize(
    ("code", "day", "target", "labels"),
    [
        ("24/7", "2024-03-10", "4Hour", ["00:00", "04:00", "08:00", "12:00", "16:00", "20:00"]),
        ("XLON", "2024-04-02", "4Hour", ["08:00", "12:00", "16:00"]),
        ("XTKS", "2024-03-08", "2Hour", ["09:00", "11:00", "13:00"]),
    ],
)
def test_other_exchanges_count_from_their_own_open(code, day, target, labels):
    minutes = walk(session_minutes(day, code=code), calendar=code)
    longer = resample(minutes, target)
    assert local(longer, calendar_for(code).tz) == [f"{day[5:]} {label}" for label in labels]
    assert longer.volume.sum() == minutes.volume.sum()


def test_a_week_of_crypto_goes_from_monday_to_sunday():
    hours = np.arange(*np.array(["2024-03-04", "2024-03-18"], "M8[ns]").astype(int), 60 * MINUTE)
    weeks = resample(walk(hours, calendar="24/7"), "1Week", asof=datetime(2024, 3, 18, tzinfo=UTC))
    assert local(weeks, "UTC") == ["03-04 00:00", "03-11 00:00"]
    assert known(weeks, "UTC") == ["03-11 00:00", "03-18 00:00"]


def minute_sets():
    """Minutes of five sessions, one of them half, with the hours around them; some are missing."""
    inside = session_minutes("2024-11-26", "2024-12-03")
    around = (
        NYSE.opens[NYSE.locate(inside[:1])][0] + np.array([-60, -1, 390, 450]) * MINUTE
    ).tolist()
    some = st.sets(st.integers(0, len(inside) - 1), max_size=200)
    run = st.tuples(st.integers(0, len(inside) - 1), st.integers(1, 500))
    drawn = st.tuples(some, run, st.sets(st.sampled_from(around)), st.integers(0, 99))
    return drawn.map(
        lambda d: walk(
            sorted({*inside[list(d[0])], *inside[d[1][0] : sum(d[1])], *d[2]}), seed=d[3]
        )
    )


@given(minute_sets(), st.sampled_from(list(itertools.combinations([*TARGETS, "1Week"], 2))))
def test_one_step_or_two_is_the_same(minutes, steps):
    shorter, longer = steps
    one, first = resample(minutes, longer), resample(minutes, shorter)
    assert resample(first, longer) == one
    # Bars that were cut since know no more than their last close.
    later = resample(first[:], longer)
    assert later == one[: len(later)]


@given(minute_sets(), st.sampled_from([*TARGETS, "1Week"]))
def test_volume_and_extremes_are_conserved(minutes, target):
    longer = resample(minutes, target)
    inside = minutes.session >= 0
    whole = inside & (minutes.close_time <= (longer.close_time[-1] if len(longer) else 0))
    assert longer.volume.sum() == minutes.volume[whole].sum()
    assert longer.dropped == (~inside).sum()
    if len(longer):
        assert longer.high.max() == minutes.high[whole].max()
        assert longer.low.min() == minutes.low[whole].min()
        assert (longer.open[0], longer.close[-1]) == (
            minutes.open[whole][0],
            minutes.close[whole][-1],
        )


@given(minute_sets(), st.sampled_from([*TARGETS, "1Week"]), st.data())
def test_a_longer_bar_never_changes_when_more_bars_come(minutes, target, data):
    part = minutes[: data.draw(st.integers(0, len(minutes)))]
    longer = resample(minutes, target).until(int(part.close_time[-1]) if len(part) else 0)
    early = resample(part, target)
    assert early.time.tolist() == longer.time.tolist()
    assert early.close.tolist() == longer.close.tolist()
    assert early.volume.tolist() == longer.volume.tolist()
    assert not len(early) or early.close_time[-1] <= part.close_time[-1]


def test_only_complete_bars_come_out():
    minutes = walk(session_minutes("2024-03-08"))
    assert len(resample(minutes[:4], "5Min")) == 0
    assert len(resample(minutes[:5], "5Min")) == 1
    assert local(resample(minutes[:389], "2Hour"))[-1] == "03-08 13:30"
    assert len(resample(minutes[:0], "1Day")) == 0


def test_asof_tells_that_minutes_without_trades_are_over():
    minutes = walk(session_minutes("2024-03-08")[:3])  # nothing traded at 09:33 and 09:34
    assert len(resample(minutes, "5Min")) == 0
    assert len(resample(minutes, "5Min", asof=datetime(2024, 3, 8, 14, 34, 59, tzinfo=UTC))) == 0
    assert len(resample(minutes, "5Min", asof=datetime(2024, 3, 8, 14, 35, tzinfo=UTC))) == 1
    with pytest.raises(UsageError, match="a time needs a zone"):
        resample(minutes, "5Min", asof=datetime(2024, 3, 8, 14, 35))  # noqa: DTZ001


@pytest.mark.parametrize("target", [*TARGETS, "1Week"])
def test_a_cut_history_loses_the_bar_whose_beginning_it_lacks(target):
    minutes = walk(session_minutes("2024-05-28", "2024-06-07"))  # Monday 05-27 is a holiday
    whole = resample(minutes, target)
    assert resample(minutes, target, cut=True) == whole
    assert resample(minutes[1:], target, cut=True) == whole[1:]


@pytest.mark.parametrize(
    ("first", "lost"), [("2024-05-28", 0), ("2024-05-29", 1), ("2024-06-03", 0)]
)
@pytest.mark.parametrize("start", ["1Min", "1Day"])
def test_a_cut_week_begins_with_its_first_session(first, lost, start):
    bars = resample(walk(session_minutes(first, "2024-06-14")), start)
    weeks = resample(bars, "1Week")
    assert resample(bars, "1Week", cut=True) == weeks[lost:]


def test_an_unknown_volume_makes_its_group_unknown():
    minutes = walk(session_minutes("2024-03-08")[:10])
    volume = minutes.volume.copy()
    volume[2] = np.nan
    five = resample(minutes._replace(volume=volume), "5Min")
    assert np.isnan(five.volume[0])
    assert five.volume[1] == volume[5:].sum()


def test_the_last_extra_of_a_group_is_the_groups():
    minutes = walk(session_minutes("2024-03-08")[:10])
    known_at = minutes.close_time - 30 * NS
    mood = Extra(np.arange(10.0), known_at)
    five = resample(minutes._replace(extra={"mood": mood}), "5Min")
    assert five.extra["mood"].values.tolist() == [4.0, 9.0]
    assert five.extra["mood"].known_at.tolist() == known_at[[4, 9]].tolist()


def test_provenance_goes_along_and_rows_outside_hours_are_counted():
    facts = {"source": "files", "feed": "sip", "adjustment": "all", "dropped": 2}
    early = NYSE.opens[NYSE.sessions.searchsorted(np.datetime64("2024-03-08"))] - MINUTE
    minutes = walk([early, *session_minutes("2024-03-08")], **facts)
    longer = resample(minutes, "1Hour")
    assert {name: getattr(longer, name) for name in facts} == facts | {"dropped": 3}
    assert longer.timeframe == "1Hour"


def test_the_same_length_gives_the_bars_of_regular_hours():
    minutes = walk(session_minutes("2024-03-08"))
    assert resample(minutes, "1Min") == minutes


@pytest.mark.parametrize(
    ("have", "want"), [("5Min", "1Min"), ("2Hour", "3Hour"), ("1Day", "1Hour"), ("1Week", "1Day")]
)
def test_only_whole_multiples_can_be_made(have, want):
    bars = resample(walk(session_minutes("2024-03-04", "2024-03-08")), have)
    with pytest.raises(UsageError) as caught:
        resample(bars, want)
    assert str(caught.value) == (
        f"SPY: {have} bars cannot become {want} bars: expected a whole multiple of {have}, "
        f"got {want}. Try: fetch shorter bars"
    )


@pytest.mark.parametrize(
    ("label", "why"),
    [
        ("2024-03-08T15:00", "10:00 is no hour since 09:30"),
        ("2024-03-08T14:00", "09:00 to 10:00 straddles the open"),
    ],
)
def test_bars_on_clock_hours_are_refused(label, why):
    hours = np.array([label], "M8[ns]")
    bars = Bars("SPY", "1Hour", hours, *[[10.0]] * 4, [100.0])
    with pytest.raises(UsageError) as caught:
        resample(bars, "2Hour")
    assert str(caught.value) == (
        "SPY: row 0 stands off its session's grid: expected 1Hour bars counted from the open, "
        f"got a bar from {label.replace('T', ' ')} UTC. "
        "Try: fetch minutes: bars on clock hours mix what came before the open with the rest"
    ), why


@pytest.mark.parametrize("shorter", ["1s/lean-second", "1m/lean-minute"])
def test_real_bars_add_up_to_the_days_that_their_source_published(market_data, shorter):
    short, days = (
        Bars.from_frame(pd.read_parquet(market_data / f"bars/{place}/SPY.parquet"), "SPY")
        for place in (shorter, "1d/lean-raw")
    )
    made = resample(short, "1Day")
    published = days[slice(*np.searchsorted(days.time, [made.time[0], made.time[-1] + 1]))]
    assert len(made) == {"1s/lean-second": 1, "1m/lean-minute": 6}[shorter]
    for name in ("time", "open", "high", "close", "volume"):
        assert getattr(made, name).tolist() == getattr(published, name).tolist()
    # "one low differs by a cent", say those who collected them
    assert np.abs(made.low - published.low).max() < 0.011
