from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from tradekit import data
from tradekit._core.lazy import front


def test_a_name_is_loaded_from_its_home():
    load, names = front("tradekit.journal", {"MemorySink": "_memory", "Mode": ".._core.event"})
    journal = importlib.import_module("tradekit.journal")
    assert load("MemorySink") is journal.MemorySink
    assert load("Mode") is importlib.import_module("tradekit._core.event").Mode
    assert names() == ["MemorySink", "Mode"]


def test_an_unknown_name_is_an_attribute_error_as_python_has_it():
    with pytest.raises(AttributeError, match=r"module 'tradekit\.data' has no attribute 'Bars'"):
        data.Bars  # noqa: B018
    assert not hasattr(data, "Bars")


def test_a_package_loads_nothing_until_it_is_asked():
    code = (
        "import sys, tradekit.journal; assert 'tradekit.journal._sqlite' not in sys.modules;"
        "tradekit.journal.SQLiteSink; assert 'tradekit.journal._sqlite' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
