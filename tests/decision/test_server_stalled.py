"""Peers that never read, and how sends, reads and workers are bounded."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from bitswap.block import Block
from bitswap.blockstore import MemoryBlockstore
from bitswap.cid import CID
from bitswap.message import Message
from bitswap.options import KIB, ServerOptions
from bitswap.server import Server

from .fake_network import FakeNetwork
from .support import block

pytestmark = pytest.mark.timeout(120)

STALLED = [f"stalled {number}" for number in range(8)]
BLOCKS = [block(f"{number}:", 5000) for number in range(200)]
SIZE = 5000


def wanting(blocks: Sequence[Block]) -> Message:
    """Wants for blocks, the first one most urgent."""
    message = Message()
    for place, item in enumerate(blocks):
        message.add_entry(item.cid, len(blocks) - place)
    return message


def collect(network: FakeNetwork, peer: str, count: int) -> list[Block]:
    """What `peer` is sent, in order, until it has `count` blocks."""
    got: list[Block] = []
    while len(got) < count:
        got += network.next(peer).blocks()
    return got


class CountingStore(MemoryBlockstore):
    """Notes how many blocks each call is about, and how many threads are in it at once."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []
        self.read: list[int] = []
        self.most_threads = 0
        self._threads = 0
        self._counting = threading.Lock()

    def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        self.asked.append(len(cids))
        return super().sizes(cids)

    def get_many(self, cids: Sequence[CID]) -> list[Block | None]:
        with self._counting:
            self._threads += 1
            self.most_threads = max(self.most_threads, self._threads)
        self.read.append(len(cids))
        found = super().get_many(cids)
        with self._counting:
            self._threads -= 1
        return found


@pytest.fixture
def store() -> CountingStore:
    store = CountingStore()
    store.put_many(BLOCKS)
    return store


@pytest.mark.parametrize("workers", [1, 2])
def test_beside_eight_peers_that_never_read_the_ninth_loses_nothing(
    network: FakeNetwork, store: CountingStore, workers: int
) -> None:
    for peer in STALLED:
        network.manner[peer] = "keep"
    with Server(network, store, ServerOptions(task_workers=workers)) as server:
        network.start(server)
        for peer in STALLED:
            network.deliver(peer, wanting(BLOCKS))
        for peer in STALLED:
            network.sent[peer].put(network.next(peer))
        for start in range(0, 200, 20):
            some = BLOCKS[start : start + 20]
            network.deliver("reader", wanting(some))
            assert collect(network, "reader", 20) == some
        # Each of the others has one message on its way, and no more blocks than fit into it.
        for peer in STALLED:
            assert network.sent[peer].qsize() == 1
        assert server.stat().blocks_sent >= 180
        # They lose nothing either, once they read.
        for peer in STALLED:
            network.manner[peer] = "take"
            network.end(peer)
        for peer in STALLED:
            assert collect(network, peer, 200) == BLOCKS


def test_a_peer_that_does_not_read_holds_few_blocks(network: FakeNetwork, store: CountingStore) -> None:
    network.manner["stalled"] = "keep"
    with Server(network, store) as server:
        network.start(server)
        network.deliver("stalled", wanting(BLOCKS))
        first = network.next("stalled")
        network.deliver("other", wanting(BLOCKS[:1]))
        network.next("other")
        # 16 KiB at first, and at most one block above it.
        assert sum(len(item.data) for item in first.blocks()) < 16 * KIB + SIZE
        assert server.stat().pending_tasks == 200 - len(first.blocks())


def test_a_peer_is_sent_one_message_at_a_time_in_order(network: FakeNetwork, store: CountingStore) -> None:
    """The network complains of a second send to a peer before the first has ended."""
    options = ServerOptions(task_workers=8, target_message_size=1, adaptive=False)
    with Server(network, store, options) as server:
        network.start(server)
        for peer in "ABC":
            network.deliver(peer, wanting(BLOCKS))
        for peer in "ABC":
            assert collect(network, peer, 200) == BLOCKS
    assert store.most_threads <= 8


def test_blocks_are_looked_up_and_read_many_at_a_time(network: FakeNetwork, store: CountingStore) -> None:
    options = ServerOptions(target_message_size=64 * KIB, adaptive=False)
    with Server(network, store, options) as server:
        network.start(server)
        network.deliver("A", wanting(BLOCKS))
        collect(network, "A", 200)
    assert store.asked == [200]
    a_message = 64 * KIB // SIZE + 1
    assert store.read == [a_message] * (200 // a_message) + [200 % a_message]


def test_a_store_is_not_asked_about_messages_that_want_nothing(
    network: FakeNetwork, store: CountingStore
) -> None:
    with Server(network, store, ServerOptions(task_workers=1)) as server:
        network.start(server)
        cancels = Message()
        cancels.cancel(BLOCKS[0].cid)
        network.deliver("A", cancels)
        network.deliver("A", Message(full=True))
        network.deliver("A", wanting(BLOCKS[:1]))
        collect(network, "A", 1)
    assert store.asked == [1]
