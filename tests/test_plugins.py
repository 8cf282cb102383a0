from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tradekit import plugins
from tradekit._core.errors import PluginError, UsageError
from tradekit.plugins import KINDS, load, names


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package: its entry points and its one module, as pip leaves them behind."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(package, entry_points, module=""):
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(entry_points)
        (tmp_path / f"{package}.py").write_text(module)
        monkeypatch.delitem(sys.modules, package, raising=False)

    return install


def test_the_built_in_sources_are_there():
    assert {"files", "memory", "simulated"} <= set(names("sources"))
    assert load("sources", "memory").__name__ == "MemorySource"


def test_every_room_has_its_kind():
    assert KINDS == ("sources", "detectors", "regimes", "sinks", "screens")


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_of_the_user_is_found_by_its_name(install, kind):
    install("bringer", f"[tradekit.{kind}]\nmine = bringer:Mine\n", "class Mine: ...")
    assert "mine" in names(kind)
    assert load(kind, "mine") is sys.modules["bringer"].Mine


def test_names_come_in_order_and_import_nothing(install):
    install("zoo", "[tradekit.screens]\nzebra = zoo:Z\nape = zoo:A\n", "raise SystemExit('loaded')")
    found = names("screens")
    assert list(found) == sorted(found)
    assert {"ape", "zebra"} <= set(found)
    assert "zoo" not in sys.modules


def test_loading_one_name_imports_no_other(install):
    install("broken", "[tradekit.sinks]\nbad = broken:Bad\n", "raise OSError('no licence')")
    install("sound", "[tradekit.sinks]\ngood = sound:Good\n", "class Good: ...")
    assert load("sinks", "good").__name__ == "Good"
    assert "broken" not in sys.modules


@pytest.mark.parametrize(
    ("module", "cause", "sentence"),
    [
        ("raise OSError('no licence')", OSError, "got OSError: no licence"),
        ("import no_such_vendor", ModuleNotFoundError, "No module named 'no_such_vendor'"),
        ("", AttributeError, "got AttributeError: module 'broken' has no attribute 'Bad'"),
        ("class (", SyntaxError, "got SyntaxError"),
    ],
)
def test_a_broken_package_breaks_only_itself(install, module, cause, sentence):
    install("broken", "[tradekit.sources]\nbad = broken:Bad\n", module)
    with pytest.raises(PluginError) as caught:
        load("sources", "bad")
    said = "source 'bad' cannot be loaded: expected broken:Bad to be importable, "
    assert str(caught.value).startswith(said)
    assert sentence in str(caught.value)
    assert isinstance(caught.value.__cause__, cause)
    assert (caught.value.kind, caught.value.name) == ("sources", "bad")
    assert load("sources", "simulated").__name__ == "SimulatedSource"


def test_an_unknown_name_is_told_with_the_known_ones(install):
    install("only", "[tradekit.regimes]\nmine = only:Mine\n")
    with pytest.raises(PluginError) as caught:
        load("regimes", "minne")
    assert "regime 'minne' is not registered: expected " in str(caught.value)
    assert "mine" in str(caught.value.expected).split(" or ")
    assert (caught.value.kind, caught.value.name) == ("regimes", "minne")


def test_two_packages_may_not_fight_over_a_name_in_silence(install):
    install("first", "[tradekit.sinks]\nlog = first:Log\n")
    install("second", "[tradekit.sinks]\nlog = second:Log\n")
    assert names("sinks").count("log") == 1
    with pytest.raises(
        PluginError, match=r"sink 'log' is registered twice: .* first:Log and second"
    ):
        load("sinks", "log")


@pytest.mark.parametrize("ask", [names, lambda kind: load(kind, "simulated")])
def test_an_unknown_kind_is_the_callers_to_mend(ask):
    with pytest.raises(UsageError, match="no such kind of plug-in: expected sources or detectors"):
        ask("source")


@pytest.mark.parametrize("ask", [names, lambda kind: load(kind, "any")])
def test_an_empty_group_is_an_error_and_no_empty_answer(monkeypatch, ask):
    monkeypatch.setattr(plugins, "entry_points", lambda group: ())
    monkeypatch.setattr(plugins, "_written", lambda group: ())
    with pytest.raises(
        PluginError, match=r"nothing is registered under tradekit\.sinks: .* got an"
    ):
        ask("sinks")


def test_a_checkout_that_is_not_installed_registers_what_it_would(monkeypatch):
    if not (Path(plugins.__file__).parents[2] / "pyproject.toml").is_file():
        pytest.skip("this one is installed from a wheel")
    installed = {kind: names(kind) for kind in KINDS}
    monkeypatch.setattr(plugins, "entry_points", lambda group: ())
    assert {kind: names(kind) for kind in KINDS} == installed
    assert load("sources", "simulated").__name__ == "SimulatedSource"
