"""The node that is measured, as a process of its own: `python -m benchmarks.scale.server`.

Answers each line of standard input, JSON, by one: {"add": [seed, count, size]} adds blocks, {"stat": true}
only tells how many are connected.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading

from benchmarks.nodes.peer import repeated
from bitswap import Bitswap, Block, Options
from bitswap.blockstore import MemoryBlockstore
from bitswap.network.libp2p import Libp2pNetwork
from bitswap.options import NetworkOptions

MARKER = Block.of(b"marker")
"""There from the beginning."""


def blocks(seed: str, count: int, size: int) -> list[Block]:
    return [Block.of(repeated(seed, index, size)) for index in range(count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--max-connections", type=int, required=True)
    parser.add_argument("--security", default="tls")
    args = parser.parse_args()
    store = MemoryBlockstore()
    store.put(MARKER)
    most = args.max_connections
    limits = NetworkOptions(max_connections=most, max_connections_per_address=most)
    network = Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"], security=[args.security], options=limits)
    with Bitswap(network, store, Options(network=limits)) as node:
        _say({"addrs": list(network.addrs)})
        for line in sys.stdin:
            command = json.loads(line)
            if "add" in command:
                node.add_blocks(blocks(*command["add"]))
            _say({"peers": len(node.peers()), "threads": threading.active_count()})


def _say(record: dict[str, object]) -> None:
    print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
