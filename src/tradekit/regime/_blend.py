"""Several assets, one regime: their probabilities are averaged, bar after bar."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import groupby
from typing import cast

import attrs

from .._core.analysis import Regime, RegimeAnalysis
from .._core.errors import UsageError
from .._core.figures import as_float
from .._core.regime import RegimeModel
from ._course import Course, Shares

_FIRST = 0.67  # what served best of what was tried: equal weights were worse for the first asset

Words = Mapping[str, RegimeAnalysis]


@attrs.frozen
class Blend:
    """How assets that each say something come to say one thing.

    Parameters
    ----------
    model : RegimeModel
        Whose name and persistence it has.
    weights : dict of str to float
        Of each asset, in their order.
    patience : timedelta
        How far an asset may lag for its last word to count.
    """

    model: RegimeModel
    weights: dict[str, float]
    patience: timedelta

    def fold(
        self, course: Course, words: Words, news: Mapping[str, tuple[RegimeAnalysis, ...]]
    ) -> tuple[Course, dict[str, RegimeAnalysis]]:
        """Take what is new in order of time; what comes late changes no step that was taken.

        Parameters
        ----------
        course : Course
            Up to now.
        words : mapping of str to RegimeAnalysis
            What each asset said last.
        news : mapping of str to tuple of RegimeAnalysis
            What each has said since.

        Returns
        -------
        Course
            A new one.
        dict of str to RegimeAnalysis
            What each asset says last now.
        """
        said = [(each.time, name, each) for name, several in news.items() for each in several]
        last = dict(words)
        for time, together in groupby(sorted(said, key=lambda item: item[0]), lambda item: item[0]):
            last |= {name: each for _, name, each in together}
            if time > course.time:
                shares = self.shares(speakers(self.current(last, time)))
                course = course.advance(time, shares, self.model.persistence)
        return course, last

    def current(self, words: Words, time: datetime) -> dict[str, RegimeAnalysis]:
        """Leave out who lags too far.

        Parameters
        ----------
        words : mapping of str to RegimeAnalysis
            What each asset said last.
        time : datetime
            The moment that is spoken of.

        Returns
        -------
        dict of str to RegimeAnalysis
            In the order of the weights.
        """
        named = {name: words[name] for name in self.weights if name in words}
        return {n: said for n, said in named.items() if time - said.time <= self.patience}

    def shares(self, spoken: Words) -> Shares:
        """Average probabilities; the weight of the silent is shared out in proportion.

        Parameters
        ----------
        spoken : mapping of str to RegimeAnalysis
            At least one.

        Returns
        -------
        dict of Regime to float
            Adding up to 1.
        """
        total = sum(self.weights[name] for name in spoken)
        parts = [(self.weights[name] / total, said) for name, said in spoken.items()]
        return {r: sum(part * said.probabilities[r] for part, said in parts) for r in Regime}

    def analysis(self, course: Course, words: Words) -> RegimeAnalysis:
        """Tell what is held, and why.

        Parameters
        ----------
        course : Course
            After at least one bar.
        words : mapping of str to RegimeAnalysis
            What the assets say that are up to date, at least one.

        Returns
        -------
        RegimeAnalysis
            As of the last bar.
        """
        spoken, held = speakers(words), cast("Regime", course.regime)
        shares, first = self.shares(spoken), next(iter(words.values()))
        others = sum(said.regime != held for said in words.values())
        return RegimeAnalysis(
            course.time,
            held,
            shares,
            course.since,
            self.model.model,
            key_indicators={
                **first.key_indicators,
                **_breadth(words),
                "disagreement": others / len(words),
            },
            pending=course.pending(shares, self.model.persistence),
            per_asset={name: said.regime for name, said in words.items()},
            warmup=all(said.warmup for said in spoken.values()),
        )


def speakers(words: Words) -> dict[str, RegimeAnalysis]:
    """Choose whose word counts: the warm ones, if there are any.

    Parameters
    ----------
    words : mapping of str to RegimeAnalysis
        What the assets say that are up to date.

    Returns
    -------
    dict of str to RegimeAnalysis
        In the same order.
    """
    return {name: said for name, said in words.items() if not said.warmup} or dict(words)


def weights_for(names: tuple[str, ...], given: Mapping[str, float] | None) -> dict[str, float]:
    """Weigh assets as told, else two thirds for the first and the rest for the others alike.

    Parameters
    ----------
    names : tuple of str
        Of the assets, most important first.
    given : mapping of str to float, optional
        As told.

    Returns
    -------
    dict of str to float
        In the order of the names.

    Raises
    ------
    UsageError
        When an asset has no weight, or one that is not above zero.

    Examples
    --------
    >>> weights_for(("SPY", "QQQ"), None)
    {'SPY': 0.67, 'QQQ': 0.32999999999999996}
    """
    if given is None:
        rest = (1 - _FIRST) / max(len(names) - 1, 1)
        return {name: rest if row else _FIRST for row, name in enumerate(names)}
    weights = {name: as_float(given.get(name)) for name in names}
    for name, weight in weights.items():
        if not isinstance(weight, float) or not 0 < weight < float("inf"):
            raise UsageError(
                f"{name} needs a weight",
                expected="a finite number above zero",
                got=repr(weight),
                hint=f"weights={{{name!r}: 0.67, ...}}, or None to share them out",
            )
    return weights


def _breadth(words: Words) -> dict[str, float]:
    """Fraction of the assets above their mean, of those that know it."""
    distances = [said.key_indicators.get("distance_to_mean_percent") for said in words.values()]
    known = [distance > 0 for distance in distances if distance is not None]
    return {"breadth": sum(known) / len(known)} if known else {}
