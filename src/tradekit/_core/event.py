"""What happened: the base of all events, and every kind that tradekit writes."""

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
from .details import details, plain
from .errors import ContractError, UsageError
from .figures import as_float, finite
from .words import Word, words


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


class MissReason(Word):
    """Why a setup was not traded; the free text stands beside it.

    Examples
    --------
    >>> MissReason.LOW_CONFIDENCE.value
    'low_confidence'
    """

    LOW_CONFIDENCE = "low_confidence"
    LOW_EDGE = "low_edge"
    NO_CONSENSUS = "no_consensus"
    DUPLICATE = "duplicate"
    NOT_READY = "not_ready"
    REGIME = "regime"
    RISK_LIMIT = "risk_limit"
    NO_CAPITAL = "no_capital"
    NOT_TRADABLE = "not_tradable"
    MARKET_CLOSED = "market_closed"
    STALE_DATA = "stale_data"
    NO_DATA = "no_data"
    EXPIRED = "expired"
    EXECUTION_FAILED = "execution_failed"
    OTHER = "other"


def _number(**options: Any) -> Any:
    return attrs.field(converter=as_float, validator=finite, **options)


# Every kind by its name; classes enter by being written.
KINDS: dict[str, type[Event]] = {}
# What comes back from JSON equal to what it was.
_KEPT = (str, Integral, float, np.bool_, datetime, tuple, dict, type(None))


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
        for field in attrs.fields(type(self)):
            if not isinstance(value := getattr(self, field.name), _KEPT):
                raise UsageError(
                    f"{self.kind} cannot keep its {field.name}",
                    expected="a text, a number, a truth value, a time or details",
                    got=repr(value),
                    hint=f"{field.name}=str(...)",
                )

    @property
    def kind(self) -> str:
        """Name of its class."""
        return type(self).__name__

    @property
    def id(self) -> str:
        """Digest of all it says: the same event has the same id in every sink."""
        text = json.dumps(self._said(), sort_keys=True, separators=(",", ":"))
        return blake2b(text.encode(), digest_size=12).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Give the event as plain JSON values, with ``kind``, ``v`` and ``id``.

        Returns
        -------
        dict
            What `from_dict` takes; times as ISO texts.
        """
        return {"id": self.id, **self._said()}

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
        facts = {key: value for key, value in values.items() if key not in ("id", "kind", "v")}
        cls = KINDS.get(str(values.get("kind")))
        types = {field.name: field.type for field in attrs.fields(cls)} if cls else {}
        if cls is None or not set(facts) <= set(types):
            raise UsageError(
                "an event that this version does not know",
                expected=f"one of {', '.join(sorted(KINDS))}, with its own fields",
                got=f"{values.get('kind')} with fields {', '.join(facts)}",
                hint="a newer tradekit, or import the module that defines it",
            )
        try:
            return cls(**{key: _revive(types[key], value) for key, value in facts.items()})
        except TypeError as error:
            raise UsageError(
                f"an incomplete {cls.__name__}", expected="what to_dict gave", got=str(error)
            ) from error

    def _said(self) -> dict[str, Any]:
        fields = {f.name: plain(getattr(self, f.name)) for f in attrs.fields(type(self))}
        return {"kind": self.kind, "v": self.v, **fields}


def _revive(kind: Any, value: Any) -> Any:
    if "datetime" not in str(kind) or not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        hint = "datetime.isoformat()"
        raise UsageError("no time", expected="an ISO text", got=repr(value), hint=hint) from error


KINDS["Event"] = Event


@attrs.frozen(kw_only=True)
class RunStarted(Event):
    """A bot began to run."""

    name: str
    details: dict[str, Any] = attrs.field(factory=dict, converter=details)


@attrs.frozen(kw_only=True)
class RunEnded(Event):
    """A bot stopped, and why."""

    reason: str
    details: dict[str, Any] = attrs.field(factory=dict, converter=details)


@attrs.frozen(kw_only=True)
class SetupDetected(Event):
    """A tradable occasion was seen (the guide's opportunity)."""

    symbol: str
    signal_type: str
    direction: str
    confidence: float = _number()
    calibrated: bool = False
    base_rate: float | None = _number(default=None)
    timeframe: str | None = None
    price: float | None = _number(default=None)
    price_target: float | None = _number(default=None)
    stop_loss: float | None = _number(default=None)
    source_method: str | None = None
    signal_id: str | None = None
    details: dict[str, Any] = attrs.field(factory=dict, converter=details)


@attrs.frozen(kw_only=True)
class SetupExecuted(Event):
    """A setup was traded; ``stated_price`` is what the bot said, not what it was filled at."""

    symbol: str
    signal_type: str
    confidence: float = _number()
    size: float = _number()
    stated_price: float | None = _number(default=None)
    unlinked: bool = False
    details: dict[str, Any] = attrs.field(factory=dict, converter=details)


@attrs.frozen(kw_only=True)
class SetupMissed(Event):
    """A setup was not traded: the code to count by, and the bot's own words."""

    symbol: str
    signal_type: str
    code: MissReason = attrs.field(converter=MissReason)
    reason: str
    confidence: float | None = _number(default=None)
    unlinked: bool = False
    details: dict[str, Any] = attrs.field(factory=dict, converter=details)


@attrs.frozen(kw_only=True)
class SetupResolved(Event):
    """What became of a setup, taken or not: by its target, its stop or its time."""

    symbol: str
    exit: str
    entry_price: float = _number()
    exit_price: float = _number()
    net_return: float = _number()
    bars_held: int


@attrs.frozen(kw_only=True)
class TradeEntered(Event):
    """The bot says that it went in."""

    symbol: str
    side: str
    quantity: float = _number()
    stated_price: float | None = _number(default=None)
    strategy: str = ""
    unlinked: bool = False
    details: dict[str, Any] = attrs.field(factory=dict, converter=details)


@attrs.frozen(kw_only=True)
class TradeExited(Event):
    """The bot says that it got out, and why."""

    symbol: str
    side: str
    quantity: float = _number()
    stated_price: float | None = _number(default=None)
    reason: str = ""
    details: dict[str, Any] = attrs.field(factory=dict, converter=details)


@attrs.frozen(kw_only=True)
class OrderSubmitted(Event):
    """An order was handed to the broker."""

    symbol: str
    order: str
    side: str
    quantity: float = _number()
    limit_price: float | None = _number(default=None)


@attrs.frozen(kw_only=True)
class OrderFilled(Event):
    """An order was filled, in whole or in part: the only price that counts."""

    symbol: str
    order: str
    side: str
    quantity: float = _number()
    price: float = _number()
    fee: float = _number(default=0.0)


@attrs.frozen(kw_only=True)
class OrderRejected(Event):
    """The broker, or a risk limit, refused an order."""

    symbol: str
    order: str
    reason: str


@attrs.frozen(kw_only=True)
class MarketConditionChanged(Event):
    """Another kind of market is held."""

    regime: str
    confidence: float = _number()
    previous: str | None = None
    key_indicators: dict[str, Any] = attrs.field(factory=dict, converter=details)


@attrs.frozen(kw_only=True)
class WatchlistChanged(Event):
    """Which symbols are watched now, and why some came and went."""

    symbols: tuple[str, ...] = attrs.field(converter=words)
    added: dict[str, str] = attrs.field(factory=dict, converter=details)
    removed: dict[str, str] = attrs.field(factory=dict, converter=details)
    categories: dict[str, str] = attrs.field(factory=dict, converter=details)


@attrs.frozen(kw_only=True)
class SourceStatusChanged(Event):
    """A data source was disabled, restored or replaced by another."""

    source: str
    status: str
    reason: str
    health: float | None = _number(default=None)


@attrs.frozen(kw_only=True)
class ErrorOccurred(Event):
    """Something went wrong, where and with what words; never with the values of variables."""

    component: str
    message: str
    error: str | None = None
    frames: tuple[str, ...] = attrs.field(default=(), converter=words)
    details: dict[str, Any] = attrs.field(factory=dict, converter=details)


@attrs.frozen(kw_only=True)
class AlertRaised(Event):
    """Something that a person should look at."""

    name: str
    message: str
    details: dict[str, Any] = attrs.field(factory=dict, converter=details)
