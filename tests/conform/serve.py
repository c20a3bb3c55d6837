"""`python -m tests.conform.serve tls|noise`: a node with the blocks of `held`, until its input closes."""

from __future__ import annotations

import json
import sys

import bitswap
from bitswap import Bitswap
from bitswap.blockstore import MemoryBlockstore
from bitswap.network.libp2p import Libp2pNetwork
from tests.conform.held import HELD


def main(security: str) -> None:
    store = MemoryBlockstore()
    store.put_many(HELD)
    network = Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"], security=[security])
    with Bitswap(network, store):
        ready = {"address": network.addrs[0], "implementation": bitswap.IMPLEMENTATION}
        print(json.dumps(ready), flush=True)
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main(sys.argv[1])
