"""What happened: the base of all events, written and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from numbers import Integral
from typing import Any, ClassVar

import attrs
import numpy as np

from .clock import to_utc
from .details import plain
from .errors import ContractError, UsageError
from .figures import as_float, finite
from .words import Word


class Mode(Word):
    """Whose money it is.

    Examples
    --------
    >>> Mode("paper") is Mode.PAPER
    True
    """

    SIMULATED = "simulated"
    REPLAY = "replay"
    PAPER = "paper"
    LIVE = "live"


# Every kind by its name; classes enter by being written.
KINDS: dict[str, type[Event]] = {}
# What `_fields` found: asking attrs each time costs as much as the event itself.
_FIELDS: dict[type[Event], tuple[tuple[str, ...], tuple[str, ...]]] = {}
# What comes back from JSON equal to what it was; the slow check of Integral last.
_KEPT = (str, type(None), datetime, float, int, dict, tuple, np.bool_, Integral)
_compact = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def number(**options: Any) -> Any:
    """Make a field of an event that holds a finite number.

    Parameters
    ----------
    **options : object
        As for `attrs.field`; with ``default=None`` it may also be None.

    Returns
    -------
    object
        What `attrs.field` gives.
    """
    return attrs.field(converter=as_float, validator=finite, **options)


@attrs.frozen(kw_only=True)
class Event:
    """Something that happened, when, and when it was known.

    Subclass it with ``@attrs.frozen(kw_only=True)`` for kinds of your own; they can be written
    and read back like the built-in ones.

    Parameters
    ----------
    time : datetime
        When it happened, aware UTC; may be given without its name.
    seen_at : datetime, optional
        When it became known; ``time`` unless said otherwise.
    run : str
        Which run of the bot wrote it.
    mode : Mode
        Whose money it is.
    setup : str, optional
        Which setup it belongs to.
    seq : int
        Counter within the run: two equal things that happen at once are two events.

    Examples
    --------
    >>> from datetime import UTC
    >>> from tradekit.journal import ErrorOccurred
    >>> event = ErrorOccurred(datetime(2024, 3, 8, tzinfo=UTC), component="data", message="gone")
    >>> Event.from_dict(event.to_dict()) == event, event.kind
    (True, 'ErrorOccurred')
    """

    v: ClassVar[int] = 1

    time: datetime = attrs.field(kw_only=False, converter=to_utc)
    seen_at: datetime = attrs.field(
        default=attrs.Factory(lambda self: self.time, takes_self=True), converter=to_utc
    )
    run: str = ""
    mode: Mode = attrs.field(default=Mode.SIMULATED, converter=Mode)
    setup: str | None = None
    seq: int = 0

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        known = KINDS.setdefault(cls.__name__, cls)
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ContractError(
                f"two kinds of events are named {cls.__name__}",
                expected=f"the one in {known.__module__}",
                got=f"another one in {cls.__module__}",
                hint="another name: it is what is written, and what is read back",
            )
        KINDS[cls.__name__] = cls  # attrs makes a class twice, and a notebook as often as it likes

    def __attrs_post_init__(self) -> None:
        for name in _fields(type(self))[0]:
            if not isinstance(value := getattr(self, name), _KEPT):
                raise UsageError(
                    f"{self.kind} cannot keep its {name}",
                    expected="a text, a number, a truth value, a time or details",
                    got=repr(value),
                    hint=f"{name}=str(...)",
                )

    @property
    def kind(self) -> str:
        """Name of its class."""
        return type(self).__name__

    @property
    def id(self) -> str:
        """Digest of all it says: the same event has the same id in every sink."""
        return _digest(self._said())

    def to_dict(self) -> dict[str, Any]:
        """Give the event as plain JSON values, with ``kind``, ``v`` and ``id``.

        Returns
        -------
        dict
            What `from_dict` takes; times as ISO texts.
        """
        said = self._said()
        return {"id": _digest(said), **said}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Event:
        """Build an event from what `to_dict` gave.

        Parameters
        ----------
        values : mapping
            With ``kind``; fields of a newer version that are not known here are refused.

        Returns
        -------
        Event
            Of its own class.

        Raises
        ------
        UsageError
            When the kind or a field is unknown, or one is missing.
        """
        facts = dict(values)
        facts.pop("id", None)
        facts.pop("v", None)
        cls = KINDS.get(str(kind := facts.pop("kind", None)))
        names, times = _fields(cls) if cls else ((), ())
        if cls is None or not facts.keys() <= set(names):
            raise UsageError(
                "an event that this version does not know",
                expected=f"one of {', '.join(sorted(KINDS))}, with its own fields",
                got=f"{kind} with fields {', '.join(facts)}",
                hint="a newer tradekit, or import the module that defines it",
            )
        for name in times:
            if isinstance(facts.get(name), str):
                facts[name] = _revive(facts[name])
        try:
            return cls(**facts)
        except TypeError as error:
            raise UsageError(
                f"an incomplete {cls.__name__}", expected="what to_dict gave", got=str(error)
            ) from error

    def _said(self) -> dict[str, Any]:
        fields = {name: plain(getattr(self, name)) for name in _fields(type(self))[0]}
        return {"kind": self.kind, "v": self.v, **fields}


def _fields(cls: type[Event]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Fields of a kind, in their order, and those of them that are times."""
    if cls not in _FIELDS:
        fields = attrs.fields(cls)
        times = tuple(field.name for field in fields if "datetime" in str(field.type))
        _FIELDS[cls] = tuple(field.name for field in fields), times
    return _FIELDS[cls]


def _digest(said: dict[str, Any]) -> str:
    return blake2b(_compact(said).encode(), digest_size=12).hexdigest()


def _revive(value: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        hint = "datetime.isoformat()"
        raise UsageError("no time", expected="an ISO text", got=repr(value), hint=hint) from error


KINDS["Event"] = Event
