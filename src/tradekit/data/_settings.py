"""What a manager was told to do, at the moment of a call."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Generic, Literal, NoReturn, TypeVar, get_args, overload

import attrs

from .._core.errors import UsageError
from .._core.figures import count, duration, within
from .._core.request import Asked
from .._core.words import words
from ._comparison import TOLERANCE
from ._lineup import USUAL

CrossCheck = Literal["off", "sampled", "always"]
Unconfirmed = Literal["flag", "refuse"]
T = TypeVar("T")

_LONGEST = timedelta(days=3_650)


def _names(value: str | Sequence[str] | None) -> tuple[str, ...] | None:
    return None if value is None else words(value)


@attrs.frozen(kw_only=True)
class Settings:
    """What a call may cost, and what its answer is worth.

    Parameters
    ----------
    adjustment : {"all", "split", "raw"}
        What prices are adjusted for.
    timeout : timedelta
        How long it may take.
    max_errors_before_disable : int
        Questions in a row that a source fails, however many attempts each takes, until it is
        disabled.
    cool_down : timedelta, optional
        For how long it is then left alone at first; None means until it is reset.
    cache_duration : timedelta
        How long an answer is given again at most; zero always asks.
    max_stale : timedelta, optional
        How long bars may have been out of date to stand in when nobody answers; where there can be
        no newer ones they always may. None means that they never do.
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


_SETTINGS = tuple(field.name for field in attrs.fields(Settings))
_changing = threading.Lock()


class Setting(Generic[T]):
    """One of the settings, as an attribute of whoever has them."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, owner: None, kind: type) -> Setting[T]: ...
    @overload
    def __get__(self, owner: HasSettings, kind: type) -> T: ...
    def __get__(self, owner: HasSettings | None, kind: type) -> Any:
        return self if owner is None else getattr(owner._settings, self._name)

    def __set__(self, owner: HasSettings, value: T) -> None:
        with _changing:  # two threads may change two of them
            changed: dict[str, Any] = {self._name: value}
            owner._settings = attrs.evolve(owner._settings, **changed)


class HasSettings:
    """Has settings that may be changed at any time; a value that is none changes nothing."""

    adjustment, timeout = Setting[Asked](), Setting[timedelta]()
    max_errors_before_disable, cool_down = Setting[int](), Setting[timedelta | None]()
    cache_duration, max_stale = Setting[timedelta](), Setting[timedelta | None]()
    cross_check, unconfirmed = Setting[CrossCheck](), Setting[Unconfirmed]()
    tolerance, trusted = Setting[float](), Setting[Sequence[str] | None]()
    _settings: Settings
    _sources: tuple[str, ...]

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, Settings):
            _refuse_strangers(value.trusted or (), (*self._sources, *USUAL))
        elif not name.startswith("_") and not hasattr(type(self), name):
            expected, hint = ", ".join(_SETTINGS), "manager.adjustment = 'raw'"
            raise UsageError("no such setting", expected=expected, got=name, hint=hint)
        super().__setattr__(name, value)

    def __reduce__(self) -> NoReturn:
        problem, got = f"a {type(self).__name__} cannot be copied", "a pickle or a copy"
        raise UsageError(problem, got=got, hint="make one in each process")


def _refuse_strangers(trusted: Sequence[str], names: Sequence[str]) -> None:
    """Refuse to trust who is no source: it would be nobody, in silence."""
    if strangers := [name for name in trusted if name not in names]:
        expected = " or ".join(map(repr, dict.fromkeys(names)))
        raise UsageError("no such source to trust", expected=expected, got=repr(strangers))


def _lasting(name: str, value: object) -> None:
    problem, hint = f"{name} is a duration", f"{name}=timedelta(minutes=1)"
    if duration(value, problem, hint) > _LONGEST:  # no calendar reaches so far
        expected = f"{_LONGEST.days} days at most"
        raise UsageError(problem, expected=expected, got=repr(value), hint=hint)


def _among(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        expected, hint = " or ".join(map(repr, choices)), f"{name}={choices[0]!r}"
        raise UsageError(f"no such {name}", expected=expected, got=repr(value), hint=hint)
