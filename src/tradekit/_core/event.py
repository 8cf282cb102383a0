"""What happened: the base of all events, and every kind that tradekit writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum, StrEnum
from hashlib import blake2b
from math import isfinite
from typing import Any, ClassVar

import attrs

from .clock import to_ns
from .errors import UsageError


class Mode(StrEnum):
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


class MissReason(StrEnum):
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


def plain(value: Any) -> Any:
    """Turn free detail into JSON values; what JSON cannot say becomes its text.

    Parameters
    ----------
    value : object
        Anything that a bot hands in.

    Returns
    -------
    object
        Texts, finite numbers, booleans, None, lists and dicts with text keys.

    Examples
    --------
    >>> plain({"stop": float("nan"), "tags": ("a", 1)})
    {'stop': 'nan', 'tags': ['a', 1]}
    """
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and isfinite(value):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else str(value)


def _aware(_: Event, __: object, value: datetime) -> None:
    to_ns(value)


def _finite(event: Event, field: attrs.Attribute[float], value: float | None) -> None:
    if value is not None and not isfinite(value):
        raise UsageError(
            f"{type(event).__name__} with no number",
            expected=f"a finite {field.name}, or None when it is not known",
            got=str(value),
        )


def _number(**options: Any) -> Any:
    return attrs.field(validator=_finite, **options)


_KINDS: dict[str, type[Event]] = {}


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

    time: datetime = attrs.field(kw_only=False, validator=_aware)
    seen_at: datetime = attrs.field(
        default=attrs.Factory(lambda self: self.time, takes_self=True), validator=_aware
    )
    run: str = ""
    mode: Mode = attrs.field(default=Mode.SIMULATED, converter=Mode)
    setup: str | None = None
    seq: int = 0

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _KINDS[cls.__name__] = cls

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
            When the kind or a field is unknown.
        """
        facts = {key: value for key, value in values.items() if key not in ("id", "kind", "v")}
        cls = _KINDS.get(str(values.get("kind")))
        names = {field.name: field for field in attrs.fields(cls)} if cls else {}
        if cls is None or not set(facts) <= set(names):
            raise UsageError(
                "an event that this version does not know",
                expected=f"one of {', '.join(sorted(_KINDS))}, with its own fields",
                got=f"{values.get('kind')} with fields {', '.join(facts)}",
                hint="a newer tradekit, or import the module that defines it",
            )
        return cls(**{key: _revive(names[key], value) for key, value in facts.items()})

    def _said(self) -> dict[str, Any]:
        fields = {f.name: plain(getattr(self, f.name)) for f in attrs.fields(type(self))}
        return {"kind": self.kind, "v": self.v, **fields}


def _revive(field: attrs.Attribute[Any], value: Any) -> Any:
    if "datetime" in str(field.type) and isinstance(value, str):
        return datetime.fromisoformat(value)
    return value


@attrs.frozen(kw_only=True)
class RunStarted(Event):
    """A bot began to run."""

    name: str
    details: dict[str, Any] = attrs.field(factory=dict, converter=plain)


@attrs.frozen(kw_only=True)
class RunEnded(Event):
    """A bot stopped, and why."""

    reason: str
    details: dict[str, Any] = attrs.field(factory=dict, converter=plain)


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
    details: dict[str, Any] = attrs.field(factory=dict, converter=plain)


@attrs.frozen(kw_only=True)
class SetupExecuted(Event):
    """A setup was traded; ``stated_price`` is what the bot said, not what it was filled at."""

    symbol: str
    signal_type: str
    confidence: float = _number()
    size: float = _number()
    stated_price: float | None = _number(default=None)
    unlinked: bool = False
    details: dict[str, Any] = attrs.field(factory=dict, converter=plain)


@attrs.frozen(kw_only=True)
class SetupMissed(Event):
    """A setup was not traded: the code to count by, and the bot's own words."""

    symbol: str
    signal_type: str
    code: MissReason = attrs.field(converter=MissReason)
    reason: str
    confidence: float | None = _number(default=None)
    unlinked: bool = False
    details: dict[str, Any] = attrs.field(factory=dict, converter=plain)


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
    details: dict[str, Any] = attrs.field(factory=dict, converter=plain)


@attrs.frozen(kw_only=True)
class TradeExited(Event):
    """The bot says that it got out, and why."""

    symbol: str
    side: str
    quantity: float = _number()
    stated_price: float | None = _number(default=None)
    reason: str = ""
    details: dict[str, Any] = attrs.field(factory=dict, converter=plain)


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
    key_indicators: dict[str, Any] = attrs.field(factory=dict, converter=plain)


@attrs.frozen(kw_only=True)
class WatchlistChanged(Event):
    """Which symbols are watched now, and why some came and went."""

    symbols: tuple[str, ...] = attrs.field(converter=tuple)
    added: dict[str, str] = attrs.field(factory=dict, converter=plain)
    removed: dict[str, str] = attrs.field(factory=dict, converter=plain)
    categories: dict[str, str] = attrs.field(factory=dict, converter=plain)


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
    frames: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    details: dict[str, Any] = attrs.field(factory=dict, converter=plain)


@attrs.frozen(kw_only=True)
class AlertRaised(Event):
    """Something that a person should look at."""

    name: str
    message: str
    details: dict[str, Any] = attrs.field(factory=dict, converter=plain)
