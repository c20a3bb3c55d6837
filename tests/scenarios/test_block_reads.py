"""Looking blocks up for answers: what is missing, many look-ups at once, and the end of the server.

boxo keeps a pool of workers for this, and gives an error for what is asked of it after it was stopped. Here
the threads of the server read in batches themselves; closing it waits for the reads that are under way and
begins no others.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from bitswap.block import Block
from bitswap.blockstore import MemoryBlockstore
from bitswap.cid import CID
from bitswap.decision.block_reader import BlockReader
from bitswap.message import Message
from bitswap.options import KIB, ServerOptions
from bitswap.server import Server
from tests.decision.fake_network import PATIENCE, FakeNetwork
from tests.decision.support import block

pytestmark = pytest.mark.timeout(120)

BLOCKS = [Block.of(bytes([number]) * number * KIB) for number in range(1, 33)]
EQUAL = [Block.of(bytes([number]) * 8 * KIB) for number in range(32)]
AT_ONCE = 16


def stored(blocks: Sequence[Block], store: MemoryBlockstore | None = None) -> MemoryBlockstore:
    store = store or MemoryBlockstore()
    store.put_many(blocks)
    return store


def cids(blocks: Sequence[Block]) -> list[CID]:
    return [item.cid for item in blocks]


def test_what_is_not_there_is_none() -> None:
    reader = BlockReader(MemoryBlockstore())
    wanted = cids([block(name) for name in "abcd"])
    assert reader.sizes(wanted) == [None] * 4
    assert reader.blocks(wanted) == [None] * 4
    assert reader.sizes([]) == reader.blocks([]) == []


def test_all_but_the_missing_are_found_in_the_order_of_asking() -> None:
    reader = BlockReader(stored(BLOCKS[:-1]))
    assert reader.sizes(cids(BLOCKS)) == [number * KIB for number in range(1, 32)] + [None]
    found = reader.blocks(cids(BLOCKS))
    assert [item and (item.cid, item.data) for item in found] == [
        (item.cid, item.data) for item in BLOCKS[:-1]
    ] + [None]


class Meeting(MemoryBlockstore):
    """A store that answers a look-up when all of them are being made."""

    def __init__(self) -> None:
        super().__init__()
        self._together = threading.Barrier(AT_ONCE, timeout=PATIENCE)

    def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        self._together.wait()
        return super().sizes(cids)


def test_many_threads_look_up_at_once() -> None:
    reader = BlockReader(stored(EQUAL, Meeting()))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [pool.submit(reader.sizes, cids(EQUAL)) for _ in range(AT_ONCE)]
        assert [found.result() for found in asked] == [[8 * KIB] * len(EQUAL)] * AT_ONCE


class Counting(MemoryBlockstore):
    """A store that counts look-ups, and during the first one closes the server that makes it."""

    def __init__(self) -> None:
        super().__init__()
        self.look_ups = 0
        self.server: Server | None = None
        self.closed = threading.Event()

    def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        self.look_ups += 1
        if self.server is not None:
            self.server.close()
            self.closed.set()
        return super().sizes(cids)


def wants(*wanted: CID) -> Message:
    message = Message()
    for item in wanted:
        message.add_entry(item, 1, 0, True)
    return message


@pytest.mark.usefixtures("implementation")
def test_a_closed_server_looks_nothing_up(network: FakeNetwork) -> None:
    store = Counting()
    server = Server(network, store)
    network.start(server)
    server.close()
    network.deliver("A", wants(*cids(BLOCKS[:10])))
    network.flush()
    server.notify_new_blocks(cids(BLOCKS[:10]))
    assert store.look_ups == 0


@pytest.mark.usefixtures("implementation")
def test_after_closing_the_look_up_under_way_is_the_last(network: FakeNetwork) -> None:
    store = Counting()
    server = Server(network, store, ServerOptions(task_workers=1, max_inbound_messages=200))
    network.start(server)
    store.server = server
    for item in EQUAL:
        network.deliver("A", wants(item.cid))
    assert store.closed.wait(PATIENCE)
    server.close()
    network.flush()
    assert store.look_ups == 1
