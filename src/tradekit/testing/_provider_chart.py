"""A chart as Yahoo writes it: what a symbol is, hours, stamps, columns, splits and dividends."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from .._core.calendar import Calendar
from .._core.clock import NS
from .._core.columns import Float, Int
from .._core.faults import COLUMNS
from .._core.timeframe import Timeframe
from ._provider_actions import Action
from ._provider_rows import Rows

RANGES = {"1d": 1, "5d": 5, "1mo": 21, "3mo": 63, "6mo": 126, "1y": 252, "2y": 504, "5y": 1260}
_BEFORE, _AFTER = 330 * 60, 240 * 60  # seconds of pre-market from 04:00, and after the close


def meta(name: str, interval: str, asked: str, calendar: Calendar, now: int) -> dict[str, Any]:
    """What Yahoo says beside the bars of whatever window."""
    newest = _newest(calendar, now)
    current = {part: spans[0][0] for part, spans in _hours(calendar, np.array([newest])).items()}
    return {
        "currency": "USD",
        "symbol": name,
        "exchangeName": "NMS",
        "fullExchangeName": "NasdaqGS",
        "instrumentType": "EQUITY",
        "regularMarketTime": min(now, int(calendar.closes[newest])) // NS,
        "hasPrePostMarketData": True,
        "gmtoffset": current["regular"]["gmtoffset"],
        "timezone": current["regular"]["timezone"],
        "exchangeTimezoneName": calendar.tz,
        "longName": name,
        "shortName": name,
        "priceHint": 2,
        "currentTradingPeriod": current,
        "dataGranularity": interval,
        "range": asked,
        "validRanges": [*RANGES, "10y", "ytd", "max"],
    }


def periods(rows: Rows, calendar: Calendar, *, wide: bool) -> Any:
    """The hours of the sessions that bars lie in: the regular ones, or those around them too."""
    session = calendar.locate(rows.time)
    hours = _hours(calendar, np.unique(session[session >= 0]))
    return hours if wide else hours["regular"]


def columns(rows: Rows, timeframe: Timeframe, calendar: Calendar, now: int) -> dict[str, Any]:
    """Stamps and prices, each a list of its own."""
    if not len(rows):
        return {"indicators": {"quote": [{}]}}
    indicators = {"quote": [{name: _listed(rows.columns[name]) for name in COLUMNS}]}
    if "adjclose" in rows.columns:
        indicators["adjclose"] = [{"adjclose": _listed(rows.columns["adjclose"])}]
    stamps = rows.time if timeframe.is_intraday else _stamps(rows.time, timeframe, calendar, now)
    return {"timestamp": (stamps // NS).tolist(), "indicators": indicators}


def _stamps(labels: Int, timeframe: Timeframe, calendar: Calendar, now: int) -> Int:
    """Stamp days with the moment of their open, and today with that of its newest price."""
    session, newest = calendar.session(labels, timeframe), _newest(calendar, now)
    stamps = np.where(session >= 0, calendar.opens[session], labels)
    if timeframe == "1Day" and calendar.sessions[newest] == calendar.dates(np.array([now]))[0]:
        stamps[session == newest] = min(now, int(calendar.closes[newest]))
    return stamps


def _newest(calendar: Calendar, now: int) -> int:
    return int(calendar.opens.searchsorted(now, side="right")) - 1


def events(found: Sequence[Action], kinds: Collection[str]) -> dict[str, Any]:
    """The kinds that are asked for and that there are, by their stamp."""
    told: dict[str, Any] = {}
    for action in found:
        stamp = action.time // NS
        if action.dividend and "div" in kinds:
            paid = {"amount": action.dividend, "date": stamp}
            told.setdefault("dividends", {})[str(stamp)] = paid
        if action.split != 1 and not {"split", "splits"}.isdisjoint(kinds):
            new, old = action.split.as_integer_ratio()
            ratio = {"numerator": new, "denominator": old, "splitRatio": f"{new}:{old}"}
            told.setdefault("splits", {})[str(stamp)] = {"date": stamp, **ratio}
    return told


def _hours(calendar: Calendar, sessions: Int) -> dict[str, list[list[dict[str, Any]]]]:
    """Hours before, in and after the regular ones of some sessions."""
    hours: dict[str, list[list[dict[str, Any]]]] = {"pre": [], "regular": [], "post": []}
    opens, closes = calendar.opens[sessions] // NS, calendar.closes[sessions] // NS
    for opened, closed in zip(opens.tolist(), closes.tolist(), strict=True):
        local = datetime.fromtimestamp(opened, ZoneInfo(calendar.tz))
        offset = local.utcoffset() or timedelta(0)
        facts = {"timezone": local.tzname(), "gmtoffset": int(offset.total_seconds())}
        bounds = pairwise((opened - _BEFORE, opened, closed, closed + _AFTER))
        for spans, (start, end) in zip(hours.values(), bounds, strict=True):
            spans.append([{**facts, "start": start, "end": end}])
    return hours


def _listed(column: Float) -> list[float | None]:
    return [None if value != value else value for value in column.tolist()]  # noqa: PLR0124 - NaN
