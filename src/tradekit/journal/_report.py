"""Reports as plain text: the funnel first, what was missed, and no profit headline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_MOST = 10
# A report stands in a box of 100 columns.
_WIDTH = 92
_REASON = 40


def report_text(title: str, mode: str, summary: dict[str, Any], missed: dict[str, Any]) -> str:
    """Lay a summary and the analysis of what was missed out as lines of text."""
    sections = (
        _heading(title, mode),
        _funnel(summary),
        _misses(missed),
        _market(summary),
        _money(mode, summary),
    )
    return "\n".join(_cut(line, _WIDTH) for section in sections for line in section)


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
        return
    yield _row("missed", "reason", "ended", "at target", "mean net", "pending")
    for reason, number in list(missed["reasons"].items())[:_MOST]:
        yield _row(number, _cut(_line(reason), _REASON), *_outcome(missed["outcomes"][reason]))
    if (rest := len(missed["reasons"]) - _MOST) > 0:
        yield f"  and {rest} more reasons"


def _row(*cells: object) -> str:
    missed, reason, ended, hits, earned, pending = cells
    return f"  {missed:>6}  {reason:<{_REASON}}  {ended:>5}  {hits:>9}  {earned:>8}  {pending:>7}"


def _outcome(outcome: dict[str, Any]) -> tuple[object, ...]:
    ended, pending = outcome["resolved"], outcome["pending"]
    if not ended:
        return ended, "-", "-", pending
    hits, earned = outcome["hit_rate_percent"], outcome["mean_net_return"]
    return ended, f"{hits:.0f}%", f"{earned:+.2%}", pending


def _market(summary: dict[str, Any]) -> Iterator[str]:
    yield f"Market regime: {_line(summary['regime'] or 'unknown')}"
    for change in summary["regime_changes"]:
        was, now = _line(change["from"] or "unknown"), _line(change["to"])
        yield f"  {change['time'][:16]}Z  {was} -> {now} ({change['confidence']:.0f}%)"
    yield f"Errors: {summary['errors']}"


def _money(mode: str, summary: dict[str, Any]) -> Iterator[str]:
    if summary["pnl"] is None:
        yield "Fills: none, so there is no profit or loss to state"
    else:
        yield f"Fills: {summary['fills']}, realised {summary['pnl']:+.2f} after fees ({mode})"


def _line(text: str) -> str:
    """A bot's own words in one line."""
    return " ".join(text.split())


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
