"""One door, one hook: what the four interfaces share."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable
from typing import Any, ClassVar, Self

from .errors import ContractError, UsageError


class Interface(ABC):
    """A class whose public verbs check what goes in and comes out, and whose hooks are yours.

    ``_doors`` maps each door to the hook behind it. A subclass that replaces a door, itself or
    through a mixin, would lose the checks, so it cannot be made. ``_kit`` names the checks that
    try a subclass in every way.
    """

    _doors: ClassVar[dict[str, str]] = {}
    _kit: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _check_doors(cls)

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        # Once more: a mixin may swallow __init_subclass__, and classes can be patched later.
        _check_doors(cls)
        if (args or kwargs) and cls.__init__ is object.__init__:
            # Python would pass over them here. Their values may be keys: they are not shown.
            got = ", ".join([*(type(each).__name__ for each in args), *kwargs])
            hint = "write an __init__ that keeps them, or set them on the object"
            raise UsageError(f"{cls.__name__} takes nothing", got=got, hint=hint)
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


class Author(Interface):
    """An interface whose answers say who gave them: class, parameters and version."""

    version: str = "1"

    def __repr__(self) -> str:
        public = [f"{k}={v!r}" for k, v in vars(self).items() if not k.startswith("_")]
        return f"{type(self).__name__}({', '.join(public)})"

    @property
    def _signature(self) -> str:
        return f"{self!r}".removesuffix("()") + f"/{self.version}"


def answer_of(author: Interface, name: str, hook: Callable[..., Any], *args: Any) -> Any:
    """Call a hook; whatever it raises is for its author to mend.

    Parameters
    ----------
    author : Interface
        Whose hook.
    name : str
        What the hook is called.
    hook : callable
        The hook.
    *args : object
        What it takes.

    Returns
    -------
    object
        What it gives.

    Raises
    ------
    ContractError
        When it raises anything; the cause is chained.
    """
    try:
        return hook(*args)
    except ContractError:
        raise
    except Exception as error:
        got = f"{type(error).__name__}: {error}"
        raise breach(author, f"{name} raised", "an answer", got) from error


def breach(author: Interface, problem: str, expected: str, got: str) -> ContractError:
    """Say how a subclass breaks its interface.

    Parameters
    ----------
    author : Interface
        The subclass's instance.
    problem, expected, got : str
        Parts of the sentence.

    Returns
    -------
    ContractError
        Carries ``author``, the name of the subclass.
    """
    name = type(author).__name__
    hint = f"tradekit.testing.{author._kit}(...) tries it in every way"
    return ContractError(f"{name}: {problem}", expected=expected, got=got, hint=hint, author=name)
