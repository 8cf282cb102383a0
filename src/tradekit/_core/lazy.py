"""Packages whose names are loaded when they are first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def front(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the ``__getattr__`` and ``__dir__`` of a package that loads its names late.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    homes : mapping of str to str
        The module of each public name, seen from the package: ``"_scanner"``, ``".._core.event"``.

    Returns
    -------
    tuple of callable
        Both functions.

    Examples
    --------
    >>> load, names = front("json", {"JSONDecoder": "decoder"})
    >>> load("JSONDecoder").__name__, names()
    ('JSONDecoder', ['JSONDecoder'])
    """

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = homes[name]
        return getattr(import_module(home if home[0] == "." else f".{home}", package), name)

    return load, lambda: list(homes)
