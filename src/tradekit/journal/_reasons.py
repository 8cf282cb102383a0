"""Codes to count by, read off the bot's own words."""

from __future__ import annotations

import re

from .._core.event import MissReason

# How bots begin their reasons, beside the codes themselves.
_BEGINNINGS = {
    "below_threshold": MissReason.LOW_CONFIDENCE,
    "confidence": MissReason.LOW_CONFIDENCE,
    "edge": MissReason.LOW_EDGE,
    "consensus": MissReason.NO_CONSENSUS,
    "already": MissReason.DUPLICATE,
    "warm": MissReason.NOT_READY,
    "risk": MissReason.RISK_LIMIT,
    "max_positions": MissReason.RISK_LIMIT,
    "daily_loss": MissReason.RISK_LIMIT,
    "insufficient": MissReason.NO_CAPITAL,
    "no_buying_power": MissReason.NO_CAPITAL,
    "buying_power": MissReason.NO_CAPITAL,
    "halted": MissReason.NOT_TRADABLE,
    "closed": MissReason.MARKET_CLOSED,
    "stale": MissReason.STALE_DATA,
    "missing_data": MissReason.NO_DATA,
    "undecided": MissReason.EXPIRED,
    "execution": MissReason.EXECUTION_FAILED,
    "order_rejected": MissReason.EXECUTION_FAILED,
    "rejected": MissReason.EXECUTION_FAILED,
}
_CODES = {code.value: code for code in MissReason} | _BEGINNINGS


def code_of(reason: str) -> MissReason:
    """Find the code that a reason begins with, the longest first; OTHER where there is none."""
    words = re.sub(r"[^a-z0-9]+", "_", reason.lower()).strip("_")
    fitting = [start for start in _CODES if f"{words}_".startswith(f"{start}_")]
    return _CODES[max(fitting, key=len)] if fitting else MissReason.OTHER
