from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime

import numpy as np
import pytest

from tradekit import BarsRequest, FixedClock, NoDataError
from tradekit.data import MultiSourceDataManager, YahooSource
from tradekit.testing import check_source

pytest.importorskip("yfinance")

NOW = FixedClock(datetime(2024, 3, 9, tzinfo=UTC))  # a Saturday
WEEK = {"start": datetime(2024, 3, 4, tzinfo=UTC), "end": datetime(2024, 3, 8, 21, tzinfo=UTC)}
COLUMNS = ("open", "high", "low", "close", "volume")
FRAMES = {"1m": "1Min", "5m": "5Min", "15m": "15Min", "1h": "1Hour", "1d": "1Day"}
NOT_FOUND = {"code": "Not Found", "description": "No data found, symbol may be delisted"}


def chart(bars, params, left):
    """The rows of one window, or what is known of the symbol alone."""
    meta = {
        "currency": "USD",
        "symbol": bars.symbol,
        "instrumentType": "EQUITY",
        "exchangeTimezoneName": "America/New_York",
        "dataGranularity": params["interval"],
    }
    result = {"meta": meta, "indicators": {"quote": [{}]}}
    seconds = bars.time // 10**9
    first, last = (int(params[name]) for name in ("period1", "period2"))
    rows = np.flatnonzero((seconds >= first) & (seconds < last))
    if len(rows):
        result["timestamp"] = seconds[rows].tolist()
        quote = {name: getattr(bars, name)[rows].tolist() for name in COLUMNS}
        result["indicators"] = {"quote": [quote]}
        if not bars.timeframe.is_intraday:
            adjusted = [{"adjclose": (left * bars.close[rows]).tolist()}]
            result["indicators"]["adjclose"] = adjusted
    return {"chart": {"result": [result], "error": None}}


@pytest.fixture
def yahoo(provider, yahoo_chart, market):
    def answer(path, params, headers):
        bars = market(path.rpartition("/")[2], FRAMES[params["interval"]])
        if bars is None:
            return 404, {"chart": {"result": None, "error": NOT_FOUND}}
        return 200, chart(bars, params, provider.left)

    provider.left = 1.0  # of each close, after what was paid later
    yahoo_chart(answer)
    return provider


def fetch(source, symbols=("SPY",), timeframe="5Min", **window):
    return asyncio.run(source.fetch(BarsRequest(symbols, timeframe, **window or WEEK)))


def asked(provider, part="/chart/"):
    return [params for path, params in provider.asked if part in path]


def rows(*prices, start, step=300, interval="5m", symbol="SPY", adjclose=None, events=None):
    """A chart of flat bars, one every so many seconds, or at the moments that start names."""
    begun = [start + step * i for i in range(len(prices))] if isinstance(start, int) else start
    quote = {name: list(prices) for name in ("open", "high", "low", "close")}
    indicators = {"quote": [quote | {"volume": [100] * len(prices)}]}
    if adjclose is not None:
        indicators["adjclose"] = [{"adjclose": adjclose}]
    meta = {"symbol": symbol, "dataGranularity": interval, "instrumentType": "EQUITY"}
    meta["exchangeTimezoneName"] = "America/New_York"
    result = {"meta": meta, "timestamp": begun, "indicators": indicators, "events": events}
    return 200, {"chart": {"result": [result], "error": None}}


def at(*times):
    return [int(datetime.fromisoformat(f"{time}+00:00").timestamp()) for time in times]


def between(*times):
    moments = (datetime.fromisoformat(f"{time}+00:00") for time in times)
    return dict(zip(("start", "end"), moments, strict=True))


def test_bars_within_the_day_are_those_that_were_served(yahoo, yahoo_source, market):
    bars = fetch(yahoo_source())["SPY"]
    truth = market("SPY", "5Min")
    truth = truth[(truth.time >= bars.time[0]).argmax() :].until(WEEK["end"])
    assert len(bars) == 5 * 78
    for name in ("time", *COLUMNS):
        np.testing.assert_allclose(getattr(bars, name), getattr(truth, name), rtol=1e-12)
    assert (bars.source, bars.feed, bars.adjustment) == ("yahoo", "yahoo", "all")


def test_within_the_day_bars_are_adjusted_as_their_days_are(provider, yahoo_chart, yahoo_source):
    # 2 was paid on Thursday, after Wednesday's close of 100: 98 / 100 of what was before is left.
    paid = {"dividends": {"1709821800": {"amount": 2.0, "date": 1709821800}}}
    opens = at("2024-03-06T14:30", "2024-03-07T14:30", "2024-03-08T14:30")

    def answer(path, params, headers):
        if params["interval"] == "1d":
            days = {"interval": "1d", "adjclose": [98.0, 98.0, 98.0]}
            return rows(100.0, 98.0, 98.0, start=opens, events=paid, **days)
        return rows(99.0, 98.5, 97.0, start=opens, events=paid)

    yahoo_chart(answer)
    window = between("2024-03-06T14:30", "2024-03-08T21:00")
    bars = fetch(yahoo_source(), **window)["SPY"]
    np.testing.assert_allclose(bars.close, [99.0 * 0.98, 98.5, 97.0], rtol=1e-15)
    assert (bars.adjustment, bars.volume.tolist()) == ("all", [100, 100, 100])
    split = fetch(yahoo_source(), adjustment="split", **window)["SPY"]
    assert (split.close.tolist(), split.adjustment) == ([99.0, 98.5, 97.0], "split")
    assert [params["interval"] for params in asked(provider)] == ["5m", "1d", "5m"]


def test_what_is_paid_between_a_past_window_and_now_is_taken_out_too(
    provider, yahoo_chart, yahoo_source
):
    def answer(path, params, headers):
        if params["interval"] == "1d":  # paid on Thursday
            assert int(params["period2"]) == int(NOW.at.timestamp())
            opens = at("2024-03-06T14:30", "2024-03-07T14:30", "2024-03-08T14:30")
            return rows(100.0, 98.0, 98.0, start=opens, interval="1d", adjclose=[98.0] * 3)
        return rows(99.0, 99.5, start=at("2024-03-06T14:30")[0])  # a Wednesday

    yahoo_chart(answer)
    bars = fetch(yahoo_source(), **between("2024-03-06T14:30", "2024-03-06T21:00"))["SPY"]
    np.testing.assert_allclose(bars.close, [99.0 * 0.98, 99.5 * 0.98], rtol=1e-15)


def test_a_window_that_reaches_until_now_takes_one_request(yahoo, yahoo_source):
    fetch(yahoo_source())
    assert len(asked(yahoo)) == 1


@pytest.mark.parametrize(
    ("dates", "served", "left", "everything"),
    [
        # AAPL, 4:1: traded at 499.23 and 129.04, and 499.23 / 4 = 124.8075
        (("2020-08-28", "2020-08-31"), (124.8075, 129.04), 1.0, (124.8075, 129.04)),
        # AAPL, 7:1, and 4:1 later: traded at 645.57 and 93.70, and 645.57 / 28 = 23.05607,
        # 93.70 / 4 = 23.425; suppose that a tenth of it was paid out since
        (("2014-06-06", "2014-06-09"), (23.05607, 23.425), 0.9, (20.750463, 21.0825)),
        # 1:8: traded at 10.00 and 81.00, and 10 * 8 = 80
        (("2021-07-30", "2021-08-02"), (80.0, 81.0), 1.0, (80.0, 81.0)),
    ],
)
def test_splits_that_yahoo_took_out_are_not_taken_out_again(
    yahoo_chart, yahoo_source, dates, served, left, everything
):
    opens = at(*(f"{date}T13:30" for date in dates))
    events = {"splits": {f"{opens[1]}": {"date": opens[1], "numerator": 4, "denominator": 1}}}
    adjclose = [price * left for price in served]
    yahoo_chart(rows(*served, start=opens, interval="1d", adjclose=adjclose, events=events))
    window = between(f"{dates[0]}T00:00", f"{dates[1]}T23:00")
    for adjustment, expected in (("split", served), ("all", everything)):
        bars = fetch(yahoo_source(), timeframe="1Day", adjustment=adjustment, **window)["SPY"]
        np.testing.assert_allclose(bars.close, expected, rtol=1e-12)
        assert bars.adjustment == adjustment


def test_a_manager_without_keys_has_bars_within_the_day(yahoo, yahoo_source):
    manager = MultiSourceDataManager(sources=[yahoo_source()], clock=NOW)
    assert len(manager.blocking.get_market_data("SPY", "5Min", 100)) == 100
    assert manager.get_health_score() == 100


@pytest.mark.parametrize(("adjustment", "factor"), [("all", 0.5), ("split", 1.0), ("raw", 1.0)])
def test_days_are_adjusted_as_is_asked_and_say_so(yahoo, yahoo_source, market, adjustment, factor):
    yahoo.left = 0.5
    bars = fetch(yahoo_source(), timeframe="1Day", limit=10, adjustment=adjustment)["SPY"]
    truth = market("SPY", "1Day").until(NOW.at)[-10:]
    np.testing.assert_array_equal(bars.time, truth.time)
    np.testing.assert_allclose(bars.close, factor * truth.close)
    np.testing.assert_allclose(bars.high, factor * truth.high)
    assert bars.adjustment == ("all" if adjustment == "all" else "split")


@pytest.mark.parametrize(
    ("timeframe", "interval"), [("30Min", "15m"), ("2Hour", "1h"), ("1Week", "1d")]
)
def test_other_timeframes_are_made_of_shorter_bars(
    yahoo, yahoo_source, market, timeframe, interval
):
    bars = fetch(yahoo_source(), timeframe=timeframe, limit=4, adjustment="split")["SPY"]
    truth = market("SPY", timeframe).until(NOW.at)[-4:]
    np.testing.assert_array_equal(bars.time, truth.time)
    np.testing.assert_allclose(bars.close, truth.close)
    assert {p["interval"] for p in asked(yahoo)} == {interval}


def test_the_bar_that_is_not_over_is_left_out(yahoo, yahoo_source):
    noon = FixedClock(datetime(2024, 3, 8, 17, 2, tzinfo=UTC))
    assert f"{fetch(yahoo_source(clock=noon), limit=1)['SPY'][-1].time:%H:%M}" == "16:55"
    day = fetch(yahoo_source(clock=noon), timeframe="1Day", limit=1)["SPY"]
    assert f"{day[-1].time:%Y-%m-%d}" == "2024-03-07"


def test_the_latest_price_is_no_bar_and_counts_for_nothing(yahoo_chart, yahoo_source):
    last = at("2024-03-08T14:30", "2024-03-08T14:31", "2024-03-08T14:31:40")
    yahoo_chart(rows(10.0, 11.0, 12.0, start=last, interval="1m"))
    noon = FixedClock(datetime(2024, 3, 8, 17, tzinfo=UTC))
    bars = fetch(yahoo_source(clock=noon), timeframe="1Min", limit=5)["SPY"]
    assert (bars.close.tolist(), bars.dropped) == ([10.0, 11.0], 0)


def test_a_half_day_ends_at_one(yahoo_chart, yahoo_source):
    hours = at("2024-07-03T13:30", "2024-07-03T14:30", "2024-07-03T15:30", "2024-07-03T16:30")
    yahoo_chart(rows(1.0, 2.0, 3.0, 4.0, start=hours, interval="1h"))

    def last(now):
        clock = FixedClock(datetime.fromisoformat(f"2024-07-03T{now}+00:00"))
        bars = fetch(yahoo_source(clock=clock), timeframe="1Hour", limit=4, adjustment="split")[
            "SPY"
        ]
        return bars[-1].time.strftime("%H:%M"), bars[-1].close_time.strftime("%H:%M")

    assert last("17:00") == ("16:30", "17:00")  # its last hour has half an hour
    assert last("16:59") == ("15:30", "16:30")


@pytest.mark.parametrize(
    ("friday", "monday"),
    [
        ("2024-03-08T20:30", "2024-03-11T13:30"),  # to summer time
        ("2024-11-01T19:30", "2024-11-04T14:30"),  # and back
    ],
)
def test_hours_are_counted_from_the_open_when_the_clocks_change(
    yahoo_chart, yahoo_source, friday, monday
):
    yahoo_chart(rows(1.0, 2.0, start=at(friday, monday), interval="1h"))
    window = between(friday[:10] + "T00:00", monday[:10] + "T23:00")
    clock = FixedClock(window["end"])
    bars = fetch(yahoo_source(clock=clock), timeframe="1Hour", adjustment="split", **window)["SPY"]
    assert (bars.time // 10**9).tolist() == at(friday, monday)
    minutes = (bars.close_time - bars.time) // (60 * 10**9)
    assert minutes.tolist() == [30, 60]  # the last hour of the day, and the first


def test_class_shares_are_asked_for_and_answered_with_a_dash(provider, yahoo_chart, yahoo_source):
    yahoo_chart(rows(10.0, start=1709908200, symbol="BRK-B"))
    assert fetch(yahoo_source(), ("BRK.B",))["BRK.B"].close.tolist() == [10.0]
    assert provider.asked[-1][0].endswith("/BRK-B")


def test_a_start_that_yahoo_no_longer_has_is_refused_with_the_first_day(yahoo, yahoo_source):
    window = {"start": datetime(2023, 6, 1, tzinfo=UTC), "end": NOW.at}
    with pytest.raises(NoDataError, match="expected a start from 2024-01-10 on"):
        fetch(yahoo_source(), **window)["SPY"]  # 59 days before 2024-03-09
    assert len(fetch(yahoo_source(), timeframe="1Min", limit=5000)["SPY"]) == 5 * 390


def test_it_says_how_far_back_it_reaches_and_how_often_it_answers():
    can = YahooSource().capabilities
    reach = {length: can.reach(length) for length in ("3Min", "45Min", "4Hour", "1Week")}
    assert {length: days and days.days for length, days in reach.items()} == {
        "3Min": 7,
        "45Min": 59,
        "4Hour": 729,
        "1Week": None,
    }
    assert (can.calls_per_hour, can.screens) == (2000, ("volume_leaders", "gainers", "losers"))


def test_an_unknown_symbol_fails_beside_a_known_one_after_one_question(yahoo, yahoo_source):
    fetched = fetch(yahoo_source(), ("NOPE", "SPY"))
    assert len(fetched["SPY"]) == 390
    with pytest.raises(NoDataError, match="404 No data found, symbol may be delisted"):
        fetched["NOPE"]
    assert len([path for path, _ in yahoo.asked if path.endswith("NOPE")]) == 1


def test_rows_that_are_missing_are_counted(yahoo_chart, yahoo_source):
    yahoo_chart(rows(10.0, None, 12.0, start=1709908200))
    bars = fetch(yahoo_source())["SPY"]
    assert (bars.close.tolist(), bars.dropped) == ([10.0, 12.0], 1)


def test_a_window_without_bars_is_no_data(yahoo, yahoo_source):
    weekend = {"start": datetime(2024, 3, 9, tzinfo=UTC), "end": datetime(2024, 3, 10, tzinfo=UTC)}
    error = fetch(yahoo_source(clock=FixedClock(weekend["end"])), **weekend).failures["SPY"]
    assert (type(error), error.fault) == (NoDataError, "empty")


def test_sources_in_threads_and_loops_do_not_mix_their_answers(
    provider, yahoo_chart, yahoo_session
):
    prices = {"a": 10.0, "b": 20.0}

    def answer(path, params, headers):
        return rows(prices[headers["X-Who"]], start=1709908200)

    yahoo_chart(answer)
    charts = provider.answer

    def with_crumb(path, params, headers):
        crumb = path.endswith("getcrumb")
        return (200, f"crumb-{headers['X-Who']}") if crumb else charts(path, params, headers)

    provider.answer = with_crumb
    seen = {who: [] for who in prices}

    def ask(who):
        session = yahoo_session()
        session.headers["X-Who"] = who
        asking = YahooSource(clock=NOW, session=session)
        for _ in range(8):  # each in a loop of its own
            seen[who].append(fetch(asking)["SPY"].close.tolist())

    threads = [threading.Thread(target=ask, args=who) for who in prices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"a": [[10.0]] * 8, "b": [[20.0]] * 8}
    assert {params["crumb"] for params in asked(provider)} == {"crumb-a", "crumb-b"}
    assert len(asked(provider, "getcrumb")) == 2


def test_it_keeps_what_every_source_promises(yahoo, yahoo_source):
    request = BarsRequest(("SPY", "QQQ"), "15Min", **WEEK)
    for check in check_source(yahoo_source(), request):
        check()
