"""Every recorded answer of Alpaca goes through the real client, to the right bars or error.

Whatever is no answer to a question for bars is served as one all the same: it must not become bars.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from tradekit import BarsRequest, FixedClock, NoDataError, SourceError
from tradekit.data import AlpacaSource

pytest.importorskip("alpaca")

NOW = FixedClock(datetime(2024, 3, 9, tzinfo=UTC))
LAST_PAGE = {"bars": {}, "next_page_token": None}

# By file: symbol, timeframe, window; then labels and closes as the answers have them.
BARS = {
    "go_TestGetBars_1": (
        ("AMZN", "15Min", "2021-10-15", "2021-10-16"),
        [f"2021-10-15T{time}" for time in ("16:00", "16:15", "16:30", "16:45", "17:00")],
        [3379.72, 3377.82, 3380.0, 3386.7615, 3382.87],
        [211689, 115850, 58531, 83180, 134339],
    ),
    "go_TestGetBars_Asof_1": (
        ("META", "1Day", "2022-06-08", "2022-06-14"),
        ["2022-06-08T04:00", "2022-06-09T04:00"],
        [196.64, 184.0],
        [22211813, 23458984],
    ),
    "go_TestGetBars_Asof_2": (
        ("META", "1Day", "2022-06-08", "2022-06-14"),
        ["2022-06-10T04:00", "2022-06-13T04:00"],
        [175.57, 164.26],
        [27398594, 31514255],
    ),
    "py_get_bars_1": (
        ("AAPL", "1Day", "2022-02-01", "2022-02-03"),
        ["2022-02-01T05:00", "2022-02-02T05:00"],
        [174.61, 175.84],
        [85998033, 84817432],
    ),
}
# Answers that have no bar of regular hours for who is asked.
NOTHING = {
    "openapi_v2_stocks_bars_bars": "2022-01-03",  # one bar, at four in the morning
    "py_get_bars_single_empty_response_1": "2022-01-03",
    "py_stock_latest_bar_multi_empty_response_1": "2022-01-03",
    "py_get_latest_trade_multi_not_found_1": "2022-01-03",
}
# Answers to other questions: the newest bar alone, quotes, trades, auctions, news, screens, ...
NONE_AT_ALL = (
    "go_TestDefaultDo_1",
    "go_TestDefaultDo_Retry_1",
    "go_TestDefaultDo_Timeout_1",
    "go_TestGetMultiAuctions_1",
    "go_TestGetQuotes_SortDesc_1",
    "go_TestGetTrades_1",
    "go_TestLatestTrade_1",
    "go_TestLatestTrades_1",
    "go_TestSnapshots_1",
    "openapi_v1beta1_news_news-response-example",
    "openapi_v1beta1_screener_market_type_movers_movers",
    "openapi_v2_stocks_auctions_auction",
    "openapi_v2_stocks_bars_latest_bars",
    "openapi_v2_stocks_quotes_latest_quotes",
    "openapi_v2_stocks_quotes_quotes",
    "openapi_v2_stocks_snapshots_snapshots",
    "openapi_v2_stocks_symbol_auctions_auctions",
    "openapi_v2_stocks_symbol_bars_bars",
    "openapi_v2_stocks_symbol_bars_latest_bar",
    "openapi_v2_stocks_symbol_quotes_latest_quotes",
    "openapi_v2_stocks_symbol_quotes_quotes",
    "openapi_v2_stocks_symbol_snapshot_snapshot",
    "openapi_v2_stocks_symbol_trades_latest_trade",
    "openapi_v2_stocks_symbol_trades_trades",
    "openapi_v2_stocks_trades_latest_trades",
    "openapi_v2_stocks_trades_trades",
    "py_get_corporate_actions_1",
    "py_get_corporate_actions_2",
    "py_get_latest_quote_1",
    "py_get_market_movers_1",
    "py_get_quotes_1",
    "py_get_snapshot_1",
    "py_get_trades_1",
)


@pytest.fixture
def serve(provider, market_data):
    """Serve recorded answers, one after the other, and then the end of the pages."""

    def serving(*names):
        said = [
            json.loads((market_data / f"recorded/alpaca/{name}.json").read_text("utf-8"))[
                "response"
            ]
            for name in names
        ]
        answers = iter([(answer["status"], answer["body"]) for answer in said])
        provider.answer = lambda *_: next(answers, (200, LAST_PAGE))
        timeout = timedelta(seconds=4)
        return AlpacaSource("k", "s", url_override=provider.url, timeout=timeout, clock=NOW)

    return serving


def fetch(source, symbol, timeframe, start, end):
    start, end = (datetime.fromisoformat(f"{day}T00:00+00:00") for day in (start, end))
    return asyncio.run(source.fetch(BarsRequest(symbol, timeframe, start=start, end=end)))


def labels(bars):
    return [str(time)[:16] for time in bars.time.astype("M8[ns]")]


def test_every_recorded_answer_is_here(market_data):
    recorded = {path.stem for path in (market_data / "recorded/alpaca").glob("*.json")}
    assert recorded == {*BARS, *NOTHING, *NONE_AT_ALL}


@pytest.mark.parametrize("name", BARS)
def test_bars_are_those_of_the_answer(serve, name):
    (symbol, *window), times, closes, volumes = BARS[name]
    bars = fetch(serve(name), symbol, *window)[symbol]
    assert (labels(bars), bars.close.tolist(), bars.volume.tolist()) == (times, closes, volumes)


def test_two_pages_are_one_answer(serve):
    source = serve("go_TestGetBars_Asof_1", "go_TestGetBars_Asof_2")
    bars = fetch(source, "META", "1Day", "2022-06-08", "2022-06-14")["META"]
    assert bars.open.tolist() == [194.67, 194.28, 183.04, 170.59]
    assert bars.close.tolist() == [196.64, 184.0, 175.57, 164.26]


@pytest.mark.parametrize("name", NOTHING)
def test_an_answer_without_a_bar_is_no_data(serve, name):
    day = NOTHING[name]
    error = fetch(serve(name), "AAPL", "1Min", day, "2022-01-04").failures["AAPL"]
    assert isinstance(error, NoDataError)


@pytest.mark.parametrize("name", NONE_AT_ALL)
def test_an_answer_to_another_question_never_becomes_bars(serve, name):
    error = fetch(serve(name), "AAPL", "1Min", "2021-01-04", "2024-01-04").failures["AAPL"]
    assert (type(error), error.fault, error.retryable) == (SourceError, "bad_data", True)


def test_quotes_are_those_of_the_answers(serve):
    names = ("openapi_v2_stocks_quotes_latest_quotes", "py_get_latest_quote_1")
    source = serve(*names)
    assert asyncio.run(source.quotes(("AAPL", "TSLA"))) == {
        "AAPL": {"bid": 172.62, "bid_size": 2, "ask": 172.7, "ask_size": 1},
        "TSLA": {"bid": 911.3, "bid_size": 1, "ask": 911.6, "ask_size": 1},
    }
    assert asyncio.run(source.quotes("AAPL")) == {
        "AAPL": {"bid": 161.1, "bid_size": 2, "ask": 161.11, "ask_size": 13}
    }


@pytest.mark.parametrize(
    ("name", "category", "first", "last", "asof"),
    [
        (
            "openapi_v1beta1_screener_market_type_movers_movers",
            "gainers",
            ("AGRI", 145.56),
            ("GRCYW", 85.63),
            datetime(2022, 3, 10, 17, 53, 30, 88309, UTC),
        ),
        (
            "py_get_market_movers_1",
            "losers",
            ("FMIVW", -95.02),
            ("AVHIW", -34.72),
            datetime(2023, 6, 23, 14, 13, 0, 163514, UTC),
        ),
    ],
)
def test_movers_are_those_of_the_answers(serve, name, category, first, last, asof):
    found = asyncio.run(serve(name).discover(category, 10))
    assert (found[0].symbol, found[0].score) == first
    assert (found[-1].symbol, found[-1].score) == last
    assert {candidate.asof for candidate in found} == {asof}
