"""The front door: names that are looked up when they are first used."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import tradekit

SOURCE = ast.parse(Path(tradekit.__file__).read_text(encoding="utf-8"))


def for_type_checkers():
    """What is imported under TYPE_CHECKING: the module of each name."""
    block = next(node for node in SOURCE.body if isinstance(node, ast.If))
    return {alias.asname or alias.name: node.module for node in block.body for alias in node.names}


@pytest.mark.parametrize("name", tradekit.__all__)
def test_every_name_is_the_halls_own(name):
    home = importlib.import_module("tradekit." + for_type_checkers()[name])
    assert getattr(tradekit, name) is getattr(home, name)


def test_type_checkers_see_what_users_see():
    assert sorted(for_type_checkers()) == tradekit.__all__


def test_all_names_are_listed_and_nothing_else_is_offered():
    assert set(tradekit.__all__) <= set(dir(tradekit))
    namespace = {}
    exec("from tradekit import *", namespace)
    assert set(tradekit.__all__) == set(namespace) - {"__builtins__"}


def test_a_name_that_does_not_exist_says_so():
    with pytest.raises(AttributeError, match="module 'tradekit' has no attribute 'Barz'"):
        _ = tradekit.Barz
    with pytest.raises(ImportError, match="cannot import name 'Barz'"):
        exec("from tradekit import Barz")


def test_a_name_is_looked_up_once_and_only_its_own_home_is_loaded():
    script = """
import sys, tradekit
before = [name for name in sys.modules if name.startswith("tradekit.")]
tradekit.UsageError
print(before, "UsageError" in vars(tradekit), "tradekit._core.bars" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[] True False"
