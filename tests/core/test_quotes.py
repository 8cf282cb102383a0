from __future__ import annotations

import asyncio
from math import inf, nan

import numpy as np
import pytest

from tradekit import DataSource, SourceError


class Quoting(DataSource):
    """Quotes what it was made with."""

    def __init__(self, told):
        self._told = told

    async def _fetch(self, request):
        raise NotImplementedError

    async def _quotes(self, symbols):
        return self._told


def quotes(told, symbols="SPY"):
    return asyncio.run(Quoting(told).quotes(symbols))


@pytest.mark.parametrize(
    "quote",
    [
        {"bid": 10.0, "bid_size": 3.0, "ask": 10.1, "ask_size": 0.0},
        {"bid": 10.0},
        {"ask": 10},
        {"bid": 10.1, "ask": 10.0},  # crossed, as before the open
        {"ask": 10.0, "bid_size": 0},
        {"bid": np.float32(0.5), "ask": np.int64(1)},
        {"bid": 10.0, "change": -0.3},
    ],
)
def test_a_quote_has_a_side_and_stays_as_it_was_told(quote):
    assert quotes({"SPY": quote}) == {"SPY": quote}
    assert all(type(figure) is float for figure in quotes({"SPY": quote})["SPY"].values())


@pytest.mark.parametrize(
    ("quote", "got"),
    [
        (None, "None"),
        ("x", "'x'"),
        (5, "5"),
        ([("bid", 1.0)], "[('bid', 1.0)]"),
        ({}, "neither bid nor ask"),
        ({"bid_size": 1.0, "last": 3.0}, "neither bid nor ask"),
        ({"bid": nan, "ask": 5.0}, "bid nan"),
        ({"bid": 5.0, "ask": inf}, "ask inf"),
        ({"bid": -1.0, "ask": 5.0}, "bid -1.0"),
        ({"bid": 0.0, "ask": 5.0}, "bid 0.0"),
        ({"bid": "10", "ask": 11.0}, "bid '10'"),
        ({"bid": None, "ask": 5.0}, "bid None"),
        ({"bid": True}, "bid True"),
        ({"bid": 5.0, "bid_size": -1}, "bid_size -1"),
        ({"ask": 5.0, "ask_size": nan}, "ask_size nan"),
        ({"ask": 5.0, "venue": "V"}, "venue 'V'"),
        ({"ask": 5.0, 7: 1.0}, "7 1.0"),
    ],
)
def test_what_is_no_quote_is_bad_data(quote, got):
    with pytest.raises(SourceError, match="Quoting sent no quote of QQQ: expected") as caught:
        quotes({"SPY": {"bid": 1.0}, "QQQ": quote}, ("SPY", "QQQ"))
    error = caught.value
    assert (error.got, error.fault, error.symbol) == (got, "bad_data", "QQQ")
    assert (error.source, error.retryable) == ("Quoting", True)


def test_a_number_that_no_float_holds_is_no_price():
    with pytest.raises(SourceError, match="no quote of SPY"):
        quotes({"SPY": {"bid": 10**400}})


def test_a_symbol_without_a_quote_is_left_out_and_one_that_was_not_asked_is_not_looked_at():
    told = {"IWM": {"bid": 3.0}, "XXX": None, "SPY": {"ask": 2.0}}
    assert list(quotes(told, ("SPY", "QQQ", "IWM"))) == ["SPY", "IWM"]
