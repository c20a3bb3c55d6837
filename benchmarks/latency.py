"""How long one small block takes after the other between two nodes in two processes: `benchmarks.latency`.

`call` is `Bitswap.get_block`, each with a session of its own; `session` is `get_block` of one session. No
block is fetched twice; the connection, and the way of asking, are warm.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.report import table
from bitswap import CID, Bitswap
from bitswap.blockstore import MemoryBlockstore
from bitswap.network.libp2p import Libp2pNetwork

WAYS = ("call", "session")
SECURITIES = ("tls", "noise")
WARM = 100
"""Calls before the clock starts."""


class Latency(NamedTuple):
    """Milliseconds of a call; of `calls` of them."""

    security: str
    way: str
    p50: float
    p99: float
    calls: int


@contextmanager
def served(security: str, count: int, size: int) -> Iterator[tuple[str, list[CID]]]:
    """A node in a process of its own; where it is, and what it has."""
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder, "cids")
        flags = ["--security", security, "--blocks-count", str(count), "--blocks-size", str(size)]
        command = [sys.executable, "-m", "benchmarks.nodes.peer", "serve", *flags, "--cids-out", str(names)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            hello = json.loads(process.stdout.readline())
            yield hello["addrs"][0], [CID(line) for line in names.read_text().split()]
            process.communicate()


def measure(security: str, way: str, calls: int, size: int = 256) -> Latency:
    """One pair of nodes, asked `calls` times."""
    with served(security, WARM + calls, size) as (address, cids), _node(security) as node:
        node.connect(address)
        with node.new_session() as session:
            get = node.get_block if way == "call" else session.get_block
            times: list[float] = []
            for cid in cids:
                began = time.perf_counter()
                block = get(cid, 60)
                times.append(time.perf_counter() - began)
                assert len(block.data) == size
    ordered = sorted(times[WARM:])
    p50, p99 = (ordered[min(int(len(ordered) * part), len(ordered) - 1)] for part in (0.5, 0.99))
    return Latency(security, way, 1e3 * p50, 1e3 * p99, calls)


def _node(security: str) -> Bitswap:
    return Bitswap(Libp2pNetwork(security=[security]), MemoryBlockstore())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--security", choices=SECURITIES, nargs="+", default=SECURITIES)
    parser.add_argument("--way", choices=WAYS, nargs="+", default=WAYS)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--size", type=int, default=256, help="bytes of a block")
    parser.add_argument("--json", action="store_true", help="one object a line")
    args = parser.parse_args(arguments)
    found = [measure(security, way, args.calls, args.size) for security in args.security for way in args.way]
    if args.json:
        for latency in found:
            print(json.dumps(latency._asdict()))
        return
    rows = [[f"{one.security}, {one.way}", f"{one.p50:.3f}", f"{one.p99:.3f}"] for one in found]
    print("\n".join(table(["channel, way", "p50, ms", "p99, ms"], rows)))


if __name__ == "__main__":
    main()
