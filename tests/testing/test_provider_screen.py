from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest

from tradekit import FixedClock
from tradekit.testing._provider_dialect import Refused
from tradekit.testing._provider_market import Market, Today
from tradekit.testing._provider_screen import custom, saved


def day(symbol, before, last, volume):
    return Today(symbol, 0, before, last, last, last, volume, before)


# UP rose by 10 %, TOP by 20 %, LOW fell by 5 %.
DAYS = [day("UP", 10, 11, 3e6), day("LOW", 100, 95, 9e6), day("TOP", 1, 1.2, 1e6)]


class Three(Market):
    async def today(self, symbols):
        return {each.symbol: each for each in DAYS}


MARKET = Three(None, FixedClock(datetime(2024, 3, 8, 22, tzinfo=UTC)), ())


def quoted(reply):
    (result,) = json.loads(asyncio.run(reply).body)["finance"]["result"]
    assert result["count"] == len(result["quotes"])
    return [quote["symbol"] for quote in result["quotes"]]


def ask(query, field="percentchange", way="DESC", **paging):
    body = {"query": query, "sortField": field, "sortType": way, **paging}
    return quoted(custom(MARKET, json.dumps(body).encode()))


def test_screens_that_have_a_name_rank_everybody():
    assert quoted(saved(MARKET, {"scrIds": "day_gainers"})) == ["TOP", "UP", "LOW"]
    assert quoted(saved(MARKET, {"scrIds": "day_losers", "count": "1"})) == ["LOW"]
    assert quoted(saved(MARKET, {"scrIds": "most_actives"})) == ["LOW", "UP", "TOP"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"operator": "gt", "operands": ["percentchange", 10.5]}, ["TOP"]),
        ({"operator": "GTE", "operands": ["percentchange", 9.99]}, ["TOP", "UP"]),
        ({"operator": "btwn", "operands": ["intradayprice", 5, 50]}, ["UP"]),
        ({"operator": "is-in", "operands": ["region", "us", "gb"]}, ["TOP", "UP", "LOW"]),
        ({"operator": "lt", "operands": ["intradaymarketcap", 0]}, ["TOP", "UP", "LOW"]),
    ],
)
def test_a_criterion_holds_for_whom_it_fits_and_for_all_where_bars_do_not_tell(query, found):
    assert ask(query) == found


def test_criteria_are_joined_ranked_and_cut():
    rising = {"operator": "gt", "operands": ["percentchange", 0]}
    busy = {"operator": "gt", "operands": ["dayvolume", 2e6]}
    assert ask({"operator": "and", "operands": [rising, busy]}) == ["UP"]
    either = {"operator": "or", "operands": [rising, busy]}
    assert ask(either, "dayvolume", "asc") == ["TOP", "UP", "LOW"]
    assert ask(either, "dayvolume", "asc", offset=1, size=1) == ["UP"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"query": {"operator": "near"}}'])
def test_what_is_no_query_is_refused(body):
    with pytest.raises(Refused) as caught:
        asyncio.run(custom(MARKET, body))
    assert caught.value.reply.status == 400


def test_a_screen_that_is_not_kept_is_refused():
    with pytest.raises(Refused) as caught:
        asyncio.run(saved(MARKET, {"scrIds": "winners"}))
    assert caught.value.reply.status == 404
    with pytest.raises(Refused):
        asyncio.run(saved(MARKET, {"scrIds": "day_losers", "count": "all"}))
