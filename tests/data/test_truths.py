"""What every source tells alike: splits, dividends, short days, changes of the clocks."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import attrs
import numpy as np
import pytest

from tradekit import Bars, BarsRequest, DataSource, FixedClock, NoDataError
from tradekit._core.calendar import calendar_for
from tradekit._core.resample import resample
from tradekit.testing import FakeProviders

pytest.importorskip("alpaca")
pytest.importorskip("yfinance")
pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated")

NEW_YORK = ZoneInfo("America/New_York")
PROVIDERS = ("alpaca", "iex", "yahoo")
OF_DAYS = ("alpaca", "yahoo")
COLUMNS = ("open", "high", "low", "close", "volume")
SATURDAY = "2024-03-09 12:00"
RISE = 1e-5  # of the close, each minute


@attrs.frozen
class Share:
    """A share that rises evenly in the day, minute by minute, up to a close that is known."""

    closes: dict  # as they were traded; the newest one holds until the next
    splits: dict = attrs.field(factory=dict)  # new shares for an old one
    payments: dict = attrs.field(factory=dict)  # dollars on a share of that day

    def at(self, days):
        """Raw closes of days."""
        known = np.array(sorted(self.closes), "M8[D]")
        closes = np.array([self.closes[day] for day in sorted(self.closes)])
        return closes[known.searchsorted(days, "right") - 1]

    def factors(self, days, today, adjustment):
        """What prices and volumes of days are multiplied by, as is known today."""
        prices, volumes = np.ones(len(days)), np.ones(len(days))
        for day, ratio in self.splits.items():
            before = (days < np.datetime64(day)) & (np.datetime64(day) <= today)
            if adjustment != "raw":
                prices[before] /= ratio
                volumes[before] *= ratio
        for day, paid in self.payments.items():
            before = (days < np.datetime64(day)) & (np.datetime64(day) <= today)
            if adjustment == "all":
                eve = np.busday_offset(np.datetime64(day), -1)  # no holiday lies before one
                share = self.splits.get(day, 1.0) * paid  # of an old one
                prices[before] *= 1 - share / self.at(np.array([eve]))[0]
        return prices, volumes


SHARES = {
    # Public closes; the first is made up. Ex-days: 2014-06-09, 2020-08-31 and 2020-11-06.
    "AAPL": Share(
        {
            "2010-01-04": 214.01,
            "2014-06-06": 645.57,
            "2014-06-09": 93.70,
            "2020-08-28": 499.23,
            "2020-08-31": 129.04,
            "2020-11-05": 119.03,
        },
        splits={"2014-06-09": 7.0, "2020-08-31": 4.0},
        payments={"2020-11-06": 0.205},
    ),
    "REV": Share({"2017-01-03": 2.00, "2024-03-06": 21.00}, splits={"2024-03-06": 0.1}),
    "PAYS": Share(
        {"2017-01-03": 100.00, "2024-03-08": 99.00},
        payments={"2023-12-08": 1.0, "2024-03-08": 1.0},
    ),
    # Two dollars of an old share are one dollar of each new one.
    "BOTH": Share(
        {"2017-01-03": 200.00, "2024-03-06": 99.00},
        splits={"2024-03-06": 2.0},
        payments={"2024-02-14": 2.0},
    ),
    "ONCE": Share(
        {"2017-01-03": 200.00, "2024-03-06": 99.00},
        splits={"2024-03-06": 2.0},
        payments={"2024-03-06": 1.0},
    ),
    "BRK.B": Share({"2017-01-03": 400.00}),
    "YOUNG": Share({"2024-03-05": 30.00}),
}


class Almanac(DataSource):
    """Serve those shares, raw or adjusted as of now."""

    name = "almanac"
    batch = True

    def __init__(self, now):
        self.clock = FixedClock(now)

    async def _fetch(self, request):
        known = [symbol for symbol in request.symbols if symbol in SHARES]
        return {s: b for s in known if (b := self._bars(s, request)) is not None}

    def _bars(self, symbol, request):
        share, calendar = SHARES[symbol], calendar_for()
        now = np.datetime64(self.clock.now().replace(tzinfo=None), "ns").astype(int)
        today = calendar.sessions[calendar.opens.searchsorted(now, "right") - 1]
        first = np.datetime64(min(share.closes), "D")
        if request.start:
            first = max(first, np.datetime64(request.start.date()) - 7)
        elif request.limit:
            first = max(first, today - 2 * request.limit - 10)
        rows = np.flatnonzero((calendar.sessions >= first) & (calendar.sessions <= today))
        if not len(rows):
            return None
        days, length = calendar.sessions[rows], request.timeframe
        minutes = (calendar.closes - calendar.opens)[rows] // 60_000_000_000
        prices, volumes = share.factors(days, today, request.adjustment)
        facts = {"adjustment": request.adjustment}
        if not length.is_intraday:
            close = share.at(days) * prices
            opened = close * (1 - RISE * (minutes - 1))
            table = opened, close, opened, close
            bars = Bars(
                symbol, "1Day", calendar.labels(days), *table, 1e3 * minutes * volumes, **facts
            )
            return resample(bars.until(now), length)
        day = np.repeat(np.arange(len(rows)), minutes)
        count = np.concatenate([np.arange(n) for n in minutes])
        time = calendar.opens[rows][day] + count * 60_000_000_000
        close = (share.at(days) * prices)[day]
        price = close * (1 - RISE * (minutes[day] - 1 - count))
        bars = Bars(symbol, "1Min", time, price, price, price, price, 1e3 * volumes[day], **facts)
        return resample(bars.until(now), length)


class Wide(Almanac):
    """Serve what trades before the open and after the close as well, at prices of its own."""

    def _bars(self, symbol, request):
        inside, calendar = super()._bars(symbol, request), calendar_for()
        if not request.timeframe.is_intraday:
            return inside
        step, sessions = request.timeframe.ns, np.unique(inside.session)
        before, after = calendar.opens[sessions] - step, calendar.closes[sessions] + 2 * step
        time = np.concatenate([inside.time, before, after])
        order, price = np.argsort(time), np.full(2 * len(sessions), 7777.0)
        columns = [np.append(getattr(inside, name), price)[order] for name in COLUMNS]
        return Bars(symbol, request.timeframe, time[order], *columns, adjustment=request.adjustment)


def moment(text):
    """Read a time of New York."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(UTC)


def ask(
    name, now, symbols, timeframe, start=None, end=None, *, adjustment=None, of=Almanac, **asked
):
    with FakeProviders(of(moment(now))) as fake:
        source = getattr(fake, name)()
        window = {k: moment(v) for k, v in (("start", start), ("end", end)) if v}
        adjusted = adjustment or ("split" if name == "yahoo" else "raw")
        request = BarsRequest(symbols, timeframe, adjustment=adjusted, **window, **asked)
        return asyncio.run(source.fetch(request))


def labels(bars):
    """Labels as New York reads them."""
    times = [datetime.fromtimestamp(t / 1e9, UTC).astimezone(NEW_YORK) for t in bars.time.tolist()]
    return [f"{time:%Y-%m-%d %H:%M}" for time in times]


FACTS = [
    # who, now, symbol, day, adjustment, the day's last price
    ("alpaca", SATURDAY, "AAPL", "2020-08-28", "raw", 499.23),
    ("alpaca yahoo", SATURDAY, "AAPL", "2020-08-28", "split", 499.23 / 4),
    ("alpaca yahoo", SATURDAY, "AAPL", "2020-08-31", "split", 129.04),
    ("alpaca yahoo", SATURDAY, "AAPL", "2020-08-28", "all", 499.23 / 4 * (1 - 0.205 / 119.03)),
    ("alpaca yahoo", SATURDAY, "AAPL", "2020-08-31", "all", 129.04 * (1 - 0.205 / 119.03)),
    ("yahoo", SATURDAY, "AAPL", "2014-06-06", "split", 645.57 / 7 / 4),
    ("yahoo", SATURDAY, "AAPL", "2014-06-09", "split", 93.70 / 4),
    ("yahoo", "2014-06-14 12:00", "AAPL", "2014-06-06", "split", 645.57 / 7),
    ("yahoo", "2014-06-07 12:00", "AAPL", "2014-06-06", "split", 645.57),
    ("alpaca yahoo", "2020-08-29 12:00", "AAPL", "2020-08-28", "split", 499.23),
    ("alpaca yahoo", SATURDAY, "REV", "2024-03-05", "split", 20.00),
    ("alpaca yahoo", SATURDAY, "REV", "2024-03-06", "split", 21.00),
    ("alpaca yahoo", SATURDAY, "PAYS", "2024-03-07", "all", 100.00 * 0.99),
    ("alpaca yahoo", SATURDAY, "PAYS", "2024-03-08", "all", 99.00),
    ("alpaca yahoo", SATURDAY, "PAYS", "2023-12-07", "all", 100.00 * 0.99 * 0.99),
    ("alpaca yahoo", SATURDAY, "PAYS", "2023-12-07", "split", 100.00),
    ("alpaca yahoo", SATURDAY, "BOTH", "2024-02-13", "split", 100.00),
    ("alpaca yahoo", SATURDAY, "BOTH", "2024-02-13", "all", 100.00 * 0.99),
    ("alpaca yahoo", SATURDAY, "BOTH", "2024-02-14", "all", 100.00),
]
# Within the day there are three sources, and yahoo has two months.
FACTS_WITHIN = [
    ("alpaca iex", SATURDAY, "AAPL", "2020-08-28", "raw", 499.23),
    ("alpaca iex", SATURDAY, "AAPL", "2020-08-28", "split", 499.23 / 4),
    ("alpaca iex", SATURDAY, "AAPL", "2020-08-28", "all", 499.23 / 4 * (1 - 0.205 / 119.03)),
    ("alpaca iex yahoo", "2020-09-05 12:00", "AAPL", "2020-08-28", "split", 499.23 / 4),
    ("alpaca iex yahoo", "2020-09-05 12:00", "AAPL", "2020-08-28", "all", 499.23 / 4),
    ("alpaca iex yahoo", "2020-09-05 12:00", "AAPL", "2020-08-31", "all", 129.04),
    ("yahoo", "2014-06-14 12:00", "AAPL", "2014-06-06", "split", 645.57 / 7),
    ("yahoo", "2014-06-14 12:00", "AAPL", "2014-06-09", "split", 93.70),
    ("alpaca iex", SATURDAY, "REV", "2024-03-05", "raw", 2.00),
    ("alpaca iex yahoo", SATURDAY, "REV", "2024-03-05", "split", 20.00),
    ("alpaca iex yahoo", SATURDAY, "REV", "2024-03-06", "all", 21.00),
    ("alpaca iex yahoo", SATURDAY, "PAYS", "2024-03-06", "all", 100.00 * 0.99),
    ("alpaca iex yahoo", SATURDAY, "PAYS", "2024-03-08", "all", 99.00),
    ("alpaca iex yahoo", SATURDAY, "PAYS", "2024-03-06", "split", 100.00),
    ("alpaca iex yahoo", SATURDAY, "BOTH", "2024-02-13", "all", 100.00 * 0.99),
    ("alpaca iex yahoo", SATURDAY, "BOTH", "2024-02-14", "all", 100.00),
    ("alpaca iex yahoo", SATURDAY, "ONCE", "2024-03-05", "all", 100.00 * 0.99),
    # Since this morning it trades without what it pays.
    ("alpaca yahoo", "2024-03-08 11:00", "PAYS", "2024-03-07", "all", 100.00 * 0.99),
    # Tiingo tells of it in the evening, as the page of IEXSource says.
    ("iex", "2024-03-08 11:00", "PAYS", "2024-03-07", "all", 100.00),
    ("iex", "2024-03-08 18:00", "PAYS", "2024-03-07", "all", 100.00 * 0.99),
    ("alpaca iex yahoo", "2024-03-08 08:00", "PAYS", "2024-03-07", "all", 100.00),
    ("alpaca iex yahoo", "2024-03-07 17:00", "PAYS", "2024-03-07", "all", 100.00),
]


def each_source(facts):
    return [(name, *fact) for names, *fact in facts for name in names.split()]


@pytest.mark.parametrize(
    ("name", "now", "symbol", "day", "adjustment", "price"), each_source(FACTS)
)
def test_days_are_adjusted_as_of_now_whoever_tells_them(name, now, symbol, day, adjustment, price):
    window = (f"{day} 00:00", f"{day} 16:00")
    bars = ask(name, now, symbol, "1Day", *window, adjustment=adjustment)[symbol]
    assert labels(bars) == [f"{day} 00:00"]
    assert bars.close[0] == pytest.approx(price, rel=1e-6)
    assert bars.adjustment == adjustment
    assert bars.open[0] == pytest.approx(price * (1 - 389 * RISE), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "now", "symbol", "day", "adjustment", "price"), each_source(FACTS_WITHIN)
)
def test_bars_within_the_day_are_adjusted_as_of_now_too(name, now, symbol, day, adjustment, price):
    for timeframe, last, rises in (("5Min", "15:55", 4), ("1Hour", "15:30", 29)):
        window = (f"{day} 15:30", f"{day} 16:00")
        bars = ask(name, now, symbol, timeframe, *window, adjustment=adjustment)[symbol]
        assert labels(bars)[-1] == f"{day} {last}"
        assert bars.close[-1] == pytest.approx(price, rel=1e-6)
        assert bars.open[-1] == pytest.approx(price * (1 - rises * RISE), rel=1e-6)
        assert bars.adjustment == adjustment


@pytest.mark.parametrize("name", OF_DAYS)
def test_volume_counts_the_shares_of_today(name):
    now, window = SATURDAY, ("2024-03-05 00:00", "2024-03-06 16:00")
    bars = ask(name, now, "REV", "1Day", *window, adjustment="split")["REV"]
    assert bars.volume.tolist() == [39_000, 390_000]  # of 390,000 old shares each tenth is left


# The last bars of the days and of the hours of sessions, from the exchange's own calendar.
SESSIONS = {
    "2024-07-03": ("12:55", "12:30", "13:00"),  # before Independence Day
    "2024-11-29": ("12:55", "12:30", "13:00"),  # after Thanksgiving
    "2024-03-08": ("15:55", "15:30", "16:00"),  # in winter, UTC-5
    "2024-03-11": ("15:55", "15:30", "16:00"),  # in summer, UTC-4
    "2024-11-01": ("15:55", "15:30", "16:00"),
    "2024-11-04": ("15:55", "15:30", "16:00"),
}


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("day", SESSIONS)
def test_a_session_has_its_bars_however_long_it_is_and_whatever_the_clocks_do(name, day):
    five, hour, over = SESSIONS[day]
    now = f"{day} {over}"  # to the second
    window = (f"{day} 00:00", now)
    bars = ask(name, now, "PAYS", "5Min", *window)["PAYS"]
    assert (labels(bars)[0], labels(bars)[-1]) == (f"{day} 09:30", f"{day} {five}")
    assert len(bars) == (42 if over == "13:00" else 78)
    hours = ask(name, now, "PAYS", "1Hour", *window)["PAYS"]
    assert (labels(hours)[0], labels(hours)[-1]) == (f"{day} 09:30", f"{day} {hour}")
    if name != "iex":
        days = ask(name, now, "PAYS", "1Day", *window)["PAYS"]
        assert labels(days) == [f"{day} 00:00"]
        assert days.close_time.tolist() == [int(moment(now).timestamp()) * 10**9]


NOW_AND_LAST = [
    # now, the newest five minutes, the newest day
    ("2024-03-08 12:02", "2024-03-08 11:55", "2024-03-07 00:00"),
    ("2024-03-08 12:05", "2024-03-08 12:00", "2024-03-07 00:00"),
    ("2024-03-08 15:59", "2024-03-08 15:50", "2024-03-07 00:00"),
    ("2024-03-08 15:59:59", "2024-03-08 15:50", "2024-03-07 00:00"),
    ("2024-03-08 16:00", "2024-03-08 15:55", "2024-03-08 00:00"),
    ("2024-03-08 09:31", "2024-03-07 15:55", "2024-03-07 00:00"),
    ("2024-03-11 09:35", "2024-03-11 09:30", "2024-03-08 00:00"),
]


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize(("now", "five", "day"), NOW_AND_LAST)
def test_a_bar_is_told_when_it_is_over_and_not_before(name, now, five, day):
    assert labels(ask(name, now, "PAYS", "5Min", limit=3)["PAYS"])[-1] == five
    if name != "iex":
        assert labels(ask(name, now, "PAYS", "1Day", limit=3)["PAYS"])[-1] == day


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_window_takes_bars_that_open_from_its_start_on_and_are_over_by_its_end(name):
    def window(start, end):
        day = "2024-03-08"
        bars = ask(name, SATURDAY, "PAYS", "5Min", f"{day} {start}", f"{day} {end}")["PAYS"]
        return [label[-5:] for label in labels(bars)]

    assert window("10:00", "10:10") == ["10:00", "10:05"]
    assert window("10:00:01", "10:10") == ["10:05"]
    assert window("10:00", "10:09:59") == ["10:00"]
    assert window("09:59", "10:12") == ["10:00", "10:05"]
    assert window("15:50", "23:00") == ["15:50", "15:55"]


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("timeframe", ["1Min", "5Min", "1Hour"])
def test_what_trades_around_the_sessions_is_in_no_bar(name, timeframe):
    told, true = (
        ask(name, SATURDAY, "PAYS", timeframe, limit=100, of=market)["PAYS"]
        for market in (Wide, Almanac)
    )
    assert labels(told) == labels(true)
    assert (told.close.tolist(), told.high.max()) == (true.close.tolist(), true.high.max())


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize(
    "window", [("2030-01-02 00:00", "2030-01-03 00:00"), ("2031-01-02 00:00", None)]
)
def test_of_the_future_there_is_no_data(name, window):
    error = ask(name, SATURDAY, "PAYS", "5Min", *window).failures["PAYS"]
    assert (type(error), error.retryable) == (NoDataError, False)


@pytest.mark.parametrize("name", PROVIDERS)
def test_before_the_beginning_there_is_no_data(name):
    window = ("2009-01-05 00:00", "2009-01-09 00:00")
    error = ask(name, SATURDAY, "PAYS", "5Min", *window).failures["PAYS"]
    assert (type(error), error.retryable) == (NoDataError, False)


@pytest.mark.parametrize("name", PROVIDERS)
def test_an_unknown_symbol_fails_alone(name):
    told = ask(name, SATURDAY, ("PAYS", "NOPE", "REV"), "5Min", limit=5)
    assert set(told.bars) == {"PAYS", "REV"}
    error = told.failures["NOPE"]
    assert (type(error), error.retryable) == (NoDataError, False)


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_young_listing_has_what_it_has(name):
    bars = ask(name, SATURDAY, "YOUNG", "5Min", limit=1000)["YOUNG"]
    assert (len(bars), labels(bars)[0]) == (4 * 78, "2024-03-05 09:30")  # Tuesday to Friday
    if name != "iex":
        days = ask(name, SATURDAY, "YOUNG", "1Day", limit=1000)["YOUNG"]
        assert labels(days) == [f"2024-03-0{day} 00:00" for day in (5, 6, 7, 8)]


@pytest.mark.parametrize("name", PROVIDERS)
def test_class_shares_have_one_name_whatever_the_vendor_writes(name):
    bars = ask(name, SATURDAY, ("BRK.B", "PAYS"), "5Min", limit=2)["BRK.B"]
    assert (bars.symbol, bars.close.tolist()) == ("BRK.B", [399.98, 400.0])


@pytest.mark.parametrize("name", OF_DAYS)
def test_a_week_without_its_monday_is_a_week(name):
    # Presidents' Day is Monday 2024-02-19; the shares split 1:10 two weeks later.
    window = ("2024-02-19 00:00", "2024-02-23 16:00")
    bars = ask(name, SATURDAY, "REV", "1Week", *window, adjustment="split")["REV"]
    assert labels(bars) == ["2024-02-19 00:00"]
    assert bars.volume[0] == 4 * 39_000
    newest = ask(name, "2024-02-23 15:59", "REV", "1Week", limit=1, adjustment="split")["REV"]
    assert labels(newest) == ["2024-02-12 00:00"]  # the one that runs is not over


def test_ten_thousand_and_one_rows_come_over_pages():
    with FakeProviders(Almanac(moment(SATURDAY))) as fake:
        request = BarsRequest("PAYS", "1Min", limit=10_001, adjustment="raw")
        bars = asyncio.run(fake.alpaca().fetch(request))["PAYS"]
        pages = [asked.params.get("page_token") for asked in fake.requests]
    # 25 sessions of 390 minutes are 9,750; the others are the last 251 of the one before.
    assert (len(bars), labels(bars)[0]) == (10_001, "2024-02-01 11:49")
    assert labels(bars)[-1] == "2024-03-08 15:59"
    assert len(pages) == 2
    assert pages[0] is None
