"""What Alpaca can be asked, as its contract says it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime

import numpy as np

from .._core.clock import to_ns
from .._core.timeframe import Timeframe
from ._provider_dialect import Refused
from ._provider_rows import calendar_of

PLACES = ("us", "us-1", "us-2", "eu-1", "bs-1")  # where pairs are traded
_FEEDS = ("sip", "iex", "otc", "boats")
_LATEST_FEEDS = (*_FEEDS, "delayed_sip", "overnight")
_STOCK, _PAIR = re.compile(r"[A-Z][A-Z0-9]*(\.[A-Z0-9]+)?"), re.compile(r"[A-Z0-9]+/[A-Z0-9]+")
# Months are Alpaca's too; the truth has none.
_LENGTH = re.compile(r"([1-9]|[1-5]\d)(Min|T)|([1-9]|1\d|2[0-3])(Hour|H)|1(Day|D|Week|W)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_OLDEST, _LATEST = 1904, 2196  # years that are of any use; both leap
_MOMENT = re.compile(rf"{_DATE.pattern}T\d\d:\d\d:\d\d(\.\d{{1,9}})?(Z|[+-]\d\d:\d\d)")
# By the parts that can be asked for together; no dividends alone, and no spin-offs, are known.
_ADJUSTMENTS = {
    frozenset(parts): kind
    for kind, *parts in (
        ("raw", "raw"),
        ("raw", "spin-off"),
        ("split", "split"),
        ("split", "split", "spin-off"),
        ("all", "all"),
        ("all", "split", "dividend"),
        ("all", "split", "dividend", "spin-off"),
    )
}


def invalid(what: str) -> Refused:
    """Say which parameter cannot be."""
    return Refused({"message": f"invalid {what}"}, 400)


def among(name: str, value: str, known: Iterable[str]) -> str:
    """Take one of several words."""
    if value not in known:
        raise invalid(f"{name}: {value}")
    return value


def number(params: Mapping[str, str], name: str, default: int, most: int) -> int:
    """Take a whole number from 1."""
    text = params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise invalid(f"{name}: {text}")
    return int(text)


def dollars(params: Mapping[str, str]) -> None:
    """Refuse prices in another currency: the truth has them in dollars alone."""
    among("currency", params.get("currency", "USD"), ("USD",))


def symbols(params: Mapping[str, str], pairs: bool = False) -> list[str]:
    """Take names in order, each once; one that cannot be refuses all."""
    named = sorted(set(filter(None, params.get("symbols", "").split(","))))
    if not named:
        raise invalid("symbols: none")
    for symbol in named:
        if not (_PAIR if pairs else _STOCK).fullmatch(symbol):
            raise invalid(f"symbol: {symbol}")
    return named


def timeframe(params: Mapping[str, str]) -> Timeframe:
    """Take the length of bars."""
    text = params.get("timeframe", "")
    if not _LENGTH.fullmatch(text):
        raise invalid(f"timeframe: {text}")
    return Timeframe(text)


def feed(params: Mapping[str, str], *, latest: bool = False) -> str:
    """Take a tape."""
    return among("feed", params.get("feed", "sip"), _LATEST_FEEDS if latest else _FEEDS)


def adjustment(params: Mapping[str, str]) -> str:
    """Take what prices are adjusted for."""
    text = params.get("adjustment", "raw")
    kind = _ADJUSTMENTS.get(frozenset(text.split(",")))
    if kind is None:
        raise invalid(f"adjustment: {text}")
    return kind


def span(params: Mapping[str, str], now: int, symbol: str) -> tuple[int, int]:
    """First and last label, both included; a date means that whole day of the exchange."""
    start, end = (_bounds(params, name, symbol) for name in ("start", "end"))
    today = calendar_of(symbol).dates(np.array([now]))
    first = int(calendar_of(symbol).labels(today)[0]) if start is None else start[0]
    last = now if end is None else end[1]
    if start and end and last < first:
        raise Refused({"message": "end should not be before start"}, 400)
    return first, last


def _bounds(params: Mapping[str, str], name: str, symbol: str) -> tuple[int, int] | None:
    """The first and the last moment that a parameter means."""
    if name not in params:
        return None
    text = params[name]
    try:
        is_date = bool(_DATE.fullmatch(text))
        if is_date or _MOMENT.fullmatch(text):
            year = min(max(int(text[:4]), _OLDEST), _LATEST)
            moment = datetime.fromisoformat(f"{year}{text[4:]}")
            return _whole_day(moment, symbol) if is_date else (to_ns(moment), to_ns(moment))
    except ValueError:
        pass  # the 30th of February
    raise invalid(f"{name}: {text}")


def _whole_day(date: datetime, symbol: str) -> tuple[int, int]:
    begins, over = calendar_of(symbol).labels(np.datetime64(date, "D") + np.arange(2)).tolist()
    return begins, over - 1


def stamp(ns: int) -> str:
    """Write a moment."""
    text = str(np.datetime64(int(ns), "ns"))
    return f"{text.rstrip('0').rstrip('.')}Z"
