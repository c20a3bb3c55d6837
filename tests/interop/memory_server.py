"""A node of ours that serves made blocks from memory: `python -m tests.interop.memory_server --count 10`.

Prints {"peer_id", "addrs"} when ready and its statistics when standard input closes. With --stall-after N it
reads N blocks from the store and then none, and says {"stalled": true}: a test can end the process while a
transfer is under way.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from bitswap import CID, Bitswap, Block
from bitswap.blockstore import MemoryBlockstore
from bitswap.cli.blocks import make_block
from bitswap.network.libp2p import Libp2pNetwork


class StallingStore(MemoryBlockstore):
    """Answers `allowed` reads of blocks, then keeps every reader waiting for ever."""

    def __init__(self, allowed: int | None) -> None:
        super().__init__()
        self._allowed = allowed
        self._guard = threading.Lock()

    def get(self, cid: CID) -> Block:
        self._count(1)
        return super().get(cid)

    def get_many(self, cids: Sequence[CID]) -> list[Block | None]:
        self._count(len(cids))
        return super().get_many(cids)

    def _count(self, reads: int) -> None:
        if self._allowed is None:
            return
        with self._guard:
            before, self._allowed = self._allowed, self._allowed - reads
        if self._allowed < 0:
            if before >= 0:
                say({"stalled": True})
            threading.Event().wait()


def say(record: dict[str, object]) -> None:
    print(json.dumps(record), flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--security", choices=("tls", "noise"), default="tls")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--seed", default="seed")
    parser.add_argument("--cids-out")
    parser.add_argument("--stall-after", type=int)
    return parser.parse_args()


def main() -> None:
    args = arguments()
    store = StallingStore(args.stall_after)
    blocks = [make_block(args.seed, index, args.size) for index in range(args.count)]
    store.put_many(blocks)
    if args.cids_out:
        Path(args.cids_out).write_text("".join(f"{block.cid}\n" for block in blocks))
    network = Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"], security=[args.security])
    with Bitswap(network, store) as node:
        say({"peer_id": network.self_id, "addrs": list(network.addrs)})
        sys.stdin.buffer.read()
        stat = node.stat()
    say({"blocks_sent": stat.blocks_sent, "bytes_sent": stat.data_sent})


if __name__ == "__main__":
    main()
