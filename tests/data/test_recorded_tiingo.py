"""Every recorded answer of Tiingo goes through the real client, to the right bars or error.

Most are answers to other questions (days, coins, news); served as bars of the day, or as the days
that those are adjusted by, none of them may become wrong prices.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest

from tradekit import BarsRequest, CredentialsError, FixedClock, NoDataError, SourceError
from tradekit.data import IEXSource

NOW = FixedClock(datetime(2024, 10, 23, tzinfo=UTC))
WINDOW = {"start": datetime(2017, 1, 4, tzinfo=UTC), "end": datetime(2024, 10, 23, tzinfo=UTC)}

BARS = "intraday_price"
QUOTE = "iex_top_of_book_MSFT"
REFUSED = ("news_bulk", "news_bulk_file_ids")  # 403: no permission to access the News API
# A list of objects with dates and prices, but of days.
DAYS = (
    "ticker_price_pandas_daily_equivalent_requesting_json_or_csv_0",
    "ticker_price_pandas_daily_metric_name",
    "ticker_price_pandas_weekly",
    "ticker_price_with_date",
    "ticker_price_with_multiple_columns",
)
# No list of objects, or objects without times or prices.
OTHER = (
    "crypto_metadata",
    "crypto_price_history",
    "crypto_top_of_book",
    "fundamentals_daily",
    "fundamentals_daily_csv",
    "fundamentals_definitions_csv",
    QUOTE,
    "ticker_metadata",
    "ticker_price_pandas_daily_csv",
    "ticker_price_pandas_daily_equivalent_requesting_json_or_csv_1",
    "ticker_price_pandas_weekly_multiple_tickers_csv_0",
    "ticker_price_pandas_weekly_multiple_tickers_csv_1",
    "ticker_price_with_volume_column",
)


@pytest.fixture
def serve(provider, market_data):
    """Serve one recorded answer to every question, or another one to that for days."""

    def answer_of(name):
        text = (market_data / f"recorded/tiingo/{name}.json").read_text("utf-8")
        said = json.loads(text)["response"]
        kind = {"Content-Type": said["headers"].get("content-type", "application/json")}
        return said["status"], said["body"], kind

    def serving(name, days=None):
        answers = {"iex": answer_of(name), "tiingo": answer_of(days or name)}
        asked = set()

        def answer(path, params, headers):
            # A long window comes in pieces: what was said once is not said again.
            kind = path.split("/")[1]
            first = path not in asked
            asked.add(path)
            return answers[kind] if first or answers[kind][0] != 200 else (200, [])

        provider.answer = answer
        return IEXSource("token", url_override=provider.url, clock=NOW)

    return serving


def fetch(source, adjustment="raw", **window):
    request = BarsRequest("GOOGL", "30Min", adjustment=adjustment, **window or WINDOW)
    return asyncio.run(source.fetch(request))


def test_every_recorded_answer_is_here(market_data):
    recorded = {path.stem for path in (market_data / "recorded/tiingo").glob("*.json")}
    assert recorded == {BARS, *REFUSED, *DAYS, *OTHER}


def test_bars_are_those_of_the_answer(serve):
    bars = fetch(serve(BARS))["GOOGL"]
    assert len(bars) == 13
    assert f"{bars[0].time:%Y-%m-%dT%H:%M}" == "2018-01-02T14:30"
    assert f"{bars[-1].time:%Y-%m-%dT%H:%M}" == "2018-01-02T20:30"
    first, last = bars[0], bars[-1]
    assert (first.open, first.high, first.low, first.close) == (1057.47, 1061.91, 1054.17, 1061.91)
    assert (last.open, last.high, last.low, last.close) == (1073.83, 1075.87, 1073.23, 1073.315)
    assert all(volume != volume for volume in bars.volume.tolist())  # noqa: PLR0124 - not told
    assert (bars.source, bars.feed, bars.adjustment) == ("iex", "iex", "raw")


def test_dates_are_trimmed_to_the_window(serve):
    noon = datetime(2018, 1, 2, 17, tzinfo=UTC)
    bars = fetch(serve(BARS), start=noon, end=noon.replace(hour=19, minute=15))["GOOGL"]
    assert [f"{bar.time:%H:%M}" for bar in bars] == ["17:00", "17:30", "18:00", "18:30"]


@pytest.mark.parametrize("name", [*DAYS, *OTHER])
def test_an_answer_to_another_question_never_becomes_bars(serve, name):
    error = fetch(serve(name)).failures["GOOGL"]
    assert (type(error), error.fault, error.retryable) == (SourceError, "bad_data", True)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_permitted_is_told_as_such(serve, name):
    error = fetch(serve(name)).failures["GOOGL"]
    assert (type(error), error.fault) == (CredentialsError, "entitlement")
    assert "403" in str(error)
    assert "do not have permission to access the News API" in str(error)


@pytest.mark.parametrize("days", [BARS, *DAYS, *OTHER])
def test_no_other_answer_adjusts_bars(serve, days):
    # Even true days do not: none of them has a row of January 2, 2018.
    error = fetch(serve(BARS, days), "all").failures["GOOGL"]
    assert type(error) is SourceError
    assert error.fault in ("bad_data", "transient")


def test_days_that_are_true_adjust_bars(serve, provider):
    """January 5 to 19, 2018: no split and no dividend, and every adjClose is the close."""
    source = serve(BARS, "ticker_price_pandas_daily_metric_name")
    status, rows, kind = provider.answer("/iex/GOOGL/prices", {}, {})
    friday = [row | {"date": row["date"].replace("01-02", "01-05")} for row in rows]
    days = provider.answer("/tiingo/daily/GOOGL/prices", {}, {})
    provider.answer = lambda path, *_: days if "daily" in path else (status, friday, kind)
    window = {"start": datetime(2018, 1, 5, tzinfo=UTC), "end": datetime(2018, 1, 6, tzinfo=UTC)}
    bars = fetch(source, "all", **window)["GOOGL"]
    assert (len(bars), bars.close[-1], bars.adjustment) == (13, 1073.315, "all")


def test_a_book_without_bids_is_no_quote(serve):
    with pytest.raises(NoDataError, match="tells no bid and no ask of MSFT"):
        asyncio.run(serve(QUOTE).quotes("MSFT"))


@pytest.mark.parametrize("name", [BARS, *DAYS, *OTHER])
def test_no_other_answer_becomes_a_quote(serve, name):
    with pytest.raises(SourceError):
        asyncio.run(serve(name).quotes("GOOGL"))
