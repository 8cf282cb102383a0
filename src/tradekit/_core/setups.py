"""Setups: what is written of a tradable occasion, from its detection to its end."""

from __future__ import annotations

from typing import Any

import attrs

from .details import details
from .occurrence import Event, number
from .words import Word


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


@attrs.frozen(kw_only=True)
class SetupDetected(Event):
    """A tradable occasion was seen (the guide's opportunity).

    Parameters
    ----------
    time, seen_at, run, mode, setup, seq : optional but for ``time``
        As for `Event`.
    symbol, signal_type, direction : str
        What was seen.
    confidence, base_rate : float
        0 to 100; ``calibrated`` says whether it is a probability.
    calibrated : bool
        Whether the confidence was fitted out of sample.
    timeframe, source_method, signal_id : str, optional
        Which bars, who said it, and in which signal.
    price, price_target, stop_loss : float, optional
        Where it stood, and where to get out.
    details : dict
        Anything else.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> SetupDetected(datetime(2024, 3, 8, tzinfo=UTC),
    ...     symbol="SPY", signal_type="gap", direction="bullish", confidence=61.0).confidence
    61.0
    """

    symbol: str
    signal_type: str
    direction: str
    confidence: float = number()
    calibrated: bool = False
    base_rate: float | None = number(default=None)
    timeframe: str | None = None
    price: float | None = number(default=None)
    price_target: float | None = number(default=None)
    stop_loss: float | None = number(default=None)
    source_method: str | None = None
    signal_id: str | None = None
    details: dict[str, Any] = attrs.field(factory=dict, converter=details)


@attrs.frozen(kw_only=True)
class SetupExecuted(Event):
    """A setup was traded; ``stated_price`` is what the bot said, not what it was filled at.

    Parameters
    ----------
    time, seen_at, run, mode, setup, seq : optional but for ``time``
        As for `Event`.
    symbol, signal_type : str
        Which setup.
    confidence, size, stated_price : float
        What the bot said.
    unlinked : bool
        Whether it was never detected.
    details : dict
        Anything else.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> SetupExecuted(datetime(2024, 3, 8, tzinfo=UTC),
    ...     symbol="SPY", signal_type="gap", confidence=61.0, size=1).size
    1.0
    """

    symbol: str
    signal_type: str
    confidence: float = number()
    size: float = number()
    stated_price: float | None = number(default=None)
    unlinked: bool = False
    details: dict[str, Any] = attrs.field(factory=dict, converter=details)


@attrs.frozen(kw_only=True)
class SetupMissed(Event):
    """A setup was not traded: the code to count by, and the bot's own words.

    Parameters
    ----------
    time, seen_at, run, mode, setup, seq : optional but for ``time``
        As for `Event`.
    symbol, signal_type : str
        Which setup.
    code, reason : MissReason and str
        What to count by, and the bot's own words.
    confidence : float, optional
        0 to 100.
    unlinked : bool
        Whether it was never detected.
    details : dict
        Anything else.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> SetupMissed(datetime(2024, 3, 8, tzinfo=UTC),
    ...     symbol="SPY", signal_type="gap", code="regime", reason="bear").code.value
    'regime'
    """

    symbol: str
    signal_type: str
    code: MissReason = attrs.field(converter=MissReason)
    reason: str
    confidence: float | None = number(default=None)
    unlinked: bool = False
    details: dict[str, Any] = attrs.field(factory=dict, converter=details)


@attrs.frozen(kw_only=True)
class SetupResolved(Event):
    """What became of a setup, taken or not: by its target, its stop or its time.

    Parameters
    ----------
    time, seen_at, run, mode, setup, seq : optional but for ``time``
        As for `Event`.
    symbol, exit : str
        Whose, and ``target``, ``stop`` or ``timeout``.
    entry_price, exit_price, net_return : float
        Prices, and the fraction earned after costs.
    bars_held : int
        Number of bars.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> prices = {"entry_price": 10, "exit_price": 11, "net_return": 0.1}
    >>> SetupResolved(datetime(2024, 3, 8, tzinfo=UTC),
    ...     symbol="SPY", exit="target", bars_held=3, **prices).exit
    'target'
    """

    symbol: str
    exit: str
    entry_price: float = number()
    exit_price: float = number()
    net_return: float = number()
    bars_held: int
