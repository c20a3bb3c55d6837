"""A server that remembers which blocks the store has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from bitswap.cid import CID
from bitswap.message import WantType
from bitswap.options import ServerOptions
from bitswap.server import Server

from .fake_network import PATIENCE, FakeNetwork
from .serving import GatedStore, data, wants
from .support import block, cid

pytestmark = pytest.mark.timeout(120)


class AskedStore(GatedStore):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[CID]] = []

    def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        self.asked.append(list(cids))
        return super().sizes(cids)


@pytest.fixture
def store() -> AskedStore:
    store = AskedStore()
    store.put_many([block(name) for name in "abc"])
    return store


@pytest.fixture
def server(network: FakeNetwork, store: AskedStore) -> Iterator[Server]:
    with Server(network, store, ServerOptions(task_workers=1, max_known_blocks=100)) as server:
        network.start(server)
        yield server


def test_what_was_found_is_not_looked_up_again(
    network: FakeNetwork, store: AskedStore, server: Server
) -> None:
    for peer in "AB":
        network.deliver(peer, wants("ab1"))
        answer = network.next(peer)
        assert data(answer) == [b"a", b"b"]
        assert answer.dont_haves() == [cid("1")]
    assert store.asked == [[cid("a"), cid("b"), cid("1")], [cid("1")]]
    network.deliver("C", wants("ab"))
    assert data(network.next("C")) == [b"a", b"b"]
    assert len(store.asked) == 2


def test_a_new_block_is_not_looked_up(network: FakeNetwork, store: AskedStore, server: Server) -> None:
    store.put(block("x"))
    server.notify_new_blocks([block("x")])
    network.deliver("A", wants("x"))
    assert data(network.next("A")) == [b"x"]
    assert store.asked == []


def test_a_removed_block_is_looked_up_again(network: FakeNetwork, store: AskedStore, server: Server) -> None:
    network.deliver("A", wants("ab"))
    network.next("A")
    store.delete(cid("a"))
    server.blocks_removed([cid("a")])
    network.deliver("A", wants("ab"))
    answer = network.next("A")
    assert (data(answer), answer.dont_haves()) == ([b"b"], [cid("a")])
    assert store.asked[1:] == [[cid("a")]]


def test_a_block_that_was_removed_in_silence_is_missed_once(
    network: FakeNetwork, store: AskedStore, server: Server
) -> None:
    network.deliver("A", wants("a"))
    network.next("A")
    store.delete(cid("a"))
    for asked in (1, 2):
        network.deliver("A", wants("a"))
        assert network.next("A").dont_haves() == [cid("a")]
        assert len(store.asked) == asked


def test_a_block_that_is_removed_while_it_is_looked_up_is_not_remembered(
    network: FakeNetwork, store: AskedStore, server: Server
) -> None:
    large = block("large", 5000)
    store.put(large)
    message = wants("a")
    message.add_entry(large.cid, 1, WantType.HAVE, True)
    store.sizes_gate.clear()
    network.deliver("A", message)
    assert store.at_sizes.wait(PATIENCE)
    store.delete(large.cid)
    server.blocks_removed([large.cid])
    store.sizes_gate.set()
    # That was so when it was looked up, and nothing is read for it.
    assert network.next("A").haves() == [large.cid]
    network.deliver("A", message)
    assert network.next("A").dont_haves() == [large.cid]
    assert store.asked[1:] == [[large.cid]]


def test_a_block_that_comes_while_it_is_looked_up_is_remembered(
    network: FakeNetwork, store: AskedStore, server: Server
) -> None:
    store.sizes_gate.clear()
    network.deliver("A", wants("x"))
    assert store.at_sizes.wait(PATIENCE)
    store.put(block("x"))
    server.notify_new_blocks([block("x")])
    store.sizes_gate.set()
    assert data(network.next("A")) == [b"x"]
    network.deliver("B", wants("x"))
    assert data(network.next("B")) == [b"x"]
    assert len(store.asked) == 1


def test_a_server_that_remembers_nothing_need_not_be_told(network: FakeNetwork, store: AskedStore) -> None:
    with Server(network, store) as server:
        network.start(server)
        server.blocks_removed([cid("a")])
        for _ in range(2):
            network.deliver("A", wants("a"))
            assert data(network.next("A")) == [b"a"]
    assert len(store.asked) == 2
