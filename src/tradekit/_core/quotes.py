"""What a source quotes for a symbol, held against what a quote is."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

from .answers import source_name
from .errors import SourceError
from .figures import as_float

if TYPE_CHECKING:
    from .source import DataSource


def quote_of(source: DataSource, symbol: str, told: Any) -> dict[str, float]:
    """Take what a source tells of one symbol for a quote, or say why it is none.

    Parameters
    ----------
    source : DataSource
        Who told it.
    symbol : str
        Of whom.
    told : object
        What its hook gave.

    Returns
    -------
    dict of str to float
        At least one of ``bid`` and ``ask``, above zero; perhaps their sizes, and figures of the
        source's own. The bid may be above the ask: so it is at times before the open.

    Raises
    ------
    SourceError
        When it is no quote; its ``fault`` is ``bad_data``.
    """
    if (flaw := _flaw(told)) is None:
        return {name: float(figure) for name, figure in told.items()}
    raise SourceError(
        f"{source_name(source)} sent no quote of {symbol}",
        expected="bid, ask or both above zero, sizes not below, and nothing but finite numbers",
        got=flaw,
        hint="leave out what is not known: a side, or the symbol",
        source=source_name(source),
        symbol=symbol,
        fault="bad_data",
    )


def _flaw(told: Any) -> str | None:
    if not isinstance(told, Mapping):
        return repr(told)
    if "bid" not in told and "ask" not in told:
        return "neither bid nor ask"
    items = told.items()
    return next((f"{name} {said!r}" for name, said in items if not _can_be(name, said)), None)


def _can_be(name: object, said: Any) -> bool:
    try:
        figure = as_float(said)
    except OverflowError:  # a whole number beyond all floats
        return False
    if not isinstance(name, str) or not isinstance(figure, float) or not isfinite(figure):
        return False
    if name in ("bid", "ask"):
        return figure > 0
    return figure >= 0 or name not in ("bid_size", "ask_size")
