"""What a person reads of the aggregate's answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from textwrap import fill
from typing import TYPE_CHECKING

from .._core.signal import Direction, Signal

if TYPE_CHECKING:
    from ._answer import AggregatedSignals
    from ._glance import NotReady

_WIDTH = 100
_LABEL = 10


def explain(said: AggregatedSignals) -> str:
    """Tell in a few lines what looked, what fired, what was held back and what is missing.

    Parameters
    ----------
    said : AggregatedSignals
        The answer.

    Returns
    -------
    str
        Plain ASCII; one line for each fact that there is. Where there are no signals, it says
        also that none was too weak.
    """
    return "\n".join([_title(said), *_table(said), *(_line(*fact) for fact in _facts(said))])


def short_names(looked: Iterable[str]) -> dict[str, str]:
    """Give each detector's class for a name, and its parameters where the class looked twice.

    Parameters
    ----------
    looked : iterable of str
        Detectors as signals carry them, by ``source_method``.

    Returns
    -------
    dict of str to str
        By ``source_method``, in the same order.

    Examples
    --------
    >>> short_names(["Gap/1", "Rsi(period=14)/1"])
    {'Gap/1': 'Gap', 'Rsi(period=14)/1': 'Rsi'}
    >>> list(short_names(["Rsi(period=7)/1", "Rsi(period=14)/1"]).values())
    ['Rsi(period=7)', 'Rsi(period=14)']
    """
    classes = {name: name.rpartition("/")[0].partition("(")[0] for name in looked}
    times = Counter(classes.values())
    return {
        name: short if times[short] == 1 else name.rpartition("/")[0]
        for name, short in classes.items()
    }


def counted(number: int, noun: str) -> str:
    """Write a number and what it counts.

    Parameters
    ----------
    number : int
        How many.
    noun : str
        In the singular.

    Returns
    -------
    str
        With an s where there is not one.

    Examples
    --------
    >>> counted(1, "bar"), counted(78, "bar"), counted(0, "signal")
    ('1 bar', '78 bars', 'no signals')
    """
    return f"{number or 'no'} {noun}{'s' * (number != 1)}"


def _title(said: AggregatedSignals) -> str:
    where = f"{said.symbol} {said.timeframe}, {counted(said.bars, 'bar')}"
    return (
        f"<AggregatedSignals of {where} until {said.time:%Y-%m-%d %H:%M} UTC: "
        f"{counted(len(said), 'signal')}>"
    )


def _table(said: AggregatedSignals) -> Iterator[str]:
    if said:
        heads = " ".join(f"{head:>10}" for head in ("price", "target", "stop"))
        yield f"  {'direction':9} {'conf':>5} {'base':>5} {heads}  by"
    for signal in said:
        levels = signal.price, signal.price_target, signal.stop_loss
        prices = " ".join(f"{_price(level):>10}" for level in levels)
        rate = "-" if signal.base_rate is None else f"{signal.base_rate:.0f}"
        notes = ", warming" * signal.warmup + ", heuristic" * (not signal.calibrated)
        who = f"{said.names[signal.source_method]} ({signal.family}){notes}"
        yield f"  {signal.direction:9} {signal.confidence:5.0f} {rate:>5} {prices}  {who}"


def _price(level: float | None) -> str:
    if level is None:
        return "-"
    return f"{level:.2f}" if level >= 1 else f"{level:.4g}"


def _facts(said: AggregatedSignals) -> Iterator[tuple[str, str]]:
    claims = partial(_claims, said)
    looked = ", ".join(said.names[name] for name in said.looked)
    yield "looked", f"{counted(len(said.looked), 'detector')}: {looked}"
    yield "fired", claims(said.fired) or "none at the last bar"
    if said.duplicates:
        yield "duplicates", f"{claims(said.duplicates)} (one signal a family and direction)"
    if said.below_threshold or not said:
        edge = "" if said.min_edge is None else f" or min_edge={said.min_edge:g}"
        limits = f"min_confidence={said.min_confidence:g}{edge}"
        yield "below", f"{claims(said.below_threshold) or 'none'} (below {limits})"
    if said.against_consensus:
        voted = f"{_votes(said)}; consensus_threshold={said.consensus_threshold:g}"
        label = "conflict" if said.conflict else "outvoted"
        yield label, f"{claims(said.against_consensus)} ({voted})"
    for name, problem in said.errors.items():
        yield "failed", f"{said.names[name]} could not look: {problem}"
    yield from _missing(said)


def _claims(said: AggregatedSignals, signals: Iterable[Signal]) -> str:
    return ", ".join(
        f"{said.names[signal.source_method]} {signal.direction} {signal.confidence:.0f}"
        for signal in signals
    )


def _votes(said: AggregatedSignals) -> str:
    families = {side: [f for f, vote in said.votes.items() if vote == side] for side in Direction}
    return "; ".join(f"{side}: {', '.join(who) or 'nobody'}" for side, who in families.items())


def _missing(said: AggregatedSignals) -> Iterator[tuple[str, str]]:
    if said.not_ready:
        lacks = sorted(said.not_ready.items(), key=lambda item: (-item[1].needed, item[0]))
        needs = ", ".join(f"{said.names[name]} {_need(said, lack)}" for name, lack in lacks)
        yield "not ready", f"{len(lacks)} of {len(said.looked)}: {needs}"
    if said.limit:
        asked = f'"{said.symbol}", "{said.timeframe}", limit={said.limit}'
        yield "try", f"{said.limit} bars: get_market_data({asked})"


def _need(said: AggregatedSignals, lack: NotReady) -> str:
    """Say what is missing: bars, bars without a gap, or an input that nobody knows."""
    needs = f"needs {counted(lack.needed, 'bar')}"
    if lack.needed > said.bars:
        return needs
    if lack.needed > lack.there:
        return f"{needs} without a gap and has {lack.there}"
    return f"{needs} and has them, but not all that it looks at is known"


def _line(label: str, text: str) -> str:
    return fill(f"  {label:{_LABEL}} {text}", _WIDTH, subsequent_indent=" " * (_LABEL + 3))
