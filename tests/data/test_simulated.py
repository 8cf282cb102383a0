from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradekit import BarsRequest, FixedClock, NoDataError, SourceError, UsageError, calendar_for
from tradekit.data import SimulatedSource, simulate_regimes
from tradekit.testing import check_source

NYSE = calendar_for("XNYS")
NOW = FixedClock(datetime(2024, 7, 1, 12, tzinfo=UTC))
SOURCE = SimulatedSource(clock=NOW)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ask(symbols, timeframe, source=SOURCE, **window):
    return asyncio.run(source.fetch(BarsRequest(symbols, timeframe, **window)))


def raw(symbol, timeframe="1Day", source=SOURCE, **window):
    return ask(symbol, timeframe, source, adjustment="raw", **window)[symbol]


def prints(bars):
    """The bars as whole numbers, so that no last bit of a float matters."""
    ticks = 1e4 * np.stack([bars.open, bars.high, bars.low, bars.close, np.nan_to_num(bars.volume)])
    return bars.time.tobytes() + np.round(ticks).astype(np.int64).tobytes()


SPLIT = next(
    (symbol, action)
    for symbol in SOURCE.symbols[14:]
    for action in SOURCE.actions(symbol)
    if action.kind == "split" and action.session.year > 2000
)
GONE = next(s for s in SOURCE.symbols[63:] if SOURCE.lifetime(s)[1] < date(2010, 1, 1))
LATE = SOURCE.symbols[-500]


@pytest.mark.parametrize(
    "check",
    [
        check
        for timeframe, start, end in [
            ("1Day", "2023-01-03", "2023-06-01"),
            ("5Min", "2024-03-07T15:03", "2024-03-12T17:02"),
            ("1Week", "2021-01-06", "2023-01-04"),
        ]
        for check in check_source(
            SOURCE, BarsRequest(("SPY", "KO"), timeframe, start=at(start), end=at(end))
        )
    ],
)
def test_it_keeps_what_every_source_promises(check):
    check()


def test_these_bars_never_change():
    said = hashlib.sha256()
    for symbol, seed in [("SPY", 0), ("AAPL", 0), (SPLIT[0], 0), (GONE, 0), (LATE, 0), ("SPY", 1)]:
        source = SimulatedSource(seed, clock=NOW)
        last = source.lifetime(symbol)[1] or date(2024, 6, 28)
        end = min(at(str(last)) + timedelta(days=1), at("2024-06-29"))
        said.update(prints(raw(symbol, source=source, limit=2000, end=end)))
        said.update(prints(raw(symbol, "1Min", source=source, limit=500, end=end)))
        said.update(repr(source.actions(symbol, at("2020-01-01"))[-9:]).encode())
    said.update(np.char.encode(SOURCE.regimes()[1]).tobytes())
    said.update(prints(simulate_regimes(0).bars))
    assert said.hexdigest()[:16] == "8fe1efebad55e42e", (
        "The simulated market has changed. It may not: figures measured on it would no longer "
        "compare. Undo what changed it; this digest is not to be renewed."
    )


@settings(max_examples=15)
@given(st.permutations(["SPY", "AAPL", "KO", SPLIT[0]]), st.sampled_from(["1Day", "15Min"]))
def test_the_order_of_asking_does_not_matter(order, timeframe):
    window = {"start": at("2019-12-01"), "end": at("2020-01-04")}
    before = SimulatedSource(7, clock=NOW)
    together = ask(tuple(order), timeframe, before, **window)
    for symbol in order:
        alone = ask(symbol, timeframe, SimulatedSource(7, clock=NOW), **window)
        assert alone[symbol] == together[symbol]


def test_another_process_draws_the_same_bars():
    code = (
        "import asyncio, hashlib, datetime\n"
        "from tradekit import BarsRequest\n"
        "from tradekit.data import SimulatedSource\n"
        "end = datetime.datetime(2020, 3, 2, tzinfo=datetime.UTC)\n"
        "request = BarsRequest('CAT', '5Min', limit=300, end=end)\n"
        "bars = asyncio.run(SimulatedSource(4).fetch(request))['CAT']\n"
        "print(hashlib.sha256(bars.close.tobytes() + bars.volume.tobytes()).hexdigest())\n"
    )
    mine = ask("CAT", "5Min", SimulatedSource(4), limit=300, end=at("2020-03-02"))["CAT"]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    wanted = hashlib.sha256(mine.close.tobytes() + mine.volume.tobytes()).hexdigest()
    assert done.stdout.strip() == wanted


def test_seeds_give_different_markets():
    assert raw("SPY", limit=5) != raw("SPY", source=SimulatedSource(1, clock=NOW), limit=5)


def test_days_are_the_sessions_of_new_york():
    bars = raw("SPY", start=at("2001-09-01"), end=at("2001-10-01"))
    sessions = NYSE.sessions[bars.session].astype(str).tolist()
    assert "2001-09-03" not in sessions  # Labor Day
    assert sessions[sessions.index("2001-09-10") + 1] == "2001-09-17"
    assert not bars.gap_before.any()


@pytest.mark.parametrize("timeframe", ["5Min", "15Min", "30Min", "1Hour", "2Hour", "4Hour"])
def test_every_timeframe_tells_of_the_same_trades(timeframe):
    window = {"start": at("2024-06-24"), "end": at("2024-07-01")}
    days, bars = raw("KO", **window), raw("KO", timeframe, **window)
    starts = np.flatnonzero(np.diff(bars.session, prepend=-1))
    assert bars.open[starts].tolist() == days.open.tolist()
    assert np.maximum.reduceat(bars.high, starts).tolist() == days.high.tolist()
    assert np.minimum.reduceat(bars.low, starts).tolist() == days.low.tolist()
    assert np.add.reduceat(bars.volume, starts).tolist() == days.volume.tolist()
    assert bars.close[[*(starts[1:] - 1), -1]].tolist() == days.close.tolist()


def test_weeks_are_made_of_days():
    week = raw("SPY", "1Week", limit=1, end=at("2024-06-22"))
    days = raw("SPY", start=at("2024-06-17"), end=at("2024-06-22"))  # Juneteenth in between
    assert len(days) == 4
    assert (week.open[0], week.close[0]) == (days.open[0], days.close[-1])
    assert week.volume[0] == days.volume.sum()


def test_a_day_is_told_when_it_is_over_and_a_minute_when_it_is():
    open_ = SimulatedSource(clock=FixedClock(at("2024-06-28T14:00:30")))
    assert NYSE.sessions[raw("SPY", source=open_, limit=1).session[0]] == np.datetime64(
        "2024-06-27"
    )
    minute = raw("SPY", "1Min", source=open_, limit=1)
    assert minute[0].close_time == at("2024-06-28T14:00")
    assert raw("SPY", "1Hour", source=open_, limit=1)[0].close_time == at("2024-06-27T20:00")
    closed = SimulatedSource(clock=FixedClock(at("2024-06-28T20:00")))
    assert NYSE.sessions[raw("SPY", source=closed, limit=1).session[0]] == np.datetime64(
        "2024-06-28"
    )


def test_the_end_of_a_request_does_not_reach_beyond_the_clock():
    assert raw("SPY", end=at("2030-01-01")) == raw("SPY")


@pytest.mark.parametrize("timeframe", ["1Min", "1Hour", "1Day", "1Week"])
@pytest.mark.parametrize("limit", [1, 50, 700])
def test_a_limit_gives_exactly_so_many(timeframe, limit):
    assert len(raw("SPY", timeframe, limit=limit)) == limit


def test_bars_say_where_they_come_from():
    bars = ask("SPY", "1Day", limit=1, adjustment="split")["SPY"]
    assert (bars.source, bars.feed, bars.adjustment) == ("simulated", "simulated", "split")


def test_a_split_leaves_no_jump_in_adjusted_prices():
    symbol, action = SPLIT
    window = {"start": at(f"{action.session}") - timedelta(days=9), "end": NOW.now(), "limit": None}
    plain, split = raw(symbol, **window), ask(symbol, "1Day", adjustment="split", **window)[symbol]
    day = int(np.flatnonzero(NYSE.sessions[plain.session] == np.datetime64(action.session))[0])
    assert plain.close[day - 1] / plain.open[day] == pytest.approx(action.value, rel=0.3)
    assert split.close[day - 1] / split.open[day] == pytest.approx(1, rel=0.3)
    later = np.prod(
        [
            a.value
            for a in SOURCE.actions(symbol)
            if a.kind == "split" and a.session > action.session
        ]
    )
    assert split.close[day - 1] == pytest.approx(plain.close[day - 1] / action.value / later)
    assert split.volume[day - 1] == pytest.approx(plain.volume[day - 1] * action.value * later)
    assert split.volume[day] == pytest.approx(plain.volume[day] * later)


def test_returns_of_fully_adjusted_prices_contain_the_dividends():
    # Held over the ex-date, a share worth C becomes one worth C' and D dollars; reinvested at the
    # close before, as CRSP and Yahoo have it, that is C' / (C - D).
    bought = [a for a in SOURCE.actions("KO") if a.session.year == 2023 and a.kind == "dividend"]
    assert len(bought) == 4
    window = {"start": at("2023-01-01"), "end": at("2024-01-01")}
    plain, whole = raw("KO", **window), ask("KO", "1Day", adjustment="all", **window)["KO"]
    for action in bought:
        day = int(np.flatnonzero(NYSE.sessions[plain.session] == np.datetime64(action.session))[0])
        reinvested = plain.close[day] / (plain.close[day - 1] - action.value)
        assert whole.close[day] / whole.close[day - 1] == pytest.approx(reinvested)


def test_adjustment_knows_nothing_beyond_the_end_of_the_request():
    symbol, action = SPLIT
    for kind in ("split", "all"):
        eve = ask(symbol, "1Day", adjustment=kind, end=at(str(action.session)), limit=3)[symbol]
        assert eve.close[-1] == raw(symbol, end=at(str(action.session)), limit=3).close[-1]


def test_minutes_are_adjusted_as_their_day_is():
    symbol, action = SPLIT
    split = at(str(action.session))
    window = {"start": split - timedelta(days=5), "end": split + timedelta(days=3)}
    days, minutes = (ask(symbol, timeframe, **window)[symbol] for timeframe in ("1Day", "1Min"))
    starts = np.flatnonzero(np.diff(minutes.session, prepend=-1))
    assert minutes.open[starts].tolist() == days.open.tolist()
    assert np.add.reduceat(minutes.volume, starts) == pytest.approx(days.volume)
    assert days.open[0] != raw(symbol, **window).open[0]


def test_bars_lie_within_the_life_of_their_symbol():
    first, last = SOURCE.lifetime(GONE)
    bars = raw(GONE)
    sessions = NYSE.sessions[bars.session]
    assert (sessions[0].item(), sessions[-1].item()) == (first, last)
    assert len(bars) == (np.searchsorted(NYSE.sessions, np.datetime64(last), "right")) - (
        np.searchsorted(NYSE.sessions, np.datetime64(first))
    )


def test_a_window_after_the_delisting_says_when_it_was():
    error = ask(GONE, "1Day", start=at("2024-01-01")).failures[GONE]
    assert isinstance(error, NoDataError)
    assert f"after its delisting: the last was {SOURCE.lifetime(GONE)[1]}" in str(error)


@pytest.mark.parametrize("timeframe", ["1Day", "5Min", "1Week"])
def test_a_window_before_the_listing_says_when_it_is(timeframe):
    error = ask(LATE, timeframe, end=at("1995-01-01")).failures[LATE]
    assert f"before its listing on {SOURCE.lifetime(LATE)[0]}" in str(error)


def test_a_window_without_a_session_says_so():
    weekend = {"start": at("2024-06-29"), "end": at("2024-06-30")}
    assert "got no session" in str(ask("SPY", "5Min", **weekend).failures["SPY"])


def test_an_unknown_symbol_fails_alone():
    fetched = ask(("SPY", "NOSUCH"), "1Day", limit=1)
    assert set(fetched.bars) == {"SPY"}
    assert "NOSUCH is unknown to the simulated market" in str(fetched.failures["NOSUCH"])
    for look in (SOURCE.actions, SOURCE.news, SOURCE.lifetime):
        with pytest.raises(NoDataError, match="NOSUCH is unknown"):
            look("NOSUCH")


def test_seconds_are_refused():
    error = ask("SPY", "30Sec").failures["SPY"]
    assert "expected whole minutes, days or weeks, got 30Sec bars" in str(error)


def test_a_seed_that_is_no_whole_number_is_refused():
    with pytest.raises(UsageError, match="a seed is a whole number"):
        SimulatedSource("lucky")


def test_it_lists_more_than_5000_symbols_and_the_three_indices():
    assert len(SOURCE.symbols) > 5000
    assert SOURCE.symbols[:3] == ("SPY", "QQQ", "IWM")
    assert len(set(SOURCE.symbols)) == len(SOURCE.symbols)
    earlier = SimulatedSource(clock=FixedClock(at("1990-01-02T22:00")))
    assert len(earlier.symbols) > 5000
    assert set(earlier.symbols) < set(SOURCE.symbols)


def test_discovery_proposes_what_is_listed_now():
    found = asyncio.run(SOURCE.discover("listed", 10_000))
    assert len(found) > 5000
    assert [c.rank for c in found] == list(range(1, len(found) + 1))
    symbols = {c.symbol for c in found}
    assert GONE not in symbols
    assert {"SPY", "AAPL", LATE} <= symbols
    assert all(SOURCE.lifetime(s)[0] <= NOW.now().date() for s in symbols)


@pytest.mark.parametrize(
    ("category", "sector"),
    [("technology", "technology"), ("fund", "fund"), ("newcomers", "listed")],
)
def test_discovery_knows_sectors_and_newcomers(category, sector):
    found = asyncio.run(SOURCE.discover(category, 5))
    assert len(found) == 5
    assert all(sector in c.reason and c.asof == NOW.now() for c in found)


def test_discovery_names_the_lists_that_it_keeps():
    with pytest.raises(SourceError, match="expected listed, newcomers, fund, technology"):
        asyncio.run(SOURCE.discover("lucky", 5))


def test_regimes_are_known_for_each_session():
    sessions, labels = SOURCE.regimes()
    assert (
        sessions
        == NYSE.sessions[
            (NYSE.sessions >= np.datetime64("1990-01-02"))
            & (NYSE.sessions < np.datetime64("2024-07-01"))
        ]
    ).all()
    assert set(labels) == {"bull", "bear", "sideways", "volatile"}
    days, same = SOURCE.regimes(at("2024-06-03"), at("2024-06-08"))
    assert days.astype(str).tolist() == [f"2024-06-0{day}" for day in range(3, 8)]
    assert (same == labels[np.isin(sessions, days)]).all()


def test_regimes_last_for_months():
    _, labels = SOURCE.regimes()
    spells = np.flatnonzero(labels[1:] != labels[:-1])
    assert 60 < len(labels) / len(spells) < 160


def test_news_gaps_the_open():
    bars, news = raw("AAPL"), SOURCE.news("AAPL")
    gaps = abs(np.log(bars.open[1:] / bars.close[:-1]))
    struck = np.isin(NYSE.sessions[bars.session[1:]], news)
    assert np.median(gaps[struck]) > 2.5 * np.median(gaps[~struck])
    assert len(SOURCE.news("SPY")) == 0


def test_the_truth_is_told_up_to_the_end_only():
    end = at("2010-01-01")
    assert SOURCE.news("AAPL", end)[-1] < np.datetime64("2010-01-01")
    assert SOURCE.actions("KO", end)[-1].session < date(2010, 1, 1)
    with pytest.raises(NoDataError, match="before its listing"):
        SOURCE.actions(LATE, at("1995-01-01"))
