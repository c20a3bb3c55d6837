"""Where the time of a transfer goes: two nodes, each a process, every thread of both under the profiler.

    python -m benchmarks.breakdown [--count 1024] [--size 262144] [--security tls]

Prints the rate of undisturbed runs, then, from one more run under cProfile, the share of each kind of work
in the busy time of either side (waiting in `select` and for locks left out). The profiler makes Python calls
look dearer than they are: its shares are upper bounds for "Python" and lower ones for the rest.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bitswap import Bitswap
from bitswap.blockstore import MemoryBlockstore
from bitswap.cid import CID
from bitswap.cli.blocks import make_block
from bitswap.network.libp2p import Libp2pNetwork

WAITING = "waiting"
KINDS = {
    WAITING: ("acquire", "poll", "select", "wait", "sleep", "read"),
    "hand-over between threads": ("release", "notify"),
    "hash and decode": ("sha256", "from_body", "message_reader.py:_deliver"),
    "frame assembly": ("feed", "message_reader.py:_feed"),
    "encode": ("to_frames", "lane.py:_write"),
    "socket read": ("recv_into", "recv", "sockets.py:receive_into"),
    "socket write": ("send", "sendmsg", "sockets.py:send_some"),
    "encrypt": ("SSL_write", "BIO_read", "encrypt", "tls_records.py:write"),
    "decrypt": ("SSL_read", "BIO_write", "decrypt", "tls_records.py:read_into", "tls.py:receive"),
}
"""C functions by name; compiled functions, which the profiler does not see, by the place that calls them."""
NAMES = {name: kind for kind, names in KINDS.items() for name in names}


def kind_of(function: tuple[str, int, str]) -> str:
    """The kind of work that a function does itself; what is left is Python."""
    file, _, name = function
    if file == "~":
        words = name.strip("<>").replace("'", "").split()
        named = words[1] if words[0] == "method" else words[-1]
        return NAMES.get(named.rpartition(".")[2], "Python")
    return NAMES.get(f"{Path(file).name}:{name}", "Python")


class Profiled:
    """Profiles of every thread that starts while this is active, and of the one that made it."""

    def __init__(self) -> None:
        self._profiles: list[cProfile.Profile] = []
        self._run = threading.Thread.run

    def __enter__(self) -> Profiled:
        profiles, plain = self._profiles, self._run

        def run(thread: threading.Thread) -> None:
            profile = cProfile.Profile()
            profiles.append(profile)
            profile.runcall(plain, thread)

        threading.Thread.run = run  # type: ignore[method-assign, assignment]
        self._own = cProfile.Profile()
        profiles.append(self._own)
        self._own.enable()
        return self

    def __exit__(self, *_: object) -> None:
        self._own.disable()
        threading.Thread.run = self._run  # type: ignore[method-assign]

    def seconds(self) -> dict[str, float]:
        """Own time by kind of work."""
        total: Counter[str] = Counter()
        for profile in self._profiles:
            for function, (_, _, own, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
                total[kind_of(function)] += own
        return dict(total)


def serve(args: argparse.Namespace) -> None:
    """Print the address, serve until standard input closes, print the profile."""
    store = MemoryBlockstore()
    store.put_many(make_block("breakdown", index, args.size) for index in range(args.count))
    profiled = Profiled() if args.profile else None
    if profiled:
        profiled.__enter__()
    with Bitswap(Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"], security=[args.security]), store) as node:
        print(json.dumps({"address": node.network.addrs[0]}), flush=True)
        sys.stdin.read()
    if profiled:
        profiled.__exit__()
        print(json.dumps(profiled.seconds()), flush=True)


def fetch(args: argparse.Namespace, address: str, cids: list[CID]) -> tuple[float, dict[str, float]]:
    """Seconds of one call for all blocks, each verified and dropped; with --profile, where they went."""
    profiled = Profiled()
    if args.profile:
        profiled.__enter__()
    with Bitswap(Libp2pNetwork(security=[args.security]), MemoryBlockstore()) as node:
        peer = node.connect(address, timeout=30)
        started = time.perf_counter()
        with node.client.new_session(peers=[peer], broadcast=False) as session:
            for _ in session.get_blocks(cids, timeout=60):
                pass
        seconds = time.perf_counter() - started
    if args.profile:
        profiled.__exit__()
    return seconds, profiled.seconds() if args.profile else {}


def exchange(args: argparse.Namespace, cids: list[CID]) -> tuple[float, dict[str, float], dict[str, float]]:
    """One transfer between this process and another: seconds, and the profiles of getter and server."""
    words = ["--serve", "--count", args.count, "--size", args.size, "--security", args.security]
    command = [
        sys.executable,
        "-m",
        "benchmarks.breakdown",
        *map(str, words),
        *(["--profile"] if args.profile else []),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        address = json.loads(server.stdout.readline())["address"]
        seconds, getter = fetch(args, address, cids)
        server.stdin.close()
        said = server.stdout.readline()
    return seconds, getter, json.loads(said) if said else {}


def table(profile: dict[str, float]) -> list[tuple[str, float]]:
    """Shares of the time that was not spent waiting, largest first."""
    busy = {kind: seconds for kind, seconds in profile.items() if kind != WAITING}
    total = sum(busy.values()) or 1.0
    return sorted(((kind, seconds / total) for kind, seconds in busy.items()), key=lambda row: -row[1])


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, then say where it went."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1024)
    parser.add_argument("--size", type=int, default=256 * 1024)
    parser.add_argument("--security", choices=("tls", "noise"), default="tls")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args: Any = parser.parse_args(argv)
    if args.serve:
        serve(args)
        return
    cids = [make_block("breakdown", index, args.size).cid for index in range(args.count)]
    rates = sorted(args.count * args.size / exchange(args, cids)[0] / 1e6 for _ in range(args.runs))
    print(
        f"{args.count} x {args.size} bytes over {args.security}, {args.runs} runs: "
        f"median {rates[len(rates) // 2]:.0f} MB/s ({rates[0]:.0f} to {rates[-1]:.0f})"
    )
    args.profile = True
    _, getter, server = exchange(args, cids)
    for name, profile in (("getter", getter), ("server", server)):
        print(f"{name}: " + ", ".join(f"{kind} {share:.0%}" for kind, share in table(profile)))


if __name__ == "__main__":
    main()
