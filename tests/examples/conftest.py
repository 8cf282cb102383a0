from __future__ import annotations

import sys
from argparse import ArgumentParser
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def example():
    """Import a module of the example bot, from the wheel or from beside the source."""
    if find_spec("tradekit._examples"):
        return lambda name: import_module(f"tradekit._examples.trading_bot.{name}")
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
    return lambda name: import_module(f"trading_bot.{name}")


@pytest.fixture(scope="session")
def play(example):
    """Run the bot as the command line does."""
    run = example("run")

    def play(*words: object) -> int:
        parser = ArgumentParser()
        run.add_options(parser)
        return run.run(parser.parse_args([str(word) for word in words]))

    return play
