"""`python -m benchmarks.versus_boxo`: boxo, compiled and pure by turns on one machine; tables of medians.

Time of each operation, memory of what is held, and the longest message while tables grow, each with its goal.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks import memory, stalls
from benchmarks.gobuild import Boxo, GoAbsent
from benchmarks.operation import Effort, Operation
from benchmarks.registry import compared
from benchmarks.report import Row, beside_boxo
from benchmarks.timing import CLOCKS, measure

Rounds = dict[str, dict[str, list[float]]]
"""Operation -> "boxo", "c", "py" -> one figure a round."""


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 where there is no Go."""
    arguments = _parser().parse_args(argv)
    try:
        boxo = Boxo(arguments.clock)
    except GoAbsent as error:
        print(error, file=sys.stderr)
        return 1
    chosen = arguments.only

    def asked(name: str) -> bool:
        return not chosen or any(word in name for word in chosen)

    operations = {name: found for name, found in compared().items() if asked(name)}
    rounds = _measure(boxo, operations, arguments.rounds, arguments.clock)
    if rounds:
        print("nanoseconds an item\n")
        print("\n".join(beside_boxo([_row(name, found) for name, found in rounds.items()])), flush=True)
    if not chosen:
        print("\n" + "\n".join(stalls.lines(stalls.measure(runs=2, pure=False))), flush=True)
    held = [name for name in memory.names() if asked(name)]
    if held:
        found = [memory.measure(name, boxo, thorough=False) for name in held]
        print("\n" + "\n".join(memory.lines(found, thorough=False)))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(rounds, indent=1) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.versus_boxo", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="figures behind each median (default: 3)")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: processor time of all threads")
    parser.add_argument("--only", action="append", metavar="WORD", help="what has WORD in its name")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the times of all rounds to FILE")
    return parser


def _measure(boxo: Boxo, operations: dict[str, dict[str, Operation]], rounds: int, clock: str) -> Rounds:
    """All implementations of an operation one after the other, since a busy machine changes its speed."""
    figures: Rounds = {name: {} for name in operations}
    for number in range(rounds):
        for name, found in operations.items():
            some = next(iter(found.values()))
            if number and some.effort == Effort.HEAVY:
                continue
            print(f"\rround {number + 1} of {rounds}: {name:<45}", end="", file=sys.stderr, flush=True)
            beside = boxo.measure(some.beside)
            if beside is not None:
                figures[name].setdefault("boxo", []).append(beside)
            for implementation, operation in found.items():
                value = measure(operation, CLOCKS[clock])
                figures[name].setdefault(implementation, []).append(value)
    print(f"\r{'':70}\r", end="", file=sys.stderr)
    return figures


def _row(name: str, found: dict[str, list[float]]) -> Row:
    medians = {implementation: median(values) for implementation, values in found.items()}
    return Row(name, medians.get("boxo"), medians.get("c"), medians.get("py"))


if __name__ == "__main__":
    sys.exit(main())
