"""Who is told of which message: once each, in time, and without harm."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from bitswap import Bitswap, Client, Server
from bitswap.blockstore import MemoryBlockstore
from bitswap.message import Message, WantType
from bitswap.network.interface import ANSWERS, WANTS
from bitswap.testnet import LoopbackHub, LoopbackNetwork
from bitswap.testutils import make_blocks
from tests.libp2p.nodes import send

pytestmark = pytest.mark.timeout(60)
SECONDS = 20.0
(BLOCK,) = make_blocks(1)


class Recorder:
    def __init__(self) -> None:
        self.events: list[tuple[str, str, int, int]] = []
        self.on_received: Callable[[], object] = bool

    def _note(self, way: str, peer: str, message: Message) -> None:
        self.events.append((way, peer, len(message.wantlist()), len(message.blocks())))

    def message_received(self, peer: str, message: Message) -> None:
        self._note("in", peer, message)
        self.on_received()

    def message_sent(self, peer: str, message: Message) -> None:
        self._note("out", peer, message)


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as hub:
        yield hub


class Silent:
    """A receiver that answers nothing."""

    def peer_connected(self, peer: str) -> None: ...

    def peer_disconnected(self, peer: str, reason: BaseException | None) -> None: ...

    def message_received(self, peer: str, message: Message) -> None: ...

    def receive_error(self, peer: str, error: BaseException) -> None: ...


def puppet(hub: LoopbackHub) -> LoopbackNetwork:
    network = hub.network("peer")
    network.start(Silent())
    network.connect("/loopback/node")
    return network


def both() -> Message:
    """A message with a want and a block, which concerns both halves."""
    message = Message()
    message.add_entry(BLOCK.cid, 1, WantType.BLOCK, False)
    message.add_block(make_blocks(1, seed="unasked")[0])
    return message


def test_a_node_is_traced_once_a_message_before_either_half_has_it(hub: LoopbackHub) -> None:
    tracer = Recorder()
    with Bitswap(hub.network("node"), MemoryBlockstore(), tracer=tracer) as node:
        seen: list[tuple[int, list[object]]] = []
        tracer.on_received = lambda: seen.append(
            (node.client.stat().messages_received, list(node.wantlist_for_peer("peer")))
        )
        assert send(puppet(hub), "node", both()) is None
        assert node.client.stat().messages_received == 1
    assert tracer.events == [("in", "peer", 1, 1)]
    assert seen == [(0, [])]


def test_both_halves_tell_what_they_send(hub: LoopbackHub) -> None:
    ours, theirs = Recorder(), Recorder()
    with (
        Bitswap(hub.network("theirs"), MemoryBlockstore(), tracer=theirs) as holder,
        Bitswap(hub.network("ours"), MemoryBlockstore(), tracer=ours) as node,
    ):
        holder.add_block(BLOCK)
        node.connect("/loopback/theirs")
        node.get_block(BLOCK.cid, timeout=SECONDS)
    assert ours.events[:2] == [("out", "theirs", 1, 0), ("in", "theirs", 0, 1)]
    assert theirs.events[:2] == [("in", "ours", 1, 0), ("out", "ours", 0, 1)]


def test_a_client_alone_tells_both(hub: LoopbackHub) -> None:
    tracer = Recorder()
    network = hub.network("node")
    with Client(network, tracer=tracer) as client:
        network.start(client)
        peer = puppet(hub)
        with client.getter() as getter:
            getter.want([BLOCK.cid])
            answer = Message()
            answer.add_block(BLOCK)
            assert send(peer, "node", answer, ANSWERS) is None
            assert [block.data for block in getter.take(SECONDS)] == [BLOCK.data]
    assert ("out", "peer", 1, 0) in tracer.events
    assert [event for event in tracer.events if event[0] == "in"] == [("in", "peer", 0, 1)]


def test_a_server_alone_tells_both(hub: LoopbackHub) -> None:
    tracer = Recorder()
    network = hub.network("node")
    store = MemoryBlockstore()
    store.put(BLOCK)
    with Client(hub.network("peer")) as client, Server(network, store, tracer=tracer) as server:
        network.start(server)
        client.network.start(client)
        client.network.connect("/loopback/node")
        assert client.get_block(BLOCK.cid, timeout=SECONDS) == BLOCK
    assert tracer.events[:2] == [("in", "peer", 1, 0), ("out", "peer", 0, 1)]


def test_a_server_tells_of_messages_that_do_not_concern_it(hub: LoopbackHub) -> None:
    tracer = Recorder()
    network = hub.network("node")
    with Server(network, MemoryBlockstore(), tracer=tracer) as server:
        network.start(server)
        message = Message()
        message.add_have(BLOCK.cid)
        assert send(puppet(hub), "node", message, WANTS) is None
    assert tracer.events == [("in", "peer", 0, 0)]


def test_a_tracer_that_fails_harms_nobody(hub: LoopbackHub, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Recorder):
        def _note(self, way: str, peer: str, message: Message) -> None:
            super()._note(way, peer, message)
            raise RuntimeError("broken")

    tracer = Failing()
    with (
        Bitswap(hub.network("theirs"), MemoryBlockstore(), tracer=tracer) as holder,
        Bitswap(hub.network("ours"), MemoryBlockstore(), tracer=tracer) as node,
    ):
        holder.add_block(BLOCK)
        node.connect("/loopback/theirs")
        assert node.get_block(BLOCK.cid, timeout=SECONDS) == BLOCK
    assert {event[0] for event in tracer.events} == {"in", "out"}
    assert "the tracer failed" in caplog.text
