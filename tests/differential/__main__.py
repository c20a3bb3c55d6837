"""`python -m tests.differential --operations 100000 --seed 1`; a difference is printed as a short history."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from .driver import GENERATORS, Failure, run, run_one
from .engine_operations import POPULATIONS
from .pair import BOTH, read, replay


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--operations", type=int, default=100_000, help="in all, over many histories")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=sorted(GENERATORS), action="append", help="default: each in turn")
    parser.add_argument("--population", choices=list(POPULATIONS), action="append")
    parser.add_argument("--sides", default=",".join(BOTH), help="what is compared (default: %(default)s)")
    parser.add_argument("--watched", action="store_true", help="hold them against the model as well")
    parser.add_argument("--history", metavar="'KIND POPULATION NUMBER'", help="one history of --operations")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="a history as it was printed")
    args = parser.parse_args(argv)
    sides = args.sides.split(",")
    if args.replay:
        replay(*read(args.replay.read_text(encoding="utf-8")), sides, args.watched)
        return 0
    try:
        if args.history:
            kind, population, number = args.history.split()
            run_one(kind, population, int(number), args.operations, sides, args.watched)
            return 0
        for kind in args.kind or ("engine", "queue"):
            began = time.perf_counter()
            share = args.operations if args.kind else args.operations // 4 * (3 if kind == "engine" else 1)
            done = run(kind, args.seed, share, sides, tuple(args.population or POPULATIONS), args.watched)
            seconds = time.perf_counter() - began
            print(f"{kind}: {done} operations, seed {args.seed}: no difference, in {seconds:.1f} s")
    except Failure as failure:
        print(failure.report(sides))
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
