"""One door, one hook: what the four interfaces share."""

from __future__ import annotations

from abc import ABC
from typing import Any, ClassVar

from .errors import ContractError


class Interface(ABC):
    """A class whose public verbs check what goes in and comes out, and whose hooks are yours.

    ``_doors`` maps each door to the hook behind it. A subclass that replaces a door, itself or
    through a mixin, would lose the checks, so it cannot be made.
    """

    _doors: ClassVar[dict[str, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _check_doors(cls)

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        # Once more: a mixin may swallow __init_subclass__, and classes can be patched later.
        _check_doors(cls)
        return super().__new__(cls)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _check_doors(cls: type[Interface]) -> None:
    for owner in reversed(cls.__mro__):
        for door, hook in vars(owner).get("_doors", {}).items():
            _check_door(cls, owner, door, hook)


def _check_door(cls: type[Interface], owner: type, door: str, hook: str) -> None:
    if getattr(cls, door) is vars(owner)[door]:
        return
    culprit = next(base for base in cls.__mro__ if door in vars(base))
    through = "" if culprit is cls else f" through {culprit.__name__}"
    raise ContractError(
        f"{cls.__name__} overrides {owner.__name__}.{door}{through}",
        expected=f"{door} to stay as it is: it checks what goes in and comes out",
        got=f"another {door}",
        hint=f"write {hook} instead",
    )
