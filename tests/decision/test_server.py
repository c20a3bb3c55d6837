"""The server on real threads, with a network and a store in memory."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import pytest

from bitswap.block import Block
from bitswap.blockstore import MemoryBlockstore
from bitswap.cid import CID
from bitswap.message import Message, WantType
from bitswap.network.interface import Peer
from bitswap.options import MAX_FRAME, ServerOptions
from bitswap.server import Server

from .fake_network import PATIENCE, FakeNetwork
from .serving import Recorder, data, store_with, wants
from .support import block, cid

pytestmark = pytest.mark.timeout(120)


def test_it_answers_from_the_store(network: FakeNetwork) -> None:
    store = store_with("ab")
    large = block("large", 5000)
    store.put(large)
    with Server(network, store) as server:
        network.start(server)
        network.connect("A")
        message = wants("ab1", "2")
        message.add_entry(large.cid, 1, WantType.HAVE, True)
        network.deliver("A", message)
        answer = network.next("A")
        assert data(answer) == [b"a", b"b"]
        assert answer.haves() == [large.cid]
        assert set(answer.dont_haves()) == {cid("1"), cid("2")}
        assert set(server.wantlist_for_peer("A")) == {cid("1"), cid("2")}
        receipt = server.ledger_for_peer("A")
        assert (receipt.sent, receipt.recv, receipt.exchanged, receipt.value) == (2, 0, 2, 2.0)
        assert server.ledger_for_peer("B").sent == 0
        assert server.scores() == {}


def test_its_statistics_count_what_was_sent(network: FakeNetwork) -> None:
    with Server(network, store_with("ab")) as server:
        network.start(server)
        network.deliver("A", wants("ab1"))
        network.next("A")
        # The second answer goes out only when the first send has ended.
        network.deliver("A", wants("2"))
        network.next("A")
        stat = server.stat()
        assert stat.peers == ("A",)
        assert (stat.blocks_sent, stat.data_sent, stat.wants) == (2, 2, 2)


@pytest.mark.parametrize("bare", [False, True])
def test_a_block_that_comes_later_is_sent_then(network: FakeNetwork, bare: bool) -> None:
    store = store_with("")
    with Server(network, store) as server:
        network.start(server)
        network.deliver("A", wants("a"))
        assert network.next("A").dont_haves() == [cid("a")]
        store.put(block("a"))
        if bare:
            server.notify_new_blocks([cid("a"), cid("unknown")])
        else:
            server.notify_new_blocks([block("a")])
        assert data(network.next("A")) == [b"a"]


def test_a_block_that_comes_while_it_is_looked_up_is_not_missed(network: FakeNetwork) -> None:
    store = store_with("")
    store.sizes_gate.clear()
    with Server(network, store) as server:
        network.start(server)
        network.deliver("A", wants("a"))
        assert store.at_sizes.wait(PATIENCE)
        store.put(block("a"))
        server.notify_new_blocks([block("a")])
        store.sizes_gate.set()
        assert data(network.next("A")) == [b"a"]


def test_a_block_that_comes_while_it_is_read_is_not_missed(network: FakeNetwork) -> None:
    store = store_with("a")
    store.reads_gate.clear()
    with Server(network, store) as server:
        network.start(server)
        store.sizes_gate.clear()
        network.deliver("A", wants("a"))
        assert store.at_sizes.wait(PATIENCE)
        store.delete(cid("a"))
        store.sizes_gate.set()
        assert store.at_reads.wait(PATIENCE)
        store.put(block("a"))
        server.notify_new_blocks([block("a")])
        store.reads_gate.set()
        assert data(network.next("A")) == [b"a"]


def test_a_peer_that_never_drains_does_not_hold_up_another(network: FakeNetwork) -> None:
    network.manner["slow"] = "keep"
    with Server(network, store_with("abc"), ServerOptions(task_workers=1)) as server:
        network.start(server)
        network.deliver("slow", wants("a"))
        network.next("slow")
        network.deliver("slow", wants("b"))
        for name in "abc":
            network.deliver("quick", wants(name))
            assert data(network.next("quick")) == [name.encode()]
        assert server.stat().active_tasks >= 1
        network.manner["slow"] = "take"
        network.end("slow")
        assert data(network.next("slow")) == [b"b"]


@pytest.mark.parametrize("manner", ["fail", "raise"])
def test_a_failed_send_is_tried_again(network: FakeNetwork, manner: str) -> None:
    network.manner["A"] = manner
    options = ServerOptions(retry_delay=0.001, max_retry_delay=0.002)
    with Server(network, store_with("a"), options) as server:
        network.start(server)
        network.connect("A")
        network.deliver("A", wants("a"))
        for _ in range(3):
            assert data(network.next("A")) == [b"a"]
        network.manner["A"] = "take"
        # What follows on a peer's send means that the send has ended.
        for name in "12":
            network.deliver("A", wants(name))
            while cid(name) not in network.next("A").dont_haves():
                pass
        assert server.stat().blocks_sent == 1
        assert server.ledger_for_peer("A").sent == 1


def test_what_a_peer_waits_for_is_forgotten_when_it_leaves(network: FakeNetwork) -> None:
    with Server(network, store_with("b"), ServerOptions(task_workers=1)) as server:
        network.start(server)
        network.connect("A")
        network.deliver("A", wants("1"))
        network.next("A")
        server.blocks_received("A", [block("x", 10), block("y", 20)])
        network.drop("A")
        network.flush()
        server.blocks_received("A", [block("x", 10)])
        network.deliver("B", wants("b"))
        network.next("B")
        assert server.wantlist_for_peer("A") == []
        assert server.ledger_for_peer("A").recv == 0
        assert server.stat().peers == ()


def test_blocks_received_are_credited(network: FakeNetwork) -> None:
    with Server(network, store_with("a"), ServerOptions(task_workers=1)) as server:
        network.start(server)
        network.connect("A")
        network.flush()
        server.blocks_received("A", [block("x", 10), block("y", 20)])
        server.blocks_received("stranger", [block("x", 10)])
        network.deliver("A", wants("a"))
        network.next("A")
        receipt = server.ledger_for_peer("A")
        assert (receipt.sent, receipt.recv, receipt.exchanged) == (1, 30, 3)
        assert server.ledger_for_peer("stranger").recv == 0


def test_a_peer_that_returns_during_a_send_is_served_after_it(network: FakeNetwork) -> None:
    network.manner["A"] = "keep"
    with Server(network, store_with("ab")) as server:
        network.start(server)
        network.connect("A")
        network.deliver("A", wants("a"))
        network.next("A")
        network.drop("A")
        network.connect("A")
        network.deliver("A", wants("b"))
        network.deliver("B", wants("b"))
        network.next("B")
        network.manner["A"] = "take"
        network.end("A", ConnectionError("gone"))
        assert data(network.next("A")) == [b"b"]


class BrokenStore(MemoryBlockstore):
    """A store that raises for some blocks, or for all when there are none named."""

    def __init__(self, *bad: CID) -> None:
        super().__init__()
        self.bad = bad

    def _check(self, cids: Sequence[CID]) -> None:
        if not self.bad or any(c in self.bad for c in cids):
            raise OSError("the disk is on fire")

    def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        self._check(cids if not self.bad else [])
        return super().sizes(cids)

    def get_many(self, cids: Sequence[CID]) -> list[Block | None]:
        self._check(cids)
        return super().get_many(cids)


def test_a_block_that_cannot_be_read_does_not_hide_the_others(
    network: FakeNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    store = BrokenStore(cid("b"))
    store.put_many([block(name) for name in "abc"])
    with caplog.at_level(logging.WARNING), Server(network, store) as server:
        network.start(server)
        network.deliver("A", wants("abc"))
        answer = network.next("A")
    assert data(answer) == [b"a", b"c"]
    assert answer.dont_haves() == [cid("b")]
    assert "the disk is on fire" in caplog.text


def test_a_store_that_always_raises_is_an_empty_one_and_is_told_rarely(
    network: FakeNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    store = BrokenStore()
    store.put(block("a"))
    with caplog.at_level(logging.WARNING), Server(network, store) as server:
        network.start(server)
        for _ in range(40):
            network.deliver("A", wants("a"))
            assert network.next("A").dont_haves() == [cid("a")]
    assert 1 <= len(caplog.records) <= 8


def test_messages_of_a_peer_are_handled_in_order_by_several_workers(network: FakeNetwork) -> None:
    with Server(network, store_with(""), ServerOptions(task_workers=4)) as server:
        network.start(server)
        for peer in "ABCD":
            for _ in range(50):
                network.deliver(peer, wants("123"))
                network.deliver(peer, wants("", cancels="123"))
            network.deliver(peer, wants("9"))
        for peer in "ABCD":
            while cid("9") not in network.next(peer).dont_haves():
                pass
            assert server.wantlist_for_peer(peer) == [cid("9")]


def test_a_peer_that_sends_faster_than_it_is_served_is_paused(network: FakeNetwork) -> None:
    store = store_with("")
    store.sizes_gate.clear()
    options = ServerOptions(task_workers=1, max_inbound_messages=4)
    with Server(network, store, options) as server:
        network.start(server)
        network.deliver("A", wants("0"))
        assert store.at_sizes.wait(PATIENCE)
        for name in "1234":
            network.deliver("A", wants(name))
        assert network.pauses.get(timeout=PATIENCE) == ("pause", "A")
        store.sizes_gate.set()
        assert network.pauses.get(timeout=PATIENCE) == ("resume", "A")
        refused: set[CID] = set()
        while len(refused) < 5:
            refused.update(network.next("A").dont_haves())
        assert network.paused == set()


class SlowToPause(FakeNetwork):
    """Pauses only after the server has asked for the resumption."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_to_pause, self.resumed = threading.Event(), threading.Event()

    def pause(self, peer: str) -> None:
        self.asked_to_pause.set()
        assert self.resumed.wait(PATIENCE)
        super().pause(peer)

    def resume(self, peer: str) -> None:
        super().resume(peer)
        self.resumed.set()


def test_a_pause_that_comes_too_late_is_taken_back() -> None:
    network = SlowToPause()
    store = store_with("")
    store.sizes_gate.clear()
    with Server(network, store, ServerOptions(task_workers=1, max_inbound_messages=1)) as server:
        network.start(server)
        network.deliver("A", wants("0"))
        assert network.asked_to_pause.wait(PATIENCE)
        store.sizes_gate.set()
        network.next("A")
        calls = [network.pauses.get(timeout=PATIENCE) for _ in range(3)]
        assert calls == [("resume", "A"), ("pause", "A"), ("resume", "A")]
        network.deliver("A", wants("1"))
        assert network.next("A").dont_haves() == [cid("1")]
    network.close()
    assert network.faults == []


def test_messages_without_wants_are_none_of_its_business(network: FakeNetwork) -> None:
    options = ServerOptions(task_workers=1, max_inbound_messages=1)
    with Server(network, store_with("a"), options) as server:
        network.start(server)
        message = Message()
        message.add_block(block("z"))
        message.add_have(cid("y"))
        network.deliver("A", message)
        network.deliver("A", Message())
        network.deliver("A", wants("a"))
        assert data(network.next("A")) == [b"a"]
        server.receive_error("A", ValueError("broken stream"))


def test_a_full_empty_wantlist_is_its_business(network: FakeNetwork) -> None:
    with Server(network, store_with("a"), ServerOptions(task_workers=1)) as server:
        network.start(server)
        network.deliver("A", wants("1"))
        network.next("A")
        network.deliver("A", Message(full=True))
        network.deliver("B", wants("a"))
        network.next("B")
        assert server.wantlist_for_peer("A") == []


def test_the_tracer_sees_a_message_before_it_is_sent(
    network: FakeNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    tracer = Recorder(network)
    with Server(network, store_with("a"), tracer=tracer) as server:
        network.start(server)
        network.deliver("A", wants("a"))
        network.next("A")
    assert tracer.sent == [("A", [b"a"], True)]
    assert "the tracer failed" in caplog.text


def test_a_filter_that_raises_refuses(network: FakeNetwork, caplog: pytest.LogCaptureFixture) -> None:
    def allowed(peer: Peer, wanted: CID) -> bool:
        if peer == "A":
            raise KeyError(peer)
        return True

    options = ServerOptions(task_workers=1, peer_block_request_filter=allowed)
    with Server(network, store_with("a"), options) as server:
        network.start(server)
        network.deliver("A", wants("a"))
        network.deliver("B", wants("a"))
        assert data(network.next("B")) == [b"a"]
        assert network.next("A").dont_haves() == [cid("a")]
        assert server.stat().wants_denied == 1
    assert "the filter failed on A" in caplog.text


class LargeStore(MemoryBlockstore):
    """A store that claims to have blocks too large to send."""

    def sizes(self, cids: Sequence[CID]) -> list[int | None]:
        return [MAX_FRAME] * len(cids)


def test_blocks_that_no_message_can_carry_are_refused_and_told_once(
    network: FakeNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    with Server(network, LargeStore(), ServerOptions(task_workers=1)) as server:
        network.start(server)
        for name in "abc":
            network.deliver("A", wants(name))
            assert network.next("A").dont_haves() == [cid(name)]
        assert server.stat().blocks_too_large == 3
    assert len([r for r in caplog.records if "too large" in r.message]) == 1
