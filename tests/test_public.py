"""What is public: every name is documented, has its page, and does not change by accident.

`python tests/test_public.py --write` writes the snapshot anew after an intended change.
"""

from __future__ import annotations

import ast
import enum
import functools
import importlib
import inspect
import pkgutil
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tradekit

ROOT = Path(__file__).resolve().parents[1]
SNAPSHOT = Path(__file__).with_name("api_snapshot.txt")
ROOMS = sorted(m.name for m in pkgutil.iter_modules(tradekit.__path__) if m.name[0] != "_")
MODULES = ["tradekit", *(f"tradekit.{room}" for room in ROOMS)]


class Bare:
    """An annotation that prints as it was written, without quotes."""

    def __init__(self, text: object) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text if isinstance(self.text, str) else inspect.formatannotation(self.text)


def exports(module: str) -> list[str]:
    return sorted(n for n in importlib.import_module(module).__all__ if not n.startswith("__"))


def public() -> Iterator[tuple[str, Any]]:
    """Every public name, once, under the module that it lives in."""
    rooms = {name for module in MODULES[1:] for name in exports(module)}
    for module in MODULES:
        for name in exports(module):
            if module != "tradekit" or name not in rooms:  # the front door leads to the rooms
                yield f"{module}.{name}", getattr(importlib.import_module(module), name)


def own(cls: type) -> list[type]:
    """The class and those bases of ours that no user can import, most basic first."""
    known = {value for _, value in public() if isinstance(value, type)} - {cls}
    ours = [c for c in cls.__mro__ if c.__module__.startswith("tradekit") and c not in known]
    return ours[::-1]


def members(cls: type) -> Iterator[tuple[str, Any]]:
    """What a class offers, without what it has from Python or from another public class."""
    found = {name: value for c in own(cls) for name, value in vars(c).items()}
    yield from sorted(item for item in found.items() if item[0][0] != "_")


def is_made_by_hand(cls: type) -> bool:
    """Whether a class has a constructor of its own, not one of Python or of a public class."""
    return not issubclass(cls, enum.Enum) and any(
        {"__init__", "__new__"} & vars(c).keys() for c in own(cls)
    )


def unwrap(member: Any) -> Any:
    """The function behind a property or a class method."""
    for name in ("fget", "func", "__func__"):
        member = getattr(member, name, member)
    return member


def signature(value: Any) -> str:
    if isinstance(value, type) and not is_made_by_hand(value):
        return ""
    found = inspect.signature(value)
    empty = inspect.Parameter.empty
    bare = [
        p if p.annotation is empty else p.replace(annotation=Bare(p.annotation))
        for p in found.parameters.values()
    ]
    back = found.return_annotation
    back = back if back is empty else Bare(back)
    return re.sub(
        r" at 0x[0-9A-Fa-f]+", "", str(found.replace(parameters=bare, return_annotation=back))
    )


def describe(value: Any) -> str:
    if isinstance(value, property | functools.cached_property):
        return ": property" + signature(unwrap(value)).partition(")")[2]
    if isinstance(value, enum.Enum):
        return f" = {value.value!r}"
    if callable(unwrap(value)):
        return signature(unwrap(value))
    if isinstance(value, str | int | float):
        return f" = {value!r}"
    return ": field" if inspect.ismemberdescriptor(value) else f": {type(value).__name__}"


def lines() -> Iterator[str]:
    for name, value in public():
        yield name + describe(value)
        if isinstance(value, type):
            taken = parameters(value)  # what is handed in at birth can be read afterwards
            rest = ((key, member) for key, member in members(value) if key not in taken)
            yield from (f"{name}.{key}{describe(member)}" for key, member in rest)


def documented() -> dict[str, Any]:
    """Every public class, function, method and property, by name."""
    found = {name: value for name, value in public() if callable(value)}
    for name, value in list(found.items()):
        if isinstance(value, type):
            methods = ((f"{name}.{k}", unwrap(m)) for k, m in members(value))
            found |= {key: m for key, m in methods if inspect.isfunction(m)}
    return found


def sections(text: str) -> dict[str, str]:
    parts = re.split(r"^([A-Z]\w+(?: \w+)?)\n-{3,}$", inspect.cleandoc(text), flags=re.MULTILINE)
    return dict(zip(["", *parts[1::2]], parts[0::2], strict=True))


def named_parameters(section: str) -> set[str]:
    heads = re.findall(r"^(\S.*?)(?: :.*)?$", section, flags=re.MULTILINE)
    return {name.strip(" *") for head in heads for name in head.split(",")}


def parameters(value: Any) -> set[str]:
    if isinstance(value, type) and not is_made_by_hand(value):
        return set()
    passed_on = {"self", "cls", "args", "kwargs"}
    return {p for p in inspect.signature(value).parameters if p not in passed_on and p[0] != "_"}


def raises(value: Any) -> bool:
    source = ast.parse(textwrap.dedent(inspect.getsource(value)))
    return any(isinstance(node, ast.Raise) and node.exc for node in ast.walk(source))


def faults(value: Any) -> Iterator[str]:
    """What the docstring of a public thing leaves out."""
    if not (value.__doc__ or "").strip():
        yield "docstring"
        return
    found, takes = sections(value.__doc__), parameters(value)
    is_function = inspect.isfunction(value)
    yield from sorted(takes - named_parameters(found.get("Parameters", "")))
    gives = is_function and value.__annotations__.get("return") not in {"None", None}
    if gives and takes and not {"Returns", "Yields"} & found.keys():
        yield "Returns"
    if is_function and takes and raises(value) and "Raises" not in found:
        yield "Raises"


DOCUMENTED = documented()


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_public_thing_documents_what_it_takes_and_gives(name: str):
    assert not list(faults(DOCUMENTED[name]))


def is_error(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)


@pytest.mark.parametrize("name", [n for n, v in public() if callable(v) and not is_error(v)])
def test_every_export_shows_an_example(name: str):
    assert ">>> " in (DOCUMENTED[name].__doc__ or "")


@pytest.mark.parametrize("module", MODULES)
def test_the_reference_page_lists_exactly_the_exports(module: str):
    page = ROOT / "docs" / "reference" / f"{module.rpartition('.')[2]}.md"
    listed = re.findall(r"^::: (\S+)$", page.read_text("utf-8"), flags=re.MULTILINE)
    assert sorted(listed) == [f"{module}.{name}" for name in exports(module)]


@pytest.mark.parametrize("module", MODULES)
def test_type_checkers_see_every_export(module: str):
    # Names that come by __getattr__ alone would be Any to them.
    code = ast.parse(Path(importlib.import_module(module).__file__).read_text("utf-8"))
    imported = [
        n for node in ast.walk(code) if isinstance(node, ast.ImportFrom) for n in node.names
    ]
    defined = [n.name for n in code.body if isinstance(n, ast.ClassDef | ast.FunctionDef)]
    assigned = [n.id for n in ast.walk(code) if isinstance(n, ast.Name)]
    seen = {*defined, *assigned, *(alias.asname or alias.name for alias in imported)}
    assert not set(exports(module)) - seen


def test_the_public_interface_is_the_one_that_was_agreed():
    agreed = SNAPSHOT.read_text("utf-8").splitlines()
    assert list(lines()) == agreed, "if it is meant: python tests/test_public.py --write"


if __name__ == "__main__" and "--write" in sys.argv:
    SNAPSHOT.write_text("\n".join(lines()) + "\n", encoding="utf-8", newline="\n")
