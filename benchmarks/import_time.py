"""What `import tradekit` costs beside `import pandas`, in fresh interpreters taking turns."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys

SUBJECTS = {
    "numpy": "import numpy",
    "pandas": "import pandas",
    "tradekit": "import tradekit",
    "tradekit_names": "from tradekit import *",
}

# The interpreter's own start is no part of an import, so the child holds the watch.
TIMED = "import time; start = time.perf_counter()\n{}\nprint(time.perf_counter() - start)"


def seconds(statement: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", TIMED.format(statement)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def measure(rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in SUBJECTS}
    for turn in range(rounds + 1):
        for name, statement in SUBJECTS.items():
            took = seconds(statement)
            if turn:  # the first round warms the disk cache and writes the bytecode
                times[name].append(took)
    return times


def spread(times: list[float]) -> float:
    first, _, third = statistics.quantiles(times, n=4)
    return third - first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, under 45 seconds")
    rounds = 7 if parser.parse_args().quick else 25
    times = measure(rounds)
    medians = {name: statistics.median(each) for name, each in times.items()}
    print(f"{'import':<16}{'median ms':>11}{'spread ms':>11}{'x pandas':>10}   ({rounds} rounds)")
    for name, each in times.items():
        share = medians[name] / medians["pandas"]
        print(f"{name:<16}{medians[name] * 1e3:>11.1f}{spread(each) * 1e3:>11.1f}{share:>10.3f}")
    figures = {f"{name}_ms": round(median * 1e3, 2) for name, median in medians.items()}
    figures["import_ratio"] = round(medians["tradekit"] / medians["pandas"], 3)
    figures["rounds"] = rounds
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
