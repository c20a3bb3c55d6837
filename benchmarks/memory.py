"""`python -m benchmarks.memory`: bytes a want, a task, a known block; a fresh process for each figure."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.engines import engines
from benchmarks.goals import MEMORY, memory_verdict
from benchmarks.gobuild import Boxo, GoAbsent
from benchmarks.holdings import holdings
from benchmarks.report import figure, table

TIMEOUT = 600.0
"""Seconds for one figure."""


class Held(NamedTuple):
    """Bytes an item; None = not measured, or there is nothing to measure."""

    name: str
    boxo: float | None = None
    """Live heap after garbage collection."""
    compiled: float | None = None
    """Growth of the process."""
    compiled_traced: float | None = None
    """What Python's allocators were asked for."""
    compiled_own: float | None = None
    """What the core says of itself."""
    pure: float | None = None
    pure_traced: float | None = None


def names() -> list[str]:
    return list(holdings(engines()["py"]))


def measure(name: str, boxo: Boxo | None, *, thorough: bool = True) -> Held:
    """`thorough`: by all means, not only by the growth of the process."""
    beside = boxo.bytes_an_item(name) if boxo is not None else None
    compiled = "c" in engines()
    return Held(
        name,
        beside,
        _in_fresh_process(name, "rss", pure=False) if compiled else None,
        _in_fresh_process(name, "traced", pure=False) if compiled and thorough else None,
        _in_fresh_process(name, "own", pure=False) if compiled and thorough else None,
        _in_fresh_process(name, "rss", pure=True),
        _in_fresh_process(name, "traced", pure=True) if thorough else None,
    )


def lines(found: Sequence[Held], *, thorough: bool = True) -> list[str]:
    """A table, with all means if `thorough`."""
    header = ["bytes an item", "boxo, heap", "compiled", "traced", "own count", "pure", "traced", "goal", ""]
    cells = [
        [
            held.name,
            *map(figure, held[1:]),
            f"at most {MEMORY[held.name]}" if held.name in MEMORY else "",
            memory_verdict(held.name, held.compiled),
        ]
        for held in found
    ]
    if not thorough:
        shown = (0, 1, 2, 5, 7, 8)
        header, cells = [header[i] for i in shown], [[line[i] for i in shown] for line in cells]
    return table(header, cells, words=2)


def _in_fresh_process(name: str, means: str, *, pure: bool) -> float | None:
    command = [sys.executable, "-m", "benchmarks.holdings", name, means]
    environment = {**os.environ, "BITSWAP_PURE": "1" if pure else "0"}
    said = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT, check=True
    )
    figure: float | None = json.loads(said.stdout)
    return figure


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--only", action="append", metavar="WORD", help="what has WORD in its name")
    parser.add_argument("--quick", action="store_true", help="only by the growth of the process")
    arguments = parser.parse_args(argv)
    try:
        boxo = Boxo()
    except GoAbsent as error:
        print(error, file=sys.stderr)
        boxo = None
    found = []
    for name in names():
        if not arguments.only or any(word in name for word in arguments.only):
            print(f"\r{name:<60}", end="", file=sys.stderr, flush=True)
            found.append(measure(name, boxo, thorough=not arguments.quick))
    print(f"\r{'':60}\r", end="", file=sys.stderr)
    print("\n".join(lines(found, thorough=not arguments.quick)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
