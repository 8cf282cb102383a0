"""Which sources there are, in which order, and why one of them is absent."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .. import plugins
from .._core.answers import source_name
from .._core.clock import Clock, SystemClock
from .._core.doors import answer_of, breach
from .._core.errors import SourceError, UsageError
from .._core.source import Capabilities, DataSource

log = logging.getLogger("tradekit.data")

Maker = Callable[[], DataSource]
Keys = tuple[str | None, str | None]
USUAL = (DataSource.ALPACA, DataSource.IEX, DataSource.YAHOO)


def usual_sources(key: str | None, secret: str | None, clock: Clock) -> dict[str, Maker]:
    """Line up the providers that need no more than keys.

    Parameters
    ----------
    key, secret : str, optional
        Alpaca's; else it looks into the environment itself.
    clock : Clock
        Theirs.

    Returns
    -------
    dict of str to callable
        Each makes its source, or raises why it cannot be had.
    """
    return {name: _maker(name, clock, (key, secret)) for name in USUAL}


def chosen_sources(
    sources: Sequence[DataSource | str], clock: Clock, keys: Keys = (None, None)
) -> dict[str, Maker]:
    """Line up the sources that a user names or hands in.

    Parameters
    ----------
    sources : sequence of DataSource or str
        In the order in which they are asked.
    clock : Clock
        Of those that are named; the others have their own.
    keys : tuple of str
        Alpaca's, for it alone, where it is named.

    Returns
    -------
    dict of str to callable
        By name; a second source of the same name is called ``name-2``.

    Raises
    ------
    UsageError
        When there are none, or something is neither a source nor the registered name of one; or
        when there are keys and nobody who is named takes them.
    ContractError
        When a source cannot say what it can do.
    """
    makers: dict[str, Maker] = {}
    for source in sources:
        name, maker = _named(source, clock, keys)
        again = (f"{name}-{number}" for number in itertools.count(2))
        makers[name if name not in makers else next(n for n in again if n not in makers)] = maker
    if not makers:
        raise _no_source("none")
    if keys != (None, None) and DataSource.ALPACA not in sources:
        raise UsageError(
            "nobody takes these keys",
            expected="'alpaca' by its name among the sources",
            got=" and ".join(map(repr, makers)),
            hint="sources=['alpaca', ...], or sources=[AlpacaSource(key, secret), ...] alone",
        )
    return makers


def _named(source: DataSource | str, clock: Clock, keys: Keys) -> tuple[str, Maker]:
    if isinstance(source, DataSource):
        _check(source)
        return source_name(source), lambda: source
    if not isinstance(source, str) or source not in plugins.names("sources"):
        raise _no_source(repr(source))
    return source, _maker(source, clock, keys)


def _maker(name: str, clock: Clock, keys: Keys) -> Maker:
    taken = keys if name == DataSource.ALPACA and keys != (None, None) else ()

    def make() -> DataSource:
        source = plugins.load("sources", name)(*taken)
        if not isinstance(source, DataSource):
            raise _no_source(f"{name!r}, which makes a {type(source).__name__}")
        _check(source)
        source.clock = clock
        return source

    return make


def _check(source: DataSource) -> None:
    """Refuse a source that cannot say what it can do: all questions begin with that."""
    can = answer_of(source, "capabilities", lambda: source.capabilities)
    if not isinstance(can, Capabilities):
        problem, expected = "capabilities are no Capabilities", "Capabilities(...)"
        raise breach(source, problem, expected, repr(can))


def _no_source(got: str) -> UsageError:
    return UsageError(
        "no such source",
        expected=f"a DataSource, {' or '.join(map(repr, plugins.names('sources')))}",
        got=got,
        hint="sources=['alpaca', 'yahoo'], or sources=[MySource()]",
    )


class Lineup:
    """Sources by name, each made when the first call needs them.

    Parameters
    ----------
    makers : mapping of str to callable
        As `usual_sources` and `chosen_sources` give them.
    """

    def __init__(self, makers: Mapping[str, Maker]) -> None:
        self._makers = dict(makers)
        self._lock = threading.Lock()
        self._made: dict[str, DataSource | SourceError] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, present or not, in order."""
        return tuple(self._makers)

    @property
    def is_made(self) -> bool:
        """Whether they have been made."""
        return self._made is not None

    def present(self) -> dict[str, DataSource]:
        """Give the sources that there are; the first time, make them, and say so in the log."""
        return {n: source for n, source in self._all().items() if isinstance(source, DataSource)}

    def absent(self) -> dict[str, SourceError]:
        """Say of the others why they are absent."""
        return {n: why for n, why in self._all().items() if isinstance(why, SourceError)}

    def retry(self, name: str) -> None:
        """Try once more to make a source that is absent."""
        with self._lock:
            if self._made is not None and isinstance(self._made[name], SourceError):
                self._made = {**self._made, name: self._make(name)}

    def _all(self) -> dict[str, DataSource | SourceError]:
        with self._lock:
            if self._made is None:
                self._made = {name: self._make(name) for name in self._makers}
                told = [_status(name, made) for name, made in self._made.items()]
                log.info("sources: %s", "; ".join(told))
            return self._made

    def _make(self, name: str) -> DataSource | SourceError:
        try:
            return self._makers[name]()
        except SourceError as error:
            return error.with_traceback(None)
        except Exception as error:
            got = f"{type(error).__name__}: {error}"
            hint = "hand in the source itself: sources=[...]"
            return SourceError(
                f"{name} cannot be made", retryable=False, got=got, hint=hint, source=name
            )


def lineup_of(sources: Any, keys: Keys, clock: Clock | None) -> tuple[Lineup, Clock]:
    """Line up what a user hands in, or the usual sources, and choose the clock.

    Parameters
    ----------
    sources : sequence of DataSource or str, or one of them, optional
        None means the usual ones.
    keys : tuple of str
        Alpaca's.
    clock : Clock, optional
        Else that of the first source that is handed in, else the machine's.

    Returns
    -------
    tuple of Lineup and Clock
        The sources, and what time it is.
    """
    if sources is None:
        clock = clock or SystemClock()
        return Lineup(usual_sources(*keys, clock)), clock
    several = isinstance(sources, Iterable) and not isinstance(sources, str | DataSource)
    listed = list(sources) if several else [sources]
    own = (source.clock for source in listed if isinstance(source, DataSource))
    clock = clock or next(own, SystemClock())
    return Lineup(chosen_sources(listed, clock, keys)), clock


def _status(name: str, made: DataSource | SourceError) -> str:
    return f"{name} is absent ({made})" if isinstance(made, SourceError) else f"{name} is present"
