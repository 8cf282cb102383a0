"""Bars for all timeframes of one symbol: as planned, and what is missing then one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime

from .._core.bars import Bars
from .._core.clock import to_ns
from .._core.errors import ContractError, NoDataError, SourceError
from .._core.source import BarsProvider
from .._core.timeframe import Timeframe
from ._align import view
from ._plan import PlannedCall, direct_calls, plan_calls

Views = dict[Timeframe, Bars | SourceError]


async def fetch_views(
    provider: BarsProvider, symbol: str, lookbacks: Mapping[Timeframe, int], now: datetime
) -> Views:
    """Each timeframe's newest bars that are complete by now, or why there are none."""
    calls = plan_calls(lookbacks)
    views = await _carry_out(provider, symbol, calls, lookbacks, now)
    asked = {call.timeframe for call in calls}
    missing = [each for each in lookbacks if each not in asked and _failed(views[each])]
    again = direct_calls(lookbacks, missing)
    views.update(await _carry_out(provider, symbol, again, lookbacks, now))
    return {each: views[each] for each in sorted(lookbacks)}


async def _carry_out(
    provider: BarsProvider,
    symbol: str,
    calls: Iterable[PlannedCall],
    lookbacks: Mapping[Timeframe, int],
    now: datetime,
) -> Views:
    planned = tuple(calls)
    answers = await asyncio.gather(*(_ask(provider, symbol, call, now) for call in planned))
    return {
        each: _view(answer, each, lookbacks[each], now)
        for call, answer in zip(planned, answers, strict=True)
        for each in call.serves
    }


def _view(
    answer: Bars | SourceError, timeframe: Timeframe, lookback: int, now: datetime
) -> Bars | SourceError:
    if isinstance(answer, SourceError):
        return answer
    try:
        return view(answer, timeframe, lookback, to_ns(now))
    except SourceError as error:
        return error


async def _ask(
    provider: BarsProvider, symbol: str, call: PlannedCall, now: datetime
) -> Bars | SourceError:
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


def _failed(answer: Bars | SourceError) -> bool:
    return isinstance(answer, SourceError)
