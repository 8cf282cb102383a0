"""How many symbols each category may hold: a dict that refuses bad numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._core.errors import UsageError
from .._core.figures import count
from ._members import STANDING, WatchlistCategory

DEFAULTS: dict[str, int] = {WatchlistCategory.TRENDING: 20, WatchlistCategory.VOLUME_LEADERS: 15}
MODEST = 10


class Caps(dict[Any, int]):
    """Caps by category; those that are left out have their default.

    Parameters
    ----------
    categories : iterable of str
        Of the manager's screens.
    given : mapping of str to int, optional
        Caps other than the default.

    Raises
    ------
    UsageError
        When a category has no screen, or a cap is no whole number from 1.

    Examples
    --------
    >>> caps = Caps(["trending", "opening"])
    >>> caps["trending"], caps["opening"]
    (20, 10)
    """

    def __init__(self, categories: Iterable[str], given: Mapping[Any, int] | None = None) -> None:
        self._known = {*categories, *WatchlistCategory} - {*STANDING}
        for category in categories:
            super().__setitem__(category, DEFAULTS.get(category, MODEST))
        if given is not None and not isinstance(given, Mapping):
            raise UsageError("caps have categories", expected="a dict", got=repr(given))
        self.update(given or {})

    def __setitem__(self, category: str, most: int) -> None:
        if category not in self._known:
            raise UsageError(
                "a cap for a category without a screen",
                expected=" or ".join(sorted(self._known)),
                got=repr(category),
                hint="held and static symbols are outside the caps",
            )
        super().__setitem__(category, _most(most))

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several caps, each checked."""
        for category, most in dict(*args, **kwargs).items():
            self[category] = most

    def of(self, category: str) -> int:
        """Tell the cap of a category, its default where somebody took it out.

        Parameters
        ----------
        category : str
            Of a screen.

        Returns
        -------
        int
            From 1.
        """
        return _most(self.get(category, DEFAULTS.get(category, MODEST)))


def _most(value: object) -> int:
    hint = "20, or leave the screen out: screens=[...]"
    return count(value, "a cap counts symbols", hint)
