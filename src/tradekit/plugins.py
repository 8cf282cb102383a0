"""Names of what is installed, and one of them at a time: entry points.

A package registers its classes under ``tradekit.sources``, ``tradekit.detectors``,
``tradekit.regimes``, ``tradekit.sinks`` or ``tradekit.screens``; the built-in ones stand there too.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ._core.errors import PluginError, UsageError

__all__ = ["KINDS", "load", "names"]

KINDS = ("sources", "detectors", "regimes", "sinks", "screens")


def names(kind: str) -> tuple[str, ...]:
    """Name what is registered, without loading any of it.

    Parameters
    ----------
    kind : {"sources", "detectors", "regimes", "sinks", "screens"}
        What to look for.

    Returns
    -------
    tuple of str
        Names in alphabetical order.

    Raises
    ------
    UsageError
        When there is no such kind.
    PluginError
        When nothing is registered, which no installation should show.

    Examples
    --------
    >>> "simulated" in names("sources")
    True
    """
    found = tuple(sorted(_registered(kind)))
    if not found:
        raise PluginError(
            f"nothing is registered under tradekit.{kind}",
            expected="at least the built-in ones",
            got="an empty group",
            hint="install tradekit with pip, so that its entry points are written",
        )
    return found


def load(kind: str, name: str) -> Any:
    """Load one registered object, and nothing else.

    Parameters
    ----------
    kind : {"sources", "detectors", "regimes", "sinks", "screens"}
        What it is.
    name : str
        Its registered name.

    Returns
    -------
    object
        The class or function.

    Raises
    ------
    PluginError
        When the name is unknown, or its module cannot be imported; the cause is chained.

    Examples
    --------
    >>> load("sources", "simulated").__name__
    'SimulatedSource'
    """
    known = names(kind)
    if name not in known:
        raise PluginError(
            f"no {kind[:-1]} is registered as {name!r}",
            expected=" or ".join(known),
            got=repr(name),
            hint="check the spelling, or install the package that brings it",
        )
    point = _registered(kind)[name]
    try:
        return point.load()
    except Exception as error:
        raise PluginError(
            f"{kind[:-1]} {name!r} cannot be loaded",
            expected=f"{point.value} to be importable",
            got=f"{type(error).__name__}: {error}",
            hint="update or remove the package that brings it",
            name=name,
        ) from error


def _registered(kind: str) -> dict[str, EntryPoint]:
    if kind not in KINDS:
        raise UsageError(
            "no such kind of plug-in",
            expected=" or ".join(KINDS),
            got=repr(kind),
            hint="names('sources')",
        )
    return {point.name: point for point in entry_points(group=f"tradekit.{kind}")}
