"""`python -m benchmarks.holdings NAME MEANS`: bytes an item of what is held, measured in this process.

It is meant for a process of its own, see `benchmarks.memory`; BITSWAP_PURE=1 gives the pure implementation.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import inputs
from benchmarks.engines import Serving, engines
from benchmarks.serving_inputs import LARGE
from benchmarks.shapes import PER_MESSAGE, Shape
from bitswap._core import IMPLEMENTATION
from bitswap.cid import CID
from bitswap.decision.interface import Task
from bitswap.options import ServerOptions
from bitswap.wantlist import Wantlist

DEEP, WIDE = Shape(1000, 1000), Shape(100_000, 10)
MILLION = 1_000_000
MEANS = ("rss", "traced", "own")
"""Growth of the process, what Python's allocators were asked for, what the core says of itself."""

Holding = Callable[[Any], int]
"""Fills what it is given and returns with how many items."""


def fill_with_wants(engine: Any, shape: Shape, *, present: bool = True, shared: bool = False) -> int:
    """Wants of blocks that the store has, or that it has not and nobody is told so; decoded as in a node."""
    sizes = _all_present if present else _all_missing
    for i in range(shape.peers):
        name = f"peer {i}"
        engine.peer_connected(name)
        first = 0 if shared else i * shape.each
        wanted = [inputs.numbered(first + k) for k in range(shape.each)]
        frame = inputs.spread_frame(wanted, silent=not present)
        engine.receive(name, inputs.body(frame), sizes, 0.0)
    return shape.all


def fill_with_known(engine: Any) -> int:
    for first in range(0, MILLION, PER_MESSAGE):
        some = map(inputs.numbered, range(first, first + PER_MESSAGE))
        engine.blocks_stored(dict.fromkeys(some, LARGE))
    return MILLION


def fill_queue(queue: Any) -> int:
    for i in range(DEEP.peers):
        cids = [inputs.numbered(i * DEEP.each + k) for k in range(DEEP.each)]
        tasks = [Task(cid, inputs.spread(k), LARGE, False, True) for k, cid in enumerate(cids)]
        queue.push(f"peer {i}", tasks, 0.0)
    return DEEP.all


def fill_wantlist(wants: Wantlist) -> int:
    for i in range(MILLION):
        wants.add(inputs.numbered(i), i)
    return MILLION


def holdings(serving: Serving) -> dict[str, tuple[Callable[[], Any], Holding]]:
    """Name -> what makes it, empty, and what fills it. The names are those of the Go program."""
    options = ServerOptions(
        max_wantlist_entries=DEEP.each, max_total_wantlist_entries=1 << 30, max_known_blocks=MILLION
    )
    engine = partial(serving.engine, options)
    request_queue: Callable[..., Any] = serving.parts.RequestQueue
    queue = partial(request_queue, salt=1, merging="first")
    return {
        f"queued wants, {DEEP}": (engine, partial(fill_with_wants, shape=DEEP)),
        f"queued wants, {DEEP}, the same": (engine, partial(fill_with_wants, shape=DEEP, shared=True)),
        f"queued wants, {WIDE}": (engine, partial(fill_with_wants, shape=WIDE)),
        f"waiting wants, {DEEP}": (engine, partial(fill_with_wants, shape=DEEP, present=False)),
        f"known blocks, {MILLION:,}": (engine, fill_with_known),
        f"request queue, {DEEP}": (queue, fill_queue),
        f"wantlist, {MILLION:,}": (Wantlist, fill_wantlist),
    }


def bytes_an_item(name: str, means: str) -> float | None:
    """By how much something has grown while it was filled; None where that cannot be told."""
    serving = engines()["c" if IMPLEMENTATION == "compiled" else "py"]
    make, fill = holdings(serving)[name]
    warm = serving.engine(ServerOptions())
    fill_with_wants(warm, Shape(10, 1000))
    del warm
    if means == "traced":
        tracemalloc.start()
    held = make()
    gc.collect()
    before = _amount(means, held)
    items = fill(held)
    gc.collect()
    after = _amount(means, held)
    return None if before is None or after is None else (after - before) / items


def resident() -> int | None:
    """Bytes of memory that the process has; None where nobody tells."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        pass
    try:
        told = subprocess.run(["ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True, check=True)
        return int(told.stdout) * inputs.KIB
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None


def _amount(means: str, held: Any) -> int | None:
    if means == "rss":
        return resident()
    if means == "traced":
        return tracemalloc.get_traced_memory()[0]
    if isinstance(held, Wantlist):
        return sys.getsizeof(held) if IMPLEMENTATION == "compiled" else None
    own = getattr(getattr(held, "_core", held), "memory", None)
    return int(own()) if own is not None else None


def _all_present(cids: Sequence[CID]) -> list[int | None]:
    return [LARGE] * len(cids)


def _all_missing(cids: Sequence[CID]) -> list[int | None]:
    return [None] * len(cids)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.holdings", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("means", choices=MEANS)
    arguments = parser.parse_args()
    print(json.dumps(bytes_an_item(arguments.name, arguments.means)))


if __name__ == "__main__":
    main()
