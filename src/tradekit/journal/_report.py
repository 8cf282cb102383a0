"""Reports as plain text: the funnel first, what was missed, and no profit headline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_MOST = 10


def report_text(title: str, mode: str, summary: dict[str, Any], missed: dict[str, Any]) -> str:
    """Lay a summary and the analysis of what was missed out as lines of text."""
    sections = (
        _heading(title, mode),
        _funnel(summary),
        _misses(missed),
        _market(summary),
        _money(mode, summary),
    )
    return "\n".join(line for section in sections for line in section) + "\n"


def _heading(title: str, mode: str) -> Iterator[str]:
    text = f"{title} ({mode})"
    yield from (text, "=" * len(text))


def _funnel(summary: dict[str, Any]) -> Iterator[str]:
    yield "Setups"
    for word in ("detected", "executed", "missed", "undecided", "unlinked"):
        number = summary[f"opportunities_{word}"]
        if number or word in ("detected", "executed", "missed"):
            yield f"  {word:<10}{number:>7}"
    rate = f"{summary['capture_rate']:.1f}%" if summary["capture_rate_known"] else "no setups"
    yield f"  {'captured':<10}{rate:>7}"


def _misses(missed: dict[str, Any]) -> Iterator[str]:
    yield "Missed, by reason, and what that would have earned a trade, after costs"
    if not missed["reasons"]:
        yield "  none"
    for reason, number in list(missed["reasons"].items())[:_MOST]:
        yield f"  {number:>5}  {_cut(reason):<44} {_outcome(missed['outcomes'][reason])}"
    if (rest := len(missed["reasons"]) - _MOST) > 0:
        yield f"  and {rest} more reasons"


def _outcome(outcome: dict[str, Any]) -> str:
    pending = f"{outcome['pending']} pending"
    if not outcome["resolved"]:
        return pending
    return (
        f"{outcome['mean_net_return']:+.2%} on average, {outcome['hit_rate_percent']:.0f}% at "
        f"target, {outcome['resolved']} resolved, {pending}"
    )


def _market(summary: dict[str, Any]) -> Iterator[str]:
    yield f"Market regime: {summary['regime'] or 'unknown'}"
    for change in summary["regime_changes"]:
        was, now = change["from"] or "unknown", change["to"]
        yield f"  {change['time'][:16]}Z  {was} -> {now} ({change['confidence']:.0f}%)"
    yield f"Errors: {summary['errors']}"


def _money(mode: str, summary: dict[str, Any]) -> Iterator[str]:
    if summary["pnl"] is None:
        yield "Fills: none, so there is no profit or loss to state"
    else:
        yield f"Fills: {summary['fills']}, realised {summary['pnl']:+.2f} after fees ({mode})"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 44 else f"{line[:43]}…"
