"""bitswap simulate: run a scenario, or boxo's whole benchmark matrix, in virtual time."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from bitswap.cli.console import emit, say
from bitswap.errors import UsageError
from bitswap.simulation import Result, describe, load_scenario, progress_svg, simulate
from bitswap.simulation.comparison import Row, compare, report, text, worst
from bitswap.simulation.matrix import cells

_SAY_SECONDS = 5.0


def run(args: argparse.Namespace) -> int:
    """Exit code 1 if a scenario is not complete, or a cell of the matrix is lost."""
    if args.matrix:
        if args.file is not None or args.plot is not None:
            raise UsageError("--matrix takes no FILE and no --plot")
        return _matrix(args)
    if args.file is None:
        raise UsageError("name a scenario file, or --matrix")
    scenario = load_scenario(args.file)
    if args.seed is not None:
        scenario = scenario.with_seed(args.seed)
    result = simulate(scenario, watch=None if args.quiet else _watch())
    if args.plot is not None:
        Path(args.plot).write_text(progress_svg([result]), encoding="utf-8")
    if args.json:
        emit(dict(result.to_json()))
    else:
        print(describe(result))
        _say_missing(result)
    return 0 if result.complete else 1


def _say_missing(result: Result) -> None:
    missing = sum(node.wanted - node.found for node in result.nodes)
    if missing:
        say(f"{missing:,} blocks did not come")


class _watch:
    """Says now and then how far a run is; by the wall clock, because virtual time flies or crawls."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _SAY_SECONDS

    def __call__(self, now: float, came: int, wanted: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _SAY_SECONDS
            say(f"at {now:.2f} s {came:,} of {wanted:,} blocks have come")


def _matrix(args: argparse.Namespace) -> int:
    seed = args.seed or 0
    chosen = [cell for cell in cells() if args.only.lower() in cell.scenario.name.lower()]
    if not chosen:
        raise UsageError(f"no scenario of the matrix has {args.only!r} in its name")
    rows = []
    for cell in chosen:
        rows.append(compare(cell, seed))
        if args.json:
            emit(_record(rows[-1], seed))
    drawn: Sequence[Row] = []
    if args.markdown is not None:
        seeds = range(seed, seed + args.seeds)
        drawn = [worst(cell, seeds) for cell in chosen if cell.drawn]
        Path(args.markdown).write_text(report(rows, seed, drawn, seeds), encoding="utf-8")
    if not args.json:
        print(text(rows))
    lost = [row for row in (*rows, *drawn) if row.lost]
    say(f"{len(rows)} scenarios, {len(lost)} with something lost")
    return 1 if lost else 0


def _record(row: Row, seed: int) -> dict[str, object]:
    return {
        "scenario": row.cell.scenario.name,
        "seed": seed,
        "wanted": row.cell.wanted,
        "ours": row.ours._asdict(),
        "boxo": row.cell.boxo._asdict(),
        "lost": list(row.lost),
    }
