"""The house: where things lie, how large they are, and what an import costs."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

import tradekit

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(tradekit.__file__).resolve().parent
# A wheel carries the examples inside the package; here they lie beside it.
SOURCES = sorted(p for p in PACKAGE.rglob("*.py") if "_examples" not in p.parts)
CODE = SOURCES + [p for d in ("tests", "benchmarks", "examples") for p in (ROOT / d).rglob("*.py")]
ROOMS = sorted(p.parent for p in PACKAGE.glob("[!_]*/__init__.py"))

# Whatever is heavy, a vendor's, or only a test's: nobody pays for it before using it.
HEAVY = {
    *("alpaca", "curl_cffi", "distributed", "exchange_calendars", "httpx", "hypothesis"),
    *("matplotlib", "pandas", "platformdirs", "pyarrow", "pytest", "rich", "talib", "yfinance"),
}
LIGHT = {"attr", "attrs", "numpy", "tradekit"} | sys.stdlib_module_names
NAMELESS = {"base", "common", "helper", "helpers", "misc", "shared", "util", "utils"}

PROBE = """
import json, os, sys
opened, sockets = [], []
def watch(event, args):
    if event == "open" and isinstance(args[0], str):
        opened.append(os.path.realpath(args[0]))
    elif event.startswith("socket."):
        sockets.append(event)
sys.addaudithook(watch)
{statement}
report = dict(modules=sorted(sys.modules), opened=opened, sockets=sockets)
print(json.dumps(report))
"""


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def place(path: Path) -> str:
    return path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else ROOT).as_posix()


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its signature and its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno - body[0].lineno + 1) if body else 0


def imported_at_once(path: Path) -> Iterator[str]:
    """Top-level packages that a module imports when it is imported itself."""
    for node in tree(path).body:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


def fresh(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=ROOT
    )


def probe(statement: str) -> dict[str, list[str]]:
    """Tell what a statement loads, opens and calls in a fresh interpreter."""
    done = fresh(PROBE.format(statement=statement))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_imports_point_down_and_rooms_do_not_talk():
    done = fresh("from importlinter import cli; raise SystemExit(cli.lint_imports(no_cache=True))")
    assert done.returncode == 0, done.stdout


def test_no_file_is_longer_than_400_lines():
    long = {place(p): n for p in CODE if (n := len(p.read_text("utf-8").splitlines())) > 400}
    assert not long


def test_no_function_body_is_longer_than_30_lines():
    long = {f"{place(p)}:{f.name}": body_length(f) for p in CODE for f in functions(p)}
    assert not {name: length for name, length in long.items() if length > 30}


def test_every_file_has_a_noun_for_a_name():
    assert not [place(p) for p in CODE if p.stem.strip("_").removeprefix("test_") in NAMELESS]


def test_the_tree_is_one_folder_deep():
    assert not [place(p) for p in SOURCES if len(p.relative_to(PACKAGE).parts) > 2]


def test_files_in_a_room_are_private():
    assert not [place(p) for room in ROOMS for p in room.glob("[!_]*.py")]


def test_every_source_file_postpones_its_annotations():
    line = "from __future__ import annotations"
    packages = [p for p in SOURCES if p.name == "__init__.py" and len(tree(p).body) < 2]
    assert not [place(p) for p in SOURCES if p not in packages and line not in p.read_text("utf-8")]


def test_every_source_file_has_its_test_file():
    missing = []
    for source in (p for p in SOURCES if p.name != "__init__.py"):
        folder = "" if source.parent == PACKAGE else source.parent.name.strip("_")
        test = ROOT / "tests" / folder / f"test_{source.stem.strip('_')}.py"
        if not test.is_file():
            missing.append(place(test))
    assert not missing


def test_contributing_is_read_in_one_sitting():
    assert len((ROOT / "CONTRIBUTING.md").read_text("utf-8").splitlines()) <= 150


def test_the_package_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").is_file()


def test_heavy_packages_are_imported_where_they_are_used():
    heavy = {place(p): sorted(set(imported_at_once(p)) - LIGHT) for p in SOURCES}
    assert not {name: packages for name, packages in heavy.items() if packages}


@pytest.mark.parametrize("statement", ["import tradekit", "from tradekit import *"])
def test_importing_loads_nothing_heavy(statement: str):
    assert not sorted(HEAVY & set(probe(statement)["modules"]))


def test_importing_opens_no_socket():
    assert probe("from tradekit import *")["sockets"] == []


def test_importing_reads_only_code():
    homes = [PACKAGE, *map(Path, sysconfig.get_paths().values()), Path(sys.base_prefix)]
    homes = [home.resolve() for home in homes]
    opened = map(Path, probe("from tradekit import *")["opened"])
    assert not [p for p in opened if not any(p.is_relative_to(home) for home in homes)]


def test_every_registered_name_is_a_class_of_ours():
    points = importlib.metadata.distribution("tradekit").entry_points
    assert {"simulated", "files", "memory"} <= {p.name for p in points}
    assert all(isinstance(p.load(), type) for p in points if p.group.startswith("tradekit."))


def test_the_version_is_the_one_that_is_installed():
    assert tradekit.__version__ == importlib.metadata.version("tradekit")
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", tradekit.__version__)
