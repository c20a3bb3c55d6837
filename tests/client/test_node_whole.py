"""Nodes as wholes: who is told what, what is kept, and how they end; over the loopback network."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bitswap import (
    CID,
    Bitswap,
    Block,
    Client,
    ClientOptions,
    Closed,
    Options,
    RemoteError,
    ServerOptions,
    Timeout,
)
from bitswap.blockstore import MemoryBlockstore
from bitswap.message import Message
from bitswap.testinstance import instances
from bitswap.testnet import LoopbackHub
from bitswap.testutils import cids_of, make_blocks
from tests.client.mute import Mute
from tests.client.racing import Racing
from tests.client.waiting import asked

pytestmark = pytest.mark.timeout(60)
SECONDS = 20.0
"""Longer than anything here takes; nothing waits for it to pass."""
SOON = 0.05
"""For what is expected to time out."""
SILENT = ServerOptions(send_dont_haves=False)


class TestNode:
    def test_ledgers_and_statistics(self, pair: tuple[Bitswap, Bitswap]) -> None:
        ours, theirs = pair
        blocks = make_blocks(10, 100)
        theirs.add_blocks(blocks)
        list(ours.get_blocks(cids_of(blocks), timeout=SECONDS))
        stat = ours.stat()
        assert (stat.blocks_received, stat.data_received, stat.dup_blocks_received) == (10, 1000, 0)
        assert stat.messages_received >= 1
        assert stat.wantlist == ()
        sent = theirs.ledger_for_peer("node-0")
        assert (sent.sent, sent.recv, sent.exchanged) == (1000, 0, 10)
        received = ours.ledger_for_peer("node-1")
        while received.recv < 1000:
            received = ours.ledger_for_peer("node-1")
        assert (received.sent, received.exchanged) == (0, 10)

    def test_own_and_others_wantlists(self, pair: tuple[Bitswap, Bitswap]) -> None:
        ours, theirs = pair
        absent = cids_of(make_blocks(3))
        with ours.getter() as getter:
            getter.want(absent)
            assert ours.wantlist() == absent
            assert ours.wantlist_for_peer("node-0") == absent
            asked(theirs, "node-0", absent[2])
            assert sorted(theirs.wantlist_for_peer("node-0")) == sorted(absent)
            told = ours.explain(absent[0])
            assert told.wanted
            assert list(told.asked) == ["node-1"]
            assert list(told.reasons) == ["node-1"]
        assert ours.explain(absent[0]).wanted is False
        assert ours.wantlist_for_peer("nobody") == []

    def test_without_a_server(self) -> None:
        with instances(2, Options(server=ServerOptions(enabled=False))) as (first, second):
            blocks = make_blocks(2)
            second.add_block(blocks[0])
            with pytest.raises(Timeout):
                first.get_block(blocks[0].cid, timeout=SOON)
            assert first.server is None
            assert first.ledger_for_peer("node-1").sent == 0
            assert first.wantlist_for_peer("node-1") == []
            assert first.stat().blocks_sent == 0

    def test_fetched_blocks_are_served_on(self) -> None:
        """A node that waits for a block of another waits no longer once that one has fetched it."""
        with instances(3, connected=False) as (source, middle, far):
            far.connect(middle.network.addrs[0])
            (block,) = make_blocks(1, 5000)
            with ThreadPoolExecutor(1) as pool:
                wanted = pool.submit(far.get_block, block.cid, SECONDS)
                asked(middle, "node-2", block.cid)
                middle.connect(source.network.addrs[0])
                source.add_block(block)
                assert middle.get_block(block.cid, timeout=SECONDS) == block
                assert wanted.result(SECONDS) == block

    def test_unasked_blocks_are_not_stored(self) -> None:
        with LoopbackHub() as hub, Bitswap(hub.network("ours"), MemoryBlockstore()) as ours:
            network = hub.network("pusher")
            network.start(Mute())
            network.connect("/loopback/ours")
            known, unknown = make_blocks(2, 30)
            ours.add_block(known)
            message = Message()
            message.add_block(known)
            message.add_block(unknown)
            sent = threading.Event()
            network.send("ours", message, 1, lambda error: sent.set())
            assert sent.wait(SECONDS)
            assert len(ours.store) == 1
            assert ours.client.unwanted("pusher") == 2
            stat = ours.stat()
            assert (stat.blocks_received, stat.dup_blocks_received, stat.dup_data_received) == (2, 1, 30)

    def test_failed_sends_are_tried_again(self) -> None:
        with LoopbackHub() as hub:
            network = hub.network("ours")
            with (
                Bitswap(
                    network, MemoryBlockstore(), Options(client=ClientOptions(send_backoff=0.001))
                ) as ours,
                Bitswap(hub.network("theirs"), MemoryBlockstore()) as theirs,
            ):
                blocks = make_blocks(10)
                theirs.add_blocks(blocks)
                ours.connect("/loopback/theirs")
                network.failures += [RemoteError("no"), RemoteError("not yet")]
                assert len(list(ours.get_blocks(cids_of(blocks), timeout=SECONDS))) == 10

    def test_a_peer_without_have(self) -> None:
        with (
            LoopbackHub() as hub,
            Bitswap(hub.network("ours"), MemoryBlockstore()) as ours,
            Bitswap(hub.network("old", supports_have=False), MemoryBlockstore()) as old,
        ):
            blocks = make_blocks(10)
            old.add_blocks(blocks)
            ours.connect("/loopback/old")
            assert len(list(ours.get_blocks(cids_of(blocks), timeout=SECONDS))) == 10

    def test_the_tracer_sees_every_message(self) -> None:
        class Tracer:
            def __init__(self) -> None:
                self.seen: list[str] = []

            def message_received(self, peer: str, message: Message) -> None:
                self.seen.append("in")
                raise RuntimeError("a tracer that fails harms nobody")

            def message_sent(self, peer: str, message: Message) -> None:
                self.seen.append("out")
                raise RuntimeError("a tracer that fails harms nobody")

        tracer = Tracer()
        with (
            LoopbackHub() as hub,
            Bitswap(hub.network("theirs"), MemoryBlockstore()) as theirs,
            Bitswap(hub.network("ours"), MemoryBlockstore(), tracer=tracer) as ours,
        ):
            ours.connect("/loopback/theirs")
            (block,) = make_blocks(1)
            theirs.add_block(block)
            ours.get_block(block.cid, timeout=SECONDS)
        assert tracer.seen[:2] == ["out", "in"]

    def test_closing(self) -> None:
        hub = LoopbackHub()
        node = Bitswap(hub.network("ours"), MemoryBlockstore())
        other = Bitswap(hub.network("theirs"), MemoryBlockstore())
        node.connect("/loopback/theirs")
        (absent,) = make_blocks(1)
        with ThreadPoolExecutor(1) as pool:
            wanted = pool.submit(node.get_block, absent.cid, SECONDS)
            asked(other, "ours", absent.cid)
            node.close()
            with pytest.raises(Closed):
                wanted.result(SECONDS)
        node.close()
        for call in (
            lambda: node.get_block(absent.cid),
            lambda: list(node.get_blocks([absent.cid])),
            lambda: node.new_session(),
            lambda: node.connect("/loopback/theirs"),
            lambda: node.getter(),
        ):
            with pytest.raises(Closed):
                call()
        node.add_block(absent)
        assert node.get_block(absent.cid) == absent
        other.close()
        hub.close()
        hub.close()
        assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("bitswap-")]

    def test_a_network_that_does_not_start(self) -> None:
        class Broken:
            self_id = "broken"
            closed = False

            def start(self, receiver: object) -> None:
                raise RemoteError("no port")

            def close(self) -> None:
                self.closed = True

        network = Broken()
        with pytest.raises(RemoteError, match="no port"):
            Bitswap(network, MemoryBlockstore())  # type: ignore[arg-type]
        assert network.closed
        assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("bitswap-")]


class TestClientAlone:
    def test_fetches_and_stores_nothing(self) -> None:
        with LoopbackHub() as hub, Bitswap(hub.network("theirs"), MemoryBlockstore()) as theirs:
            network = hub.network("ours")
            with Client(network) as client:
                network.start(client)
                network.connect("/loopback/theirs")
                blocks = make_blocks(500)
                theirs.add_blocks(blocks)
                assert len(list(client.get_blocks(cids_of(blocks), timeout=SECONDS))) == 500
                with client.new_session() as session:
                    assert session.get_block(blocks[0].cid, timeout=SECONDS) == blocks[0]
                assert client.stat().blocks_received == 501
                assert client.outstanding("theirs") == 0

    def test_notified_blocks_reach_whoever_waits(self) -> None:
        with LoopbackHub() as hub, Client(hub.network("ours")) as client:
            blocks = make_blocks(3)
            with client.getter() as getter:
                getter.want(cids_of(blocks))
                client.notify_new_blocks(blocks[:2])
                assert getter.take() == blocks[:2]
                assert getter.outstanding == 1
                with pytest.raises(Timeout):
                    getter.take(SOON)
            with pytest.raises(Closed):
                getter.take()
        client.notify_new_blocks(blocks)


def test_a_block_stored_between_look_up_and_asking_is_not_missed() -> None:
    """Nobody would tell: the look-up was too early and the notice too."""

    store = Racing()
    with LoopbackHub() as hub, Bitswap(hub.network("ours"), store) as node:
        store.node = node
        (store.late,) = blocks = make_blocks(1)
        assert list(node.get_blocks(cids_of(blocks), timeout=SECONDS)) == blocks


def test_a_block_deleted_between_look_up_and_reading_is_fetched() -> None:
    class Forgetful(MemoryBlockstore):
        forget: CID | None = None

        def sizes(self, cids: object) -> list[int | None]:
            found = super().sizes(cids)  # type: ignore[arg-type]
            if self.forget is not None:
                self.delete(self.forget)
            return found

    store = Forgetful()
    with (
        LoopbackHub() as hub,
        Bitswap(hub.network("theirs"), MemoryBlockstore()) as theirs,
        Bitswap(hub.network("ours"), store) as ours,
    ):
        ours.connect("/loopback/theirs")
        blocks = make_blocks(3)
        ours.add_blocks(blocks)
        theirs.add_blocks(blocks)
        store.forget = blocks[1].cid
        got = list(ours.get_blocks(cids_of(blocks), timeout=SECONDS))
        assert sorted(cids_of(got)) == sorted(cids_of(blocks))


def test_local_blocks_are_read_in_bounded_slices() -> None:
    class Counting(MemoryBlockstore):
        largest = 0

        def get_many(self, cids: object) -> list[Block | None]:
            found = super().get_many(cids)  # type: ignore[arg-type]
            self.largest = max(self.largest, sum(len(block) for block in found if block is not None))
            return found

    store = Counting()
    options = Options(client=ClientOptions(lookup_bytes=10_000, lookup_slice=50))
    with LoopbackHub() as hub, Bitswap(hub.network("ours"), store, options) as node:
        blocks = [*make_blocks(300, 1000), *make_blocks(2, 20_000, "large")]
        node.add_blocks(blocks)
        store.largest = 0
        assert len(list(node.get_blocks(cids_of(blocks)))) == 302
        assert store.largest == 20_000
        with node.getter() as getter:
            getter.want(cids_of(blocks))
            assert getter.outstanding == 302
            assert sum(len(block) for block in getter.take()) <= 10_000
            getter.cancel(cids_of(blocks))
            assert getter.outstanding == 0
            assert getter.take() == []
