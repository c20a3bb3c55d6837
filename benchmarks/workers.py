"""`python -m benchmarks.workers`: processor time of a served GB, from one process and from several.

Runs alternate; clients are processes of their own (`bitswap blocks get --discard`), all at once. The server's
time is that of all its processes, the supervisor's too, from the first request to the last answer. Linux.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.goals import MISSED, REACHED
from benchmarks.nodes.procfs import cpu_seconds

BITSWAP = (sys.executable, "-m", "bitswap")
GOAL = 1.10
"""Times one process's seconds a GB that several may need."""


class Figure(NamedTuple):
    """One run."""

    cpu: float
    """The server's seconds of processor time a GB (10^9 bytes)."""
    speed: float
    """MB/s of all clients together, their start included."""


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 where the goal is missed."""
    args = _parser().parse_args(argv)
    if args.quick:
        args.rounds, args.count = 1, 128
    found: dict[int, list[Figure]] = {1: [], args.workers: []}
    with tempfile.TemporaryDirectory() as folder:
        cids, store = Path(folder, "cids"), f"lmdb:{Path(folder, 'store')}"
        made = ("--count", args.count, "--size", args.size, "--seed", "workers", "--cids", cids)
        subprocess.run([*BITSWAP, "blocks", "make", *map(str, made), "--store", store], check=True)
        for _ in range(args.rounds):
            for count, figures in found.items():
                figures.append(_run(args, count, store, cids))
    middle = {
        count: Figure(*(statistics.median(values) for values in zip(*figures, strict=True)))
        for count, figures in found.items()
    }
    print(f"{args.clients} clients, {args.count} blocks of {args.size} bytes each, {args.security}, ", end="")
    print(f"medians of {args.rounds} alternating rounds\n\nworkers  s/GB   MB/s")
    for count, figure in middle.items():
        print(f"{count:7}  {figure.cpu:.3f}  {figure.speed:.0f}")
    ratio = middle[args.workers].cpu / middle[1].cpu
    print(f"\nprocessor time a GB: {ratio:.2f} of one worker's (goal: {GOAL}): ", end="")
    print(REACHED if ratio <= GOAL else MISSED)
    return 0 if ratio <= GOAL else 1


def _run(args: argparse.Namespace, workers: int, store: str, cids: Path) -> Figure:
    command = [*BITSWAP, "serve", "--store", store, "--workers", str(workers), "--json"]
    with subprocess.Popen(
        [*command, "--security", args.security], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        ready: dict[str, Any] = json.loads(server.stdout.readline())
        processes = [server.pid, *ready.get("workers", ())]
        fetch = [*BITSWAP, "blocks", "get", "--cids", str(cids), "--discard", "--json", "--store", "memory:"]
        used, began = sum(map(cpu_seconds, processes)), time.perf_counter()
        clients = [
            subprocess.Popen([*fetch, "--peer", ready["addrs"][0]], stdout=subprocess.PIPE)
            for _ in range(args.clients)
        ]
        outcomes = [client.communicate(timeout=args.timeout)[0] for client in clients]
        seconds, used = time.perf_counter() - began, sum(map(cpu_seconds, processes)) - used
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=args.timeout)
    size = sum(json.loads(outcome)["bytes"] for outcome in outcomes)
    return Figure(used / size * 1e9, size / seconds / 1e6)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers", description=__doc__)
    parser.add_argument("--workers", type=int, default=2, help="compared with one (default: 2)")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=1024, help="blocks (default: 1024)")
    parser.add_argument("--size", type=int, default=256 * 1024, help="bytes a block (default: 256 KiB)")
    parser.add_argument("--security", choices=("tls", "noise"), default="tls")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for one run")
    parser.add_argument("--quick", action="store_true", help="one round of few blocks: to see that it runs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
