"""Do two sources tell the same prices? What no look at one answer alone can say.

Closes are compared, on the bars that both have. Volume never is: one exchange sees a few percent
of it. On the same days and minutes, real vendors that adjust alike differ by 0.007 % at most in the
median of a hundred bars, and by 0.07 % in a single one; one exchange's minutes by a few hundredths
of a percent, now up, now down, which a median evens out.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import attrs
import numpy as np

from .._core.bars import Bars
from .._core.errors import UsageError

# Far above what real feeds differ by, and well below a dividend or a shift that could do harm.
TOLERANCE = 0.002
# Single prints may lie apart by more; so far only if a part of one answer is wrong. The newest is
# what is traded on: it is held to less.
_SINGLE, _NEWEST = 25, 5
_ENOUGH = 3


@attrs.frozen
class Comparison:
    """How far the closes of one answer lie from those of another.

    Parameters
    ----------
    common : int
        Bars that both have.
    median : float
        By how much the other's closes are higher, as a fraction; NaN without common bars.
    largest : float
        The largest difference of one bar, as a fraction, never negative; NaN without common bars.
    newest : float
        That of the newest bar that both have.
    """

    common: int
    median: float
    largest: float
    newest: float


def compare(mine: Bars, other: Bars) -> Comparison:
    """Hold two answers to the same question against each other.

    Parameters
    ----------
    mine, other : Bars
        Of one symbol, timeframe and adjustment, from two sources.

    Returns
    -------
    Comparison
        What differs.

    Raises
    ------
    UsageError
        When they cannot be compared.

    Examples
    --------
    >>> days = np.array(["2024-07-01T04:00", "2024-07-02T04:00", "2024-07-03T04:00"], "M8[ns]")
    >>> price = np.array([545.0, 549.0, 551.5])
    >>> mine, other = (Bars("SPY", "1Day", days, p, p, p, p, p) for p in (price, price * 1.01))
    >>> compared = compare(mine, other)
    >>> compared.common, round(compared.median, 6), agree(compared)
    (3, 0.01, False)
    """
    if _kind(mine) != _kind(other) or _adjusted(mine, other):
        raise UsageError(
            "these bars cannot be compared",
            expected="one symbol, timeframe and adjustment",
            got=f"{mine!r} and {other!r}",
            hint="ask both sources the same",
        )
    _, rows, others = np.intersect1d(mine.time, other.time, True, True)
    if not len(rows):
        return Comparison(0, *[float("nan")] * 3)
    apart = other.close[others] / mine.close[rows] - 1
    far = np.abs(apart)
    return Comparison(len(rows), float(np.median(apart)), float(far.max()), float(far[-1]))


def _kind(bars: Bars) -> tuple[str, str]:
    return bars.symbol, bars.timeframe


def _adjusted(mine: Bars, other: Bars) -> bool:
    """Whether they are known to be adjusted differently."""
    return len({mine.adjustment, other.adjustment} - {"unknown"}) > 1


def agree(comparison: Comparison, tolerance: float = TOLERANCE) -> bool | None:
    """Tell whether two sources tell the same prices.

    Parameters
    ----------
    comparison : Comparison
        Of their answers.
    tolerance : float
        How far the median may be from 0, as a fraction; the newest bar 5 times as far, any other
        one 25 times.

    Returns
    -------
    bool or None
        None when fewer than three bars are common: that cannot be told.

    Examples
    --------
    >>> agree(Comparison(78, 0.0001, 0.004, 0.001)), agree(Comparison(2, 0.0, 0.0, 0.0))
    (True, None)
    """
    if comparison.newest > _NEWEST * tolerance:
        return False  # however few there are
    if comparison.common < _ENOUGH:
        return None
    return abs(comparison.median) <= tolerance and comparison.largest <= _SINGLE * tolerance


def odd_one_out(answers: Mapping[str, Bars], tolerance: float = TOLERANCE) -> str | None:
    """Find the source that tells other prices than all the rest, who agree.

    Parameters
    ----------
    answers : mapping of str to Bars
        By source, to the same question.
    tolerance : float
        As for `agree`.

    Returns
    -------
    str or None
        None when there is no such source, or fewer than three answers.

    Raises
    ------
    UsageError
        When answers cannot be compared.

    Examples
    --------
    >>> days = np.array(["2024-07-01T04:00", "2024-07-02T04:00", "2024-07-03T04:00"], "M8[ns]")
    >>> price = np.array([545.0, 549.0, 551.5])
    >>> told = {"alpaca": price, "iex": price * 1.01, "yahoo": price * 1.0001}
    >>> odd_one_out({name: Bars("SPY", "1Day", days, p, p, p, p, p) for name, p in told.items()})
    'iex'
    """
    verdicts = {
        (one, two): agree(compare(answers[one], answers[two]), tolerance)
        for one, two in combinations(answers, 2)
    }
    for name in answers if len(answers) > 2 else ():
        about = {verdict for pair, verdict in verdicts.items() if name in pair}
        rest = {verdict for pair, verdict in verdicts.items() if name not in pair}
        if rest == {True} and False in about and True not in about:
            return name
    return None
