"""`bitswap bench`: how fast this machine is with this installation."""

from __future__ import annotations

import argparse
import platform

import bitswap
from bitswap.bench import Row, measure
from bitswap.cli.console import emit, say

_NAME_CELLS = 46


def run(args: argparse.Namespace) -> int:
    """Measure, and print a row as soon as it is known."""
    if not args.quiet:
        say(
            f"measuring for ten to twenty seconds: {bitswap.IMPLEMENTATION} core, "
            f"{platform.python_implementation()} {platform.python_version()} on {platform.machine()}"
        )
    for row in measure(args.store, args.scale):
        if args.json:
            emit({**row._asdict(), "implementation": bitswap.IMPLEMENTATION})
        else:
            print(_line(row), flush=True)
    return 0


def _line(row: Row) -> str:
    digits = 0 if row.value >= 100 else 2
    return f"{row.part:<8} {row.name:<{_NAME_CELLS}} {row.value:>12,.{digits}f} {row.unit}"
