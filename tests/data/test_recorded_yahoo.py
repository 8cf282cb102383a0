"""Every recorded answer of Yahoo goes through the real client, to the right bars or error.

Whatever is no answer to a question for bars is served as one all the same: it must not become bars.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import numpy as np
import pytest

from tradekit import BarsRequest, FixedClock, NoDataError, SourceError
from tradekit.data import YahooSource

pytest.importorskip("yfinance")

NOW = FixedClock(datetime(2025, 2, 2, tzinfo=UTC))  # a Sunday
NEW_YEAR = "2020-01-01", "2020-01-04"

# By file: symbol and window; how many bars; then of the first and of the last one the date, open,
# high, low, close, volume and adjusted close, all as the answers have them.
AAPL_2020 = ("2020-01-02", 74.06, 75.15, 73.7975, 75.0875, 135480400, 72.716072)
ABBV = ("2020-01-02", 89.08, 89.57, 88.51, 89.55, 5639200, 71.58978)
CRON = ("2020-01-02", 7.92, 7.96, 7.23, 7.36, 12655000, 7.36)
EPAC = ("2020-01-02", 26.19, 26.34, 25.75, 26.16, 407900, 25.943534)
GOOG = ("2020-01-02", 67.0775, 68.407, 67.0775, 68.3685, 28132000, 68.12372)
BARS = {
    "2025_chart-AAPL": (
        ("AAPL", "2022-02-22", "2022-02-23"),
        1,
        ("2022-02-22", 164.98, 166.69, 162.15, 164.32, 91162800, 161.69987),
        None,
    ),
    "2025_chart-AAPL-2020-01-01-to-2020-01-03": (("AAPL", *NEW_YEAR), 1, AAPL_2020, None),
    "2025_chart-AAPL-2020-08-31-to-2020-11-07": (
        ("AAPL", "2020-08-31", "2020-11-07"),
        49,
        ("2020-08-31", 127.58, 131.0, 126.0, 129.04, 225702700, 125.826736),
        ("2020-11-06", 118.32, 119.2, 116.13, 118.69, 114457900, 115.93415),
    ),
    "2025_chart-ABBV-2020-01-01-to-2020-01-03": (("ABBV", *NEW_YEAR), 1, ABBV, None),
    "2025_chart-CRON-2020-01-01-to-2020-01-03": (("CRON", *NEW_YEAR), 1, CRON, None),
    "2025_chart-EPAC-2020-01-01-to-2020-01-03": (("EPAC", *NEW_YEAR), 1, EPAC, None),
    "2025_chart-GOOG-2020-01-01-to-2020-01-03": (("GOOG", *NEW_YEAR), 1, GOOG, None),
    "2025_historical-via-chart-ABBV-2020-01-01-to-2020-01-03": (("ABBV", *NEW_YEAR), 1, ABBV, None),
    "2025_historical-via-chart-AFRAF-2020-01-01-to-2020-01-03": (
        ("AFRAF", *NEW_YEAR),
        1,
        ("2020-01-02", 11.27, 11.27, 11.27, 11.27, 0, 11.27),
        None,
    ),
    "2025_historical-via-chart-AMZN-2020-01-01-to-2020-01-03": (
        ("AMZN", *NEW_YEAR),
        1,
        ("2020-01-02", 93.75, 94.9005, 93.2075, 94.9005, 80580000, 94.9005),
        None,
    ),
    "2025_historical-via-chart-CRON-2020-01-01-to-2020-01-03": (("CRON", *NEW_YEAR), 1, CRON, None),
    "2025_historical-via-chart-EPAC-2020-01-01-to-2020-01-03": (("EPAC", *NEW_YEAR), 1, EPAC, None),
    "2025_historical-via-chart-GOOG-2020-01-01-to-2020-01-03": (("GOOG", *NEW_YEAR), 1, GOOG, None),
    "2025_historical-via-chart-NVDA-split-2021-02-01-to-2022-01-31.csv": (
        ("NVDA", "2021-02-01", "2022-01-31"),
        252,
        ("2021-02-01", 13.05325, 13.27075, 12.90275, 13.237, 217204000, 13.203491),
        ("2022-01-28", 22.012, 22.858, 21.296, 22.84, 543774000, 22.802078),
    ),
    "2025_historical-via-chart-dividends-TSLA-no-dividends": (
        ("TSLA", "1970-01-06", "2023-08-12"),
        3303,
        ("2010-06-29", 1.266667, 1.666667, 1.169333, 1.592667, 281494500, 1.592667),
        ("2023-08-11", 241.77, 243.79, 238.02, 242.65, 98866600, 242.65),
    ),
}
# By file: symbol, class, kind of failure, and what it says.
FAILURES = {
    # a Friday afternoon and Saturday, which it has nothing of
    "2025_chart-AAPL-2025-02-01-to-2025-02-02-includePrePost-false-interval-1m": (
        "AAPL",
        NoDataError,
        "empty",
        "yahoo has no bars of AAPL",
    ),
    # altered: prices without times
    "2025_chart-notimestamp-quotes-length.fake": ("AAPL", SourceError, "bad_data", "0 times, 1 "),
    "chart_error_not_found": ("NOSUCHSYMBOL", NoDataError, "unknown_symbol", "may be delisted"),
    "misc_pageWith404andJson.fake": ("AAPL", NoDataError, "unknown_symbol", "404 {}"),
    # other markets, whose hours are not those of US stocks
    "2025_chart-AZT.OL-2020-01-01-to-2020-01-03": (
        "AZT.OL",
        SourceError,
        "unable",
        "EQUITY in Europe/Oslo",
    ),
    "2025_chart-GC=F-2020-01-01-to-2020-01-03": (
        "GC=F",
        SourceError,
        "unable",
        "FUTURE in America/New_York",
    ),
    "2025_chart-OCDO.L-2020-01-01-to-2020-01-03": (
        "OCDO.L",
        SourceError,
        "unable",
        "EQUITY in Europe/London",
    ),
    "2025_historical-via-chart-BTC-USD-2020-01-01-to-2020-01-03": (
        "BTC-USD",
        SourceError,
        "unable",
        "CRYPTOCURRENCY in UTC",
    ),
    "2025_historical-via-chart-GC=F-2020-01-01-to-2020-01-03": (
        "GC=F",
        SourceError,
        "unable",
        "FUTURE in America/New_York",
    ),
    "2025_historical-via-chart-OCDO.L-2020-01-01-to-2020-01-03": (
        "OCDO.L",
        SourceError,
        "unable",
        "EQUITY in Europe/London",
    ),
    "chart_MUV2.DE_with_nulls_1": ("MUV2.DE", SourceError, "unable", "EQUITY in Europe/Berlin"),
    # altered: three rows of one day in 1969, an infinite price, an infinite adjusted close, and
    # a third one, which would be the latest price of that day
    "chart_PADEF_minus_infinity_1": ("PADEF", SourceError, "bad_data", "3 rows and no bar"),
}
# Answers to other questions: quotes, trends.
NONE_AT_ALL = (
    "2021_quote-AAPL-BABA",
    "2021_quote-AFRAF",
    "2021_quote-AZT.OL",
    "2021_quote-BABA",
    "2021_quote-BFLY",
    "2021_quote-BRKS",
    "2021_quote-QQQ",
    "2021_quote-SI",
    "2021_quote-SPOT",
    "2021_quote-TSLA-fields-symbol",
    "2021_quote-WSKT.JK",
    "2021_quote-marketState-PRE.fake",
    "2021_quote-marketState-REGULAR.fake",
    "2021_trendingSymbols-US",
    "2025_quote-0P000071W8.TO",
    "2025_quote-AAPL",
    "2025_quote-AAPL220121C00025000",
    "2025_quote-BABA",
    "2025_quote-BEKE",
    "2025_quote-BFLY",
    "2025_quote-BTC-USD",
    "2025_quote-EURUSD=X",
    "2025_quote-GC=F",
    "2025_quote-GOOG",
    "2025_quote-LDO.MI",
    "2025_quote-SIMP",
    "2025_quote-TSLA-fields-symbol-shortName",
    "2025_quote-WSKT.JK",
    "2025_trendingSymbols-GB",
    "misc_quote-AAPL-10am",
    "misc_quote-AZT.OL-10am",
    "misc_quote-UNIR.MI-10am",
    "misc_quoteCombine-AAPL-TSLA",
    "misc_weirdJsonResult.fake",
)
SCREEN = "2025_screener-aggressive_small_caps"


@pytest.fixture
def ask(market_data, yahoo_chart, yahoo_session):
    def serve(name, alter=lambda body: body):
        recorded = market_data / "recorded" / "yahoo" / f"{name}.json"
        response = json.loads(recorded.read_text("utf-8"))["response"]
        yahoo_chart((response["status"], alter(response["body"])))
        return YahooSource(clock=NOW, session=yahoo_session())

    return serve


def fetch(source, symbol, start, end, *, timeframe="1Day", adjustment="all"):
    start, end = (datetime.fromisoformat(f"{day}T00:00+00:00") for day in (start, end))
    request = BarsRequest(symbol, timeframe, start=start, end=end, adjustment=adjustment)
    return asyncio.run(source.fetch(request))


@pytest.mark.parametrize("name", BARS)
def test_bars_are_those_of_the_answer(ask, name):
    asked, count, *ends = BARS[name]
    split = fetch(ask(name), *asked, adjustment="split")[asked[0]]
    everything = fetch(ask(name), *asked)[asked[0]]
    assert (len(split), split.dropped, split.adjustment) == (count, 0, "split")
    assert (len(everything), everything.dropped, everything.adjustment) == (count, 0, "all")
    for row, end in zip((0, -1), ends, strict=True):
        date, *columns, adjusted = end or ends[0]
        assert np.datetime64(int(split.time[row]), "ns").astype("M8[D]") == np.datetime64(date)
        bar = split[row]
        told = [bar.open, bar.high, bar.low, bar.close, bar.volume]
        np.testing.assert_allclose(told, columns, rtol=5e-7)
        left = adjusted / columns[3]
        bar = everything[row]
        told = [bar.open, bar.high, bar.low, bar.close]
        np.testing.assert_allclose(told, [p * left for p in columns[:4]], rtol=1e-6)
        assert bar.volume == columns[4]


@pytest.mark.parametrize("name", FAILURES)
def test_errors_are_told_apart(ask, name):
    symbol, kind, fault, told = FAILURES[name]
    timeframe = "1Min" if "1m" in name else "1Day"
    window = ("2025-01-31", "2025-02-02") if "1m" in name else NEW_YEAR
    error = fetch(ask(name), symbol, *window, timeframe=timeframe).failures[symbol]
    assert (type(error), error.fault) == (kind, fault)
    assert told in str(error)


@pytest.mark.parametrize("name", NONE_AT_ALL)
def test_what_answers_another_question_never_becomes_bars(ask, name):
    error = fetch(ask(name), "AAPL", *NEW_YEAR).failures["AAPL"]
    assert (type(error), error.fault, error.retryable) == (SourceError, "bad_data", True)


def test_infinite_prices_are_no_prices(ask):
    def moved(body):  # to the first three sessions of 2020
        body["chart"]["result"][0]["timestamp"] = [1577975400, 1578061800, 1578321000]
        return body

    source = ask("chart_PADEF_minus_infinity_1", moved)
    window = "2020-01-01", "2020-01-07"
    split = fetch(source, "PADEF", *window, adjustment="split")["PADEF"]
    assert (split.close.tolist(), split.dropped) == ([11.5, 12.5], 1)  # its first high is infinite
    everything = fetch(source, "PADEF", *window)["PADEF"]
    # and so is its second adjusted close
    assert (everything.close.tolist(), everything.dropped) == ([12.5], 2)


def test_a_screen_is_ranked_as_it_came(ask):
    found = ask(SCREEN).blocking.discover("volume_leaders")
    assert [(c.rank, c.symbol, c.score) for c in found] == [
        (1, "ATUS", 2727010.0),
        (2, "SID", 2152809.0),
        (3, "KOS", 9272327.0),
        (4, "MPLN", 236664.0),
        (5, "DOLE", 432928.0),
    ]
    assert found[0].asof == datetime(2025, 2, 24, 21, 0, 2, tzinfo=UTC)  # 1740430802


def test_no_answer_is_forgotten(market_data):
    recorded = {path.stem for path in (market_data / "recorded" / "yahoo").glob("*.json")}
    assert recorded == {*BARS, *FAILURES, *NONE_AT_ALL, SCREEN}
