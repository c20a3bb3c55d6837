"""Closing a server at any moment."""

from __future__ import annotations

import threading

import pytest

from bitswap.message import Message
from bitswap.network.interface import Peer
from bitswap.options import ServerOptions
from bitswap.server import Server

from .fake_network import PATIENCE, FakeNetwork
from .serving import Recorder, store_with, wants
from .support import block

pytestmark = pytest.mark.timeout(120)


def test_nothing_is_done_after_closing_and_a_second_one_does_nothing(network: FakeNetwork) -> None:
    server = Server(network, store_with("a"))
    network.start(server)
    server.close()
    server.close()
    network.connect("A")
    network.deliver("A", wants("a"))
    network.drop("A")
    network.flush()
    server.blocks_received("A", [block("a")])
    server.notify_new_blocks([block("a")])
    assert network.sent["A"].empty()
    assert server.stat().wants == 0
    assert server.wantlist_for_peer("A") == []


def test_closing_while_a_send_is_under_way(network: FakeNetwork) -> None:
    network.manner["A"] = "keep"
    server = Server(network, store_with("a"))
    network.start(server)
    network.deliver("A", wants("a"))
    network.next("A")
    server.close()
    network.end("A")
    network.flush()


@pytest.mark.parametrize("stage", ["sizes", "reads"])
def test_closing_while_the_store_is_read(network: FakeNetwork, stage: str) -> None:
    store = store_with("a")
    gate = store.sizes_gate if stage == "sizes" else store.reads_gate
    gate.clear()
    server = Server(network, store)
    network.start(server)
    network.deliver("A", wants("a"))
    assert (store.at_sizes if stage == "sizes" else store.at_reads).wait(PATIENCE)
    closers = [threading.Thread(target=server.close) for _ in range(2)]
    for closer in closers:
        closer.start()
    gate.set()
    for closer in closers:
        closer.join()


def test_closing_while_messages_wait(network: FakeNetwork) -> None:
    store = store_with("a")
    store.sizes_gate.clear()
    server = Server(network, store, ServerOptions(task_workers=1))
    network.start(server)
    for _ in range(10):
        network.deliver("A", wants("a"))
    network.flush()
    assert store.at_sizes.wait(PATIENCE)
    closer = threading.Thread(target=server.close)
    closer.start()
    store.sizes_gate.set()
    closer.join()


def test_closing_from_one_of_its_own_threads(network: FakeNetwork) -> None:
    closed = threading.Event()

    class Closer(Recorder):
        def message_sent(self, peer: Peer, message: Message) -> None:
            server.close()
            closed.set()

    server = Server(network, store_with("a"), tracer=Closer(network))
    network.start(server)
    network.deliver("A", wants("a"))
    assert closed.wait(PATIENCE)
    server.close()


def test_its_threads_are_few_named_and_no_reason_to_stay(network: FakeNetwork) -> None:
    with Server(network, store_with(""), ServerOptions(task_workers=3)):
        mine = [t for t in threading.enumerate() if t.name.startswith("bitswap-server")]
        assert sorted(t.name for t in mine) == [f"bitswap-server-{n}" for n in range(3)]
        assert all(t.daemon for t in mine)
