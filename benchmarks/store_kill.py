"""What a disk cache of bars holds after its writer was killed, time and again, in mid-write."""

from __future__ import annotations

import argparse
import json
import logging
import random
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

import attrs
import numpy as np

from tradekit import Bars
from tradekit.data._shelf import Series
from tradekit.data._store import BarsStore

MINUTE = 60 * 10**9
WIDTH = 5_000  # minutes an answer: several chunks, and a while in which to be killed

# Says after each answer whether it was kept, and goes on until it is killed.
WRITER = """
import sys
sys.path.insert(0, {home!r})
from store_kill import BarsStore, WIDTH, MINUTE, Series, minutes
store, number = BarsStore(sys.argv[1]), 0
while True:
    bars = minutes(sys.argv[2], number * WIDTH, (number + 1) * WIDTH)
    kept = store.put(Series.of(bars), bars, int(bars.time[0]), int(bars.time[-1]) + MINUTE)
    print(kept, flush=True)
    number += 1
"""


def minutes(symbol: str, first: int, last: int) -> Bars:
    numbers = np.arange(first, last)
    price = 100.0 + numbers % 97
    return Bars(symbol, "1Min", numbers * MINUTE, price, price, price, price, price)


def killed(path: Path, symbol: str, answers: int, wait: float) -> int:
    """Start a writer, kill it some time after so many answers, and count what it has kept."""
    home = str(Path(__file__).resolve().parent)
    command = [sys.executable, "-c", WRITER.format(home=home), str(path), symbol]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        said = [next(writer.stdout) for _ in range(answers)]
        try:
            writer.wait(wait)
        except subprocess.TimeoutExpired:
            writer.kill()
        said += writer.stdout.read().splitlines(keepends=True)
    return sum(line == "True\n" for line in said)


def found(path: Path, symbol: str) -> tuple[int, bool]:
    """Tell how many whole answers the store holds, and whether it holds nothing else."""
    series = attrs.evolve(Series.of(minutes("SPY", 0, 1)), symbol=symbol)
    with BarsStore(path) as store:
        kept = store.get(series, 0, 10**18)
    if kept.bars is None:
        return 0, True
    first, last = kept.pieces[0][0], kept.pieces[-1][1]
    answers, rest = divmod(last // MINUTE, WIDTH)
    whole = kept.bars == minutes(symbol, 0, answers * WIDTH)
    return answers, whole and first == rest == 0


def is_sound(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as database:
        said: list[tuple[str]] = database.execute("PRAGMA integrity_check").fetchall()
    return said == [("ok",)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer kills, under 45 seconds")
    kills = 10 if parser.parse_args().quick else 50
    logging.basicConfig(level=logging.WARNING)
    tally, chance = Counter(kills=kills), random.Random(5)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bars.db"
        for number in range(kills):
            symbol = f"S{number}"
            said = killed(path, symbol, chance.randint(0, 20), chance.uniform(0, 0.03))
            answers, whole = found(path, symbol)
            tally["answers_kept"] += answers
            tally["answers_lost"] += max(0, said - answers)
            tally["kept_but_not_said"] += max(0, answers - said)
            tally["torn_series"] += not whole
            tally["unsound_files"] += not is_sound(path)
        tally["files_set_aside"] = len(list(Path(folder).glob("*.corrupt-?")))
        tally["megabytes"] = path.stat().st_size // 10**6
    for name, figure in tally.items():
        print(f"{name.replace('_', ' '):<20}{figure:>8}")
    print(json.dumps(tally))


if __name__ == "__main__":
    main()
