"""`python -m benchmarks.versus_boxo`: boxo, compiled and pure by turns on one machine; a table of medians."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.gobuild import Boxo, GoAbsent
from benchmarks.operation import Operation
from benchmarks.registry import compared
from benchmarks.report import Row, table
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
    operations = {
        name: found
        for name, found in compared().items()
        if not arguments.only or any(word in name for word in arguments.only)
    }
    rounds = _measure(boxo, operations, arguments.rounds, arguments.clock)
    print("\n".join(table([_row(name, found) for name, found in rounds.items()], boxo=True)))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(rounds, indent=1) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.versus_boxo", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="figures behind each median (default: 3)")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: processor time of all threads")
    parser.add_argument("--only", action="append", metavar="WORD", help="operations with WORD in their names")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of all rounds to FILE")
    return parser


def _measure(boxo: Boxo, operations: dict[str, dict[str, Operation]], rounds: int, clock: str) -> Rounds:
    """All implementations of an operation one after the other, since a busy machine changes its speed."""
    known = set(boxo.names())
    figures: Rounds = {name: {} for name in operations}
    for number in range(rounds):
        for name, found in operations.items():
            print(f"\rround {number + 1} of {rounds}: {name:<40}", end="", file=sys.stderr, flush=True)
            if name in known:
                figures[name].setdefault("boxo", []).append(boxo.measure(name))
            for implementation, operation in found.items():
                value = measure(operation, CLOCKS[clock])
                figures[name].setdefault(implementation, []).append(value)
    print(f"\r{'':60}\r", end="", file=sys.stderr)
    return figures


def _row(name: str, found: dict[str, list[float]]) -> Row:
    medians = {implementation: median(values) for implementation, values in found.items()}
    return Row(name, medians.get("boxo"), medians.get("c"), medians.get("py"))


if __name__ == "__main__":
    sys.exit(main())
