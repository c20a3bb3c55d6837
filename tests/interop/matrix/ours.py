"""Our node as a program with the command line of the peers (`peers/README.md`), with what its wire showed.

python -m tests.interop.matrix.ours serve --security tls --blocks-count 10 --blocks-size 1024
python -m tests.interop.matrix.ours fetch --security tls --peer ADDRESS --cids FILE --timeout 20s
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import threading
import time
from collections import Counter

import bitswap
from bitswap import Bitswap
from bitswap.blockstore import MemoryBlockstore
from bitswap.cli.blocks import make_block, read_cids
from bitswap.errors import BitswapError
from bitswap.message import Message, WantType
from bitswap.network.libp2p import Libp2pNetwork
from tests.interop.matrix.peer import Program

OURS = Program(
    (sys.executable, "-m", "tests.interop.matrix.ours"), f"this checkout, {bitswap.IMPLEMENTATION} core"
)


class Wire:
    """A tracer that counts what messages hold, each way."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._largest = 0

    def message_received(self, peer: str, message: Message) -> None:
        self._count("in", message)
        with self._guard:
            self._largest = max(self._largest, message.body_size)

    def message_sent(self, peer: str, message: Message) -> None:
        self._count("out", message)

    def _count(self, way: str, message: Message) -> None:
        entries = message.wantlist()
        wants = [entry for entry in entries if not entry.cancel]
        found = {
            "messages": 1,
            "full_lists": bool(entries and message.full),
            "want_blocks": sum(entry.want_type == WantType.BLOCK for entry in wants),
            "want_haves": sum(entry.want_type == WantType.HAVE for entry in wants),
            "cancels": len(entries) - len(wants),
            "blocks": len(message.blocks()),
            "haves": len(message.haves()),
            "dont_haves": len(message.dont_haves()),
        }
        with self._guard:
            self._counts.update({f"{name}_{way}": int(number) for name, number in found.items()})

    def report(self) -> dict[str, int]:
        with self._guard:
            return {
                **{name: number for name, number in self._counts.items() if number},
                "largest_in": self._largest,
            }


def say(record: dict[str, object]) -> None:
    print(json.dumps(record), flush=True)


def wait_for_the_end() -> None:
    """Until standard input closes or SIGTERM comes."""
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    threading.Thread(target=lambda: (sys.stdin.buffer.read(), over.set()), daemon=True).start()
    while not over.wait(1.0):
        pass


def serve(args: argparse.Namespace) -> int:
    store = MemoryBlockstore()
    store.put_many(
        [make_block(args.blocks_seed, index, args.blocks_size) for index in range(args.blocks_count)]
    )
    network, wire = Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"], security=[args.security]), Wire()
    with Bitswap(network, store, tracer=wire) as node:
        say({"peer_id": network.self_id, "addrs": list(network.addrs)})
        wait_for_the_end()
        stat = node.stat()
    say({"blocks_sent": stat.blocks_sent, "bytes_sent": stat.data_sent, "wire": wire.report()})
    return 0


def fetch(args: argparse.Namespace) -> int:
    """Everything in one call, from that peer and nobody else."""
    cids = read_cids(args.cids)
    wire, error = Wire(), None
    came: set[object] = set()
    size = 0
    with Bitswap(Libp2pNetwork(security=[args.security]), MemoryBlockstore(), tracer=wire) as node:
        started = time.monotonic()
        try:
            peer = node.connect(args.peer, timeout=args.timeout)
            started = time.monotonic()
            with node.new_session(peers=[peer], broadcast=False) as session:
                for block in session.get_blocks(cids, timeout=args.timeout):
                    came.add(block.cid)
                    size += len(block.data)
        except BitswapError as caught:
            error = f"{type(caught).__name__}: {caught}"
        seconds = time.monotonic() - started
        stat = node.stat()
    report: dict[str, object] = {
        "blocks": len(came),
        "bytes": size,
        "missing": len(set(cids) - came),
        "duplicates": stat.dup_blocks_received,
        "seconds": round(seconds, 3),
        "wire": wire.report(),
    }
    if error is not None:
        report["error"] = error[:2000]
    say(report)
    return 0 if error is None else 1


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    serving = commands.add_parser("serve")
    serving.add_argument("--blocks-count", type=int, required=True)
    serving.add_argument("--blocks-size", type=int, required=True)
    serving.add_argument("--blocks-seed", default="seed")
    serving.set_defaults(run=serve)
    fetching = commands.add_parser("fetch")
    fetching.add_argument("--peer", required=True)
    fetching.add_argument("--cids", required=True)
    fetching.add_argument("--timeout", type=seconds, default=60.0)
    fetching.set_defaults(run=fetch)
    for command in (serving, fetching):
        command.add_argument("--security", choices=("tls", "noise"), default="tls")
    return parser.parse_args()


def main() -> int:
    # What befell streams and connections goes to standard error, where a failure is explained.
    logging.basicConfig(stream=sys.stderr, format="%(name)s: %(message)s")
    logging.getLogger("bitswap.network").setLevel(logging.DEBUG)
    args = arguments()
    code: int = args.run(args)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
