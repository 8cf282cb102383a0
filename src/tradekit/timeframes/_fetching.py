"""Bars for all timeframes of one symbol: as planned, and once more for what is missing then."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from .._core.bars import Bars
from .._core.clock import to_ns
from .._core.errors import ContractError, NoDataError, SourceError
from .._core.source import BarsProvider
from .._core.timeframe import Timeframe
from ._align import view
from ._plan import MOST_ROWS, PlannedCall, plan_calls

Answer = Bars | SourceError


async def fetch_views(
    provider: BarsProvider, symbol: str, lookbacks: Mapping[Timeframe, int], now: datetime
) -> dict[Timeframe, Answer]:
    """Each timeframe's newest bars that are complete by now, or why there are none."""
    calls = plan_calls(lookbacks)
    answers = await _ask_all(provider, symbol, calls, now)
    views = _views(calls, answers, lookbacks, now)
    again = _second_calls(calls, answers, views, lookbacks)
    better = _views(again, await _ask_all(provider, symbol, again, now), lookbacks, now)
    views |= {each: found for each, found in better.items() if _size(found) >= _size(views[each])}
    return {each: views[each] for each in sorted(lookbacks)}


def _second_calls(
    calls: Sequence[PlannedCall],
    answers: Sequence[Answer],
    views: Mapping[Timeframe, Answer],
    lookbacks: Mapping[Timeframe, int],
) -> list[PlannedCall]:
    """More rows where many lay outside regular hours; else, what lacks most of it, directly."""
    again: list[PlannedCall] = []
    for call, answer in zip(calls, answers, strict=True):
        short = [each for each in call.serves if _size(views[each]) < lookbacks[each]]
        share = min((_size(views[each]) / lookbacks[each] for each in short), default=1.0)
        rows = call.rows * 1.1 / share if share else MOST_ROWS
        if short and _size(answer) >= call.rows < MOST_ROWS:
            again.append(PlannedCall(call.timeframe, min(int(rows), MOST_ROWS), short))
        else:
            # Vendors keep minutes for days and hours for years; their days reach as far as weeks.
            enough = 0.5 if call.timeframe.is_intraday else 0.0
            lacking = (each for each in short if _size(views[each]) <= enough * lookbacks[each])
            direct = [each for each in lacking if each != call.timeframe]
            again += [PlannedCall(each, lookbacks[each], (each,)) for each in direct]
    return again


def _size(answer: Answer) -> int:
    return len(answer) if isinstance(answer, Bars) else 0


async def _ask_all(
    provider: BarsProvider, symbol: str, calls: Iterable[PlannedCall], now: datetime
) -> list[Answer]:
    return await asyncio.gather(*(_ask(provider, symbol, call, now) for call in calls))


def _views(
    calls: Iterable[PlannedCall],
    answers: Iterable[Answer],
    lookbacks: Mapping[Timeframe, int],
    now: datetime,
) -> dict[Timeframe, Answer]:
    return {
        each: _view(answer, each, lookbacks[each], now)
        for call, answer in zip(calls, answers, strict=True)
        for each in call.serves
    }


def _view(answer: Answer, timeframe: Timeframe, lookback: int, now: datetime) -> Answer:
    if isinstance(answer, SourceError):
        return answer
    try:
        return view(answer, timeframe, lookback, to_ns(now))
    except SourceError as error:
        return error


async def _ask(provider: BarsProvider, symbol: str, call: PlannedCall, now: datetime) -> Answer:
    """What the provider says; whatever it raises, the other timeframes are still looked at."""
    try:
        if hasattr(provider, "fetch_many"):
            fetched = await provider.fetch_many((symbol,), call.timeframe, call.rows, end=now)
            return fetched[symbol]
        frame = await provider.get_market_data(symbol, call.timeframe, call.rows)
        if frame is None or not len(frame):
            return NoDataError(f"nobody has {call.timeframe} bars of {symbol}", symbol=symbol)
        return Bars.from_frame(frame, symbol, call.timeframe)
    except SourceError as error:
        return error
    except ContractError:
        raise
    except Exception as error:
        problem = f"the provider could not give {call.timeframe} bars of {symbol}"
        told = SourceError(problem, got=f"{type(error).__name__}: {error}", symbol=symbol)
        told.__cause__ = error
        return told
