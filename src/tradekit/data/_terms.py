"""On what terms a manager answers: its settings at the moment of a call."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal, get_args

import attrs

from .._core.errors import UsageError
from .._core.figures import count, duration, within
from .._core.request import Asked
from .._core.words import words
from ._second_opinion import TOLERANCE

CrossCheck = Literal["off", "sampled", "always"]
Unconfirmed = Literal["flag", "refuse"]


def _names(value: str | Sequence[str] | None) -> tuple[str, ...] | None:
    return None if value is None else words(value)


@attrs.frozen(kw_only=True)
class Terms:
    """What a call may cost, and what its answer is worth.

    Parameters
    ----------
    adjustment : {"all", "split", "raw"}
        What prices are adjusted for.
    timeout : timedelta
        How long it may take.
    max_errors_before_disable : int
        Failed calls in a row until a source is disabled.
    cool_down : timedelta, optional
        For how long it is then left alone at first; None means until it is reset.
    cache_duration : timedelta
        How long the newest bars are kept at most; zero keeps nothing.
    max_stale : timedelta, optional
        How long bars may have been out of date to stand in when nobody answers; None means that
        they never do.
    cross_check : {"off", "sampled", "always"}
        Which answers are held against another source's.
    unconfirmed : {"flag", "refuse"}
        What becomes of an answer that no other source bears out.
    tolerance : float
        How far prices of two sources may lie apart in the median, as a fraction; single ones more.
    trusted : tuple of str, optional
        Sources that are good enough to open a trade on; None means all.

    Raises
    ------
    UsageError
        When a value is none of these.
    """

    adjustment: Asked = "all"
    timeout: timedelta = timedelta(seconds=8)
    max_errors_before_disable: int = 5
    cool_down: timedelta | None = timedelta(minutes=1)
    cache_duration: timedelta = timedelta(minutes=5)
    max_stale: timedelta | None = None
    cross_check: CrossCheck = "off"
    unconfirmed: Unconfirmed = "flag"
    tolerance: float = TOLERANCE
    trusted: tuple[str, ...] | None = attrs.field(default=None, converter=_names)

    def __attrs_post_init__(self) -> None:
        _lasting("timeout", self.timeout)
        if self.cache_duration != timedelta(0):
            _lasting("cache_duration", self.cache_duration)
        for name in ("cool_down", "max_stale"):
            if getattr(self, name) is not None:
                _lasting(name, getattr(self, name))
        hint = "max_errors_before_disable=5"
        count(self.max_errors_before_disable, "errors are counted", hint)
        _among("adjustment", self.adjustment, get_args(Asked))
        _among("cross_check", self.cross_check, get_args(CrossCheck))
        _among("unconfirmed", self.unconfirmed, get_args(Unconfirmed))
        within("the tolerance", self.tolerance, 0, 1)
        if not all(isinstance(name, str) for name in self.trusted or ()):
            expected, hint = "names of sources", "trusted=['alpaca']"
            got = repr(self.trusted)
            raise UsageError("no such trusted", expected=expected, got=got, hint=hint)


SETTINGS = frozenset(field.name for field in attrs.fields(Terms))
_changing = threading.Lock()


def change(owner: object, name: str, value: object) -> None:
    """Change one of the settings that an object has as attributes, and its ``_terms`` with it.

    Parameters
    ----------
    owner : object
        Whose.
    name : str
        Which.
    value : object
        What it is from now on.

    Raises
    ------
    UsageError
        When it cannot be; then nothing has changed.
    """
    held = vars(owner)
    with _changing:  # two threads may change two of them
        terms = attrs.evolve(held.get("_terms") or Terms(), **{name: value})
        held |= {"_terms": terms, name: getattr(terms, name)}


def _lasting(name: str, value: object) -> None:
    duration(value, f"{name} is a duration", f"{name}=timedelta(minutes=1)")


def _among(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        expected, hint = " or ".join(map(repr, choices)), f"{name}={choices[0]!r}"
        raise UsageError(f"no such {name}", expected=expected, got=repr(value), hint=hint)
