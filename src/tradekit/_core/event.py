"""Every kind of event that tradekit writes: those of the bot and its world here, others beside."""

from __future__ import annotations

from typing import Any

import attrs

from .details import details
from .occurrence import KINDS, Event, Mode, number
from .setups import MissReason, SetupDetected, SetupExecuted, SetupMissed, SetupResolved
from .trades import OrderFilled, OrderRejected, OrderSubmitted, TradeEntered, TradeExited
from .words import words

__all__ = [
    "KINDS",
    "AlertRaised",
    "ErrorOccurred",
    "Event",
    "MarketConditionChanged",
    "MissReason",
    "Mode",
    "OrderFilled",
    "OrderRejected",
    "OrderSubmitted",
    "RunEnded",
    "RunStarted",
    "SetupDetected",
    "SetupExecuted",
    "SetupMissed",
    "SetupResolved",
    "SourceStatusChanged",
    "TradeEntered",
    "TradeExited",
    "WatchlistChanged",
]


@attrs.frozen(kw_only=True)
class RunStarted(Event):
    """A bot began to run.

    Parameters
    ----------
    time, seen_at, run, mode, setup, seq : optional but for ``time``
        As for `Event`.
    name : str
        Of the bot.
    details : dict
        Anything else.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> RunStarted(datetime(2024, 3, 8, tzinfo=UTC), name="bot").name
    'bot'
    """

    name: str
    details: dict[str, Any] = attrs.field(factory=dict, converter=details)


@attrs.frozen(kw_only=True)
class RunEnded(Event):
    """A bot stopped, and why.

    Parameters
    ----------
    time, seen_at, run, mode, setup, seq : optional but for ``time``
        As for `Event`.
    reason : str
        Why it stopped.
    details : dict
        Anything else.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> RunEnded(datetime(2024, 3, 8, tzinfo=UTC), reason="closed").reason
    'closed'
    """

    reason: str
    details: dict[str, Any] = attrs.field(factory=dict, converter=details)


@attrs.frozen(kw_only=True)
class MarketConditionChanged(Event):
    """Another kind of market is held.

    Parameters
    ----------
    time, seen_at, run, mode, setup, seq : optional but for ``time``
        As for `Event`.
    regime, previous : str
        What is held now, and what was.
    confidence : float
        0 to 100.
    key_indicators : dict
        The numbers behind it.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> MarketConditionChanged(datetime(2024, 3, 8, tzinfo=UTC),
    ...     regime="bear", confidence=70).regime
    'bear'
    """

    regime: str
    confidence: float = number()
    previous: str | None = None
    key_indicators: dict[str, Any] = attrs.field(factory=dict, converter=details)


@attrs.frozen(kw_only=True)
class WatchlistChanged(Event):
    """Which symbols are watched now, and why some came and went.

    Parameters
    ----------
    time, seen_at, run, mode, setup, seq : optional but for ``time``
        As for `Event`.
    symbols : tuple of str
        All that are watched.
    added, removed : dict
        Symbols, and why.
    categories : dict
        How each category fares.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> WatchlistChanged(datetime(2024, 3, 8, tzinfo=UTC),
    ...     symbols=["SPY"], added={"SPY": "held"}).symbols
    ('SPY',)
    """

    symbols: tuple[str, ...] = attrs.field(converter=words)
    added: dict[str, str] = attrs.field(factory=dict, converter=details)
    removed: dict[str, str] = attrs.field(factory=dict, converter=details)
    categories: dict[str, str] = attrs.field(factory=dict, converter=details)


@attrs.frozen(kw_only=True)
class SourceStatusChanged(Event):
    """A data source was disabled, restored or replaced by another.

    Parameters
    ----------
    time, seen_at, run, mode, setup, seq : optional but for ``time``
        As for `Event`.
    source, status, reason : str
        Who, what and why.
    health : float, optional
        0 to 100.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> SourceStatusChanged(datetime(2024, 3, 8, tzinfo=UTC),
    ...     source="yahoo", status="disabled", reason="5 errors").status
    'disabled'
    """

    source: str
    status: str
    reason: str
    health: float | None = number(default=None)


@attrs.frozen(kw_only=True)
class ErrorOccurred(Event):
    """Something went wrong, where and with what words; never with the values of variables.

    Parameters
    ----------
    time, seen_at, run, mode, setup, seq : optional but for ``time``
        As for `Event`.
    component, message, error : str
        Where, in what words, and of which type.
    frames : tuple of str
        Files, lines and functions.
    details : dict
        Anything else.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> ErrorOccurred(datetime(2024, 3, 8, tzinfo=UTC), component="data", message="gone").message
    'gone'
    """

    component: str
    message: str
    error: str | None = None
    frames: tuple[str, ...] = attrs.field(default=(), converter=words)
    details: dict[str, Any] = attrs.field(factory=dict, converter=details)


@attrs.frozen(kw_only=True)
class AlertRaised(Event):
    """Something that a person should look at.

    Parameters
    ----------
    time, seen_at, run, mode, setup, seq : optional but for ``time``
        As for `Event`.
    name, message : str
        What it is about.
    details : dict
        Anything else.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> AlertRaised(datetime(2024, 3, 8, tzinfo=UTC), name="health", message="below 80").name
    'health'
    """

    name: str
    message: str
    details: dict[str, Any] = attrs.field(factory=dict, converter=details)
