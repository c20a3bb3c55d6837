"""A transfer between two processes while a thread that only computes runs beside a node.

    python -m benchmarks.busy [--count 2048] [--size 262144] [--busy none,getter,server] [--rounds 5]

Every round runs each case once. `busy` says in whose process the thread runs. Printed are the medians: the
rate, what the thread still got done (1.00 is what it does alone), and how often the process of the getter
slept or waited for a lock, per MB: each release of the interpreter lock that somebody uses is one.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from bitswap import Bitswap
from bitswap.block import Block
from bitswap.blockstore import MemoryBlockstore
from bitswap.cid import CID
from bitswap.network.libp2p import Libp2pNetwork

CASES = ("none", "getter", "server", "both")
SECONDS_ALONE = 0.3


def make_block(index: int, size: int) -> Block:
    """The same for the same numbers, in any process."""
    return Block.of(random.Random(index).randbytes(size))


class Measured(NamedTuple):
    """One transfer."""

    seconds: float
    work: float
    """Of the busy thread beside the getter, as a share of what it does alone."""
    switches: int
    """Voluntary changes of context of the getter's process."""


class BusyThread:
    """Computes from `start` to `stop`, and counts how far it got."""

    def __init__(self) -> None:
        self.rounds = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stopping:
            total = 0
            for number in range(1000):
                total += number
            self.rounds += 1

    def start(self) -> float:
        """Begin; returns the rounds a second that it makes alone."""
        self._thread.start()
        time.sleep(SECONDS_ALONE)
        return self.rounds / SECONDS_ALONE

    def stop(self) -> None:
        self._stopping = True
        self._thread.join()


def serve(args: argparse.Namespace) -> None:
    """Print the address, serve until standard input closes."""
    store = MemoryBlockstore()
    store.put_many(make_block(index, args.size) for index in range(args.count))
    with Bitswap(Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"], security=[args.security]), store) as node:
        print(json.dumps({"address": node.network.addrs[0]}), flush=True)
        busy = BusyThread()
        if args.busy in ("server", "both"):
            busy.start()
            sys.stdin.read()
            busy.stop()
        else:
            sys.stdin.read()


def fetch(args: argparse.Namespace, busy_here: bool, address: str, cids: list[CID]) -> Measured:
    """One call for all blocks, each verified and dropped."""
    busy, alone = BusyThread(), 1.0
    with Bitswap(Libp2pNetwork(security=[args.security]), MemoryBlockstore()) as node:
        peer = node.connect(address, timeout=30)
        if busy_here:
            alone = busy.start()
        before, rounds = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw, busy.rounds
        started, count = time.perf_counter(), 0
        with node.client.new_session(peers=[peer], broadcast=False) as session:
            for _ in session.get_blocks(cids, timeout=60):
                count += 1
        seconds = time.perf_counter() - started
        work = (busy.rounds - rounds) / seconds / alone
        switches = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before
        if busy_here:
            busy.stop()
    if count != len(cids):
        raise RuntimeError(f"{count} of {len(cids)} blocks came")
    return Measured(seconds, work, switches)


def exchange(args: argparse.Namespace, case: str, cids: list[CID]) -> Measured:
    """One transfer from a process of its own to this one."""
    words = (
        "--serve",
        "--count",
        args.count,
        "--size",
        args.size,
        "--security",
        args.security,
        "--busy",
        case,
        "--switch-interval",
        args.switch_interval,
    )
    command = [sys.executable, "-m", "benchmarks.busy", *map(str, words)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        try:
            address = json.loads(server.stdout.readline())["address"]
            return fetch(args, case in ("getter", "both"), address, cids)
        finally:
            server.stdin.close()


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the cases in turn and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=2048)
    parser.add_argument("--size", type=int, default=256 * 1024)
    parser.add_argument("--security", choices=("tls", "noise"), default="tls")
    parser.add_argument("--busy", default="none,getter,server", help=f"of {', '.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--switch-interval", type=float, default=sys.getswitchinterval(), help="seconds")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args: Any = parser.parse_args(argv)
    sys.setswitchinterval(args.switch_interval)
    if args.serve:
        serve(args)
        return
    cases = args.busy.split(",")
    if not set(cases) <= set(CASES):
        parser.error(f"--busy is one or more of {', '.join(CASES)}")
    cids = [make_block(index, args.size).cid for index in range(args.count)]
    runs: dict[str, list[Measured]] = {case: [] for case in cases}
    for _ in range(args.rounds):
        for case in cases:
            runs[case].append(exchange(args, case, cids))
    total = args.count * args.size / 1e6
    print(f"{args.count} x {args.size} bytes over {args.security}, medians of {args.rounds} rounds")
    print("| busy thread | MB/s | blocks/s | slowest to fastest, MB/s | its work | switches a MB |")
    print("|---|---|---|---|---|---|")
    for case, measured in runs.items():
        seconds = sorted(one.seconds for one in measured)
        median = statistics.median(seconds)
        work = statistics.median(one.work for one in measured) if case in ("getter", "both") else 0.0
        switches = statistics.median(one.switches for one in measured) / total
        spread = f"{total / seconds[-1]:.0f} to {total / seconds[0]:.0f}"
        print(
            f"| {case} | {total / median:.0f} | {args.count / median:,.0f} | {spread} "
            f"| {f'{work:.2f}' if work else '-'} | {switches:.1f} |"
        )


if __name__ == "__main__":
    main()
