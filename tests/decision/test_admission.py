"""Who may not have a block cannot tell that from its absence: same answers, byte for byte, same look-ups."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from bitswap.blockstore import MemoryBlockstore
from bitswap.cid import CID
from bitswap.decision.admission import Admission
from bitswap.message import Message, WantType
from bitswap.options import ServerOptions
from bitswap.server import Server
from tests.decision.fake_network import FakeNetwork
from tests.decision.support import ALPHABET, Node, block, cid


def wantlist(seed: int) -> Message:
    """Any mixture of kinds and priorities of all letters."""
    chance = random.Random(seed)
    message = Message(chance.random() < 0.3)
    for name in chance.sample(ALPHABET, len(ALPHABET)):
        kind = chance.choice((WantType.BLOCK, WantType.HAVE))
        message.add_entry(cid(name), chance.randrange(3), kind, chance.random() < 0.8)
    return message


def frames(node: Node, seed: int) -> list[bytes]:
    """What two peers are sent, message by message."""
    for peer, offset in (("A", 0), ("B", 1000), ("A", 2000)):
        node.receive(peer, wantlist(seed + offset))
    sent = []
    while (taken := node.take()) is not None:
        sent.append(taken[0].peer.encode() + taken[1].to_frame())
        node.engine.envelope_sent(taken[0], node.now)
    return sent


@pytest.mark.usefixtures("implementation")
@pytest.mark.parametrize("seed", range(40))
def test_refused_and_missing_look_the_same_on_the_wire(seed: int) -> None:
    refused = set(random.Random(seed).sample(ALPHABET, 9))
    hidden = {cid(name) for name in refused}
    options = ServerOptions(peer_block_request_filter=lambda _, wanted: wanted not in hidden)
    lacking = Node(stored="".join(name for name in ALPHABET if name not in refused))
    assert frames(Node(options), seed) == frames(lacking, seed)


def test_the_store_is_asked_for_sizes_and_never_for_refused_blocks(network: FakeNetwork) -> None:
    asked: list[tuple[str, list[CID]]] = []

    class Store(MemoryBlockstore):
        def sizes(self, cids: Sequence[CID]) -> list[int | None]:
            asked.append(("sizes", list(cids)))
            return super().sizes(cids)

        def get_many(self, cids: Sequence[CID]) -> list[object]:  # type: ignore[override]
            asked.append(("get", list(cids)))
            return list(super().get_many(cids))

    store = Store()
    store.put(block("a"))
    options = ServerOptions(max_known_blocks=10, peer_block_request_filter=lambda *_: False)
    with Server(network, store, options) as server:
        network.start(server)
        server.notify_new_blocks([block("a")])
        for _ in range(2):
            for name in "a1":
                message = Message()
                message.add_entry(cid(name), 1, WantType.BLOCK, True)
                network.deliver("A", message)
                assert network.next("A").dont_haves() == [cid(name)]
        assert server.stat().wants_denied == 4
        assert server.gauges().wants_denied == 4
    assert asked == [("sizes", [cid("a")]), ("sizes", [cid("1")])] * 2


def test_a_filter_that_raises_refuses_and_is_told_rarely(caplog: pytest.LogCaptureFixture) -> None:
    def broken(peer: str, wanted: CID) -> bool:
        raise KeyError(peer)

    admission = Admission(broken)
    assert not any(admission("A", cid(name)) for name in ALPHABET)
    assert admission.refused == 26
    assert len(caplog.records) == 5


def test_who_is_let_in_is_not_counted() -> None:
    admission = Admission(lambda peer, wanted: peer == "A")
    assert admission("A", cid("a"))
    assert not admission("B", cid("a"))
    assert admission.refused == 1
