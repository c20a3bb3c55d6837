"""`python -m benchmarks.growth`: what queues cost as they grow, and the longest that one message has stopped.

Nanoseconds an answer of push, pop and remove, with more answers for one peer and with more peers; then how
long each of the messages took that filled the tables to a million wants.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks import queueing, stalls
from benchmarks.engines import engines
from benchmarks.gobuild import Boxo, GoAbsent
from benchmarks.operation import Operation
from benchmarks.report import Row, beside_boxo
from benchmarks.shapes import Shape
from benchmarks.timing import CLOCKS, measure


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--most", type=int, default=1_000_000, help="answers of a shape at most")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: processor time of all threads")
    parser.add_argument("--runs", type=int, default=3, help="fillings of the tables (default: 3)")
    parser.add_argument("--without-boxo", action="store_true")
    arguments = parser.parse_args(argv)
    boxo = None if arguments.without_boxo else _boxo(arguments.clock)
    print("nanoseconds an answer, peers x answers\n")
    print("\n".join(beside_boxo(rows(boxo, arguments.most, arguments.clock))))
    print()
    print("\n".join(stalls.lines(stalls.measure(min(arguments.most, stalls.WANTS), arguments.runs))))
    return 0


def rows(boxo: Boxo | None, most: int, clock: str) -> list[Row]:
    """One for each step at each shape, ordered so that each step is seen to grow."""
    found: list[Row] = []
    for shapes in (queueing.GROWING_TASKS, queueing.MANY_OF_EACH, queueing.GROWING_PEERS):
        by_step: list[list[Row]] = [[], [], []]
        for shape in shapes:
            if shape.all <= most:
                for step, row in zip(by_step, _at_shape(boxo, shape, clock), strict=True):
                    step.append(row)
        found += [row for step in by_step for row in step]
    return found


def _at_shape(boxo: Boxo | None, shape: Shape, clock: str) -> list[Row]:
    twins: dict[str, dict[str, Operation]] = {}
    for implementation, serving in engines().items():
        for operation in queueing.at_shape(serving, shape):
            twins.setdefault(operation.name, {})[implementation] = operation
    found = []
    for name, by_implementation in twins.items():
        print(f"\r{name:<60}", end="", file=sys.stderr, flush=True)
        figures = {key: measure(operation, CLOCKS[clock]) for key, operation in by_implementation.items()}
        beside = boxo.measure(name) if boxo is not None else None
        found.append(Row(name, beside, figures.get("c"), figures.get("py")))
    print(f"\r{'':60}\r", end="", file=sys.stderr)
    return found


def _boxo(clock: str) -> Boxo | None:
    try:
        return Boxo(clock)
    except GoAbsent as error:
        print(error, file=sys.stderr)
        return None


if __name__ == "__main__":
    sys.exit(main())
