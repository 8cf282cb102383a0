"""``python -m tradekit demo``: the main job in small, offline."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ._core.errors import TradekitError, UsageError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words after the program's name; those of the process by default.

    Returns
    -------
    int
        0, or 1 when it could not be done; the reason stands on standard error.

    Examples
    --------
    >>> main(["demo", "--data", "no/such/folder"])
    1
    """
    options = _parser().parse_args(arguments)
    try:
        return int(_example("first_look.demo").run(options.data, options.symbols, options.seed))
    except TradekitError as error:
        print(f"tradekit: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tradekit", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo", help="look at a market through four detectors, and see what became of it"
    )
    demo.add_argument(
        "--data", metavar="DIR", help="a folder of CSV or Parquet bars; else simulated"
    )
    demo.add_argument(
        "--symbols", type=_words, default=[], metavar="A,B", help="only these symbols"
    )
    demo.add_argument("--seed", type=int, default=0, help="of the simulated market")
    return parser


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _example(module: str) -> Any:
    """Import an example: from the wheel, where they lie inside, or from beside the source."""
    if find_spec("tradekit._examples"):
        return import_module(f"tradekit._examples.{module}")
    beside = Path(__file__).resolve().parents[2] / "examples"
    if not beside.is_dir():
        raise UsageError(
            "the examples are not installed",
            expected=str(beside),
            got="no such folder",
            hint="install tradekit from its wheel, or run it from its source folder",
        )
    sys.path.insert(0, str(beside))
    return import_module(module)


if __name__ == "__main__":
    sys.exit(main())
