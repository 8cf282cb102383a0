"""Do two sources tell the same prices? What no look at one answer alone can say.

Prices are compared, on the bars that both have. Volume never is: one exchange sees a few percent
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
from .._core.faults import PRICES
from ._freshness import SPARSE

# Far above what real feeds differ by, and well below a dividend or a shift that could do harm.
TOLERANCE = 0.002
_ENOUGH, _TENTH = 3, 0.1
# How many times as far as closes in the median may lie apart: other prices in the median, nine
# closes in ten, the newest, any. Where an exchange sees a trade in one minute of four, its highs
# are lower, and the last trade of its bars may be an old one.
_WHOLE, _SPARSE = (1, 1, 2, 5), (3, 5, 5, 25)


@attrs.frozen
class Comparison:
    """How far the prices of one answer lie from those of another, as fractions; NaN without any.

    Parameters
    ----------
    common : int
        Bars that both have.
    median : float
        By how much the other's closes are higher in the median.
    others : float
        The same of opens, highs or lows: whichever lie farthest apart.
    most : float
        So far apart lie nine closes in ten at most; never negative, as all that follow.
    newest : float
        The closes of the newest bar that both have.
    largest : float
        Those of any bar.
    is_sparse : bool
        Whether one of them is of a tape that sees few trades.
    """

    common: int
    median: float
    others: float
    most: float
    newest: float
    largest: float
    is_sparse: bool = attrs.field(default=False, kw_only=True)


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
        return Comparison(0, *[float("nan")] * 5)
    apart = [getattr(other, name)[others] / getattr(mine, name)[rows] - 1 for name in PRICES]
    *medians, median = map(float, np.median(apart, axis=1))
    far = np.abs(apart[-1])
    most = float(np.quantile(far, 1 - _TENTH, method="lower"))
    closes = most, float(far[-1]), float(far.max())
    return Comparison(
        len(rows), median, max(medians, key=abs), *closes, is_sparse=_sparse(mine, other)
    )


def reaches(mine: Bars, other: Bars) -> bool:
    """Tell whether another answer has the newest bars too, so that it can bear them out.

    Parameters
    ----------
    mine, other : Bars
        As for `compare`.

    Returns
    -------
    bool
        False where more than one of mine come after the last that both have; of a tape that sees
        few trades, where more than a tenth do.
    """
    common = np.isin(mine.time, other.time)
    after = len(mine) - 1 - int(np.flatnonzero(common)[-1]) if common.any() else len(mine)
    return after <= max(1, _TENTH * len(mine) * _sparse(mine, other))


def _sparse(mine: Bars, other: Bars) -> bool:
    return not {mine.feed, other.feed}.isdisjoint(SPARSE)


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
        How far prices may lie apart in the median, as a fraction, and nine closes in ten; the
        newest close twice as far, any other one 5 times. Where a tape sees few trades, closes in
        the median; 3 times as far other prices, 5 times nine closes in ten and the newest, and 25
        times any other one.

    Returns
    -------
    bool or None
        None when fewer than three bars are common: that cannot be told.

    Examples
    --------
    >>> agree(Comparison(78, *[0.0001] * 5)), agree(Comparison(2, *[0.0] * 5))
    (True, None)
    """
    others, most, newest, single = _SPARSE if comparison.is_sparse else _WHOLE
    if comparison.newest > newest * tolerance:
        return False  # however few there are
    if comparison.common < _ENOUGH:
        return None
    return (
        abs(comparison.median) <= tolerance
        and abs(comparison.others) <= others * tolerance
        and comparison.most <= most * tolerance
        and comparison.largest <= single * tolerance
    )


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
