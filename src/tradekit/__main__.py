"""``python -m tradekit demo``: a bot made of all rooms, offline unless it is told otherwise."""

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
        0, or 1 when it could not be done; the reason stands on standard error. 130 when it was
        interrupted.

    Examples
    --------
    >>> main(["demo", "--replay", "no/such/folder"])
    1
    """
    try:
        bot = _example("trading_bot.run")
        return int(bot.run(_parser(bot).parse_args(arguments)))
    except TradekitError as error:
        print(f"tradekit: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser(bot: Any) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tradekit", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    says = "run the example bot, on a simulated market unless told otherwise"
    bot.add_options(commands.add_parser("demo", help=says, description=says))
    return parser


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
