"""The pages: their code runs, and their commands are the ones that are checked."""

from __future__ import annotations

import doctest
import re
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^( *)```python\n(.*?)^\1```", flags=re.MULTILINE | re.DOTALL)
SHELL = re.compile(r"^<!-- ci: (\w+) -->\n```bash\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[str]:
    return [textwrap.dedent(code) for _, code in FENCE.findall(page.read_text("utf-8"))]


def run(code: str, names: dict[str, object]) -> str:
    """Run one block, and return what a session in it shows otherwise than the page says."""
    if not code.startswith(">>> "):
        exec(compile(code, "page", "exec", dont_inherit=True), names)
        return ""
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    report: list[str] = []
    test = doctest.DocTestParser().get_doctest(code, {}, "page", None, None)
    test.globs = names
    doctest.DocTestRunner(optionflags=flags).run(test, out=report.append, clear_globs=False)
    return "".join(report)


@pytest.mark.parametrize(
    "page", [pytest.param(p, id=p.relative_to(ROOT).as_posix()) for p in PAGES if blocks(p)]
)
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "page"}
    assert "".join(run(code, names) for code in blocks(page)) == ""


def test_the_readme_has_one_command_to_run_it_and_one_to_test_it():
    commands = dict(SHELL.findall((ROOT / "README.md").read_text("utf-8")))
    assert commands.keys() == {"demo", "test"}
    assert all(command.count("\n") == 1 for command in commands.values())
    assert commands["demo"].endswith("python -m tradekit demo\n")
    assert commands["test"].endswith("python -m pytest\n")
