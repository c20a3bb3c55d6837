"""The thread that hashes for the network's: there while the network runs, and never needed."""

from __future__ import annotations

import os
import threading

import pytest

from bitswap import Bitswap, Block, Options
from bitswap._core import IMPLEMENTATION
from bitswap.blockstore import MemoryBlockstore
from bitswap.errors import UsageError
from bitswap.network.libp2p import Libp2pNetwork
from bitswap.options import KIB, NetworkOptions

pytestmark = pytest.mark.timeout(60)


def hashing() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "bitswap-hash"}


def node(options: NetworkOptions) -> Bitswap:
    network = Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"], options=options)
    return Bitswap(network, MemoryBlockstore(), Options(network=options))


@pytest.mark.parametrize("threads", [0, 1])
def test_large_blocks_come_with_and_without_it(threads: int) -> None:
    before = hashing()
    options = NetworkOptions(hash_threads=threads)
    blocks = [Block.of(os.urandom(size * KIB)) for size in (1, 16, 17, 200, 1000, 2000) for _ in range(4)]
    with node(options) as giver, node(options) as taker:
        assert len(hashing() - before) == (2 * threads if IMPLEMENTATION == "compiled" else 0)
        giver.add_blocks(blocks)
        taker.connect(giver.network.addrs[0])
        got = {
            block.cid: block.data for block in taker.get_blocks([block.cid for block in blocks], timeout=30)
        }
    assert got == {block.cid: block.data for block in blocks}
    assert hashing() == before


def test_more_than_one_is_refused() -> None:
    with pytest.raises(UsageError):
        NetworkOptions(hash_threads=2)
