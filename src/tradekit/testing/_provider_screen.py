"""Yahoo's screens: the ones that it keeps by name, and one's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ._provider_dialect import Refused, Reply, reply
from ._provider_market import Market, Today

SAVED, CUSTOM = "/v1/finance/screener/predefined/saved", "/v1/finance/screener"
_CHANGE = "percentchange"
_SAVED = {"most_actives": "dayvolume", "day_gainers": _CHANGE, "day_losers": _CHANGE}
_FIELDS: Mapping[str, Callable[[Today], Any]] = {
    "ticker": lambda day: day.symbol,
    "region": lambda _: "us",
    _CHANGE: lambda day: day.percent,
    "dayvolume": lambda day: day.volume,
    "eodvolume": lambda day: day.volume,
    "intradayprice": lambda day: day.last,
    "eodprice": lambda day: day.last,
    "intradaypricechange": lambda day: day.change,
}
_TESTS: Mapping[str, Callable[..., bool]] = {
    "eq": lambda value, wanted: bool(value == wanted),
    "gt": lambda value, least: bool(value > least),
    "lt": lambda value, most: bool(value < most),
    "gte": lambda value, least: bool(value >= least),
    "lte": lambda value, most: bool(value <= most),
    "btwn": lambda value, least, most: bool(least <= value <= most),
    "is-in": lambda value, *wanted: value in wanted,
}


async def saved(market: Market, params: Mapping[str, str]) -> Reply:
    """Answer with the first of a screen that Yahoo keeps; nobody is too small for it here."""
    name = params.get("scrIds", "")
    if name not in _SAVED:
        raise _refused("Not Found", f"No screener {name}", 404)
    count = params.get("count", "25")
    if not count.isdecimal():
        raise _refused("Bad Request", f"Invalid count: {count}", 400)
    days = (await market.today(market.symbols)).values()
    return _told(name, _sorted(days, _SAVED[name], name == "day_losers"), 0, int(count))


async def custom(market: Market, body: bytes) -> Reply:
    """Answer to a query: criteria on what bars do not tell (size, sector) hold for everybody."""
    days = (await market.today(market.symbols)).values()
    try:
        asked = json.loads(body)
        fitting = [day for day in days if _fits(day, asked["query"])]
        ranked = _sorted(fitting, asked["sortField"], asked["sortType"].upper() == "ASC")
        size = asked.get("size") or asked.get("count") or 25
        return _told("custom", ranked, asked.get("offset") or 0, size)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise _refused("Bad Request", f"Invalid query: {error}", 400) from None


def _fits(day: Today, query: Mapping[str, Any]) -> bool:
    operator, operands = query["operator"].lower(), query["operands"]
    if operator in ("and", "or"):
        together = all if operator == "and" else any
        return together([_fits(day, part) for part in operands])
    field, *wanted = operands
    return field not in _FIELDS or _TESTS[operator](_FIELDS[field](day), *wanted)


def _sorted(days: Iterable[Today], field: str, rising: bool) -> list[Today]:
    """Rank by a field that bars tell, else by name; who ties stands by name."""
    named = sorted(days, key=lambda day: day.symbol)
    return sorted(named, key=_FIELDS.get(field, _FIELDS["ticker"]), reverse=not rising)


def _told(name: str, ranked: Sequence[Today], start: int, count: int) -> Reply:
    quotes = [_quote(day) for day in ranked[start : start + count]]
    result = {
        "id": name,
        "title": name.replace("_", " ").capitalize(),
        "canonicalName": name.upper(),
        "start": start,
        "count": len(quotes),
        "total": len(ranked),
        "quotes": quotes,
    }
    return reply({"finance": {"result": [result], "error": None}})


def _refused(code: str, description: str, status: int) -> Refused:
    told = {"code": code, "description": description}
    return Refused({"finance": {"result": None, "error": told}}, status)


def _quote(day: Today) -> dict[str, Any]:
    return {
        "symbol": day.symbol,
        "shortName": day.symbol,
        "quoteType": "EQUITY",
        "currency": "USD",
        "regularMarketPrice": day.last,
        "regularMarketChange": day.change,
        "regularMarketChangePercent": day.percent,
        "regularMarketOpen": day.open,
        "regularMarketDayHigh": day.high,
        "regularMarketDayLow": day.low,
        "regularMarketVolume": int(day.volume),
        "regularMarketPreviousClose": day.before,
        "bid": day.bid,
        "ask": day.ask,
    }
