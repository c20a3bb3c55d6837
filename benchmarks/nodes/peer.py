"""Our side as a process, with the commands, flags and reports of tests/interop/peer:
`python -m benchmarks.nodes.peer serve|fetch`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.nodes.procfs import peak_bytes
from bitswap import CID, Bitswap, Block
from bitswap.blockstore import MemoryBlockstore
from bitswap.client import Client
from bitswap.network.libp2p import Libp2pNetwork

if TYPE_CHECKING:
    from bitswap.dag import BlockSource


def repeated(seed: str, index: int, size: int) -> bytes:
    """Bytes of block `index`: one digest over and over, which takes no time to make."""
    digest = hashlib.sha256(f"{seed}:{index}:0".encode()).digest()
    return (digest * (size // len(digest) + 1))[:size]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, run, flags in (("serve", serve, _serve_flags), ("fetch", fetch, _fetch_flags)):
        command = commands.add_parser(name)
        command.add_argument("--security", choices=("tls", "noise"), default="tls")
        command.add_argument("--busy", action="store_true", help="a thread computes in Python without pause")
        flags(command)
        command.set_defaults(run=run)
    args = parser.parse_args()
    if args.busy:
        threading.Thread(target=_compute, name="busy", daemon=True).start()
    args.run(args)


def _serve_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--blocks-count", type=int, default=0)
    parser.add_argument("--blocks-size", type=int, default=0)
    parser.add_argument("--blocks-seed", default="seed")
    parser.add_argument("--cids-out", type=Path)
    parser.add_argument("--file", type=Path, help="a file to serve as UnixFS in chunks of 256 KiB")


def _fetch_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--peer", required=True)
    parser.add_argument("--timeout", type=float, default=60.0)
    parser.add_argument("--cids", type=Path)
    parser.add_argument("--cid", help="root of a file")
    parser.add_argument("--one-by-one", action="store_true")
    parser.add_argument("--warm", type=int, default=0)
    parser.add_argument("--discard", action="store_true")


def _compute() -> None:
    number = 0
    while True:
        number = (number * 31 + 7) % 1_000_003


def serve(args: argparse.Namespace) -> None:
    """Print where, then serve until standard input ends."""
    store = MemoryBlockstore()
    names: list[str] = []
    for index in range(args.blocks_count):
        block = Block.of(repeated(args.blocks_seed, index, args.blocks_size))
        store.put(block)
        names.append(f"{block.cid}\n")
    if args.cids_out:
        args.cids_out.write_text("".join(names))
    roots: dict[str, str] = {}
    if args.file:
        from bitswap.dag import ImportOptions, add_path

        roots[str(args.file)] = str(add_path(args.file, store, ImportOptions(cid_version=1)).cid)
    network = Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"], security=[args.security])
    with Bitswap(network, store):
        _say({"peer_id": network.self_id, "addrs": list(network.addrs), "roots": roots})
        sys.stdin.buffer.read()
    _say({"cpu_seconds": _processor_time(), "peak_bytes": peak_bytes()})


def fetch(args: argparse.Namespace) -> None:
    """Fetch and print the report."""
    cids = [] if args.cids is None else [CID(line) for line in args.cids.read_text().split()]
    with Bitswap(Libp2pNetwork(security=[args.security]), MemoryBlockstore()) as node:
        node.connect(args.peer)
        source = node.client if args.discard else node
        result = _fetch(args, source, cids)
    _say(result)


def _fetch(args: argparse.Namespace, source: Client | Bitswap, cids: list[CID]) -> dict[str, Any]:
    with source.new_session() as session:
        get = session.get_block
        for cid in cids[: args.warm]:
            get(cid, args.timeout)
        cids = cids[args.warm :]
        result: dict[str, Any] = {}
        began, used = time.perf_counter(), _processor_time()
        if args.cid is not None:
            with session.getter(args.timeout) as getter:
                result["bytes"] = _read(getter, CID(args.cid))
        elif args.one_by_one:
            result["bytes"], result["p50_seconds"], result["p99_seconds"] = _each(
                cids, lambda cid: get(cid, args.timeout)
            )
        else:
            sizes = [len(block.data) for block in session.get_blocks(cids, args.timeout)]
            result["blocks"], result["bytes"] = len(sizes), sum(sizes)
        result["fetch_seconds"] = time.perf_counter() - began
        result["cpu_seconds"] = _processor_time() - used
        result["peak_bytes"] = peak_bytes()
        result["duplicates"] = session.duplicates
    return result


def _read(source: BlockSource, root: CID) -> int:
    from bitswap.dag import read_file  # for files only: who fetches blocks does without

    with closing(read_file(source, root)) as parts:
        return sum(len(part) for part in parts)


def _each(cids: list[CID], get: Callable[[CID], Block]) -> tuple[int, float, float]:
    """Bytes, and the times of the one in the middle and of the one that only a hundredth exceeds."""
    size, times, clock = 0, [], time.perf_counter
    for cid in cids:
        began = clock()
        block = get(cid)
        times.append(clock() - began)
        size += len(block.data)
    times.sort()
    return size, times[len(times) // 2], times[len(times) * 99 // 100]


def _processor_time() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _say(record: dict[str, Any]) -> None:
    print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
