"""Names of what is installed, and one of them at a time: entry points.

A package registers its classes under ``tradekit.sources``, ``tradekit.detectors``,
``tradekit.regimes``, ``tradekit.sinks`` or ``tradekit.screens``; the built-in ones stand there too.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
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
    found = {point.name for point in _registered(kind)}
    if not found:
        raise PluginError(
            f"nothing is registered under tradekit.{kind}",
            expected="at least the built-in ones",
            got="an empty group",
            hint="install tradekit with pip, so that its entry points are written",
            kind=kind,
        )
    return tuple(sorted(found))


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
    UsageError
        When there is no such kind.
    PluginError
        When the name is unknown, stands for two things, or its module cannot be imported; the
        cause is chained. It carries ``kind`` and ``name``.

    Examples
    --------
    >>> load("sources", "simulated").__name__
    'SimulatedSource'
    """
    points = {point.value: point for point in _registered(kind) if point.name == name}
    if not points:
        hint = "check the spelling, or install the package that brings it"
        known = " or ".join(names(kind))
        raise _refusal(kind, name, "is not registered", known, repr(name), hint)
    if len(points) > 1:
        got, hint = " and ".join(sorted(points)), "remove one of the packages that bring it"
        raise _refusal(kind, name, "is registered twice", "one thing by that name", got, hint)
    ((value, point),) = points.items()
    try:
        return point.load()
    except Exception as error:
        expected, got = f"{value} to be importable", f"{type(error).__name__}: {error}"
        hint = "update or remove the package that brings it"
        raise _refusal(kind, name, "cannot be loaded", expected, got, hint) from error


def _refusal(kind: str, name: str, problem: str, expected: str, got: str, hint: str) -> PluginError:
    sentence = f"{kind[:-1]} {name!r} {problem}"
    return PluginError(sentence, expected=expected, got=got, hint=hint, kind=kind, name=name)


def _registered(kind: str) -> tuple[EntryPoint, ...]:
    if kind not in KINDS:
        raise UsageError(
            "no such kind of plug-in",
            expected=" or ".join(KINDS),
            got=repr(kind),
            hint="names('sources')",
        )
    group = f"tradekit.{kind}"
    return tuple(entry_points(group=group)) or _written(group)


@cache
def _written(group: str) -> tuple[EntryPoint, ...]:
    """What a checkout that is run as it lies there would register, were it installed."""
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    if not project.is_file():
        return ()
    import tomllib

    points = tomllib.loads(project.read_text("utf-8"))["project"]["entry-points"].get(group, {})
    return tuple(EntryPoint(name, value, group) for name, value in points.items())
