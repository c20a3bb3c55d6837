"""The server as a part of a node, and a node without one."""

from __future__ import annotations

import queue
from collections.abc import Iterator

import pytest

from bitswap import Bitswap, Options, ServerOptions
from bitswap.block import Block
from bitswap.blockstore import MemoryBlockstore
from bitswap.client import Client
from bitswap.message import Message
from bitswap.network.interface import ANSWERS, WANTS
from bitswap.server import Server
from bitswap.testnet import LoopbackHub
from bitswap.testnet.loopback import LoopbackNetwork

from .fake_network import PATIENCE
from .serving import data, wants
from .support import block, cid

pytestmark = pytest.mark.timeout(120)

DISABLED = Options(server=ServerOptions(enabled=False))


class Peer:
    """Somebody who sends messages, keeps the answers that come, and has nothing himself."""

    def __init__(self, hub: LoopbackHub, name: str) -> None:
        self.network: LoopbackNetwork = hub.network(name)
        self.got: queue.Queue[Message] = queue.Queue()
        self.network.start(self)

    def send(self, peer: str, message: Message) -> None:
        """Returns once it was received."""
        ended: queue.Queue[BaseException | None] = queue.Queue()
        self.network.send(peer, message, WANTS, ended.put)
        assert ended.get(timeout=PATIENCE) is None

    def next(self) -> Message:
        return self.got.get(timeout=PATIENCE)

    def peer_connected(self, peer: str) -> None: ...

    def peer_disconnected(self, peer: str, reason: BaseException | None) -> None: ...

    def message_received(self, peer: str, message: Message) -> None:
        if message.has_wants:
            answer = Message()
            for entry in message.wantlist():
                answer.add_dont_have(entry.cid)
            self.network.send(peer, answer, ANSWERS, lambda error: None)
        else:
            self.got.put(message)

    def receive_error(self, peer: str, error: BaseException) -> None: ...


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as hub:
        yield hub


def store_with(*blocks: Block) -> MemoryBlockstore:
    store = MemoryBlockstore()
    store.put_many(blocks)
    return store


def test_a_node_serves(hub: LoopbackHub) -> None:
    with Bitswap(hub.network("node"), store_with(block("a"))) as node:
        peer = Peer(hub, "peer")
        peer.network.connect("/loopback/node")
        peer.send("node", wants("ab"))
        answer = peer.next()
        assert (data(answer), answer.dont_haves()) == ([b"a"], [cid("b")])
        assert node.wantlist_for_peer("peer") == [cid("b")]
        node.add_block(block("b"))
        assert data(peer.next()) == [b"b"]
        assert node.ledger_for_peer("peer").exchanged == 2
        node.store.delete(cid("b"))
        node.blocks_removed([cid("b")])
        node.disconnect("peer")
        assert node.server is not None
        while node.server.stat().peers or node.ledger_for_peer("peer").sent:
            pass


def test_a_node_serves_what_it_fetches(hub: LoopbackHub) -> None:
    with (
        Bitswap(hub.network("source"), store_with(block("a"))),
        Bitswap(hub.network("node"), MemoryBlockstore()) as node,
    ):
        peer = Peer(hub, "peer")
        peer.network.connect("/loopback/node")
        peer.send("node", wants("a"))
        assert peer.next().dont_haves() == [cid("a")]
        node.connect("/loopback/source")
        assert node.get_block(cid("a"), timeout=PATIENCE) == block("a")
        assert data(peer.next()) == [b"a"]


def test_a_server_needs_no_node(hub: LoopbackHub) -> None:
    network = hub.network("server")
    with Server(network, store_with(block("a"))) as server:
        network.start(server)
        with Client(hub.network("client")) as client:
            client.network.start(client)
            client.network.connect("/loopback/server")
            assert client.get_block(cid("a"), timeout=PATIENCE) == block("a")
            while server.stat().blocks_sent < 1:
                pass


def test_a_node_whose_server_is_disabled_answers_nothing_and_lives(hub: LoopbackHub) -> None:
    with (
        Bitswap(hub.network("source"), store_with(block("b"))) as source,
        Bitswap(hub.network("node"), store_with(block("a")), DISABLED) as node,
    ):
        peer = Peer(hub, "peer")
        peer.network.connect("/loopback/node")
        node.connect("/loopback/source")
        for message in (wants("ab"), wants("", haves="a"), wants("", full=True), wants("a", cancels="b")):
            peer.send("node", message)
        assert node.server is None
        assert node.wantlist_for_peer("peer") == []
        assert node.ledger_for_peer("peer") == ("peer", 0.0, 0, 0, 0)
        # It still fetches and stores, and may be told of blocks.
        assert node.get_block(cid("b"), timeout=PATIENCE) == block("b")
        node.add_block(block("c"))
        node.notify_new_blocks([block("c")])
        node.blocks_removed([cid("c")])
        stat = node.stat()
        assert (stat.blocks_received, stat.blocks_sent, stat.peers, stat.wants) == (1, 0, (), 0)
        assert peer.got.empty()
        assert source.ledger_for_peer("node").sent == 1
