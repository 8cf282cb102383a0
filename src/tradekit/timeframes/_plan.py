"""Few calls for many timeframes: what is fetched, and what is made out of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from .._core.timeframe import Timeframe

# More rows than this cost more than another call; sources answer at most about so many at once.
MOST_ROWS = 10_000
# Vendors count these from the open as well as by the clock: both fall on the same grid. Longer
# ones they label by clock hours, which mix what came before the open with what came after it.
_BASES = tuple(map(Timeframe, ("1Min", "5Min", "15Min", "30Min")))


def _timeframes(names: Iterable[str]) -> tuple[Timeframe, ...]:
    return tuple(map(Timeframe, names))


@attrs.frozen
class PlannedCall:
    """One call to the provider, and the timeframes that are made out of its bars.

    Parameters
    ----------
    timeframe : Timeframe
        What is fetched.
    rows : int
        How many bars.
    serves : tuple of Timeframe
        What is looked at: itself or longer.

    Examples
    --------
    >>> PlannedCall("1Min", 4515, ("1Min", "15Min")).serves
    ('1Min', '15Min')
    """

    timeframe: Timeframe = attrs.field(converter=Timeframe)
    rows: int
    serves: tuple[Timeframe, ...] = attrs.field(converter=_timeframes)


def plan_calls(lookbacks: Mapping[Timeframe, int]) -> tuple[PlannedCall, ...]:
    """Cover all timeframes with few calls of at most `MOST_ROWS` rows each.

    Greedy, from the shortest on: take the base that serves most of what is left, and of those
    the one with the fewest rows.
    """
    left, calls = sorted(lookbacks), []
    while left:
        options = [_call(base, left, lookbacks) for base in _bases(left)]
        best = max(options, key=lambda call: (len(call.serves), -call.rows))
        calls.append(best)
        left = [timeframe for timeframe in left if timeframe not in best.serves]
    return tuple(calls)


def rows_needed(base: Timeframe, timeframe: Timeframe, lookback: int) -> int:
    """How many bars make so many longer ones, wherever in a session they are cut.

    One more than they hold at most: the first may lack its beginning as the last lacks its end. A
    week holds seven days where the market never closes.
    """
    return lookback if base == timeframe else (lookback + 1) * (timeframe.seconds // base.seconds)


def _bases(left: list[Timeframe]) -> list[Timeframe]:
    """What may serve the shortest one that is left."""
    first = left[0]
    if first <= _BASES[-1] or not first.is_intraday:
        return [first]
    return [base for base in _BASES if first.seconds % base.seconds == 0] or [first]


def _call(
    base: Timeframe, left: list[Timeframe], lookbacks: Mapping[Timeframe, int]
) -> PlannedCall:
    need = {each: rows_needed(base, each, lookbacks[each]) for each in left if _makes(base, each)}
    serves = [each for each in need if need[each] <= MOST_ROWS or each == left[0]]
    return PlannedCall(base, max(need[each] for each in serves), serves)


def _makes(base: Timeframe, longer: Timeframe) -> bool:
    """Whether bars of one length add up to another's; days are fetched, not added up."""
    return base.is_intraday == longer.is_intraday and longer.seconds % base.seconds == 0
