"""Which symbols Yahoo's screens propose."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tradekit import SourceError

pytest.importorskip("yfinance")


def quote(symbol, **figures):
    return {"symbol": symbol, "market": "us_market", "regularMarketTime": 1709931601, **figures}


def screen(*quotes):
    return 200, {"finance": {"result": [{"quotes": list(quotes)}], "error": None}}


@pytest.mark.parametrize(
    ("category", "name", "figure", "scores", "reasons"),
    [
        (
            "volume_leaders",
            "most_actives",
            "regularMarketVolume",
            [52_000_000.0, 31_000_000.0],
            ["5.2e+07 shares today", "3.1e+07 shares today"],
        ),
        (
            "gainers",
            "day_gainers",
            "regularMarketChangePercent",
            [12.5, 3.25],
            ["12.5 % today", "3.25 % today"],
        ),
        (
            "losers",
            "day_losers",
            "regularMarketChangePercent",
            [-9.75, -2.5],
            ["-9.75 % today", "-2.5 % today"],
        ),
    ],
)
def test_screens_propose_symbols_as_yahoo_ranks_them(
    provider, yahoo_chart, yahoo_source, category, name, figure, scores, reasons
):
    first, second = scores
    abroad = quote("7203.T", **{figure: first}) | {"market": "jp_market"}
    yahoo_chart(screen(quote("BRK-B", **{figure: first}), abroad, quote("F", **{figure: second})))
    found = yahoo_source().blocking.discover(category, 2)
    assert [(c.symbol, c.rank, c.category, c.source) for c in found] == [
        ("BRK.B", 1, category, "yahoo"),
        ("F", 2, category, "yahoo"),
    ]
    assert [c.score for c in found] == scores
    assert [c.reason for c in found] == reasons
    assert found[0].asof == datetime(2024, 3, 8, 21, 0, 1, tzinfo=UTC)
    (params,) = [params for path, params in provider.asked if "/screener/" in path]
    assert (params["scrIds"], params["count"], params["crumb"]) == (name, "2", "crumb")


def test_a_screen_that_nothing_passes_is_empty(yahoo_chart, yahoo_source):
    yahoo_chart(screen())
    assert yahoo_source().blocking.discover("gainers") == ()


def test_a_screen_that_yahoo_has_not_is_refused_unasked(provider, yahoo_source):
    with pytest.raises(SourceError, match="expected volume_leaders or gainers or losers") as caught:
        yahoo_source().blocking.discover("trending")
    assert (caught.value.retryable, caught.value.fault, provider.asked) == (False, "unable", [])


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ((401, "Invalid Crumb"), "credentials"),
        (
            (404, {"finance": {"error": {"code": "Not Found", "description": "none"}}}),
            "unknown_symbol",
        ),
        ((429, "Too Many Requests"), "rate_limit"),
        ((502, "Bad Gateway"), "transient"),
        ((200, "Too Many Requests\r\n"), "rate_limit"),
        ((200, "<html>"), "bad_data"),
        ((200, {"finance": {"result": None, "error": None}}), "bad_data"),
        (screen({"symbol": "F", "market": "us_market"}), "bad_data"),
        (screen(quote("F", regularMarketChangePercent=None)), "bad_data"),
    ],
)
def test_screens_fail_in_the_same_words(yahoo_chart, yahoo_source, answer, fault):
    asking = yahoo_source()
    yahoo_chart(answer)
    with pytest.raises(SourceError) as caught:
        asking.blocking.discover("gainers")
    assert caught.value.fault == fault
    yahoo_chart(screen(quote("F", regularMarketChangePercent=3.0)))
    assert [c.symbol for c in asking.blocking.discover("gainers")] == ["F"]
