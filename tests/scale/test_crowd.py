"""Many connections to one node: all are kept, all are served, and none before the others."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from bitswap import Bitswap, Block, Options
from bitswap.blockstore import MemoryBlockstore
from bitswap.network.libp2p import Libp2pNetwork
from bitswap.options import MIB, ServerOptions
from bitswap.testutils import make_blocks
from tests.scale.crowd import Crowd, jain

CONNECTED, ACTIVE, EACH = 200, 50, 128
SIZE = 4096
BLOCKS = make_blocks(256, SIZE)
CIDS = [block.cid for block in BLOCKS]


MARKER = Block.of(b"marker")


@pytest.fixture
def server() -> Iterator[Bitswap]:
    store = MemoryBlockstore()
    store.put(MARKER)
    # Small messages, so that half of a small fetch is many of them.
    options = Options(server=ServerOptions(max_round_bytes=1 * MIB))
    with Bitswap(Libp2pNetwork(["/ip4/127.0.0.1/tcp/0"], security=["tls"]), store, options) as node:
        yield node


@pytest.fixture
def crowd(server: Bitswap) -> Iterator[Crowd]:
    with Crowd(server.network.addrs[0]) as found:
        yield found


@pytest.mark.timeout(120)
def test_some_of_many_are_served_alike(server: Bitswap, crowd: Crowd) -> None:
    threads = threading.active_count()
    crowd.grow(CONNECTED)
    assert len(server.peers()) == CONNECTED
    assert threading.active_count() == threads
    # Each wants others, and in another order.
    found = crowd.fetch(
        crowd.members[::4],
        lambda place: [CIDS[(7 * place + at) % len(CIDS)] for at in range(EACH)],
        SIZE,
        marker=MARKER.cid,
        go=lambda: server.add_blocks(BLOCKS),
    )
    assert found.bytes == ACTIVE * EACH * SIZE
    assert len(found.ended) == len(found.half) == ACTIVE
    assert min(found.half) > 0
    assert found.fairness >= 0.95
    assert server.stat().blocks_sent == ACTIVE * (EACH + 1)
    assert len(server.peers()) == CONNECTED


@pytest.mark.timeout(120)
def test_everybody_fetches_the_same(server: Bitswap, crowd: Crowd) -> None:
    crowd.grow(60)
    found = crowd.fetch(
        crowd.members, lambda _: CIDS, SIZE, marker=MARKER.cid, go=lambda: server.add_blocks(BLOCKS)
    )
    assert found.bytes == 60 * len(CIDS) * SIZE
    assert min(found.half) > 0
    assert found.fairness >= 0.95


def test_the_index_of_fairness() -> None:
    assert jain([5, 5, 5, 5]) == 1
    assert jain([20, 0, 0, 0]) == 0.25
    assert jain([0, 0]) == 1
